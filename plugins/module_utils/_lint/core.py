# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lint rules work on: the set of units, the facts of the host, the shape of a rule, and what units execute."""

from __future__ import annotations

import datetime
import functools
import typing as t

from .._graph.build import build
from .._graph.cycles import Cycle, cycles_of
from .._graph.edges import EXEC_SECTIONS
from .._graph.graph import Graph
from .._model import Setting, Unit
from .._syntax.commands import ExecCommand, parse_exec
from .._syntax.effective import effective_settings, unit_names_in, value_of
from .._syntax.lines import read_unit
from .._syntax.names import template_of, unit_type
from .._syntax.words import UnitSyntaxError, split_words


class Questions(t.NamedTuple):
    """What the rules want to know of the host, so that one query can answer it all. Every field is sorted."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()  # absolute paths
    programs: tuple[str, ...] = ()  # names without slash, looked for in systemd's search path
    environment_files: tuple[str, ...] = ()  # absolute paths or globs
    units: tuple[str, ...] = ()  # the answer also has those that they name in turn, for cycles through the host
    machine: tuple[str, ...] = ()  # of "architecture" and "virtualization"


class PathFact(t.NamedTuple):
    """What the host says about one path; symbolic links are followed."""

    kind: str  # "missing", "file", "directory" or "other"
    mode: int = 0  # permission bits
    size: int = 0  # bytes
    secrets: tuple[str, ...] = ()  # names of variables in an environment file that look like secrets and have a value


class HostFacts(t.NamedTuple):
    """The answers to Questions. What was not asked counts as unknown, never as missing."""

    users: t.Mapping[str, bool] = {}  # name or uid -> True when the host has that user
    groups: t.Mapping[str, bool] = {}  # the same of groups
    paths: t.Mapping[str, PathFact] = {}
    programs: t.Mapping[str, bool] = {}  # name -> True when it is in systemd's search path
    environment_files: t.Mapping[str, t.Sequence[tuple[str, PathFact]]] = {}  # path or glob -> what it stands for
    units: t.Mapping[str, str | None] = {}  # name -> text as systemd loads it, drop-ins too; None: no such unit
    architecture: str = ""  # as ConditionArchitecture= names it, empty when unknown
    virtualization: str = ""  # as systemd-detect-virt prints it, empty when unknown
    ports: t.Mapping[str, str] = {}  # service -> the port of this host that its health check asks


class Diagnostic(t.NamedTuple):
    """What a rule found in the unit it looked at."""

    message: str  # what happens
    hint: str  # what to write instead
    setting: Setting | None = None  # where; None when it is something that is not there
    severity: str = ""  # in place of the rule's own, for a lesser form of the same harm


class Context:
    """The set under lint and what is known around it.

    :ivar units: name -> Unit, fragments and drop-ins merged.
    :ivar release: systemd release, for example 252.
    :ivar facts: HostFacts or None; without facts a rule about the host says nothing.
    :ivar enabled: names that the caller is about to enable.
    :ivar today: date that calendar expressions are judged on.
    """

    def __init__(
        self,
        units: t.Mapping[str, Unit],
        release: int,
        facts: HostFacts | None,
        enabled: t.Collection[str] = (),
        today: datetime.date | None = None,
    ) -> None:
        self.units = dict(units)
        self.release = release
        self.facts = facts
        self.enabled = frozenset(enabled)
        self.today = today or datetime.date.today()

    def with_units(self, units: t.Mapping[str, Unit]) -> Context:
        """The same set and host with another text of some units of the set."""
        other = Context({**self.units, **units}, self.release, self.facts, self.enabled, self.today)
        other.host_units = self.host_units
        return other

    @functools.cached_property
    def host_units(self) -> dict[str, Unit]:
        """The units of the host that are not in the set, by name."""
        found: dict[str, Unit] = {}
        for name, text in (self.facts.units if self.facts is not None else {}).items():
            if text is not None and name not in self.units:
                try:
                    found[name] = read_unit(name, text)
                except UnitSyntaxError:  # a unit of the host that cannot be read is not under lint
                    found[name] = Unit(name)
        return found

    @functools.cached_property
    def graph(self) -> Graph:
        """Dependencies of the set together with the units of the host that it refers to."""
        return build([*self.units.values(), *self.host_units.values()])

    @functools.cached_property
    def cycles(self) -> list[Cycle]:
        """Ordering cycles of the graph."""
        return cycles_of(self.graph)

    def unit(self, name: str) -> Unit | None:
        """A unit of the set or of the host by name, a template's instance by its template; None when unknown."""
        for units in (self.units, self.host_units):
            for candidate in (name, template_of(name)):
                if candidate in units:
                    return units[candidate]
        return None

    def absent(self, name: str) -> bool:
        """True when it is certain that neither the set nor the host has the unit."""
        if self.facts is None or self.unit(name) is not None or name in self._aliases:
            return False
        asked = [candidate for candidate in (name, template_of(name)) if candidate]
        return all(self.facts.units.get(candidate, "") is None for candidate in asked)

    @functools.cached_property
    def _aliases(self) -> frozenset[str]:
        units = (*self.units.values(), *self.host_units.values())
        return frozenset(alias for unit in units for alias, _setting in unit_names_in(unit, "Install", "Alias"))


RuleFunction = t.Callable[[Unit, Context], t.Iterator[Diagnostic]]


class Rule(t.NamedTuple):
    """A lint rule. Its explanation, example and fix stand in the Markdown file beside the rule's own file."""

    id: str
    severity: str  # the usual one; a Diagnostic may lessen it
    check: RuleFunction
    directives: tuple[str, ...] = ()  # it finds nothing in a unit without any of these; empty: it looks at every unit
    lines_only: bool = False  # judges single assignments, so it can look at a drop-in whose fragment is unknown

    @property
    def why(self) -> str:
        """What the rule finds, in one line: the docstring of its check."""
        return (self.check.__doc__ or "").partition("\n")[0]


class RuleTable(list[Rule]):
    """The rules of one file, in the order of their findings."""

    def rule(
        self, rule_id: str, severity: str, *directives: str, lines_only: bool = False
    ) -> t.Callable[[RuleFunction], RuleFunction]:
        """Enter the decorated check as a rule; for the parameters see Rule."""

        def enter(check: RuleFunction) -> RuleFunction:
            self.append(Rule(rule_id, severity, check, directives, lines_only))
            return check

        return enter


INSTALL = ("WantedBy", "RequiredBy", "UpheldBy", "Also", "Alias", "DefaultInstance")
EXEC_DIRECTIVES = {
    "service": (
        *("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost"),
        *("ExecReload", "ExecReloadPost", "ExecStop", "ExecStopPost"),
    ),
    "socket": ("ExecStartPre", "ExecStartPost", "ExecStopPre", "ExecStopPost"),
}


class Command(t.NamedTuple):
    """One command of an Exec line."""

    setting: Setting
    command: ExecCommand

    @property
    def program(self) -> str:
        """Name of the program without its folder."""
        return self.command.path.rpartition("/")[2]

    @property
    def shell_text(self) -> str:
        """What a shell gets with -c; empty when this command is not a shell or runs a script."""
        words = self.command.argv[1:]
        if self.program not in SHELLS:
            return ""
        for position, word in enumerate(words):
            if word.startswith("-") and not word.startswith("--") and "c" in word:
                return words[position + 1] if position + 1 < len(words) else ""
            if not word.startswith("-"):
                return ""
        return ""


SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "busybox"))


def exec_commands(unit: Unit, directives: t.Collection[str] = ()) -> list[Command]:
    """The commands of a unit's Exec lines, of all of them or of the directives given; unreadable lines are left out."""
    kind = unit_type(unit.name)
    section = exec_section(unit)
    found = []
    for directive in EXEC_DIRECTIVES.get(kind, ()):
        if directives and directive not in directives:
            continue
        for setting in effective_settings(unit, section, directive):
            found += [Command(setting, command) for command in _parsed(setting.value)]
    return found


@functools.lru_cache(maxsize=256)  # several rules look at the same line
def _parsed(value: str) -> tuple[ExecCommand, ...]:
    try:
        return tuple(parse_exec(value, relax=True))
    except UnitSyntaxError:
        return ()  # systemd refuses it, which is for validation to say


def service_type(unit: Unit) -> str:
    """Type= of a service, or what systemd takes when it is not set."""
    written = value_of(unit, "Service", "Type")
    if written:
        return written
    if value_of(unit, "Service", "BusName"):
        return "dbus"
    return "simple" if effective_settings(unit, "Service", "ExecStart") else "oneshot"


def exec_section(unit: Unit) -> str:
    """The section that holds the settings of a unit's processes; empty for a type without."""
    return EXEC_SECTIONS.get(unit_type(unit.name), "")


def literal(text: str) -> bool:
    """True when nothing in the text is filled in later: no specifier, no variable."""
    return "%" not in text.replace("%%", "") and "$" not in text


def assignments(value: str) -> list[tuple[str, str]]:
    """``NAME=value`` words of an Environment= line; words without ``=`` are left out."""
    try:
        words = split_words(value, relax=True, unescape_relax=True)
    except UnitSyntaxError:
        return []
    pairs = [word.partition("=") for word in words]
    return [(name, text) for name, equals, text in pairs if equals]


def nearest(word: str, known: t.Iterable[str], likeness: float = 0.6) -> str:
    """The known word that is most like this one; empty when none is near."""
    import difflib  # only a misspelt name needs it

    return next(iter(difflib.get_close_matches(word, sorted(known), 1, likeness)), "")

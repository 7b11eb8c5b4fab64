# SPDX-License-Identifier: GPL-3.0-or-later

"""A unit as one release of systemd judges it: what it refuses, drops or warns of (``config_parse()`` of 247 to 262)."""

from __future__ import annotations

import re
import typing as t

from .. import _catalog
from .._model import ERROR, WARNING, Finding, Setting, Unit
from .._syntax.lines import LONG_LINE_MAX
from .._syntax.names import unit_type
from .._syntax.words import WHITESPACE, shorten
from . import calendar, execution, identifiers, paths, sandbox, scalars
from .base import Context, FatalError, Grammars, byte_length
from .whole_unit import Loaded, faults

GRAMMARS: Grammars = {
    parser: entry
    for topic in (calendar, execution, identifiers, paths, sandbox, scalars)
    for parser, entry in topic.GRAMMARS.items()
}
# Parsers whose refusal makes systemd refuse the unit.
_FATAL_PARSERS = frozenset(("image_policy", "user_group_compat", "user_group_strv_compat"))
_IN_CONTEXT = frozenset(("exec_cpu_sched_prio", "trigger_unit"))  # what stands above, or the unit's name, counts


class Problem(t.NamedTuple):
    """Why systemd refuses a value."""

    message: str
    hint: str  # what to write, with an example
    fatal: bool  # systemd refuses the whole unit; otherwise it drops the setting


# The units of a large set have many values in common.
_remembered: dict[tuple[str, str, str, int, str], Problem | None] = {}
_REMEMBERED_MOST = 20000
_REMEMBERED_LENGTH = 200


def check(
    directive: _catalog.Directive,
    value: str,
    release: int,
    unit_name: str = "",
    target: str = "system",
    earlier: t.Mapping[str, str] | None = None,
) -> Problem | None:
    """What is wrong with a value, or None when systemd takes it (or does not look at it).

    :param directive: the directive as ``release`` knows it.
    :param value: the text after the equals sign; blanks around it do not count.
    :param target: the manager that reads the unit: "system" or "user".
    :param earlier: values of directives that stand earlier in the section, for the few that depend on others.
    """
    key = (directive.section, directive.name, value, release, target)
    if key in _remembered:
        return _remembered[key]
    context = Context(directive.name, directive.section, directive.ltype, release, unit_name, target, earlier or {})
    problem = _check(directive.parser, value, context)
    if len(value) <= _REMEMBERED_LENGTH and "%" not in value and directive.parser not in _IN_CONTEXT:
        if len(_remembered) >= _REMEMBERED_MOST:
            _remembered.clear()
        _remembered[key] = problem
    return problem


def _check(parser: str, value: str, context: Context) -> Problem | None:
    entry = GRAMMARS.get(parser)
    if entry is None:
        return None
    grammar, want = entry
    if len(value) * 4 > LONG_LINE_MAX and byte_length(value) >= LONG_LINE_MAX:
        return Problem("the value is longer than a line of 1 MiB", "split it up", True)
    try:
        grammar(value.strip(WHITESPACE), context)
        if context.release < 251:
            paths.check_mount_names(value.strip(WHITESPACE), context)
    except ValueError as error:
        fatal = isinstance(error, FatalError) or context.ltype == "1" or parser in _FATAL_PARSERS
        return Problem(str(error), f"write {want}", fatal)
    return None


# What served before a directive came; only where it does about the same.
_OLDER_WAYS = {
    "ConditionVersion": "ConditionKernelVersion= tests the kernel",
    "ExecSearchPath": "write the absolute path of the program",
    "ImportCredential": "name each credential with LoadCredential=",
    "LoadCredentialEncrypted": "LoadCredential= loads one that is not encrypted",
    "MemoryZSwapMax": "MemorySwapMax= limits all swap",
    "OnSuccess": "start the other unit from ExecStopPost=",
    "PollLimitBurst": "TriggerLimitBurst= limits activations",
    "PollLimitIntervalSec": "TriggerLimitIntervalSec= limits activations",
    "PropagatesStopTo": "write PartOf= in the other unit",
    "RandomizedOffsetSec": "RandomizedDelaySec= delays each time anew",
    "ReloadSignal": "write ExecReload=/bin/kill -HUP $MAINPID",
    "RestartMaxDelaySec": "RestartSec= waits the same time before each restart",
    "RestartSteps": "RestartSec= waits the same time before each restart",
    "SetCredentialEncrypted": "SetCredential= sets one that is not encrypted",
    "StopPropagatedFrom": "PartOf= stops this unit with the other, and restarts it too",
    "UpheldBy": "WantedBy= starts the unit with the other",
    "Upholds": "Wants= starts the unit once; give it Restart=always",
    "WantsMountsFor": "RequiresMountsFor= wants the mounts to succeed",
}
_GUESSES_MAX = 100  # names to look for a near one; a file with more of them is not a unit file


class Verdict(t.NamedTuple):
    """What systemd would say of a unit, and the settings that it takes."""

    findings: list[Finding]
    taken: list[Setting]


def validate(
    unit: Unit,
    release: int,
    known_directives: t.AbstractSet[tuple[str, str]] | None = None,
    scope: str = "system",
    complete: bool = True,
) -> Verdict:
    """What systemd would say of a unit.

    :param known_directives: pairs of section and directive that the target's systemd lists, or None to go by the
        catalogue.
    :param scope: "system" or "user": the manager that reads the unit.
    :param complete: the settings are the whole unit; false for a drop-in alone, which may leave out the essentials.
    :returns: findings in the order of the lines, then those about the unit as a whole; settings in their order.
    """
    judge = _Judge(unit, release, known_directives, scope)
    judge.read()
    if complete and not unit.dropin:
        judge.whole()
    return Verdict(judge.findings, judge.good)


class _Judge:
    """Collects the findings about one unit."""

    def __init__(
        self, unit: Unit, release: int, known_directives: t.AbstractSet[tuple[str, str]] | None, scope: str
    ) -> None:
        self.unit = unit
        self.release = min(release, _catalog.LAST_RELEASE)  # of a newer one the catalogue knows nothing
        self.known_directives = known_directives
        self.scope = scope
        self.findings: list[Finding] = []
        self.kind = unit_type(unit.name)
        self.sections = _catalog.UNIT_SECTIONS.get(self.kind, ("Unit", "Install"))
        self.good: list[Setting] = []
        self.earlier: dict[str, dict[str, str]] = {section: {} for section in self.sections}
        self.unknown_sections: set[str] = set()
        self.guesses: dict[tuple[str, str], str] = {}

    def add(self, rule: str, message: str, hint: str, place: Setting, severity: str = ERROR) -> None:
        self.findings.append(
            Finding(
                rule,
                severity,
                self.unit.name,
                message,
                hint,
                place.path or self.unit.path,
                place.line,
                place.section,
                place.directive,
                place.value,
            )
        )

    def read(self) -> None:
        """Judge line by line."""
        for line, message in self.unit.problems:
            self._syntax(line, message)
        for setting in self.unit.settings:
            if setting.section.startswith("X-"):
                continue
            if setting.section in self.sections:
                self._setting(setting)
            elif setting.section not in self.unknown_sections:
                self.unknown_sections.add(setting.section)
                self._unknown_section(setting)
        self.findings.sort(key=lambda finding: finding.line)

    def whole(self) -> None:
        """Judge the unit as a whole, after its lines."""
        loaded = Loaded(self.unit.name, self.sections[1], self.release, self.scope, self.good)
        for fault in faults(loaded):
            found = None if fault.missing else loaded.last(fault.directive)
            place = found or Setting(loaded.section, fault.directive, "", 0)
            rule = "missing-directive" if fault.missing else "refused-unit"
            self.add(rule, fault.message, fault.hint, place, fault.severity)

    def _syntax(self, line: int, message: str) -> None:
        text, colon, hint = message.rpartition(": ")
        headless = re.match("'([^='\\s]+)\\s*=\\s*(.*)' stands before", message)
        header = re.search(r"\[(\w+)\]", hint) if headless else None
        directive, value = headless.groups() if headless else ("", "")
        place = Setting(header.group(1) if header else "", directive, value, line)
        self.add("syntax", text if colon else message, hint if colon else "", place)

    def _unknown_section(self, setting: Setting) -> None:
        section = setting.section
        near = {name.lower(): name for name in self.sections}.get(section.lower())
        if near:
            hint = f"write [{near}]: case counts"
        else:
            sections = ", ".join(f"[{name}]" for name in self.sections)
            hint = f"a .{self.kind} unit has the sections {sections}; start the name with X- to keep your own"
        message = f"systemd does not know a section [{section}] in a .{self.kind} unit and ignores all of it"
        self.add("unknown-section", message, hint, setting._replace(directive="", value=""))

    def _setting(self, setting: Setting) -> None:
        section, name = setting.section, setting.directive
        directive = _catalog.get(section, name, self.release)
        if not self._is_known(section, name, directive):
            if not name.startswith("X-"):
                self._unknown(setting, directive)
            return
        if directive is None:
            return  # the target's own systemd knows it, the catalogue does not: nothing to check it by
        if directive.status == "removed":
            self._outdated(setting, directive, "removed-directive", f"accepts {name}= and ignores it")
            return
        problem = check(directive, setting.value, self.release, self.unit.name, self.scope, self.earlier[section])
        if problem is not None:
            self._bad_value(setting, directive, problem)
            return
        if directive.status == "deprecated":
            words = f"still takes {name}=, but a later release will not"
            self._outdated(setting, directive, "deprecated-directive", words)
        if setting.value:
            self.earlier[section][name] = setting.value
        self.good.append(setting)

    def _in_time(self, directive: _catalog.Directive | None) -> bool:
        return directive is not None and directive.since <= self.release <= directive.until

    def _is_known(self, section: str, name: str, directive: _catalog.Directive | None) -> bool:
        if self.known_directives is None:
            return self._in_time(directive)
        if (section, name) in self.known_directives:
            return True
        return directive is not None and directive.status == "removed" and self._in_time(directive)

    def _unknown(self, setting: Setting, directive: _catalog.Directive | None) -> None:
        name, release = setting.directive, self.release
        if directive is None:
            self._misplaced_or_misspelt(setting)
        elif directive.since > release:
            message = f"{name}= comes with systemd {directive.since}, the target has {release}, which ignores the line"
            hint = _OLDER_WAYS.get(name) or "leave it out on this target"
            if name.startswith("Startup"):
                hint = f"use {name[len('Startup') :]}="
            self.add("too-new-directive", message, hint, setting)
        elif directive.until < release:
            successor = directive.successor.partition(".")[2]
            message = f"{name}= is gone since systemd {directive.until + 1}, which ignores the line"
            self.add("unknown-directive", message, f"use {successor}=" if successor else "remove it", setting)
        else:
            message = f"the target's systemd does not know {name}= (built without it), and ignores the line"
            self.add("unknown-directive", message, "leave it out on this target", setting)

    def _misplaced_or_misspelt(self, setting: Setting) -> None:
        section, name = setting.section, setting.directive
        message = f"systemd does not know {shorten(name)}= in [{section}] and ignores the line"
        homes = [home for home in _catalog.sections_of(name) if self._knows(home, name)]
        homes = [home for home in homes if home in self.sections] or homes
        if homes and homes[0] in self.sections:
            self.add("wrong-section", message, f"move it to [{homes[0]}]", setting)
        elif homes:
            places = " or ".join(f"[{home}]" for home in homes[:3])
            self.add("wrong-section", message, f"it belongs in {places}, not in a .{self.kind} unit", setting)
        else:
            near = self._nearest(section, name)
            hint = f"did you mean {near}?" if near else "start the name with X- to keep your own"
            self.add("unknown-directive", message, hint, setting)

    def _knows(self, section: str, name: str) -> bool:
        return self._in_time(_catalog.get(section, name, self.release))

    def _nearest(self, section: str, name: str) -> str:
        """The known directive whose name is most like this one, as ``Name=`` or ``Name= in [Section]``."""
        key = (section, name)
        if key not in self.guesses:
            full = len(self.guesses) >= _GUESSES_MAX or len(name) > 60
            self.guesses[key] = "" if full else self._guess(section, name)
        return self.guesses[key]

    def _guess(self, section: str, name: str) -> str:
        import difflib  # only a misspelt name needs it

        for place in (section, *(other for other in self.sections if other != section)):
            names = {known.lower(): known for known in _catalog.names(place) if self._knows(place, known)}
            near = difflib.get_close_matches(name.lower().replace(" ", ""), names, n=1, cutoff=0.75)
            if near:
                return names[near[0]] + "=" + ("" if place == section else f" in [{place}]")
        return ""

    def _outdated(self, setting: Setting, directive: _catalog.Directive, rule: str, what: str) -> None:
        section, _dot, successor = directive.successor.partition(".")
        hint = "remove it"
        if successor and self._knows(section, successor):
            hint = f"use {successor}=" + ("" if section == setting.section else f" in [{section}]")
        self.add(rule, f"systemd {self.release} {what}", hint, setting, WARNING)

    def _bad_value(self, setting: Setting, directive: _catalog.Directive, problem: Problem) -> None:
        reason, hint, fatal = problem
        if not setting.value and not directive.empty_ok:
            reason, hint = "the value is empty, which does not reset it", f"leave the line out, or {hint}"
        outcome = "refuses the unit" if fatal else "ignores the line"
        message = f"{setting.directive}={shorten(setting.value)}: {reason}; systemd {outcome}"
        self.add("bad-value", message, hint, setting)

# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint rules for what a unit needs on the host: programs, users, files, and the units that it names."""

from __future__ import annotations

import re
import typing as t

from .._graph.build import merge
from .._graph.edges import STATE_DIRECTORIES, declared, flag, triggered
from .._model import INFO, WARNING, Setting, Unit
from .._syntax.effective import effective_settings, is_set, last_setting
from .._syntax.names import template_of, unit_type
from .._syntax.words import raw_words
from .core import (
    INSTALL,
    Command,
    Context,
    Diagnostic,
    PathFact,
    Questions,
    RuleTable,
    exec_commands,
    exec_section,
    literal,
    service_type,
)
from .links import dependencies
from .values import PATH_CONDITIONS, conditions, never_here

RULES = RuleTable()


def _rooted(unit: Unit) -> bool:
    """True when the unit's processes see another file tree than the host's."""
    section = exec_section(unit)
    keys = ("RootDirectory", "RootImage", "RootMStack", "BindPaths", "BindReadOnlyPaths", "ExtensionImages")
    return is_set(unit, section, (*keys, "TemporaryFileSystem", "MountImages", "ExtensionDirectories"))


def users_of(unit: Unit) -> list[tuple[str, Setting]]:
    """User names that the host must know, with their assignments."""
    section = exec_section(unit)
    found = [last_setting(unit, section, "User")] if section else []
    if unit_type(unit.name) == "socket":
        found.append(last_setting(unit, "Socket", "SocketUser"))
    dynamic = bool(section) and flag(unit, section, "DynamicUser", False)
    return _people(found, dynamic)


def groups_of(unit: Unit) -> list[tuple[str, Setting]]:
    """Group names that the host must know, with their assignments."""
    section = exec_section(unit)
    found = [last_setting(unit, section, "Group")] if section else []
    dynamic = bool(section) and flag(unit, section, "DynamicUser", False)
    result = _people(found, dynamic)
    if unit_type(unit.name) == "socket":
        result += _people([last_setting(unit, "Socket", "SocketGroup")], False)
    if section:
        for setting in effective_settings(unit, section, "SupplementaryGroups"):
            result += [(word, setting) for word in raw_words(setting.value) if literal(word)]
    return result


def _people(found: t.Iterable[Setting | None], dynamic: bool) -> list[tuple[str, Setting]]:
    return [(setting.value, setting) for setting in found if setting and literal(setting.value) and not dynamic]


def programs_of(unit: Unit) -> list[Command]:
    """Commands whose program must be there when they run."""
    if _rooted(unit):
        return []
    return [
        found
        for found in exec_commands(unit)
        if "-" not in found.command.prefixes and "|" not in found.command.prefixes and literal(found.command.path)
    ]


def working_directory_of(unit: Unit) -> Setting | None:
    """WorkingDirectory= when it must be there before the start."""
    section = exec_section(unit)
    found = last_setting(unit, section, "WorkingDirectory") if section else None
    if found is None or not found.value.startswith("/") or not literal(found.value) or _rooted(unit):
        return None
    made = [
        f"{base}/{word.partition(':')[0]}"
        for directive, base in STATE_DIRECTORIES.items()
        for setting in effective_settings(unit, section, directive)
        for word in raw_words(setting.value)
    ]
    return None if any((found.value + "/").startswith(path + "/") for path in made) else found


def environment_files_of(unit: Unit) -> list[tuple[str, bool, Setting]]:
    """``(path or glob, may be missing, assignment)`` of each EnvironmentFile=."""
    section = exec_section(unit)
    found = []
    for setting in effective_settings(unit, section, "EnvironmentFile") if section else []:
        path = setting.value[1:] if setting.value.startswith("-") else setting.value
        if path.startswith("/") and literal(path):
            found.append((path, setting.value.startswith("-"), setting))
    return found


def credential_files_of(unit: Unit) -> list[tuple[str, Setting]]:
    """Absolute paths that LoadCredential= reads."""
    section = exec_section(unit)
    settings = effective_settings(unit, section, "LoadCredential") if section else []
    found = [(setting.value.partition(":")[2], setting) for setting in settings]
    return [(path, setting) for path, setting in found if path.startswith("/") and literal(path)]


_MACHINE_CONDITIONS = ("Architecture", "Virtualization")


def condition_paths_of(unit: Unit) -> list[str]:
    """Absolute paths that the unit's conditions look at."""
    return [
        value
        for kind, _trigger, _negated, value, _setting in conditions(unit)
        if kind in PATH_CONDITIONS and value.startswith("/") and literal(value)
    ]


def _needed_by(unit: Unit) -> Questions:
    """What the rules of this file want to know about one unit."""
    programs = [found.command.path for found in programs_of(unit)]
    directory = working_directory_of(unit)
    paths = [program for program in programs if program.startswith("/")]
    paths += [directory.value] if directory else []
    paths += condition_paths_of(unit)
    paths += [path for path, _setting in credential_files_of(unit)]
    return Questions(
        users=tuple(name for name, _setting in users_of(unit)),
        groups=tuple(name for name, _setting in groups_of(unit)),
        paths=tuple(paths),
        programs=tuple(program for program in programs if "/" not in program),
        environment_files=tuple(path for path, _optional, _setting in environment_files_of(unit)),
        machine=tuple(
            kind.lower()
            for kind, _trigger, _negated, _value, _setting in conditions(unit)
            if kind in _MACHINE_CONDITIONS
        ),
    )


def is_executable(fact: PathFact) -> bool:
    """A file that somebody may execute."""
    return fact.kind == "file" and bool(fact.mode & 0o111)


_MUST_EXIST = ("Requires", "BindsTo", "Requisite", "OnFailure", "OnSuccess")
_MAY_LACK = ("Wants", "PartOf", "Upholds", "Conflicts", "After", "Before", "PropagatesStopTo", "PropagatesReloadTo")


@RULES.rule("missing-unit-referenced", WARNING, lines_only=True)
def missing_unit_referenced(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A dependency names a unit that does not exist."""
    for directive, other, setting in dependencies(unit, *_MUST_EXIST, *_MAY_LACK):
        if not context.absent(other) or "%" in other:
            continue
        if directive in ("Requires", "BindsTo"):
            what, severity = f"{unit.name} cannot be started", ""
        elif directive == "Requisite":
            what, severity = f"{unit.name} always fails to start", ""
        elif directive in ("OnFailure", "OnSuccess"):
            what, severity = "nothing happens then", ""
        else:
            what, severity = "systemd ignores it without a message", INFO
        yield Diagnostic(
            f"{directive}={other}: neither this set nor the host has such a unit, so {what}",
            "correct the name, install what brings the unit, or declare it in the set",
            setting,
            severity,
        )


@RULES.rule("exec-not-found", WARNING)
def exec_not_found(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The program is not on the host."""
    if context.facts is None:
        return
    severity = INFO if _guarded(unit, context) else ""
    for found in programs_of(unit):
        path = found.command.path
        fact = context.facts.paths.get(path)
        absent = context.facts.programs.get(path) is False or (fact is not None and fact.kind == "missing")
        if absent:
            what = "is not on the host" if path.startswith("/") else "is in none of systemd's program folders"
        elif fact is not None and not is_executable(fact):
            what = "is not a file" if fact.kind != "file" else f"may not be executed (mode {fact.mode:04o})"
        else:
            continue
        yield Diagnostic(
            f"{path} {what}: the start fails with 203/EXEC",
            "install it before this unit, correct the path, or put '-' before a command that may be missing",
            found.setting,
            severity,
        )


def _guarded(unit: Unit, context: Context) -> bool:
    """True when a condition on a path keeps the unit from starting here, or may do so."""
    return any(
        kind in PATH_CONDITIONS and (not literal(value) or never_here(kind, negated, value, context))
        for kind, _trigger, negated, value, _setting in conditions(unit)
    )


@RULES.rule("user-missing", WARNING)
def user_missing(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """User= names a user that the host does not have."""
    for name, setting in users_of(unit):
        if context.facts is not None and context.facts.users.get(name) is False:
            yield Diagnostic(
                f"the host has no user '{name}': the start fails with 217/USER",
                "create the user first (ansible.builtin.user), or let systemd allocate one: DynamicUser=yes",
                setting,
            )


@RULES.rule("group-missing", WARNING)
def group_missing(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Group= or SupplementaryGroups= names a group that the host does not have."""
    for name, setting in groups_of(unit):
        if context.facts is not None and context.facts.groups.get(name) is False:
            yield Diagnostic(
                f"the host has no group '{name}': the start fails with 216/GROUP",
                "create the group first (ansible.builtin.group), or correct the name",
                setting,
            )


@RULES.rule("working-directory-missing", WARNING, "WorkingDirectory")
def working_directory_missing(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """WorkingDirectory= names a directory that does not exist."""
    found = working_directory_of(unit)
    if found is None or context.facts is None:
        return
    fact = context.facts.paths.get(found.value)
    if fact is not None and fact.kind != "directory":
        what = "does not exist" if fact.kind == "missing" else "is not a directory"
        yield Diagnostic(
            f"{found.value} {what}: the start fails with 200/CHDIR",
            "create it first, use StateDirectory= and a path below it, or write WorkingDirectory=-PATH to do without",
            found,
        )


@RULES.rule("environment-file-missing", WARNING, "EnvironmentFile", lines_only=True)
def environment_file_missing(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """EnvironmentFile= names a file that does not exist and is not optional."""
    for path, optional, setting in environment_files_of(unit):
        if optional or context.facts is None or path not in context.facts.environment_files:
            continue
        if not context.facts.environment_files[path]:
            hint = "one path a line, and no comment behind it; " if " " in path else ""
            yield Diagnostic(
                f"{path} does not exist: the start fails with result 'resources' before the program runs",
                f"{hint}create the file first, or write EnvironmentFile=-{path} when it may be missing",
                setting,
            )


@RULES.rule("world-readable-secret", WARNING, "EnvironmentFile", "LoadCredential", lines_only=True)
def world_readable_secret(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Every user of the host can read a file with secrets."""
    if context.facts is None:
        return
    for pattern, _optional, setting in environment_files_of(unit):
        for path, fact in context.facts.environment_files.get(pattern, []):
            if fact.secrets and fact.mode & 0o004:
                yield _world_readable(path, fact, f"{', '.join(fact.secrets)} in it", setting)
    for path, setting in credential_files_of(unit):
        known = context.facts.paths.get(path)
        if known is not None and known.kind == "file" and known.mode & 0o004:
            yield _world_readable(path, known, "the credential", setting)


def _world_readable(path: str, fact: PathFact, what: str, setting: Setting) -> Diagnostic:
    return Diagnostic(
        f"{path} has mode {fact.mode:04o}: every user of the host can read {what}",
        f"chmod 0600 {path}: systemd reads it as root before it changes the user",
        setting,
    )


def _without_partner(unit: Unit, context: Context) -> str:
    partner = triggered(unit)
    return partner if partner and "%" not in partner and context.absent(partner) else ""


@RULES.rule("timer-without-service", WARNING)
def timer_without_service(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The timer has no unit to start."""
    if unit_type(unit.name) == "timer":
        yield from _no_partner(unit, context, "Timer", "Unit", "'systemctl start' of the timer fails")


@RULES.rule("path-without-service", WARNING)
def path_without_service(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The path unit has no unit to start."""
    if unit_type(unit.name) == "path":
        yield from _no_partner(unit, context, "Path", "Unit", "'systemctl start' of the path unit fails")


@RULES.rule("socket-without-service", WARNING)
def socket_without_service(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The socket has no service for its connections."""
    # a service may claim the socket itself, with Sockets=
    claimed = [name for name in context.graph.targets("Triggers", unit.name) if context.unit(name) is not None]
    if unit_type(unit.name) == "socket" and not claimed:
        yield from _no_partner(
            unit, context, "Socket", "Service", "the socket does not start, or drops each connection"
        )


def _no_partner(unit: Unit, context: Context, section: str, directive: str, what: str) -> t.Iterator[Diagnostic]:
    partner = _without_partner(unit, context)
    if partner:
        yield Diagnostic(
            f"{unit.name} is there to start {partner}, and neither this set nor the host has that: {what}",
            f"declare {partner} in the set, or write {directive}= in [{section}] with the right name",
            last_setting(unit, section, directive),
            "" if _starts_somehow(unit, context) else INFO,
        )


def _starts_somehow(unit: Unit, context: Context) -> bool:
    if is_set(unit, "Install", INSTALL) or unit.name in context.enabled:
        return True
    return any(context.graph.sources(kind, unit.name) for kind in ("Wants", "Requires", "BindsTo", "Upholds"))


_PORT = re.compile(r"(?:.*:)?\d+(?:-\d+)?\Z")  # of SocketBindAllow=: "tcp:80" or "8000-8010", but not "ipv4" or "any"
_NO_SERVER = re.compile("~|CAP_NET_ADMIN|CAP_NET_RAW")  # all capabilities but some, or a client of DHCP


def _opens_port(unit: Unit, ports: t.Mapping[str, str]) -> tuple[str, Setting | None]:
    """How it is known that the program of a service opens a port by itself; empty when it is not."""
    if unit.name in ports:
        return f"its health check asks {ports[unit.name]}", None
    for setting in effective_settings(unit, "Service", "SocketBindAllow"):
        if _PORT.match(setting.value):
            return "the program may open that port by itself", setting
    ambient = effective_settings(unit, "Service", "AmbientCapabilities")
    text = " ".join(setting.value.upper() for setting in ambient)
    if "CAP_NET_BIND_SERVICE" in text and not _NO_SERVER.search(text):
        return "the program may open a port below 1024 by itself", ambient[-1]
    return "", None


@RULES.rule("network-service-without-socket", INFO)
def network_service_without_socket(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A service opens its port by itself, so that requests are lost while it restarts."""
    if unit_type(unit.name) != "service" or "@" in unit.name or service_type(unit) == "oneshot":
        return  # the instances of a template serve for each other
    if context.graph.sources("Triggers", unit.name) or is_set(unit, "Service", ("Sockets", "FileDescriptorStoreMax")):
        return
    known, setting = _opens_port(unit, context.facts.ports if context.facts is not None else {})
    socket = _socket_of(unit.name)
    if known and context.absent(socket):
        yield Diagnostic(
            f"{known}, and no socket unit holds it: requests that come while {unit.name} restarts are lost",
            f"if the program can take a socket from systemd, declare {socket} (roles: socket), or name another one "
            "with Sockets=; else run instances of a template behind a balancer, restarted in turn (rolling, swap)",
            setting,
        )


def _socket_of(service: str) -> str:
    return service.rpartition(".")[0] + ".socket"


@RULES.rule("drop-in-for-missing-unit", WARNING, lines_only=True)
def drop_in_for_missing_unit(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The drop-in belongs to a unit that does not exist."""
    if not unit.dropin:
        return
    host = {} if context.facts is None else context.facts.units
    asked = [name for name in (unit.name, template_of(unit.name)) if name]
    template = context.units.get(template_of(unit.name))
    if template is not None and not template.dropin:
        return
    if context.facts is not None and all(host.get(name, "") is None for name in asked):
        yield Diagnostic(
            f"neither this set nor the host has {unit.name}: systemd never reads the drop-in '{unit.dropin}'",
            "correct the unit's name, install what brings the unit first, or declare the unit itself in the set",
        )


def needed(units: t.Sequence[Unit]) -> Questions:
    """What the rules want to know of the host about these units, so that one query can ask for it all."""
    merged = merge(units)
    asked = [_needed_by(unit) for unit in merged.values()]
    names: set[str] = set()
    for unit in merged.values():
        names.add(unit.name)
        names.add(triggered(unit))
        if unit_type(unit.name) == "service" and "@" not in unit.name:
            names.add(_socket_of(unit.name))
        for edge in declared(unit, installed=True):
            names.update((edge.source, edge.target))
    names.update([template_of(name) for name in names])
    return Questions(
        users=_union(question.users for question in asked),
        groups=_union(question.groups for question in asked),
        paths=_union(question.paths for question in asked),
        programs=_union(question.programs for question in asked),
        environment_files=_union(question.environment_files for question in asked),
        units=_union([[name for name in names if name and "%" not in name and "." in name]]),
        machine=_union(question.machine for question in asked),
    )


def _union(lists: t.Iterable[t.Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({item for items in lists for item in items}))

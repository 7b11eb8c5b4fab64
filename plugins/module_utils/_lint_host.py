# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Lint rules about what a unit finds on the host: programs, people, files, secrets, capabilities, conditions."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils import _lint_core, _lint_tables, _view
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint_core import (
    Context,
    PathFact,
    Questions,
    Remark,
    literal,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import INFO, Setting, Unit

_DIRECTORIES = ("RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory")


def _rooted(unit: Unit) -> bool:
    """True when the unit's processes see another file tree than the host's."""
    section = _lint_core.exec_section(unit)
    keys = ("RootDirectory", "RootImage", "RootMStack", "BindPaths", "BindReadOnlyPaths", "ExtensionImages")
    return _view.has(unit, section, (*keys, "TemporaryFileSystem", "MountImages", "ExtensionDirectories"))


def users_of(unit: Unit) -> list[tuple[str, Setting]]:
    """User names that the host must know, with their assignments."""
    section = _lint_core.exec_section(unit)
    found = [_view.last(unit, section, "User")] if section else []
    if _view.kind(unit.name) == "socket":
        found.append(_view.last(unit, "Socket", "SocketUser"))
    dynamic = bool(section) and _view.truth(unit, section, "DynamicUser", False)
    return _people(found, dynamic)


def groups_of(unit: Unit) -> list[tuple[str, Setting]]:
    """Group names that the host must know, with their assignments."""
    section = _lint_core.exec_section(unit)
    found = [_view.last(unit, section, "Group")] if section else []
    dynamic = bool(section) and _view.truth(unit, section, "DynamicUser", False)
    result = _people(found, dynamic)
    if _view.kind(unit.name) == "socket":
        result += _people([_view.last(unit, "Socket", "SocketGroup")], False)
    if section:
        for setting in _view.every(unit, section, "SupplementaryGroups"):
            result += [(word, setting) for word in setting.value.split() if literal(word)]
    return result


def _people(found: t.Iterable[Setting | None], dynamic: bool) -> list[tuple[str, Setting]]:
    return [(setting.value, setting) for setting in found if setting and literal(setting.value) and not dynamic]


def programs_of(unit: Unit) -> list[_lint_core.Command]:
    """Commands whose program must be there when they run."""
    if _rooted(unit):
        return []
    return [
        found
        for found in _lint_core.commands(unit)
        if "-" not in found.command.prefixes and "|" not in found.command.prefixes and literal(found.command.path)
    ]


def working_directory_of(unit: Unit) -> Setting | None:
    """WorkingDirectory= when it must be there before the start."""
    section = _lint_core.exec_section(unit)
    found = _view.last(unit, section, "WorkingDirectory") if section else None
    if found is None or not found.value.startswith("/") or not literal(found.value) or _rooted(unit):
        return None
    made = [
        f"{base}/{word.partition(':')[0]}"
        for directive, base in zip(_DIRECTORIES, ("/run", "/var/lib", "/var/cache", "/var/log", "/etc"))
        for setting in _view.every(unit, section, directive)
        for word in setting.value.split()
    ]
    return None if any((found.value + "/").startswith(path + "/") for path in made) else found


def environment_files_of(unit: Unit) -> list[tuple[str, bool, Setting]]:
    """``(path or glob, may be missing, assignment)`` of each EnvironmentFile=."""
    section = _lint_core.exec_section(unit)
    found = []
    for setting in _view.every(unit, section, "EnvironmentFile") if section else []:
        path = setting.value[1:] if setting.value.startswith("-") else setting.value
        if path.startswith("/") and literal(path):
            found.append((path, setting.value.startswith("-"), setting))
    return found


def credential_files_of(unit: Unit) -> list[tuple[str, Setting]]:
    """Absolute paths that LoadCredential= reads."""
    section = _lint_core.exec_section(unit)
    settings = _view.every(unit, section, "LoadCredential") if section else []
    found = [(setting.value.partition(":")[2], setting) for setting in settings]
    return [(path, setting) for path, setting in found if path.startswith("/") and literal(path)]


def _conditions(unit: Unit) -> t.Iterator[tuple[str, bool, bool, str, Setting]]:
    """``(kind, trigger, negated, value, assignment)`` of each Condition*= and Assert*= that counts."""
    for setting in unit.settings:
        match = re.fullmatch(r"(?:Condition|Assert)(\w+)", setting.directive)
        if match is None or setting.section != "Unit" or not setting.value:
            continue
        text = setting.value
        trigger = text.startswith("|")
        text = text[1:].lstrip() if trigger else text
        negated = text.startswith("!")
        text = text[1:].lstrip() if negated else text
        yield match.group(1), trigger, negated, _view.expand(text, unit.name), setting


_MACHINE_CONDITIONS = ("Architecture", "Virtualization")
_PATH_CONDITIONS = ("PathExists", "PathIsDirectory", "FileNotEmpty", "FileIsExecutable", "DirectoryNotEmpty")


def condition_paths_of(unit: Unit) -> list[str]:
    """Absolute paths that the unit's conditions look at."""
    return [
        value
        for kind, _trigger, _negated, value, _setting in _conditions(unit)
        if kind in _PATH_CONDITIONS and value.startswith("/") and literal(value)
    ]


def needed(unit: Unit) -> Questions:
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
            kind.lower() for kind, _trigger, _negated, _value, _setting in _conditions(unit) if kind in _MACHINE_CONDITIONS
        ),
    )


def _missing(context: Context, path: str) -> bool:
    fact = context.facts.paths.get(path) if context.facts is not None else None
    return fact is not None and fact.kind == "missing"


def exec_not_found(unit: Unit, context: Context) -> t.Iterator[Remark]:
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
        elif fact is not None and not fact.executable:
            what = "is no file" if fact.kind != "file" else f"may not be executed (mode {fact.mode:04o})"
        else:
            continue
        yield Remark(
            f"{path} {what}: the start fails with 203/EXEC",
            "install it before this unit, correct the path, or put '-' before a command that may be missing",
            found.setting,
            severity,
        )


def _guarded(unit: Unit, context: Context) -> bool:
    """True when a condition on a path keeps the unit from starting here, or may do so."""
    return any(
        kind in _PATH_CONDITIONS and (not literal(value) or _never_here(kind, negated, value, context))
        for kind, _trigger, negated, value, _setting in _conditions(unit)
    )


def user_missing(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """User= names nobody the host knows."""
    for name, setting in users_of(unit):
        if context.facts is not None and context.facts.users.get(name) is False:
            yield Remark(
                f"the host has no user '{name}': the start fails with 217/USER",
                "create the user first (ansible.builtin.user), or let systemd make one up: DynamicUser=yes",
                setting,
            )


def group_missing(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """Group= or SupplementaryGroups= name a group the host does not know."""
    for name, setting in groups_of(unit):
        if context.facts is not None and context.facts.groups.get(name) is False:
            yield Remark(
                f"the host has no group '{name}': the start fails with 216/GROUP",
                "create the group first (ansible.builtin.group), or correct the name",
                setting,
            )


def working_directory_missing(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """WorkingDirectory= is not there."""
    found = working_directory_of(unit)
    if found is None or context.facts is None:
        return
    fact = context.facts.paths.get(found.value)
    if fact is not None and fact.kind != "directory":
        what = "does not exist" if fact.kind == "missing" else "is no directory"
        yield Remark(
            f"{found.value} {what}: the start fails with 200/CHDIR",
            "create it first, use StateDirectory= and a path below it, or write WorkingDirectory=-PATH to do without",
            found,
        )


def environment_file_missing(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """EnvironmentFile= is not there and not optional."""
    for path, optional, setting in environment_files_of(unit):
        if optional or context.facts is None or path not in context.facts.environment_files:
            continue
        if not context.facts.environment_files[path]:
            hint = "one path a line, and no comment behind it; " if " " in path else ""
            yield Remark(
                f"{path} does not exist: the start fails with result 'resources' before the program runs",
                f"{hint}create the file first, or write EnvironmentFile=-{path} when it may be missing",
                setting,
            )


def world_readable_secret(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """A file with secrets that everybody on the host can read."""
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


def _world_readable(path: str, fact: PathFact, what: str, setting: Setting) -> Remark:
    return Remark(
        f"{path} has mode {fact.mode:04o}: every user of the host can read {what}",
        f"chmod 0600 {path}: systemd reads it as root before it changes the user",
        setting,
    )


SECRET_NAME = re.compile(r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY"
                         r"|SECRET_?KEY|CREDENTIALS?)(?:_\d+)?$", re.IGNORECASE)  # fmt: skip
_NO_SECRET = re.compile(r"|/.*|%.*|\$.*|(?:true|false|yes|no|none|null|\d{1,3})", re.IGNORECASE)
_URL_SECRET = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@", re.IGNORECASE)


def looks_secret(name: str, value: str) -> bool:
    """True when a variable's name and value look like a secret written out."""
    if name.upper() in ("PWD", "OLDPWD"):
        return False
    return bool(SECRET_NAME.search(name) and not _NO_SECRET.fullmatch(value)) or bool(_URL_SECRET.match(value))


def secret_in_environment(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """A secret in the unit file itself."""
    section = _lint_core.exec_section(unit)
    for setting in _view.every(unit, section, "Environment") if section else []:
        for name, value in _lint_core.assignments(setting.value):
            if looks_secret(name, value):
                yield Remark(
                    f"{name} is a secret in the unit file: every user of the host can read it with 'systemctl show "
                    f"{unit.name}' and every child process inherits it",
                    "use LoadCredential= (the program reads $CREDENTIALS_DIRECTORY/...), or an EnvironmentFile= with "
                    "mode 0600",
                    setting._replace(value=setting.value.replace(value, "********") if value else setting.value),
                )
                break


def _capability_words(unit: Unit) -> t.Iterator[tuple[Setting, list[str], list[str]]]:
    section = _lint_core.exec_section(unit)
    for directive in ("CapabilityBoundingSet", "AmbientCapabilities"):
        for setting in _view.every(unit, section, directive) if section else []:
            words = setting.value.lstrip("~").split()
            unknown = [word for word in words if not _is_capability(word)]
            yield setting, words, unknown


def _is_capability(word: str) -> bool:
    return word.upper() in _lint_tables.CAPABILITIES or (word.isdigit() and int(word) < 64) or "%" in word


def unknown_capability(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """systemd drops capability names it does not know without a word."""
    for setting, words, unknown in _capability_words(unit):
        if not unknown or (unknown == words and not setting.value.startswith("~")):
            continue  # when nothing is left, empties-capability-set says more
        yield Remark(
            f"{setting.directive}= names no capability with '{unknown[0]}', and systemd drops it without a word",
            _lint_tables.nearest_capability(unknown[0]),
            setting,
        )


def empties_capability_set(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """A typo that leaves the program without any capability."""
    for setting, words, unknown in _capability_words(unit):
        if words and unknown == words and not setting.value.startswith("~"):
            yield Remark(
                f"none of the names in {setting.directive}={setting.value} is a capability: systemd drops them without "
                "a word, and the program has no capability at all",
                _lint_tables.nearest_capability(unknown[0]) + f"; an intended empty set is written {setting.directive}=",
                setting,
            )


def bad_condition_value(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """systemd does not look at a condition's value until it tests it, and then it counts as not met."""
    for kind, _trigger, negated, value, setting in _conditions(unit):
        problem = _condition_problem(kind, value)
        if problem:
            always = negated and kind in ("Virtualization", "Security")
            skipped = setting.directive.startswith("Condition") and not always
            yield Remark(
                f"{problem}; systemd says nothing when it loads the unit, and the condition is "
                f"{'always' if always else 'never'} met{', so that the unit is skipped without an error' if skipped else ''}",
                _lint_tables.condition_hint(kind, value),
                setting,
            )


def _condition_problem(kind: str, value: str) -> str:
    if not literal(value):
        return ""
    known = _lint_tables.CONDITION_VALUES.get(kind)
    if known is not None and value not in known and not (kind == "Virtualization" and _lint_tables.is_boolean(value)):
        return f"'{value}' is nothing that Condition{kind}= knows"
    if kind in ("ACPower", "FirstBoot") and not _lint_tables.is_boolean(value):
        return f"Condition{kind}= wants yes or no, not '{value}'"
    if kind in ("CPUs", "Memory") and not _lint_tables.is_comparison(kind, value):
        return f"'{value}' is no comparison that Condition{kind}= can read"
    if kind == "Capability" and not _is_capability(value):
        return f"'{value}' is no capability"
    return ""


def condition_never_true_here(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """Conditions that exclude each other, or that this host does not meet."""
    demands: dict[tuple[str, str], bool] = {}
    for kind, trigger, negated, value, setting in _conditions(unit):
        if trigger:
            continue
        if demands.setdefault((kind, value), negated) != negated:
            yield Remark(
                f"{setting.directive}= is asked for both ways with '{value}': the unit can never start, and no error "
                "says so",
                "remove one of the two, or put | before both when one of them is enough",
                setting,
            )
            continue
        if _never_here(kind, negated, value, context):
            yield Remark(
                f"{setting.directive}={'!' if negated else ''}{value} does not hold on this host now: a start is skipped "
                "and counts as success",
                "check the value; use Assert* instead of Condition* when the start shall fail then",
                setting,
                INFO,
            )


def _never_here(kind: str, negated: bool, value: str, context: Context) -> bool:
    facts = context.facts
    if facts is None:
        return False
    if kind in _PATH_CONDITIONS:
        fact = facts.paths.get(value)
        return fact is not None and (fact.kind == "missing") != negated
    if kind == "Architecture" and facts.architecture and value != "native":
        return (value != facts.architecture) != negated
    if kind == "Virtualization" and facts.virtualization:
        return (not _lint_tables.virtualization_matches(value, facts.virtualization)) != negated
    return False

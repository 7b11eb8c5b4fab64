#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write plugins/module_utils/_catalog.py from the tables in this folder.

    python tests/catalog/generate.py            write the file
    python tests/catalog/generate.py --check    exit 1 when the file is not what the tables give

directives.txt says what exists, joins.txt how assignments add up, successors.txt what to write instead,
effects.txt what a change needs. Change those, never the generated file.
"""

from __future__ import annotations

import fnmatch
import pathlib
import re
import string
import sys
import textwrap
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parent.parent / "plugins" / "module_utils" / "_catalog.py"
FIRST_RELEASE = 247  # the oldest release whose parsers are told apart
LAST_RELEASE = 262
CODES = string.digits + string.ascii_lowercase
KEPT_LTYPES = ("1", "SOCKET_SOCKET", "SOCKET_FIFO", "SOCKET_SPECIAL", "SOCKET_MQUEUE", "SOCKET_USB")
EFFECTS = {"daemon-reload": "d", "reload": "l", "restart": "s", "reenable": "e", "none": "n"}
JOINS = {"single": "s", "lines": "l", "words": "w", "deps": "d", "colons": "c", "exec": "e"}
# Parsers that refuse an empty value. Measured on 247 to 262; where a release or the kind of unit
# makes a difference, the newest release and the most usual kind count. The test of the value cases holds this.
_REFUSE_EMPTY = """
    bool bus_name collect_mode device_policy emergency_action exec_cpu_sched_prio exec_input
    exec_keyring_mode exec_memory_thp exec_output exec_preserve_mode exec_utmp_mode iec_size iec_size_long int
    job_mode job_mode_isolate job_running_timeout_sec job_timeout_sec log_facility log_level long
    managed_oom_preference mode notify_access nsec oom_policy pressure_watch private_bpf private_pids private_tmp
    private_users proc_subset protect_control_groups protect_home protect_proc protect_system rlimit
    runtime_preserve_mode sec sec_fix_0
    service_exit_type service_restart service_restart_mode service_timeout service_timeout_failure_mode service_type
    signal socket_bind socket_defer_trigger socket_protocol socket_service socket_timestamping trigger_unit
    unit_slice unsigned
"""
REFUSE_EMPTY = frozenset(_REFUSE_EMPTY.split())


class Row(t.NamedTuple):
    """One line of directives.txt."""

    name: str
    sections: list[str]
    since: int
    until: int
    history: list[tuple[int, str]]  # (first release, parser), oldest first
    ltype: str


def data_lines(name: str) -> t.Iterator[str]:
    for line in (HERE / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line


def read_directives() -> t.Iterator[Row]:
    pattern = re.compile(r"(\S+) in ([^:]+): (.*?)(?:, gone after (\d+))?(?: \((\S+)\))?$")
    for line in data_lines("directives.txt"):
        match = pattern.match(line)
        if match is None:
            raise SystemExit(f"directives.txt: cannot read {line!r}")
        steps = [step.split(" from ") for step in match.group(3).split(", ")]
        history = [(int(release), parser) for parser, release in steps]
        until = int(match.group(4) or LAST_RELEASE)
        yield Row(match.group(1), match.group(2).split(), history[0][0], until, history, match.group(5) or "0")


def effect_of(section: str, name: str, rules: list[tuple[list[str], list[str], str]]) -> str:
    for sections, patterns, effect in rules:
        if ("*" in sections or section in sections) and any(fnmatch.fnmatchcase(name, p) for p in patterns):
            return effect
    raise SystemExit(f"effects.txt: no line fits {section} {name}")


def visible_history(row: Row) -> list[tuple[int, str]]:
    """The parsers of FIRST_RELEASE and later; for a name gone before that, its last one."""
    floor = min(FIRST_RELEASE, row.until)
    older = [step for step in row.history if step[0] <= floor]
    newer = [step for step in row.history if step[0] > floor]
    return ([(row.since, older[-1][1])] if older else []) + newer


def table_rows(coded: t.Callable[[str], str], places: list[str]) -> list[str]:
    """For each history of parsers a line: the parsers, then keys of places, each with the names that have it."""
    rules = [
        (fields[0].split(","), fields[1].split(","), fields[2]) for fields in map(str.split, data_lines("effects.txt"))
    ]
    rows = list(read_directives())
    conditions = {(row.name.replace("Assert", "Condition"), str(row[1:])) for row in rows if row.name[:6] == "Assert"}
    asserts = {(row.name, str(row[1:])) for row in rows if row.name[:9] == "Condition"}

    def paired(row: Row) -> bool:
        """Condition and Assert of one thing share a row when nothing else differs."""
        key = (row.name.replace("Assert", "Condition"), str(row[1:]))
        return key in conditions and key in asserts

    lines: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        name = row.name
        if paired(row):
            if name.startswith("Assert"):
                continue
            name = "?" + name[len("Condition") :]
        by_effect: dict[str, list[str]] = {}
        for section in row.sections:
            by_effect.setdefault(effect_of(section, row.name, rules), []).append(section)
        (_since, first), *later = visible_history(row)
        history = coded(first) + "".join(f":{release - 200}{coded(parser)}" for release, parser in later)
        for effect, sections in by_effect.items():
            place = " ".join(sections)
            if place not in places:
                places.append(place)
            key = CODES[places.index(place)] + EFFECTS[effect] + ("" if row.since == 219 else str(row.since - 200))
            key += "" if row.until == LAST_RELEASE else f"-{row.until - 200}"
            key += f",{row.ltype}" if row.ltype.startswith(KEPT_LTYPES) else ""
            lines.setdefault(history, {}).setdefault(key, []).append(name)
    return [
        " ".join([history, *(" ".join([key, *names]) for key, names in keys.items())])
        for history, keys in sorted(lines.items())
    ]


def wrapped(words: t.Iterable[str]) -> str:
    return "\n".join(textwrap.wrap(" ".join(words), 120, break_long_words=False, break_on_hyphens=False))


def generate() -> str:
    joins = {parser: kind for kind, *names in map(str.split, data_lines("joins.txt")) for parser in names}
    places: list[str] = []
    used = set()

    def coded(parser: str) -> str:
        used.add(parser)
        return JOINS[joins.get(parser, "single")] + ("-" if parser in REFUSE_EMPTY else "+") + parser

    rows = table_rows(coded, places)
    unknown = (set(joins) | REFUSE_EMPTY) - used
    if unknown:
        raise SystemExit(f"no directive uses these parsers: {sorted(unknown)}")
    successors = []
    for line in data_lines("successors.txt"):
        status, section, name, _equals, new_section, new_name = line.split()
        successors.append(f"{status[:3]},{section}.{name},{new_section}.{new_name}")
    text = (HERE / "catalog.py.in").read_text()
    values = {
        "FIRST": str(FIRST_RELEASE),
        "LAST": str(LAST_RELEASE),
        "PLACES": "\n".join(places),
        "SUCCESSORS": wrapped(successors),
        "ROWS": "\n".join(wrapped(row.split()) for row in rows),
    }
    return re.sub(r"@([A-Z]+)@", lambda match: values[match.group(1)], text)


def main() -> int:
    text = generate()
    if "--check" in sys.argv[1:]:
        return int(TARGET.read_text() != text)
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

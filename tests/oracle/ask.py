#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put new value cases to the real systemd of the four images, and compare its verdicts with ours.

Run it inside the sandbox:
    tests/lab/sandbox.py run python tests/oracle/ask.py --count 2000 --seed 1
    ... --save FILE     keep the asked cases in the form of recorded.txt
    ... --again FILE    ask these cases once more (for example recorded.txt) in place of new ones
    ... --units         the whole units of cases/values/validate: systemd has to refuse what we refuse, and no more
    ... --shipped       judge the unit files that the images ship: an error of ours that systemd does not have fails

New cases are recorded values, changed at random or given to other directives of the same and of other parsers.
"""

from __future__ import annotations

import argparse
import collections
import io
import pathlib
import random
import re
import string
import sys
import tarfile
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible" / "collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import WHITESPACE
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import validate as _validate
from lab import containers
from oracle import agreement

BATCH = 400
WHOLE = ("refused-unit", "missing-directive")
UNIT_CASES = ROOT / "tests" / "unit" / "cases" / "values" / "validate"
# systemd's second thoughts about values that it takes all the same.
_TAKEN = re.compile(
    r"please use|is obsolete|not safe|legacy directory|no longer supported|KillMode=none|is deprecated"
    r"|does not match strict|local system does not support"
)
# A value that only the loading of the whole unit trips over. (One that "has a bad unit file setting" may lack another.)
_REFUSED = re.compile(r"^<\d+>(?:Unit )?(\S+?)(?: failed to load properly|: MaxConnection)")
_UNKNOWN = re.compile(r"Unknown key|Unknown lvalue|Unknown section")


class Host(t.NamedTuple):
    """One container with a real systemd."""

    release: int
    name: str


def start() -> list[Host]:
    return [Host(release, containers.start(str(release), f"ask{release}")) for release in agreement.RELEASES]


def run(host: Host, command: list[str], data: bytes | None = None) -> tuple[int, str]:
    done = containers.podman("exec", "-i", containers.full_name(host.name), *command, data=data or b"", check=False)
    text = done.stdout + done.stderr
    return done.returncode, text.decode(errors="replace") if isinstance(text, bytes) else text


def put(host: Host, files: dict[str, str]) -> None:
    """Write the files below /cases, which is emptied first."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            data = text.encode("utf-8", "surrogateescape")
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    run(host, ["sh", "-c", "rm -rf /cases && mkdir /cases"])
    code, text = run(host, ["tar", "-x", "-C", "/cases"], packed.getvalue())
    if code:
        raise SystemExit(f"cannot write the cases: {text}")


def verify(host: Host, names: list[str], alone: bool = True) -> list[str]:
    """The lines of one systemd-analyze call; when it dies (247 has an assertion), of calls with fewer units.

    :param alone: without the units that these name, which then are not even looked at as names.
    """
    command = [
        "env",
        "SYSTEMD_LOG_TARGET=console-prefixed",
        "SYSTEMD_LOG_LEVEL=info",
        "SYSTEMD_COLORS=0",
        "LC_ALL=C.UTF-8",
    ]
    command += ["systemd-analyze", "verify", "--man=no"]
    if host.release >= 250 and alone:
        command.append("--recursive-errors=no")
    code, text = run(host, command + [f"/cases/{name}" for name in names])
    if code >= 128 and len(names) > 1:
        half = len(names) // 2
        return verify(host, names[:half], alone) + verify(host, names[half:], alone)
    return re.sub("\x1b\\[[0-9;]*m", "", text).splitlines()


def ask(host: Host, cases: list[agreement.Case]) -> list[str]:
    """The verdict of systemd for each case, as a letter."""
    files, places = {}, {}
    for number, case in enumerate(cases):
        name, text, line = agreement.unit_of(case, f"c{number:05}")
        files[name] = text
        places[f"/cases/{name}"] = (number, line)
    put(host, files)
    verdicts = ["."] * len(cases)
    names = list(files)
    suspects: set[str] = set()
    for first in range(0, len(names), BATCH):
        chosen = names[first : first + BATCH]
        dependent = [name for name in chosen if _names_units(cases[places[f"/cases/{name}"][0]])]
        for output in verify(host, chosen) + (verify(host, dependent, alone=False) if dependent else []):
            refused = _REFUSED.match(output)
            if refused and f"/cases/{refused.group(1)}" in places:
                suspects.add(refused.group(1))
                continue
            match = re.match(r"^<(\d+)>(/cases/[^:]+):(\d+): (.*)$", output)
            if not match or match.group(2) not in places:
                continue
            number, line = places[match.group(2)]
            # 247 names the last line of a continued one.
            if int(match.group(3)) in (line, line + cases[number].value.count("\\\n")):
                verdicts[number] = _verdict(verdicts[number], int(match.group(1)) % 8, match.group(4))
    for name in sorted(suspects):
        # Alone: in a batch another unit may have taken the same name on the bus.
        if any(_REFUSED.match(output) for output in verify(host, [name])):
            number, _line = places[f"/cases/{name}"]
            verdicts[number] = verdicts[number].replace(".", "x")
    return verdicts


def _verdict(before: str, priority: int, message: str) -> str:
    """The letter of a line after one more message about it."""
    letter = "r" if "has been removed" in message else before
    if priority > 4:
        return letter
    if _UNKNOWN.search(message):
        return "u"
    return letter if _TAKEN.search(message) or letter == "u" else "x"


def ask_all(hosts: list[Host], cases: list[agreement.Case]) -> list[agreement.Case]:
    """The cases with the verdicts of all hosts."""
    verdicts = {host.release: ask(host, cases) for host in hosts}
    return [
        case._replace(verdicts={release: verdicts[release][number] for release in verdicts})
        for number, case in enumerate(cases)
    ]


def _names_units(case: agreement.Case) -> bool:
    directive = _catalog.get(case.section, case.directive)
    parsers = ("unit_deps", "obsolete_unit_deps", "service_sockets", "trigger_unit")
    return directive is not None and directive.parser in parsers


# ------------------------------------------------------------------------------------------------------------ new cases

_SPICE = [
    *string.punctuation,
    *" 0159azAZ",
    "\t",
    "\u00e9",
    "\u03bc",
    "%i",
    "%%",
    "%Q",
    "\\x41",
    "..",
    "//",
    "/.",
    "K",
    "s",
    "infinity",
]


def mutate(value: str, chance: random.Random, others: list[str]) -> str:
    """The value with one or two changes of the kind that people and machines make."""
    for _step in range(chance.choice((1, 1, 1, 2, 3))):
        place = chance.randint(0, len(value))
        kind = chance.randrange(9)
        if kind == 0:
            value = value[:place] + chance.choice(_SPICE) + value[place:]
        elif kind == 1 and value:
            value = value[:place] + value[place + 1 :]
        elif kind == 2:
            value = value[:place] + chance.choice(_SPICE) + value[place + 1 :]
        elif kind == 3:
            value = value + chance.choice((" ", ",", ":", "", "+", "-")) + chance.choice(others)
        elif kind == 4:
            value = chance.choice((value.upper(), value.lower(), value.title(), value[::-1]))
        elif kind == 5:
            value = chance.choice("~-+!|@:%\"'") + value
        elif kind == 6:
            value = re.sub(
                r"\d+", lambda match: str(chance.choice((0, 1, 7, 99, 255, 256, 65535, 65536, 2**31, 2**64))), value
            )
        elif kind == 7:
            value = chance.choice(others)
        else:
            value = value * 2
    return value.strip(WHITESPACE)[:3000]


def new_cases(count: int, seed: int) -> list[agreement.Case]:
    """Cases that are not recorded, as many for a rare parser as for a common one."""
    chance = random.Random(seed)
    recorded = [case for case in agreement.read(agreement.RECORDED) if case.section != "Install"]
    values: dict[str, list[str]] = collections.defaultdict(list)
    places: dict[str, set[tuple[str, str]]] = collections.defaultdict(set)
    seen = set()
    for case in recorded:
        directive = _catalog.get(case.section, case.directive, 257) or _catalog.get(case.section, case.directive)
        if directive is not None and len(case.value) < 600:
            values[directive.parser].append(case.value)
            places[directive.parser].add((case.section, case.directive))
        seen.add((case.section, case.directive, case.value))
    every = [value for several in values.values() for value in several]
    parsers = sorted(values)
    cases = []
    for turn in range(20 * count):
        if len(cases) == count:
            break
        parser = parsers[turn % len(parsers)]
        section, name = chance.choice(sorted(places[parser]))
        value = mutate(chance.choice(values[parser]), chance, values[parser] if chance.random() < 0.85 else every)
        hostile = "\n" in value or "\0" in value or "\r" in value or value.endswith("\\")
        if hostile or (section, name, value) in seen or name == "Personality" or (section, name) == ("Swap", "What"):
            continue
        seen.add((section, name, value))
        cases.append(agreement.Case(section, name, value, parser, {}))
    return cases


# --------------------------------------------------------------------------------------------------- what images ship

_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")


def shipped(host: Host) -> list[str]:
    """Errors of ours about files that the image ships and about which its own systemd says nothing."""
    folders, kinds = " ".join(_FOLDERS), "|".join(_catalog.UNIT_SECTIONS)
    found = f"for d in {folders}; do [ -L $d ] || find -L $d -type f 2>/dev/null; done"
    script = f"{found} | grep -E '\\.({kinds}|conf)$' | sort -u"
    paths = run(host, ["sh", "-c", script])[1].split("\n")
    archive = run_bytes(host, ["tar", "-c", "-P", "-h", *[path for path in paths if path]])
    problems, total = [], 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for entry in packed:
            source = packed.extractfile(entry)
            data = source.read() if source else b""
            path = pathlib.PurePosixPath(entry.name)
            dropin = path.stem if path.suffix == ".conf" else ""
            name = path.parent.name[:-2] if dropin else path.name
            if not data or "." not in name:
                continue
            total += 1
            known = _validate.validate(read_unit(name, data, str(path), dropin), host.release).findings
            errors = [one for one in known if one.severity == "error"]
            said = theirs(host, str(path), name, data.decode(), bool(dropin)) if errors else set()
            problems += [
                f"{host.release} {path}:{one.line}: {one.rule} {one.message}" for one in errors if one.line not in said
            ]
    print(f"{host.release}: {total} files shipped, {len(problems)} with an error that only we have")
    return problems


def whole_units(host: Host) -> list[str]:
    """Units that only one of us refuses, or with an error of ours about a line that systemd takes without a word."""
    problems = []
    cases = [
        case for file in sorted(UNIT_CASES.glob("*.yml")) for case in yaml.safe_load(file.read_text()) if "unit" in case
    ]
    special = {"known", "scope", "dropin"}
    cases = [case for case in cases if case["release"] == host.release and not special & set(case)]
    for case in cases:
        findings = _validate.validate(read_unit(case["unit"], case["text"]), host.release).findings
        errors = [one for one in findings if one.severity == "error"]
        # systemd names the line of a section's header, we that of its first setting.
        lines = {0 if one.rule in WHOLE else one.line for one in errors if one.rule != "unknown-section"}
        said = theirs(host, "", case["unit"], case["text"], False)
        # It reads no further than the line that refuses the unit.
        if (0 not in lines) if 0 in said else not lines <= said:
            problems.append(
                f"{host.release} {case['name']}: our errors are about lines {sorted(lines)}, systemd's {sorted(said)}"
            )
    print(f"{host.release}: {len(cases)} whole units, {len(problems)} judged otherwise")
    return problems


def run_bytes(host: Host, command: list[str]) -> bytes:
    done = containers.podman("exec", "-i", containers.full_name(host.name), *command, data=b"", check=False)
    return done.stdout if isinstance(done.stdout, bytes) else done.stdout.encode()


def theirs(host: Host, path: str, name: str, text: str, dropin: bool) -> set[int]:
    """The lines of a file of which its systemd complains; 0 when it refuses the unit as a whole."""
    target = f"{name}.d/case.conf" if dropin else name
    put(host, {target: text, **({name: "[Unit]\n"} if dropin else {})})
    lines = set()
    for output in verify(host, [name]):
        match = re.match(r"^<(\d+)>(/cases/[^:]+):(\d+): ", output)
        if match and match.group(2) == f"/cases/{target}" and int(match.group(1)) % 8 <= 4:
            lines.add(int(match.group(3)))
        elif (
            _REFUSED.match(output) or "Refusing" in output or "bad unit file setting" in output or "Assertion" in output
        ):
            # the last one is 247, which dies of some units
            lines.add(0)
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", type=pathlib.Path, help="cases to ask once more")
    parser.add_argument("--save", type=pathlib.Path, help="write the asked cases here")
    parser.add_argument("--shipped", action="store_true", help="judge the unit files of the images instead")
    parser.add_argument("--units", action="store_true", help="judge the whole units of the unit tests instead")
    options = parser.parse_args()
    hosts = start()
    if options.shipped or options.units:
        problems = [problem for host in hosts for problem in (shipped(host) if options.shipped else whole_units(host))]
        print("\n".join(problems))
        return int(bool(problems))
    cases = list(agreement.read(options.again)) if options.again else new_cases(options.count, options.seed)
    asked = ask_all(hosts, cases)
    if options.save:
        agreement.write(options.save, asked, "Asked by ask.py.")
    scores = agreement.compare(asked)
    print("\n".join([*agreement.table_of_parsers(scores), *agreement.table(scores)]))
    known = agreement.known_disagreements()
    by_case: dict[str, list[str]] = {}
    for wrong in (wrong for score in scores.values() for wrong in score.wrong if wrong.key not in known):
        case = wrong.case
        text = f"{wrong.parser} [{case.section}] {case.directive}={agreement.shrink(case.value)[:140]}"
        by_case.setdefault(text, []).append(f"{wrong.release}: systemd {wrong.wanted} ours {wrong.got}")
    for text in sorted(by_case):
        print(text, "; ".join(by_case[text]))
    print(f"{len(by_case)} disagreements beside those that known_disagreements.txt explains")
    return int(bool(by_case))


if __name__ == "__main__":
    sys.exit(main())

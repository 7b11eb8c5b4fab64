#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the text layer against real systemd in containers (run it through tests/lab/sandbox.py run).

    text_layer.py [--lists 2000] [--seed 1] [--releases 252 262] [--roundtrip 247 252 257 262]

Argument lists, environments and credentials of random bytes are rendered, systemd starts a program with them, and the
program copies what it got. Every unit file that the images ship is read and written. Prints one line of figures each;
the exit status is 1 when anything differs.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tarfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible" / "collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax import render as _render
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.diff import changed_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import parse
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.mapping import mapping_from_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import UNIT_TYPES
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import NOT_UTF8, to_bytes
from lab import containers

DUMP = "/run/dump"
# argv: KIND ID ARGUMENT...; what the kernel holds for this process goes to a file
PROGRAM = b"#!/bin/sh\ncat /proc/$$/$1 > %s/$2\n" % DUMP.encode()
COMMANDS_PER_UNIT = 50
CREDENTIALS_FROM = 262  # older releases leave every credentials folder empty in these containers
UNITS_PER_CALL = 100
UNIT_FOLDERS = [f"{base}/systemd/{scope}" for base in ("/lib", "/usr/lib", "/etc") for scope in ("system", "user")]
SPECIAL = [b"%", b"$", b"\\", b'"', b"'", b" ", b"\t", b"\n", b"\r", b";", b"#", b"=", b"~"]
SPECIAL += [b"%n", b"$HOME", b"${HOME}", b"\\x41"]


def random_argument(source: random.Random) -> bytes:
    """Up to 60 bytes, now and then 20,000: plain, special, or any byte but NUL."""
    size = source.choice([0, 1, 2, 5, 20, 60] if source.random() > 0.005 else [20_000])
    kind = source.random()
    if kind < 0.3:
        return b"".join(source.choice(SPECIAL) for _unused in range(size))
    if kind < 0.6:
        return bytes(source.randrange(1, 256) for _unused in range(size))
    return b"".join(
        source.choice(SPECIAL) if source.random() < 0.3 else bytes([source.randrange(1, 256)])
        for _unused in range(size)
    )


def random_text(source: random.Random) -> str:
    """A value that an environment variable may have for systemd: any UTF-8 without NUL and noncharacters."""
    pieces = []
    for _unused in range(source.choice([0, 1, 2, 5, 20, 60])):
        kind = source.random()
        if kind < 0.4:
            pieces.append(source.choice(SPECIAL).decode())
        elif kind < 0.8:
            pieces.append(chr(source.randrange(1, 0x180)))
        else:
            pieces.append(chr(source.choice([0x2028, 0x85, 0xFEFF, 0x1F600, source.randrange(0x10000, 0x1FFF0)])))
    text = "".join(pieces)
    return NOT_UTF8.sub("", text)


def tar(files: dict[str, bytes]) -> bytes:
    """A tar archive of files, all executable."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def untar(data: bytes) -> dict[str, bytes]:
    """The regular files of an archive."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                found[member.name.removeprefix("./")] = stream.read()
    return found


def unit_text(name: str, service: dict[str, t.Any]) -> bytes:
    """The bytes of a oneshot service."""
    sections = {"Unit": {"DefaultDependencies": False}, "Service": {"Type": "oneshot", **service}}
    return to_bytes(_render.render(_render.settings_from_mapping(name, sections)))


def run_units(container: str, units: dict[str, bytes]) -> dict[str, bytes]:
    """Let systemd start these services; what their programs left."""
    containers.run(container, ["rm", "-rf", DUMP])
    containers.run(container, ["mkdir", DUMP])
    containers.run(container, ["install", "-m", "0755", "/dev/stdin", f"{DUMP}-program"], data=PROGRAM)
    containers.run(container, ["tar", "x", "-C", "/run/systemd/system"], data=tar(units))
    containers.run(container, ["systemctl", "daemon-reload"])
    names = list(units)
    for first in range(0, len(names), UNITS_PER_CALL):
        containers.run(container, ["systemctl", "start", *names[first : first + UNITS_PER_CALL]], check=False)
    left = untar(containers.run(container, ["tar", "c", "-C", DUMP, "."], data=b"").stdout)
    containers.run(container, ["sh", "-c", "cd /run/systemd/system && rm -f " + " ".join(names)])
    containers.run(container, ["systemctl", "daemon-reload"])
    return left


def report(what: str, tried: int, differences: list[str]) -> int:
    """Print figures and the first differences; how many there are."""
    print(f"{what}: {tried} tried, {len(differences)} different", flush=True)
    for difference in differences[:5]:
        print(f"  {difference[:400]}")
    return len(differences)


def check_arguments(container: str, count: int, seed: int) -> int:
    """Random argument lists, half of them with a random argv[0]; how many arrive otherwise."""
    source = random.Random(seed)
    wanted, commands = {}, []
    for number in range(count):
        arguments = [random_argument(source) for _unused in range(source.randrange(9))]
        argv0 = random_argument(source) or b"x" if number % 2 else b"/bin/sh"
        own = [f"{DUMP}-program", "cmdline", str(number)]
        wanted[str(number)] = [argv0, *(word.encode() for word in own), *arguments]
        argv = ["/bin/sh", *([argv0] if number % 2 else []), *own, *arguments]
        commands.append({"argv": argv, "prefix": "@" if number % 2 else ""})
    units = {
        name: unit_text(name, {"ExecStart": commands[first : first + COMMANDS_PER_UNIT]})
        for first in range(0, count, COMMANDS_PER_UNIT)
        for name in [f"text-layer-{first}.service"]
    }
    got = run_units(container, units)
    differences = [
        f"{number}: {argv!r} became {got.get(number)!r}"
        for number, argv in wanted.items()
        if got.get(number) != b"".join(word + b"\0" for word in argv)
    ]
    return report(f"{container}: argument lists", count, differences)


def check_environments(container: str, count: int, seed: int) -> int:
    """Random environments; how many arrive otherwise."""
    source = random.Random(seed)
    wanted, units = {}, {}
    for number in range(count):
        variables = {
            f"U{source.choice(['_', 'a', '9'])}{name}": random_text(source) for name in range(source.randrange(1, 6))
        }
        wanted[str(number)] = variables
        unit = f"text-layer-{number}.service"
        command = ["/bin/sh", f"{DUMP}-program", "environ", str(number)]
        units[unit] = unit_text(unit, {"Environment": variables, "ExecStart": [command]})
    got = run_units(container, units)
    differences = []
    for number, variables in wanted.items():
        block = got.get(number, b"").split(b"\0")
        mine = sorted(entry for entry in block if entry.startswith(b"U") and not entry.startswith(b"USER="))
        if mine != sorted(f"{name}={value}".encode() for name, value in variables.items()):
            differences.append(f"{number}: {variables!r} became {mine!r}")
    return report(f"{container}: environments", count, differences)


def check_credentials(container: str, count: int, seed: int) -> int:
    """Random credentials, NUL bytes included; how many arrive otherwise."""
    source = random.Random(seed)
    wanted, units = {}, {}
    for number in range(count):
        secret = random_argument(source).replace(b"~", b"\0")
        wanted[str(number)] = secret
        unit = f"text-layer-{number}.service"
        command = f'/bin/sh -c "cat $CREDENTIALS_DIRECTORY/secret > {DUMP}/{number}"'
        units[unit] = unit_text(unit, {"SetCredential": {"secret": secret}, "ExecStart": command})
    got = run_units(container, units)
    differences = [
        f"{number}: {secret!r} became {got.get(number)!r}"
        for number, secret in wanted.items()
        if got.get(number) != secret
    ]
    return report(f"{container}: credentials", count, differences)


def check_shipped_files(container: str) -> int:
    """Read and write every unit file and drop-in of the container; how many come out otherwise."""
    # /lib is a link to /usr/lib in all releases but the oldest.
    real = containers.run(container, ["realpath", "-q", "-e", *UNIT_FOLDERS], check=False).stdout
    folders = sorted(set(real.split()))
    files = untar(containers.run(container, ["tar", "c", *folders], data=b"").stdout)
    tried, differences, problems = 0, [], 0
    for name, data in files.items():
        if name.rpartition(".")[2] not in (*UNIT_TYPES, "conf"):
            continue
        tried += 1
        text = parse(data, name)
        problems += len(text.problems)
        if to_bytes(text.write()) != data:
            differences.append(f"{name}: other bytes")
        sections = mapping_from_settings(text.settings)
        again = _render.settings_from_mapping(name, sections)
        changes = [change for change in changed_settings(text.settings, again) if change[1] != "Environment"]
        if changes:
            differences.append(f"{name}: through a mapping: {changes!r}")
    return report(f"{container}: shipped files ({problems} lines that systemd cannot read)", tried, differences)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lists", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--releases", nargs="*", default=["252", "262"])
    parser.add_argument("--roundtrip", nargs="*", default=list(containers.SUITES))
    options = parser.parse_args()
    failed = 0
    for release in sorted({*options.releases, *options.roundtrip}):
        container = containers.start(release, f"text{release}")
        if release in options.roundtrip:
            failed += check_shipped_files(container)
        if release in options.releases:
            failed += check_arguments(container, options.lists, options.seed)
            failed += check_environments(container, options.lists, options.seed)
            if int(release) >= CREDENTIALS_FROM:
                failed += check_credentials(container, options.lists // 10, options.seed)
        containers.stop(container)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

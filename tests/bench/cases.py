# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The measurements, each a function from a ``Bench`` to figures. What is compared is run in turns, never in blocks."""

from __future__ import annotations

import json
import tempfile
import time
import typing as t
from pathlib import Path

from bench import payload, workload
from bench.clock import BenchError, Controller, Times, changed_tasks, run_script
from lab import containers
from tools import dist

SIZES = (1, 10, 100, 300)
LOOP_SIZES = (1, 10, 50)
HOST_COUNTS = (1, 2, 4, 8)
HOST_UNITS = 10
LONG_LOOP = 300
LONG_ROUND_SECONDS = 180.0
LONGEST_LOOP_SECONDS = 600.0  # a loop that would take longer is extrapolated
LINT_UNITS = 500
STARTS = 10  # of a command, in one measurement
TOOLS = "/opt/bench"
NOTING = {"ansible_python_interpreter": f"{TOOLS}/python"}

# Counts every call of a program and passes it on.
_COUNTING = """#!/bin/sh
echo "$(basename "$0") $*" >> {tools}/calls
exec /usr/bin/$(basename "$0") "$@"
"""
# An interpreter that notes of the interpreter it starts: the most memory in KiB, and the seconds it ran.
_MEASURING = """#!/usr/bin/python3
import resource, subprocess, sys, time
begun = time.monotonic()
code = subprocess.call(["/usr/bin/python3"] + sys.argv[1:])
with open("{tools}/noted", "a") as stream:
    stream.write("%d %.4f\\n" % (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, time.monotonic() - begun))
sys.exit(code)
"""
_CLEAN = f"""
cd {workload.UNIT_FOLDER}
systemctl stop '{workload.PREFIX}*' 2>/dev/null
rm -rf {workload.PREFIX}* */{workload.PREFIX}* /var/lib/unitcraft
systemctl daemon-reload
systemctl reset-failed
sync
"""


class Bench:
    """Hosts, playbooks and the rounds of one run."""

    def __init__(self, folder: Path, release: str, rounds: int, say: t.Callable[[str], None]) -> None:
        self.release = release
        self.rounds = rounds
        self.say = say
        self.hosts: list[str] = []
        self.folder = folder
        self.controller = Controller(folder, {})
        self.add_hosts(1)
        self.playbooks: dict[str, Path] = {}

    @property
    def host(self) -> str:
        return self.hosts[0]

    def add_hosts(self, count: int) -> None:
        """Have at least so many hosts, with nothing of ours on them."""
        while len(self.hosts) < count:
            name = containers.start(self.release, f"bench{len(self.hosts)}")
            containers.run(name, ["mkdir", "-p", TOOLS])
            self.hosts.append(name)
        self.controller = Controller(self.folder, dict.fromkeys(self.hosts, self.release))

    def remove_hosts(self, keep: int) -> None:
        containers.stop(*self.hosts[keep:])
        del self.hosts[keep:]
        self.controller = Controller(self.folder, dict.fromkeys(self.hosts, self.release))

    def playbook(self, name: str, content: object) -> Path:
        if name not in self.playbooks:
            self.playbooks[name] = self.controller.write(name, content)
        return self.playbooks[name]

    def run(self, name: str, content: object, changes: bool | None = None, hosts: int = 1) -> float:
        """Seconds of a playbook on the first hosts.

        :param changes: what it must tell: that it changed something, or nothing.
        """
        chosen = self.hosts[:hosts]
        seconds, output = self.controller.run(self.playbook(name, content), chosen, forks=max(5, hosts))
        if changes is not None and bool(changed_tasks(output)) != changes:
            raise BenchError(
                f"{name}: a run that {'changes something' if changes else 'changes nothing'} was expected:\n{output}"
            )
        return seconds

    def script(self, name: str, steps: t.Sequence[str]) -> float:
        path = f"{TOOLS}/{name}.sh"
        if name not in self.playbooks:
            containers.write_file(self.host, path, workload.script(steps))
            self.playbooks[name] = Path(path)
        return run_script(self.host, path)

    def files(self, count: int, version: int) -> str:
        """A folder in the container with the set's files."""
        folder = f"{TOOLS}/{count}-{version}"
        if folder not in self.playbooks:
            put_files(
                self.host, folder, {name: workload.text(n, version) for n, name in enumerate(workload.names(count))}
            )
            self.playbooks[folder] = Path(folder)
        return folder

    def add_interpreter(self) -> None:
        containers.write_file(self.host, f"{TOOLS}/python", _MEASURING.format(tools=TOOLS), mode="0755")

    def add_empty_modules(self) -> None:
        """Put the modules of ``workload.empty_module`` where playbooks find them, as ``empty_units`` and so on."""
        library = self.folder / "library"
        library.mkdir(exist_ok=True)
        for name in ("unit", "units", "unit_lint"):
            for kind, loads in (("empty", False), ("loaded", True)):
                (library / f"{kind}_{name}.py").write_text(workload.empty_module(name, loads))

    def run_empty(self, times: Times, name: str, plays: list[dict[str, t.Any]], module: str) -> None:
        """Time the play with each of the two empty modules in place of ours, as ``empty`` and ``loaded``."""
        for kind in ("empty", "loaded"):
            empty = workload.with_empty(plays, f"{kind}_{module}")
            times.add(kind, self.run(f"{kind}-{name}", empty, changes=False))

    def noted(self) -> tuple[float, float]:
        """KiB and seconds of the last module that ran with ``NOTING``."""
        memory, seconds = containers.run(self.host, ["tail", "-n", "1", f"{TOOLS}/noted"]).stdout.split()
        return float(memory), float(seconds)

    def clean(self, hosts: int = 1) -> None:
        for host in self.hosts[:hosts]:
            containers.run(host, ["sh", "-c", _CLEAN], check=False)


def put_files(host: str, folder: str, files: t.Mapping[str, str]) -> None:
    """Write many small files into a container in one go."""
    program = (
        "import json, os, sys\n"
        "for name, text in json.load(sys.stdin).items():\n    path = os.path.join(sys.argv[1], name)\n"
        "    os.makedirs(os.path.dirname(path), exist_ok=True)\n    open(path, 'w').write(text)\n"
    )
    containers.run(host, ["python3", "-c", program, folder], data=json.dumps(files))


def sets(bench: Bench) -> dict[str, t.Any]:
    """``units`` against the limit, by size of the set."""
    found = {}
    bench.add_empty_modules()
    for size in SIZES:
        times = Times()
        for number in range(bench.rounds):
            bench.say(f"sets: {size} units, round {number + 1} of {bench.rounds}")
            _one_round_of_sets(bench, size, times)
        found[str(size)] = dict(times)
    return found


def _one_round_of_sets(bench: Bench, size: int, times: Times) -> None:
    old, new = bench.files(size, 1), bench.files(size, 2)
    bench.clean()
    times.add("ping", bench.run("ping", workload.ping(), changes=False))
    times.add("first", bench.run(f"units-{size}", workload.units(size), changes=True))
    times.add("unchanged", bench.run(f"units-{size}", workload.units(size), changes=False))
    times.add("ping", bench.run("ping", workload.ping(), changes=False))
    bench.run_empty(times, f"units-{size}", workload.units(size), "units")
    times.add("query", bench.script(f"query-{size}", [workload.query_step(size)]))
    times.add("changed", bench.run(f"units-{size}-new", workload.units(size, changed=True), changes=True))
    bench.clean()
    times.add("script first", bench.script(f"first-{size}", workload.first_steps(size, old)))
    times.add("query", bench.script(f"query-{size}", [workload.query_step(size)]))
    times.add("script changed", bench.script(f"changed-{size}", workload.changed_steps(size, new)))
    bench.clean()


def loops(bench: Bench) -> dict[str, t.Any]:
    """The ways that take a task for each unit, and ours in between."""
    (bench.folder / "templates").mkdir(exist_ok=True)
    (bench.folder / "files").mkdir(exist_ok=True)
    (bench.folder / "templates" / "unit.j2").write_text(_template())
    for number, name in enumerate(workload.names(LONG_LOOP)):
        for version in (1, 2):
            (bench.folder / "files" / f"{name}-{version}").write_text(workload.text(number, version))
    found = {}
    for size in LOOP_SIZES:
        times, begun = Times(), time.monotonic()
        for number in range(min(bench.rounds, 3)):
            # One round tells enough of what takes minutes.
            if number and time.monotonic() - begun > LONG_ROUND_SECONDS:
                break
            bench.say(f"loops: {size} units, round {number + 1}")
            for way, play in (("loop", workload.loop), ("role", workload.role_way), ("units", workload.units)):
                bench.clean()
                times.add(f"{way} first", bench.run(f"{way}-{size}", play(size), changes=True))
                times.add(f"{way} unchanged", bench.run(f"{way}-{size}", play(size), changes=False))
                if size < LOOP_SIZES[-1]:
                    times.add(f"{way} changed", bench.run(f"{way}-{size}-new", play(size, changed=True), changes=True))
        found[str(size)] = dict(times)
    bench.clean()
    found[str(LONG_LOOP)] = _long_loop(bench, found[str(LOOP_SIZES[-1])])
    bench.clean()
    return found


def _long_loop(bench: Bench, shorter: t.Mapping[str, t.Sequence[float]]) -> dict[str, t.Any]:
    """One run of 300, where it is expected to take less than ten minutes."""
    factor = LONG_LOOP / LOOP_SIZES[-1]
    times = Times()
    for way, play in (("loop", workload.loop), ("role", workload.role_way), ("units", workload.units)):
        for kind in ("first", "unchanged"):
            expected = min(shorter[f"{way} {kind}"]) * factor
            if way != "units" and expected > LONGEST_LOOP_SECONDS:
                times.add(f"{way} {kind} (extrapolated)", expected)
                continue
            bench.say(f"loops: {LONG_LOOP} units, {way}, {kind}, about {expected:.0f} s")
            if kind == "first":
                bench.clean()
            elif f"{way} first" not in times:
                bench.run(f"units-{LONG_LOOP}", workload.units(LONG_LOOP))
            times.add(f"{way} {kind}", bench.run(f"{way}-{LONG_LOOP}", play(LONG_LOOP)))
    return dict(times)


def _template() -> str:
    text = workload.text(424242, 434343).replace(str(1000000 + 424242), "{{ 1000000 + item.number }}")
    return text.replace("424242", "{{ item.number }}").replace("434343", "{{ item.version }}")


def hosts(bench: Bench) -> dict[str, t.Any]:
    """The same set on several hosts at once."""
    bench.add_hosts(max(HOST_COUNTS))
    found = {}
    for count in HOST_COUNTS:
        times = Times()
        for number in range(min(bench.rounds, 5)):
            bench.say(f"hosts: {count}, round {number + 1}")
            bench.clean(count)
            times.add("ping", bench.run("ping", workload.ping(), changes=False, hosts=count))
            times.add("first", bench.run(f"units-{HOST_UNITS}", workload.units(HOST_UNITS), changes=True, hosts=count))
            times.add(
                "unchanged", bench.run(f"units-{HOST_UNITS}", workload.units(HOST_UNITS), changes=False, hosts=count)
            )
        found[str(count)] = dict(times)
    bench.clean(max(HOST_COUNTS))
    bench.remove_hosts(1)
    return found


def one(bench: Bench) -> dict[str, t.Any]:
    """``unit`` with nothing to do, and ``ping``."""
    times = Times()
    bench.add_empty_modules()
    bench.clean()
    bench.run("unit", workload.unit(), changes=True)
    for number in range(bench.rounds * 3):
        bench.say(f"one: round {number + 1}")
        times.add("ping", bench.run("ping", workload.ping(), changes=False))
        times.add("unit", bench.run("unit", workload.unit(), changes=False))
        bench.run_empty(times, "unit", workload.unit(), "unit")
    bench.clean()
    return dict(times)


def info(bench: Bench) -> dict[str, t.Any]:
    """``unit_info`` of many units, and ``systemctl show`` of them, of all properties and of those of ``units``."""
    size = SIZES[-1]
    bench.clean()
    bench.run(f"units-{size}", workload.units(size), changes=True)
    times = Times()
    for number in range(bench.rounds):
        bench.say(f"info: round {number + 1}")
        times.add("ping", bench.run("ping", workload.ping(), changes=False))
        times.add("unit_info", bench.run("info", workload.info(size), changes=False))
        times.add("show", bench.script("show", [workload.show_step(size)]))
        times.add("query", bench.script(f"query-{size}", [workload.query_step(size)]))
    bench.clean()
    return dict(times)


def put_units_to_lint(bench: Bench, folder: str) -> list[str]:
    """Write many units into a folder of the container; returns the steps of a script that verifies them."""
    listed = [f"lint-{number:03}.service" for number in range(LINT_UNITS)]
    put_files(bench.host, folder, {name: workload.lint_text(number) for number, name in enumerate(listed)})
    # verify ends with 1 for what it finds; only its time counts
    return [
        f"SYSTEMD_LOG_LEVEL=err systemd-analyze verify --man=no {folder}/*.service > {TOOLS}/verify.out 2>&1 || true"
    ]


def command(bench: Bench) -> dict[str, t.Any]:
    """The command ``unitcraft``: its start, and its lint of many units beside ``systemd-analyze verify``."""
    folder, archive, package = f"{TOOLS}/lint", f"{TOOLS}/{dist.ARCHIVE}", f"{TOOLS}/installed"
    verify = put_units_to_lint(bench, folder)
    with tempfile.TemporaryDirectory(prefix="unitcraft-bench-") as scratch:
        written = Path(scratch, dist.ARCHIVE)
        dist.write_archive(dist.lay_out(Path(scratch)), written, 0x60000000)
        containers.write_file(bench.host, archive, written.read_bytes(), "0755")
    # As pip leaves a wheel: compiled.
    unpack = f"python3 -m zipfile -e {archive} {package} && python3 -m compileall -q {package}"
    containers.run(bench.host, ["sh", "-c", unpack])
    ways = {"installed": f"env PYTHONPATH={package} python3 -m unitcraft", "one file": archive}
    starts = {"python": "python3 -c pass", **{way: f"{words} --version" for way, words in ways.items()}}
    times = Times()
    for number in range(bench.rounds):
        bench.say(f"command: round {number + 1}")
        times.add("verify", bench.script("verify", verify))
        for way, words in ways.items():
            check = f"{words} lint --fail-on never {folder} > {TOOLS}/lint.out"
            times.add(f"lint {way}", bench.script(f"lint-{way.replace(' ', '-')}", [check]))
        for way, words in starts.items():
            whole = bench.script(f"start-{way.replace(' ', '-')}", [f"{words} > {TOOLS}/start.out"] * STARTS)
            times.add(f"start {way}", whole / STARTS)
    containers.run(bench.host, ["rm", "-r", folder, package, archive])
    return dict(times)


def lint(bench: Bench) -> dict[str, t.Any]:
    """``unit_lint`` of many units, and ``systemd-analyze verify`` of the same files."""
    folder = f"{TOOLS}/lint"
    verify = put_units_to_lint(bench, folder)
    bench.add_interpreter()
    bench.add_empty_modules()
    times = Times()
    for number in range(bench.rounds):
        bench.say(f"lint: round {number + 1}")
        times.add("verify", bench.script("verify", verify))
        times.add("play", bench.run("lint", workload.lint(folder, vars=NOTING), changes=False))
        times.add("unit_lint", bench.noted()[1])
        for kind in ("empty", "loaded"):
            empty = workload.with_empty(workload.lint(folder, vars=NOTING), f"{kind}_unit_lint")
            bench.run(f"{kind}-lint", empty, changes=False)
            times.add(kind, bench.noted()[1])
        times.add("ping", bench.run("ping", workload.ping(), changes=False))
    containers.run(bench.host, ["rm", "-r", folder])
    return dict(times)


def counts(bench: Bench) -> dict[str, t.Any]:
    """Not timed: memory, calls of systemd's programs, and reloads as PID 1's log has them."""
    size = SIZES[-1]
    for program in ("systemctl", "systemd-analyze", "journalctl"):
        containers.write_file(bench.host, f"{TOOLS}/bin/{program}", _COUNTING.format(tools=TOOLS), mode="0755")
    bench.add_interpreter()
    more = {"environment": {"PATH": f"{TOOLS}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, "vars": NOTING}
    found = {}
    bench.clean()
    for kind, changed in (("first", False), ("unchanged", False), ("changed", True)):
        bench.say(f"counts: {kind}")
        containers.run(bench.host, ["sh", "-c", f": > {TOOLS}/calls"])
        before = reloads(bench.host)
        bench.run(f"counted-{kind}", workload.units(size, changed, **more), changes=kind != "unchanged")
        calls = containers.run(bench.host, ["cat", f"{TOOLS}/calls"]).stdout.splitlines()
        found[kind] = {
            "calls": len(calls),
            "programs": [shortened(call) for call in calls],
            "reloads": reloads(bench.host) - before,
            "memory_kib": int(bench.noted()[0]),
        }
    bench.clean()
    return found


def reloads(host: str) -> int:
    """How often PID 1 says in its log that it reloaded."""
    # grep ends with 1 when it counts none
    script = "journalctl --sync; journalctl --quiet --output=cat _PID=1 | grep -c '^Reloading\\.' || true"
    return int(containers.run(host, ["sh", "-c", script]).stdout)


def shortened(call: str) -> str:
    """A call without its options and with the number of its units: ``systemctl start (300 units)``."""
    words = [word for word in call.split() if not word.startswith("-")]
    units = [word for word in words if "." in word]
    rest = " ".join(word for word in words if word not in units)
    return f"{rest} ({len(units)} units)" if units else rest


def packed(_bench: Bench) -> dict[str, t.Any]:
    """Bytes that a module sends, by file."""
    return payload.measure()


GROUPS: dict[str, t.Callable[[Bench], dict[str, t.Any]]] = {
    "payload": packed,
    "counts": counts,
    "one": one,
    "info": info,
    "lint": lint,
    "command": command,
    "sets": sets,
    "hosts": hosts,
    "loops": loops,
}

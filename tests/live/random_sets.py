#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random sets of units and random changes of them, on real systemd.

After each change: check mode named the steps of the real run and the same difference of files; the host is as declared
(files, links, state, what the processes were started with); a second run does nothing. After the last change of a set:
removed and installed afresh, it is the same again. Some changes are made by hand, behind the back of the collection.

Run inside the sandbox:  tests/lab/sandbox.py run -- tests/live/random_sets.py [--count 10] [--seed 1] [RELEASE...]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from lab import containers
from live.set_generator import Generator, Set
from live.target import Target

CHANGES = 6  # of one set
SET = {"set_name": "random", "prune": True, "fail_on": "never"}
# Everything that can be seen of the set, as JSON. It runs in the container.
LOOK = """
import glob, json, os, subprocess, sys
files = {}
for folder in ("/etc/systemd/system", "/run/systemd/system"):
    for path in sorted(glob.glob(folder + "/*t-*") + glob.glob(folder + "/*/*t-*") + glob.glob(folder + "/run-t*")):
        info = os.lstat(path)
        text = os.readlink(path) if os.path.islink(path) else "" if os.path.isdir(path) else open(path).read()
        files[path] = [oct(info.st_mode), info.st_uid, info.st_gid, text]
properties = "Id LoadState ActiveState SubState UnitFileState NeedDaemonReload Description MainPID Job FragmentPath"
asked = "--property=" + ",".join([*properties.split(), "DropInPaths"])
names = json.load(sys.stdin)
shown = subprocess.run(["systemctl", "show", asked, "--", *names], capture_output=True, text=True).stdout
units = {}
for name, block in zip(names, shown.split("\\n\\n")):
    state = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    pid = state.pop("MainPID", "0")
    if pid != "0":
        state["command"] = open("/proc/%s/cmdline" % pid).read().split("\\0")[:-1]
        words = open("/proc/%s/environ" % pid).read().split("\\0")
        state["environment"] = sorted(word for word in words if word.startswith("T_"))
    units[name] = state
print(json.dumps({"files": files, "units": units, "fired": os.path.exists("/run/t-fired")}))
"""


class Contradiction(Exception):
    """What was seen is not what has to be."""


# What has to hold


def expect(name: str, what: str, is_now: t.Any, should: t.Any) -> None:
    if is_now != should:
        raise Contradiction(f"{name}: {what} is {is_now!r} and should be {should!r}")


def names_of(units: Set) -> list[str]:
    """Every unit of a set that has a state."""
    names = set()
    for name, _dropin in units:
        instances = units.get((name, ""), {}).get("instances", [])
        names.update(name.replace("@.", f"@{instance}.") for instance in instances or [""])
    return sorted(name for name in names if "@." not in name)


def check_host(seen: dict, units: Set) -> None:
    """The host is as declared."""
    expect("the job of the timer", "ran", seen["fired"], False)
    for (name, dropin), item in units.items():
        path = f"/etc/systemd/system/{name}.d/{dropin}.conf" if dropin else f"/etc/systemd/system/{name}"
        if item.get("masked") is not None:
            expect(name, "link", seen["files"].get(path, ["", 0, 0, ""])[3], "/dev/null" if item["masked"] else "")
        elif item.get("sections"):
            expect(name, "mode and owner", seen["files"].get(path, [])[:3], ["0o100644", 0, 0])
    declared = {f"/etc/systemd/system/{name}" + (f".d/{dropin}.conf" if dropin else "") for name, dropin in units}
    written = {path for path, entry in seen["files"].items() if entry[0].startswith("0o100")}
    expect("the set", "files that it does not declare", sorted(written - declared), [])
    for name in names_of(units):
        check_unit(name, seen["units"][name], units)


def check_unit(name: str, state: dict[str, t.Any], units: Set) -> None:
    source = f"{name.partition('@')[0]}@.{name.rpartition('.')[2]}" if "@" in name else name
    item = units[source, ""]
    if item.get("masked") is not None:
        return
    expect(name, "NeedDaemonReload", state["NeedDaemonReload"], "no")
    expect(name, "Job", state.get("Job", "0") or "0", "0")
    if item.get("state"):
        expect(name, "ActiveState", state["ActiveState"], "active" if item["state"] == "started" else "inactive")
    if "enabled" in item:
        expect(name, "UnitFileState", state["UnitFileState"], "enabled" if item["enabled"] else "disabled")
    texts = [units[place]["sections"] for place in sorted(key for key in units if key[0] == source)]
    wanted = [text["Unit"]["Description"] for text in texts if text.get("Unit", {}).get("Description")]
    if wanted:
        expect(name, "Description", state["Description"], wanted[-1])
    if "command" in state:
        command = item["sections"]["Service"]["ExecStart"].replace("%i", name.partition("@")[2].partition(".")[0])
        expect(name, "command", " ".join(state["command"]), command)
        environment: dict[str, str] = {}
        for text in texts:
            environment.update(text.get("Service", {}).get("Environment", {}))
        expect(
            name, "environment", state["environment"], sorted(f"{key}={value}" for key, value in environment.items())
        )


class Host:
    """One container, and what is done and looked at there."""

    def __init__(self, release: str, target: Target) -> None:
        self.release = release
        self.target = target

    def look(self, units: Set) -> dict:
        ended = self.target.run(["python3", "-c", LOOK], json.dumps(names_of(units)))
        if ended.code != 0:
            raise Contradiction(f"the host cannot be looked at: {ended.err}")
        return json.loads(ended.out)

    def apply(self, units: Set) -> None:
        """Check mode, the real run, and a second one."""
        predicted, result, again = (
            self.target.units(list(units.values()), check=check, **SET) for check in (True, False, False)
        )
        for reply in (predicted, result, again):
            if reply.get("failed"):
                raise Contradiction(reply["msg"])
        expect("check mode", "actions", predicted["actions"], result["actions"])
        expect("check mode", "diff", predicted["diff"], result["diff"])
        expect("second run", "actions", again["actions"], [])
        expect("second run", "changed", again["changed"], False)

    def clear(self) -> None:
        self.target.sh("systemctl stop 't-*' run-tmnt.mount; rm -f /run/t-fired", check=False)
        self.target.sh(
            "cd /etc/systemd/system && rm -rf t-* */t-* run-t*; systemctl daemon-reload; systemctl reset-failed;"
            " rm -rf /var/lib/unitcraft"
        )

    def sequence(self, seed: str) -> int:
        """One set with its changes; returns how many states were compared."""
        generator = Generator(seed)
        units, typed, number = generator.new_set(), [], 0
        try:
            for number in range(CHANGES + 1):
                if typed:
                    self.target.sh("; ".join(typed), check=False)
                self.apply(units)
                seen = self.look(units)
                check_host(seen, units)
                if number < CHANGES:
                    units, typed = generator.change(units)
            self.clear()
            self.apply(units)
            afresh = self.look(units)
            for part in ("files", "units"):
                compare(f"after a fresh install, {part}", comparable(afresh[part]), comparable(seen[part]))
        except Contradiction as error:
            story = f"typed by hand: {typed}\n{json.dumps(list(units.values()), indent=1)}"
            raise Contradiction(f"systemd {self.release}, seed {seed}, change {number}: {error}\n{story}") from None
        finally:
            self.clear()
        return CHANGES + 2


def compare(what: str, is_now: dict, should: dict) -> None:
    """Two mappings; only what differs is told."""
    differing = sorted(key for key in {*is_now, *should} if is_now.get(key) != should.get(key))
    if differing:
        raise Contradiction(
            f"{what}: " + "; ".join(f"{key} is {is_now.get(key)!r} and was {should.get(key)!r}" for key in differing)
        )


def comparable(part: dict) -> dict:
    """Without what no declaration decides: the state of a job, the order of a file, a comment that somebody added."""
    result = {}
    for name, entry in part.items():
        if isinstance(entry, list) and entry[0].startswith("0o100"):
            section, lines = "", []
            for line in entry[3].splitlines():
                section = line if line.startswith("[") else section
                lines.append((section, line.partition("=")[0], line))
            entry = [
                *entry[:3],
                [
                    line
                    for _section, _key, line in sorted(lines, key=lambda item: item[:2])
                    if line not in ("", "# by hand")
                ],
            ]
        if name != "t-t.service":
            result[name] = entry
    return result


def run_release(release: str, seeds: list[str]) -> tuple[int, list[str]]:
    """How many states of the host were compared, and the contradictions."""
    name = containers.start(release, f"random-{release}")
    host = Host(release, Target(name))
    compared, wrong = 0, []
    try:
        for seed in seeds:
            try:
                compared += host.sequence(seed)
            except Contradiction as error:
                wrong.append(str(error))
                print(error, flush=True)
    finally:
        host.target.close()
        containers.stop(name)
    return compared, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", default=list(containers.SUITES), metavar="RELEASE")
    parser.add_argument("--count", type=int, default=10, help="sets for each release")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", help="one whole seed, as a contradiction names it")
    options = parser.parse_args()
    begun = time.monotonic()
    seeds = [options.only] if options.only else [f"{options.seed}-{number}" for number in range(options.count)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda release: run_release(release, seeds), options.releases))
    for release, (compared, wrong) in zip(options.releases, results):
        print(f"systemd {release}: {len(seeds)} sets, {compared} states compared, {len(wrong)} contradictions")
    total, wrong = sum(compared for compared, _wrong in results), sum(len(wrong) for _compared, wrong in results)
    print(f"{total} states compared in {time.monotonic() - begun:.0f} s, {wrong} contradictions")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

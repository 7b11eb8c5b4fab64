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
import copy
import json
import random
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from lab import containers
from live.target import Target

RELEASES = ("247", "252", "257", "262")
CHANGES = 6  # of one set
SET = {"set_name": "random", "prune": True, "fail_on": "never"}
SERVICES = [f"t-{letter}.service" for letter in "abcdef"]
PULLS = ("Requires", "BindsTo", "Wants")  # a unit that is started starts these others
TIMES = ("*-*-* 03:00", "*-*-* 04:00", "Mon *-*-* 05:30", "*-01-01 00:00")
OPTIONS = {
    "Restart": ("no", "always", "on-failure"),
    "RestartSec": (1, 5, "7s"),
    "TimeoutStopSec": (5, 20),
    "Environment": ({"T_ONE": "1"}, {"T_ONE": "2", "T_TWO": "a b"}, {"T_TWO": "50%"}),
    "Nice": (1, 5),
    "KillMode": ("mixed", "control-group"),
    "ExecStop": ("/bin/true", ["/bin/true", "/bin/sleep 0"]),
    "ExecReload": ("/bin/true",),
    "MemoryMax": ("200M", "300M"),
    "LimitNOFILE": (1024, 2048),
    "UMask": ("0022", "0077"),
    "PrivateTmp": (True, False),
}

Set = dict[tuple[str, str], dict[str, t.Any]]

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


class Generator:
    """Sets, and changes of them. Everything follows from the seed."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.number = 1000

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def fresh(self) -> int:
        self.number += 1
        return self.number

    def new_set(self) -> Set:
        units: Set = {}
        for name in SERVICES:
            if self.chance(0.7):
                units[name, ""] = self.service(name, units)
        for family in (self.socket, self.timer, self.path, self.mount, self.template, self.target, self.mask):
            if self.chance(0.5):
                family(units)
        self.mend(units)
        return units or self.new_set()

    def run_state(self) -> dict[str, t.Any]:
        return {"state": "started" if self.chance(0.8) else "stopped", "enabled": self.chance(0.5)}

    def options(self) -> dict[str, t.Any]:
        names = self.random.sample(sorted(OPTIONS), self.random.randint(0, 5))
        return {name: self.random.choice(OPTIONS[name]) for name in names}

    def service(self, name: str, others: Set) -> dict[str, t.Any]:
        sections: dict[str, t.Any] = {
            "Unit": {"Description": f"{name} number {self.fresh()}"},
            "Service": {"Type": "exec", "ExecStart": f"/bin/sleep {self.fresh()}", **self.options()},
            "Install": {
                "WantedBy": self.random.choice(["multi-user.target", ["multi-user.target", "graphical.target"]])
            },
        }
        if self.chance(0.2):
            sections["Install"]["Alias"] = f"t-alias-{name}"
        self.link(sections, [other for other, dropin in others if not dropin and other in SERVICES and other < name])
        return {"name": name, "sections": sections, **self.run_state()}

    def link(self, sections: dict[str, t.Any], earlier: list[str]) -> None:
        """Depend on a unit with an earlier name, so that there is no cycle."""
        for kind in (*PULLS, "PartOf", "After"):
            sections["Unit"].pop(kind, None)
        if earlier and self.chance(0.6):
            other = self.random.choice(earlier)
            sections["Unit"].update({self.random.choice([*PULLS, "PartOf"]): other, "After": other})

    def socket(self, units: Set) -> None:
        address = f"/run/t-s{self.fresh()}.sock" if self.chance(0.5) else f"127.0.0.1:{self.fresh() + 20000}"
        units["t-s.socket", ""] = {
            "name": "t-s.socket",
            "sections": {"Socket": {"ListenStream": address}, "Install": {"WantedBy": "sockets.target"}},
            "state": "started",
            "enabled": self.chance(0.5),
        }
        units["t-s.service", ""] = {
            "name": "t-s.service",
            "sections": {"Service": {"Type": "exec", "ExecStart": f"/bin/sleep {self.fresh()}"}},
            "state": "started" if self.chance(0.7) else "stopped",
        }

    def timer(self, units: Set) -> None:
        schedule = self.random.choice(
            [{"OnCalendar": self.random.choice(TIMES)}, {"OnUnitActiveSec": f"{self.fresh()}h"}]
        )
        units["t-t.timer", ""] = {
            "name": "t-t.timer",
            "sections": {"Timer": schedule, "Install": {"WantedBy": "timers.target"}},
            **self.run_state(),
        }
        job = {"Service": {"Type": "oneshot", "ExecStart": ["/bin/touch /run/t-fired", f"/bin/echo {self.fresh()}"]}}
        units["t-t.service", ""] = {"name": "t-t.service", "sections": job}

    def path(self, units: Set) -> None:
        units["t-p.path", ""] = {
            "name": "t-p.path",
            "sections": {"Path": {"PathExists": f"/run/t-none{self.fresh()}", "Unit": "t-t.service"}},
            "state": self.run_state()["state"],
        }
        if ("t-t.service", "") not in units:
            self.timer(units)

    def mount(self, units: Set) -> None:
        mount = {
            "What": "tmpfs",
            "Where": "/run/tmnt",
            "Type": "tmpfs",
            "Options": f"size={self.random.randint(1, 9)}M",
        }
        units["run-tmnt.mount", ""] = {
            "name": "run-tmnt.mount",
            "sections": {"Mount": mount},
            "state": self.run_state()["state"],
        }

    def template(self, units: Set) -> None:
        # Instances only join: one that is declared no more is not the business of the set.
        before = units.get(("t-w@.service", ""), {}).get("instances", [])
        units["t-w@.service", ""] = {
            "name": "t-w@.service",
            "sections": {
                "Service": {"Type": "exec", "ExecStart": f"/bin/sleep {self.fresh()}%i", **self.options()},
                "Install": {"WantedBy": "multi-user.target"},
            },
            "instances": sorted({*before, str(self.random.randint(1, 4))}),
            **self.run_state(),
        }

    def target(self, units: Set) -> None:
        started = [
            name for name, item in ((n, i) for (n, d), i in units.items() if not d) if item.get("state") == "started"
        ]
        wants = self.random.sample(started, min(len(started), 2))
        wants = [name for name in wants if name.endswith(".service") and "@" not in name]
        unit = {"Description": f"Target {self.fresh()}", **({"Wants": wants} if wants else {})}
        units["t-z.target", ""] = {"name": "t-z.target", "sections": {"Unit": unit}, "state": "started"}

    def mask(self, units: Set) -> None:
        units["t-m.service", ""] = {"name": "t-m.service", "masked": self.chance(0.7)}

    def mend(self, units: Set) -> None:
        """Take out what contradicts itself: a unit that is started needs one that is stopped or not declared."""
        for key in sorted(units):
            unit = (units[key].get("sections") or {}).get("Unit", {})
            for kind in PULLS:
                others = unit.get(kind, [])
                for other in [others] if isinstance(others, str) else others:
                    state = units.get((other, ""), {}).get("state")
                    if state != "started" and (units[key].get("state") == "started" or state is None):
                        unit.pop(kind, None)
            if key[1] and (key[0], "") not in units:
                del units[key]

    # Changes

    def change(self, units: Set) -> tuple[Set, list[str]]:
        """The set after one to three changes, and shell commands that somebody types meanwhile."""
        units = copy.deepcopy(units)
        typed: list[str] = []
        for _number in range(self.random.randint(1, 3)):
            key = self.random.choice(sorted(units))
            kind = self.random.choice(
                ["text", "light", "state", "enabled", "links", "join", "leave", "drop-in", "family", "form", "hand"]
            )
            getattr(self, f"change_{kind.replace('-', '_')}")(units, key, typed)
            if not units:
                units.update(self.new_set())
            self.mend(units)
        return units, typed

    def change_text(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        service = (units[key].get("sections") or {}).get("Service")
        if service and not key[1]:
            service.update(self.options())
            if not isinstance(service["ExecStart"], list):
                service["ExecStart"] = f"/bin/sleep {self.fresh()}{'%i' if '@' in key[0] else ''}"

    def change_light(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        if units[key].get("sections"):
            units[key]["sections"].setdefault("Unit", {})["Description"] = f"{key[0]} number {self.fresh()}"

    def change_state(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        if "state" in units[key] and not key[0].endswith((".socket", ".target")):
            units[key]["state"] = {"started": "stopped", "stopped": "started"}[units[key]["state"]]

    def change_enabled(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        if "enabled" in units[key]:
            units[key]["enabled"] = not units[key]["enabled"]

    def change_links(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        if key[0] in SERVICES and units[key].get("sections") and not key[1]:
            self.link(units[key]["sections"], [name for name, dropin in units if name in SERVICES and name < key[0]])

    def change_join(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        missing = [name for name in SERVICES if (name, "") not in units]
        if missing:
            name = self.random.choice(missing)
            units[name, ""] = self.service(name, units)

    def change_leave(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        if key[0] in SERVICES:
            for other in [other for other in units if other[0] == key[0]]:
                del units[other]

    def change_drop_in(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        place = (key[0], self.random.choice(["10-t-x", "50-t-x"]))
        if units.pop(place, None) is None and key[0] in SERVICES:
            units[place] = {
                "name": key[0],
                "dropin": place[1],
                "sections": {"Service": self.options() or {"RestartSec": 3}},
            }

    def change_family(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        self.random.choice([self.socket, self.timer, self.path, self.mount, self.template, self.target, self.mask])(
            units
        )

    def change_form(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        """The order in which it is declared: means nothing."""
        item = units.pop(key)
        if item.get("sections"):
            item["sections"] = dict(reversed(item["sections"].items()))
        units[key] = item

    def change_hand(self, units: Set, key: tuple[str, str], typed: list[str]) -> None:
        name = key[0]
        if "@" in name or "masked" in units[key] or key[1]:
            return
        path = f"/etc/systemd/system/{name}"
        typed.append(
            self.random.choice(
                [
                    f"systemctl stop {name}",
                    f"systemctl start {name}",
                    f"systemctl restart {name}",
                    f"systemctl disable {name}",
                    f"echo '# by hand' >> {path}",
                    f"printf '[Unit]\\nDescription=by hand\\n' >> {path}; systemctl daemon-reload",
                    f"rm {path}; systemctl daemon-reload",
                    f"chmod 600 {path}",
                    "systemctl daemon-reload",
                ]
            )
            if not name.startswith("t-t.")
            else f"touch -d 2001-01-01 {path}"
        )


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
    parser.add_argument("releases", nargs="*", default=RELEASES, metavar="RELEASE")
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

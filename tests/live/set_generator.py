# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random sets of units, and random changes of them."""

from __future__ import annotations

import copy
import random
import typing as t

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

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the audit page of a made-up fleet: fleet.py HOSTS UNITS FILE.html. The page is that of the playbook.

Hosts are much alike, as those of a fleet are: most of what there is to say comes from a unit, the rest from chance.
"""

from __future__ import annotations

import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import typing as t

import jinja2

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ansible" / "collections"))
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report, _report_page

GENERATED = "2026-11-21T06:00:00Z"
NAMES = (
    *("api", "web", "queue", "mail", "cache", "search", "billing", "auth"),
    *("index", "export", "import", "thumbs", "feed", "audit", "proxy", "sync"),
)
RULES = [
    ("start-limit-gives-up", "warning", "after 5 failures in 10 s systemd gives up on this unit for good"),
    ("bad-value", "error", "RestartSec=5secs: 'secs' is no unit of time"),
    ("type-simple-hides-exec-failure", "info", "Type=simple counts as started before the program runs"),
    ("requires-without-after", "warning", "Requires= without After= starts both at once"),
    ("secret-in-environment", "warning", "Environment= holds what looks like a password"),
]
HOSTILE = "</script><script>window.broken = true</script><img src=x onerror='window.broken = true'> & \u2028 \"quoted\""


def unit(chance: random.Random, number: int) -> dict[str, t.Any]:
    """What unit_info says of one unit, made up."""
    kind = "timer" if number % 12 == 0 else "socket" if number % 17 == 0 else "service"
    name = f"{name_of(number)}.{kind}"
    told: dict[str, t.Any] = {
        "name": name,
        "id": name,
        "exists": True,
        "origin": "administrator" if number < 40 else "vendor",
        "state": state(chance, number),
        "security": security(chance, number) if kind == "service" else None,
        "dependencies": {"requires": [f"{name_of(number - 1)}.service"]} if 1 < number < 40 else {},
        "journal": [{"time": GENERATED, "priority": "err", "message": f"it broke {HOSTILE}"}] * 3,
        "restarts": restarts(chance) if number % 40 == 3 else [],
        "drift": drift(name) if number == 7 else [] if number < 20 else None,
    }
    if kind == "timer":
        told["state"]["timer"] = timer(number)
    return told


def name_of(number: int) -> str:
    return f"{NAMES[number % len(NAMES)]}-{number}"


def state(chance: random.Random, number: int) -> dict[str, t.Any]:
    failed, looping = chance.random() < 0.01, chance.random() < 0.005
    return {
        "description": HOSTILE if number == 1 else f"Makes {NAMES[number % len(NAMES)]} work, part {number}",
        "active_state": "failed" if failed else "activating" if looping else "active",
        "sub_state": "failed" if failed else "auto-restart" if looping else "running",
        "load_state": "loaded",
        "unit_file_state": "enabled",
        "result": "exit-code" if failed else "success",
        "exec_main_code": "exited" if failed else None,
        "exec_main_status": 203 if failed else 0,
        "n_restarts": 4 if looping else 0,
        "need_daemon_reload": chance.random() < 0.004,
    }


def restarts(chance: random.Random) -> list[str]:
    return [f"2026-11-2{1 if hour < 6 else 0}T{hour:02}:30:00.000000Z" for hour in range(24) if chance.random() < 0.1]


def security(chance: random.Random, number: int) -> dict[str, t.Any]:
    score = round(1 + number * 7919 % 88 / 10 - chance.choice([0] * 30 + [0.3]), 1)
    points = [
        {"setting": "PrivateNetwork=", "exposure": 0.5, "description": "Service has access to the network"},
        {
            "setting": "PrivateTmp=",
            "exposure": 0.2,
            "description": "Service has access to other programs' files in /tmp",
        },
        {"setting": "SystemCallFilter=~@swap", "exposure": 0.2, "description": "No filter of system calls"},
    ]
    return {"exposure": score, "level": "unsafe" if score > 7.5 else "medium", "points": points}


def drift(name: str) -> list[dict[str, str]]:
    return [
        {
            "what": "changed",
            "path": f"/etc/systemd/system/{name}",
            "message": "the file is not as we wrote it",
            "diff": "-RestartSec=1\n+RestartSec=5",
        }
    ]


def timer(number: int) -> dict[str, t.Any]:
    time = f"{6 + number % 18:02}:{number % 5 * 10:02}"
    return {
        "next_elapse": f"2026-11-21T{time}:00Z",
        "last_trigger": f"2026-11-20T{time}:00Z",
        "settings": [{"directive": "OnCalendar", "value": f"*-*-* {time}"}],
    }


def finding(chance: random.Random, number: int) -> dict[str, t.Any]:
    rule, severity, message = RULES[number % len(RULES)]
    name = f"{name_of(number)}.service"
    return {
        "rule": rule,
        "severity": severity,
        "unit": name,
        "path": f"/etc/systemd/system/{name}",
        "line": chance.choice([7] * 20 + [9]),
        "message": message,
        "hint": "see the rule",
    }


def generations(chance: random.Random, host: int) -> dict[str, t.Any]:
    """What unit_info says of the sets of a host; a few hosts are a generation behind."""
    sets = {}
    for number in range(1, len(NAMES) + 1):
        name = NAMES[number % len(NAMES)]
        current = 6 if host % 20 == number else 7
        kept = [
            {
                "number": generation,
                "time": f"2026-11-{12 + generation}T{8 + number % 9:02}:{chance.randrange(60):02}:00Z",
                "by": HOSTILE if generation == 3 else "alice",
                "current": generation == current,
                "units": [f"{name_of(number)}.service", f"{name_of(number + 16)}.service"],
                "files": [f"/opt/{name}/current", f"/etc/{name}.conf"],
                "actions": [
                    {
                        "action": "restart",
                        "unit": f"{name_of(number)}.service",
                        "reason": f"/opt/{name}/current changed",
                    }
                ],
            }
            for generation in range(3, 8)
        ]
        sets[name] = kept
    sets[f"x{HOSTILE}"] = [{"number": 1, "current": True, "units": ["web-1.service"]}]
    return sets


def workers(chance: random.Random, host: int) -> tuple[str, t.Any] | None:
    """What role worker counts on every tenth host; they have one broker."""
    jobs = {"mail": {"waiting": 1200, "running": 8, "failed": 3}, "slow": {"waiting": 0, "running": 1, "failed": None}}
    own = {HOSTILE: {"waiting": chance.randrange(9), "running": 0, "failed": 0}}
    return None if host % 10 else ("jobs@.service", {"queues": {**jobs, **own}, "workers": []})


def journals(hosts: int) -> list[_report.Journal]:
    """Those of three rollouts: done, reverted because of a sick host, and in the middle of it; and a damaged one."""
    courses = {
        "web-8": ("going", "", ["new", "changing", "untouched"]),
        "api-7": ("reverted", f"host001.example: {HOSTILE}", ["reverted", "unknown", "untouched"]),
        "web-7": ("done", "", ["new"]),
    }
    made = []
    for ident, (course, why, states) in courses.items():
        entries = {}
        for number in range(hosts):
            state = states[min(len(states) - 1, number * 2 * len(states) // max(hosts, 1))]
            now = None if state == "unknown" else 7 if state == "new" else 6
            entry = {
                "batch": 1,
                "before": 6,
                "now": now,
                "state": state,
                "why": HOSTILE if number == 1 else "",
                "stuck": "",
            }
            entries[f"host{number:03}.example"] = entry
        text = json.dumps({"format": 1, "id": ident, "set": ident[:3], "course": course, "why": why, "hosts": entries})
        made.append(_report.Journal(ident, "2026-11-20T12:00:00Z", text))
    return [*made, _report.Journal(f"bad{HOSTILE}", "2026-11-19T12:00:00Z", "{")]


def told(hosts: int, units: int, seed: int = 6) -> list[_report.Told]:
    chance = random.Random(seed)
    answers = []
    for number in range(hosts):
        made = [unit(chance, index) for index in range(1, units + 1)]
        found = [finding(chance, index) for index in range(1, units + 1) if index % 3 and chance.random() < 0.7]
        units_of = {item["name"]: item for item in made}
        info = {"units": units_of, "findings": [], "generations": generations(chance, number)}
        answers.append(
            _report.Told(
                f"host{number:03}.example",
                info,
                {"findings": found, "systemd_version": 252},
                "",
                workers(chance, number),
            )
        )
    return [*answers, _report.Told("gone.example", {}, {}, "unreachable")]


def fleet(hosts: int, units: int, compare: bool = False) -> dict[str, t.Any]:
    """The report; compared with that of another day when asked for."""
    earlier = json.dumps(_report.build(told(hosts, units, 5), "2026-11-20T06:00:00Z")) if compare else None
    return _report.build(told(hosts, units), GENERATED, earlier, journals(hosts))


def page(report: dict[str, t.Any], graphviz: bool = True) -> str:
    """The HTML text, made from the playbook's own template."""
    folder = ROOT / "playbooks"
    drawings = {}
    if graphviz and shutil.which("dot"):
        for key, graph in report["graphs"].items():
            drawings[key] = subprocess.run(
                ["dot", "-Tsvg"], input=graph["dot"], capture_output=True, text=True, check=True
            ).stdout
    environment = jinja2.Environment(trim_blocks=True)  # noqa: S701  as Ansible renders it: escaping is the template's job
    environment.filters["regex_replace"] = lambda text, pattern, new: re.sub(pattern, new, text)
    environment.globals["lookup"] = lambda _kind, path: (folder / path).read_text()
    template = environment.from_string((folder / "templates" / "audit.html.j2").read_text())
    return template.render(
        report=report, page_data=_report_page.page_data(report, drawings), rules_page="https://example.org/rules.md"
    )


if __name__ == "__main__":
    pathlib.Path(sys.argv[3]).write_text(page(fleet(int(sys.argv[1]), int(sys.argv[2]))))

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove on real systemd what a change of each directive needs, and hold the catalogue against it.

Every directive that a service, socket, timer, path, mount or slice can carry gets a running unit of its own. Its
value is changed, PID 1 does one daemon-reload, then the unit is restarted; after each, `systemctl show`, /proc, the
cgroup and the mount table are compared with before (effects_probe.py, in the container). The catalogue may say
"daemon-reload" only where the new value was seen to be in force after the daemon-reload alone; whatever could not be
seen is a restart.

Run inside the sandbox:  tests/lab/sandbox.py run -- tests/evidence/effects.py [--record] [RELEASE...]
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from lab import containers

RELEASES = ("247", "252", "257", "262")
TYPES = ("service", "socket", "timer", "path", "mount", "slice")
TABLE = ROOT / "docs" / "effects.md"

# What a unit needs besides the directive under test, to be active and to stay so.
ESSENTIALS = {
    "service": {"ExecStart": "/bin/sleep 100000"},
    "socket": {"ListenStream": "/run/fx-listen-@", "Service": "fx-noop.service"},
    "timer": {"OnCalendar": "2099-01-01", "Unit": "fx-noop.service"},
    "path": {"PathExists": "/nonexistent/fx", "Unit": "fx-noop.service"},
    "mount": {"What": "tmpfs", "Type": "tmpfs"},
    "slice": {},
}
EXTRA = {
    "fx-noop.service": "[Service]\nExecStart=/bin/sleep 1000\n",
    "fx-noop2.service": "[Service]\nExecStart=/bin/sleep 1000\n",
    "fx-dep1.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "fx-dep2.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "fx-peer1.service": "[Service]\nPrivateTmp=yes\nExecStart=/bin/sleep 1000\n",
    "fx-peer2.service": "[Service]\nPrivateTmp=yes\nExecStart=/bin/sleep 1000\n",
    "fx-dep1.socket": "[Socket]\nListenStream=/run/fx-dep1\nService=fx-noop.service\n",
    "fx-dep2.socket": "[Socket]\nListenStream=/run/fx-dep2\nService=fx-noop.service\n",
}


class Values:
    """The two values of each directive, from effects_values.yml."""

    def __init__(self) -> None:
        data = yaml.safe_load((HERE / "effects_values.yml").read_text())
        self.by_parser, self.by_directive, self.companions = data["by_parser"], data["by_directive"], data["with"]

    def pair(self, directive: _catalog.Directive) -> list[str] | None:
        return self.by_directive.get(directive.name) or self.by_parser.get(directive.parser)


def unit_text(unit_type: str, stem: str, directive: _catalog.Directive, value: str, companions: dict[str, str]) -> str:
    """The text of the unit under test with one value of the directive."""
    section = unit_type.capitalize()
    essentials = dict(ESSENTIALS[unit_type])
    if unit_type == "mount":
        essentials["Where"] = f"/{stem.replace('-', '/')}"
    if (
        directive.name.startswith("Listen")
        or directive.name in essentials
        or directive.parser in ("timer", "path_spec")
    ):
        for name in [directive.name, "ListenStream", "OnCalendar", "PathExists"]:
            if name == directive.name or directive.parser in ("timer", "path_spec", "socket_listen"):
                essentials.pop(name, None)
    lines = {section: [f"{key}={text}" for key, text in essentials.items()]}
    place = lines.setdefault(directive.section, [])
    place += [f"{key}={text}" for key, text in companions.items()]
    place.append(f"{directive.name}={value}")
    return "".join(f"[{name}]\n" + "".join(f"{line}\n" for line in body) for name, body in lines.items()).replace(
        "@", stem
    )


def cases(release: int, values: Values) -> tuple[dict[str, list[str]], dict[str, tuple[str, str, str]], list[str]]:
    """Units to probe, what each stands for as (type, section, directive), and directives without a pair of values."""
    units, meaning, without = {}, {}, []
    for unit_type in TYPES:
        own = unit_type.capitalize()
        control = _catalog.get("Unit", "Description", release)
        units[f"control.{unit_type}"] = [unit_text(unit_type, "control", control, "same", {})] * 3
        sections = ("Unit", own) if unit_type == "service" else (own,)
        for section in sections:
            for name in _catalog.names(section):
                directive = _catalog.get(section, name, release)
                if (
                    directive is None
                    or not directive.since <= release <= directive.until
                    or directive.status == "removed"
                ):
                    continue
                pair = values.pair(directive)
                if not pair:
                    without.append(f"{section}.{name}")
                    continue
                number = len(units)
                stem = f"fx-{number}" if unit_type == "mount" else f"fx{number}"
                companions = values.companions.get(name, {})
                texts = [unit_text(unit_type, stem, directive, value, companions) for value in pair]
                # With the second value these would take the whole container down when a unit stops or fails.
                drastic = directive.parser == "emergency_action" or name == "OnFailureIsolate"
                units[f"{stem}.{unit_type}"] = [*texts, texts[0] if drastic else texts[1]]
                meaning[f"{stem}.{unit_type}"] = (unit_type, section, name)
    return units, meaning, without


def in_container(name: str, request: dict) -> dict:
    """Run effects_probe.py in a container. Raises ContainerError with its output when it fails."""
    return json.loads(containers.run(name, ["python3", "/run/effects_probe.py"], data=json.dumps(request)).stdout)


def probe(release: str, values: Values) -> tuple[dict[str, dict], list[str]]:
    """What was seen of each ``Section.Directive`` in one release, and the directives that have no pair of values."""
    units, meaning, without = cases(int(release), values)
    partners = {name for texts in units.values() for name in re.findall(r"\b(?:one|two)-\S+\.target", "".join(texts))}
    extra = {**EXTRA, **{name: f"[Unit]\nDescription={name}\n" for name in partners}}
    behaviour = yaml.safe_load((HERE / "effects_behaviour.yml").read_text())
    name = containers.start(release, f"effects-{release}")
    try:
        containers.write_file(name, "/run/effects_probe.py", (HERE / "effects_probe.py").read_text())
        acted = in_container(name, {"cases": behaviour})
        seen = in_container(name, {"units": units, "extra": extra})
    finally:
        containers.stop(name)
    result = {"{1}.{2}".format(*meaning[unit]): seen[unit] for unit in meaning}
    for directive, runs in acted.items():
        # What happens without any change is no evidence.
        if directive in result:  # IPAddressDeny= and its like are compiled out of some builds
            result[directive]["behaviour"] = runs["changed"] and not runs["unchanged"]
    return result, without


def verdict(seen: dict) -> str:
    """daemon-reload when the new value was in force without a restart, else restart."""
    if "behaviour" in seen:
        return "daemon-reload" if seen["behaviour"] else "restart"
    if not seen["started"] or not seen["same_start"]:
        return "restart"
    if seen["live"]:
        return "daemon-reload"
    return "daemon-reload" if seen["shown"] and not seen["restarted"] else "restart"


def evidence(seen: dict) -> str:
    """In words, what a verdict rests on."""
    if "behaviour" in seen:
        return (
            "the unit behaves by the new value after a daemon-reload"
            if seen["behaviour"]
            else "the unit does not behave by the new value"
        )
    if not seen["started"]:
        return "not observed: the unit does not start with it here"
    if not seen["same_start"]:
        return "the unit does not stay up through the change here"
    if seen["live"]:
        return "in force after a daemon-reload: " + ", ".join(seen["live"][:4])
    if seen["restarted"]:
        return "old until a restart: " + ", ".join(seen["restarted"][:4])
    return "PID 1 holds the new value: " + ", ".join(seen["shown"][:3]) if seen["shown"] else "not observed"


def effect_of(key: str) -> str:
    return _catalog.get(*key.split(".")).effect


def contradictions(results: dict[str, dict[str, dict]]) -> list[str]:
    """Directives of which the catalogue says that a daemon-reload does, though it was not seen to do."""
    return [
        f"{release}: {key}: the catalogue says daemon-reload, seen: {evidence(seen)}"
        for release, of_release in results.items()
        for key, seen in of_release.items()
        if effect_of(key) == "daemon-reload" and verdict(seen) == "restart"
    ]


HEAD = """\
# What a change of a directive needs

Written by `tests/evidence/effects.py` from what real systemd {releases} did: the directive of a running unit was
changed, PID 1 did a daemon-reload, then the unit was restarted. A directive is classed as *daemon-reload* when its
new value was seen in force without a restart (*in force*, *behaves*), or when PID 1 is who acts on it, has it after
the reload, and a restart changes nothing more (*PID 1 holds the new value*): timeouts, restart policy,
dependencies, and the settings of control groups, which PID 1 writes itself. The machine of the recording lacks most
controllers, so that their files were not looked at. What could not be seen is classed as *restart*. `[Install]` is
always *reenable*.

| directive | a change needs | evidence |
| --- | --- | --- |
"""


def table(results: dict[str, dict[str, dict]]) -> str:
    """Text of docs/effects.md."""
    rows = []
    for key in sorted({name for of_release in results.values() for name in of_release}):
        section, name = key.split(".")
        by_text: dict[str, list[str]] = {}
        for release, of_release in results.items():
            if key in of_release:
                by_text.setdefault(evidence(of_release[key]), []).append(release)
        words = "; ".join(
            f"{', '.join(releases)}: {text}" if len(by_text) > 1 else text for text, releases in by_text.items()
        )
        rows.append(f"| `[{section}] {name}=` | {effect_of(key)} | {words} |\n")
    return HEAD.replace("{releases}", ", ".join(results)) + "".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write what was seen to docs/effects.md")
    parser.add_argument("releases", nargs="*", default=list(RELEASES))
    options = parser.parse_args()
    values, results = Values(), {}
    for release in options.releases:
        results[release], without = probe(release, values)
        counted = collections.Counter(verdict(seen) for seen in results[release].values())
        tried = f"{len(results[release])} directives tried: {dict(counted)}"
        print(f"{release}: {tried}; without values: {' '.join(without) or 'none'}", flush=True)
    wrong = contradictions(results)
    print("\n".join(wrong))
    print(f"{sum(map(len, results.values()))} observed, {len(wrong)} contradict the catalogue")
    if options.record:
        TABLE.write_text(table(results))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

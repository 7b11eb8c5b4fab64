# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every unit that the images ship, taken over into YAML, rendered again and loaded from another unit folder.

The same meaning by our parser, and the same values by ``systemctl show``. Run with -s for the numbers.
"""

from __future__ import annotations

import collections

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax import render as _render
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import parse
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _adopt
from lab import containers
from oracle import on_target
from oracle.test_definition import ASK

TYPES = (".service", ".socket", ".timer", ".path")
OTHER_FOLDER = "/etc/systemd/system.control"  # before all others in the unit path
# where it was read from and when, and what runs meanwhile
_NOT_OF_THE_TEXT = """
    FragmentPath NeedDaemonReload UnitFileState UnitFilePreset InvocationID MemoryCurrent MemoryAvailable CPUUsageNSec
    TasksCurrent StateChangeTimestamp StateChangeTimestampMonotonic MemoryPeak EffectiveMemoryMax EffectiveMemoryHigh
    EffectiveTasksMax LoadError ManagedOOMMemoryPressureDurationUSec StatusText WatchdogTimestamp
    WatchdogTimestampMonotonic NextElapseUSecMonotonic NextElapseUSecRealtime TimersMonotonic TimersCalendar
    MemoryKSM IPEgressBytes FileDescriptorStore NFileDescriptorStore
    Following DebugInvocation ControlGroupId
"""
NOT_OF_THE_TEXT = frozenset(_NOT_OF_THE_TEXT.split())


class Unsafe(str):
    """A text that Ansible shall not take for a template."""


class Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


Loader.add_constructor("!unsafe", lambda loader, node: Unsafe(loader.construct_scalar(node)))


@pytest.fixture(scope="module", params=sorted(containers.SUITES))
def target(request):
    name = "adopt" + request.param
    containers.start(request.param, name)
    on_target.install(name)
    yield name, int(request.param)
    containers.stop(name)


def show(name, units):
    done = containers.run(name, ["env", "LC_ALL=C", "TZ=UTC", "systemctl", "show", "--", *units], check=False)
    found = {}
    for block in done.stdout.split("\n\n"):
        properties = collections.defaultdict(list)
        for line in block.splitlines():
            key, _equals, value = line.partition("=")
            properties[key].append(value)
        if "Id" in properties:
            found[properties["Id"][0]] = properties
    return found


def comparable(properties):
    values = {key: sorted(value) for key, value in properties.items() if key not in NOT_OF_THE_TEXT}
    for key, value in values.items():
        if key.startswith(("Exec", "Condition", "Assert")) or " " in value[0]:
            # times of runs stand in braces after the arguments; lists of units come in any order
            values[key] = sorted(" ".join(sorted(v.partition(" ; start_time")[0].split())) for v in value)
    return values


def test_adopted_units_mean_the_same_and_load_the_same(target):
    name, release = target
    told = on_target.call(name, ASK, {"names": ["*" + t for t in TYPES], "what": ["files", "state"]})["units"]
    units = {n: u for n, u in told.items() if not u["masked"] and u["id"] == n and u["origin"] == "vendor"}
    text = _adopt.write(_adopt.declare(units, vendor=True))
    declared = yaml.load(text, Loader=Loader)["systemd_units"]  # noqa: S506  a SafeLoader with a tag more
    assert _adopt.differences(units, declared, vendor=True) == []

    fragments = [item for item in declared if not item.get("dropin") and ("sections" in item or "content" in item)]
    plain = [item["name"] for item in fragments if "@." not in item["name"]]
    instances = [item["name"].replace("@.", "@x.") for item in fragments if "@." in item["name"]]
    before = show(name, plain + instances)
    containers.run(name, ["mkdir", "-p", OTHER_FOLDER])
    for item in fragments:
        content = item.get("content") or _render.render(_render.settings_from_mapping(item["name"], item["sections"]))
        containers.write_file(name, f"{OTHER_FOLDER}/{item['name']}", content)
    containers.run(name, ["systemctl", "daemon-reload"])
    after = show(name, plain + instances)

    wrong, values = [], 0
    for unit, properties in before.items():
        if unit not in after or properties["LoadState"] != ["loaded"]:
            continue
        assert after[unit]["FragmentPath"][0].startswith(OTHER_FOLDER), unit
        old, new = comparable(properties), comparable(after[unit])
        values += len(old)
        wrong += [(unit, key, old.get(key), new.get(key)) for key in sorted(old) if old.get(key) != new.get(key)]
    as_text = sum("content" in item for item in fragments)
    comments = sum(
        line.kind == "comment" for u in units.values() for f in u["files"] for line in parse(f["content"]).lines
    )
    print(
        f"\n{release}: {len(fragments)} units taken over ({len(fragments) - as_text} as sections, {as_text} as content)"
        f", {comments} comments, {values} values of show compared"
    )
    assert not wrong, "\n".join(map(str, wrong[:40]))
    assert len(fragments) > 85
    assert as_text < len(fragments) / 20


def test_every_comment_is_kept(target):
    name, _release = target
    told = on_target.call(name, ASK, {"names": ["*" + t for t in TYPES], "what": ["files", "state"]})["units"]
    units = {n: u for n, u in told.items() if not u["masked"] and u["id"] == n and u["origin"] == "vendor"}
    for dropins in ("keep", "fold"):
        for item in _adopt.declare(units, dropins, vendor=True):
            text = _adopt.write([item])
            for line in parse(item.text).lines:
                if line.kind == "comment" and line.raw.strip(" \t\r\n#;"):
                    assert line.raw.strip()[1:].strip() in text, (item.name, line.raw)


def test_folding_means_the_same(target):
    name, release = target
    told = on_target.call(name, ASK, {"names": ["*"], "what": ["files", "state"]})["units"]
    units = {n: u for n, u in told.items() if not u["masked"] and u["id"] == n}
    text = _adopt.write(_adopt.declare(units, "fold", vendor=True))
    declared = yaml.load(text, Loader=Loader)["systemd_units"]  # noqa: S506  a SafeLoader with a tag more
    assert _adopt.differences(units, declared, "fold", vendor=True) == []
    folded = [n for n, u in units.items() if len(u["files"]) > 1]
    print(f"\n{release}: {len(declared)} declarations, {len(folded)} units with drop-ins")

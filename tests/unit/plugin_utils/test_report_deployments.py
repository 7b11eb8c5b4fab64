# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments, rollouts and queues in the audit report, of cases/plugin_utils/report."""

from __future__ import annotations

import json

import pytest
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report, _report_page
from case_files import load

NOW = "2026-11-21T06:00:00Z"
GENERATION = {"number": 6, "time": NOW, "by": "alice", "current": True, "units": ["shop.service"]}


def hosts(generations, names=("web1", "web2")):
    info = {"units": {}, "generations": {"shop": generations}}
    return [_report.Told(name, info, {}) for name in names]


@pytest.mark.parametrize("case", load("plugin_utils/report/deployments"))
def test_deployments(case):
    made = _report.build(hosts(case["generations"]), NOW)
    found = [
        [group["value"], group["title"], group["level"], group["unit"], [*group["notes"]], group["hosts"][0]["detail"]]
        for group in made["groups"]
    ]
    assert found == case["expect"]
    assert {(group["kind"], group["name"], len(group["hosts"])) for group in made["groups"]} <= {
        ("deployment", "shop", 2)
    }
    assert case.get("says", "") in made["hosts"][0]["problem"]


@pytest.mark.parametrize("case", load("plugin_utils/report/rollouts"))
def test_rollouts(case):
    text = case.get("text") or json.dumps(case["journal"])
    found = _report.build(hosts([GENERATION]), NOW, journals=[_report.Journal("x", NOW, text)])["rollouts"]
    assert len(found) == (not case.get("none"))
    for rollout in found:
        rollout["hosts"] = [[*host.values()] for host in rollout["hosts"]]
        assert {key: rollout[key] for key in case["expect"]} == case["expect"]


@pytest.mark.parametrize("case", load("plugin_utils/report/queues"))
def test_queues(case):
    told = _report.Told("web1", {"units": {}}, {}, workers=("jobs@.service", case["status"]))
    made = _report.build([told], NOW)
    keys = ("kind", "name", "level", "title", "value")
    assert [[group[key] for key in keys] for group in made["groups"]] == case["expect"]
    assert {group["unit"] for group in made["groups"]} <= {"jobs@.service"}
    assert case.get("says", "") in made["hosts"][0]["problem"]


def test_generations_are_not_compared():
    earlier = json.dumps(_report.build(hosts([]), NOW))
    made = _report.build(hosts([GENERATION]), NOW, earlier)
    assert [group["since"] for group in made["groups"]] == [""]
    assert sum(made["compared"][key] for key in ("new", "still", "gone")) == 0


@pytest.mark.parametrize(
    ("name", "active", "kinds"),
    [
        ("unitcraft-confirm-3f2a.service", "active", ["unconfirmed"]),
        ("unitcraft-confirm-3f2a.service", "inactive", []),
        ("unitcraft-confirm-3f2a.timer", "active", []),
        ("shop.service", "active", []),
    ],
)
def test_a_deployment_that_waits_for_its_confirmation(name, active, kinds):
    unit = {"name": name, "exists": True, "state": {"active_state": active}}
    made = _report.build([_report.Told("web1", {"units": {name: unit}}, {})], NOW)
    assert [group["kind"] for group in made["groups"]] == kinds


def test_hosts_of_a_rollout_take_little_of_the_page():
    """Texts stand in it once."""
    host = {"before": 1, "now": 2, "state": "new", "why": "y" * 500}
    rollout = {"format": 1, "id": "x", "set": "shop", "course": "done", "hosts": {f"web{n}": host for n in range(1000)}}
    made = _report.build(hosts([]), NOW, journals=[_report.Journal("x", NOW, json.dumps(rollout))] * 50)
    assert len(_report_page.page_data(made, {})) < 2_000_000


def test_a_huge_journal():
    host = {"state": "new", "why": "y" * 4000}
    rollout = {"format": 1, "id": "x", "set": "shop", "course": "done", "hosts": {f"web{n}": host for n in range(6000)}}
    made = _report.build(hosts([]), NOW, journals=[_report.Journal("x", NOW, json.dumps(rollout))])
    assert len(made["rollouts"][0]["hosts"]) == 2000
    assert "has 6000 items, more than 2000" in made["rollouts"][0]["problem"]

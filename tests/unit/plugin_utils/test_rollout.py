# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of playbook ``rollout``, of cases/plugin_utils/rollout, with hosts that are simulated."""

from __future__ import annotations

import contextlib
import copy
import json

import pytest
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _rollout
from case_files import load

DEFAULTS = {
    "id": "x",
    "set": "shop",
    "canary": 1,
    "max_parallel": 1,
    "min_healthy_time": 10,
    "healthy_deadline": 300,
    "auto_revert": True,
    "pause": False,
    "confirm": 0,
}
GONE = {"unreachable": True, "msg": "no route"}
PROBLEMS = {"deploy": "its process ended", "sick": "it has crashed", "stuck": "it has crashed"}


def answer(generation, set_name="shop"):
    """What ``unit_info`` says of a host in a generation."""
    if generation is None:
        return GONE
    kept = [{"number": n, "current": n == generation, "units": ["shop.service"]} for n in range(1, generation + 2)]
    return {"generations": {set_name: kept} if generation else {}}


class Fleet:
    """What the playbook does, with hosts that are numbers."""

    def __init__(self, case):
        self.case = case
        self.hosts = dict(case["hosts"])
        self.journal = ""
        self.wrong = {}

    def reads(self, names):
        return {name: answer(self.hosts[name]) for name in names}

    def run(self, run):
        self.wrong = run.get("wrong", {})
        self.hosts.update(run.get("found", {}))
        rollout = self.planned(run)
        batches = rollout["batches"]
        with contextlib.suppress(KeyboardInterrupt):
            rollout = self.rolled_out(rollout, iter(run.get("answers", ())))
            rollout = self.ended(rollout)
        return batches, json.loads(self.journal)

    def note(self, rollout):
        self.journal = json.dumps(rollout)
        return json.loads(self.journal)

    def planned(self, run):
        if run.get("revert"):
            return self.note(_rollout.revert(self.journal, "a.json"))
        given = {**DEFAULTS, "max_parallel": 2, **self.case.get("given", {}), **run.get("given", {})}
        rollout = _rollout.plan(_rollout.settings(given, [*self.hosts]), [*self.hosts], self.journal)
        return self.note(_rollout.found(rollout, self.reads(self.hosts)))

    def rolled_out(self, rollout, answers):
        for number, batch in enumerate(rollout["batches"]):
            if rollout["course"] == "going" and number and rollout["settings"]["pause"]:
                rollout = self.note(_rollout.pause(rollout, next(answers)))
            if rollout["course"] != "going":
                break
            rollout = self.note(_rollout.begin(rollout, batch))
            problems = {name: self.deployed(name) for name in batch}
            if "kill" in [self.wrong.get(name) for name in batch]:
                raise KeyboardInterrupt
            is_check = self.case.get("check_mode", False)
            rollout = self.note(_rollout.end(rollout, self.reads(batch), problems, is_check))
        return rollout

    def deployed(self, name):
        wrong = self.wrong.get(name, "")
        if wrong == "gone":
            self.hosts[name] = None
        elif wrong not in ("deploy", "same") and not self.case.get("check_mode"):
            self.hosts[name] += 1
        return PROBLEMS.get(wrong, "")

    def ended(self, rollout):
        problems = dict.fromkeys(self.hosts, "")
        for name, before in _rollout.to_revert(rollout).items() if rollout["course"] == "reverting" else ():
            if self.wrong.get(name) == "stuck":
                problems[name] = "it does not come up"
            elif self.hosts[name] is not None:
                self.hosts[name] = before
        return self.note(_rollout.finish(rollout, self.reads(self.hosts), problems))


@pytest.mark.parametrize("case", load("plugin_utils/rollout/settings"))
def test_settings(case):
    hosts = [f"h{number}" for number in range(case.get("hosts", 4))]
    if "error" in case:
        with pytest.raises(_rollout.RolloutError) as caught:
            _rollout.settings({**DEFAULTS, **case["given"]}, hosts)
        assert case["error"] in str(caught.value)
    else:
        found = _rollout.settings({**DEFAULTS, **case["given"]}, hosts)
        assert {name: found[name] for name in case["expect"]} == case["expect"]


@pytest.mark.parametrize("case", load("plugin_utils/rollout/courses"))
def test_course(case):
    fleet = Fleet(copy.deepcopy(case))
    for run in case["runs"]:
        if "error" in run:
            with pytest.raises(_rollout.RolloutError) as caught:
                fleet.run(run)
            assert run["error"] in str(caught.value)
            continue
        batches, rollout = fleet.run(run)
        found = {
            "batches": batches,
            "course": rollout["course"],
            "why": rollout["why"],
            "ok": _rollout.is_as_asked(rollout),
            "states": {
                name: [host["state"], host["now"], _rollout.why_of(host)]
                for name, host in rollout["hosts"].items()
                if name in run.get("states", ())
            },
        }
        wanted = {key: run[key] for key in found if key in run}
        assert {key: found[key] for key in wanted} == wanted


@pytest.mark.parametrize("case", load("plugin_utils/rollout/verdicts"))
def test_verdict(case):
    begun, ended = ({"units": {"echo.service": {"state": case.get(part)}}} for part in ("begun", "ended"))
    found = _rollout.verdict(begun, case.get("answer", ended), case.get("others", ()))
    assert [found["word"], found["why"]] == case["expect"]


@pytest.mark.parametrize(
    ("said", "generation"),
    [
        (answer(3), 3),
        (answer(0), 0),
        ({"generations": {"other": answer(3)["generations"]["shop"]}}, 0),
        (GONE, None),
        (None, None),
        ("text", None),
        ({"generations": []}, None),
        ({"generations": {"shop": {"number": 1}}}, 0),
        ({"generations": {"shop": [7, {"current": True, "number": "9"}]}}, 0),
        ({"generations": {"shop": [{"current": "yes", "number": 9}]}}, 0),
        ({"generations": {"shop": [{"current": True, "number": True}]}}, 0),
    ],
)
def test_generation_of_a_host_that_may_lie(said, generation):
    assert _rollout.generation(said, "shop") == generation


@pytest.mark.parametrize(
    ("units", "names"),
    [
        (["a.service", "w@.service", "w@1.service"], ["a.service", "w@*.service", "w@1.service"]),
        ([1, None], []),
        ("a", []),
    ],
)
def test_watched_units(units, names):
    said = {"generations": {"shop": [{"current": True, "number": 1, "units": units}]}}
    assert _rollout.watched(said, "shop") == names


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"format": 2, "hosts": {}}', '{"format": 1, "hosts": []}', "null", ""]
)
def test_a_journal_that_is_none(text):
    with pytest.raises(_rollout.RolloutError, match=r"rollout_id: .*shop\.json"):
        _rollout.read(text, "shop.json")


def test_table():
    hosts = {
        "web1": {"before": 3, "now": 4, "state": "new", "why": "", "stuck": "it is slow"},
        "a": {"before": 0, "now": None, "state": "unknown", "why": "unreachable: no route", "stuck": ""},
    }
    assert _rollout.table({"hosts": hosts}) == [
        "HOST  BEFORE  NOW  STATE    WHY",
        "web1  3       4    new      not reverted: it is slow",
        "a     -       ?    unknown  unreachable: no route",
    ]


def test_summary():
    hosts = {name: {"state": state} for name, state in (("a", "new"), ("b", "reverted"), ("c", "new"))}
    rollout = {"id": "x", "set": "shop", "course": "stopped", "why": "b: it has crashed", "hosts": hosts}
    assert _rollout.summary(rollout) == "rollout x of shop: stopped (b: it has crashed); hosts: 2 new, 1 reverted"


def test_a_few_hosts_are_compared_with():
    states = ["new", *["untouched"] * 5]
    hosts = {f"h{n}": {"state": state, "now": None if n == 1 else 1} for n, state in enumerate(states)}
    assert _rollout.unchanged({"hosts": hosts}) == ["h2", "h3", "h4"]


def test_a_long_text_of_a_host_is_cut():
    assert len(_rollout.problem_of({"msg": "x" * 100000})) < 600

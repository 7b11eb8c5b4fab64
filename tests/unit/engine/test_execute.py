# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transaction, health and undo on a simulated host; the cases are in cases/transaction/."""

from __future__ import annotations

import typing

import case_files
import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.execute import run
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.planner import make_plan
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.rolling import add_rolling
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.snapshot import take_snapshot
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.store import Store, TransactionError
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.swap import plan_with_swaps
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.undo import undo
from engine.simulated import SimulatedHost, desired_of, file_of

RUNS = case_files.load("engine/transaction/runs")
FAILS = case_files.load("engine/transaction/fails")


class Outcome:
    """A transaction that was carried out: the host before and after, what it returned or raised."""

    def __init__(self, case, folder, **more):
        known = ("files", "running", "links", "properties", "faults", "logs")
        self.host = SimulatedHost(**{**{key: case[key] for key in known if key in case}, **more})
        self.disk, self.runs = self.host.disk(), self.host.runs()
        desired = desired_of(case["desired"])
        state = self.host.state(desired)
        plan = plan_with_swaps(state, desired)
        if "rolling" in case:
            add_rolling(plan, desired, {"max_parallel": 1, "min_healthy_time": 0, **case["rolling"]})
        self.store = Store(str(folder))
        self.snapshot = take_snapshot(plan, self.host, state.live, state.links)
        self.states, self.error = {}, None
        begun = self.host.monotonic()
        try:
            self.states = run(plan, self.host, self.store, self.snapshot, case.get("rollback", True))
        except TransactionError as error:
            self.error = error
        self.seconds = self.host.monotonic() - begun


@pytest.fixture
def outcome(case, tmp_path):
    return Outcome(case, tmp_path)


@pytest.mark.parametrize("case", RUNS)
def test_success(outcome):
    assert outcome.error is None


@pytest.mark.parametrize("case", RUNS)
def test_calls(case, outcome):
    assert outcome.host.calls == case["calls"]


@pytest.mark.parametrize("case", RUNS)
def test_what_runs_in_the_end(case, outcome):
    assert outcome.host.runs() == case["runs"]


@pytest.mark.parametrize("case", [case for case in RUNS if "links_after" in case.values[0]])
def test_links_in_the_end(case, outcome):
    assert outcome.host.links == case["links_after"]


@pytest.mark.parametrize("case", [case for case in RUNS if "seconds" in case.values[0]])
def test_time_that_passes(case, outcome):
    assert outcome.seconds < case["seconds"]


@pytest.mark.parametrize("case", RUNS)
def test_the_intent_is_gone_after_success(outcome):
    assert outcome.store.read_intent() is None


@pytest.mark.parametrize("case", [case for case in FAILS if "calls" in case.values[0]])
def test_calls_until_all_is_as_before(case, outcome):
    assert outcome.host.calls == case["calls"]


@pytest.mark.parametrize("case", FAILS)
def test_message(case, outcome):
    assert [words for words in case["message"] if words not in str(outcome.error)] == []


@pytest.mark.parametrize("case", FAILS)
def test_failed_units(case, outcome):
    assert [failure.unit for failure in outcome.error.failures] == case.get("failed", [])


@pytest.mark.parametrize("case", FAILS)
def test_rolled_back(case, outcome):
    assert outcome.error.rolled_back is case.get("rolled_back", True)


@pytest.mark.parametrize("case", FAILS)
def test_left_over(case, outcome):
    assert outcome.error.left_over == case.get("left_over", [])


@pytest.mark.parametrize("case", FAILS)
def test_what_ran_before_runs_after_a_failure(case, outcome):
    assert outcome.host.runs() == case.get("runs", outcome.runs)


@pytest.mark.parametrize("case", [case for case in FAILS if case.values[0].get("rolled_back", True)])
def test_files_and_links_are_as_before(outcome):
    assert outcome.host.disk() == outcome.disk


@pytest.mark.parametrize("case", FAILS)
def test_the_intent_stays_only_when_it_is_needed(case, outcome):
    assert (outcome.store.read_intent() is not None) is case.get("intent_stays", False)


def every_step():
    """``(case, number of the call that fails)`` for every call of every transaction that succeeds."""
    for case in RUNS:
        for number, call in enumerate(case.values[0]["calls"], 1):
            if not call.startswith("run "):  # a probe that fails is asked again
                yield pytest.param(case.values[0], number, id=f"{case.id}: {call}")


ERRORS = ["SystemdError: broken", "OSError: no room", "RuntimeError: surprise"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("case", "number"), list(every_step()))
class TestAnyCallThatFailsLeadsBack:
    def test_error_is_told(self, case, number, error, tmp_path):
        outcome = Outcome(case, tmp_path, faults={number: error})
        assert error.partition(": ")[2] in str(outcome.error)

    def test_rolled_back(self, case, number, error, tmp_path):
        assert Outcome(case, tmp_path, faults={number: error}).error.rolled_back is True

    def test_disk(self, case, number, error, tmp_path):
        outcome = Outcome(case, tmp_path, faults={number: error})
        assert outcome.host.disk() == outcome.disk

    def test_programs(self, case, number, error, tmp_path):
        outcome = Outcome(case, tmp_path, faults={number: error})
        assert outcome.host.runs() == outcome.runs


@pytest.mark.parametrize("case", [*RUNS, *FAILS])
def test_to_undo_twice_is_to_undo_once(outcome):
    undo(outcome.snapshot, outcome.host)
    once = (outcome.host.disk(), outcome.host.runs())
    undo(outcome.snapshot, outcome.host)
    assert (outcome.host.disk(), outcome.host.runs()) == once


class TestALaterRunUndoesOnlyWhatIsAsTheKilledOneLeftIt:
    """Attack 2: an administrator has repaired a.service meanwhile, and b.service is as the killed run left it."""

    CASE: typing.ClassVar = {
        "files": {f"{name}.service": f"[Service]\nExecStart=/bin/{name}\n" for name in "ab"},
        "running": ["a.service", "b.service"],
    }

    @pytest.fixture
    def host(self):
        host = SimulatedHost(**self.CASE)
        desired = desired_of([{"name": f"{name}.service", "text": "[Service]\nExecStart=/bin/c\n"} for name in "ab"])
        state = host.state(desired)
        plan = make_plan(state, desired)
        snapshot = take_snapshot(plan, host, state.live, state.links)
        host.change_files(plan.changes, "")
        self.become(host, "a.service", "/bin/repaired")
        host.load()
        host.job("restart", ["a.service", "b.service"])
        self.left_over = undo(snapshot, host, later=True)[0]
        return host

    def become(self, host, unit, command):
        host.files[f"{host.folder}/{unit}"] = file_of(f"[Service]\nExecStart={command}\n")

    def test_files(self, host):
        assert "/bin/repaired" in host.disk()["a.service"]
        assert host.disk()["b.service"] == self.CASE["files"]["b.service"]

    def test_programs(self, host):
        assert host.runs() == {"a.service": "/bin/repaired", "b.service": "/bin/b"}

    def test_told(self, host):
        assert self.left_over == [
            "/etc/systemd/system/a.service has been changed since; it and what its unit does stay as they are"
        ]

    def test_the_repaired_one_is_not_even_stopped(self, host):
        assert [call for call in host.calls if call.startswith("stop") and "a.service" in call] == []

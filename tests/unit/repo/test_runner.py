# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/run: a failure stops what needs it and nothing else, and the summary says so."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
import yaml
from tools import runner, toolchain
from tools.processes import Processes, Stopped
from tools.runner import Runner, Stage, StageError, summary
from tools.stages import STAGES


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Function that runs stages and returns {name: problem} and the lines of the summary."""
    monkeypatch.setattr(runner, "LOGS", tmp_path / "log")

    def with_stages(*stages, wanted=()):
        outcomes = Runner(stages, wanted).run()
        return {outcome.stage.name: outcome.problem for outcome in outcomes}, summary(outcomes, 12.0)

    return with_stages


def stage(name, *needs, does=lambda _context: None):
    return Stage(name, f"stage {name}", does, needs)


def fails(_context):
    raise StageError("it is broken")


def says_and_fails(context):
    says("what is wrong")(context)
    raise StageError("it is broken")


def says(*lines):
    def write(context):
        context.run(sys.executable, "-c", f"print({chr(10).join(lines)!r})")

    return write


def test_stages_that_need_a_failed_one_are_not_run(run):
    problems, _lines = run(
        stage("a", does=fails), stage("b", "a", does=pytest.fail), stage("c", "b", does=pytest.fail), stage("d")
    )
    assert problems == {"a": "it is broken", "b": "needs a", "c": "needs b", "d": ""}


def test_summary_of_a_failure(run, tmp_path):
    unit = stage("unit", does=says("7 passed in 1 s"))
    _problems, lines = run(stage("a", does=says_and_fails), stage("b", "a"), unit)
    at = lines.index("all            12 s")
    assert [lines[at + 1], *lines[-3:]] == [
        f"a               0 s  FAILED: it is broken; log: {tmp_path}/log/a.log",
        "  what is wrong",
        "b          NOT RUN: needs a",
        "1 passed, 2 failed",
    ]


def test_last_line_is_that_of_the_unit_tests_when_all_is_well(run):
    _problems, lines = run(stage("unit", does=says("lines", "7 passed in 1 s")), stage("z", "unit"))
    assert lines[-1] == "7 passed in 1 s"


def test_fault_of_a_stage_is_a_failure_with_its_traceback_in_the_log(run, tmp_path):
    problems, _lines = run(stage("a", does=lambda _context: {}["lost"]), stage("b"))
    assert problems == {"a": "KeyError: 'lost'", "b": ""}
    assert "Traceback" in (tmp_path / "log" / "a.log").read_text()


def test_missing_tool_is_a_failure(run):
    def needs_more(_context):
        raise toolchain.ToolError("install it first")

    problems, _lines = run(stage("a", does=needs_more))
    assert problems == {"a": "install it first"}


def test_command_that_fails_is_named(run):
    problems, _lines = run(stage("a", does=lambda context: context.run("false")))
    assert problems == {"a": "`false` ended with 1"}


def test_two_stages_run_at_the_same_time(run):
    meet = threading.Barrier(2)
    problems, _lines = run(*(stage(name, does=lambda _context: meet.wait(60)) for name in "ab"))
    assert set(problems.values()) == {""}


def test_only_what_is_wanted_runs_and_what_it_needs(run):
    problems, _lines = run(stage("a"), stage("b", "a"), stage("c"), wanted=["b"])
    assert list(problems) == ["a", "b"]


def test_stop_ends_what_runs_and_starts_nothing_more(tmp_path):
    processes = Processes()
    ended = []
    log = tmp_path / "log"
    command = ["sh", "-c", "echo begun; exec sleep 600"]
    thread = threading.Thread(target=lambda: ended.append(processes.run(command, log, cwd=tmp_path)))
    thread.start()
    deadline = time.monotonic() + 60
    while "\nbegun" not in (log.read_text() if log.exists() else "") and time.monotonic() < deadline:
        time.sleep(0.01)
    processes.stop()
    thread.join(60)
    assert ended == [-15]
    with pytest.raises(Stopped):
        processes.run(["true"], log, cwd=tmp_path)


def test_every_need_is_an_earlier_stage():
    names = [one.name for one in STAGES]
    assert [one.name for one in STAGES if not set(one.needs) <= set(names[: names.index(one.name)])] == []


def test_list_names_every_stage():
    script = toolchain.CHECKOUT / "tests" / "run"
    done = subprocess.run([sys.executable, script, "--list"], capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [one.name for one in STAGES]


HOOKS = ("format", "ruff", "types", "dead", "security", "reuse", "lint")


def test_hooks_of_a_commit_run_stages():
    text = (toolchain.CHECKOUT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = [hook["entry"] for hook in yaml.safe_load(text)["repos"][0]["hooks"]]
    assert entries == [f"python3 tests/run {name}" for name in HOOKS]
    assert set(entries) <= {f"python3 tests/run {one.name}" for one in STAGES}

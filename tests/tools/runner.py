# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs stages side by side, each after the stages that it needs. A failure stops only the stages that need it."""

from __future__ import annotations

import concurrent.futures
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tools import toolchain
from tools.processes import Processes

LOGS = toolchain.CACHE / "log"
# Lines of the log that are shown of a stage that fails.
SHOWN_OF_FAILURE = 300
# Of each failure once more in the summary: of a long output CI may keep only the end.
REPEATED_OF_FAILURE = 10


class StageError(Exception):
    """A gate that is not passed; the text says which and why."""


class Context:
    """What a stage gets: its log, and how to run something into it."""

    def __init__(self, name: str, processes: Processes) -> None:
        self.name = name
        self.log = LOGS / f"{name}.log"
        self._processes = processes

    def run(self, *command: str | Path, env: dict[str, str] | None = None, cwd: Path = toolchain.CHECKOUT) -> None:
        """Run a command; its output goes to the log.

        :raises StageError: when it fails.
        """
        words = [str(word) for word in command]
        status = self._processes.run(words, self.log, cwd=cwd, env=env)
        if status != 0:
            raise StageError(f"`{' '.join(words)}` ended with {status}")

    def tool(
        self, *command: str | Path, environment: str = "test", cwd: Path = toolchain.CHECKOUT, **variables: str
    ) -> None:
        """Run a program of a virtual environment; `variables` are added to its environment."""
        folder = toolchain.environment(environment)
        # By path: the name alone would be looked up on the PATH of this script.
        program = folder / "bin" / command[0]
        self.run(program, *command[1:], cwd=cwd, env={**toolchain.tool_environment(folder), **variables})

    def pytest(self, *arguments: str | Path) -> None:
        """Run pytest of the test environment."""
        self.tool("python", "-m", "pytest", *PYTEST_OPTIONS, *arguments)

    def in_sandbox(self, *command: str | Path, **variables: str) -> None:
        """Run a program of the test environment where podman works, and remove its containers afterwards."""
        folder = toolchain.environment()
        self.run(
            sys.executable,
            toolchain.SANDBOX,
            "run",
            folder / "bin" / command[0],
            *command[1:],
            env={**toolchain.tool_environment(folder), **variables},
        )

    def pytest_in_sandbox(self, *arguments: str | Path, **variables: str) -> None:
        """Run pytest of the test environment where podman works."""
        self.in_sandbox("python", "-m", "pytest", *PYTEST_OPTIONS, *arguments, **variables)


PYTEST_OPTIONS = ("-p", "no:cacheprovider", "--color=no")


class Stage(NamedTuple):
    """One gate.

    :ivar needs: names of stages that have to pass before it starts.
    :ivar tail: number of lines of its output that are shown when it passes.
    """

    name: str
    about: str
    function: Callable[[Context], None]
    needs: tuple[str, ...] = ()
    tail: int = 5


class Outcome(NamedTuple):
    """How a stage ended.

    :ivar problem: why it failed or was not run; empty when it passed.
    :ivar last_lines: the last lines of its output.
    """

    stage: Stage
    seconds: float = 0.0
    problem: str = ""
    last_lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.problem:
            return f"{self.stage.name:<10} {self.seconds:6.0f} s"
        if not self.seconds:
            return f"{self.stage.name:<10} NOT RUN: {self.problem}"
        log = LOGS / f"{self.stage.name}.log"
        return f"{self.stage.name:<10} {self.seconds:6.0f} s  FAILED: {self.problem}; log: {log}"


class Runner:
    """Runs stages, `slots` at a time, in their order, each after what it needs."""

    def __init__(self, stages: Sequence[Stage], wanted: Sequence[str] = (), slots: int = 2) -> None:
        names = with_needs(stages, wanted or [stage.name for stage in stages])
        self.slots = slots
        self.waiting = [stage for stage in stages if stage.name in names]
        self.outcomes: dict[str, Outcome] = {}
        self._processes = Processes()

    def run(self) -> list[Outcome]:
        """Run all stages; a failure does not end the others. A signal ends all.

        :returns: how each stage ended, in the order in which they ended.
        """
        running: dict[concurrent.futures.Future[Outcome], Stage] = {}
        with concurrent.futures.ThreadPoolExecutor(self.slots) as pool:
            try:
                while self.waiting or running:
                    self._skip_hopeless()
                    self._start_ready(pool, running)
                    done, _rest = concurrent.futures.wait(running, timeout=0.5, return_when="FIRST_COMPLETED")
                    for future in done:
                        del running[future]
                        self._report(future.result())
            except BaseException:
                self._processes.stop()
                raise
        return list(self.outcomes.values())

    def _skip_hopeless(self) -> None:
        """Give up on stages that need one that has failed or was not run itself."""
        for stage in list(self.waiting):
            missed = [name for name in stage.needs if name in self.outcomes and self.outcomes[name].problem]
            if missed:
                self.waiting.remove(stage)
                self._report(Outcome(stage, problem=f"needs {', '.join(missed)}"))

    def _start_ready(
        self, pool: concurrent.futures.Executor, running: dict[concurrent.futures.Future[Outcome], Stage]
    ) -> None:
        for stage in list(self.waiting):
            if len(running) < self.slots and all(name in self.outcomes for name in stage.needs):
                self.waiting.remove(stage)
                running[pool.submit(self._run_stage, stage)] = stage

    def _run_stage(self, stage: Stage) -> Outcome:
        context = Context(stage.name, self._processes)
        context.log.parent.mkdir(parents=True, exist_ok=True)
        context.log.write_bytes(b"")
        print(f"--- {stage.name}: {stage.about}", flush=True)
        begin = time.monotonic()
        problem = ""
        try:
            stage.function(context)
        except (StageError, toolchain.ToolError) as error:
            problem = str(error)
        except Exception as error:  # the fault of a stage must not end the others
            problem = f"{type(error).__name__}: {error}"
            with context.log.open("a") as log:
                log.write(traceback.format_exc())
        # Never 0: that is the mark of a stage that was not run.
        return Outcome(stage, max(time.monotonic() - begin, 0.001), problem)

    def _report(self, outcome: Outcome) -> None:
        stage = outcome.stage
        output = []
        if outcome.seconds:
            output = (LOGS / f"{stage.name}.log").read_text(errors="replace").splitlines()
        if outcome.problem:
            shown = [f"=== {outcome}", *output[-SHOWN_OF_FAILURE:]]
        else:
            shown = [f"=== {stage.name} passed in {outcome.seconds:.0f} s", *output[-stage.tail :]]
        print("\n".join(shown), flush=True)
        self.outcomes[stage.name] = outcome._replace(last_lines=tuple(output[-REPEATED_OF_FAILURE:]))


def with_needs(stages: Sequence[Stage], wanted: Sequence[str]) -> set[str]:
    """Names of the stages that are wanted and of those that they need."""
    by_name = {stage.name: stage for stage in stages}
    names: set[str] = set()
    left = list(wanted)
    while left:
        name = left.pop()
        if name not in names:
            names.add(name)
            left.extend(by_name[name].needs)
    return names


def summary(outcomes: Sequence[Outcome], seconds: float) -> list[str]:
    """Lines that say how each stage ended; the last one is what CI reads.

    It is pytest's own of the unit tests when all is well; otherwise it counts stages: ``14 passed, 2 failed``.
    """
    bad = [outcome for outcome in outcomes if outcome.problem]
    lines = [str(outcome) for outcome in outcomes if not outcome.problem]
    lines.append(f"{'all':<10} {seconds:6.0f} s")
    for outcome in bad:
        lines += [str(outcome), *(f"  {line}" for line in outcome.last_lines)]
    unit = next((outcome.last_lines for outcome in outcomes if outcome.stage.name == "unit"), ())
    counted = f"{len(outcomes) - len(bad)} passed, {len(bad)} failed"
    return [*lines, unit[-1] if unit and not bad else counted]

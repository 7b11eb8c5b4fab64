#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random histories on real systemd; see docs/design.md, "The state machine".

Run inside the sandbox:

    tests/lab/sandbox.py run -- tests/property/run.py [--count 20] [--steps 25] [--seed 1] [RELEASE...]

Prints each violation as a minimal playbook. One that the same steps do not show again has to do with timing: it is
printed too, and does not count. The histories come in portions of 25, each with a seed of its own, the
next number: to go on where a run was stopped, give the seed that it printed last. Ends with 1 when there was a
violation, and with 2 when the machine itself failed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import multiprocessing
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

import hypothesis
from hypothesis.stateful import run_state_machine_as_test
from lab import containers
from property.host import Host, Lost
from property.judge import Violation
from property.machine import History

PORTION = 25  # histories with one seed
ALL_CHECKS = list(hypothesis.HealthCheck)


class Wanted(t.NamedTuple):
    """What a run is asked for."""

    count: int
    steps: int
    seed: int
    shrink: bool
    survey: bool
    name: str


class Found(t.NamedTuple):
    """What came of the histories of one release."""

    violations: list[str]  # as playbooks
    unsure: list[str]  # seen once, and not again with the same steps
    failure: str  # of the machine; empty when it held
    words: str


def run_release(release: str, wanted: Wanted) -> Found:
    """Run histories on one release, portion by portion, until a violation (all of them in a survey)."""
    host = Host(release, f"{wanted.name}-{release}-{wanted.seed}")
    lost: list[str] = []
    unsure: list[str] = []
    survey: list[str] | None = [] if wanted.survey else None
    begun, violation, failure = time.monotonic(), "", ""
    try:
        # A portion may end early, with a violation that was seen once: the next one makes up for it.
        for seed in itertools.count(wanted.seed):
            many = min(PORTION, wanted.count - host.asked["clean"])
            if violation or many <= 0:
                break
            print(f"systemd {release}: seed {seed}, {many} histories", flush=True)
            machine = type("History", (History,), {"host": host, "lost": lost, "survey": survey})
            violation, once = run_portion(machine, many, seed, wanted)
            unsure += once
    except (Lost, containers.ContainerError) as error:
        failure = str(error)
    finally:
        host.stop()
    seconds = time.monotonic() - begun
    asked = ", ".join(f"{n} x {what} {host.seconds[what] / n:.2f} s" for what, n in host.asked.items())
    tasks = ", ".join(f"{n} {what}" for what, n in sorted(host.outcomes.items()))
    words = f"{host.asked['clean']} histories of {wanted.steps} steps in {seconds:.0f} s (tasks: {tasks}; {asked};"
    words += f" {len(lost)} lost)"
    return Found([*(survey or ()), *([violation] if violation else [])], unsure, failure, words)


def run_portion(machine: type[History], count: int, seed: int, wanted: Wanted) -> tuple[str, list[str]]:
    """Some histories; returns the first violation, shrunk if asked, and those that were seen only once."""
    phases = [hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if wanted.shrink else [])]
    settings = hypothesis.settings(
        max_examples=count,
        stateful_step_count=wanted.steps,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=ALL_CHECKS,
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=hypothesis.Verbosity.quiet,
    )
    try:
        run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=settings)
    except Violation as violation:
        return str(violation), []
    except hypothesis.errors.Unsatisfiable:
        raise Lost(f"no history came to its end: {machine.lost[-1:]}") from None
    except hypothesis.errors.Flaky as flaky:
        seen = [str(error) for error in getattr(flaky, "exceptions", ()) if isinstance(error, Violation)]
        return "", seen or [str(flaky)]
    return "", []


def options_of() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", default=list(containers.SUITES), metavar="RELEASE")
    parser.add_argument("--count", type=int, default=20, help="histories for each release")
    parser.add_argument("--steps", type=int, default=25, help="steps of a history")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-shrink", action="store_true", help="show the history as it was found")
    parser.add_argument("--survey", action="store_true", help="go on after a violation and show the first of each")
    parser.add_argument("--name", default="property", help="what the names of the containers begin with")
    return parser.parse_args()


def tell(release: str, ended: Found) -> None:
    """Print what came of one release."""
    for number, violation in enumerate(ended.violations, 1):
        print(f"--- systemd {release}, violation {number}\n{violation}")
    for once in ended.unsure:
        print(f"--- systemd {release}, seen once, and not again with the same steps\n{once}")
    if ended.failure:
        print(f"systemd {release}: the machine failed, which says nothing about the collection: {ended.failure}")
    print(f"systemd {release}: {len(ended.violations) or 'no'} violations; {ended.words}", flush=True)


def main() -> int:
    options = options_of()
    shrink = not options.no_shrink
    wanted = Wanted(options.count, options.steps, options.seed, shrink, options.survey, options.name)
    # A process for each release: hypothesis keeps its state for the whole process.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        jobs = {pool.submit(run_release, release, wanted): release for release in options.releases}
        found = {}
        for job in concurrent.futures.as_completed(jobs):
            found[jobs[job]] = job.result()
            tell(jobs[job], job.result())
    if any(ended.violations for ended in found.values()):
        return 1
    return 2 if any(ended.failure for ended in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

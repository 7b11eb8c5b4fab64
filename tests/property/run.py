#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random histories on real systemd; see docs/design.md, "The state machine".

Run inside the sandbox:

    tests/lab/sandbox.py run -- tests/property/run.py [--count 20] [--steps 25] [--seed 1] [RELEASE...]

Prints each violation as a minimal playbook, and ends with 1 when there was one.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

import hypothesis
from hypothesis.stateful import run_state_machine_as_test
from property.host import Host
from property.machine import History

RELEASES = ("247", "252", "257", "262")
ALL_CHECKS = list(hypothesis.HealthCheck)


def run_release(release: str, count: int, steps: int, seed: int, shrink: bool, reboots: bool) -> str:
    """Run histories on one release; returns what was violated, empty when nothing was."""
    phases = [hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if shrink else [])]
    settings = hypothesis.settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=ALL_CHECKS,
        report_multiple_bugs=False,
        print_blob=False,
    )
    host = Host(release, f"property-{release}-{seed}")
    machine = type("History", (History,), {"host": host, "reboots": reboots})
    try:
        run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=settings)
    except Exception as error:
        return str(error)
    finally:
        host.stop()
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", default=RELEASES, metavar="RELEASE")
    parser.add_argument("--count", type=int, default=20, help="histories for each release")
    parser.add_argument("--steps", type=int, default=25, help="steps of a history")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-shrink", action="store_true", help="show the history as it was found")
    parser.add_argument("--reboots", action="store_true", help="reboots are among the accidents")
    options = parser.parse_args()
    begun = time.monotonic()
    given = (options.count, options.steps, options.seed, not options.no_shrink, options.reboots)
    # A process for each release: hypothesis keeps its state for the whole process.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        jobs = {release: pool.submit(run_release, release, *given) for release in options.releases}
        found = {release: job.result() for release, job in jobs.items()}
    for release, violation in found.items():
        print(f"systemd {release}: {violation or f'{options.count} histories of {options.steps} steps, no violation'}")
    print(f"seed {options.seed}, {time.monotonic() - begun:.0f} s")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

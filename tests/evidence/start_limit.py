#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start limit against reality: services that always fail, on real systemd, against our prediction.

    tests/lab/sandbox.py run python3 tests/evidence/start_limit.py [--count 200] [--seed 1] [RELEASE...]

For each release ``count`` random combinations of Restart=, RestartSec=, StartLimitBurst=, StartLimitIntervalSec= (from
254 on also RestartSteps= and RestartMaxDelaySec=) and the way to fail run side by side. Each start writes a line, so
the number of starts is counted, not computed. systemd may fire a timer up to 250 ms late: where that alone decides
(``certain`` is false in the prediction) a combination is run and shown, and one more is drawn for the 200.
Exit status 1 when one prediction is wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.restart import (
    SECOND,
    SLACK_PER_RESTART,
    STEPS_SINCE,
    Policy,
    StartLimit,
    restart_delay,
    start_limit_verdict,
)
from lab import containers

FAILURES = {"exit-code": "exit 7", "signal": "kill -KILL $$$$"}
# a wave of services is as large as two processors can serve without making restarts late
WAVE = 20
GRACE = 2.0  # seconds that a wave is watched longer than its slowest prediction


class Case(t.NamedTuple):
    name: str
    policy: Policy
    failure: str
    predicted: StartLimit


def draw(chance: random.Random, number: int, release: int) -> Case:
    """One random combination, small enough to be watched to its end."""
    steps, longest = 0, None
    delay = chance.choice((0, 50, 100, 200, 300, 500, 700, 900, 1000, 1200, 1500, 2000)) * 1000
    if release >= STEPS_SINCE and chance.random() < 0.5:
        steps = chance.randint(1, 5)
        longest = chance.choice((300, 600, 1000, 1500, 2500)) * 1000
    burst = chance.choice((0, 1, 2, 3, 4, 5, 6))
    interval = chance.choice((0, 500, 1000, 2000, 3000, 4000, 6000, 10_000, None))
    if (burst == 0 or interval == 0) and delay < 300_000:
        delay = 300_000  # without a limit nothing but the pause keeps the host from a storm
    policy = Policy(
        restart=chance.choice(
            ("always", "always", "on-failure", "on-failure", "on-abnormal", "on-abort", "on-success", "no")
        ),
        delay=delay,
        steps=steps,
        max_delay=longest,
        burst=burst,
        interval=None if interval is None else interval * 1000,
    )
    failure = chance.choice(("exit-code", "exit-code", "signal"))
    predicted = start_limit_verdict(policy, failure=failure)
    return Case(f"limit{number}.service", policy, failure, predicted)


def unit_text(case: Case) -> str:
    """The unit of a combination."""
    policy = case.policy

    def span(value: int | None) -> str:
        return "infinity" if value is None else f"{value}us"

    lines = [
        "[Unit]",
        f"StartLimitIntervalSec={span(policy.interval)}",
        f"StartLimitBurst={policy.burst}",
        "[Service]",
        f"ExecStart=/bin/sh -c 'echo >>/run/starts/{case.name}; {FAILURES[case.failure]}'",
        f"Restart={policy.restart}",
        f"RestartSec={span(policy.delay)}",
        "StandardOutput=null",
        "StandardError=null",
    ]
    if policy.steps:
        lines += [f"RestartSteps={policy.steps}", f"RestartMaxDelaySec={span(policy.max_delay)}"]
    return "\n".join([*lines, ""])


def watch_seconds(case: Case) -> float:
    """How long to watch until reality must have shown itself: past the start that a limit could refuse."""
    policy = case.policy
    delays = [restart_delay(policy, number) or 0 for number in range(1, policy.burst + 3)]
    if case.predicted.starts == 1 and not case.predicted.gives_up:
        return 1.0
    return (sum(delays) + len(delays) * SLACK_PER_RESTART) / SECOND


def run_wave(container: str, cases: t.Sequence[Case]) -> dict[str, tuple[str, int]]:
    """Start the services of one wave and watch them: {name: (ActiveState, number of starts)}."""
    containers.run(container, ["rm", "-rf", "/run/starts"])
    containers.run(container, ["mkdir", "-p", "/run/starts"])
    script = "".join(f"cat >/run/systemd/system/{case.name} <<'END'\n{unit_text(case)}END\n" for case in cases)
    names = " ".join(case.name for case in cases)
    containers.run(container, ["sh"], data=f"{script}systemctl daemon-reload\nsystemctl start --no-block {names}\n")
    time.sleep(max(watch_seconds(case) for case in cases) + GRACE)
    shown = containers.run(
        container,
        [
            "sh",
            "-c",
            f"for u in {names}; do echo $u $(systemctl show -p ActiveState --value $u) $(wc -l </run/starts/$u); done",
        ],
    ).stdout
    containers.run(
        container,
        [
            "sh",
            "-c",
            f"systemctl stop {names}; systemctl reset-failed; cd /run/systemd/system && rm {names}"
            "; systemctl daemon-reload",
        ],
    )
    return {name: (result, int(count)) for name, result, count in (line.split() for line in shown.splitlines())}


def agrees(case: Case, state: str, starts: int) -> bool:
    """Does what happened equal what was predicted? The number of starts is part of it.

    Between two starts a service is ``activating``; it is ``failed`` only once systemd does not try again.
    """
    if case.predicted.starts:
        return state == "failed" and starts == case.predicted.starts
    return state != "failed" and starts > max(1, case.policy.burst)


def compare(release: str, count: int, seed: int) -> int:
    """Run the combinations on one release and print the figures. Returns the number of wrong predictions."""
    chance = random.Random(f"{seed}-{release}")
    certain: list[Case] = []
    open_cases: list[Case] = []
    number = 0
    while len(certain) < count:
        number += 1
        case = draw(chance, number, int(release))
        (certain if case.predicted.certain else open_cases).append(case)
    container = containers.start(release, f"limit{release}")
    begun = time.monotonic()
    # services of like duration share a wave, so that none is watched for long without need
    cases = sorted([*certain, *open_cases], key=watch_seconds)
    seen: dict[str, tuple[str, int]] = {}
    for position in range(0, len(cases), WAVE):
        seen.update(run_wave(container, cases[position : position + WAVE]))
    containers.stop(container)
    wrong = [case for case in certain if not agrees(case, *seen[case.name])]
    given_up = sum(case.predicted.gives_up for case in certain)
    late = sum(seen[case.name][0] != "failed" for case in open_cases)
    print(
        f"systemd {release}: {len(certain)} combinations, {given_up} give up, {len(wrong)} predictions wrong; "
        f"{len(open_cases)} more that only the timers decide, of which {late} went on; "
        f"{time.monotonic() - begun:.0f} s",
        flush=True,
    )
    for case in wrong:
        print(f"  {case.policy} fails by {case.failure}: predicted {case.predicted}, seen {seen[case.name]}")
    return len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    options = parser.parse_args()
    releases = options.releases or list(containers.SUITES)
    return 1 if sum(compare(release, options.count, options.seed) for release in releases) else 0


if __name__ == "__main__":
    sys.exit(main())

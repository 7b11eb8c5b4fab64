#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role worker under a storm: kills a worker every second, then has fewer, and more with a new release. Counts the jobs.

    tests/lab/sandbox.py run python3 tests/programs/worker_storm.py [--jobs 10000] [--release 257] [--seed 1]
        [--brief] [SOFTWARE...]

SOFTWARE is celery, celery-amqp (over RabbitMQ, not with --brief), rq or messenger. --brief: in place of the storm
each worker is killed once, when it has begun a job, then a new release comes, and a broken one; all SOFTWARE at the
same time. Exit status 1 when a job was lost. What celery loses over Redis in the storm is only printed: a job whose
worker is killed just after taking it (github.com/celery/kombu/issues/305).
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from lab import containers
from lab.playbook import play

JOB_SECONDS = "0.02"
STORY = "/root/worker_story.py"
ALL = ("celery", "celery-amqp", "rq", "messenger")
MAY_LOSE = ("celery",)
WORKERS = 4
# A file of the application that breaks it, and what is said of that.
BROKEN = {
    "celery": ("tasks.py", "import no_such_module", "No module named 'no_such_module'"),
    "rq": ("jobs.py", "import no_such_module", "No module named 'no_such_module'"),
    "messenger": ("console", "<?php function (", "PHP Parse error"),
}


def release(software: str, instances: int, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Apply the role with the example of the software and other files in it, which make it another release."""
    with tempfile.TemporaryDirectory() as folder:
        application = Path(folder, "application")
        shutil.copytree(ROOT / "playbooks/files/worker" / software.partition("-")[0], application)
        for name, text in files.items():
            (application / name).write_text(text)
        groups = containers.inventory({software: containers.running()[software]})
        variables = {"storm": software, "storm_application": str(application), "worker_instances": instances}
        playbook = Path(__file__).with_suffix(".yml")
        return play(groups, playbook, "-e", json.dumps(variables), capture_output=True, check=False)


def apply(software: str, instances: int, version: str = "1") -> None:
    """Apply the role; another version is another release."""
    done = release(software, instances, {"VERSION": version})
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def refuses(software: str) -> bool:
    """Whether the role refuses a release that cannot be loaded, says why, and leaves the workers as they are."""
    name, text, why = BROKEN[software]
    show = ["systemctl", "show", "--property=MainPID,ActiveState,NRestarts", "worker@*"]
    before = containers.run(software, show).stdout
    done = release(software, WORKERS, {name: text})
    good = done.returncode != 0 and why in done.stdout and before == containers.run(software, show).stdout
    print(f"{software}, release that cannot be loaded: {'refused' if good else done.stdout}", flush=True)
    return good


def chapter(software: str, *words: object) -> dict:
    """A chapter of worker_story.py on the host, and what it has seen."""
    command = ["python3", STORY, software.partition("-")[0], *map(str, words)]
    return json.loads(containers.run(software, command).stdout)


def report(what: str, seen: dict, jobs: int) -> int:
    """Print what became of the jobs; the number of those that were lost."""
    times = {int(number): count for number, count in seen["times_done"].items()}
    again = sum(count for number, count in times.items() if number > 1)
    lost = times.get(0, 0)
    print(f"{what}: {jobs - lost} of {jobs} done, {lost} lost, {again} done twice or more", flush=True)
    return lost


def storm(software: str, jobs: int, seed: int) -> bool:
    """Kill a worker every second, then scale; whether no job was lost that the software can keep."""
    seen = chapter(software, "storm", jobs, seed, JOB_SECONDS)
    kills = f"{software}, {WORKERS} workers, {seen['kills']} kills in {seen['seconds']} s"
    kept = report(kills, seen, jobs) == 0 or software in MAY_LOSE
    chapter(software, "add", "scaled", jobs, JOB_SECONDS)
    apply(software, 1)
    apply(software, 8, version="2")
    seen = chapter(software, "done", "scaled", jobs)
    return report(f"{software}, {WORKERS} -> 1 -> 8 workers of a new release", seen, jobs) == 0 and kept


def brief(software: str, jobs: int) -> bool:
    """Kill each worker at work, bring a new release, then a broken one; whether no job was lost."""
    lost = report(f"{software}, {WORKERS} workers killed at work", chapter(software, "killed", WORKERS), WORKERS)
    chapter(software, "add", "released", jobs, JOB_SECONDS)
    apply(software, WORKERS, version="2")
    lost += report(f"{software}, new release", chapter(software, "done", "released", jobs), jobs)
    return refuses(software) and lost == 0


def run(software: str, options: argparse.Namespace) -> bool:
    """What is asked for, on a host of its own."""
    containers.start(options.release, software)
    try:
        apply(software, WORKERS)
        containers.write_file(software, STORY, (ROOT / "tests/programs/worker_story.py").read_text())
        if options.brief:
            return brief(software, options.jobs)
        return storm(software, options.jobs, options.seed)
    finally:
        containers.stop(software)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--release", default="257")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("software", nargs="*", metavar="SOFTWARE", help=f"{', '.join(ALL)} (default: all)")
    options = parser.parse_args()
    wanted = options.software or (BROKEN if options.brief else ALL)
    with concurrent.futures.ThreadPoolExecutor(len(wanted) if options.brief else 1) as pool:
        results = list(pool.map(lambda software: run(software, options), wanted))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

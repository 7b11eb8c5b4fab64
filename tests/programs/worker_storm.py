#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role worker under a storm: jobs are counted while workers are killed at random, and made fewer and more.

    tests/lab/sandbox.py run python3 tests/programs/worker_storm.py [--jobs 10000] [--release 257] [--seed 1]
        [LANGUAGE...]

A job leaves one character in a file of its own for each time it is done, so what was done is counted where it was done
and not believed. Exit status 1 when a job was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from lab import containers

HOST = "storm"
JOB_SECONDS = 0.02
# Standard input: names of jobs. Prints how often each was done: {number of times: number of jobs}.
COUNT = """
import collections, json, os, sys
sizes = {entry.name: entry.stat().st_size for entry in os.scandir("/var/lib/worker/")}
print(json.dumps(collections.Counter(sizes.get(name, 0) for name in sys.stdin.read().split())))
"""
# Runs on the host, where a command takes no container's time. Argument: a seed. Prints the number of kills.
KILLER = """
import json, random, subprocess, sys, time
def ask(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout
chance, kills, following = random.Random(int(sys.argv[1])), 0, time.monotonic()
while True:
    if kills % 5 == 0:
        left = json.loads(ask("worker-queue", "counts", "--json") or '{"ready": 1, "taken": 0, "delayed": 0}')
        if left["ready"] + left["taken"] + left["delayed"] == 0:
            break
    following += 1
    time.sleep(max(0, following - time.monotonic()))
    listed = ask("systemctl", "list-units", "--plain", "--no-legend", "--state=running", "worker@*")
    if listed:
        subprocess.run(["systemctl", "kill", "--signal=KILL", chance.choice(listed.splitlines()).split()[0]])
        kills += 1
print(kills)
"""


def on_host(*command: str, stdin: str | None = None) -> str:
    """Run a command on the host.

    :returns: what it prints; nothing when it fails, for example while Redis starts.
    """
    return containers.run(HOST, list(command), data=stdin, check=False).stdout


def apply(language: str, instances: int) -> None:
    """Apply the role."""
    with tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder, "inventory.json")
        inventory.write_text(json.dumps(containers.inventory({HOST: containers.running()[HOST]})))
        variables = json.dumps({"language": language, "worker_instances": instances})
        playbook = ROOT / "tests/programs/worker_storm.yml"
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, playbook, "-e", variables]
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def counts() -> dict[str, int]:
    """What worker-queue says, or nothing when it cannot."""
    answer = on_host("worker-queue", "counts", "--json")
    return json.loads(answer) if answer else {}


def load(name: str, jobs: int) -> list[str]:
    """Put jobs in and return their ids."""
    names = [f"{name}{number}" for number in range(jobs)]
    lines = [json.dumps({"type": "t", "payload": {"seconds": JOB_SECONDS}, "id": each}) for each in names]
    put = on_host("worker-queue", "load", stdin="\n".join(lines)).strip()
    if put != str(jobs):
        raise SystemExit(f"{put} of {jobs} jobs were put in")
    return names


def is_done() -> bool:
    left = counts()
    return bool(left) and left["ready"] + left["taken"] + left["delayed"] == 0


def running() -> list[str]:
    """Workers that run."""
    listed = on_host("systemctl", "list-units", "--plain", "--no-legend", "--state=running", "worker@*")
    return [line.split()[0] for line in listed.splitlines()]


def kill_until_done(chance: random.Random) -> int:
    """Kill a worker every second until nothing is left to do; the number of kills."""
    return int(on_host("python3", "-c", KILLER, str(chance.randrange(10**6))))


def report(what: str, names: list[str], before: dict[str, int], seconds: float) -> bool:
    """Print what became of the jobs; whether none was lost."""
    times = {
        int(number): jobs
        for number, jobs in json.loads(on_host("python3", "-c", COUNT, stdin="\n".join(names))).items()
    }
    lost, after = times.get(0, 0), counts()
    again = sum(jobs for number, jobs in times.items() if number > 1)
    print(
        f"{what}: {len(names) - lost} of {len(names)} done, {lost} lost, {again} done twice or more, "
        f"{after['lost'] - before['lost']} given out again, {after['dead']} set aside, {seconds:.0f} s",
        flush=True,
    )
    return lost == 0 and after["dead"] == 0 and after["jobs"] == 0


def storm(language: str, release: str, jobs: int, chance: random.Random) -> bool:
    """Both halves for one language; whether no job was lost."""
    containers.start(release, HOST)
    try:
        apply(language, 4)
        before, begin = counts(), time.monotonic()
        names = load("killed", jobs)
        kills = kill_until_done(chance)
        well = report(f"{language}, 4 workers, {kills} kills", names, before, time.monotonic() - begin)
        before, begin = counts(), time.monotonic()
        names = load("scaled", jobs)
        for instances in (1, 8):
            apply(language, instances)
            if len(running()) != instances:
                raise SystemExit(f"{running()} run, not {instances}")
        while not is_done():
            time.sleep(0.5)
        return report(f"{language}, 4 -> 1 -> 8 workers", names, before, time.monotonic() - begin) and well
    finally:
        containers.stop(HOST)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--release", default="257")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help="python, php (default: both)")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    results = [
        storm(language, options.release, options.jobs, chance) for language in options.languages or ("python", "php")
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills and stops the workers of this host and records what it sees, for test_worker.py.

Runs on the hosts, Python 3.9.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

STORY = Path("/root/story.json")
RESULTS = Path("/var/lib/worker")
PATIENCE_SECONDS = 600  # a loaded machine with eight PHP workers takes its time
JOBS = 240
KILLS = 8


def run(*command, stdin=None):
    """Run a command and return what it prints."""
    return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout


def counts():
    return json.loads(run("worker-queue", "counts", "--json"))


def wait(what):
    """Wait until a function says true and return what it said; the counts and a status tell why it does not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (said := what()):
        if time.monotonic() > deadline:
            status = subprocess.run(
                ["systemctl", "status", "--no-pager", "worker@*"], check=False, capture_output=True, text=True
            )
            raise SystemExit(f"{counts()}\n{status.stdout}")
        time.sleep(0.1)
    return said


def all_are_done():
    left = counts()
    return left["ready"] + left["taken"] + left["delayed"] == 0


def wait_until_one_more_is_done():
    done = counts()["done"]
    wait(lambda: counts()["done"] > done or all_are_done())


def load(name, number, seconds):
    jobs = [{"type": "t", "payload": {"seconds": seconds}, "id": f"{name}{index}"} for index in range(number)]
    run("worker-queue", "load", stdin="\n".join(map(json.dumps, jobs)))


def times_done(name, number):
    """How often each job was done: number of times -> number of jobs."""
    times = [
        len(path.read_text()) if path.exists() else 0
        for path in (RESULTS / f"{name}{index}" for index in range(number))
    ]
    return {str(count): times.count(count) for count in sorted(set(times))}


def running(state="running"):
    """Instances that run."""
    listed = run("systemctl", "list-units", "--plain", "--no-legend", f"--state={state}", "worker@*")
    return sorted(line.split()[0] for line in listed.splitlines())


def stop():
    """Stop the workers. systemctl itself waits for their target only."""
    run("systemctl", "stop", "workers.target")
    wait(lambda: not running("active,activating,deactivating"))


def kill_at_random():
    load("killed", JOBS, 0.1)
    for _unused in range(KILLS):
        victim = random.choice(wait(running))
        subprocess.run(["systemctl", "kill", "--signal=KILL", victim], check=False)
        wait_until_one_more_is_done()
    wait(all_are_done)
    return {"times_done": times_done("killed", JOBS), "counts": counts()}


def stop_at_work():
    wait(lambda: len(running()) == 4)
    # Ends when there is a file, however slow this machine may be.
    run("worker-queue", "put", "t", json.dumps({"until": str(RESULTS / "go")}), "--id", "last0")
    wait(lambda: counts()["taken"] == 1)
    run("systemctl", "stop", "workers.target")
    wait(lambda: not running() and len(running("deactivating")) == 1)
    seen = {"still_at_work": len(running("deactivating"))}
    (RESULTS / "go").touch()
    stop()
    seen.update(running=running(), times_done=times_done("last", 1))
    load("after", 1, 0)
    seen["ready"] = counts()["ready"]
    run("systemctl", "start", "workers.target")
    wait(all_are_done)
    return {**seen, "running_again": running()}


def let_jobs_fail():
    run("worker-queue", "put", "t", '{"fail": true}', "--id", "bad")
    wait(lambda: counts()["dead"] == 1)
    dead = json.loads(run("worker-queue", "dead"))
    run("worker-queue", "drop-dead")
    return dead


def run_the_timer():
    run("systemctl", "start", "worker-tidy.service")
    wait(all_are_done)
    return (RESULTS / "tidy").read_text()


def begin():
    seen = {
        "killed": kill_at_random(),
        "stopped": stop_at_work(),
        "failed": let_jobs_fail(),
        "periodic": run_the_timer(),
    }
    load("scaled", JOBS, 0.2)
    return seen


def fewer():
    return {"fewer": {"running": running(), "ready": counts()["ready"]}}


def more():
    wait(lambda: len(running()) == 8)
    wait(all_are_done)
    seen = {"running": running(), "times_done": times_done("scaled", JOBS)}
    stop()
    load("left", 20, 0)
    return {"more": seen}


def rebooted():
    wait(all_are_done)
    wait(lambda: len(running()) == 8)
    return {"rebooted": {"running": running(), "times_done": times_done("left", 20), "counts": counts()}}


if __name__ == "__main__":
    story = json.loads(STORY.read_text()) if STORY.exists() else {}
    story.update({"begin": begin, "fewer": fewer, "more": more, "rebooted": rebooted}[sys.argv[1]]())
    STORY.write_text(json.dumps(story, indent=2))

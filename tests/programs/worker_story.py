#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills and stops the workers of role worker on this host, and counts what became of their jobs.

    worker_story.py SOFTWARE CHAPTER [ARGUMENT...]

Runs on the hosts, Python 3.9, with the examples of playbooks/files/worker. A job leaves one character in a file of its
own for each time it is done, so what was done is counted where it was done. A chapter adds to /root/story.json.
"""

import json
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

STORY = Path("/root/story.json")
RESULTS = Path("/var/lib/worker")
# An RQ worker that is killed while it looks for jobs of killed workers leaves a lock, which ends after 899 s.
PATIENCE_SECONDS = 1800
REDIS = "worker-redis.service"

ADD_CELERY = """
import json, sys
from tasks import record
for each in json.load(sys.stdin):
    record.delay(**each)
"""
ADD_RQ = """
import json, os, sys
from redis import Redis
from rq import Queue, Retry
from jobs import record
queue = Queue("default", connection=Redis.from_url(os.environ["RQ_REDIS_URL"]))
for each in json.load(sys.stdin):
    queue.enqueue(record, kwargs=each, retry=Retry(max=2 if each.get("fail") else 1000))
"""
# Commands of Redis whose answers add up to the jobs that are not done; then for jobs in hand, and for failed ones.
LEFT = {
    "celery": ("LLEN celery", "HLEN unacked"),
    "rq": ("LLEN rq:queue:default", "ZCARD rq:wip:default", "LLEN rq:queue:default:intermediate"),
    # Not XLEN: an entry stays that a worker has acknowledged and, killed, not deleted.
    "messenger": ("XINFO GROUPS async", "ZCARD async__queue"),
}
TAKEN = {"celery": "HLEN unacked", "rq": "ZCARD rq:wip:default", "messenger": "XPENDING async symfony"}
FAILED = {"celery": "DBSIZE", "rq": "ZCARD rq:failed:default", "messenger": "XLEN failed"}


def run(*command, stdin=None):
    """Run a command and return what it prints."""
    return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout


def secret(name):
    found = re.search(f'^{name}="(.*)"$', Path("/etc/worker.secrets").read_text(), re.MULTILINE)
    return found[1] if found else ""


class Queue:
    """The queue of one kind of software."""

    def __init__(self, software):
        self.software = software
        self.url = secret("CELERY_BROKER_URL") or secret("RQ_REDIS_URL") or secret("MESSENGER_TRANSPORT_DSN")

    def ask(self, command):
        """A number that Redis answers, for a stream what waits and what is taken; None when there is no answer."""
        done = subprocess.run(
            ["redis-cli", "-u", self.url, *command.split()], check=False, capture_output=True, text=True
        )
        if "XINFO" in command:
            parts = re.findall(r"^(?:pending|lag)\n(\d+)$", done.stdout, re.MULTILINE)
            return sum(map(int, parts)) if len(parts) == 2 else None
        number = re.match(r"\d+", done.stdout)
        return int(number[0]) if number else None

    def left(self):
        """Number of jobs that are not done; None when nobody can tell."""
        if self.url.startswith("amqp"):
            listed = run("rabbitmqctl", "--quiet", "list_queues", "--no-table-headers", "name", "messages").splitlines()
            return sum(int(line.split()[1]) for line in listed if line.startswith("celery\t"))
        answers = [self.ask(command) for command in LEFT[self.software]]
        return None if None in answers else sum(answers)

    def waiting(self):
        """Number of jobs that no worker has had yet, give or take those in hand."""
        return self.left() if self.url.startswith("amqp") else self.ask(LEFT[self.software][0])

    def taken(self):
        return self.ask(TAKEN[self.software])

    def let_time_pass(self):
        """Make the jobs in hand so old that the next worker of Celery that starts gives them out again."""
        tags = run("redis-cli", "-u", self.url, "ZRANGE", "unacked_index", "0", "-1").split()
        run("redis-cli", "-u", self.url, "ZADD", "unacked_index", "XX", *(word for tag in tags for word in ("0", tag)))

    def failed(self):
        if self.software != "celery":
            return self.ask(FAILED[self.software])
        keys = run("redis-cli", "-u", self.url, "--scan", "--pattern", "celery-task-meta-*").split()
        return sum('"FAILURE"' in run("redis-cli", "-u", self.url, "GET", key) for key in keys)

    def add(self, name, number=1, **what):
        """Add jobs NAME0, NAME1 and so on, as the application does."""
        stdin = None
        if self.software == "messenger":
            options = [f"--{key}" if value is True else f"--{key}={value}" for key, value in what.items()]
            command = ["/usr/bin/php", "console", "app:add", name, f"--count={number}", *options]
        else:
            stdin = json.dumps([{"name": f"{name}{index}", **what} for index in range(number)])
            command = ["/usr/bin/python3", "-c", ADD_CELERY if self.software == "celery" else ADD_RQ]
        place = ("--property=EnvironmentFile=/etc/worker.secrets", "--property=WorkingDirectory=/opt/worker/current")
        run("systemd-run", "--quiet", "--pipe", "--wait", "--collect", *place, "--", *command, stdin=stdin)


def wait(what):
    """Wait until a function says true and return what it said; the status tells why it does not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (said := what()):
        if time.monotonic() > deadline:
            status = subprocess.run(
                ["systemctl", "status", "--no-pager", "worker@*"], check=False, capture_output=True, text=True
            )
            raise SystemExit(status.stdout)
        time.sleep(0.1)
    return said


def times_done(name, number):
    """How often each job was done: number of times -> number of jobs."""
    times = [
        len(path.read_text()) if path.exists() else 0
        for path in (RESULTS / f"{name}{index}" for index in range(number))
    ]
    return {str(count): times.count(count) for count in sorted(set(times))}


def instances(state="active,activating"):
    listed = run("systemctl", "list-units", "--plain", "--no-legend", f"--state={state}", "worker@*")
    return sorted(line.split()[0] for line in listed.splitlines())


def stop():
    """Stop the workers. systemctl itself waits for their target only."""
    run("systemctl", "stop", "workers.target")
    wait(lambda: not instances("active,activating,deactivating"))


def kill(unit):
    subprocess.run(["systemctl", "kill", "--signal=KILL", unit], check=False, stderr=subprocess.DEVNULL)


def kill_at_work(queue, number=1):
    """Kill all workers while some have a job each; these jobs are given out again."""
    queue.add("killed", number, until=str(RESULTS / "again"))
    wait(lambda: queue.taken() == number)
    for unit in instances():
        kill(unit)
    (RESULTS / "again").touch()


def kill_with_a_job(queue):
    """Kill a worker at work, and Redis, which loses nothing it has taken."""
    kill_at_work(queue)
    wait(lambda: queue.left() == 0)
    seen = {"times_done": times_done("killed", 1)}
    stop()
    queue.add("kept", 50)
    kill(REDIS)
    wait(lambda: queue.left() is not None)
    seen["kept"] = queue.left()
    run("systemctl", "start", "workers.target")
    wait(lambda: queue.left() == 0)
    return {**seen, "kept_done": times_done("kept", 50)}


def stop_at_work(queue):
    # Ends when there is a file, however slow this machine may be.
    queue.add("last", until=str(RESULTS / "go"))
    wait(queue.taken)
    run("systemctl", "stop", "--no-block", "workers.target")
    wait(lambda: not instances() and len(instances("deactivating")) == 1)
    queue.add("after")
    (RESULTS / "go").touch()
    stop()
    seen = {"times_done": times_done("last", 1), "left": queue.left()}
    run("systemctl", "start", "workers.target")
    wait(lambda: queue.left() == 0)
    return {**seen, "after": times_done("after", 1), "running": instances()}


def let_a_job_fail(queue):
    queue.add("bad", fail=True)
    queue.add("good", 5)
    wait(queue.failed)
    wait(lambda: queue.left() == 0)
    return {"failed": queue.failed(), "bad": times_done("bad", 1), "good": times_done("good", 5)}


def restart_renamed(_queue):
    """Restart a worker when the host has another name than at the time at which systemd read its unit."""
    before = run("uname", "-n").strip()
    run("hostname", "renamed")
    done = subprocess.run(["systemctl", "restart", "worker@1.service"], check=False, capture_output=True, text=True)
    run("hostname", before)
    return done.stderr or "running"


def run_the_timer(_queue):
    run("systemctl", "start", "worker-tidy.service")
    wait((RESULTS / "100% tidy").exists)
    return (RESULTS / "100% tidy").read_text()


def begin(queue):
    seen = {"stopped": stop_at_work(queue), "failed": let_a_job_fail(queue), "renamed": restart_renamed(queue)}
    if ":6390/" in f"{queue.url}/":  # the Redis of the role
        seen.update(periodic=run_the_timer(queue), killed=kill_with_a_job(queue))
    queue.add("scaled", 100, seconds=0.2)
    return seen


def fewer(_queue):
    return {"fewer": instances()}


def more(queue):
    wait(lambda: queue.left() == 0)
    seen = {"running": instances(), "times_done": times_done("scaled", 100)}
    stop()
    queue.add("left", 20)
    return {"more": seen}


def rebooted(queue):
    wait(lambda: queue.left() == 0 and len(instances()) == 8)
    return {"rebooted": {"running": instances(), "times_done": times_done("left", 20)}}


def killed(queue, workers):
    """Kill workers at a known point, when each has begun a job; do not wait until Celery takes them for lost."""
    kill_at_work(queue, int(workers))
    if queue.software == "celery":
        queue.let_time_pass()
        run("systemctl", "restart", "workers.target")
    wait(lambda: queue.left() == 0)
    return {"times_done": times_done("killed", int(workers))}


def storm(queue, jobs, seed, seconds):
    """Kill a worker every second while jobs wait. What killed workers had is found when nobody is killed any more."""
    chance, kills, start = random.Random(int(seed)), 0, time.monotonic()
    adding = threading.Thread(target=queue.add, args=("storm", int(jobs)), kwargs={"seconds": float(seconds)})
    adding.start()
    done_before = -1
    while adding.is_alive() or (queue.waiting() or 0) > len(instances()):
        following = time.monotonic() + 1
        # Workers that are killed faster than they start would never do a job.
        done = len(list(RESULTS.glob("storm*")))
        if done > done_before:
            kill(chance.choice(instances() or ["worker@1.service"]))
            kills, done_before = kills + 1, done
        time.sleep(max(0, following - time.monotonic()))
    wait(lambda: queue.left() == 0)
    return {"kills": kills, "seconds": round(time.monotonic() - start), "times_done": times_done("storm", int(jobs))}


def add(queue, name, jobs, seconds):
    queue.add(name, int(jobs), seconds=float(seconds))
    return {}


def done(queue, name, jobs):
    wait(lambda: queue.left() == 0)
    return {"times_done": times_done(name, int(jobs))}


if __name__ == "__main__":
    CHAPTERS = {each.__name__: each for each in (begin, fewer, more, rebooted, killed, storm, add, done)}
    said = CHAPTERS[sys.argv[2]](Queue(sys.argv[1]), *sys.argv[3:])
    story = json.loads(STORY.read_text()) if STORY.exists() else {}
    STORY.write_text(json.dumps({**story, **said}, indent=2))
    print(json.dumps(said))

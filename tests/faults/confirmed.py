#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs in a container: kill a part of a confirmed deployment before its k-th call for k = 1, 2, 3 ..., and look.

Reads a job as ``loop.py`` does. ``victim`` is ``module``, ``confirm`` (the process that confirms) or ``guard`` (the
service that puts back what nobody confirms). Prints ``{calls, killed, old, new, problems: [text]}``: how many calls
there are, how many attempts were killed and in which state the host was in the end.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
import time

from faults import loop

# A drop-in of every guard; the last part of its name is the number of the deployment.
GUARD_FOLDER = "/run/systemd/system/unitcraft-confirm-.service.d"
GUARD = """\
[Service]
NotifyAccess=all
RestartSec=0
ExecStart=
ExecStart=/run/killed-guard/once %j
"""
GUARD_ONCE = """\
#!/bin/sh
set -- python3 -I {folder}/confirm-$1.zip
mkdir /run/killed-guard/hit 2>/dev/null && exec {tracer} "$@"
exec "$@"
"""
LONGEST = 300.0  # seconds until the host has to be in one of the two states, on a machine that is busy
MOST_OF_AN_ANSWER = 500  # bytes of what is left for who confirms again


def deploy(job, which, tracer=(), within=60):
    """Run the module; returns its result, or None when it was killed."""
    arguments = {**job["arguments"][which], "confirm": {"within": within}}
    command = [*tracer, *job["command"]]
    ended = subprocess.run(command, input=json.dumps(arguments).encode(), capture_output=True, check=False)
    return None if ended.returncode < 0 else json.loads(ended.stdout.decode())


def confirm(result, tracer=()):
    """Confirm what waits for it; returns the exit status, below 0 when the process was killed."""
    return subprocess.run([*tracer, *result["_confirm"]["command"]], capture_output=True, check=False).returncode


def trace_guard(tracer):
    """Have the first process of the next guard run under a tracer."""
    os.makedirs(GUARD_FOLDER, exist_ok=True)
    shutil.rmtree("/run/killed-guard", ignore_errors=True)
    text = GUARD_ONCE.format(folder=loop.STATE_FOLDER, tracer=" ".join(tracer))
    loop.write_program("/run/killed-guard/once", text)
    with open(f"{GUARD_FOLDER}/50-traced.conf", "w") as stream:
        stream.write(GUARD)
    subprocess.run(["systemctl", "daemon-reload"], check=True)


def left():
    """The files of guards, but for those that only answer who confirms again, and those that run."""
    found = [path for path in glob.glob(f"{loop.STATE_FOLDER}/confirm-*") if os.path.getsize(path) > MOST_OF_AN_ANSWER]
    found += glob.glob("/etc/systemd/system/**/*confirm-*", recursive=True)
    return found + running()


def running():
    units = ["systemctl", "list-units", "--plain", "--no-legend", "unitcraft-confirm-*"]
    return subprocess.run(units, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()


def go(job, victim, which, tracer):
    """One deployment with a part of it under a tracer. Returns ``(was it killed, the states it may lead to)``."""
    if victim == "guard":
        trace_guard(tracer)
        result = deploy(job, which, within=1)
        return "_confirm" in result, (loop.OTHER[which],)
    result = deploy(job, which, tracer if victim == "module" else (), 20)
    if result is None or "_confirm" not in result:
        return result is None, (loop.OTHER[which],)
    status = confirm(result, tracer if victim == "confirm" else ())
    return status < 0, ("old", "new") if status < 0 else (which,) if status == 0 else (loop.OTHER[which],)


def settle():
    """Wait until the host has decided by itself; returns what has not ended."""
    intent, end = glob.glob(f"{loop.STATE_FOLDER}/intent.json"), time.time() + LONGEST
    while (intent or running()) and time.time() < end:
        time.sleep(0.1)
        intent = glob.glob(f"{loop.STATE_FOLDER}/intent.json")
    return intent + running()


def clear(job, which, has_guard):
    """What the next run, to the state that the host is in, finds and does.

    :param has_guard: whether the guard was at work, and so had to take everything away itself.
    """
    problems = [f"left: {text}" for text in left()] if has_guard else []
    result = loop.run_module(job, which)
    if result.get("failed"):
        problems.append(f"the next run failed: {result['msg']}")
    return problems + [f"left after the next run: {text}" for text in left()]


def places_of(job, which):
    """The calls of the victim in a deployment that nothing disturbs, as ``[(name, number)]``."""
    go(job, job["victim"], which, ["strace", "-qq", "-A", "-o", loop.TRACE, "-e", "trace=" + ",".join(loop.CALLS)])
    settle()
    with open(loop.TRACE) as stream:
        calls = loop.calls_in(stream.read())
    os.unlink(loop.TRACE)
    return [(name, number) for name, number, _first in calls]


def look(references):
    """Which of the two states the host is in; else what differs from the nearer one."""
    now = loop.snapshot(references["job"])
    now["files"] = {path: file for path, file in now["files"].items() if "unitcraft-confirm-" not in path}
    differing = {}
    for which in loop.OTHER:
        parts = ({part: seen[part] for part in ("files", "states")} for seen in (references[which], now))
        differing[which] = loop.difference(*parts)
        if not differing[which]:
            return which, []
    return "", min(differing.values(), key=len)


def main():
    job = json.load(sys.stdin)
    references = {**loop.references_of(job), "job": job}
    places = places_of(job, "old")  # after the references, the host is new
    outcome = {"calls": len(places), "killed": 0, "old": 0, "new": 0, "problems": []}
    end = time.time() + job["seconds"]
    loop.run_module(job, "old")
    state = "old"
    for number in range(job["first"] - 1, len(places), job["step"]):
        name, count = places[number]
        subprocess.run(["systemctl", "reset-failed"], check=True)
        started = time.time()
        killed, expected = go(job, job["victim"], loop.OTHER[state], loop.injector(job, (name, count)))
        problems = [f"does not end: {text}" for text in settle()]
        found, differing = look(references)
        problems += differing or clear(job, found, has_guard=job["victim"] != "module")
        if found and found not in expected:
            problems.append(f"the host is {found} instead of {' or '.join(expected)}")
        outcome["killed"] += killed
        print(number + 1, name, count, state, killed, found, f"{time.time() - started:.1f} s", file=sys.stderr)
        outcome["problems"] += [f"{number + 1} ({name} {count}) from {state}: {text}" for text in problems]
        if not found:
            loop.run_module(job, "old")
            found = "old"
        outcome[found] += 1
        state = found
        if len(outcome["problems"]) > 20 or time.time() > end:
            break
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()

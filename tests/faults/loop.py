#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs in a container: harm a run of the module at its k-th step for k = 1, 2, 3 ..., run it again, compare.

Reads a job as JSON from standard input: ``{command: [argv], arguments: {old: {}, new: {}}, units: [names],
watched: [folders], untouched: unit, first: k, step: n, seconds: s, fault: kind, victim: word}``. The kinds of fault:

* ``kill``: SIGKILL before the k-th system call that changes a file, starts a process or sends a message. ``victim`` is
  ``module``, or a word of the systemctl calls that are killed instead of the module itself.
* ``ENOSPC`` and ``EROFS``: the k-th system call that changes a file fails so.
* ``fails`` and ``hangs``: the k-th call of one of systemd's programs does so.

Prints ``{calls, faults, recovered, failed, reached, problems: [text]}``.
"""

from __future__ import annotations

import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

# All that changes a file, starts a process or sends a message. A file that has been opened for writing, and no more, is
# seen at the call after it: a killed process does not get to make the call it is killed at.
CALLS = (
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "syncfs",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "flock",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "execve",
    "kill",
    "sendmsg",
    "sendto",
)
CHANGING = tuple(
    name
    for name in CALLS
    if name not in ("flock", "clone", "clone3", "fork", "vfork", "execve", "kill", "sendmsg", "sendto")
)
ERRORS = ("ENOSPC", "EROFS")
PROGRAMS = ("systemctl", "systemd-analyze")
PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload", "MainPID", "Job")
STATE_FOLDER = "/var/lib/unitcraft"
TRACE = "/run/killed-trace"
WRAPPER_FOLDER = "/run/killed-systemctl"
OTHER = {"old": "new", "new": "old"}
ONESHOT_RAN = " is a oneshot that ran; what it did cannot be undone"


def run_module(job, which, fault=None):
    """Run the module with a fault, see ``faults_of``. Returns its result, or None when it was killed."""
    command, environment = list(job["command"]), dict(os.environ)
    if fault and job["fault"] in ("fails", "hangs"):
        write_counting_wrapper(job["fault"], fault)
        environment["PATH"] = WRAPPER_FOLDER + ":" + environment["PATH"]
    elif fault and job["victim"] == "module":
        command = fault + command
    elif fault:
        write_tracing_wrapper(job["victim"], fault)
        environment["PATH"] = WRAPPER_FOLDER + ":" + environment["PATH"]
    done = subprocess.run(
        command,
        input=json.dumps(job["arguments"][which]).encode(),
        capture_output=True,
        env=environment,
        check=False,
    )
    # How many writes there were before may differ by one: then it was the result itself that could not be written.
    if done.returncode == -signal.SIGKILL or re.search(rb" in (exit|fail)_json\n", done.stderr):
        return None
    try:
        return json.loads(done.stdout.decode())
    except ValueError:
        return {"failed": True, "msg": f"no result: {(done.stdout + done.stderr).decode()[-2000:]}"}


def injector(job, call):
    """A tracer that makes a call fail, or kills before it; a call is its name and how often it was made until then."""
    harm = "signal=KILL" if job["fault"] == "kill" else "error=" + job["fault"]
    return [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=" + call[0],
        "-e",
        f"inject={call[0]}:{harm}:when={call[1]}",
    ]


def calls_in(trace):
    """The system calls in the output of strace, each as ``(name, how often it was made until then, first word)``."""
    made, calls = {}, []
    for name, first in re.findall(r"^([a-z0-9_]+)\(([^,)]*)", trace, re.MULTILINE):
        made[name] = made.get(name, 0) + 1
        calls.append((name, made[name], first))
    return calls


def faults_of(job, which):
    """Every place of an undisturbed run where it can be harmed, in order: (words for it, what ``run_module`` takes)."""
    if job["fault"] in ("fails", "hangs"):
        run_module(job, which, -1)
        with open(os.path.join(WRAPPER_FOLDER, "count")) as stream:
            count = int(stream.read())
        return [(f"call {number} of a program of systemd's", number) for number in range(1, count + 1)]
    traced = CALLS if job["fault"] == "kill" else CHANGING
    run_module(job, which, ["strace", "-qq", "-A", "-o", TRACE, "-e", "trace=" + ",".join(traced)])
    with open(TRACE) as stream:
        calls = calls_in(stream.read())
    os.unlink(TRACE)
    return [
        (f"{name} {number}", injector(job, (name, number)))
        for name, number, first in calls
        if job["fault"] == "kill" or (name, first) not in (("write", "1"), ("write", "2"))  # the result itself
    ]


def write_program(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        stream.write(text)
    os.chmod(path, 0o755)  # noqa: S103  a program


def write_tracing_wrapper(verb, tracer):
    """A systemctl that is traced when it is called with a verb, until it was killed once; it leaves a note of that."""
    write_program(
        os.path.join(WRAPPER_FOLDER, "systemctl"),
        (
            '#!/bin/sh\ncase " $* " in *\' {0} \'*) if ! [ -e {2}/hit ]; then\n{1} /usr/bin/systemctl "$@"\ncode=$?\n'
            '[ $code = 137 ] && touch {2}/hit\nexit $code; fi;; esac\nexec /usr/bin/systemctl "$@"\n'
        ).format(verb, " ".join(tracer), WRAPPER_FOLDER),
    )


def write_counting_wrapper(fault, number):
    """Programs of systemd's, of which one call, by its number among all of them, fails or hangs."""
    for program in PROGRAMS:
        write_program(
            os.path.join(WRAPPER_FOLDER, program),
            (
                "#!/bin/sh\nexec 9>>{0}/lock; flock 9\nn=$(($(cat {0}/count) + 1)); echo $n > {0}/count; exec 9>&-\n"
                'if [ $n = {1} ]; then {2}; fi\nexec /usr/bin/{3} "$@"\n'
            ).format(
                WRAPPER_FOLDER, number, "echo broken >&2; exit 1" if fault == "fails" else "exec sleep 1000", program
            ),
        )
    with open(os.path.join(WRAPPER_FOLDER, "count"), "w") as stream:
        stream.write("0\n")


def was_hit():
    """Whether the wrapper's systemctl was killed since this was asked last."""
    try:
        os.unlink(os.path.join(WRAPPER_FOLDER, "hit"))
        return True
    except FileNotFoundError:
        return False


def tree(folders):
    """Every file and link below the folders: ``{path: [kind, mode, uid, gid, content or target]}``."""
    found = {}
    for folder in folders:
        for parent, names, files in os.walk(folder):
            for name in names + files:
                path = os.path.join(parent, name)
                info = os.lstat(path)
                if os.path.islink(path):
                    found[path] = ["link", 0, info.st_uid, info.st_gid, os.readlink(path)]
                elif os.path.isdir(path):
                    found[path] = ["folder", info.st_mode, info.st_uid, info.st_gid, ""]
                else:
                    with open(path, "rb") as stream:
                        found[path] = ["file", info.st_mode, info.st_uid, info.st_gid, stream.read().decode("latin-1")]
    return found


def states(units):
    """State of units by name, with the command line of the main process instead of its number."""
    out = subprocess.run(
        ["systemctl", "show", "--property=" + ",".join(PROPERTIES), "--", *units], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    found = {}
    for name, block in zip(units, out.split("\n\n")):
        state = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        pid = state.pop("MainPID", "0")
        state["command"] = command_line(pid) if pid != "0" else ""
        found[name] = state
    return found


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as stream:
            return stream.read().replace("\0", " ")
    except OSError:
        return "gone"


def snapshot(job):
    leftovers = glob.glob(STATE_FOLDER + "/*")
    if (
        job["fault"] not in ERRORS
    ):  # where nothing can be removed from /run, it stays until there is something to verify again
        leftovers += glob.glob("/run/unitcraft-*")
    return {
        "files": tree(job["watched"]),
        "states": states(job["units"]),
        "ours": sorted(leftovers),
        "failed": subprocess.run(
            ["systemctl", "--failed", "--no-legend", "--plain"], stdout=subprocess.PIPE, check=True
        ).stdout.decode(),
    }


def main_pid(unit):
    return subprocess.run(
        ["systemctl", "show", "--property=MainPID", unit], stdout=subprocess.PIPE, check=True
    ).stdout.decode()


def halves(job, references):
    """Paths that are now neither as they were before nor as they shall be."""
    now = tree(job["watched"])
    old, new = references["old"]["files"], references["new"]["files"]
    wrong = []
    for path in sorted(set(now) | set(old) | set(new)):
        if os.path.basename(path).startswith(".#"):
            continue  # systemd passes over it
        if now.get(path) not in (old.get(path), new.get(path)) and (path not in now or now[path][0] != "folder"):
            wrong.append(f"{path} is neither old nor new: {now.get(path)}")
    return wrong


def difference(want, have, at=""):
    """The first places where two snapshots differ, as text."""
    if isinstance(want, dict) and isinstance(have, dict):
        found = []
        for key in sorted(set(want) | set(have)):
            found += difference(want.get(key), have.get(key), f"{at}/{key}")
        return found[:5]
    return [] if want == have else [f"{at}: {have!r} instead of {want!r}"]


def references_of(job):
    """What a host looks like after undisturbed runs; twice, to see that this is one answer."""
    seen = {}
    for which in ("old", "new", "old", "new"):
        result = run_module(job, which)
        if result is None or result.get("failed"):
            raise SystemExit(f"an undisturbed run failed: {result}")
        now = snapshot(job)
        if which in seen and seen[which] != now:
            raise SystemExit(f"two undisturbed runs differ: {difference(seen[which], now)}")
        seen[which] = now
    return seen


def attempt(job, references, which, fault):
    """Harm one run on its way to ``which`` and finish it with a second. Returns (harmed, result, second, problems)."""
    # Attempts follow each other faster than systemd's start limit allows for.
    subprocess.run(["systemctl", "reset-failed"], check=True)
    result = run_module(job, which, fault)
    killed = result is None if job["victim"] == "module" else was_hit()
    problems = halves(job, references)
    if result is not None and result.get("failed"):
        if job["fault"] == "kill" and not killed:
            problems.append(f"no kill, and yet it failed: {result.get('msg')}")
        elif result.get("rolled_back") is False and not only_oneshots_ran(result):
            problems.append(f"not rolled back: {result.get('msg')}")
        elif str(result.get("msg")).startswith("no result"):
            problems.append(result["msg"])
        else:
            problems += difference(references[OTHER[which]], snapshot(job), "after the failure")
    elif result is not None:
        problems += difference(references[which], snapshot(job), "after the success")
    second = run_module(job, which)
    if second.get("failed"):
        problems.append(f"the second run failed: {second.get('msg')}")
    problems += difference(references[which], snapshot(job))
    return killed or job["fault"] != "kill", result or {}, second, problems


def only_oneshots_ran(result):
    """Whether nothing is left of a failed run but what oneshots have done, which nobody can undo."""
    left = result.get("not_undone") or []
    return bool(left) and all(text.endswith(ONESHOT_RAN) for text in left)


def main():
    job = json.load(sys.stdin)
    references = references_of(job)
    faults = {which: faults_of(job, which) for which in ("old", "new")}
    untouched = main_pid(job["untouched"])
    outcome = {
        "calls": {which: len(faults[which]) for which in faults},
        "faults": 0,
        "failed": 0,
        "recovered": 0,
        "problems": [],
    }
    end = time.time() + job["seconds"]
    for number in range(job["first"] - 1, max(outcome["calls"].values()), job["step"]):
        for which in ("old", "new"):
            words, fault = faults[which][min(number, len(faults[which]) - 1)]
            harmed, first, second, problems = attempt(job, references, which, fault)
            if main_pid(job["untouched"]) != untouched:
                problems.append(f"{job['untouched']} was restarted")
                untouched = main_pid(job["untouched"])
            outcome["faults"] += harmed
            outcome["failed"] += bool(first.get("failed"))
            outcome["recovered"] += "recovered" in second
            place = f"{job['fault']} at {number + 1} ({words}) on the way to {which}: "
            outcome["problems"] += [place + text for text in problems]
        outcome["reached"] = number + 1
        if len(outcome["problems"]) > 20 or time.time() > end:
            break
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()

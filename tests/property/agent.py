# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs inside the container: calls modules, runs shell scripts, looks at the whole host. One JSON line in, one out.

The modules are imported once, and each call is a fork: a history of forty steps asks for more than a hundred calls, and
starting Python and compiling the collection would be most of their time.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import pathlib
import pwd
import subprocess
import sys
import tempfile
import threading
import time
import warnings

FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/etc/systemd/user")
PROGRAMS = ("/opt/m-files", "/opt/m-r")
RECORDS = "/var/lib/unitcraft"
GENERATION = f"{RECORDS}/generations/property/current"
PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,MainPID,InvocationID,NRestarts,Type,Job,Result,"
    "FragmentPath,Names"
)
# Moves without anybody's doing: sessions, devices, what systemd does on its own schedule or while it reads.
NOISE = (".device", ".scope", ".slice")
NOISY_NAMES = ("systemd-tmpfiles-clean.", "run-r", "run-u", "user@", "user-runtime-dir@", "dbus.service", "-.mount")
OWN_UNITS = ("m-*", "run-mmnt.mount")
MOST_SETTLE = 10.0  # seconds that a job may take
LOOP_SETTLE = 1.0  # seconds that a restart after a failure may take
KEPT_FROM_VENDOR = "m-"  # of the vendor's folder only the units of the test are looked at


class Pulse:
    """Notices when this container gets no processor: then a call that is late says nothing about the call."""

    def __init__(self):
        self.longest = 0.0
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self):
        while True:
            begun = time.monotonic()
            time.sleep(0.1)
            self.longest = max(self.longest, time.monotonic() - begun - 0.1)

    def take(self):
        """The longest standstill since this was asked last, in seconds."""
        longest, self.longest = self.longest, 0.0
        return longest


def call_module(live_agent, module, ask):
    """Run one module in a child with a time limit; returns exit status, output, error output and seconds."""
    begun = time.monotonic()
    with open(os.devnull) as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = live_agent.start_module(module, ask["arguments"], (nothing, out, err))
        status = live_agent.wait(child, ask["seconds"])
        texts = [(file.seek(0), file.read().decode(errors="surrogateescape"))[1] for file in (out, err)]
    return {"code": status, "out": texts[0], "err": texts[1], "seconds": time.monotonic() - begun}


def shell(ask):
    with tempfile.TemporaryFile() as out:
        # A file, not a pipe: a process that the script leaves behind shall not keep it from ending.
        code = subprocess.call(["sh", "-c", ask["script"]], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        out.seek(0)
        return {"code": code, "out": out.read().decode(errors="replace")}


def look(ask):
    """The host: files of the unit folders, units of the system manager and of the users that are named."""
    homes = {user: pwd.getpwnam(user).pw_dir for user in ask["users"]}
    end = time.monotonic() + MOST_SETTLE
    while True:
        managers = {"system": _units()}
        for user in ask["users"]:
            uid = pwd.getpwnam(user).pw_uid
            if os.path.exists(f"/run/user/{uid}/systemd/private"):
                managers[user] = _units(uid)
        moving = [state for units in managers.values() for state in units.values() if _moves(state)]
        # A service that systemd starts again and again is never at rest.
        if not moving or time.monotonic() > (end if any(map(_has_job, moving)) else end - MOST_SETTLE + LOOP_SETTLE):
            break
        time.sleep(0.05)
    files = {}
    for folder in (*FOLDERS, *PROGRAMS, *(f"{home}/.config/systemd/user" for home in homes.values())):
        files.update(_files_below(folder))
    intents = [str(path) for path in pathlib.Path(RECORDS).rglob("*intent*")]
    return {"files": files, "units": managers, "intents": intents, "generation": _generation()}


def _generation():
    """The number of the generation that the host is in; 0 for none."""
    path = pathlib.Path(GENERATION)
    return int(path.read_text(encoding="ascii")) if path.exists() else 0


def _has_job(state):
    return state.get("Job", "0") not in ("", "0")


def _moves(state):
    """Whether what somebody did just before this is still under way."""
    return _has_job(state) or state["ActiveState"] in ("activating", "deactivating", "reloading", "refreshing")


def _files_below(folder):
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in (*names, *(each for each in folders if os.path.islink(os.path.join(parent, each)))):
            path = os.path.join(parent, name)
            if folder.startswith("/usr/") and KEPT_FROM_VENDOR not in path:
                continue
            if folder in PROGRAMS and name.endswith(".json"):
                continue  # what a version was made from, and when it was used last
            info = os.lstat(path)
            entry = [oct(info.st_mode), info.st_uid, info.st_gid]
            if os.path.islink(path):
                entry.append("-> " + os.readlink(path))
            elif os.path.isfile(path):
                with open(path, "rb") as stream:
                    entry.append(base64.b64encode(stream.read()).decode())
            found[path] = entry
    return found


def _units(uid=0):
    """All that a manager knows of the units of the test; of the system's also whether each other unit runs."""
    argv = ["systemctl", *(["--user"] if uid else [])]
    given = {"user": uid, "env": {**os.environ, "XDG_RUNTIME_DIR": f"/run/user/{uid}"}} if uid else {}
    asked = [
        subprocess.Popen([*argv, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **given)
        for words in (
            ["show", f"--property={PROPERTIES}", "--", *OWN_UNITS],
            *([] if uid else [["list-units", "--all", "--full", "--plain", "--no-legend"]]),
        )
    ]
    shown, listed = [*(process.communicate()[0] for process in asked), ""][:2]
    units = {}
    for line in listed.split("\n"):
        words = line.split(None, 4)
        if len(words) > 3 and not words[0].endswith(NOISE) and not words[0].startswith(NOISY_NAMES):
            units[words[0]] = {"Id": words[0], "LoadState": words[1], "ActiveState": words[2], "SubState": words[3]}
    for block in shown.split("\n\n"):
        state = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        if state.get("Id"):
            state["Command"] = _command_of(state.get("MainPID", "0"))
            units[state["Id"]] = state
    return units


def _command_of(pid):
    if pid == "0":
        return ""
    command, until = "", time.monotonic() + 5
    while time.monotonic() < until:
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            return ""
        command = words.decode(errors="replace").strip()
        if not command.startswith("("):  # until it runs its program, systemd calls a child so
            break
        time.sleep(0.01)
    return command


def main():
    sys.path.insert(0, sys.argv[1])
    # What a child does between its fork and its end takes no lock of the thread that it lacks.
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    live_agent = importlib.import_module("agent")  # that of the live tests; this file runs as __main__
    modules = live_agent.preload()
    pulse = Pulse()
    verbs = {"module": lambda ask: call_module(live_agent, modules[ask["module"]], ask), "shell": shell, "look": look}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        pulse.take()
        answer = verbs[ask["verb"]](ask)
        print(json.dumps({**answer, "stalled": pulse.take()}), flush=True)


if __name__ == "__main__":
    main()

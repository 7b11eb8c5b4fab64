# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host in memory: unit files, links, and a manager that starts what the loaded files say. Time passes in sleep alone.

A program is its ``ExecStart=``: ``/bin/false`` fails at its start, ``/bin/missing`` fails when it is executed, a moment
after it has been started, ``/bin/hang`` never gets ready, ``/bin/crash`` fails two seconds after its start,
``/bin/restart`` is started anew then, ``/bin/end`` ends well at once, ``/bin/stays`` runs on whatever systemctl was
asked for; all others run.
"""

from __future__ import annotations

import builtins
import re

from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.desired import DesiredFile, DesiredUnit
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.links import install_links
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.sources import read_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.state import HostState
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.systemd import Reply, SystemdError
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import File

FOLDER = "/etc/systemd/system"
SECONDS_TO_CRASH = 2.0
SECONDS_TO_EXEC = 0.1
ERRORS = {"SystemdError": SystemdError}


def file_of(text):
    return File(**text) if isinstance(text, dict) else File("file", text.encode(), "", 0o644)


def desired_of(items, folder=FOLDER):
    """The items of a case as desired units."""
    desired = []
    for position, item in enumerate(items):
        item = dict(item)
        name, dropin = item.pop("name"), item.get("dropin", "")
        triggers = [tuple(trigger) for trigger in item.pop("triggers", [])]
        path = f"{folder}/{name}.d/{dropin}.conf" if dropin else f"{folder}/{name}"
        files = [DesiredFile(place="", **file) for file in item.pop("files", ())]
        desired.append(DesiredUnit(name, path, triggers=triggers, position=position, files=files, **item))
    return desired


def fragment_of(unit):
    return re.sub("@.*[.]", "@.", unit)


class Call:
    """A systemctl of which the jobs are done at once, or never."""

    def __init__(self, host, verb, units):
        self.host = host
        self.verb = verb
        self.units = units

    def __enter__(self):
        self.ended = self.host.job(self.verb, self.units)
        return self

    def __exit__(self, *_error):
        return None

    def wait(self, seconds):
        if self.ended is None:
            self.host.sleep(seconds)
        return self.ended


class SimulatedHost:
    """See ``Target`` of the engine.

    :param files: ``{path below the unit folder: text}``.
    :param running: names of units that run as their files say.
    :param links: ``{path below the unit folder, or another absolute one: target}``.
    :param properties: ``{unit: {property: value}}`` that systemctl show tells besides. The units in ``RequiredBy`` of
        one go down when it is stopped or restarted, and stay down. A unit is started again at once when it is stopped
        while one in its ``TriggeredBy`` runs, as by a socket in which somebody waits.
    :param faults: ``{number of a call, or its text: "Error: message"}``; each happens once.
    :ivar calls: what was asked of the host, in order.
    """

    scope, user, runtime, root, folder, has_manager = "system", "", False, "", FOLDER, True
    runtime_folder, uid, gid = "/run/systemd/system", 0, 0

    def own_unit(self):
        return ""

    def is_executed(self, pid):
        """Here the PID of a program is the name of its unit."""
        return self.units[pid]["command"] != "/bin/missing"

    def failed_command(self, unit):
        return ""

    def __init__(self, files=(), running=(), links=(), properties=(), faults=(), logs=()):
        self.files = {f"{FOLDER}/{path}": file_of(text) for path, text in dict(files).items()}
        self.links = dict(links)
        self.properties = dict(properties)
        self.faults = {str(place): error for place, error in dict(faults).items()}
        self.logs = dict(logs)
        self.loaded = {}
        self.units = {}
        self.calls = []
        self.clock = 1000.0
        self.invocations = 0
        self.load()
        for unit in running:
            self.start(unit)

    # What the tests look at

    def runs(self):
        """``{unit: command}`` of what runs."""
        return {name: unit["command"] for name, unit in self.units.items() if self.active(name) != "inactive"}

    def disk(self):
        """``{path below the unit folder: text or target}``."""
        files = {path[len(FOLDER) + 1 :]: file.data.decode() for path, file in self.files.items()}
        return {**files, **self.links}

    def state(self, desired):
        """The state as a plan takes it."""
        names = [*self.loaded, *self.units, *(unit for item in desired for unit in (item.name, *item.instance_names()))]
        live = self.show(names, ())
        state = HostState(FOLDER, dict(self.files), dict(self.links), live)
        state.places = {file.path: self.read_place(file.path) for item in desired for file in item.files}
        return state

    # Its manager

    def load(self):
        """Read the files; those of a template are loaded for the instances ``blue`` and ``green``."""
        self.loaded = {
            name.replace("@.", f"@{instance}."): file.data
            for name, file in ((path[len(FOLDER) + 1 :], file) for path, file in self.files.items())
            for instance in ("blue", "green")
            if "/" not in name
        }

    def setting(self, unit, directive):
        values = [s.value for s in read_settings(unit, self.loaded.get(unit, b"")) if s.directive == directive]
        return values[-1] if values else ""

    def start(self, unit):
        command = self.setting(unit, "ExecStart") or ("none" if unit in self.loaded else "")
        if not command:
            return False
        self.invocations += 1
        state = {"/bin/false": "failed", "/bin/hang": "activating", "/bin/end": "inactive"}.get(command, "active")
        self.units[unit] = {
            "state": state,
            "command": command,
            "since": self.clock,
            "invocation": f"{self.invocations:032x}",
            "ran": True,
        }
        return state == "active"

    def stop(self, unit):
        sockets = self.properties.get(unit, {}).get("TriggeredBy", "").split()
        if self.units.pop(unit, None) and any(self.active(socket) == "active" for socket in sockets):
            self.start(unit)

    def active(self, unit):
        found = self.units.get(unit)
        if found is None:
            return "inactive"
        if found["command"] == "/bin/crash" and self.clock >= found["since"] + SECONDS_TO_CRASH:
            found["state"] = "failed"
        if found["command"] == "/bin/missing" and self.clock >= found["since"] + SECONDS_TO_EXEC:
            found["state"] = "failed"
        if found["command"] == "/bin/restart" and self.clock >= found["since"] + SECONDS_TO_CRASH:
            found.update(invocation="f" * 32, since=self.clock)
        return found["state"]

    def job(self, verb, units):
        """Exit status and output of systemctl start, stop, restart or reload; None when it never ends."""
        self.happen(f"{verb} {' '.join(units)}")
        out = ""
        for unit in units:
            if verb in ("stop", "restart"):
                for follower in self.properties.get(unit, {}).get("RequiredBy", "").split():
                    self.units.pop(follower, None)
            if verb == "stop":
                self.stop(unit)
            elif unit not in self.loaded:
                out += f"Failed to {verb} {unit}: Unit {unit} not found.\n"
            elif verb == "restart" and self.units.get(unit, {}).get("command") == "/bin/stays":
                continue
            elif verb == "restart" or (verb == "start" and self.active(unit) in ("inactive", "failed")):
                self.start(unit)
            if verb != "stop" and self.active(unit) == "failed":
                out += f"Job for {unit} failed because the control process exited with error code.\n"
        if verb != "stop" and any(self.active(unit) == "activating" for unit in units):
            return None
        return (1 if out else 0), out

    def happen(self, call):
        """Note a call, and let the fault happen that is meant for it."""
        self.calls.append(call)
        error = self.faults.pop(call, "") or self.faults.pop(str(len(self.calls)), "")
        if error:
            name, _colon, message = error.partition(": ")
            raise (ERRORS.get(name) or getattr(builtins, name))(message)

    # What the engine asks for

    def manager_answers(self):
        return True

    def wait_for_manager(self, timeout=0.0):
        return None

    def show(self, names, properties=()):
        return {name: self.shown(name) for name in names}

    def shown(self, name):
        unit = self.units.get(name, {})
        failed = self.active(name) == "failed"
        return {
            "Id": name,
            "LoadState": "loaded" if name in self.loaded else "not-found",
            "ActiveState": self.active(name),
            "SubState": "running" if self.active(name) == "active" else "dead",
            "InvocationID": unit.get("invocation", ""),
            "NRestarts": "0",
            "MainPID": "0" if self.active(name) in ("inactive", "failed") else name,
            "Job": "7" if self.active(name) == "activating" else "0",
            "Type": self.setting(name, "Type") or "simple",
            "Result": "exit-code" if failed else "success",
            "ExecMainCode": "1" if failed else "0",
            "ExecMainStatus": "1" if failed else "0",
            "InactiveExitTimestampMonotonic": str(int(unit.get("since", 0) * 1e6)),
            **self.properties.get(name, {}),
        }

    def ask(self, *args, timeout=0.0):
        words = [word for word in args if not word.startswith("--")]
        verb, units = words[0], words[1:]
        self.happen(" ".join(words))
        if verb == "daemon-reload":
            self.load()
        for unit in units:
            if verb in ("disable", "reenable"):
                self.links = {link: target for link, target in self.links.items() if not link.endswith(f"/{unit}")}
            if verb in ("enable", "reenable"):
                text = self.files[f"{FOLDER}/{fragment_of(unit)}"].data
                for link in install_links(unit, read_settings(unit, text)):
                    self.links[link] = f"{FOLDER}/{fragment_of(unit)}"
        return ""

    def attempt(self, *args, timeout=0.0):
        words = [word for word in args if not word.startswith("--")]
        if words[0] not in ("stop", "start", "restart", "reload"):
            self.happen(" ".join(words))
            for unit in words[1:]:
                if words[0] == "reset-failed" and self.active(unit) == "failed":
                    del self.units[unit]
            return Reply(0, "", "")
        code, out = self.job(words[0], words[1:]) or (1, "")
        return Reply(code, "", out)

    def start_call(self, *args):
        return Call(self, args[0], args[2:])

    def run(self, argv, timeout=0.0):
        self.happen(f"run {argv[0]}")
        return Reply(0, "", "")

    def sync_journal(self):
        return None

    def log(self, unit, since, lines):
        return list(self.logs.get(unit, ()))

    def lingers(self):
        return False

    def set_linger(self, on):
        return None

    def read_file(self, path):
        return self.files.get(path, File())

    def read_place(self, path):
        return File("link", target=self.links[path], mode=0o777) if path in self.links else self.files.get(path, File())

    def list_links(self):
        return dict(self.links)

    def change_files(self, changes, token):
        """All at once, as renames are."""
        if changes:
            self.happen("files " + " ".join(re.sub("^/etc/systemd/system/", "", change.path) for change in changes))
        for change in changes:
            below = change.path[len(FOLDER) + 1 :] if change.path.startswith(FOLDER) else change.path
            self.files.pop(change.path, None)
            self.links.pop(below, None)
            if change.after.kind == "file":
                self.files[change.path] = change.after
            elif change.after.kind == "link":
                self.links[below] = change.after.target

    def clean_folders(self, paths, token):
        return None

    def boot_id(self):
        return "b"

    def monotonic(self):
        return self.clock

    def sleep(self, seconds):
        self.clock += max(seconds, 0.001)

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs inside the container: starts commands and calls modules. One JSON line in, one out.

The modules are imported once, and each call is a fork, as Mitogen does it: starting Python and reading the collection
would take most of the time of these tests.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pathlib
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PLUGINS = "ansible_collections.unitcraft.systemd.plugins"
MODULES = ("unit", "units", "unit_info", "unit_lint", "rollback")


def preload():
    """Import everything that a module call would import; returns the modules by name."""
    importlib.import_module("ansible.module_utils.basic")
    utils = importlib.import_module(f"{PLUGINS}.module_utils")
    for folder in map(pathlib.Path, utils.__path__):
        for found in pkgutil.iter_modules(map(str, (folder, *folder.glob("_*/")))):
            wing = pathlib.Path(found.module_finder.path).name
            place = f".{wing}" if wing != folder.name else ""
            importlib.import_module(f"{PLUGINS}.module_utils{place}.{found.name}")
    found = pkgutil.iter_modules(importlib.import_module(f"{PLUGINS}.modules").__path__)
    modules = {module.name: importlib.import_module(f"{PLUGINS}.modules.{module.name}") for module in found}
    gc.collect()
    gc.freeze()  # a child whose collector visited all of this would copy it
    return modules


def start_module(module, arguments, streams):
    """Run a module in a child, in a session of its own with these files as standard streams; returns its process id."""
    child = os.fork()
    if child == 0:
        os.setsid()
        for number, file in enumerate(streams):
            os.dup2(file.fileno(), number)
        _be_the_module(module, arguments)
    return child


def wait(child, seconds):
    """Exit status of a module; -1 when it and what it started had to be killed after *seconds*."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def _be_the_module(module, arguments):
    basic = sys.modules["ansible.module_utils.basic"]
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    status = 1
    try:
        module.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()  # Ansible removes its folder there
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main():
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    modules = preload()
    for line in sys.stdin:
        ask = json.loads(line)
        # Output goes to files: a process that a command leaves behind shall not keep it from ending.
        with tempfile.TemporaryFile() as data, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            data.write((ask["data"] or "").encode())
            data.seek(0)
            if ask["module"]:
                child = start_module(modules[ask["module"]], json.loads(ask["data"]), (data, out, err))
                code = wait(child, ask["seconds"])
            else:
                code = subprocess.call(ask["argv"], stdin=data, stdout=out, stderr=err)
            texts = [(file.seek(0), file.read().decode(errors="replace"))[1] for file in (out, err)]
        print(json.dumps([code, *texts]), flush=True)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the commands of the gates so that a signal ends all of them, and what they have started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

KILL_AFTER_SECONDS = 60


class Stopped(Exception):
    """The run is being ended; nothing more is started."""


class Processes:
    """Every command that runs now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(self, command: list[str], log: Path, *, cwd: Path, env: dict[str, str] | None = None) -> int:
        """Run a command and append what it writes to a log.

        :returns: its exit status.
        :raises Stopped: after ``stop``.
        """
        with self._lock:
            if self._stopped:
                raise Stopped("stopped")
            with log.open("ab") as output:
                output.write(f"$ {' '.join(command)}\n".encode())
                output.flush()
                process = subprocess.Popen(
                    command,
                    stdout=output,
                    stderr=output,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd=cwd,
                    env=env,
                )
            self._running.add(process)
        status = process.wait()
        with self._lock:
            self._running.discard(process)
        return status

    def stop(self) -> None:
        """End all that runs: the sandbox then removes its containers. Returns when nothing is left."""
        with self._lock:
            self._stopped = True
            processes = list(self._running)
        for process in processes:
            signal_group(process, "TERM")
        deadline = time.monotonic() + KILL_AFTER_SECONDS
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in processes:
            if process.poll() is None:
                signal_group(process, "KILL")


def signal_group(process: subprocess.Popen[bytes], name: str) -> None:
    """Send a signal (``TERM``, ``KILL``) to a process and to all that it has started."""
    try:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, getattr(signal, f"SIG{name}"))
    except PermissionError:
        # The sandbox of an ordinary user runs under sudo.
        subprocess.run(["sudo", "--non-interactive", "kill", f"-{name}", "--", f"-{process.pid}"], check=False)

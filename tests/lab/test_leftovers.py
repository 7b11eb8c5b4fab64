# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""However the command of a sandbox ends, nothing of it is left.

Runs in a sandbox and starts further ones from there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lab import sandbox
from lab.build import image_name

PATIENCE_SECONDS = 300
# Starts a container on a network of its own and a process that would outlive it, tells of them, then goes on as {end}.
COMMAND = """
podman network create "$UNITCRAFT_RUN-net" > /dev/null || exit 90
podman run --detach --privileged --network="$UNITCRAFT_RUN-net" --name="$UNITCRAFT_RUN-left" \\
    {image} sleep infinity > /dev/null || exit 91
setsid sleep 987 &
echo "$UNITCRAFT_RUN $! $(podman inspect --format '{{{{.State.Status}}}}' "$UNITCRAFT_RUN-left")"
{end}
"""


class Started:
    """A sandbox of its own, started from within this one, as soon as its container runs."""

    def __init__(self, end: str) -> None:
        # Without the name of this sandbox it makes a new one.
        variables = {name: value for name, value in os.environ.items() if name != "UNITCRAFT_RUN"}
        script = COMMAND.format(image=image_name("257"), end=end)
        self.process = subprocess.Popen(
            [sys.executable, sandbox.__file__, "run", "sh", "-c", script],
            env=variables,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.run, sleeper, self.container = self.process.stdout.readline().split()
        self.sleeper = int(sleeper)

    def left(self) -> list[str]:
        """What is still there of it: containers, networks, processes."""
        networks = [
            name
            for name in sandbox.podman("network", "ls", "--format", "{{.Name}}").split()
            if name.startswith(self.run + "-")
        ]
        return sandbox.containers_of(self.run) + networks + ([f"process {self.sleeper}"] if runs(self.sleeper) else [])


def runs(pid: int) -> bool:
    try:
        return b"987" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture
def start():
    made = []

    def begin(end):
        made.append(Started(end))
        return made[-1]

    yield begin
    for started in made:
        started.process.kill()
        started.process.stdin.close()
        started.process.wait()
        sandbox.remove_containers(started.run)
        with contextlib.suppress(ProcessLookupError):
            if runs(started.sleeper):
                os.kill(started.sleeper, signal.SIGKILL)


def test_command_that_fails(start):
    started = start("exit 3")
    assert started.container == "running"
    assert started.process.wait(timeout=PATIENCE_SECONDS) == 3
    assert started.left() == []


def test_sandbox_that_is_interrupted(start):
    started = start("sleep 988")
    assert len(started.left()) == 3
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(timeout=PATIENCE_SECONDS) == 128 + signal.SIGTERM
    assert started.left() == []


def test_sandbox_that_is_killed_is_swept_by_the_next(start):
    killed = start("cat")  # until its input ends, which is when this test does
    killed.process.kill()
    killed.process.wait()
    assert sandbox.containers_of(killed.run) == [f"{killed.run}-left"]
    assert start("exit 0").process.wait(timeout=PATIENCE_SECONDS) == 0
    assert sandbox.containers_of(killed.run) == []

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two articles that the examples come from show at their ends, from fresh containers. Runs in the sandbox.

The first makes a UDP server in PHP a service: `nc -u` gets its answer, it comes back when it is killed, and after a
reboot; and `StartLimitAction=reboot` restarts the machine. The second links two services: after a restart of one both
run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lab import containers
from lab.playbook import play

FIRST, SECOND = "first", "second"
PATIENCE_SECONDS = 300
KILLS = 8
# Testing's release file may be past its date on a mirror that lags.
UPDATE = "apt-get -q -o Acquire::Check-Valid-Until=false update"
INSTALL_NC = f"{UPDATE} && apt-get -q -y --no-install-recommends install netcat-openbsd"
ASK = "printf 'Hello, world!' | nc -u -w 1 127.0.0.1 10000"


def deploy() -> None:
    """Run the playbook."""
    play(containers.inventory(containers.running()), Path(__file__).with_suffix(".yml"))


def told(name: str, command: str) -> str:
    """What a command prints in a container; empty when the container is on its way."""
    return containers.run(name, ["sh", "-c", command], check=False).stdout.strip()


def wait_for(what: str, condition: Callable[[], bool], quiet: bool = False) -> None:
    """Wait until something is so, and say it.

    :raises SystemExit: when it is not in time.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not so within {PATIENCE_SECONDS} s: {what}")
        time.sleep(0.2)
    if not quiet:
        print(what, flush=True)


def answers() -> bool:
    return told(FIRST, ASK) == "Uryyb, jbeyq!"


def main_process(name: str, unit: str) -> str:
    return told(name, f"systemctl show --value --property=MainPID {unit}")


def kill(unit: str, times: int) -> None:
    """Kill the main process of a service, each time that there is a new one."""
    for _number in range(times):
        wait_for(f"{unit} runs", lambda: main_process(FIRST, unit) not in ("", "0"), quiet=True)
        process = main_process(FIRST, unit)
        containers.run(FIRST, ["kill", "-KILL", process], check=False)
        wait_for(f"{unit} was killed", lambda process=process: main_process(FIRST, unit) != process, quiet=True)


def first_article() -> None:
    wait_for("nc -u: Hello, world! -> Uryyb, jbeyq!", answers)
    kill("rot13", KILLS)
    wait_for(f"after {KILLS} kills: Uryyb, jbeyq!", answers)
    containers.reboot(FIRST)
    wait_for("after a reboot: Uryyb, jbeyq!", answers)
    booted = told(FIRST, "systemctl show --value --property=UserspaceTimestampMonotonic")
    kill("vital", 3)

    def is_new_boot() -> bool:
        return told(FIRST, "systemctl show --value --property=UserspaceTimestampMonotonic") not in ("", booted)

    wait_for("StartLimitAction=reboot has restarted the machine", is_new_boot)
    wait_for("and then: Uryyb, jbeyq!", answers)


def second_article() -> None:
    def up(*units: str) -> list[str]:
        return [unit for unit in units if told(SECOND, f"systemctl is-active {unit}") == "active"]

    both = ("maxscale", "reporter")
    containers.run(SECOND, ["systemctl", "start", "maxscale"])
    wait_for("systemctl start maxscale: both run", lambda: up(*both) == [*both])
    before = [main_process(SECOND, unit) for unit in both]
    containers.run(SECOND, ["systemctl", "restart", "maxscale"])
    wait_for("systemctl restart maxscale: both run", lambda: up(*both) == [*both])
    after = [main_process(SECOND, unit) for unit in both]
    wait_for("and both are new", lambda: not set(before) & set(after))
    containers.run(SECOND, ["systemctl", "stop", "maxscale"])
    wait_for("systemctl stop maxscale: none runs", lambda: not up(*both))


def main() -> None:
    release = sys.argv[1] if len(sys.argv) > 1 else "257"
    # As a machine: when its systemd ends to reboot, it starts again.
    containers.start(release, FIRST, options=("--restart=always",))
    containers.start(release, SECOND)
    containers.run(FIRST, ["sh", "-c", INSTALL_NC])
    deploy()
    first_article()
    second_article()
    print(f"systemd {release}: both articles end as they should")


if __name__ == "__main__":
    main()

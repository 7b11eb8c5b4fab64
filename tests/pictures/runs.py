#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs for the pictures of the README: runs.py FOLDER. Runs in the sandbox.

Deploys the README's own example to containers, then a version that cannot start (rollback.txt is what the terminal
shows), and writes the audit page of these hosts after somebody has worked on them by hand (fleet.html).
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import containers
from tools import readme
from tools.toolchain import CHECKOUT

HOSTS = {"web1": "257", "web2": "262", "web3": "252", "web4": "247"}
COLUMNS = 124
SESSION = (
    "ansible-playbook -i hosts site.yml --limit web1",
    "sed -i '1a import tomli' server.py    # version 2: needs a package that the server lacks",
    "ansible-playbook -i hosts site.yml --limit web1",
    "ansible -i hosts web1 -a 'systemctl show -p ActiveState,NRestarts echo'",
)
CRASHING = "[Service]\nExecStart=/bin/sh -c 'echo no queue at 10.0.0.7:6379; exit 1'\nRestart=always\nRestartSec=2\n"
TIMER = "[Timer]\nOnCalendar=*-*-* 03:00\n[Install]\nWantedBy=timers.target\n"
BY_HAND = {
    "web2": "printf '[Service]\\nNice=5\\n' > /etc/systemd/system/echo.service.d/x.conf; systemctl daemon-reload",
    "web3": "echo Nice=5 >> /etc/systemd/system/echo.service",
    "web4": "systemctl stop echo",
}


def terminal(folder: pathlib.Path, commands: tuple[str, ...]) -> str:
    """What a terminal shows of these commands, with its colours."""
    variables = {
        **os.environ,
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible" / "collections"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_FORCE_COLOR": "1",
        "COLUMNS": str(COLUMNS),
    }
    shown = ""
    for command in commands:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        shown += f"$ {command}\n{done.stdout}"
        print(f"$ {command}\n{done.stdout}", flush=True)
    return shown


def write_program(folder: pathlib.Path) -> None:
    for name, text in readme.files().items():
        (folder / name).write_text(text)


def prepare(folder: pathlib.Path) -> None:
    """The files of the README's example, and the containers as its servers."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_program(folder)
    listed = containers.inventory({containers.start(release, name): release for name, release in HOSTS.items()})
    (folder / "hosts").write_text(json.dumps({"servers": listed["systemd_hosts"]}))


def work_by_hand() -> None:
    """What makes an audit worth a look."""
    for name in HOSTS:
        for path, text in (("mailer.service", CRASHING), ("backup.timer", TIMER), ("report.timer", TIMER)):
            containers.write_file(name, f"/etc/systemd/system/{path}", text)
        for job in ("backup", "report"):
            containers.write_file(name, f"/etc/systemd/system/{job}.service", "[Service]\nExecStart=/bin/true\n")
        units = "mailer.service backup.timer report.timer"
        containers.run(name, ["sh", "-c", f"systemctl daemon-reload; systemctl start {units}"])
    for name, command in BY_HAND.items():
        containers.run(name, ["sh", "-c", f"mkdir -p /etc/systemd/system/echo.service.d; {command}"])
    # until the crashing one has been restarted often enough to be called so
    for name in HOSTS:
        waiting = "until test $(systemctl show --value -p NRestarts mailer) -ge 4; do sleep 1; done"
        containers.run(name, ["timeout", "300", "sh", "-c", waiting])


def main() -> int:
    results = pathlib.Path(sys.argv[1]).resolve()
    results.mkdir(parents=True, exist_ok=True)
    # Its name is in the picture.
    folder = pathlib.Path(tempfile.gettempdir(), "echo")
    prepare(folder)
    (folder / "rollback.txt").write_text(terminal(folder, SESSION))
    write_program(folder)
    terminal(folder, ("ansible-playbook -i hosts site.yml",))
    work_by_hand()
    terminal(
        folder,
        ("ansible-playbook -i hosts unitcraft.systemd.audit -e audit_hosts=servers -e audit_dest=$PWD/fleet.html",),
    )
    for name in ("rollback.txt", "fleet.html"):
        shutil.copy(folder / name, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())

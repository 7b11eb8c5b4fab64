#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick start of the README as a new user runs it, word for word, on two fresh machines. Runs in the sandbox.

One machine is to work on, the other is the host that is reached by ssh. All commands run in one shell. A command that
the README shows with `failed=1` has to fail, any other one to succeed, and what the README shows it has to print.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lab import containers, ssh
from tools import readme
from tools.toolchain import CHECKOUT

WORKPLACE, HOST = ("desk", "257"), ("my-host", "252")
USER = "me"
REPOSITORY = "https://github.com/unitcraft/unitcraft.systemd"
BUNDLE = "/srv/unitcraft.bundle"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# What a fresh Debian has and a container lacks; and what makes the checkout the published repository.
SET_UP = f"""
set -e
apt-get -q update
apt-get -q -y --no-install-recommends install openssh-client
echo 'APT::Get::Assume-Yes "true";' > /etc/apt/apt.conf.d/yes
useradd --create-home --shell /bin/bash {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}
printf '[url "{BUNDLE}"]\\n\\tinsteadOf = {REPOSITORY}\\n' > /etc/gitconfig
runuser -u {USER} -- ssh-keygen -q -t ed25519 -N '' -f /home/{USER}/.ssh/id_ed25519
"""
MARK = "@@@"


def published() -> bytes:
    """The checkout as it stands, committed or not, as a repository in one file."""
    with tempfile.TemporaryDirectory() as folder:

        def git(*arguments: str) -> bytes:
            told = ["-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false"]
            command = ["git", f"--git-dir={folder}", f"--work-tree={CHECKOUT}", *told, *arguments]
            return subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE).stdout

        git("init", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "--message=as it stands")
        return git("bundle", "create", "--quiet", "-", "HEAD", "--branches")


def start() -> None:
    """Both machines, such that one reaches the other as `ssh me@my-host`."""
    host, desk = HOST[0], WORKPLACE[0]
    containers.start(HOST[1], host)
    # A proxy on the way to package indexes has a certificate that this machine trusts.
    trusted = (f"--volume={CERTIFICATES}:{CERTIFICATES}:ro", f"--env=PIP_CERT={CERTIFICATES}")
    containers.start(WORKPLACE[1], desk, options=(f"--add-host={host}:{ssh.address(host)}", *trusted))
    containers.write_file(desk, BUNDLE, published())
    containers.run(desk, ["sh", "-c", SET_UP])
    ssh.let_in(host, USER, containers.run(desk, ["cat", f"/home/{USER}/.ssh/id_ed25519.pub"]).stdout)
    known = f"ssh -o StrictHostKeyChecking=accept-new {USER}@{host} true"
    containers.run(desk, ["runuser", "-u", USER, "--", "sh", "-c", known])


def session(blocks: list[list[readme.Command]]) -> str:
    """A script of all commands, each between two marks with time and exit status; the files after the first block."""
    lines = ["cd"]
    for number, block in enumerate(blocks):
        for command in block:
            lines += [f"echo {MARK}$EPOCHSECONDS", command.text, f"echo {MARK}$EPOCHSECONDS $?"]
        if number == 0:
            lines += [f"printf %s {shlex.quote(text)} > {name}" for name, text in readme.files().items()]
    return "\n".join(lines) + "\n"


def judge(command: readme.Command, output: str, status: int) -> list[str]:
    """What is not as the README says."""
    printed = " ".join(output.split())
    missing = [line for line in command.prints if " ".join(line.split()) not in printed]
    fails = "failed=1" in command.prints
    return [f"not printed: {line}" for line in missing] + ([f"exit status {status}"] if (status != 0) != fails else [])


def main() -> int:
    start()
    blocks = readme.consoles("Quick start")
    commands = [command for block in blocks for command in block]
    containers.write_file(WORKPLACE[0], "/srv/session", session(blocks))
    done = containers.run(WORKPLACE[0], ["runuser", "-l", USER, "-c", "bash /srv/session 2>&1"])
    steps = re.findall(rf"^{MARK}(\d+)\n(.*?)^{MARK}(\d+) (\d+)$", done.stdout, re.MULTILINE | re.DOTALL)
    bad = 0
    for command, (begin, output, end, status) in zip(commands, steps):
        complaints = judge(command, output, int(status))
        bad += bool(complaints)
        print(f"{int(end) - int(begin):4} s  {command.text}")
        if complaints:
            print(*complaints, output, sep="\n", flush=True)
    print(f"{len(steps)} of {len(commands)} commands ran, {bad} did not do what the README says")
    return 1 if bad or len(steps) < len(commands) else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: one systemd container, playbooks/site.yml against it, and a datagram to what it deployed.

demo.py up       DEMO_PORT=10000 is the published port on the loopback address, DEMO_SYSTEMD=257 the release
demo.py shell
demo.py clean
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tools import toolchain
from tools.toolchain import CACHE, CHECKOUT, SANDBOX, ToolError

RELEASE = os.environ.get("DEMO_SYSTEMD", "257")
PORT = int(os.environ.get("DEMO_PORT", "10000"))
QUESTION, ANSWER = b"Hello, world!", b"Uryyb, jbeyq!"
# Groups of site.yml that have no host here; named, so that Ansible does not warn of them.
OTHER_GROUPS = ("worker", "linked", "service")
INVENTORY = CACHE / "demo-inventory.json"


def sandboxed(*command: object, check: bool = True, capture: bool = False) -> subprocess.CompletedProcess:
    """Run a command in the sandbox called demo, whose container stays. Raises ToolError when it fails."""
    venv = toolchain.environment()
    variables = {
        **toolchain.tool_environment(venv),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible/collections"),
        "ANSIBLE_CONFIG": str(CHECKOUT / "playbooks/ansible.cfg"),
    }
    words = [*toolchain.as_root([str(venv / "bin/python"), str(SANDBOX)]), "run", "--name", "demo", *map(str, command)]
    done = subprocess.run(
        words, check=False, cwd=CHECKOUT, env=variables, text=True, stdout=subprocess.PIPE if capture else None
    )
    if check and done.returncode != 0:
        raise ToolError(f"`{' '.join(map(str, command))}` ended with status {done.returncode}")
    return done


def container(*command: object, **options: bool) -> subprocess.CompletedProcess:
    return sandboxed("python3", "tests/lab/containers.py", *command, **options)


def port_is_taken() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return True
    return False


def start() -> None:
    """Start the container, unless it is there, and write its inventory."""
    sandboxed("python3", "tests/lab/build.py", RELEASE)
    if "demo" not in container("list", capture=True).stdout.split():
        if port_is_taken():
            raise ToolError(f"UDP port {PORT} of 127.0.0.1 is taken: choose another one with DEMO_PORT=")
        container("--publish", f"127.0.0.1:{PORT}:10000/udp", "up", f"demo={RELEASE}")
    listed = json.loads(container("inventory", capture=True).stdout)
    INVENTORY.parent.mkdir(exist_ok=True)
    INVENTORY.write_text(json.dumps({"rot13": listed["systemd_hosts"], **{group: {} for group in OTHER_GROUPS}}))


def deploy() -> str:
    """Run site.yml; returns its recap line."""
    done = sandboxed(
        ".venv/bin/ansible-playbook", "--inventory", INVENTORY, "playbooks/site.yml", check=False, capture=True
    )
    print(done.stdout, flush=True)
    if done.returncode != 0:
        raise ToolError("site.yml failed")
    return re.search(r"^demo\s+:.*$", done.stdout, re.MULTILINE).group()


def ask() -> bytes:
    """Send the question until there is an answer, at most a minute."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            client.sendto(QUESTION, ("127.0.0.1", PORT))
            try:
                return client.recv(65535)
            except OSError:
                continue
    # A container that was killed with its podman leaves its forwarding behind, which takes what is sent to the port.
    raise ToolError(
        f"no answer from UDP port {PORT} of 127.0.0.1: when `iptables -t nat -S` shows that it is forwarded to"
        f" a container that is gone, take another one with `DEMO_PORT={PORT + 1} make demo`"
    )


def up() -> None:
    begin = time.monotonic()
    toolchain.ensure_system()
    start()
    deploy()
    print(f"--- {QUESTION.decode()} to UDP port {PORT} of 127.0.0.1:")
    answer = ask()
    print(answer.decode(), flush=True)
    if answer != ANSWER:
        raise ToolError(f"the answer is not {ANSWER.decode()}")
    container("exec", "demo", "systemctl", "status", "--no-pager", "rot13.service")
    print("--- site.yml a second time:", flush=True)
    recap = deploy()
    if "changed=0" not in recap.split():
        raise ToolError(f"the second run changed something: {recap}")
    print(f"""--- done in {time.monotonic() - begin:.0f} s; the container is still there.
    echo -n 'Hello, world!' | nc -u -w1 127.0.0.1 {PORT}
    make demo-shell     a shell in it: systemctl status rot13, journalctl -u rot13, systemctl cat rot13
    make demo-clean     removes it""")


def shell() -> None:
    name = container("inventory", capture=True)
    host = json.loads(name.stdout)["systemd_hosts"]["hosts"]["demo"]["ansible_host"]
    sandboxed("podman", "exec", "--interactive", "--tty", host, "bash", check=False)


def clean() -> None:
    # No virtual environment is needed, and none is made, to remove what may be there.
    words = [*toolchain.as_root([sys.executable, str(SANDBOX)]), "clean", "--name", "demo"]
    if toolchain.is_there(["podman"]):
        subprocess.run(words, check=True, cwd=CHECKOUT)
    INVENTORY.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["up", "shell", "clean"])
    action = {"up": up, "shell": shell, "clean": clean}[parser.parse_args().action]
    try:
        action()
    except (ToolError, subprocess.CalledProcessError) as error:
        print(f"demo.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ROT13 server as a service: it answers, comes back, survives a reboot, and goes without a trace."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from lab import containers

SERVERS = {"rot13": 10000, "rot13py": 10001, "rot13low": 53}
both = pytest.mark.parametrize("unit", ["rot13", "rot13py"])

# Sends what {send} evaluates to until there is an answer, for two minutes; exits 0 when the answer is its ROT13.
CLIENT = """
import codecs, socket, sys, time
sent = {send}
text = sent.decode("latin-1")
want = "".join(codecs.encode(c, "rot13") if c.isascii() else c for c in text).encode("latin-1")
client = socket.socket(socket.{family}, socket.SOCK_DGRAM)
client.settimeout(0.2)
end = time.monotonic() + 120
while time.monotonic() < end:
    try:
        client.sendto(sent, ("{address}", {port}))
        sys.exit(0 if client.recv(70000) == want else 2)
    except OSError:
        time.sleep(0.02)
sys.exit(1)
"""

# Exits 0 when the host says that nobody listens there.
REFUSED = """
import socket, sys
client = socket.socket(socket.{family}, socket.SOCK_DGRAM)
client.settimeout(120)
client.connect(("{address}", {port}))
client.send(b"x")
try:
    client.recv(70000)
except ConnectionRefusedError:
    sys.exit(0)
sys.exit("there was an answer")
"""


def answers(host, unit, send='b"Hello, world!"', address="127.0.0.1", family="AF_INET"):
    script = CLIENT.format(send=send, address=address, family=family, port=SERVERS[unit])
    return host.run("python3 -c %s", script).rc == 0


def prop(host, unit, name):
    return host.check_output("systemctl show --value --property=%s %s.service", name, unit).strip()


@both
def test_check_mode_predicted_what_was_done(actions, unit):
    predicted, done = actions(unit)
    assert list(dict.fromkeys(step["action"] for step in done)) == ["write", "enable", "daemon-reload", "start"]
    assert predicted == done


@both
@pytest.mark.parametrize(
    "send",
    ['b"Hello, world!"', 'b""', "bytes(range(256))", 'b"Az" * 32753 + b"N"'],
    ids=["hello", "empty", "all bytes", "65507 bytes"],
)
def test_answers(host, unit, send):
    assert answers(host, unit, send)


@both
def test_answers_over_ipv6(host, unit):
    assert answers(host, unit, address="::1", family="AF_INET6")


@both
def test_unit_is_the_articles(host, unit):
    text = host.file(f"/etc/systemd/system/{unit}.service").content_string
    for line in ("After=network.target", "Restart=always", "RestartSec=1", "StartLimitIntervalSec=0"):
        assert f"{line}\n" in text
    assert host.check_output("ps -o user= -p %s", prop(host, unit, "MainPID")) != "root"


def test_address_and_privileged_port(host):
    assert answers(host, "rot13low", address="127.0.0.2")
    status = host.file(f"/proc/{prop(host, 'rot13low', 'MainPID')}/status").content_string
    # capabilities(7): CAP_NET_BIND_SERVICE is bit 10.
    assert re.search(r"^CapEff:\s*(\S+)", status, re.MULTILINE).group(1) == f"{1 << 10:016x}"


@pytest.mark.parametrize(("family", "address"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_no_other_address(host, family, address):
    host.check_output("python3 -c %s", REFUSED.format(family=family, address=address, port=SERVERS["rot13low"]))


def test_hardening_profile_is_the_one_asked_for(host):
    profiles = {
        unit: (prop(host, unit, "ProtectSystem"), prop(host, unit, "MemoryDenyWriteExecute")) for unit in SERVERS
    }
    assert profiles == {"rot13": ("strict", "yes"), "rot13py": ("strict", "yes"), "rot13low": ("full", "no")}


@both
def test_exposure(host, unit, release):
    if release < 252:
        pytest.skip("247 scores by other rules")
    told = host.run("systemd-analyze security --no-pager %s.service", unit).stdout
    assert float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", told).group(1)) <= 2.5


@both
def test_comes_back_after_kill(host, unit):
    host.check_output("systemctl restart %s.service", unit)
    host.check_output("kill -9 %s", prop(host, unit, "MainPID"))
    assert answers(host, unit)
    assert prop(host, unit, "NRestarts") == "1"


@both
def test_twelve_kills_do_not_stop_it(host, unit):
    for _kill in range(12):
        host.check_output("kill -9 %s", prop(host, unit, "MainPID"))
        assert answers(host, unit)


@both
def test_sigterm_ends_it_cleanly(host, unit):
    host.check_output("systemctl start %s.service", unit)
    host.check_output("systemctl stop %s.service", unit)
    # After TimeoutStopSec= systemd would kill it, and the result would be "timeout".
    assert prop(host, unit, "Result") == "success"
    host.check_output("systemctl start %s.service", unit)


def test_back_after_a_reboot(host):
    containers.reboot(host.backend.name.rpartition("-")[2])
    for unit in SERVERS:
        assert answers(host, unit, address="127.0.0.2")


def test_absent_leaves_nothing(host):
    """The last one: it removes what the others look at, on all hosts when the first of them gets here."""
    if host.file("/etc/systemd/system/rot13.service").exists:
        project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
        folder = project / "extensions/molecule"
        done = subprocess.run(
            [
                "ansible-playbook",
                "--inventory",
                folder / "inventory.yml",
                "--limit",
                host.backend.name.rpartition("-")[2],
                folder / "rot13/absent.yml",
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=project,
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(project / ".ansible/collections")},
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for unit in SERVERS:
        assert not host.file(f"/etc/systemd/system/{unit}.service").exists
        assert not host.file(f"/etc/systemd/system/multi-user.target.wants/{unit}.service").exists
        assert not host.user(unit).exists
        # The bracket keeps the pattern from matching the shell that runs it.
        assert host.run("pgrep -f '/usr/local/lib/[r]ot13'").rc == 1

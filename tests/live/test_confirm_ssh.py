# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments that cut off the way to their host, over real ssh with sudo: the host comes back by itself.

Runs with TRANSPORT=ssh or ssh-pipelining alone; see `make transports`. TIMES=10 does each ten times.
"""

from __future__ import annotations

import os
import time

import pytest
from live.transports import USER, AnsibleTarget

WITHIN = 12
TIMES = int(os.environ.get("TIMES", "1"))
CHAIN = "nft add table inet t; nft add chain inet t input '{ type filter hook input priority 0; }'"
DROP = f"{CHAIN}; nft add rule inet t input tcp dport 22 drop"
# What the start of the service does, and what its stop puts right.
CUTS = {
    "sshd stops": ("systemctl stop ssh.socket ssh.service", "systemctl start ssh.service"),
    "the firewall drops port 22": (DROP, "nft delete table inet t"),
    "the link is down": (
        "ip route > /run/t-routes; ip link set eth0 down",
        "ip link set eth0 up; while read route; do ip route replace $route; done < /run/t-routes",
    ),
    "sudo is broken": (f"mv /etc/sudoers.d/{USER} /run/t-sudoers", f"mv /run/t-sudoers /etc/sudoers.d/{USER}"),
}


@pytest.fixture
def ssh(target):
    assert isinstance(target, AnsibleTarget)
    target.sh("which nft ip || apt-get -q -y --no-install-recommends install nftables iproute2")
    return target


def cut(*commands):
    start, stop = commands
    service = {"ExecStart": "/bin/sleep infinity", "ExecStartPost": [["/bin/sh", "-c", start]]}
    return {
        "name": "t-cut",
        "state": "started",
        "sections": {"Service": {**service, "ExecStopPost": [["/bin/sh", "-c", stop]]}},
    }


def deploy(ssh, unit, **confirm):
    return ssh.play([{"unitcraft.systemd.unit": {**unit, "confirm": confirm}}])[0]


@pytest.mark.parametrize("_time", range(TIMES))
@pytest.mark.parametrize("what", CUTS)
def test_the_host_comes_back(ssh, what, _time):
    begun = time.monotonic()
    result = deploy(ssh, cut(*CUTS[what]), within=WITHIN)
    assert result["failed"], result
    assert result.get("confirm", {}).get("state") == "not confirmed", result.get("msg")
    ssh.wait_for("! ls /etc/systemd/system/unitcraft-confirm-* /var/lib/unitcraft/intent.json 2>/dev/null")
    print(f"\n{ssh.name}: {what}: back after {time.monotonic() - begun:.1f} s", flush=True)
    assert ssh.show("t-cut", "ActiveState") == "inactive"
    told = ssh.play([{"unitcraft.systemd.unit": {"name": "t-cut", "state": "absent"}}])[0]
    assert f"was not confirmed within {WITHIN} s" in told["recovered"]


def test_a_good_deployment_is_confirmed(ssh):
    """CONFIRMED=200 does that many."""
    for number in range(int(os.environ.get("CONFIRMED", "3"))):
        unit = cut(f"echo {number}", "true")
        result = deploy(ssh, unit)
        assert result["confirm"]["state"] == "confirmed", f"number {number}: {result['msg']}"
        assert ssh.show("t-cut", "ActiveState") == "active"
        ssh.sh("! ls /etc/systemd/system/unitcraft-confirm-* /var/lib/unitcraft/intent.json 2>/dev/null")


def test_check_mode(ssh):
    unit = {**cut("true", "true"), "confirm": {}}
    result = ssh.play([{"unitcraft.systemd.unit": unit, "check_mode": True}])[0]
    assert result["confirm"] == {"state": "would be armed"}


def test_in_the_background(ssh):
    task = {"unitcraft.systemd.unit": {**cut("true", "true"), "confirm": {}}, "async": 60, "poll": 1}
    result = ssh.play([task])[0]
    assert result["failed"]
    assert "a task in the background cannot confirm" in result["msg"]

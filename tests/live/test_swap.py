# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blue and green: the other instance takes over, no request is lost, and a sick version never gets one."""

from __future__ import annotations

import json

import pytest
from live.target import said
from live.watching import put_program, watching

BLUE, GREEN = "t-w@blue.service", "t-w@green.service"
# Each instance listens on a port of its own, and says which version it is.
PROGRAM = """\
#!/usr/bin/python3
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", {"blue": 7801, "green": 7802}[sys.argv[1]]))
if "@SICK@":
    server.settimeout(1)
    try:
        server.accept()[0].sendall(b"sick")
    except OSError:
        sys.exit("sick")
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    connection = server.accept()[0]
    connection.sendall(b"@VERSION@")
    connection.close()
"""
# Asks the port that the link leads to over and over; writes how many requests got no answer, and who answered.
WATCH = """\
import json, os, socket, time
lost, seen = 0, []
while not os.path.exists("/run/t-stop"):
    try:
        with open("/run/t-lb") as stream:
            port = int(stream.read())
        answer = socket.create_connection(("127.0.0.1", port), 5).recv(9).decode()
    except OSError:
        lost, answer = lost + 1, ""
    if answer and answer not in seen[-1:]:
        seen.append(answer)
    open("/run/t-watch.new", "w").write(json.dumps([lost, seen]))
    os.rename("/run/t-watch.new", "/run/t-watch")
    time.sleep(0.005)
"""


def service(target, version, sick="", command=None):
    """The unit of a version; its program is put beside those of other versions."""
    program = put_program(target, PROGRAM, version, sick)
    sections = {
        "Service": {"Type": "notify", "ExecStart": f"{program} %i"},
        "Install": {"WantedBy": "multi-user.target"},
    }
    swap = {"link": "/run/t-lb", "target": "/opt/t-w/lb-%i", "command": command, "drain": 0.5}
    return [
        {
            "name": "t-w@.service",
            "sections": sections,
            "instances": ["blue", "green"],
            "state": "started",
            "enabled": True,
            "swap": swap,
        }
    ]


@pytest.fixture
def watch(target):
    """What the clients saw since the first version runs: ``[requests without an answer, who answered]``."""
    target.write("/opt/t-w/lb-blue", "7801")
    target.write("/opt/t-w/lb-green", "7802")
    result = target.units(service(target, "1"))
    assert not result.get("failed"), result["msg"]
    with watching(target, WATCH) as seen:
        yield seen
    target.sh("systemctl disable --now t-w@blue t-w@green; rm -rf /opt/t-w /run/t-lb", check=False)


def state_of(target):
    """What stands of both instances: ``[run state, enablement]`` each, and where the link leads to."""
    found = [[target.show(unit, "ActiveState"), target.show(unit, "UnitFileState")] for unit in (BLUE, GREEN)]
    return [*found, target.sh("readlink /run/t-lb").strip()]


ON, OFF = ["active", "enabled"], ["inactive", "disabled"]
BLUE_SERVES = [ON, OFF, "/opt/t-w/lb-blue"]
GREEN_SERVES = [OFF, ON, "/opt/t-w/lb-green"]


def test_the_first_version_starts_one_instance(target, watch):
    assert state_of(target) == BLUE_SERVES
    assert target.units(service(target, "1"))["changed"] is False


def test_the_other_one_takes_over(target, watch):
    foretold = target.units(service(target, "2"), check=True)
    result = target.units(service(target, "2"))
    assert not result.get("failed"), result["msg"]
    assert said(result) == [
        f"disable {BLUE}",
        "write t-w@.service",
        f"enable {GREEN}",
        "daemon-reload",
        f"start {GREEN}",
        "write t-w@.service",
        f"switch {GREEN}",
        f"stop {BLUE}",
    ]
    assert foretold["actions"] == result["actions"]
    assert foretold["diff"] == result["diff"]
    assert state_of(target) == GREEN_SERVES
    assert target.units(service(target, "2"))["changed"] is False
    assert watch() == [0, ["1", "2"]]


def test_a_sick_version_never_gets_a_request(target, watch):
    before = target.show(BLUE, "InvocationID")
    result = target.units(service(target, "2", sick="yes"))
    assert result["failed"], result
    assert result["rolled_back"], result
    assert [failure["unit"] for failure in result["failed_units"]] == [GREEN]
    assert target.show(BLUE, "InvocationID") == before
    assert state_of(target) == BLUE_SERVES
    assert watch() == [0, ["1"]]


def test_a_command_that_fails_is_taken_back(target, watch):
    target.write("/opt/t-w/to", "#!/bin/sh\necho $1 >>/opt/t-w/told\ntest $1 = blue\n", "0755")
    result = target.units(service(target, "2", command=["/opt/t-w/to", "%i"]))
    assert result["failed"], result
    assert result["rolled_back"], result
    assert "swap: /opt/t-w/to ended with exit status 1" in result["msg"]
    assert target.sh("cat /opt/t-w/told").split() == ["green", "blue"]
    assert state_of(target) == BLUE_SERVES
    assert watch()[0] == 0


def test_what_is_not_confirmed_goes_back(target, watch):
    result = target.units(service(target, "2"), confirm={"within": 3})
    assert result["confirm"]["state"] == "waiting", result
    target.wait_for("! ls /var/lib/unitcraft/intent.json /etc/systemd/system/unitcraft-confirm-* 2>/dev/null")
    assert state_of(target) == BLUE_SERVES
    assert watch() == [0, ["1", "2", "1"]]


def test_a_rollback_and_forward_again(target, watch):
    assert not target.units(service(target, "2")).get("failed")
    back = target.module("rollback", set_name="t-w@.service")
    assert not back.get("failed"), back["msg"]
    assert state_of(target) == BLUE_SERVES
    forward = target.module("rollback", set_name="t-w@.service", to="2")
    assert not forward.get("failed"), forward["msg"]
    assert state_of(target) == GREEN_SERVES
    assert watch() == [0, ["1", "2", "1", "2"]]


def test_a_run_that_is_killed_while_the_old_one_drains(target, watch):
    target.write("/opt/t-w/to", "#!/bin/sh\ntest $1 = blue || kill -KILL $PPID\n", "0755")
    units = service(target, "2", command=["/opt/t-w/to", "%i"])
    assert target.run(target.command("units"), json.dumps({"units": units})).code == -9
    assert state_of(target)[2] == "/opt/t-w/lb-green"
    assert "recovered" in target.units(service(target, "1"))
    assert state_of(target) == BLUE_SERVES
    assert watch()[0] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"instances": ["blue"]}, "t-w@.service: swap: needs two instances"),
        ({"swap": {"drain": 1}}, "t-w@.service: swap: give link or command"),
        ({"swap": {"command": ["x"], "drain": -1}}, "t-w@.service: swap: drain: -1.0 is not a time"),
        ({"swap": {"link": "/run/t-lb", "target": "/opt/lb"}}, "t-w@.service: swap: target: /opt/lb is the same for"),
        ({"swap": {"link": "/etc/systemd/system/x", "target": "%i"}}, "swap.link: path: "),
    ],
)
def test_bad_input(target, change, words):
    result = target.units([{**service(target, "1")[0], **change}])
    assert result["failed"]
    assert words in result["msg"]

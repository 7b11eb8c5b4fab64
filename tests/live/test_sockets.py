# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service with a socket: no request is refused or lost while it restarts, also when the new version is sick."""

from __future__ import annotations

import pytest
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _services
from live.deploying import deploy
from live.watching import watching

# Answers on its TCP and its UDP socket, and ends on SIGTERM after the request at hand.
PROGRAM = """\
import os, select, signal, socket, sys
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
@FAULT@
tcp, udp = [socket.socket(fileno=number) for number in (3, 4)]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while not ended:
    for ready in select.select([tcp, udp], [], [], 0.05)[0]:
        if ready is tcp:
            with tcp.accept()[0] as connection:
                connection.sendall(b"@VERSION@" + connection.recv(9))
        else:
            data, client = udp.recvfrom(9)
            udp.sendto(b"@VERSION@" + data, client)
"""
CLIENT = """\
import json, os, socket, time
asked, lost, versions = 0, [], []
def tell():
    json.dump([asked, lost, versions], open("/run/t-watch.new", "w"))
    os.rename("/run/t-watch.new", "/run/t-watch")
tell()
while not os.path.exists("/run/t-stop"):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        asked += 1
        try:
            with socket.socket(socket.AF_INET, kind) as connection:
                connection.settimeout(60)
                connection.connect(("127.0.0.1", 7900))
                connection.send(b"hello")
                answer = connection.recv(9).decode()
                assert answer[1:] == "hello", answer
                if answer[:1] not in versions[-1:]:
                    versions.append(answer[:1])
        except (OSError, AssertionError) as error:
            lost.append(f"{kind.name}: {error!r}")
    time.sleep(0.002)
tell()
"""
SOCKET = {"listen": "127.0.0.1:7900", "ListenDatagram": "127.0.0.1:7900"}


def apply(target, version, fault="", **more):
    program = PROGRAM.replace("@VERSION@", version).replace("@FAULT@", fault)
    service = {
        "command": ["/usr/bin/python3", "/opt/t-sock/run.py"],
        "files": [{"path": "/opt/t-sock/run.py", "content": program}],
        "dynamic_user": True,
        "type": "notify",
        "socket": SOCKET,
        **more,
    }
    return deploy(target, _services.apply({"t-sock": service}, 257)["units"], set_name="t", prune=True)


@pytest.fixture
def requests(target):
    """What a client saw since the first version runs: how many requests it made, the lost ones, who answered."""
    result = apply(target, "1")
    assert not result.get("failed"), result["msg"]
    with watching(target, CLIENT) as seen:
        yield seen
    target.sh("systemctl stop 't-*'", check=False)


def test_no_request_is_lost(target, requests):
    failed = []
    for number in range(2, 10):
        result = apply(target, str(number), "sys.exit(1)" if number % 3 == 0 else "")
        failed += [number] if result.get("failed") else []
        assert not result.get("failed") or result["rolled_back"], result
        assert not any(action["unit"] == "t-sock.socket" for action in result["actions"]), result["actions"]
    asked, lost, versions = requests()
    assert failed == [3, 6, 9]
    assert versions == ["1", "2", "4", "5", "7", "8"]
    assert lost == []
    assert asked > 100


def test_a_version_that_is_put_back_serves_although_its_socket_starts_the_sick_one_again(target, requests):
    result = apply(target, "2", health={"timeout": 2, "probes": [{"command": ["false"]}]})
    assert result["rolled_back"], result
    _asked, lost, versions = requests()
    assert versions[-1] == "1"
    assert lost == []


def test_a_socket_that_a_sick_version_has_closed_is_open_again(target):
    target.write("/opt/t-sock/run.py", PROGRAM.replace("@VERSION@", "1").replace("@FAULT@", ""))
    listen = dict.fromkeys(("ListenStream", "ListenDatagram"), SOCKET["listen"])
    old, sick = (
        {"name": "t-sock.service", "sections": {"Service": {"Type": "notify", "ExecStart": run}}, "state": "started"}
        for run in ("/usr/bin/python3 /opt/t-sock/run.py", "/bin/false")
    )
    result = target.units([{"name": "t-sock.socket", "sections": {"Socket": listen}, "state": "started"}, old])
    assert not result.get("failed"), result["msg"]
    with watching(target, CLIENT) as seen:
        result = target.units([sick])
        assert result["rolled_back"], result
        assert target.show("t-sock.socket", "ActiveState") == "active"
        assert seen()[2][-1] == "1"


def test_a_changed_socket_takes_its_service_along(target):
    apply(target, "1")
    result = apply(target, "2", socket={**SOCKET, "Backlog": 64})
    assert not result.get("failed"), result["msg"]
    assert target.show("t-sock.socket", "Backlog") == "64"
    assert target.show("t-sock.service", "ActiveState") == "active"


def test_an_instance_for_each_connection(target):
    service = {
        "command": ["/bin/cat"],
        "dynamic_user": True,
        "socket": {"listen": "127.0.0.1:7901", "accept": True},
        "sections": {"Service": {"StandardInput": "socket"}},
        "health": {"probes": [{"tcp": "127.0.0.1:7901", "send": "hello", "expect": "hello"}]},
    }
    result = deploy(target, _services.apply({"t-each": service}, 257)["units"], set_name="t", prune=True)
    assert not result.get("failed"), result["msg"]
    assert target.show("t-each.socket", "ActiveState") == "active"


def test_all_of_it_goes(target):
    apply(target, "1")
    result = apply(target, "1", state="absent")
    assert not result.get("failed"), result["msg"]
    assert target.sh("ls /etc/systemd/system | grep t-sock; true") == ""

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances of a template restart in turn, so that most of them serve at every moment; a sick version reaches one."""

from __future__ import annotations

import pytest
from live.target import said
from live.watching import put_program, watching

INSTANCES = ["c", "a", "d", "b"]
NAMES = [f"t-w@{name}.service" for name in INSTANCES]
# Each instance listens on a port of its own, and says who it is.
PROGRAM = """\
#!/usr/bin/python3
import os, socket, sys
instance = sys.argv[1]
if instance in "@SICK@".split():
    sys.exit("sick")
server = socket.create_server(("127.0.0.1", 7800 + ord(instance)))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    connection = server.accept()[0]
    connection.sendall(b"@VERSION@")
    connection.close()
"""
# Asks all instances over and over, and writes the most that did not answer in one round, and the last answers.
WATCH = """\
import json, os, socket, time
most = 0
while not os.path.exists("/run/t-stop"):
    seen = []
    for name in "abcd":
        try:
            seen.append(socket.create_connection(("127.0.0.1", 7800 + ord(name)), 5).recv(9).decode())
        except OSError:
            pass
    most = max(most, 4 - len(seen))
    open("/run/t-watch.new", "w").write(json.dumps([most, seen]))
    os.rename("/run/t-watch.new", "/run/t-watch")
    time.sleep(0.005)
"""


def service(target, version, sick=""):
    """The unit of a version; its program is put beside those of other versions."""
    program = put_program(target, PROGRAM, version, sick)
    sections = {"Service": {"Type": "notify", "ExecStart": f"{program} %i"}}
    return [{"name": "t-w@.service", "sections": sections, "instances": INSTANCES, "state": "started"}]


@pytest.fixture
def watch(target):
    """What the clients saw since the first version runs: ``[most instances that were down at once, last answers]``."""
    result = target.units(service(target, "1"))
    assert not result.get("failed"), result["msg"]
    with watching(target, WATCH) as seen:
        yield seen
    target.sh("systemctl stop 't-w@*'", check=False)


def test_one_after_the_other(target, watch):
    foretold = target.units(service(target, "2"), check=True, rolling={})
    result = target.units(service(target, "2"), rolling={})
    assert not result.get("failed"), result["msg"]
    assert said(result) == ["write t-w@.service", "daemon-reload", *(f"restart {name}" for name in NAMES)]
    assert foretold["actions"] == result["actions"]
    down, answers = watch()
    assert down <= 1
    assert answers == ["2"] * 4


def test_a_sick_one_ends_it(target, watch):
    before = {name: target.show(name, "InvocationID") for name in NAMES}
    result = target.units(service(target, "2", sick="d"), rolling={})
    assert result["failed"], result
    assert result["rolled_back"], result
    assert [failure["unit"] for failure in result["failed_units"]] == ["t-w@d.service"]
    down, answers = watch()
    assert down <= 1
    assert answers == ["1"] * 4
    untouched = [name for name in NAMES if target.show(name, "InvocationID") == before[name]]
    assert untouched == ["t-w@b.service"]


def test_two_at_a_time(target, watch):
    result = target.units(service(target, "2"), rolling={"max_parallel": 2, "min_healthy_time": 1})
    assert not result.get("failed"), result["msg"]
    starts = [int(target.show(name, "ActiveEnterTimestampMonotonic")) for name in NAMES]
    assert min(starts[2:]) - max(starts[:2]) >= 1_000_000
    assert watch()[0] <= 2


def test_what_is_not_confirmed_goes_back_in_turn(target, watch):
    result = target.units(service(target, "2"), rolling={}, confirm={"within": 3})
    assert result["confirm"]["state"] == "waiting", result
    target.wait_for("! ls /var/lib/unitcraft/intent.json /etc/systemd/system/unitcraft-confirm-* 2>/dev/null")
    down, answers = watch()
    assert down <= 1
    assert answers == ["1"] * 4


def test_a_rollback_in_turn(target, watch):
    assert not target.units(service(target, "2"), rolling={}).get("failed")
    result = target.module("rollback", set_name="t-w@.service", rolling={})
    assert not result.get("failed"), result["msg"]
    down, answers = watch()
    assert down <= 1
    assert answers == ["1"] * 4


def test_an_instance_that_dies_while_the_next_one_restarts(target, watch):
    units = service(target, "2")
    units[0]["sections"]["Service"]["RuntimeMaxSec"] = "1500ms"
    result = target.units(units, rolling={"min_healthy_time": 1})
    assert result["failed"], result
    assert result["rolled_back"], result
    assert "t-w@c.service" in [failure["unit"] for failure in result["failed_units"]]
    target.wait_for(f"systemctl is-active {' '.join(NAMES)}")


@pytest.mark.parametrize(
    ("rolling", "words"),
    [
        ({"max_parallel": 0}, "rolling: max_parallel: 0 is below 1"),
        ({"min_healthy_time": -1}, "rolling: min_healthy_time: -1 is not a number of seconds"),
        ({"units": ["t-none.service"]}, "rolling: units: t-none.service is not a unit of this task"),
    ],
)
def test_bad_input(target, rolling, words):
    result = target.units(service(target, "1"), rolling=rolling)
    assert result["failed"]
    assert words in result["msg"]

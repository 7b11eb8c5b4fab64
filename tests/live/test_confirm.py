# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment that nobody confirms is put back by the host itself; one that is confirmed stays."""

from __future__ import annotations

import json

import pytest
from live.deploying import ASK, LIST, deploy, echo, program

# systemd keeps an ended unit in memory until its next reload, because a link had it started with the host.
# What is left in place of its archive only answers who confirms again.
NO_GUARD = (
    "! find /etc/systemd/system -name '*confirm*' | grep . &&"
    " ! find /var/lib/unitcraft -name '*confirm*' -size +1 | grep . &&"
    " ! systemctl list-units --plain --no-legend 'unitcraft-confirm*' | grep ."
)


@pytest.fixture(autouse=True)
def clean_files(target):
    yield
    target.sh("systemctl stop 't-*' 2>/dev/null; rm -rf /etc/t-* /var/lib/t-* /run/t-*", check=False)


def state(target):
    return target.sh(LIST), target.sh(ASK), target.sh("cat /var/lib/unitcraft/generations/t-echo.service/current")


def first_version(target):
    result = deploy(target, [echo("1")])
    assert not result.get("failed"), result["msg"]
    return state(target)


def second_version(target, within=60, **more):
    result = deploy(target, [echo("2", health={"timeout": within}, **more)], confirm={"within": within})
    assert not result.get("failed"), result["msg"]
    assert result["confirm"] == {"state": "waiting", "within": float(within)}
    return result["_confirm"]["command"]


def wait_until_put_back(target, before):
    target.wait_for("! ls /var/lib/unitcraft/intent.json 2>/dev/null")
    target.wait_for(NO_GUARD)
    assert state(target) == before


def test_confirmed(target):
    first_version(target)
    command = second_version(target)
    ended = target.run(command)
    assert (ended.code, ended.err, json.loads(ended.out)) == (0, "", [])
    target.sh(NO_GUARD)
    assert target.sh(ASK).startswith("2 configuration 2")
    assert target.sh("cat /var/lib/unitcraft/generations/t-echo.service/current") == "2"
    assert target.run(command) == ended  # the first answer may have been lost
    again = deploy(target, [echo("2")], confirm={})
    assert (again["changed"], again["confirm"], again.get("recovered")) == (False, {"state": "not needed"}, None)
    back = target.module("rollback", set_name="t-echo.service")
    assert not back.get("failed"), back["msg"]
    assert target.sh(ASK).startswith("1 configuration 1")


def test_not_confirmed(target):
    before = first_version(target)
    command = second_version(target, 10)
    refused = deploy(target, [echo("3")])
    assert refused["failed"], refused
    assert not refused["changed"], refused
    assert "t-echo.service that began at" in refused["msg"]
    assert "waits for its confirmation" in refused["msg"]
    target.sh("echo meanwhile >> /etc/t-echo/conf")  # as a program may write into its own configuration
    wait_until_put_back(target, before)
    assert target.run(command).code != 0
    said = target.sh("journalctl --no-pager --output=cat --unit='unitcraft-confirm-*' | tail -n 20")
    assert "was not confirmed within 10 s" in said, said
    assert "healthy: t-echo.service" in said, said
    foretold = deploy(target, [echo("1")], check=True)
    assert "recovered" not in foretold
    told = deploy(target, [echo("1")])
    assert "was not confirmed within 10 s" in told["recovered"]
    assert told["recovered"] in told["warnings"]
    assert (told["changed"], "recovered" in deploy(target, [echo("1")])) == (False, False)


def test_a_rollback_that_is_not_confirmed(target):
    first_version(target)
    deploy(target, [echo("2")])
    before = state(target)
    result = target.module("rollback", set_name="t-echo.service", confirm={"within": 2})
    assert result["confirm"]["state"] == "waiting", result
    wait_until_put_back(target, before)


def test_a_rollback_that_is_confirmed(target):
    before = first_version(target)
    deploy(target, [echo("2")])
    result = target.module("rollback", set_name="t-echo.service", confirm={})
    target.sh(" ".join(result["_confirm"]["command"]))
    target.sh(NO_GUARD)
    assert state(target) == before


def test_check_mode_arms_nothing(target):
    before = first_version(target)
    result = deploy(target, [echo("2")], check=True, confirm={})
    assert result["changed"]
    assert result["confirm"] == {"state": "would be armed"}
    target.sh(NO_GUARD)
    assert state(target) == before


def test_a_sick_version_leaves_no_guard(target):
    before = first_version(target)
    result = deploy(target, [echo("2", "sys.exit(1)")], confirm={})
    assert result["failed"], result
    assert result["rolled_back"], result
    target.sh(NO_GUARD)
    assert state(target) == before


def test_a_reboot_within_the_time(target):
    enabled = {"enabled": True}
    item = echo("1", **enabled)
    item["sections"]["Install"] = {"WantedBy": "multi-user.target"}
    assert not deploy(target, [item]).get("failed")
    before = state(target)
    item = echo("2", **enabled)
    item["sections"]["Install"] = {"WantedBy": "multi-user.target"}
    assert not deploy(target, [item], confirm={"within": 30}).get("failed")
    target.reboot()
    wait_until_put_back(target, before)


def test_the_manager_executes_itself_anew_within_the_time(target):
    before = first_version(target)
    second_version(target, 8)
    target.sh("systemctl daemon-reexec")
    wait_until_put_back(target, before)


def test_the_guard_is_killed_within_the_time(target):
    before = first_version(target)
    second_version(target, 8)
    target.sh("systemctl kill --signal=KILL 'unitcraft-confirm-*'")
    wait_until_put_back(target, before)


def test_the_module_is_killed_before_it_waits(target):
    """The lock is free then, and the guard does not wait for any time."""
    before = first_version(target)
    target.sh(
        "touch /run/t-stay; (while ! systemctl is-active --quiet 'unitcraft-confirm-*'; do sleep 0.05; done;"
        " while ! grep -q 'Version 2' /etc/systemd/system/t-echo.service; do sleep 0.05; done;"
        " kill -KILL $(sed -n 's/^pid \\([0-9]*\\),.*/\\1/p' /var/lib/unitcraft/lock); rm /run/t-stay)"
        " >/dev/null 2>&1 &"
    )
    fault = "import os, time\nwhile os.path.exists('/run/t-stay'): time.sleep(0.1)"
    with pytest.raises(AssertionError, match="did not end with a result"):
        deploy(target, [echo("2", fault)], confirm={"within": 3000})
    wait_until_put_back(target, before)
    assert "was interrupted" in deploy(target, [echo("1")])["recovered"]


def test_the_new_version_fills_the_disk(target):
    target.sh("mkdir -p /run/t-small && mount -t tmpfs -o size=8m none /run/t-small")
    target.sh("mkdir /run/t-small/state /run/t-small/etc && mkdir -p /var/lib/unitcraft /etc/t-echo")
    target.sh("mount --bind /run/t-small/state /var/lib/unitcraft && mount --bind /run/t-small/etc /etc/t-echo")
    try:
        before = first_version(target)
        fill = program("2").replace(
            "server.listen()\n",
            "server.listen()\nimport threading\nthreading.Thread(target=fill, daemon=True).start()\n",
        )
        fill = fill.replace(
            "server = socket",
            "def fill():\n"
            "    import time\n"
            "    time.sleep(1)\n"
            "    while True:\n"
            "        try:\n"
            "            with open('/run/t-small/full', 'ab', 0) as full: full.write(bytes(512))\n"
            "        except OSError: time.sleep(0.01)\n"
            "server = socket",
            1,
        )
        assert fill.count("fill") == 2
        second_version(target, 8, files={"program": {"content": fill}})
        wait_until_put_back(target, before)
        assert "No space left on device" in target.sh("journalctl --no-pager --unit='unitcraft-confirm-*'")
    finally:
        target.sh("systemctl stop t-echo; umount -l /var/lib/unitcraft /etc/t-echo /run/t-small", check=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"confirm": {"within": 29}},
            "confirm: within: 29 s are less than the 30 s of t-echo.service's health.timeout",
        ),
        ({"confirm": {"within": 0}}, "confirm: within: 0 is not a number of seconds from 1 to 86400"),
        ({"confirm": {}, "rollback": False}, "confirm: rollback: false keeps what fails"),
    ],
)
def test_bad_input(target, options, words):
    result = deploy(target, [echo("1")], **options)
    assert result["failed"]
    assert words in result["msg"]

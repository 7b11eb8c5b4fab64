# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories in which version 0.1 restarted what it should not, or called a failure a success."""

from __future__ import annotations

import pytest
from live.target import said

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"


def pid_of(target, unit):
    return target.show(unit, "MainPID")


# A reload


def test_a_reload_that_fails_is_a_failure(target):
    target.units([{"name": "t-a.service", "content": SLEEP + "ExecReload=/bin/false\n", "state": "started"}])
    result = target.unit("t-a", state="reloaded")
    assert "its reload failed" in result["msg"]


def test_a_failed_reload_undoes_the_task(target):
    wanted = {
        "name": "t-a.service",
        "content": SLEEP + "ExecReload=/usr/bin/test ! -e /run/t-broken\n",
        "state": "started",
    }
    target.units([wanted])
    target.sh("touch /run/t-broken")
    changed = wanted["content"] + "Nice=3\n"
    assert target.units([{**wanted, "content": changed, "on_change": "reload"}])["rolled_back"]
    assert target.sh("cat /etc/systemd/system/t-a.service") == wanted["content"].rstrip("\n")


@pytest.mark.parametrize("check", [True, False])
def test_a_reload_that_the_unit_does_not_have_is_refused(target, check):
    target.units([{"name": "t-a.service", "content": SLEEP, "state": "started"}])
    assert "it has no ExecReload=" in target.unit("t-a", check=check, state="reloaded")["msg"]


def test_what_a_reload_would_end_is_restarted(target):
    job = "[Service]\nType=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes\n"
    target.units([{"name": "t-a.service", "content": job, "state": "started"}])
    program = {"name": "t-a.service", "content": SLEEP + "ExecReload=/bin/true\n", "state": "started"}
    target.units([{**program, "on_change": "reload"}])
    assert target.show("t-a", "ActiveState") == "active"
    assert not target.units([{**program, "on_change": "reload"}])["changed"]


# RefuseManualStart= and RefuseManualStop=


@pytest.mark.parametrize("check", [True, False])
def test_a_start_that_systemd_refuses_is_refused_first(target, check):
    content = "[Unit]\nRefuseManualStart=true\n" + SLEEP
    result = target.unit("t-a", check=check, content=content, state="started")
    assert "RefuseManualStart=true" in result["msg"]
    assert target.sh("ls /etc/systemd/system | grep ^t- || echo none") == "none"


def test_a_unit_that_refuses_to_be_stopped_runs_on(target):
    content = "[Unit]\nRefuseManualStop=true\n" + SLEEP
    target.units([{"name": "t-a.service", "content": content, "state": "started"}])
    pid = pid_of(target, "t-a")
    assert said(target.unit("t-a", content=content + "Nice=3\n")) == [
        "write t-a.service",
        "daemon-reload",
        "none t-a.service",
    ]
    assert pid_of(target, "t-a") == pid
    target.sh("rm /etc/systemd/system/t-a.service; systemctl daemon-reload; systemctl stop t-a")


def test_a_follower_that_refuses_to_be_started_by_name_comes_back(target):
    text = "[Service]\nExecStart=/bin/sleep {}\nExecStop=/bin/sh -c 'exit {}'\n"
    follower = "[Unit]\nRequires=t-a.service\nAfter=t-a.service\nRefuseManualStart=true\n" + SLEEP
    units = [("t-a.service", text.format(1000, 0)), ("t-b.service", follower)]
    units.append(("t-c.service", "[Unit]\nWants=t-b.service\n" + SLEEP))
    target.units([{"name": name, "content": content} for name, content in units])
    target.sh("systemctl start t-c")
    target.wait_for("systemctl is-active t-b")
    result = target.unit("t-a", content=text.format(2000, 1))
    assert said(result) == ["write t-a.service", "daemon-reload", "restart t-a.service", "restart t-b.service"]
    assert target.show("t-b", "ActiveState") == "active"


# The start limit


def test_our_restarts_do_not_use_up_the_start_limit(target):
    text = "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=600\n[Service]\nExecStart=/bin/sleep {}\n"
    results = [target.unit("t-a", content=text.format(1000 + n), state="started") for n in range(5)]
    assert [result.get("msg") for result in results] == [None] * 5


# Restart=always after a good end


def test_a_program_that_ends_well_and_is_restarted_is_no_failure(target):
    text = "[Service]\nExecStart=/bin/true\nRestart=always\nRestartSec=600\n"
    result = target.unit("t-a", content=text, state="started")
    assert "msg" not in result, result
    target.wait_for("systemctl show --property=SubState t-a | grep -q auto-restart")
    assert said(target.unit("t-a", content=text, state="started")) == []


# Mounts


def test_the_options_of_a_mount_change_without_losing_what_is_in_it(target):
    text = "[Mount]\nWhat=tmpfs\nWhere=/run/t-m\nType=tmpfs\nOptions=size={}\n"
    target.unit("run-t\\x2dm.mount", content=text.format("1M"), state="started")
    target.sh("echo x > /run/t-m/file")
    try:
        result = target.unit("run-t\\x2dm.mount", content=text.format("2M"))
        assert said(result)[-1] == "reload run-t\\x2dm.mount"
        assert "size=2048k" in target.sh("grep t-m /proc/mounts")
        assert target.sh("cat /run/t-m/file") == "x"
    finally:
        target.unit("run-t\\x2dm.mount", state="absent")


# Bytes that are not UTF-8


def test_drift_of_bytes_that_are_not_text(target):
    wanted = {"name": "t-a.service", "content": SLEEP}
    target.units([wanted])
    target.sh("printf '# \\377\\n' >> /etc/systemd/system/t-a.service")
    drift = target.units([wanted], check=True)["units"]["t-a.service"]["drift"]
    assert "# ?" in drift[0]["diff"]


# Accept=yes

EACH = "[Service]\nExecStart=/bin/cat\nStandardInput=socket\nNice={}\n"


@pytest.fixture
def connection(target):
    """A connection, and the process that serves it."""
    socket = "[Socket]\nListenStream=127.0.0.1:7001\nAccept=yes\n"
    target.units(
        [
            {"name": "t-s@.service", "content": EACH.format(1)},
            {"name": "t-s.service", "content": SLEEP, "state": "started"},
            {"name": "t-s.socket", "content": socket, "state": "started"},
        ]
    )
    code = "import socket, time; s = socket.create_connection(('127.0.0.1', 7001)); time.sleep(600)"
    target.sh(f'python3 -c "{code}" >/dev/null 2>&1 & echo $! > /run/t-client')
    target.wait_for("systemctl list-units --state=running --no-legend 't-s@*' | grep -q t-s@")
    yield target.sh("systemctl list-units --plain --no-legend 't-s@*' | cut -d' ' -f1")
    target.sh("kill $(cat /run/t-client)")


def test_a_change_leaves_the_connections_that_are_served(target, connection):
    result = target.unit("t-s@.service", content=EACH.format(2))
    assert said(result) == ["write t-s@.service", "daemon-reload", f"none {connection}"]
    assert target.show(connection, "ActiveState") == "active"


def test_a_service_beside_such_a_socket_is_another_one(target, connection):
    pid = pid_of(target, "t-s.service")
    target.unit("t-s.socket", content="[Socket]\nListenStream=127.0.0.1:7002\nAccept=yes\n")
    assert pid_of(target, "t-s.service") == pid


# What others live in


def test_the_bus_is_not_restarted(target):
    pid = pid_of(target, "dbus.service")
    result = target.unit("dbus.service", dropin="t-nice", content="[Service]\nNice=1\n")
    target.unit("dbus.service", dropin="t-nice", state="absent")
    assert pid_of(target, "dbus.service") == pid
    assert any("dbus.service is not restarted" in warning for warning in result["warnings"])


# A start under way, and the order of restarts


def test_a_unit_that_is_coming_up_is_waited_for(target):
    wanted = {"Service": {"ExecStart": "/bin/sleep infinity", "TimeoutStartSec": 20}}
    wanted["Service"]["ExecStartPost"] = [["/bin/sh", "-c", "until test -e /run/t-go; do sleep 0.1; done"]]
    target.sh("touch /run/t-go")
    assert not target.unit("t-a", sections=wanted, state="started").get("failed")
    target.sh("rm /run/t-go; systemctl restart --no-block t-a")
    result = target.unit("t-a", sections=wanted, state="started")
    assert result["failed"], result
    assert "t-a.service" in result["msg"]


def test_what_is_ordered_after_another_unit_stops_before_it(target):
    def service(name, nice):
        stop = [["/bin/sh", "-c", f"echo {name} >> /run/t-log; sleep 0.5; echo {name} >> /run/t-log"]]
        sections = {"Service": {"ExecStart": "/bin/sleep infinity", "ExecStop": stop, "Nice": nice}}
        if name == "b":
            sections["Unit"] = {"After": "t-a.service"}
        return {"name": f"t-{name}", "sections": sections, "state": "started"}

    target.units([service("a", 1), service("b", 1)])
    target.units([service("a", 2), service("b", 2)])
    assert target.sh("xargs < /run/t-log") == "b b a a"
    target.sh("rm /run/t-log")
    target.units([{"name": name, "state": "stopped"} for name in ("t-a.service", "t-b.service")])
    assert target.sh("xargs < /run/t-log; rm /run/t-log") == "b b a a"
    target.units([service("a", 1), service("b", 1)])
    target.units([{"name": "t-a.service", "state": "absent"}, service("b", 2)])
    assert target.sh("xargs < /run/t-log; rm /run/t-log; systemctl is-active t-b") == "b b a a\nactive"


# A program that ends, or never answers


RELOADS_FOR_EVER = """\
import os, signal, socket, time
def say(words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(words.encode(), os.environ["NOTIFY_SOCKET"])
def reload(*_signal):
    say(f"RELOADING=1\\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
signal.signal(signal.SIGHUP, reload)
say("READY=1")
while True:
    signal.pause()
"""


@pytest.mark.parametrize("health", [{}, {"health": {"timeout": 5}}], ids=["limit of the unit", "limit of the task"])
def test_a_reload_that_never_ends(target, health):
    """Release 257 begins its time limit anew for ever, and the task waited as long, with the lock; or it succeeded."""
    if "ReloadSignal=" not in target.sh("systemctl show --property=ReloadSignal cron.service systemd-journald.service"):
        pytest.skip("Type=notify-reload is of release 253")
    target.write("/opt/t-reload.py", RELOADS_FOR_EVER)
    text = "[Service]\nType=notify-reload\nTimeoutStartSec=3\nExecStart=/usr/bin/python3 /opt/t-reload.py\n"
    target.unit("t-a", content=text, state="started")
    target.write("/etc/t-trigger", "1")
    target.unit("t-a", content=text, triggers=[{"path": "/etc/t-trigger", "reload": True}])
    target.write("/etc/t-trigger", "2")
    result = target.unit("t-a", content=text, triggers=[{"path": "/etc/t-trigger", "reload": True}], **health)
    assert "t-a.service: its reload failed" in result["msg"]
    assert result["rolled_back"]
    target.wait_for("systemctl is-active t-a")


def test_a_version_that_ends_well_instead_of_staying_up(target):
    """It was a success, and the service was down."""
    text = "[Service]\nExecStart=/bin/sh -c '{}'\n"
    watched = {"name": "t-b.service", "health": {"stable": 3}, "state": "started"}
    target.units([{"name": "t-a.service", "content": text.format("exec sleep 1000"), "state": "started"}])
    units = [{"name": "t-a.service", "content": text.format("echo nothing to do; exit 0")}]
    result = target.units([*units, {**watched, "content": SLEEP}])
    assert "t-a.service: it ended with success instead of staying up, and it ran before" in result["msg"]
    assert "nothing to do" in result["msg"]
    assert result["rolled_back"]
    target.wait_for_command("sleep 1000", "t-a")


@pytest.mark.parametrize("ours", [True, False], ids=["path of the task", "path of somebody else"])
def test_what_a_path_starts_again_is_not_stopped(target, ours):
    """Its trigger holds on: the task was a success, and the service ran, in each run."""
    target.write("/opt/t-there", "")
    service = {"name": "t-p.service", "content": SLEEP}
    path = {"name": "t-p.path", "content": "[Path]\nPathExists=/opt/t-there\n", "state": "started"}
    target.units([service, path])
    target.wait_for("systemctl is-active t-p.service")
    result = target.units([{**service, "state": "stopped"}, *([path] if ours else [])])
    assert "t-p.service: it was stopped, and runs again, by t-p.path" in result["msg"]
    assert result["rolled_back"]
    assert target.show("t-p.service", "ActiveState") == "active"
    both = [{**path, "state": "stopped"}, {**service, "state": "stopped"}]
    assert not target.units(both).get("failed")
    assert target.show("t-p.service", "ActiveState") == "inactive"


def test_a_handler_that_a_failed_version_has_started_is_stopped(target):
    """It ran on, and nothing said so."""
    text = "[Unit]\nOnFailure=t-alert@%N.service\n[Service]\nType=exec\nExecStart={}\n"
    target.units([{"name": "t-alert@.service", "content": SLEEP}])
    target.unit("t-a", content=text.format("/bin/sleep 1000"), state="started")
    result = target.unit("t-a", content=text.format("/bin/sh -c 'exit 3'"), health={"stable": 1})
    assert result["rolled_back"], result
    target.wait_for_command("sleep 1000", "t-a")
    assert target.show("t-alert@t-a.service", "ActiveState") == "inactive"


@pytest.mark.parametrize(
    "dropin", ["[Unit]\nConditionPathExists=/none\n", "[Service]\nExecCondition=/bin/false\n"], ids=["unit", "exec"]
)
def test_a_restart_that_a_condition_ends_is_told(target, dropin):
    """The condition of an administrator: the service was down after it, and the task said nothing."""
    target.unit("t-a", content=SLEEP, state="started")
    target.write("/etc/systemd/system/t-a.service.d/admin.conf", dropin)
    target.sh("systemctl daemon-reload")
    result = target.unit("t-a", content=SLEEP.replace("infinity", "1001"))
    assert not result.get("failed"), result
    assert target.show("t-a.service", "ActiveState") == "inactive"
    assert any("t-a.service ran before and is down" in words for words in result["warnings"]), result

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module unit_info tells of real hosts: every kind of unit, other scopes and roots, and files that are bad."""

from __future__ import annotations

from live.test_one_unit import SLEEP

ETC = "/etc/systemd/system"
ALL = ["definition", "files", "state", "security", "dependencies", "journal", "drift"]


def info(target, *names, check=False, what=("definition", "state"), **arguments):
    result = target.module("unit_info", check, name=list(names), what=list(what), **arguments)
    assert not result.get("failed"), result.get("msg")
    assert result["changed"] is False
    return result


def rules(result):
    return {finding["path"]: finding["rule"] for finding in result["findings"]}


def test_every_kind_of_unit_also_in_check_mode(target):
    target.write(f"{ETC}/t-w@.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    target.sh(f"ln -s /dev/null {ETC}/t-masked.service; systemctl daemon-reload; systemctl start t-w@1")
    target.sh("systemd-run --unit=t-transient --collect sleep infinity")
    names = ["t-w@", "t-w@1", "t-w@2", "t-masked", "t-transient", "t-ghost", "-.mount", "t-*"]
    real = info(target, *names, what=ALL)["units"]
    assert info(target, *names, check=True, what=["definition"])["units"].keys() == real.keys()
    assert (real["t-w@.service"]["shape"], real["t-w@1.service"]["state"]["active_state"]) == ("template", "active")
    assert real["t-w@2.service"]["state"]["active_state"] == "inactive"
    assert real["t-w@2.service"]["definition"]["fragment"] == f"{ETC}/t-w@.service"
    assert real["t-masked.service"]["masked"]
    assert real["t-masked.service"]["state"]["load_state"] == "masked"
    assert real["t-transient.service"]["origin"] == "transient"
    assert real["t-transient.service"]["state"]["active_state"] == "active"
    assert not real["t-ghost.service"]["exists"]
    assert real["-.mount"]["state"]["active_state"] == "active"
    target.sh("systemctl stop t-transient")


def test_units_of_a_user(target):
    target.sh("id t-alice >/dev/null 2>&1 || useradd --uid 4100 --create-home t-alice")
    result = target.unit("t-u", sections={"Service": SLEEP}, state="started", scope="user", user="t-alice", linger=True)
    assert not result.get("failed"), result.get("msg")
    told = info(target, "t-u", "t-*", scope="user", user="t-alice", what=ALL)["units"]["t-u.service"]
    assert told["state"]["active_state"] == "active"
    assert told["state"]["main_pid"] > 1
    assert told["definition"]["fragment"] == "/home/t-alice/.config/systemd/user/t-u.service"
    assert told["definition"]["sections"]["Service"]["Restart"]["set_by"][0]["line"] > 1
    assert told["drift"] == []
    assert info(target, "t-u")["units"]["t-u.service"]["exists"] is False, "the system has no such unit"
    target.unit("t-u", state="absent", scope="user", user="t-alice", linger=False)
    # refused as long as a process of theirs is about to end
    target.wait_for("userdel --remove t-alice 2>/dev/null || ! id t-alice 2>/dev/null")


def test_restarts_in_the_journal(target):
    target.write(
        f"{ETC}/t-again.service",
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=100ms\n",
    )
    target.sh("systemctl daemon-reload; systemctl start t-again")
    target.wait_for("test $(systemctl show --value -p NRestarts t-again) -ge 2")
    target.sh("systemctl stop t-again; journalctl --sync")
    told = info(target, "t-again", "t-good", what=["journal"])["units"]
    restarts = told["t-again.service"]["restarts"]
    assert len(restarts) >= 2
    assert restarts == sorted(restarts)
    assert told["t-good.service"]["restarts"] == []


def test_a_root_is_read_from_files(target):
    target.write(
        "/opt/t-root/usr/lib/systemd/system/t-r.service",
        "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=a.target\n",
    )
    target.write("/opt/t-root/etc/systemd/system/t-r.service.d/5.conf", "[Service]\nNice=5\n")
    told = info(target, "*", root="/opt/t-root")["units"]
    assert list(told) == ["t-r.service"], "nothing of the host itself"
    assert told["t-r.service"]["state"]["unit_file_state"] == "disabled"
    assert told["t-r.service"]["definition"]["sections"]["Service"]["Nice"]["value"] == 5


def test_bad_files_are_findings_and_the_rest_is_complete(target):
    target.write(f"{ETC}/t-good.service", "[Service]\nExecStart=/bin/true\n")
    target.sh(
        f"cd {ETC}; printf '[Unit]\\nDescription=\\377\\376\\n' >t-encoding.service;"
        " { echo '[Unit]'; yes '# and on and on' | head -c 5000000; } >t-large.service;"
        " mkdir -p /opt/t-x; ln -s /opt/t-x/b /opt/t-x/a; ln -s /opt/t-x/a /opt/t-x/b; ln -s /opt/t-x/a t-loop.service;"
        " ln -s /opt/t-x/gone.service t-dangling.service"
    )
    result = info(target, "*", what=ALL)
    assert rules(result) == {
        f"{ETC}/t-encoding.service": "syntax",
        f"{ETC}/t-large.service": "unreadable-file",
        f"{ETC}/t-loop.service": "broken-link",
        f"{ETC}/t-dangling.service": "broken-link",
    }
    assert all(finding["message"] and finding["hint"] for finding in result["findings"])
    assert result["units"]["t-good.service"]["definition"]["sections"]["Service"]["ExecStart"]
    assert len(result["units"]) > 150


def test_a_folder_that_the_reader_may_not_read(target):
    target.write(f"{ETC}/t-good.service", "[Service]\nExecStart=/bin/true\n")
    target.sh(f"mkdir -p {ETC}/t-good.service.d; chmod 0 {ETC}/t-good.service.d")
    command = ["runuser", "-u", "nobody", "--", *target.command("unit_info")]
    ended = target.run(command, '{"name": ["t-good", "dbus"], "what": ["definition"], "_ansible_version": "2.21"}')
    result = target.result(ended)
    assert rules(result) == {f"{ETC}/t-good.service.d": "unreadable-folder"}
    assert result["units"]["t-good.service"]["definition"]
    assert result["units"]["dbus.service"]["definition"]


def test_units_that_come_and_go_while_we_read(target):
    """Files are made and removed all the time; whatever is there is told, and nothing stops the module."""
    target.write(f"{ETC}/t-good.service", "[Service]\nExecStart=/bin/true\n")
    target.sh(
        "systemd-run --unit=t-churn --quiet sh -c 'cd /etc/systemd/system;"
        " while sleep 0.02; do for i in 1 2 3 4 5 6 7 8 9; do"
        ' echo "[Service]" >t-brief$i.service; done; sleep 0.02; rm t-brief*.service; done\''
    )
    for _round in range(3):
        result = info(target, "*", what=["definition", "files"])
        assert set(rules(result).values()) <= {"vanished-file"}
        assert result["units"]["t-good.service"]["definition"]["sections"]["Service"]["ExecStart"]
    target.sh("systemctl stop t-churn")

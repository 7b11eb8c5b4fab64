# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused: with the option, the remedy, and nothing changed."""

from __future__ import annotations

import pytest

TEXT = {"Service": {"ExecStart": "/bin/sleep infinity"}}
BAD = [
    pytest.param({"name": "../../etc/passwd", "sections": TEXT}, ["name:", "slash"], id="path"),
    pytest.param({"name": "a/b.service", "sections": TEXT}, ["name:", "slash"], id="slash"),
    pytest.param({"name": ".service", "sections": TEXT}, ["name:", "before its suffix"], id="suffix alone"),
    pytest.param({"name": "t-x.banana", "sections": TEXT}, ["name:", "add .service"], id="unknown suffix"),
    pytest.param({"name": "t-" + "x" * 250 + ".service", "sections": TEXT}, ["name:", "255"], id="too long"),
    pytest.param({"name": "t-x y.service", "sections": TEXT}, ["name:", "unit_escape"], id="blank"),
    pytest.param(
        {"name": "t-x", "sections": TEXT, "content": "[Service]\n"}, ["sections or content", "not both"], id="both"
    ),
    pytest.param({"name": "t-x"}, ["neither sections nor content"], id="neither"),
    pytest.param({"name": "t-x", "dropin": "10-x"}, ["neither sections nor content"], id="neither, drop-in"),
    pytest.param({"name": "t-x", "dropin": "../x", "sections": TEXT}, ["dropin:", "10-limits"], id="drop-in path"),
    pytest.param(
        {"name": "t-x", "sections": {"Service": {"User": "a\nExecStart=/bin/x"}}}, ["User", "newline"], id="newline"
    ),
    pytest.param({"name": "t-x", "sections": {"Service": {"User": "a\0b"}}}, ["User", "NUL"], id="NUL"),
    pytest.param({"name": "t-x", "content": "[Service]\nUser=a\0b\n"}, ["content", "NUL"], id="NUL in content"),
    pytest.param({"name": "t-x", "content": "\n"}, ["content is empty", "masked: true"], id="empty content"),
    pytest.param({"name": "t-x", "sections": {"Service": {"User": {"a": "b"}}}}, ["User", "mapping"], id="mapping"),
    pytest.param(
        {"name": "t-x", "sections": {"Service": {"User": "a"}, "Ser]vice": {"a": "b"}}}, ["section"], id="section name"
    ),
    pytest.param(
        {"name": "t-x", "sections": TEXT, "instances": ["1"]}, ["instances", "@"], id="instances without template"
    ),
    pytest.param(
        {"name": "t-x@.service", "sections": TEXT, "instances": ["a/b"]}, ["instances", "unit_escape"], id="instance"
    ),
    pytest.param({"name": "t-x", "sections": TEXT, "triggers": ["relative"]}, ["triggers", "absolute"], id="trigger"),
    pytest.param({"name": "t-x", "sections": TEXT, "user": "root"}, ["user:", "scope: user"], id="user without scope"),
    pytest.param(
        {"name": "t-x", "sections": TEXT, "linger": True}, ["linger:", "scope: user"], id="linger without scope"
    ),
    pytest.param({"name": "t-x", "sections": TEXT, "prune": True}, ["prune:", "set_name"], id="prune without a set"),
    pytest.param({"name": "t-x", "sections": TEXT, "root": "/nowhere"}, ["root:", "/nowhere"], id="no such root"),
    pytest.param(
        {"name": "t-x", "sections": TEXT, "scope": "user", "user": "nobody-here"},
        ["user:", "nobody-here"],
        id="no such user",
    ),
    pytest.param(
        {"name": "t-x", "state": "absent", "sections": TEXT}, ["state: absent takes no sections"], id="absent with text"
    ),
    pytest.param({"name": "t-x", "state": "started"}, ["no such unit", "sections or content"], id="no such unit"),
    pytest.param(
        {"name": "t-x", "sections": {"Service": {"ExecStrt": "/bin/x"}}},
        ["ExecStrt", "ExecStart"],
        id="unknown directive",
    ),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_refused(target, arguments, words, check):
    before = target.sh("find /etc/systemd /etc/passwd -printf '%p %T@\n' | sort")
    result = target.module("unit", check, **arguments)
    assert result.get("failed")
    assert not result["changed"]
    assert [word for word in words if word not in result["msg"]] == []
    assert target.sh("find /etc/systemd /etc/passwd -printf '%p %T@\n' | sort") == before


def test_a_file_that_is_a_link(target):
    target.write("/run/t-victim", "[Service]\n")
    target.sh("ln -s /run/t-victim /etc/systemd/system/t-x.service")
    result = target.unit("t-x", sections=TEXT)
    assert "name:" in result["msg"]
    assert "/run/t-victim" in result["msg"]
    assert "through a link" in result["msg"]
    assert target.sh("cat /run/t-victim") == "[Service]"


def test_a_drop_in_folder_that_is_a_link(target):
    target.sh("mkdir -p /run/t-elsewhere; ln -s /run/t-elsewhere /etc/systemd/system/t-x.service.d")
    target.unit("t-x", sections=TEXT)
    result = target.unit("t-x", dropin="10-x", sections={"Service": {"RestartSec": 2}})
    assert result["failed"]
    assert "t-x.service.d" in result["msg"]
    assert "link" in result["msg"]
    assert target.sh("ls /run/t-elsewhere") == ""


@pytest.fixture
def read_only_unit_folder(target):
    target.sh("mount --bind /etc/systemd/system /etc/systemd/system && mount -o remount,ro,bind /etc/systemd/system")
    yield "/etc/systemd/system"
    target.sh("umount /etc/systemd/system")


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_read_only_unit_folder(target, read_only_unit_folder, check):
    result = target.unit("t-x", check=check, sections=TEXT)
    assert result["failed"]
    assert read_only_unit_folder in result["msg"]
    assert "runtime: true" in result["msg"]


def test_declared_twice(target):
    twice = target.units(
        [
            {"name": "t-x", "sections": TEXT},
            {"name": "t-y", "sections": TEXT},
            {"name": "t-x.service", "sections": TEXT},
        ]
    )
    assert "t-x.service is declared twice: units[0] and units[2]" in twice["msg"]


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_an_alias_with_a_file_of_its_own(target, check):
    target.unit("t-y", sections=TEXT)
    result = target.unit("t-x", check, sections={**TEXT, "Install": {"Alias": "t-y.service"}}, enabled=True)
    assert "Alias=t-y.service, for /etc/systemd/system/t-y.service is a file" in result["msg"]
    assert "rolled_back" not in result


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_a_unit_that_systemd_run_made(target, check):
    target.sh("systemd-run --unit=t-x sleep 1000")
    result = target.unit("t-x", check, sections=TEXT)
    assert "systemd reads /run/systemd/transient/t-x.service in place of" in result["msg"]
    target.sh("systemctl stop t-x")
    assert not target.unit("t-x", check, sections=TEXT).get("failed")


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_a_runtime_unit_below_one_in_etc(target, check):
    target.unit("t-x", sections=TEXT)
    result = target.unit("t-x", check, sections=TEXT, runtime=True)
    assert "systemd reads /etc/systemd/system/t-x.service in place of /run/systemd/system/t-x.service" in result["msg"]

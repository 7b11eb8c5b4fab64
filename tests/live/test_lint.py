# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module unit_lint on real hosts: their own release and keys, their own verify."""

from __future__ import annotations

import pytest

FOLDER = "/opt/t-lint"
TEXTS = {
    "t-good.service": "[Service]\nType=exec\nExecStart=/bin/sleep 1000\n",
    "t-typo.service": "[Service]\nType=exec\nExecStart=/bin/sleep 1000\nRestartSecs=1\n",
    "t-gone.service": "[Service]\nType=exec\nExecStart=/opt/no-such-program\n",
    "t-good.service.d/10-kill.conf": "[Service]\nKillMode=none\n",
}


def found(result):
    return sorted((finding["unit"], finding["rule"], finding["source"]) for finding in result["findings"])


@pytest.fixture
def folder(target):
    for name, text in TEXTS.items():
        target.write(f"{FOLDER}/{name}", text)
    yield FOLDER
    target.sh(f"rm -rf {FOLDER}")


@pytest.mark.parametrize("check", [False, True])
def test_findings_of_a_folder(target, folder, check):
    before = target.sh(f"cat {folder}/*.service")
    result = target.module("unit_lint", check, paths=[folder], fail_on="never")
    assert not result.get("failed"), result.get("msg")
    assert result["changed"] is False, result.get("msg")
    assert found(result) == [
        ("t-good.service", "kill-mode-none", "lint"),
        ("t-typo.service", "unknown-directive", "systemd"),
    ]
    assert str(result["systemd_version"]) == target.sh("systemctl --version | sed -n '1s/systemd \\([0-9]*\\).*/\\1/p'")
    assert target.sh(f"cat {folder}/*.service") == before


def test_verify_adds_what_only_the_host_knows(target, folder):
    result = target.module("unit_lint", paths=[folder], verify=True, fail_on="never")
    assert ("t-gone.service", "verify", "verify") in found(result)
    # What the grammar said of a line is not said twice.
    assert [row for row in found(result) if row[0] == "t-typo.service"] == [
        ("t-typo.service", "unknown-directive", "systemd")
    ]
    assert target.sh("ls /run | grep unitcraft-verify", check=False) == ""


def test_a_finding_fails_the_task_and_says_all(target, folder):
    result = target.module("unit_lint", paths=[folder], fail_on="warning")
    assert result["failed"]
    assert result["msg"].startswith("2 findings (fail_on: warning)\n")
    assert "RestartSec=" in result["msg"]
    assert f"{folder}/t-good.service.d/10-kill.conf" in result["msg"]


def test_bad_options(target):
    result = target.module("unit_lint", paths=["/opt/t-missing"])
    assert result["failed"]
    assert "paths: there is no file or folder /opt/t-missing" in result["msg"]
    result = target.module("unit_lint", units=[{"name": "t-a", "sections": {}}])
    assert result["failed"], result["msg"]
    assert "no directive is set" in result["msg"], result["msg"]


WEB = {
    "name": "t-web.service",
    "sections": {"Service": {"Type": "exec", "ExecStart": "/usr/bin/python3 -m http.server 7950"}},
    "health": {"probes": [{"http": "http://localhost:7950/"}]},
}
FRONT = {
    "name": "t-front.socket",
    "sections": {"Socket": {"ListenStream": 7951, "Service": "t-web.service"}},
    "state": "started",
}
ELSEWHERE = {"probes": [{"tcp": "192.0.2.1:7950"}, {"command": ["true"]}]}


@pytest.mark.parametrize(
    ("units", "options", "expected"),
    [
        ([WEB], {}, [("t-web.service", "network-service-without-socket", "lint")]),
        ([WEB], {"rolling": {"units": ["t-web.service"]}}, []),
        ([WEB, FRONT], {}, []),
        ([{**WEB, "health": ELSEWHERE}], {}, []),
    ],
)
def test_a_port_that_no_socket_holds(target, units, options, expected):
    result = target.units(units, check=True, **options)
    assert not result.get("failed"), result["msg"]
    assert found(result) == expected


def test_a_socket_of_another_name_that_an_earlier_task_has_brought(target):
    assert not target.units([FRONT, {**WEB, "health": None}]).get("failed")
    result = target.units([{**WEB, "state": "restarted"}], check=True)
    target.sh("systemctl stop t-front.socket; rm /etc/systemd/system/t-web.service /etc/systemd/system/t-front.socket")
    assert found(result) == []

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was changed by hand since a unit was deployed is told by the next run, which then puts it right."""

from __future__ import annotations

import pytest
from live.deploying import deploy, echo
from live.test_one_unit import SLEEP

WANTED = {
    "sections": {"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}},
    "state": "started",
    "enabled": True,
}
PATH = "/etc/systemd/system/t-a.service"


def drift(result, unit="t-a.service"):
    return result["units"][unit]["drift"]


def test_everything_that_can_be_changed_by_hand(target):
    assert drift(target.unit("t-a", check=True, **WANTED)) is None
    target.unit("t-a", **WANTED)
    assert drift(target.unit("t-a", **WANTED)) == []
    target.sh(
        f"echo Nice=5 >>{PATH}; mkdir {PATH}.d; printf '[Service]\\nRestartSec=9\\n' >{PATH}.d/50-own.conf;"
        " systemctl daemon-reload; systemctl disable --quiet t-a; systemctl stop t-a"
    )
    told = drift(target.unit("t-a", check=True, **WANTED))
    assert [item["what"] for item in told] == ["changed", "added", "enablement", "run-state"]
    assert "+Nice=5" in told[0]["diff"]
    assert told[0]["path"] == PATH
    assert "+RestartSec=9" in told[1]["diff"]
    assert told[1]["path"] == f"{PATH}.d/50-own.conf"
    assert drift(target.unit("t-a", **WANTED)) == told
    assert [item["what"] for item in drift(target.unit("t-a", **WANTED))] == ["added"], (
        "a drop-in of others is left alone"
    )


def test_a_file_that_is_gone(target):
    target.unit("t-a", **WANTED)
    target.unit("t-a", dropin="10-x", sections={"Service": {"RestartSec": 3}})
    target.sh(f"rm {PATH}.d/10-x.conf; systemctl daemon-reload")
    told = drift(target.unit("t-a", check=True, **WANTED))
    assert [(item["what"], item["path"]) for item in told] == [("removed", f"{PATH}.d/10-x.conf")]
    assert "-RestartSec=3" in told[0]["diff"]


@pytest.fixture
def clean_files(target):
    yield
    target.sh("systemctl stop 't-*' 2>/dev/null; rm -rf /etc/t-* /var/lib/t-*", check=False)


@pytest.mark.usefixtures("clean_files")
def test_files_of_a_unit(target):
    deploy(target, [echo("1")])
    ask = {"name": ["t-echo"], "what": ["drift"]}
    assert drift(target.module("unit_info", **ask), "t-echo.service") == []
    target.sh("rm /etc/t-echo/conf; echo SECRET=x > /etc/t-echo/secret; chmod 755 /var/lib/t-echo")
    target.sh("ln -sfn releases/9 /opt/t-echo/current; chown 1 /opt/t-echo/echo.py")
    told = drift(target.module("unit_info", **ask), "t-echo.service")
    assert {item["path"]: (item["what"], item["message"]) for item in told} == {
        "/etc/t-echo/conf": ("removed", "the file is gone"),
        "/etc/t-echo/secret": ("changed", "its content is not as we wrote it"),
        "/var/lib/t-echo": ("changed", "its mode is 0755, deployed 0750"),
        "/opt/t-echo/current": ("changed", "it leads to releases/9, deployed to releases/1"),
        "/opt/t-echo/echo.py": ("changed", "its owner is 1:0, deployed 0:0"),
    }

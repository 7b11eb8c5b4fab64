# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories in which version 0.1 enabled nothing, or took what contradicts itself."""

from __future__ import annotations

import pytest
from live.target import said

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"
VENDOR = "/usr/lib/systemd/system"


def test_an_alias_is_enabled(target):
    target.write(f"{VENDOR}/t-v.service", SLEEP + INSTALL)
    target.sh(f"ln -s t-v.service {VENDOR}/t-alias.service; systemctl daemon-reload")
    try:
        result = target.unit("t-alias", enabled=True)
        assert said(result) == ["enable t-v.service", "daemon-reload"]
        assert target.show("t-v", "UnitFileState") == "enabled"
        assert said(target.unit("t-alias", enabled=True)) == []
    finally:
        target.sh(f"rm {VENDOR}/t-alias.service {VENDOR}/t-v.service; rm -f /etc/systemd/system/*/t-v.service")


def test_the_link_of_an_install_section_that_is_gone_goes_too(target):
    target.unit("t-a", content=SLEEP + INSTALL, enabled=True)
    target.unit("t-a", content=SLEEP, enabled=True)
    assert target.sh("find /etc/systemd/system -name t-a.service -type l") == ""


def test_a_unit_that_only_enables_another_one(target):
    units = [
        {"name": "t-a.service", "content": SLEEP + "[Install]\nAlso=t-b.service\n"},
        {"name": "t-b.service", "content": SLEEP + INSTALL},
    ]
    target.units(units)
    assert said(target.unit("t-a", enabled=True)) == ["enable t-a.service", "enable t-b.service", "daemon-reload"]
    assert target.show("t-b", "UnitFileState") == "enabled"
    assert said(target.unit("t-a", enabled=True)) == []


@pytest.mark.parametrize("check", [True, False])
def test_a_unit_that_shall_run_requires_one_that_shall_not(target, check):
    needs = {"name": "t-a.service", "content": "[Unit]\nRequires=t-b.service\n" + SLEEP, "state": "started"}
    other = {"name": "t-b.service", "content": SLEEP, "state": "stopped"}
    assert "t-a.service requires t-b.service" in target.units([needs, other], check=check)["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_two_units_that_shall_run_conflict(target, check):
    one = {"name": "t-a.service", "content": "[Unit]\nConflicts=t-b.service\n" + SLEEP, "state": "started"}
    other = {"name": "t-b.service", "content": SLEEP, "state": "started"}
    assert "t-a.service conflicts with t-b.service" in target.units([one, other], check=check)["msg"]


@pytest.mark.parametrize(
    "wanted",
    [{"masked": True, "enabled": False}, {"masked": False, "enabled": False}, {"state": "absent"}],
    ids=["stays masked", "unmasked", "absent"],
)
def test_a_masked_unit_is_disabled(target, wanted):
    """From 252 on, systemctl disable leaves its links alone, and the task disabled it again in each run."""
    target.write(f"{VENDOR}/t-v.service", SLEEP + INSTALL)
    try:
        target.unit("t-v", enabled=True)
        target.unit("t-v", masked=True)
        target.sh(f"ln -sf {VENDOR}/t-v.service /etc/systemd/system/multi-user.target.wants/")  # which 247 removed
        result = target.unit("t-v", **wanted)
        assert {"disable t-v.service", "daemon-reload"} <= set(said(result))
        mask = ["/etc/systemd/system/t-v.service"] if wanted.get("masked") else []
        assert target.sh("find /etc/systemd/system -name t-v.service").split() == mask
        assert not target.unit("t-v", **wanted)["changed"]
    finally:
        target.sh(f"rm {VENDOR}/t-v.service; systemctl unmask t-v")


def test_a_unit_requires_another_one_of_the_task_by_its_alias(target):
    """Verify knew the set by its files alone, and refused it."""
    text = SLEEP + "[Install]\nWantedBy=multi-user.target\nAlias=t-alias.service\n"
    user = "[Unit]\nRequires=t-alias.service\nAfter=t-alias.service\n" + SLEEP
    wanted = [
        {"name": "t-a.service", "content": text, "state": "started", "enabled": True},
        {"name": "t-b.service", "content": user, "state": "started"},
    ]
    assert not target.units(wanted).get("failed")
    assert target.show("t-b.service", "ActiveState") == "active"
    assert not target.units(wanted)["changed"]

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories on real systemd in which version 0.1 did not do what it was asked for."""

from __future__ import annotations

import pytest
from live.target import said

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"
VENDOR = "/usr/lib/systemd/system"


@pytest.fixture
def vendor(target):
    """A unit of the distribution that is enabled and runs."""
    target.write(f"{VENDOR}/t-v.service", SLEEP + INSTALL)
    target.sh("systemctl daemon-reload && systemctl enable --quiet --now t-v")
    yield "t-v.service"
    target.sh(
        f"systemctl unmask --quiet t-v; systemctl stop t-v; systemctl disable --quiet t-v; rm {VENDOR}/t-v.service"
    )


def apply(target, *units, **options):
    """What a task does: as check mode says, and nothing more when it runs again."""
    predicted = target.units(list(units), check=True, **options)
    result = target.units(list(units), **options)
    assert "actions" in result, result
    assert predicted["actions"] == result["actions"]
    assert not result.get("failed"), result["msg"]
    assert said(target.units(list(units), **options)) == []
    return result


# A mask


def test_a_mask_over_an_enabled_unit_that_runs(target, vendor):
    assert said(apply(target, {"name": vendor, "masked": True})) == [f"mask {vendor}", "daemon-reload"]
    assert target.show(vendor, "LoadState") == "masked"


def test_a_mask_leaves_what_runs(target, vendor):
    pid = target.show(vendor, "MainPID")
    apply(target, {"name": vendor, "masked": True})
    assert target.show(vendor, "MainPID") == pid


def test_a_unit_is_unmasked_enabled_and_started_in_one_run(target, vendor):
    target.sh(f"systemctl disable --quiet --now {vendor}; systemctl mask --quiet {vendor}")
    result = apply(target, {"name": vendor, "masked": False, "enabled": True, "state": "started"})
    assert said(result) == [f"unmask {vendor}", f"enable {vendor}", "daemon-reload", f"start {vendor}"]
    assert target.show(vendor, "UnitFileState") == "enabled"


def test_a_mode_changed_by_hand_restarts_nothing(target):
    wanted = {"name": "t-a.service", "content": SLEEP + INSTALL, "state": "started", "enabled": True}
    target.units([wanted])
    pid = target.show("t-a", "MainPID")
    target.sh("chmod 600 /etc/systemd/system/t-a.service")
    assert said(apply(target, wanted)) == ["write t-a.service", "daemon-reload"]
    assert target.show("t-a", "MainPID") == pid


# An instance is addressed by its own name and through its template

TEMPLATE = {"name": "t-w@.service", "content": "[Service]\nExecStart=/bin/sleep 1000%i\n" + INSTALL}
CHANGED = {**TEMPLATE, "content": "[Service]\nExecStart=/bin/sleep 2000%i\n" + INSTALL}


@pytest.fixture
def instances(target):
    target.units([{**TEMPLATE, "instances": ["1", "2"], "state": "started", "enabled": True}])


def active(target, *units):
    return [target.show(unit, "ActiveState") for unit in units]


def test_an_instance_is_stopped_while_its_template_changes(target, instances):
    result = apply(target, CHANGED, {"name": "t-w@2.service", "state": "stopped"})
    assert said(result) == ["stop t-w@2.service", "write t-w@.service", "daemon-reload", "restart t-w@1.service"]
    assert active(target, "t-w@1", "t-w@2") == ["active", "inactive"]


def test_a_template_goes_together_with_the_dropin_of_an_instance(target, instances):
    dropin = {"name": "t-w@1.service", "dropin": "10-a"}
    target.units([{**dropin, "content": "[Service]\nNice=3\n"}])
    result = apply(target, {"name": "t-w@.service", "state": "absent"}, {**dropin, "state": "absent"})
    assert [action for action in said(result) if action.startswith("restart")] == []
    assert active(target, "t-w@1", "t-w@2") == ["inactive", "inactive"]


def test_on_change_of_an_instance_speaks_of_that_instance(target, instances):
    pid = target.show("t-w@1", "MainPID")
    dropin = {"name": "t-w@1.service", "dropin": "10-a", "content": "[Service]\nNice=3\n", "on_change": "none"}
    apply(target, CHANGED, dropin)
    assert target.show("t-w@1", "MainPID") == pid


def test_an_override_of_one_instance_does_not_hide_a_change_from_the_others(target, instances):
    own = "[Service]\nExecStart=\nExecStart=/bin/sleep 9\n"
    target.units([{"name": "t-w@1.service", "dropin": "10-a", "content": own, "on_change": "none"}])
    assert said(apply(target, CHANGED)) == ["write t-w@.service", "daemon-reload", "restart t-w@2.service"]


def test_a_template_and_its_instance_are_new_in_one_task(target):
    result = apply(target, TEMPLATE, {"name": "t-w@1.service", "state": "started", "enabled": True})
    assert said(result) == ["write t-w@.service", "enable t-w@1.service", "daemon-reload", "start t-w@1.service"]
    assert active(target, "t-w@1") == ["active"]


def test_absent_with_instances_takes_these_alone(target, instances):
    result = apply(target, {"name": "t-w@.service", "instances": ["2"], "state": "absent"})
    assert said(result) == ["stop t-w@2.service", "disable t-w@2.service", "daemon-reload"]
    assert active(target, "t-w@1", "t-w@2") == ["active", "inactive"]


# A unit that is going down

UNTIL_A_START_WAITS = """\
#!/bin/sh
until systemctl list-jobs --no-legend | grep -q 't-a.service *start'; do sleep 0.1; done
"""


def test_a_unit_that_is_going_down_is_started(target):
    target.write("/run/t-stop", UNTIL_A_START_WAITS, "0755")
    wanted = {"name": "t-a.service", "content": SLEEP + "ExecStop=/run/t-stop\n", "state": "started"}
    target.units([wanted])
    target.sh("systemctl stop --no-block t-a")
    target.wait_for("test $(systemctl show --property=ActiveState --value t-a) = deactivating")
    assert said(target.units([wanted])) == ["start t-a.service"]
    assert active(target, "t-a") == ["active"]

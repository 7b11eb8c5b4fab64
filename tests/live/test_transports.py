# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strategies that keep the module's process on the host. Runs with TRANSPORT=mitogen alone; see `make transports`."""

from __future__ import annotations

import pytest
from live.transports import AnsibleTarget


@pytest.fixture
def mitogen(target):
    assert isinstance(target, AnsibleTarget)
    return target


def test_three_tasks_in_one_process_do_not_wait_for_each_other(mitogen):
    tasks = [
        {
            "unitcraft.systemd.unit": {
                "name": f"t-{letter}",
                "sections": {"Service": {"ExecStart": "/bin/sleep infinity"}},
                "state": "started",
            }
        }
        for letter in "abc"
    ]
    assert [result["changed"] for result in mitogen.play(tasks)] == [True, True, True]
    assert [result["changed"] for result in mitogen.play(tasks)] == [False, False, False]


def test_a_task_after_one_that_failed(mitogen):
    bad = {"unitcraft.systemd.unit": {"name": "t-a", "sections": {"Service": {"ExecStart": "/bin/false"}}}}
    bad["unitcraft.systemd.unit"] |= {"state": "started", "health": {"stable": 1}}
    good = {"unitcraft.systemd.unit": {"name": "t-b", "sections": {"Service": {"ExecStart": "/bin/sleep infinity"}}}}
    results = mitogen.play([{**bad, "ignore_errors": True}, good])
    assert [result.get("failed", False) for result in results] == [True, False]
    assert results[0]["rolled_back"]

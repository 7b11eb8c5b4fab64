# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which journal lines are about a unit: the cases of cases/show/unit_log.yml, and how journalctl is asked."""

from __future__ import annotations

import json

import case_files
import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.unit_journal import UnitQuery

SYSTEM = UnitQuery("a.service", 10.0, "i1", ("7",))
USER = UnitQuery("a.service", 10.0, "i1", ("7",), 1000)


def printed(row):
    if isinstance(row, str):
        return row
    return json.dumps({"__MONOTONIC_TIMESTAMP": "11000000", **row})


@pytest.mark.parametrize("case", case_files.load("host/show/unit_log"))
def test_lines(case):
    text = "".join(f"{printed(row)}\n" for row in case["rows"])
    assert SYSTEM.lines_of(text, case.get("lines", 20)) == case["log"]


def test_lines_of_a_user_unit():
    rows = [
        {"_SYSTEMD_UNIT": "user@1000.service", "_SYSTEMD_USER_UNIT": "a.service", "MESSAGE": "own"},
        {"_SYSTEMD_UNIT": "user@1000.service", "_SYSTEMD_USER_UNIT": "b.service", "_PID": "7", "MESSAGE": "other"},
        {"_SYSTEMD_UNIT": "user@1000.service", "USER_UNIT": "a.service", "MESSAGE": "by the manager"},
        {"_SYSTEMD_UNIT": "user@1000.service", "_PID": "7", "MESSAGE": "unassigned"},
    ]
    text = "\n".join(printed(row) for row in rows)
    assert USER.lines_of(text, 20) == ["own", "by the manager", "unassigned"]


def matches(query):
    """The alternatives that journalctl is asked for."""
    argv = query.argv(1000.0, 12.0, 20)
    words = [word for word in argv[1:] if not word.startswith("--")]
    return " ".join(words).split(" + ")


def test_alternatives_of_the_system():
    assert matches(SYSTEM) == [
        "_SYSTEMD_UNIT=a.service",
        "_UID=0 UNIT=a.service",
        "_SYSTEMD_INVOCATION_ID=i1",
        "_UID=0 INVOCATION_ID=i1",
        "_PID=7",
    ]


def test_alternatives_of_a_user():
    assert matches(USER) == [
        "_UID=1000 _SYSTEMD_USER_UNIT=a.service",
        "_UID=1000 USER_UNIT=a.service",
        "_UID=1000 _SYSTEMD_INVOCATION_ID=i1",
        "_UID=1000 USER_INVOCATION_ID=i1",
        "_UID=1000 _PID=7",
    ]


def test_since_is_a_second_before_the_moment_by_the_clock_of_today():
    assert "--since=@997.000000" in SYSTEM.argv(1000.0, 12.0, 20)

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs after the tests of each scenario."""

from __future__ import annotations

import os
from pathlib import Path


def test_scenario_has_tests_of_its_own():
    scenario = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
    assert list(scenario.rglob("test_*.py")), f"{scenario.name} converges and then verifies nothing"


def test_no_unit_has_failed(host):
    failed = host.check_output("systemctl --failed --no-legend --plain")
    assert not failed
    assert host.run("systemctl is-system-running").stdout.strip() == "running"

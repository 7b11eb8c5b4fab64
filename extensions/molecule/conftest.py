# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For the testinfra tests of all scenarios: fixtures, and the host's own words when a test fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

EVIDENCE = ("systemctl --failed --no-pager", "journalctl --no-pager --lines=60")


@pytest.fixture(scope="module")
def release(host):
    """The host's systemd release as an integer, for example 252."""
    return int(host.check_output("systemctl --version").split()[1].partition(".")[0])


@pytest.fixture(scope="module")
def actions(host):
    """Function of a service's name: the actions that check mode predicted on the empty host, and those then done.

    shared/tasks/record_actions.yml writes both.
    """
    records = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    short = host.backend.name.rpartition("-")[2]

    def recorded(name):
        return [
            json.loads((records / f"{short}.{name}.{what}.json").read_text(encoding="utf-8"))
            for what in ("predicted", "done")
        ]

    return recorded


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and report.failed and "host" in item.funcargs:
        for command in EVIDENCE:
            report.sections.append((command, item.funcargs["host"].run(command).stdout))
    return report

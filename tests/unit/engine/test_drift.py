# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was changed by hand: the cases of cases/drift.yml."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import drift as _drift

CASES = yaml.safe_load((pathlib.Path(__file__).parents[1] / "cases" / "drift.yml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_compare(case):
    now = _drift.DriftState(case["files"], case.get("dropins", []), case.get("state", {}))
    found = _drift.compare("a.service", case["record"], now)
    assert [(item["what"], item["path"]) for item in found] == [tuple(want[:2]) for want in case["want"]]
    for item, want in zip(found, case["want"]):
        assert want[2] in item["message"] + "\n" + item["diff"]

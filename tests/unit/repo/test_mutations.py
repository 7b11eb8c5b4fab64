# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The defects that `make mutations` puts back still fit the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
DEFECTS = yaml.safe_load((ROOT / "tests/property/mutations.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: f"{defect['number']}")
def test_each_change_has_one_place(defect):
    texts = [
        (change, (ROOT / "plugins/module_utils" / change["file"]).read_text(encoding="utf-8"))
        for change in defect["changes"]
    ]
    assert [change["old"] for change, text in texts if text.count(change["old"]) != 1] == []

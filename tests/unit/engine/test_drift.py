# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was changed by hand: the cases of cases/drift.yml."""

from __future__ import annotations

import case_files
import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.drift import DriftState, compare, compare_file

CASES = case_files.load("engine/drift")


def drift_of(case):
    return compare(
        "a.service", case["record"], DriftState(case["files"], case.get("dropins", []), case.get("state", {}))
    )


@pytest.mark.parametrize("case", CASES)
def test_what_differs_and_where(case):
    assert [[item["what"], item["path"]] for item in drift_of(case)] == [want[:2] for want in case["want"]]


@pytest.mark.parametrize("case", CASES)
def test_words(case):
    told = [item["message"] + "\n" + item["diff"] for item in drift_of(case)]
    assert [want[2] for want, text in zip(case["want"], told) if want[2] not in text] == []


@pytest.mark.parametrize("case", case_files.load("engine/drift_files"))
def test_files(case):
    deployed = {"path": "/a", "kind": "file", "mode": 0o600, "uid": 0, "gid": 0, "digest": "d", "only_new": False}
    deployed.update(case.get("deployed", {}))
    now = {**deployed, **case.get("now", {})}
    found = compare_file(deployed, now)
    assert [[item["what"], item["message"]] for item in found] == case["want"]

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes with a service that goes, or with its old secrets: the cases of cases/leftovers.yml."""

from __future__ import annotations

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.desired import (
    DesiredFile,
    DesiredUnit,
    PlanError,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.file_plan import file_changes
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.state import HostState
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import File
from case_files import load


def file_of(given):
    kind, mode, uid = [given, 755 if given == "directory" else 644, 0] if isinstance(given, str) else given
    digest = "old" if kind == "file" else ""
    return File(kind, mode=int(str(mode), 8), uid=uid, digest=digest, target="/x" if kind == "link" else "")


def changes_of(case):
    there = {path: file_of(given) for path, given in case["there"].items()}
    state = HostState("/etc/systemd/system")
    files = []
    for number, entry in enumerate(case["declared"]):
        path = entry["path"]
        # Files that are declared keep their content, those that are made have one.
        digest = there[path].digest if entry["kind"] == "file" and path in there else "new"
        files.append(DesiredFile(f"files[{number}]", digest=digest if entry["kind"] == "file" else "", **entry))
        state.places[path] = there.get(path, File())
        if state.places[path].kind == "directory":
            state.below[path] = {inner: file for inner, file in there.items() if inner.startswith(f"{path}/")}
    return file_changes(state, [DesiredUnit("a.service", "/etc/systemd/system/a.service", files=files)])


@pytest.mark.parametrize("case", [case for case in load("engine/leftovers") if "changes" in case.values[0]])
def test_what_goes_and_what_stays(case):
    assert [f"{change.action} {change.path}" for change in changes_of(case)] == case["changes"]


@pytest.mark.parametrize("case", [case for case in load("engine/leftovers") if "error" in case.values[0]])
def test_what_is_refused(case):
    with pytest.raises(PlanError) as caught:
        changes_of(case)
    assert case["error"] in str(caught.value)

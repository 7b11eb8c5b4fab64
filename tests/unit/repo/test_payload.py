# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task sends: every import of a module counts, for Ansible packs all files that one leads to."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

MEASURE = pathlib.Path(__file__).parents[2] / "bench" / "payload.py"


def test_modules_carry_only_what_they_need() -> None:
    done = subprocess.run([sys.executable, MEASURE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["unit_lint"]["own"] <= 130_000, measured["unit_lint"]
    # The engine that changes a host, and the judgement of texts, are for the modules that do so.
    assert not {"_engine/execute.py", "_modules/unit.py", "_values/check.py", "_lint/run.py"} & set(
        measured["unit_info"]["files"]
    )
    assert not {"_engine/execute.py", "_modules/unit.py", "_engine/plan.py", "_lint/host.py"} & set(
        measured["unit_lint"]["files"]
    )

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task sends: every import of a module counts, for Ansible packs all files that one leads to."""

from __future__ import annotations

import fnmatch
import json
import pathlib
import subprocess
import sys
import typing as t

import pytest
from case_files import load

MEASURE = pathlib.Path(__file__).parents[2] / "bench" / "payload.py"
# Of every module: the file that Ansible calls, the classes and the catalogue.
ALWAYS = ("modules/{name}.py", "_model.py", "_catalog.py")


@pytest.fixture(scope="module")
def measured() -> dict[str, t.Any]:
    done = subprocess.run([sys.executable, MEASURE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", load("repo/payload"))
def test_a_module_sends_only_what_it_needs(case: dict[str, t.Any], measured: dict[str, t.Any]) -> None:
    allowed = [path.format(name=case["name"]) for path in ALWAYS]
    allowed += [f"{wing}/{file}.py" for wing, files in case["files"].items() for file in files]
    sent = measured[case["name"]]["files"]
    assert [path for path in sent if not any(fnmatch.fnmatch(path, pattern) for pattern in allowed)] == []


@pytest.mark.parametrize("case", load("repo/payload"))
def test_a_module_is_small(case: dict[str, t.Any], measured: dict[str, t.Any]) -> None:
    assert measured[case["name"]]["own"] <= case["limit"], measured[case["name"]]["files"]


def test_every_module_has_its_white_list(measured: dict[str, t.Any]) -> None:
    assert {case.values[0]["name"] for case in load("repo/payload")} == set(measured)

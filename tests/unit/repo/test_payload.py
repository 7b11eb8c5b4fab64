# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task sends: every import of a module counts, for Ansible packs all files that one leads to."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest
import yaml

BENCH = pathlib.Path(__file__).parents[2] / "bench"
WHITE_LIST = yaml.safe_load((BENCH / "payload.yml").read_text())


@pytest.fixture(scope="module")
def measured() -> dict:
    """What each module sends, measured in a process of its own: Ansible reads its configuration once."""
    done = subprocess.run([sys.executable, BENCH / "payload.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("module", WHITE_LIST)
def test_only_listed_files_are_sent(module: str, measured: dict) -> None:
    sent = sorted(measured[module]["files"])
    assert sent == WHITE_LIST[module]["files"], "if this is meant: python tests/bench/payload.py --write"


@pytest.mark.parametrize("module", WHITE_LIST)
def test_no_more_is_sent_than_promised(module: str, measured: dict) -> None:
    assert measured[module]["own"] <= WHITE_LIST[module]["most"]

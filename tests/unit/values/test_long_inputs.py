# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import ansible_collections

LIMIT_SECONDS = 2


def test_no_quadratic_time() -> None:
    collections = pathlib.Path(next(iter(ansible_collections.__path__))).parent
    script = pathlib.Path(__file__).with_name("long_inputs.py")
    environment = {**os.environ, "PYTHONPATH": str(collections)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert len(measured) > 15
    assert {what: seconds for what, seconds in measured.items() if seconds >= LIMIT_SECONDS} == {}

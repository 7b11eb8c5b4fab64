#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_worker_programs.py in a container, where Redis, PHP and their libraries are installed.

    tests/lab/sandbox.py run .venv/bin/python tests/programs/worker_programs.py [--release 257] [ARGUMENT of pytest...]

This Python's pytest is lent to the container's own Python. Exit status as pytest's.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from lab import containers

HOST = "programs"
# At the end of the path, and not by PYTHONPATH: the workers are to see nothing but the distribution's packages.
PYTEST = "import sys; sys.path.append('/packages'); import pytest; sys.exit(pytest.main(sys.argv[1:]))"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", default="257")
    options, arguments = parser.parse_known_args()
    mounts = (f"--volume={ROOT}:/checkout:ro", f"--volume={sysconfig.get_path('purelib')}:/packages:ro")
    containers.start(options.release, HOST, options=mounts)
    try:
        # Of the plugins that are installed here, the container's Python cannot load all.
        command = [
            "env",
            "-C",
            "/checkout",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1",
            "python3",
            "-c",
            PYTEST,
            "tests/programs/test_worker_programs.py",
            "-p",
            "no:cacheprovider",
            "--color=no",
            *arguments,
        ]
        done = containers.run(HOST, command, check=False)
    finally:
        containers.stop(HOST)
    print(done.stdout + done.stderr, end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

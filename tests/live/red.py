#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the live tests of defects.yml against the modules of version 0.1: each defect has a test that fails there.

Run inside the sandbox, in a clone with its history:

    tests/lab/sandbox.py run -- tests/live/red.py [--release 257] [--commit 39a3f76]

Prints for each number how many of its tests fail, and why the first one does. A test of the modules' code cannot be
asked, for that code has been laid out anew. Ends with 1 when all tests of a number pass.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).resolve().parents[1]
LAST_OF_0_1 = "39a3f76"


class Reasons:
    """A plug-in of pytest: why each test failed, by the name of its function; parameters are not told apart."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}
        self.ran: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.location[2].partition("[")[0]
        if report.when == "call" and not report.skipped:
            self.ran.add(name)
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            words = str(crash.message if crash else report.longrepr).strip()
            self.failed.setdefault(name, words.partition("\n")[0])


def unpack(commit: str, folder: str) -> None:
    """Put the plugins of a commit into a folder."""
    command = ["git", "archive", commit, "plugins"]
    old = subprocess.run(command, cwd=TESTS.parent, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", folder], input=old.stdout, check=True)


def verdict(tests: list[str], reasons: Reasons) -> tuple[bool, str]:
    """Whether a number has a test that fails, or none that can be asked; and what is to be said of it."""
    if not tests:
        return True, "has tests of the code alone"
    names = [test.partition("::")[2] for test in tests]
    red = [reasons.failed[name] for name in names if name in reasons.failed]
    if not reasons.ran.issuperset(names) and not red:
        return False, "was not run"
    return bool(red), f"{len(red)} of {len(tests)} red" + (f": {red[0][:150]}" if red else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", default="257")
    parser.add_argument("--commit", default=LAST_OF_0_1)
    options = parser.parse_args()
    defects = yaml.safe_load((TESTS / "defects.yml").read_text(encoding="utf-8"))
    asked = {
        number: [test for test in defect["tests"] if test.startswith("live/") and "::test_" in test]
        for number, defect in defects.items()
    }
    verdicts = {}
    with tempfile.TemporaryDirectory(prefix="unitcraft-red-") as scratch:
        unpack(options.commit, scratch)
        patience = {"UNITCRAFT_PATIENCE": "20", "RELEASES": options.release}
        os.environ.update({"UNITCRAFT_PLUGINS": f"{scratch}/plugins", **patience})
        for number, tests in asked.items():
            # A container for each: some of these defects end it.
            reasons = Reasons()
            if tests:
                words = [f"{TESTS}/{test}" for test in tests]
                pytest.main(["-qq", "-p", "no:cacheprovider", "--tb=no", "--no-summary", *words], plugins=[reasons])
            verdicts[number] = verdict(tests, reasons)
    for number, (_held, words) in verdicts.items():
        print(f"{number}: {words}")
    missing = [number for number, (held, _words) in verdicts.items() if not held]
    print(f"without a red test: {', '.join(missing) or 'none'}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

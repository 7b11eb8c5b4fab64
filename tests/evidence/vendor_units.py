#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint every unit file that the images ship, with the facts of the image: false alarms show here.

    tests/lab/sandbox.py run python3 tests/evidence/vendor_units.py [--all] [RELEASE...]

Prints each warning (with --all each finding) and the share of unit files that have one. Exit status 1 when more than
2 % of the files of all images have a warning. The collection's own code runs in the containers, on their Python.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lab import containers

MOST = 0.02
PACKAGE = "ansible_collections/unitcraft/systemd/plugins/module_utils"

# runs in the container: one lint of all unit files together, as one set
LINTER = r"""
import json, os, sys, time
sys.path.insert(0, "/run/lint")
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.facts import host_facts
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.judge import lint
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import host
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.manager import Manager
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
systemd = Manager()
units = []
for folder in ("/usr/lib/systemd/system", "/lib/systemd/system"):
    if not os.path.isdir(folder) or os.path.realpath(folder) != folder:
        continue
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as stream:
                units.append(read_unit(name, stream.read(), path))
begun = time.monotonic()
facts = host_facts(systemd, host.needed(units))
asked = time.monotonic()
findings = lint(units, systemd.version(), facts, host_rules=host.RULES)
done = time.monotonic()
rows = [finding._asdict() for finding in findings]
print(json.dumps({"files": len(units), "findings": rows, "facts": asked - begun, "lint": done - asked}))
"""


def carry_over(name: str) -> None:
    """Put the collection's code into a container."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        folder = ROOT / "plugins/module_utils"
        for path in sorted(folder.rglob("*.py")):
            archive.add(path, f"{PACKAGE}/{path.relative_to(folder)}")
    containers.run(name, ["mkdir", "-p", "/run/lint"])
    containers.run(name, ["tar", "-C", "/run/lint", "-xf", "-"], data=packed.getvalue())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="show infos too")
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    options = parser.parse_args()
    files = warned = 0
    rules: collections.Counter[str] = collections.Counter()
    for release in options.releases or list(containers.SUITES):
        container = containers.start(release, f"vendor{release}")
        carry_over(container)
        answer = json.loads(containers.run(container, ["python3", "-c", LINTER]).stdout)
        containers.stop(container)
        findings = answer["findings"]
        with_warning = {finding["unit"] for finding in findings if finding["severity"] == "warning"}
        files += answer["files"]
        warned += len(with_warning)
        rules.update(f"{finding['severity']} {finding['rule']}" for finding in findings)
        print(
            f"systemd {release}: {len(with_warning)} of {answer['files']} unit files have a warning, {len(findings)} "
            f"findings; facts {answer['facts'] * 1000:.0f} ms, lint {answer['lint'] * 1000:.0f} ms"
        )
        for finding in findings:
            if options.all or finding["severity"] == "warning":
                place = f"{finding['unit']}:{finding['line']}"
                print(f"  {finding['severity']} {finding['rule']} {place} {finding['message']}")
    print(f"all: {warned} of {files} unit files have a warning ({100 * warned / files:.2f} %)")
    for rule, count in sorted(rules.items()):
        print(f"  {count:4} {rule}")
    return 1 if warned > MOST * files else 0


if __name__ == "__main__":
    sys.exit(main())

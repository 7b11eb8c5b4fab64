#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare a release in the checkout: release.py VERSION, for example 1.0.0.

Sets the version in galaxy.yml, makes it the version_added of all that is newer than the release before, and has
antsibull-changelog write the changelog, which finds new plugins and roles by that.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tools.toolchain import CHECKOUT

_VERSION = re.compile(r"^version: (\d+\.\d+\.\d+)$", re.MULTILINE)
_ADDED = re.compile(r"^( *version_added: )(\d+\.\d+\.\d+)$", re.MULTILINE)


def numbers(version: str) -> tuple[int, ...]:
    """A version to compare: ``1.10.0`` is later than ``1.9.0``."""
    return tuple(map(int, version.split(".")))


def with_version_added(text: str, before: str, version: str) -> str:
    """The text with the new version wherever it names one that is later than the release before."""
    return _ADDED.sub(lambda found: found[1] + (version if numbers(found[2]) > numbers(before) else found[2]), text)


def main(version: str) -> int:
    galaxy = CHECKOUT / "galaxy.yml"
    text = galaxy.read_text(encoding="utf-8")
    before = _VERSION.search(text)[1]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version) or numbers(version) <= numbers(before):
        print(f"release.py: '{version}' is not a version later than {before}", file=sys.stderr)
        return 2
    for path in (*CHECKOUT.glob("plugins/**/*.py"), *CHECKOUT.glob("roles/*/meta/argument_specs.yml")):
        path.write_text(with_version_added(path.read_text(encoding="utf-8"), before, version), encoding="utf-8")
    galaxy.write_text(_VERSION.sub(f"version: {version}", text), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("antsibull-changelog")), "release"]
    return subprocess.run(command, cwd=CHECKOUT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

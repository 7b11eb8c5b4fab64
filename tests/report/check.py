#!/usr/bin/env python3
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open the audit page of 50 hosts with 300 units each in a real browser; --pictures writes docs/images.

Needs node, npm and a Chromium. The two npm packages go to .cache/report.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from report import fleet

CACHE = fleet.ROOT / ".cache" / "report"
PACKAGES = ["playwright-core@1", "axe-core@4"]
PICTURES = fleet.ROOT / "docs" / "images"


def modules() -> pathlib.Path:
    """The folder with the npm packages, filled once."""
    if not (CACHE / "node_modules" / "axe-core").is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text('{"private": true}\n')
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES], cwd=CACHE, check=True)
    return CACHE


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pictures", action="store_true", help="write the screenshots of the docs")
    wanted = arguments.parse_args()
    browser = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    missing = [name for name, there in (("node", shutil.which("node")), ("npm", shutil.which("npm")), ("chromium", browser)) if not there]
    if missing:
        print("install %s first" % ", ".join(missing), file=sys.stderr)
        return 1
    folder = modules()
    page = CACHE / "fleet.html"
    page.write_text(fleet.page(fleet.fleet(50, 300)))
    command = ["node", str(pathlib.Path(__file__).with_name("browse.mjs")), str(page)]
    if wanted.pictures:
        PICTURES.mkdir(exist_ok=True)
        command.append(str(PICTURES))
    environment = {**os.environ, "NODE_FOLDER": str(folder), "CHROMIUM": str(browser)}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

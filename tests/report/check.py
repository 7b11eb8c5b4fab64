#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open audit pages in a real browser: that of a made-up fleet (200 hosts, 300 units each), and those that are named.

Needs node, npm and a Chromium. The npm packages of package-lock.json go to .cache/report.
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

HERE = pathlib.Path(__file__).resolve().parent
CACHE = fleet.ROOT / ".cache" / "report"
PICTURES = fleet.ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def install_packages() -> None:
    """Fill .cache/report/node_modules with exactly what the lock file names, unless it is there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    lock, installed = HERE / "package-lock.json", CACHE / "package-lock.json"
    if installed.exists() and installed.read_bytes() == lock.read_bytes() and (CACHE / "installed").exists():
        return
    (CACHE / "installed").unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, CACHE / name)
    install = ["npm", "ci", "--loglevel", "error", "--fetch-retries=5", "--ignore-scripts", "--no-audit"]
    subprocess.run(install, cwd=CACHE, check=True, stdin=subprocess.DEVNULL)
    (CACHE / "installed").touch()


def opens(page: pathlib.Path, browser: str, unit: str, limits: bool, pictures: bool = False) -> bool:
    """Whether a page passes browse.mjs; what was measured goes to standard output. `unit` is typed into the filter."""
    print(f"{page.name}: {page.stat().st_size} bytes", flush=True)
    command = ["node", str(HERE / "browse.mjs"), str(page), *([str(PICTURES)] if pictures else [])]
    variables = {**os.environ, "NODE_FOLDER": str(CACHE), "CHROMIUM": browser, "UNIT": unit, "LIMITS": "1" * limits}
    return subprocess.run(command, env=variables, check=False, stdin=subprocess.DEVNULL).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", action="store_true", help="write the screenshots of the docs, to docs/images")
    parser.add_argument("--limits", action="store_true", help="fail when a page is slow; for quiet machines")
    parser.add_argument("--unit", default="rot13", help="a unit of the named pages, for their filter")
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    wanted = parser.parse_args()
    browser = next((path for path in map(shutil.which, BROWSERS) if path), "")
    missing = [name for name in ("node", "npm") if not shutil.which(name)] + ([] if browser else ["chromium"])
    if missing:
        print(f"check.py: install {', '.join(missing)} first", file=sys.stderr)
        return 1
    install_packages()
    page = CACHE / "fleet.html"
    page.write_text(fleet.page(fleet.fleet(200, 300, compare=True)))
    good = [opens(page, browser, "web-1", wanted.limits, wanted.pictures)]
    good += [opens(page, browser, wanted.unit, wanted.limits) for page in wanted.pages]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())

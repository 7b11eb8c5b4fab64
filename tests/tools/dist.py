#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the linter that needs no Ansible: a zip archive that Python runs, and a wheel.

    tests/tools/dist.py [FOLDER]        (dist by default)

The same checkout always gives the same bytes: names in order, and the time of the last commit as that of every file.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "cli"), str(ROOT / "tests")]

from tools.tarball import time_of_commit
from unitcraft import command_line

WINGS = ("_catalog.py", "_model.py", "_syntax", "_values", "_graph", "_lint")
# Of the wing that knows a host only what reads files.
OF_THE_HOST = ("_host/regular.py", "_host/unit_files.py", "_host/reader.md")
ARCHIVE = "unitcraft.pyz"
_MAIN = "from unitcraft.__main__ import main\n\nraise SystemExit(main())\n"


def lay_out(folder: Path) -> Path:
    """Copy program, grammar and rules side by side; returns the package."""
    package = folder / "unitcraft"
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "cli", folder, ignore=leave_out, dirs_exist_ok=True)
    utils = ROOT / "plugins" / "module_utils"
    for name in WINGS:
        if (utils / name).is_dir():
            shutil.copytree(utils / name, package / name, ignore=leave_out)
        else:
            shutil.copy(utils / name, package)
    (package / "_host").mkdir()
    for name in OF_THE_HOST:
        shutil.copy(utils / name, package / name)
    for wing in package.glob("_*/"):
        (wing / "__init__.py").touch()  # without it a zip archive does not hold a package
    shutil.copy(ROOT / "LICENSE", folder)
    version = command_line.version()
    (package / "built.py").write_text(f'"""Written by tests/tools/dist.py."""\n\nVERSION = "{version}"\n')
    initial = package / "__init__.py"
    initial.write_text(f'{initial.read_text(encoding="utf-8")}\n__version__ = "{version}"\n', encoding="utf-8")
    return package


def write_archive(package: Path, target: Path, moment: int) -> None:
    """Write the archive that `python3 unitcraft.pyz`, or the file itself, runs."""
    year, month, day, hour, minute, second = time.gmtime(moment)[:6]
    date = (year, month, day, hour, minute, second)
    files = sorted(path for path in package.rglob("*") if path.is_file())
    with target.open("wb") as stream:
        stream.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(stream, "w") as archive:
            for path in files:
                entry = zipfile.ZipInfo(path.relative_to(package.parent).as_posix(), date)
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
            archive.writestr(zipfile.ZipInfo("__main__.py", date), _MAIN, zipfile.ZIP_DEFLATED)
    target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def write_wheel(folder: Path, target: Path, moment: int) -> None:
    """Write the wheel, by flit."""
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(target), str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(moment)})


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    moment = time_of_commit()
    with tempfile.TemporaryDirectory(prefix="unitcraft-dist-") as scratch:
        package = lay_out(Path(scratch))
        write_archive(package, target / ARCHIVE, moment)
        write_wheel(Path(scratch), target, moment)
    for path in sorted(target.iterdir()):
        path.chmod(path.stat().st_mode | stat.S_IRGRP | stat.S_IROTH)  # flit's wheel is for its maker alone
        print(path)


if __name__ == "__main__":
    main()

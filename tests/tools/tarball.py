#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection as a tarball whose bytes depend on the commit alone: tarball.py FOLDER.

ansible-galaxy lists files as the file system does, and writes down when it ran. Its tarball is written anew: files in
order of their names, each with the time of the last commit.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tools.toolchain import CHECKOUT, copy_committed_files

LISTS = ("MANIFEST.json", "FILES.json")  # in this order they come first, as ansible-galaxy has it


def time_of_commit() -> int:
    """Seconds since 1970; never before 1980, the first year that a zip archive can name."""
    command = ["git", "log", "-1", "--format=%ct"]
    shown = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return max(int(shown), 315_619_200)


def write_anew(path: Path, moment: int) -> None:
    """Give a tarball of ansible-galaxy one order and one time."""
    with tarfile.open(path) as archive:
        members = {member.name: member for member in archive}
        texts = {name: archive.extractfile(name).read() for name, member in members.items() if member.isfile()}
    files, manifest = json.loads(texts["FILES.json"]), json.loads(texts["MANIFEST.json"])
    files["files"].sort(key=lambda entry: entry["name"])
    texts["FILES.json"] = json.dumps(files, indent=1).encode()
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(texts["FILES.json"]).hexdigest()
    texts["MANIFEST.json"] = json.dumps(manifest, indent=1).encode()
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in (*LISTS, *sorted(members.keys() - set(LISTS))):
            member, text = members[name], texts.get(name, b"")
            member.mtime, member.size = moment, len(text)
            member.pax_headers.clear()  # holds the time of before, with its fraction
            archive.addfile(member, io.BytesIO(text))
    path.write_bytes(gzip.compress(tape.getvalue(), mtime=moment))


def build(target: Path) -> Path:
    """Build the tarball from what is or could be committed, whatever else lies in the checkout."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unitcraft-tarball-") as scratch:
        copy_committed_files(Path(scratch))
        command = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", str(target)]
        subprocess.run([*command, scratch], check=True, stdout=subprocess.DEVNULL)
    (built,) = target.glob("*.tar.gz")
    write_anew(built, time_of_commit())
    return built


if __name__ == "__main__":
    tarball = build(Path(sys.argv[1]))
    print(f"{hashlib.sha256(tarball.read_bytes()).hexdigest()}  {tarball}")

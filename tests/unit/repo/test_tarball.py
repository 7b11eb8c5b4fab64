# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tarballs of the same files are the same, in whatever order and whenever ansible-galaxy has made them."""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
import tarfile

import pytest
from tools import tarball

TEXTS = {"README.md": b"x\n", "plugins/modules/unit.py": b"y\n"}


def made_by_galaxy(path: pathlib.Path, names: list[str], moment: int) -> pathlib.Path:
    listed = json.dumps({"files": [{"name": "."}, *({"name": name} for name in names)]}).encode()
    manifest = {"file_manifest_file": {"chksum_sha256": hashlib.sha256(listed).hexdigest()}}
    texts = {
        "MANIFEST.json": json.dumps(manifest).encode(),
        "FILES.json": listed,
        **{name: TEXTS[name] for name in names},
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in texts.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(text), moment
            archive.addfile(member, io.BytesIO(text))
    return path


@pytest.fixture
def written(tmp_path):
    """Two tarballs, made at different times in different orders, and written anew."""
    names = list(TEXTS)
    paths = [
        made_by_galaxy(tmp_path / "1.tar.gz", names, 1_700_000_000),
        made_by_galaxy(tmp_path / "2.tar.gz", names[::-1], 1_800_000_000),
    ]
    for path in paths:
        tarball.write_anew(path, 1_600_000_000)
    return paths


def test_same_bytes(written):
    assert written[0].read_bytes() == written[1].read_bytes()


def test_files_are_as_they_were(written):
    with tarfile.open(written[1]) as archive:
        assert {name: archive.extractfile(name).read() for name in TEXTS} == TEXTS


def test_the_manifest_knows_the_list_of_files(written):
    with tarfile.open(written[1]) as archive:
        manifest, files = (archive.extractfile(name).read() for name in tarball.LISTS)
    assert json.loads(manifest)["file_manifest_file"]["chksum_sha256"] == hashlib.sha256(files).hexdigest()

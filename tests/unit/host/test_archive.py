# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that come from anywhere: what becomes of them, and that nothing of them gets out of the folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tracemalloc

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import archive, tree
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.systemd import SystemdError
from case_files import load
from host import archives

LIMITS = tree.Limits(entries=5, size=1 << 20, depth=8)


def cases(name):
    """Each case in each format that it speaks of."""
    found = [with_bytes(case) for parameter in load(f"host/archive/{name}") for case in parameter.values]
    kinds = [(kind, case) for case in found for kind in case.get("formats", archives.ALL)]
    return [pytest.param(kind, case, id=f"{case['name']}-{kind}") for kind, case in kinds]


def with_bytes(value):
    """A case in which ``<byte e9>`` stands for a byte that is not UTF-8, since YAML has no such character."""
    if isinstance(value, str):
        return value.replace("<byte e9>", "\udce9")
    if isinstance(value, dict):
        return {with_bytes(key): with_bytes(content) for key, content in value.items()}
    return [with_bytes(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def unpack(tmp_path):
    """Unpacks bytes into an empty folder, which it returns."""
    folder = tmp_path / "around" / "folder"
    folder.mkdir(parents=True)

    def run(data, limits=tree.LIMITS):
        (tmp_path / "archive").write_bytes(data)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            writer = tree.TreeWriter(handle, (os.geteuid(), os.getegid()), limits)
            with open(tmp_path / "archive", "rb") as stream:
                archive.unpack(stream, writer)
            run.digest = writer.finish()
        finally:
            os.close(handle)

        return folder

    run.folder = folder
    return run


@pytest.mark.parametrize(("kind", "case"), cases("taken"))
def test_taken(unpack, kind, case):
    assert archives.tree(unpack(archives.make(kind, case["entries"]))) == case["tree"]


@pytest.mark.parametrize(("kind", "case"), cases("taken"))
def test_the_digest_is_that_of_the_folder(unpack, kind, case):
    unpack(archives.make(kind, [entry for entry in case["entries"] if "hardlink" not in entry]))
    assert unpack.digest == tree.digest_of(str(unpack.folder))


@pytest.mark.parametrize(("kind", "case"), cases("refused"))
def test_refused(unpack, kind, case):
    with pytest.raises((tree.TreeError, archive.ArchiveError)) as error:
        unpack(archives.make(kind, case["entries"]), LIMITS)
    assert [part for part in case["says"] if part not in str(error.value)] == []


@pytest.mark.parametrize(("kind", "case"), cases("refused"))
def test_nothing_gets_out(unpack, kind, case):
    with pytest.raises((tree.TreeError, archive.ArchiveError)):
        unpack(archives.make(kind, case["entries"]), LIMITS)
    assert os.listdir(unpack.folder.parent) == ["folder"]


def damage(kind, case):
    """The bytes of a damaged archive; see damaged.yml."""
    entries = [{"name": "a", "text": os.urandom(150_000).hex()}, {"name": "b", "text": "x"}]
    data = archives.make(kind, [] if case.get("empty") else entries)
    size = len(data)
    if "packed" in case:
        return archives.compress(kind, case["packed"].encode())
    if "bytes" in case:
        return case["bytes"].encode()
    if "long_name" in case:
        info = tarfile.TarInfo("x")
        info.type, info.size = b"L", case["long_name"]
        return info.tobuf(tarfile.GNU_FORMAT)
    if "pax" in case:
        info = tarfile.TarInfo("x")
        info.type, info.size = b"x", len(case["pax"])
        return info.tobuf(tarfile.USTAR_FORMAT) + case["pax"].encode().ljust(512, b"\0") + data
    if "zip_flag" in case:
        place = data.index(b"PK\1\2") + 8
    else:
        place = size - 5 if case.get("last") else int(case.get("flip", 0) * size)
    if case.keys() & {"flip", "last", "zip_flag"}:
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    return data[: case.get("keep", int(case.get("cut", 1) * size))]


@pytest.mark.parametrize(("kind", "case"), cases("damaged"))
def test_damaged(unpack, kind, case):
    with pytest.raises((tree.TreeError, archive.ArchiveError)) as error:
        unpack(damage(kind, case))
    assert [part for part in case["says"] if part not in str(error.value)] == []


def test_the_time_of_a_file_is_kept(unpack):
    unpack(archives.make("tar", [{"name": "a", "text": "x"}]))
    assert (unpack.folder / "a").stat().st_mtime == 1_000_000_000


def test_what_gnu_tar_makes(unpack, tmp_path):
    source = tmp_path / "source"
    (source / "long" / ("n" * 200)).mkdir(parents=True)
    (source / "a").write_text("x")
    (source / "b").symlink_to("a")
    os.link(source / "a", source / "c")
    subprocess.run(["tar", "-C", str(source), "-czf", str(tmp_path / "made.tar.gz"), "."], check=True)
    assert archives.tree(unpack((tmp_path / "made.tar.gz").read_bytes())) == archives.tree(source)


def test_memory_is_bounded(unpack):
    data = archives.make("tar.gz", [{"name": "a", "repeat": 64 << 20}])
    tracemalloc.start()
    unpack(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_without_the_program_for_zstd(unpack, monkeypatch):
    def missing(*_args):
        raise SystemdError("zstd is not installed on this host, or not in PATH")

    monkeypatch.setattr(archive, "decompress", missing)
    monkeypatch.setitem(sys.modules, "compression", None)
    with pytest.raises(archive.ArchiveError, match=r"zstd is not installed on this host, .*tar.gz or tar.xz"):
        unpack(archives.make("tar.zst", [{"name": "a", "text": "x"}]))

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller packs is what the host unpacks, and it is known by what it holds."""

from __future__ import annotations

import io
import os
import tracemalloc

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import archive, tree
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _release
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._release import ReleaseSource, pack
from case_files import load
from host import archives


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "unitcraft"


@pytest.fixture
def program(tmp_path):
    folder = tmp_path / "program"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "a").write_text("program")
    (folder / "bin" / "a").chmod(0o755)
    (folder / "empty").mkdir()
    (folder / ("n" * 200)).write_text("x" * 512)
    (folder / "last").symlink_to("bin/a")
    with open(os.fsencode(folder) + b"/caf\xe9", "wb") as stream:
        stream.write(b"x")
    return folder


def unpacked(path, folder):
    """The digest of what a file unpacks to."""
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    try:
        writer = tree.TreeWriter(handle, (os.geteuid(), os.getegid()))
        with open(path, "rb") as stream:
            archive.unpack(stream, writer)
        return writer.finish()
    finally:
        os.close(handle)


def test_the_host_finds_the_same_digest(program, tmp_path):
    source = ReleaseSource.at(str(program))
    with source.packed(str(tmp_path)) as path:
        assert unpacked(path, tmp_path / "out") == source.digest


def test_the_host_finds_the_same_tree(program, tmp_path):
    with ReleaseSource.at(str(program)).packed(str(tmp_path)) as path:
        unpacked(path, tmp_path / "out")
    assert archives.tree(tmp_path / "out") == archives.tree(program)


def test_what_is_packed_is_removed(program, tmp_path):
    with ReleaseSource.at(str(program)).packed(str(tmp_path)) as path:
        assert os.stat(path).st_mode & 0o777 == 0o600
    assert not os.path.exists(path)


def test_an_archive_is_sent_as_it_is(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"x")
    source = ReleaseSource.at(str(tmp_path / "a.tar"))
    with source.packed(str(tmp_path)) as path:
        assert path == source.path


CHANGES = {
    "a file becomes executable": lambda folder: (folder / "caf").chmod(0o755),
    "another content": lambda folder: (folder / "caf").write_text("y"),
    "another name": lambda folder: (folder / "caf").rename(folder / "b"),
    "another target": lambda folder: [(folder / "l").unlink(), (folder / "l").symlink_to("b")],
    "a folder more": lambda folder: (folder / "d").mkdir(),
    "a file less": lambda folder: (folder / "caf").unlink(),
    "a file for a link": lambda folder: [(folder / "l").unlink(), (folder / "l").write_text("caf")],
}
NO_CHANGES = {
    "another time": lambda folder: os.utime(folder / "caf", (1, 1)),
    "another umask": lambda folder: (folder / "caf").chmod(0o664),
    "written anew": lambda folder: [(folder / "caf").unlink(), (folder / "caf").write_text("x")],
}


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "caf").write_text("x")
    (folder / "caf").chmod(0o644)
    (folder / "l").symlink_to("caf")
    return folder


@pytest.mark.parametrize("name", CHANGES)
def test_digest_changes(small, name):
    before = tree.digest_of(str(small))
    CHANGES[name](small)
    assert tree.digest_of(str(small)) != before


@pytest.mark.parametrize("name", NO_CHANGES)
def test_digest_stays(small, name):
    before = tree.digest_of(str(small))
    NO_CHANGES[name](small)
    assert tree.digest_of(str(small)) == before


def test_a_link_that_leaves_the_folder(small):
    (small / "out").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="out is a link to /etc/passwd, which leads out of the folder"):
        ReleaseSource.at(str(small))


@pytest.mark.parametrize("case", load("plugin_utils/release_shared"))
def test_what_is_shared_and_there(program, case):
    source = ReleaseSource.at(str(program))
    if "says" not in case:
        source.check_shared(case["shared"])
        return
    with pytest.raises(ValueError, match="shared: ") as error:
        source.check_shared(case["shared"])
    assert case["says"] in str(error.value)


def test_a_fifo(small):
    os.mkfifo(small / "fifo")
    with pytest.raises(ValueError, match=r"src: .*small: fifo is a FIFO"):
        ReleaseSource.at(str(small))


def test_what_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"src: .*none\.tar cannot be read: No such file or directory"):
        ReleaseSource.at(str(tmp_path / "none.tar"))


def test_a_file_that_becomes_shorter(small, monkeypatch):
    class Grown:
        st_size = 10

    monkeypatch.setattr(os, "fstat", lambda _handle: Grown)
    with pytest.raises(ValueError, match="caf became shorter while it was read"):
        pack(str(small), io.BytesIO())


def test_memory_is_bounded(small, tmp_path):
    with open(small / "big", "wb") as stream:
        stream.truncate(64 << 20)
    tracemalloc.start()
    with open(tmp_path / "packed", "wb") as stream:
        pack(str(small), stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


# What is remembered


@pytest.fixture
def later(monkeypatch):
    """The time at which nothing has changed for a while."""
    monkeypatch.setattr(_release, "_SETTLED", -1000.0)


def counted(monkeypatch):
    """The folders of which the contents are read."""
    read = []
    monkeypatch.setattr(_release, "digest_of", lambda path: [read.append(path), tree.digest_of(path)][1])
    return read


def test_what_looks_the_same_is_not_read_again(small, later, monkeypatch):
    read = counted(monkeypatch)
    first = ReleaseSource.at(str(small))
    assert ReleaseSource.at(str(small)) == first
    assert len(read) == 1


def test_what_changed_a_moment_ago_is_read_again(small, monkeypatch):
    read = counted(monkeypatch)
    ReleaseSource.at(str(small))
    ReleaseSource.at(str(small))
    assert len(read) == 2


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_seen(small, later, name):
    before = ReleaseSource.at(str(small)).digest
    CHANGES[name](small)
    assert ReleaseSource.at(str(small)).digest != before


def test_another_content_of_the_same_size_and_time_is_seen(small, later):
    os.utime(small / "caf", (1, 1))
    before = ReleaseSource.at(str(small)).digest
    (small / "caf").write_text("y")
    os.utime(small / "caf", (1, 1))
    assert ReleaseSource.at(str(small)).digest != before


@pytest.mark.parametrize("damage", ["", "x", "x y", "\0"])
def test_a_damaged_memory_is_of_no_harm(small, later, cache, damage):
    before = ReleaseSource.at(str(small))
    for path in cache.iterdir():
        path.write_text(damage)
    assert ReleaseSource.at(str(small)) == before


def test_a_memory_that_cannot_be_kept_is_of_no_harm(small, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/no")
    assert ReleaseSource.at(str(small)).digest == tree.digest_of(str(small))

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of a program: what a release needs, and that no half of one is ever taken for a version."""

from __future__ import annotations

import os
import pwd
import time

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import releases
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.release_plan import (
    Release,
    ReleaseError,
    Versions,
    plan_release,
    stay_problem,
    version_problem,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.releases import (
    ReleaseFolder,
    digest_source,
    read_versions,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import apart, tree
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.below import opened
from case_files import load
from host import archives


def planned(case):
    release = Release("/opt/a", "d", **case["release"])
    complete = {name.split()[0]: "x" if " " in name else release.checksum() for name in case.get("versions", [])}
    versions = Versions(case.get("current", ""), complete, case.get("unfinished", ()), case.get("foreign", ()))
    plan = plan_release(release, versions, case.get("in_use", ()), case.get("in_use_after"))
    return plan, stay_problem(plan, versions)


@pytest.mark.parametrize("case", load("engine/release_plan"))
def test_plan(case):
    if "says" in case:
        with pytest.raises(ReleaseError) as error:
            planned(case)
        assert [part for part in case["says"] if part not in str(error.value)] == []
    else:
        plan, stays = planned(case)
        assert case.get("reason", plan.reason()) == plan.reason()
        assert case.get("stays", "") in stays
        assert (plan.version, plan.is_new, list(plan.removed)) == (
            case["version"],
            case["is_new"],
            case.get("removed", []),
        )


@pytest.mark.parametrize("case", load("engine/release_versions"))
def test_version_names(case):
    assert bool(version_problem(case["version"])) is not case.get("good", False)


@pytest.fixture
def program(tmp_path):
    """The folder of a program, and an archive of it."""
    folder = tmp_path / "source"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "a").write_text("program")
    (folder / "uploads").mkdir()
    (folder / "last").symlink_to("bin/a")
    return folder


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "opt" / "a")


def release_of(program, place, **options):
    return Release(place, tree.digest_of(str(program)), source=str(program), **{"version": "1", **options})


def listing(place):
    """What is below a release, hidden names last; without the content of what stands beside a version."""
    found = archives.tree(place) if os.path.isdir(place) else {}
    return {name: what for name, what in found.items() if not name.endswith(".json")}


WHOLE = {
    "releases": "755",
    "releases/1": "755",
    "releases/1/bin": "755",
    "releases/1/bin/a": "644 program",
    "releases/1/uploads": "755",
    "releases/1/last": "-> bin/a",
}


def test_made_from_a_folder(program, place):
    ReleaseFolder(place).make(release_of(program, place))
    assert listing(place) == WHOLE


def test_made_from_an_archive(program, place, tmp_path):
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(archives.make("tar.gz", [{"name": "bin/a", "text": "program"}]))
    ReleaseFolder(place).make(Release(place, tree.file_digest(str(archive)).hex(), "1", source=str(archive)))
    assert listing(place)["releases/1/bin/a"] == "644 program"


def test_a_version_that_was_made_is_known(program, place):
    release = release_of(program, place)
    ReleaseFolder(place).make(release)
    versions = read_versions(place)
    assert versions._replace(used={}) == Versions("", {"1": release.checksum()}, [], [])
    assert versions.used["1"] == pytest.approx(os.stat(f"{place}/releases/.1.json").st_mtime)


def test_the_version_that_runs_is_known(program, place):
    ReleaseFolder(place).make(release_of(program, place))
    os.symlink("releases/1", f"{place}/current")
    assert read_versions(place).current == "1"


def test_the_version_used_last_is_first(program, place):
    folder = ReleaseFolder(place)
    for version in ("1", "2", "3"):
        folder.make(release_of(program, place, version=version))
    folder.use("3", "1")
    assert list(read_versions(place).complete) == ["1", "3", "2"]


def test_removed(program, place):
    folder = ReleaseFolder(place)
    for version in ("1", "2"):
        folder.make(release_of(program, place, version=version))
    folder.remove(["2"])
    assert listing(place) == WHOLE
    assert os.listdir(f"{place}/releases").count(".2.json") == 0


@pytest.mark.parametrize("depth", [90, 1500], ids=["deep", "deeper than files may be open"])
def test_a_deep_tree_goes(tmp_path, depth):
    top = handle = os.open(tmp_path, os.O_RDONLY)
    for name in ["a", *("n" * 100 for _level in range(depth))]:
        os.mkdir(name, dir_fd=handle)
        outer, handle = handle, os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(os.open("file", os.O_CREAT, dir_fd=handle))
        if outer != top:
            os.close(outer)
    os.close(handle)
    tree.remove_tree(top, "a")
    os.close(top)
    assert os.listdir(tmp_path) == []


def test_what_keeps_a_tree_is_named(tmp_path, monkeypatch):
    (tmp_path / "a/b/c").mkdir(parents=True)
    unlink = os.unlink

    def refused(name, dir_fd):
        if name == "c":
            raise OSError(16, "Device or resource busy", name)
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refused)
    with opened(str(tmp_path)) as top, pytest.raises(OSError, match="busy: 'a/b/c'"):
        tree.remove_tree(top, "a")


def test_shared(program, place):
    shared = (("uploads", "/var/lib/a"), ("var/log", "/var/log/a"))
    ReleaseFolder(place).make(release_of(program, place, shared=shared))
    found = listing(place)
    assert (found["releases/1/uploads"], found["releases/1/var/log"]) == ("-> /var/lib/a", "-> /var/log/a")


def test_prepared_in_its_place(program, place):
    commands = (("sh", "-c", "pwd > bin/where; umask > bin/umask; env > bin/env"),)
    ReleaseFolder(place).make(release_of(program, place, prepare=commands))
    found = listing(place)
    assert found["releases/1/bin/where"] == f"644 {place}/releases/1\n"
    assert found["releases/1/bin/umask"] == "644 0022\n"


def test_prepare_has_an_environment_of_its_own(program, place, monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    ReleaseFolder(place).make(release_of(program, place, prepare=(("sh", "-c", "env > env"),)))
    with open(f"{place}/releases/1/env") as stream:
        names = {line.partition("=")[0] for line in stream}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {
        *("PATH", "LANG", "HOME", "USER", "LOGNAME", "SHELL"),
        "UNITCRAFT_PREPARES",
    }


def test_prepare_as_a_user(program, place, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can run a program as another user")
    for folder in [tmp_path, *tmp_path.parents[:-1]]:
        if folder.stat().st_uid == 0 and "pytest" in str(folder):
            folder.chmod(0o755)
    command = ("sh", "-c", "id -un > who; echo x > bin/made")
    ReleaseFolder(place).make(release_of(program, place, prepare=(command,), prepare_user="nobody"))
    info = os.stat(f"{place}/releases/1/bin/made")
    assert listing(place)["releases/1/who"] == "644 nobody\n"
    assert (info.st_uid, info.st_gid) == (0, 0)


def test_what_a_user_has_open_is_not_what_becomes_the_owner_s(program, place, tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root can run a program as another user")
    for folder in [tmp_path, *tmp_path.parents[:-1]]:
        if folder.stat().st_uid == 0 and "pytest" in str(folder):
            folder.chmod(0o755)
    held = []

    def give(handle, *arguments):
        held.append(os.open("made", os.O_WRONLY, dir_fd=handle))
        tree.give_tree(handle, *arguments)

    monkeypatch.setattr(releases, "give_tree", give)
    command = (
        "sh",
        "-c",
        "echo good > made; truncate -s 8M made; echo end >> made; chmod 750 made; touch -d @1000 made",
    )
    ReleaseFolder(place).make(release_of(program, place, prepare=(command,), prepare_user="nobody"))
    os.pwrite(held[0], b"evil", 0)
    os.close(held[0])
    path = f"{place}/releases/1/made"
    info = os.stat(path)
    with open(path, "rb") as stream:
        assert stream.read() == b"good\n" + bytes((8 << 20) - 5) + b"end\n"
    assert (info.st_uid, info.st_mode & 0o7777, info.st_mtime) == (0, 0o750, 1000)
    assert info.st_blocks * 512 < 1 << 20  # the hole is one
    assert not [name for name in os.listdir(f"{place}/releases/1") if name.startswith(".unitcraft")]


# What fails leaves nothing


def test_prepare_fails(program, place):
    commands = (("sh", "-c", "echo no such module >&2; exit 3"),)
    with pytest.raises(ReleaseError, match=r"version 1 cannot be made: prepare: sh .* failed as .*: exit status 3\. "):
        ReleaseFolder(place).make(release_of(program, place, prepare=commands))
    assert not os.path.exists(f"{place}/releases")


def test_prepare_fails_with_its_last_words(program, place):
    commands = (("sh", "-c", "seq 1 100000; echo no such module >&2; exit 3"),)
    with pytest.raises(ReleaseError) as error:
        ReleaseFolder(place).make(release_of(program, place, prepare=commands))
    assert str(error.value).splitlines()[-2:] == ["100000", "no such module"]


def test_prepare_takes_too_long(program, place, tmp_path, monkeypatch):
    started = tmp_path / "started"
    commands = (("sh", "-c", f"sleep 1000 & echo $! > {started}; wait"),)
    tail = apart._tail

    def once_started(process, end):
        wait_for(lambda: started.exists() and started.read_text().endswith("\n"))
        return tail(process, end)

    monkeypatch.setattr(apart, "_tail", once_started)
    with pytest.raises(ReleaseError, match="it did not end within 1 s"):
        ReleaseFolder(place).make(release_of(program, place, prepare=commands, prepare_timeout=1))
    wait_until_gone(int(started.read_text()))


def test_what_prepare_leaves_running_is_killed(program, place, tmp_path):
    started = tmp_path / "started"
    commands = (("sh", "-c", f"sleep 1000 & echo $! > {started}"),)
    ReleaseFolder(place).make(release_of(program, place, prepare=commands))
    wait_until_gone(int(started.read_text()))


def test_what_prepare_leaves_running_in_a_session_of_its_own_is_killed(program, place, tmp_path):
    started = tmp_path / "started"
    commands = (("sh", "-c", f"setsid sh -c 'sleep 1000 & echo $! > {started}; wait' & sleep 1; test -s {started}"),)
    ReleaseFolder(place).make(release_of(program, place, prepare=commands))
    wait_until_gone(int(started.read_text()))


def test_what_is_prepared_is_written_by_its_owner_alone(program, place):
    commands = (("sh", "-c", "chmod 4777 bin/a; chmod 2777 bin; mkdir -m 1777 made; echo > made/b; chmod 666 made/b"),)
    ReleaseFolder(place).make(release_of(program, place, prepare=commands))
    found = {name: what.split()[0] for name, what in listing(place).items()}
    wanted = {"releases/1/bin": "755", "releases/1/bin/a": "755", "releases/1/made": "755", "releases/1/made/b": "644"}
    assert {name: found[name] for name in wanted} == wanted


def test_a_file_of_another_user_that_is_linked_in(program, place, monkeypatch):
    lstat = os.lstat

    def of_another(name, **options):
        info = lstat(name, **options)
        return os.stat_result([*info[:4], info.st_uid + 1, *info[5:]]) if name == "foreign" else info

    monkeypatch.setattr(tree.os, "lstat", of_another)
    with pytest.raises(ReleaseError, match="prepare: foreign belongs to another user; let prepare copy it"):
        ReleaseFolder(place).make(release_of(program, place, prepare=(("touch", "foreign"),)))
    assert not os.path.exists(f"{place}/releases")


def wait_for(condition):
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def wait_until_gone(pid):
    """It is a zombie at most: who collects it is not us."""
    wait_for(lambda: state_of(pid) in ("", "Z"))


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_prepare_is_not_there(program, place):
    with pytest.raises(ReleaseError, match="no-such-program is not installed on this host"):
        ReleaseFolder(place).make(release_of(program, place, prepare=(("no-such-program",),)))


def test_shared_over_what_the_version_has(program, place):
    with pytest.raises(ReleaseError, match="shared: bin is in the version itself"):
        ReleaseFolder(place).make(release_of(program, place, shared=(("bin", "/var/lib/a"),)))
    assert not os.path.exists(f"{place}/releases")


def test_a_user_that_is_not_there(program, place):
    with pytest.raises(ReleaseError, match="there is no user 'no-such-user' on this host; create it"):
        ReleaseFolder(place).make(release_of(program, place, owner="no-such-user"))


def test_a_folder_that_changed_meanwhile(program, place):
    release = release_of(program, place)
    (program / "bin" / "a").write_text("changed")
    with pytest.raises(ReleaseError, match="the folder has changed meanwhile"):
        ReleaseFolder(place).make(release)


def test_an_archive_that_is_another_one(program, place, tmp_path):
    (tmp_path / "a.tar").write_bytes(archives.make("tar", [{"name": "a", "text": "x"}]))
    with pytest.raises(ReleaseError, match="the archive is not the one that was announced"):
        ReleaseFolder(place).make(Release(place, "d", "1", source=str(tmp_path / "a.tar")))


def test_an_archive_that_changes_after_the_look_at_it(program, place, tmp_path, monkeypatch):
    archive = tmp_path / "a.tar"
    archive.write_bytes(archives.make("tar", [{"name": "a", "text": "good"}]))
    release = Release(place, tree.file_digest(str(archive)).hex(), "1", source=str(archive))

    def swap_after(stream):
        digest = tree.stream_digest(stream)
        archive.write_bytes(archives.make("tar", [{"name": "a", "text": "evil"}]))
        return digest

    monkeypatch.setattr(releases, "stream_digest", swap_after)
    ReleaseFolder(place).make(release)
    assert listing(place)["releases/1/a"] == "644 good"


@pytest.mark.parametrize("name", ["link", "link/bin"])
def test_a_source_over_a_link(program, tmp_path, name):
    (tmp_path / "link").symlink_to(program)
    with pytest.raises(OSError, match=f"{tmp_path}/{name}"):
        digest_source(f"{tmp_path}/{name}")


def test_a_source_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="it is neither a file nor a folder"):
        digest_source(str(tmp_path / "fifo"))


def test_what_fails_leaves_the_other_versions(program, place):
    ReleaseFolder(place).make(release_of(program, place))
    with pytest.raises(ReleaseError):
        ReleaseFolder(place).make(release_of(program, place, version="2", prepare=(("false",),)))
    assert listing(place) == WHOLE


# What is not ours


def test_current_that_is_a_folder(place):
    os.makedirs(f"{place}/current")
    with pytest.raises(ReleaseError, match="current is not a link, so it is not of a release; move it away"):
        read_versions(place)


@pytest.mark.parametrize("target", ["/usr/bin", "releases/3", "../b"])
def test_current_that_is_not_our_link(place, target):
    os.makedirs(f"{place}/releases/3")
    os.symlink(target, f"{place}/current")
    with pytest.raises(ReleaseError, match="which is not a version that was made by a release"):
        read_versions(place)


def test_releases_that_is_a_link(place, tmp_path):
    os.makedirs(place)
    os.symlink(str(tmp_path), f"{place}/releases")
    with pytest.raises(ReleaseError, match="releases cannot be used: it is a link to"):
        read_versions(place)


def test_a_path_over_a_link(program, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    path = f"{tmp_path}/link/a"
    with pytest.raises(ReleaseError, match="link cannot be used: it is a link to real"):
        ReleaseFolder(path).make(release_of(program, path))


def test_a_folder_that_we_did_not_make(place):
    os.makedirs(f"{place}/releases/1")
    assert read_versions(place).foreign == ["1"]


def test_a_marker_that_is_a_link(program, place, tmp_path):
    ReleaseFolder(place).make(release_of(program, place))
    os.rename(f"{place}/releases/.1.json", tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", f"{place}/releases/.1.json")
    assert read_versions(place).foreign == ["1"]


# Killed at any point

CALLS = ("mkdir", "write", "rename", "fsync", "chmod", "symlink", "fchown", "fchmod", "utime", "rmdir", "unlink")


def killed_at(number, action):
    """Do something in a process of its own that dies before the system call of that number; whether it did."""
    pid = os.fork()
    if pid == 0:
        left = [number]

        def counted(call):
            def run(*args, **options):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return call(*args, **options)

            return run

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            action()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.parametrize("number", range(50))
def test_killed_while_a_version_is_made(program, place, number):
    release = release_of(program, place, prepare=(("true",),))
    killed_at(number, lambda: ReleaseFolder(place).make(release))
    if plan_release(release, read_versions(place)).is_new:
        ReleaseFolder(place).make(release)  # as the next run does
    assert listing(place) == WHOLE


@pytest.mark.parametrize("number", range(50))
def test_killed_while_a_version_is_removed(program, place, number):
    folder = ReleaseFolder(place)
    for version in ("1", "2"):
        folder.make(release_of(program, place, version=version))
    killed_at(number, lambda: folder.remove(["2"]))
    assert set(read_versions(place).complete) >= {"1"}
    folder.remove(["2"])
    assert listing(place) == WHOLE


def test_enough_numbers_for_the_whole(program, place):
    """The last of the numbers above kill nothing any more."""
    release = release_of(program, place, prepare=(("true",),))
    assert not killed_at(49, lambda: ReleaseFolder(place).make(release))
    assert not killed_at(49, lambda: ReleaseFolder(place).remove(["1"]))


def test_the_owner(program, place):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    nobody = pwd.getpwnam("nobody")
    ReleaseFolder(place).make(release_of(program, place, owner="nobody"))
    for name in ("releases/1", "releases/1/bin/a", "releases/1/last"):
        info = os.lstat(f"{place}/{name}")
        assert (info.st_uid, info.st_gid) == (nobody.pw_uid, nobody.pw_gid)

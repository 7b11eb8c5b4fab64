# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/lab/sandbox.py decides about a host; what it then does is tested in tests/lab/test_leftovers.py."""

from __future__ import annotations

import argparse
import os
import resource

import pytest
from lab import build, sandbox

UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def host(monkeypatch, tmp_path):
    """Function that makes this look like another host: its cgroup files, its limits, whether they may be raised."""

    def pretend(files=None, hard=UNLIMITED, may_raise=True):
        for name, text in (files or {"cgroup.controllers": "cpu memory pids\n"}).items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(sandbox, "CGROUP_ROOT", tmp_path / "cgroup")
        monkeypatch.setattr(sandbox, "CHECKOUT", tmp_path)
        monkeypatch.setattr(sandbox, "may_raise", lambda _limit: may_raise)
        monkeypatch.setattr(resource, "getrlimit", lambda _limit: (1024, hard))
        for name in (sandbox.INSIDE, "CONTAINERS_CONF"):
            monkeypatch.delenv(name, raising=False)

    return pretend


LAYOUTS = {
    "unified": ({"cgroup.controllers": "cpu pids\n"}, False, {"cpu", "pids"}),
    "unified without pids": ({"cgroup.controllers": "cpu\n"}, False, {"cpu"}),
    "hybrid": ({"unified/cgroup.controllers": "cpu\n", "pids/tasks": ""}, True, {"cpu"}),
    "version 1": ({"pids/tasks": "", "cpu/tasks": ""}, True, set()),
}


@pytest.mark.parametrize(("files", "lacks", "controllers"), LAYOUTS.values(), ids=list(LAYOUTS))
def test_layout_of_cgroups(host, files, lacks, controllers):
    host(files)
    assert sandbox.lacks_unified_cgroups() is lacks
    assert sandbox.cgroup2_controllers() == controllers


CONFIGURATIONS = {
    "ordinary": ({}, []),
    "ordinary, with low limits that may be raised": ({"hard": 4096}, []),
    "limits may not be raised": (
        {"may_raise": False, "hard": 524288},
        ['default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]'],
    ),
    "nor are there any": ({"may_raise": False}, ['default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]']),
    "limits below what is asked for": (
        {"may_raise": False, "hard": 25000},
        ['default_ulimits = ["nofile=20000:20000", "nproc=25000:25000"]'],
    ),
    "no pids controller": ({"files": {"cgroup.controllers": "cpu\n"}}, ["pids_limit = 0"]),
    "neither": (
        {"files": {"cpu/tasks": ""}, "may_raise": False, "hard": 100},
        ['default_ulimits = ["nofile=100:100", "nproc=100:100"]', "pids_limit = 0"],
    ),
}


@pytest.mark.parametrize(("about", "lines"), CONFIGURATIONS.values(), ids=list(CONFIGURATIONS))
def test_configuration_of_podman(host, about, lines):
    host(**about)
    assert sandbox.containers_conf().splitlines() == (["[containers]", *lines] if lines else [])


def test_ordinary_host_is_left_as_it_is(host, monkeypatch, tmp_path):
    host()
    monkeypatch.setattr(sandbox, "enter_mounts", lambda: pytest.fail("enters a mount namespace"))
    before = dict(os.environ)
    sandbox.adapt()
    assert dict(os.environ) == before
    assert not (tmp_path / ".cache").exists()


def test_host_without_unified_cgroups_gets_a_mount_namespace(host, monkeypatch):
    host({"pids/tasks": ""})
    entered = []
    monkeypatch.setattr(sandbox, "enter_mounts", lambda: entered.append(True))
    monkeypatch.setenv("CONTAINERS_CONF", "")
    sandbox.adapt()
    assert entered == [True]


def test_configuration_is_written_for_podman_to_find(host, monkeypatch, tmp_path):
    host(may_raise=False, hard=100)
    # Set and taken away, so that it is put back as it was when the test ends.
    monkeypatch.setenv("CONTAINERS_CONF", "")
    monkeypatch.delenv("CONTAINERS_CONF")
    sandbox.adapt()
    written = tmp_path / ".cache" / "containers.conf"
    assert os.environ["CONTAINERS_CONF"] == str(written)
    assert written.read_text() == sandbox.containers_conf()
    assert [path.name for path in written.parent.iterdir()] == ["containers.conf"]


def test_configuration_of_the_user_wins(host, monkeypatch, tmp_path):
    host(may_raise=False, hard=100)
    monkeypatch.setenv("CONTAINERS_CONF", "/etc/own.conf")
    sandbox.adapt()
    assert os.environ["CONTAINERS_CONF"] == "/etc/own.conf"
    assert not (tmp_path / ".cache").exists()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_asking_for_a_limit_does_not_change_it():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert sandbox.may_raise(resource.RLIMIT_NOFILE) in (True, False)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_names_of_runs(monkeypatch):
    monkeypatch.setenv("UNITCRAFT_PREFIX", "mine")
    assert sandbox.run_name(argparse.Namespace(name="demo")) == "mine-demo"
    assert sandbox.run_name(argparse.Namespace(name=None)) == f"mine-r{os.getpid()}"
    monkeypatch.delenv("UNITCRAFT_PREFIX")
    here = sandbox.checkout_prefix()
    monkeypatch.setattr(sandbox, "CHECKOUT", sandbox.CHECKOUT / "other")
    assert sandbox.checkout_prefix() != here


def test_dead_runs_are_those_without_a_sandbox(monkeypatch):
    names = ["mine-r11-s252", "mine-r11-s257", "mine-r12-s252", "mine-demo-s257", "mine-rx-s1"]
    removed = []
    monkeypatch.setattr(sandbox, "containers_of", lambda _run: names)
    monkeypatch.setattr(sandbox, "is_sandbox", lambda pid: pid == 12)
    monkeypatch.setattr(sandbox, "remove_containers", removed.append)
    sandbox.sweep_dead_runs("mine")
    assert removed == ["mine-r11"]


def test_other_users_go_on_under_sudo(monkeypatch):
    called = []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sandbox.shutil, "which", lambda _name: "/usr/bin/sudo")
    monkeypatch.setattr(os, "execvp", lambda _file, words: called.append(words))
    monkeypatch.setenv("ANSIBLE_CONFIG", "kept")
    monkeypatch.setenv("SECRET_OF_THE_USER", "not kept")
    sandbox.become_root()
    assert called[0][:2] == ["sudo", "env"]
    assert "ANSIBLE_CONFIG=kept" in called[0]
    assert not [word for word in called[0] if word.startswith("SECRET_OF_THE_USER=")]
    monkeypatch.setattr(sandbox.shutil, "which", lambda _name: None)
    with pytest.raises(SystemExit, match="install sudo"):
        sandbox.become_root()


# security-6: processes that could lead us into their mount namespace, and whether they may

TRUSTED = {
    "security-6 a monitor of root": ({}, 7),
    "security-6 of a user": ({"uids": "1000 1000 1000 1000"}, 0),
    "security-6 of a user who runs a program with the set-user-ID bit": ({"uids": "1000 0 0 0"}, 0),
    "security-6 of root in a namespace of a user": ({"user": "user:[2]"}, 0),
    "security-6 another program": ({"comm": "sleep"}, 0),
    "security-6 where we are already": ({"mnt": "mnt:[1]"}, 0),
}


@pytest.mark.parametrize(("about", "found"), TRUSTED.values(), ids=list(TRUSTED))
def test_whose_mount_namespace_is_entered(monkeypatch, tmp_path, about, found):
    def process(name, uids="0 0 0 0", user="user:[1]", mnt="mnt:[2]", comm="conmon"):
        (tmp_path / name / "ns").mkdir(parents=True)
        (tmp_path / name / "ns" / "mnt").symlink_to(mnt)
        (tmp_path / name / "ns" / "user").symlink_to(user)
        (tmp_path / name / "comm").write_text(comm + "\n")
        (tmp_path / name / "status").write_text("Name:\tx\nUid:\t" + uids.replace(" ", "\t") + "\nGid:\t0\n")
        controllers = tmp_path / name / "root/sys/fs/cgroup/cgroup.controllers"
        controllers.parent.mkdir(parents=True)
        controllers.write_text("cpu")

    process("self", mnt="mnt:[1]")
    process("7", **about)
    monkeypatch.setattr(sandbox, "PROC", tmp_path)
    monkeypatch.setattr(sandbox, "is_sandbox", lambda _pid: False)
    monkeypatch.setattr(sandbox, "CGROUP_ROOT", sandbox.Path("/sys/fs/cgroup"))
    assert sandbox.shared_member() == found


@pytest.mark.parametrize(("release", "has"), [("247", False), ("252", True), ("262", True)])
def test_an_image_has_the_packages_that_name_its_release(monkeypatch, tmp_path, release, has):
    (tmp_path / "packages.txt").write_text("curl\nphp-symfony 252 262\n")
    monkeypatch.setattr(build, "HERE", tmp_path)
    assert ("php-symfony" in build.packages(release)) == has
    assert "curl" in build.packages(release)

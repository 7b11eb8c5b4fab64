# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program with its unit: installed, updated, and back as a whole when its new version is no good."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from lab import containers
from lab.playbook import play
from live.deploying import deploy, killed
from live.target import ROOT, said

PROGRAM = """\
#!/bin/sh
@FAULT@
echo @VERSION@ > /run/t-rel-answer
exec sleep 100000
"""
LIST = (
    "find /opt/t-rel /etc/systemd/system/t-* -printf '%p %y %m %U:%G %l ' -type f -exec sha256sum {} \\; -o -printf"
    " '%p %y %m %U:%G %l\\n' 2>/dev/null | grep -v '[.]json' | sort; true"
)


@pytest.fixture
def program(tmp_path):
    """Makes the folder of a version."""

    def make(version: str, fault: str = "") -> Path:
        folder = tmp_path / f"version-{version}"
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        serve = folder / "bin" / "serve"
        serve.write_text(PROGRAM.replace("@VERSION@", version).replace("@FAULT@", fault))
        serve.chmod(0o755)
        return folder

    return make


def service(source, version, probe=None, **release):
    """A service that runs a version of a program."""
    probe = probe or ["grep", "-qx", version, "/run/t-rel-answer"]
    return {
        "name": "t-rel.service",
        "sections": {"Service": {"Type": "exec", "ExecStart": [["/opt/t-rel/current/bin/serve"]]}},
        "state": "started",
        "health": {"timeout": 30, "stable": 0, "probes": [{"command": probe}]},
        "release": {"path": "/opt/t-rel", "src": str(source), "version": version, **release},
    }


def answer(target):
    """The version that runs, by what it says and by where its program is."""
    return target.sh("cat /run/t-rel-answer; systemctl is-active t-rel.service; readlink /opt/t-rel/current").split(
        "\n"
    )


RUNS_1 = ["1", "active", "releases/1"]


@pytest.fixture
def installed(target, program):
    """Version 1, running."""
    result = deploy(target, [service(program("1"), "1")])
    assert not result.get("failed"), result
    return target


def reasons(result):
    return [action["reason"] for action in result["actions"]]


def test_a_first_installation(target, program):
    result = deploy(target, [service(program("1"), "1")])
    assert not result.get("failed"), result
    assert answer(target) == RUNS_1
    assert "release /opt/t-rel: version 1, the first" in reasons(result)
    assert [finding for finding in result["findings"] if finding["severity"] != "info"] == []


def test_an_unchanged_run_sends_nothing(installed, program):
    result = deploy(installed, [service(program("1"), "1")])
    assert (result["changed"], result["archives"], result["actions"]) == (False, 0, [])


def test_an_update(installed, program):
    before = installed.show("t-rel.service", "InvocationID")
    result = deploy(installed, [service(program("2"), "2")])
    assert not result.get("failed"), result
    assert answer(installed) == ["2", "active", "releases/2"]
    assert said(result) == ["write t-rel.service", "restart t-rel.service"]
    assert reasons(result)[0] == "release /opt/t-rel: version 1 -> 2"
    assert (result["diff"][0]["before"], result["diff"][0]["after"]) == ("link to releases/1\n", "link to releases/2\n")
    assert installed.show("t-rel.service", "InvocationID") != before


@pytest.mark.parametrize("kind", ["install", "update"])
def test_check_mode_tells_the_same(target, program, kind):
    if kind == "update":
        deploy(target, [service(program("1"), "1")])
    unit = service(program("2"), "2", keep=1)
    before = target.sh(LIST)
    checked = deploy(target, [unit], check=True)
    assert target.sh(LIST) == before
    real = deploy(target, [unit])
    assert (checked["actions"], checked["diff"], checked["archives"]) == (real["actions"], real["diff"], 0)


def test_the_version_from_the_content(target, program):
    unit = service(program("1"), "1")
    unit["release"]["version"] = None
    deploy(target, [unit])
    current = target.sh("readlink /opt/t-rel/current")
    assert len(current) == len("releases/") + 12
    assert deploy(target, [unit])["changed"] is False


def test_back_to_a_version_that_is_there(installed, program):
    deploy(installed, [service(program("2"), "2")])
    result = deploy(installed, [service(program("1"), "1")])
    assert (result["archives"], answer(installed)) == (0, RUNS_1)


def test_a_release_that_is_declared_no_more(installed, program):
    """Its versions go, but for those that a generation refers to, which are named."""
    options = {"set_name": "t-shop", "prune": True, "keep_generations": 2}
    for version in ("1", "2", "3"):
        deploy(installed, [service(program(version), version)], **options)
    installed.sh("rm -r /var/lib/unitcraft/generations/t-rel.service")
    moved = service(program("4"), "4")
    moved["release"]["path"] = "/opt/t-rel2"
    moved["sections"]["Service"]["ExecStart"] = [["/opt/t-rel2/current/bin/serve"]]
    checked = deploy(installed, [moved], check=True, **options)
    result = deploy(installed, [moved], **options)
    assert not result.get("failed"), result["msg"]
    assert checked["actions"] == result["actions"]
    assert installed.sh("ls /opt/t-rel/releases; ls -d /opt/t-rel/current 2>/dev/null; true") == "3"
    warning = "release /opt/t-rel: version 3 stays for the generations that refer to it, and no run removes it"
    assert [words for words in result["warnings"] if warning in words]
    result = installed.module("rollback", set_name="t-shop")
    assert not result.get("failed"), result["msg"]
    assert answer(installed) == ["3", "active", "releases/3"]


# A version that is no good

FAULTS = {
    "does not start": "exit 3",
    "dies": "echo 2 > /run/t-rel-answer; sleep 1; exit 3",
    "answers something else": "echo 9 > /run/t-rel-answer; exec sleep 1000",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_sick_version_goes_back(installed, program, fault):
    before = installed.sh(LIST)
    unit = service(program("2", FAULTS[fault]), "2")
    unit["health"].update(timeout=5, stable=3)
    result = deploy(installed, [unit])
    assert (result.get("failed"), result.get("rolled_back"), result.get("not_undone")) == (True, True, None), result
    assert answer(installed) == RUNS_1
    assert installed.sh(LIST) == before


def test_a_sick_first_version_leaves_nothing(target, program):
    unit = service(program("1", "exit 3"), "1")
    result = deploy(target, [unit])
    assert (result.get("failed"), result.get("rolled_back"), result.get("not_undone")) == (True, True, None), result
    assert target.sh(LIST) == ""


def test_prepare_runs_as_its_user_in_the_new_version(installed, program):
    commands = [["sh", "-c", "id -un > bin/who; pwd > bin/where; readlink /opt/t-rel/current >> bin/where"]]
    result = deploy(installed, [service(program("2"), "2", prepare=commands, prepare_user="nobody")])
    assert not result.get("failed"), result
    seen = installed.sh("cd /opt/t-rel/current/bin; cat who where; stat -c %U who").split("\n")
    assert seen == ["nobody", "/opt/t-rel/releases/2", "releases/1", "root"]


def test_prepare_fails(installed, program):
    before, run = installed.sh(LIST), installed.show("t-rel.service", "InvocationID")
    commands = [["sh", "-c", "echo no module named flask >&2; exit 7"]]
    result = deploy(installed, [service(program("2"), "2", prepare=commands)])
    assert result.get("failed"), result
    for part in ("release /opt/t-rel: version 2 cannot be made", "exit status 7", "no module named flask"):
        assert part in result["msg"]
    assert installed.sh(LIST) == before
    assert installed.show("t-rel.service", "InvocationID") == run


def test_a_damaged_archive(installed, program, tmp_path):
    before = installed.sh(LIST)
    with tarfile.open(tmp_path / "whole.tar.gz", "w:gz") as archive:
        archive.add(program("2"), ".")
    whole = (tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    result = deploy(installed, [service(tmp_path / "half.tar.gz", "2")])
    assert (result.get("failed"), result["changed"], "rolled_back" in result) == (True, False, False), result
    assert "release /opt/t-rel: version 2 cannot be made: the archive is damaged" in result["msg"]
    assert result["msg"].endswith("Nothing was changed")
    assert installed.sh(LIST) == before
    result = deploy(installed, [service(tmp_path / "whole.tar.gz", "2")])
    assert answer(installed) == ["2", "active", "releases/2"]


def test_a_disk_that_is_full(installed, program):
    installed.sh("mkdir -p /opt/t-full && mount -t tmpfs -o size=64k tmpfs /opt/t-full")
    try:
        folder = program("2")
        (folder / "big").write_bytes(b"x" * 200_000)
        unit = service(folder, "2")
        unit["release"]["path"] = "/opt/t-full/a"
        result = deploy(installed, [unit])
        assert result.get("failed"), result
        assert "big: No space left on device; make room" in result["msg"]
        assert installed.sh("ls -A /opt/t-full") == ""
    finally:
        installed.sh("umount /opt/t-full")
    assert answer(installed) == RUNS_1


# What stays


def test_old_versions_go(installed, program):
    for version in ("2", "3", "4"):
        result = deploy(installed, [service(program(version), version, keep=2)], keep_generations=1)
    assert installed.sh("ls /opt/t-rel/releases").split() == ["3", "4"]
    assert [a["reason"] for a in result["actions"] if a["action"] == "remove"] == [
        "release /opt/t-rel: version 2: 2 versions are kept"
    ]


def test_a_version_goes_with_the_last_generation_that_used_it(installed, program):
    for version in ("2", "3", "4"):
        deploy(installed, [service(program(version), version, keep=2)], keep_generations=2)
    assert installed.sh("ls /opt/t-rel/releases").split() == ["3", "4"]
    assert not deploy(installed, [service(program("4"), "4", keep=2)], keep_generations=2)["changed"]


def test_shared_is_linked_into_every_version(installed, program):
    for version in ("2", "3"):
        result = deploy(installed, [service(program(version), version, shared={"uploads": "/run/t-rel-uploads"})])
        assert not result.get("failed"), result
        assert installed.sh("readlink /opt/t-rel/current/uploads") == "/run/t-rel-uploads"


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "run"])
@pytest.mark.parametrize("source", ["src", "remote_src"])
@pytest.mark.parametrize(
    ("shared", "words"),
    [({"a": "/x", "a/b": "/y"}, "a/b would lie below a"), ({"bin/serve": "/x"}, "bin/serve is in the version itself")],
)
def test_what_cannot_be_shared_is_told_by_the_plan(target, program, shared, words, source, check):
    unit = service(program("1"), "1", shared=shared)
    if source == "remote_src":
        target.sh("mkdir -p /opt/t-src/bin; echo > /opt/t-src/bin/serve")
        del unit["release"]["src"]
        unit["release"]["remote_src"] = "/opt/t-src"
    try:
        result = deploy(target, [unit], check)
    except AnsibleActionFail as error:  # as the action plugin fails
        result = {"failed": True, "msg": str(error)}
    assert (result.get("failed"), "rolled_back" in result) == (True, False), result
    assert words in result["msg"]
    assert target.sh("ls -d /opt/t-rel 2>/dev/null; true") == ""


REPLACED = {
    "folder": ("rm data && mkdir data", "the link data to /run/t-rel-data, of 'shared', it has left a folder."),
    "other target": ("ln -sfn /run data", "it has left a link to /run."),
    "gone": ("rm data", "it has left nothing."),
    "above": ("mv var away; ln -s away var", "it has left var above it, which is no folder any more"),
}


@pytest.mark.parametrize("what", REPLACED)
def test_prepare_replaces_what_is_shared(installed, program, what):
    before = installed.sh(LIST)
    command, words = REPLACED[what]
    shared = {"data": "/run/t-rel-data", "var/log": "/run/t-rel-log"}
    more = {"prepare": [["sh", "-c", command]], "prepare_user": "nobody", "shared": shared}
    result = deploy(installed, [service(program("2"), "2", **more)])
    assert result.get("failed"), result
    for part in ("release /opt/t-rel: version 2 cannot be made", words, "Let prepare leave the link alone"):
        assert part in result["msg"]
    assert installed.sh(LIST) == before
    more["prepare"] = [["sh", "-c", "ls -l data var/log"]]
    assert not deploy(installed, [service(program("2"), "2", **more)]).get("failed")


@pytest.mark.parametrize("removed", ["releases/1", "releases"])
def test_a_version_that_somebody_removed_is_made_again(installed, program, removed):
    before = installed.sh(LIST)
    installed.sh(f"rm -r /opt/t-rel/{removed}")
    checked = deploy(installed, [service(program("1"), "1")], check=True)
    result = deploy(installed, [service(program("1"), "1")])
    assert not result.get("failed"), result
    assert reasons(result)[0] == "release /opt/t-rel: version 1 again, for it was removed"
    assert (checked["actions"], installed.sh(LIST)) == (result["actions"], before)
    assert answer(installed) == RUNS_1
    assert not deploy(installed, [service(program("1"), "1")])["changed"]
    installed.sh(f"rm -r /opt/t-rel/{removed}")
    result = deploy(installed, [service(program("2"), "2")])
    assert not result.get("failed"), result
    assert answer(installed) == ["2", "active", "releases/2"]


def test_a_version_never_changes(installed, program):
    before = installed.sh(LIST)
    result = deploy(installed, [service(program("2"), "1")])
    assert "version 1 of /opt/t-rel is on the host already" in result["msg"]
    assert "give another version" in result["msg"]
    assert installed.sh(LIST) == before


BAD_PATHS = {
    "/var/lib/unitcraft": "/var/lib/unitcraft is in a folder of this collection",
    "/var/lib/unitcraft/x": "is in a folder of this collection",
    "/run/t-link": "is in a folder of this collection",
    "/var/lib": "/var/lib cannot hold the versions of a program, for /var/lib/unitcraft is in it",
    "/etc": "/etc cannot hold the versions of a program, for /etc/systemd/system is in it",
    "/": "is not a plain path",
    "/etc/systemd/system": "is in a folder of unit files",
}


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_holds_more_than_a_program(target, program, path):
    target.sh("ln -s /var/lib/unitcraft /run/t-link")
    unit = service(program("1"), "1")
    unit["release"]["path"] = path
    result = deploy(target, [unit])
    assert "units[0].release: path: " in result["msg"]
    assert BAD_PATHS[path] in result["msg"]
    assert target.sh("ls -d /etc/releases /var/lib/releases /var/lib/unitcraft/releases 2>/dev/null; true") == ""


def test_current_that_is_not_ours(target, program):
    target.sh("mkdir -p /opt/t-rel/v0 && ln -s v0 /opt/t-rel/current")
    before = target.sh(LIST)
    result = deploy(target, [service(program("1"), "1")])
    assert "/opt/t-rel/current leads to 'v0', which is not a version that was made by a release" in result["msg"]
    assert target.sh(LIST) == before


def test_remote_src(target, program):
    folder = program("1")
    target.write("/run/t-rel-source/bin/serve", (folder / "bin" / "serve").read_text(), "0755")
    unit = service("", "1")
    del unit["release"]["src"]
    unit["release"]["remote_src"] = "/run/t-rel-source"
    result = deploy(target, [unit])
    assert not result.get("failed"), result
    assert (answer(target), deploy(target, [unit])["changed"]) == (RUNS_1, False)


def test_back_and_forth_by_generations(installed, program):
    """What a generation refers to stays, whatever ``keep`` says; the controller is not needed."""
    for version in ("2", "3"):
        deploy(installed, [service(program(version), version, keep=1)])
    for to, version in (("1", "1"), ("3", "3"), ("previous", "2")):
        result = installed.module("rollback", set_name="t-rel.service", to=to)
        assert not result.get("failed"), result
        assert answer(installed) == [version, "active", f"releases/{version}"]


def test_back_to_a_version_that_is_gone(installed, program):
    deploy(installed, [service(program("2"), "2")])
    installed.sh("rm -r /opt/t-rel/releases/1")
    result = installed.module("rollback", set_name="t-rel.service")
    assert "version 1 of /opt/t-rel, of generation 1, is gone" in result["msg"]
    assert answer(installed) == ["2", "active", "releases/2"]


def test_the_playbook_goes_back_without_the_files(installed, program):
    """The old files are gone from the controller, and the present version crashes again and again."""
    before = installed.sh("readlink /opt/t-rel/current; cat /etc/systemd/system/t-rel.service")
    second = service(program("2", "test -e /run/t-rel-database || exit 3"), "2")
    second["sections"]["Service"].update(Restart="always", RestartSec="100ms")
    second["sections"]["Unit"] = {"StartLimitIntervalSec": 0}
    installed.sh("touch /run/t-rel-database")
    result = deploy(installed, [second])
    assert not result.get("failed"), result
    installed.sh("rm /run/t-rel-database; systemctl kill t-rel")
    installed.wait_for("test $(systemctl show --property=NRestarts --value t-rel) -gt 2")
    for version in ("1", "2"):
        shutil.rmtree(program(version))
    options = ["-e", "rollback_set=t-rel.service", "-e", "rollback_hosts=all"]
    groups = containers.inventory({installed.name: containers.running()[installed.name]})
    done = play(groups, ROOT / "playbooks" / "rollback.yml", *options, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "t-rel.service: from generation 2 to 1" in done.stdout
    assert installed.sh("readlink /opt/t-rel/current; cat /etc/systemd/system/t-rel.service") == before
    assert answer(installed) == RUNS_1


# Killed in the middle


KILLED_IN = {
    "prepare": {"prepare": [["sh", "-c", "kill -9 $PPID; sleep 1"]]},
    "health": {"probe": ["sh", "-c", "test -e /opt/t-rel/releases/2 && kill -9 $PPID"]},
}


@pytest.mark.parametrize("where", KILLED_IN)
def test_killed(installed, program, where):
    before = installed.sh(LIST)
    killed(installed, service(program("2"), "2", **KILLED_IN[where]))
    result = deploy(installed, [service(program("1"), "1")])
    assert "a run that began at" in result["recovered"]
    assert answer(installed) == RUNS_1
    assert installed.sh(LIST) == before
    result = deploy(installed, [service(program("2"), "2")])
    assert answer(installed) == ["2", "active", "releases/2"]


# What stands in the way of the way back

FILL = "for n in $(seq 99); do touch x$n || break; done"


def test_no_room_for_the_link_that_leads_back(target, program):
    """Each file takes an inode; what the sick version took is free before ``current`` changes."""
    target.sh("mkdir -p /opt/t-rel && mount -t tmpfs -o nr_inodes=60 tmpfs /opt/t-rel")
    try:
        deploy(target, [service(program("1"), "1")])
        result = deploy(target, [service(program("2", f"cd /opt/t-rel; {FILL}; exit 3"), "2")])
        assert (result["failed"], result["rolled_back"]) == (True, True), result
        assert answer(target) == RUNS_1
        assert target.sh("ls -A /opt/t-rel/releases | sort") == ".1.json\n1"
    finally:
        target.sh("systemctl stop t-rel; umount /opt/t-rel")


def test_current_never_leads_to_a_version_that_is_gone(installed, program):
    """The link cannot be changed back, but the version that it leads to could be removed."""
    installed.sh("cd /opt/t-rel; mount --bind . .; cd /opt/t-rel; mount --bind releases releases")
    try:
        unit = service(program("2", "mount -o remount,ro,bind /opt/t-rel; exit 3"), "2")
        result = deploy(installed, [unit])
        assert (result["failed"], result["rolled_back"]) == (True, False), result
        assert "/opt/t-rel/current is not as it was: Read-only file system" in result["not_undone"][0]
        assert installed.sh("ls /opt/t-rel/current/bin") == "serve"
        installed.sh("mount -o remount,rw,bind /opt/t-rel")
        assert not deploy(installed, [service(program("1"), "1")]).get("failed")
        assert answer(installed) == RUNS_1
    finally:
        installed.sh("umount /opt/t-rel/releases; umount /opt/t-rel")


def test_check_mode_while_an_undo_waits(installed, program):
    """What it finds wrong is what the real run undoes before it looks."""
    killed(installed, service(program("2"), "2", **KILLED_IN["health"]))
    installed.sh("rm /opt/t-rel/releases/.2.json")
    checked = deploy(installed, [service(program("1"), "1")], check=True)
    assert "the next run without check mode first undoes it" in checked["msg"]
    result = deploy(installed, [service(program("1"), "1")])
    assert not result.get("failed"), result
    assert answer(installed) == RUNS_1


LEFT = """
echo x > built
setsid sh -c 'while :; do echo x >> /opt/t-rel/releases/2/built; sleep 0.1; done' &
env -i sh -c 'setsid sleep 3333 & wait' &
kill -9 $PPID
sleep 3333
"""


@pytest.mark.parametrize("next_run", ["the same version", "another unit"])
def test_what_a_killed_prepare_left_running_is_ended(installed, program, next_run):
    unit = service(program("2"), "2", prepare=[["sh", "-c", LEFT]])
    killed(installed, unit)
    assert installed.sh("pgrep -f '[s]leep 3333|releases.2.[b]uilt'")
    unit["release"]["prepare"] = [["sh", "-c", "test ! -e built"]]
    other = {"name": "t-other.service", "sections": {"Service": {"ExecStart": "/bin/true"}}}
    result = deploy(installed, [unit if next_run == "the same version" else other])
    assert not result.get("failed"), result
    assert installed.sh("pgrep -af '[s]leep 3333|releases.2.[b]uilt'; true") == ""
    assert installed.sh("ls -A /opt/t-rel/releases/2 2>/dev/null; true") == ("bin" if "same" in next_run else "")

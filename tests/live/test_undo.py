# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back when a program has changed its own folders meanwhile: what can be put back is, the rest is named."""

from __future__ import annotations

import json

import pytest
from live.deploying import deploy, send

LIST = "find /opt/t-own /etc/t-own /etc/systemd/system/t-* -type f -exec md5sum {} + | grep -v t-other | sort"
OTHER = [{"name": "t-other.service", "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}}}]
# What the new version does as its user, to the folder that it owns.
HARM = {
    "a link for a folder": ("mv data was; ln -s /run/t-else data", "/opt/t-own/data: it is a link to /run/t-else"),
    "a file for a folder": ("mv data was; echo x > data", "/opt/t-own/data: Not a directory"),
    "a folder for a file": ("rm data/conf; mkdir -p data/conf/x", "Is a directory"),
}


def own(version, harm="true", **more):
    """A service that runs as the owner of its folder."""
    script = f"cd /opt/t-own; {harm}; test {version} = 1 || exit 3; exec sleep 1000"
    folders = [{"path": path, "directory": True, "owner": "daemon"} for path in ("/opt/t-own", "/opt/t-own/data")]
    conf = {"content": f"version {version}\n", "owner": "daemon"}
    files = [*folders, {"path": "/opt/t-own/data/conf", **conf}, {"path": "/etc/t-own/conf", **conf}]
    files += [{"path": "/opt/t-own/new", "content": "x"}] * (version > 1)
    service = {"Type": "exec", "User": "daemon", "ExecStart": [["/bin/sh", "-c", script]]}
    return {"name": "t-own.service", "sections": {"Service": service}, "state": "started", "files": files, **more}


@pytest.fixture
def installed(target):
    """Version 1, running."""
    target.sh("mkdir /run/t-else; chmod 777 /run/t-else")
    result = deploy(target, [own(1)])
    assert not result.get("failed"), result
    yield target
    target.sh("rm -rf /etc/t-own")


def is_back(target, before):
    """All is as before but the one file, nothing went through the link, and nothing is left beside it."""
    after = [line for line in target.sh(LIST).split("\n") if "/was/" not in line and not line.endswith("/data")]
    assert after == [line for line in before.split("\n") if "/data/" not in line]
    assert target.show("t-own", "ActiveState") == "active"
    assert target.sh("ls -A /run/t-else; find /opt/t-own -name '.#*'") == ""


def goes_on(target):
    """Other runs on this host are not held up, and once the way is free the set is as it was."""
    assert "recovered" not in deploy(target, OTHER)
    target.sh("cd /opt/t-own; rm -r data; mkdir data; chown daemon data")
    result = deploy(target, [own(1)])
    assert not result.get("failed"), result
    assert target.sh("cat /opt/t-own/data/conf") == "version 1"


@pytest.mark.parametrize("harm", HARM)
def test_a_sick_version_changes_its_folders(installed, harm):
    before = installed.sh(LIST)
    result = deploy(installed, [own(2, HARM[harm][0], health={"stable": 2})])
    assert (result["failed"], result["rolled_back"]) == (True, False), result
    assert HARM[harm][1] in result["not_undone"][0], result
    assert result["not_undone"][0].startswith("/opt/t-own/data/conf "), result
    assert "/var/lib/unitcraft/intent-set-aside-" in result["msg"]
    is_back(installed, before)
    goes_on(installed)


@pytest.mark.parametrize("harm", HARM)
def test_a_killed_run_and_changed_folders(installed, harm):
    before = installed.sh(LIST)
    probe = {"command": ["sh", "-c", f"cd /opt/t-own; {HARM[harm][0]}; kill -9 $PPID"]}
    unit = own(2, health={"timeout": 30, "probes": [probe]})
    unit["sections"]["Service"]["ExecStart"] = [["/bin/sleep", "2000"]]
    arguments = send(installed, [unit], call="ask")[1]
    ended = installed.run(installed.command("units"), json.dumps({**arguments, "_ansible_version": "2.21"}))
    assert ended.out == ""
    result = deploy(installed, OTHER)
    assert not result.get("failed"), result
    assert HARM[harm][1] in result["recovered"]
    assert "/var/lib/unitcraft/intent-set-aside-" in result["recovered"]
    is_back(installed, before)
    goes_on(installed)

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files from a controller: found as copy and template find them, sent once, never shown when secret."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest
from lab import containers, playbook

ROOT = pathlib.Path(__file__).resolve().parents[2]
ITEM = {
    "name": "t-play.service",
    "sections": {"Service": {"Type": "exec", "ExecStart": [["/opt/t-play/run"]], "EnvironmentFile": "/opt/t-play/env"}},
    "state": "started",
    "files": [
        {"path": "/opt/t-play/run", "src": "run", "mode": "preserve"},
        {"path": "/opt/t-play/conf", "template": "conf.j2", "validate": ["grep", "-q", "port=7", "%s"]},
        {"path": "/opt/t-play/env", "secret": "PASSWORD={{ password }}"},
        {"path": "/opt/t-play/copy", "src": "tree/"},
        {"path": "/opt/t-play", "src": "tree"},
        {"path": "/opt/t-play/list.json", "content": {"a": [1, 2]}},
    ],
}


@pytest.fixture
def play(target, tmp_path):
    """Runs one task in the container; returns what ``-vvv`` printed, and the result."""
    (tmp_path / "files/tree/deep").mkdir(parents=True)
    (tmp_path / "files/tree/deep/file").write_text("deep\n")
    (tmp_path / "files/run").write_text("#!/bin/sh\nexec sleep 100000\n")
    (tmp_path / "files/run").chmod(0o750)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/conf.j2").write_text("{{ template_destpath }} port={{ number }}\n")

    def run(*options, **task):
        result = tmp_path / "result.json"
        tasks = [
            {"unitcraft.systemd.units": {"units": [ITEM]}, "register": "done", **task},
            {
                "ansible.builtin.copy": {"content": "{{ done | to_json }}", "dest": str(result)},
                "delegate_to": "localhost",
                "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
                "check_mode": False,
            },
        ]
        names = {"number": 7, "password": "geheim{{ '123' }}", "ansible_python_interpreter": "/usr/bin/python3"}
        plays = [{"hosts": "all", "gather_facts": False, "vars": names, "tasks": tasks}]
        (tmp_path / "play.yml").write_text(json.dumps(plays))
        groups = containers.inventory({target.name: containers.running()[target.name]})
        done = playbook.play(groups, "play.yml", "-vvv", *options, capture_output=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr, json.loads(result.read_text())

    return run


def test_a_task_with_files(target, play):
    foretold = play("--check", "--diff")[1]
    printed, done = play("--diff")
    assert [foretold[key] for key in ("changed", "actions", "diff")] == [
        done[key] for key in ("changed", "actions", "diff")
    ]
    assert target.sh("stat -c %a /opt/t-play/run /opt/t-play/env /opt/t-play/tree") == "750\n600\n755"
    assert target.sh("cd /opt/t-play; cat conf env list.json tree/deep/file") == (
        '/opt/t-play/conf port=7\nPASSWORD=geheim123{"a": [1, 2]}deep'
    )
    assert "geheim123" not in printed
    assert "+/opt/t-play/conf port=7" in printed
    again, same = play()
    assert (same["changed"], same["actions"]) == (False, [])
    assert "sending" in printed
    assert "sending" not in again
    assert target.sh("ls /root/.ansible/tmp 2>/dev/null; true") == ""


def test_in_the_background(target, play):
    done = play(**{"async": 300, "poll": 1})[1]
    assert done["changed"]
    assert "_needs" not in done
    assert target.show("t-play", "ActiveState") == "active"
    assert play(**{"async": 300, "poll": 1})[1]["changed"] is False

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After test_service.py: changes of services that run, told as loudly as Ansible can."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

# A part of each secret, old and new, that is the same in YAML, JSON and an environment file: of change.yml and of
# app.yml and vault.yml in shared/tasks.
SECRETS = ["ticks", "T$ ", "$key", "another %token", "told-to-nobody"]


@pytest.fixture(scope="module")
def run(host):
    """The run of change.yml on a host: its exit status, and all that it wrote."""
    project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
    folder = project / "extensions/molecule"
    done = subprocess.run(
        [
            *("ansible-playbook", "--inventory", folder / "inventory.yml", "--diff", "-vvv"),
            *("--limit", host.backend.name.rpartition("-")[2], folder / "service/change.yml"),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=project,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(project / ".ansible/collections")},
    )
    return done.returncode, done.stdout + done.stderr


def test_changes_do_what_they_need_and_mistakes_are_refused(run):
    status, output = run
    # Without what the connection tells of each command.
    assert status == 0, "\n".join(
        [line for line in output.splitlines() if not line.startswith(("<", "Using module"))][-100:]
    )


def test_diff_and_verbose_output_were_on(run):
    _status, output = run
    assert "+Description=Another description" in output
    assert "/etc/vault-keys/token changed" in output
    assert "ansible-tmp-" in output  # what -vvv says of the connection, in words that differ by release


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_in_the_output(run, secret):
    _status, output = run
    found = [line for line in output.splitlines() if secret in line]
    assert not found

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After test_service.py: changes of services that run, told as loudly as Ansible can, on all hosts at once."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

# A part of each secret, old and new, that no quoting changes: of shared/tasks/app.yml and vault.yml, and of change.yml.
SECRETS = ["`ticks`", "T$ ", "another $key", "another %token", "told-to-nobody"]


@pytest.fixture(scope="module")
def output():
    project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
    folder = project / "extensions/molecule"
    done = subprocess.run(
        ["ansible-playbook", "--inventory", folder / "inventory.yml", "--diff", "-vvv", folder / "service/change.yml"],
        check=False, capture_output=True, text=True, cwd=project,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(project / ".ansible/collections"), "ANSIBLE_FORKS": "4"},
    )
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-150:]) + done.stderr
    return done.stdout + done.stderr


def test_changes_do_what_they_need_and_mistakes_are_refused(output):
    assert "PLAY RECAP" in output


def test_diff_and_verbose_output_were_on(output):
    assert "+Description=Another description" in output
    assert "/etc/vault-keys/token changed" in output
    assert "EXEC" in output


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_in_the_output(output, secret):
    assert secret not in output

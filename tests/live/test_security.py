# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users of the host, and services, may try against a run of root's."""

from __future__ import annotations

import json

import pytest

ACCOUNT = "t-mallory"
SLEEP = {"Service": {"ExecStart": "/bin/sleep 1000"}}


@pytest.fixture
def mallory(target):
    target.sh(f"useradd --create-home --uid 1700 {ACCOUNT}")
    yield ACCOUNT
    target.sh(f"loginctl terminate-user {ACCOUNT}; userdel --force --remove {ACCOUNT}", check=False)


def test_what_a_user_makes_impossible_holds_up_no_other(target, mallory):
    """Attack 3: her unit folder is a link when what a killed run began has to be undone."""
    target.sh(f"su {mallory} -c 'mkdir -p ~/.config/systemd/user'")
    intent = {"format": 1, "id": "0", "boot": "", "begun": 1, "scope": "user", "user": mallory, "runtime": False}
    intent.update(root="", files=[], names=[], links={}, units={}, reloads=[], daemon_reload=False, linger=None)
    place = f"/var/lib/unitcraft/intent-user-{mallory}.json"
    target.sh("mkdir -p -m 700 /var/lib/unitcraft")
    target.write(place, json.dumps(intent))
    target.sh(f"su {mallory} -c 'cd ~/.config/systemd; rmdir user; ln -s /etc/systemd/system user'")
    assert not target.unit("t-a", sections=SLEEP).get("failed")
    target.sh(f"su {mallory} -c 'cd ~/.config/systemd; rm user; mkdir user; chmod 0 user'")
    result = target.unit("t-u", sections=SLEEP, scope="user", user=mallory, linger=True)
    assert f"/home/{mallory}/.config/systemd/user/t-u.service cannot be read: Permission denied" in result["msg"]
    assert target.sh("cd /var/lib/unitcraft; ls intent*").startswith(f"intent-user-{mallory}-set-aside-")


def test_a_trigger_of_a_user_is_read_as_this_user(target, mallory):
    """Attack 9: else a user learns when a file changes that only root may read."""
    target.write("/run/t-secret", "x")
    target.sh("chmod 600 /run/t-secret")
    result = target.unit("t-u", sections=SLEEP, scope="user", user=mallory, linger=True, triggers=["/run/t-secret"])
    assert result["failed"]
    assert "triggers: /run/t-secret cannot be read: Permission denied" in result["msg"]


def test_a_status_text_is_no_property(target):
    """Attack 7."""
    program = "systemd-notify --ready --status=$(printf 'fine\\342\\200\\250MainPID=abc'); exec sleep 1000"
    target.write("/run/t-program", f"#!/bin/bash\n{program}\n")
    target.sh("chmod 755 /run/t-program")
    text = {"Service": {"Type": "notify", "NotifyAccess": "all", "ExecStart": "/run/t-program"}}
    target.unit("t-a", sections=text, state="started", fail_on="never", verify=False)
    pid = int(target.sh("systemctl show --property=MainPID --value t-a"))
    result = target.unit("t-a", sections=text, state="started", fail_on="never", verify=False)
    assert result["units"]["t-a.service"]["main_pid"] == pid

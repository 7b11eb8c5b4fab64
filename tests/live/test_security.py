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
    assert f"/home/{mallory}/.config/systemd/user cannot be read: Permission denied" in result["msg"]
    assert target.sh("cd /var/lib/unitcraft; ls intent*").startswith(f"intent-user-{mallory}-set-aside-")


def test_a_trigger_of_a_user_is_read_as_this_user(target, mallory):
    """Attack 9: else a user learns when a file changes that only root may read."""
    target.write("/run/t-secret", "x")
    target.sh("chmod 600 /run/t-secret")
    result = target.unit("t-u", sections=SLEEP, scope="user", user=mallory, linger=True, triggers=["/run/t-secret"])
    assert result["failed"]
    assert "triggers: /run/t-secret cannot be read: Permission denied" in result["msg"]


SWAP = """
cd /opt/t-image/etc
while [ -e /run/t-swap ]; do mv -T systemd was; ln -s /run/t-outside systemd; rm systemd; mv -T was systemd; done
"""


def test_the_owner_of_an_image_cannot_lead_us_out_of_it(target):
    """Attack 5 (security-5): of 25 runs of version 0.1, 14 wrote where the owner wanted them to."""
    target.sh("mkdir -p /opt/t-image/etc/systemd/system /opt/t-image/usr/lib/systemd /run/t-outside/system")
    target.sh("touch /opt/t-image/usr/lib/systemd/libsystemd-shared-252.so /run/t-swap")
    target.write("/run/t-swap.sh", SWAP)
    swapper = target.sh("sh /run/t-swap.sh >/dev/null 2>&1 & echo $!")
    try:
        wanted = {**SLEEP, "Install": {"WantedBy": "multi-user.target"}}
        for number in range(12):
            target.unit(f"t-{number}", sections=wanted, enabled=True, root="/opt/t-image", verify=False)
        assert target.sh("find /run/t-outside -type f -o -type l") == ""
    finally:
        target.sh("rm -f /run/t-swap")
        target.wait_for(f"! test -d /proc/{swapper} || grep -q '^State:.Z' /proc/{swapper}/status")
        target.sh("rm -rf /opt/t-image /var/lib/unitcraft")


def test_units_of_an_image_are_enabled_in_a_copy(target):
    """security-5: what systemctl does there is done in the image, by handles; nothing of the copy stays."""
    target.sh("mkdir -p /opt/t-image/usr/lib/systemd/system /opt/t-image/opt; ln -s usr/lib /opt/t-image/lib")
    target.sh("touch /opt/t-image/usr/lib/systemd/libsystemd-shared-252.so")
    text = "[Service]\nExecStart=/bin/sleep 1\n[Install]\nWantedBy=multi-user.target\nAlias=t-alias.service\n"
    target.write("/opt/t-image/opt/t-b.service", text)
    target.write(
        "/opt/t-image/usr/lib/systemd/system/t-a.service", text.replace("t-alias", "t-other") + "Also=t-b.service\n"
    )
    target.sh("ln -s /opt/t-b.service /opt/t-image/usr/lib/systemd/system/t-b.service")
    found = "cd /opt/t-image/etc/systemd/system; find . -type l -printf '%p %l\n' | sort"
    target.unit("t-a", enabled=True, root="/opt/t-image")
    assert "./multi-user.target.wants/t-a.service /usr/lib/systemd/system/t-a.service" in target.sh(found)
    assert "./t-alias.service" in target.sh(found)
    target.unit("t-a", enabled=False, root="/opt/t-image")
    assert target.sh(f"{found}; ls -d /tmp/unitcraft-root-* 2>/dev/null; rm -rf /opt/t-image") == ""


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


def test_last_words_give_no_commands_to_a_terminal(target):
    said = "echo one; printf '\\033[2Jtwo\\342\\200\\256three\\n'; exit 1"
    program = {"Service": {"Type": "oneshot", "ExecStart": [["/bin/sh", "-c", said]]}}
    result = target.unit("t-a", sections=program, state="started")
    assert "one\n[2Jtwothree" in result["msg"].replace("    ", ""), result["msg"]

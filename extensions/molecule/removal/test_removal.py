# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`state: absent` leaves nothing of a service but its data."""

from __future__ import annotations

import pytest


def test_check_mode_predicted_what_was_done(actions):
    predicted, done = actions("rot13")
    assert {"stop", "disable", "remove"} <= {step["action"] for step in done}
    assert predicted == done


@pytest.mark.parametrize("name", ["rot13", "app", "crew", "vault", "nightly", "shared", "leaver"])
def test_no_unit_and_no_link_is_left(host, name):
    assert not host.check_output(f"find /etc/systemd /run/systemd/system -name '{name}*'")
    assert not host.check_output(f"systemctl list-units --all --plain --no-legend '{name}*'")
    # It ends with 1 when it has nothing to list.
    listed = host.run(f"systemctl list-unit-files --plain --no-legend '{name}*'")
    assert (listed.stdout, listed.stderr) == ("", "")


def test_no_process_is_left(host):
    for program in ("rot13.php", "app.py", "vault.py", "sleep infinity"):
        assert host.run(f"pgrep --full '[{program[0]}]{program[1:]}'").stdout == ""


def test_no_user_and_no_group_is_left(host):
    assert not host.user("rot13").exists
    assert not host.group("rot13").exists


def test_user_stays_with_its_data(host):
    assert host.file("/var/lib/app/given.json").user == "app"
    assert host.group("app-readers").exists


def test_user_that_was_there_before_stays(host):
    assert host.user("games").exists


@pytest.mark.parametrize(
    "path",
    [
        "/usr/local/lib/rot13",
        "/opt/app",
        "/etc/app.conf",
        "/etc/app.secrets",
        "/run/app",
        "/usr/local/bin/vault.py",
        "/etc/vault-keys",
        "/opt/shared/own.txt",
        "/opt/shared/empty",
        "/etc/leaver.secrets",
        "/etc/leaver-redis.conf",
    ],
)
def test_no_file_is_left(host, path):
    assert not host.file(path).exists


def test_data_is_left(host):
    assert host.file("/var/lib/app/given.json").exists
    # systemd keeps that of a dynamic user apart, behind a link.
    assert host.file("/var/lib/private/vault/given.json").exists


def test_directory_that_is_not_empty_stays_as_it_was(host):
    assert host.check_output("find /opt/shared").split() == ["/opt/shared", "/opt/shared/theirs.txt"]
    assert host.file("/opt/shared/theirs.txt").content_string == "Not of this service.\n"


def test_files_of_others_are_left_by_workers(host):
    assert host.file("/etc/ssl/certs").exists

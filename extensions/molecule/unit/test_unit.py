# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true after converge.yml."""

from __future__ import annotations

import pytest

RUNNING = (
    "dump.service",
    "plain.service",
    "web-data.service",
    "web@1.service",
    "web@2.service",
    "web.socket",
    "nightly.timer",
    "fleeting.service",
)


def prop(host, unit, name):
    return host.check_output(f"systemctl show --property={name} --value {unit}")


@pytest.mark.parametrize("unit", RUNNING)
def test_it_runs(host, unit):
    assert prop(host, unit, "ActiveState") == "active"
    assert prop(host, unit, "NeedDaemonReload") == "no"


@pytest.mark.parametrize(
    ("unit", "state"),
    [
        ("dump.service", "enabled"),
        ("web@1.service", "enabled"),
        ("web.socket", "enabled"),
        ("nightly.timer", "enabled"),
        ("plain.service", "static"),
        ("redis-server.service", "masked"),
    ],
)
def test_it_is_enabled_as_declared(host, unit, state):
    assert host.run(f"systemctl is-enabled {unit}").stdout.strip() == state


def test_the_program_gets_its_bytes(host):
    words = host.check_output("journalctl --unit=dump.service --output=cat --no-pager")
    assert """['50% off', '$HOME', "it's"] 100% "friendly" $HOME""" in words


def test_files_are_root_s_and_readable(host):
    for path in (
        "/etc/systemd/system/dump.service",
        "/etc/systemd/system/systemd-journald.service.d/10-documentation.conf",
    ):
        file = host.file(path)
        assert (file.user, file.group, file.mode) == ("root", "root", 0o644)
        assert file.content_string.startswith("# Managed by unitcraft.systemd\n")
    assert host.file("/etc/systemd/system/plain.service").content_string.startswith("# kept as it is\n")
    assert "# Set: web\n" in host.file("/etc/systemd/system/nightly.timer").content_string


def test_the_timer_has_not_fired(host):
    assert not host.file("/run/nightly-ran").exists
    assert "03:00:00" in host.check_output("systemctl list-timers --no-pager nightly.timer")


def test_the_state_folder_is_root_s_alone(host):
    folder = host.file("/var/lib/unitcraft")
    assert (folder.user, folder.mode) == ("root", 0o700)
    assert host.check_output(r"find /var/lib/unitcraft -type f -not \( -user root -perm 600 \)") == ""
    kept = {"deployed", "generations", "lock"}
    assert {name.partition(".")[0] for name in folder.listdir()} == kept | {f"{name}-user-alice" for name in kept}


def test_the_user_s_unit_runs_without_a_login(host):
    assert host.file("/home/alice/.config/systemd/user/hers.service").user == "alice"
    command = "systemctl --user show --property=ActiveState --value hers.service"
    assert host.check_output(f"su - alice -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) {command}'") == "active"
    assert host.file("/var/lib/systemd/linger/alice").exists


def test_nothing_of_ours_is_left_lying_about(host):
    assert (
        host.check_output("find /etc/systemd /run/systemd/system /run -maxdepth 2 -name '*unitcraft*' | wc -l") == "0"
    )

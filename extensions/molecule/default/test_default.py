# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every other scenario takes for granted about its hosts."""

from __future__ import annotations

import pytest


def test_host_runs_the_release_of_its_name(host, release):
    hostname = host.check_output("cat /proc/sys/kernel/hostname")
    newest = hostname == "s262"
    # Debian testing moves on; a newer release there is news, not a failure.
    assert f"s{release}" == hostname or (newest and release > 262)


@pytest.mark.parametrize("unit", ["apache2.service", "haproxy.service", "redis-server.service"])
def test_packaged_daemons_are_installed_but_off(host, unit):
    assert host.run(f"systemctl is-enabled {unit}").stdout.strip() == "disabled"
    assert host.run(f"systemctl is-active {unit}").stdout.strip() == "inactive"


@pytest.mark.parametrize(
    "command",
    [
        "php -r 'socket_create(AF_INET, SOCK_DGRAM, 0); new Redis();'",
        "python3 -c 'import apt, redis'",
        "curl --version",
        "strace -V",
    ],
)
def test_programs_of_the_roles_are_there(host, command):
    assert host.run(command).rc == 0


def test_user_manager_with_linger_comes_up(host):
    host.run_expect([0], "useradd --create-home alice && loginctl enable-linger alice")
    host.run_expect([0], "timeout 120 sh -c 'until test -S /run/user/$(id -u alice)/bus; do sleep 0.1; done'")
    asked = host.run("su - alice -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user is-system-running'")
    assert asked.stdout.strip() == "running"

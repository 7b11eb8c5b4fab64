# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that are reached as hosts are: by ssh, as a user who has sudo."""

from __future__ import annotations

from lab import containers


def let_in(name: str, user: str, public_key: str) -> None:
    """Run an ssh server in a container, with a user who may log in by this key and use sudo."""
    set_up = f"""
    set -e
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q -y --no-install-recommends install openssh-server
    id {user} 2>/dev/null || useradd --create-home --shell /bin/bash {user}
    printf '{user} ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/{user}
    chmod 0440 /etc/sudoers.d/{user}
    install -d -m 0700 -o {user} -g {user} /home/{user}/.ssh
    systemctl enable --now ssh.service
    """
    containers.run(name, ["sh", "-c", set_up])
    containers.write_file(name, f"/home/{user}/.ssh/authorized_keys", public_key)


def address(name: str) -> str:
    """The address of a container in the network of the containers."""
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    shown = containers.podman("inspect", "--format", template, containers.full_name(name))
    return str(shown.stdout).strip()

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a fresh Debian tree into a quiet systemd host. Runs inside the tree, once, while the image is built.

A privileged container shares its kernel with the host, so whatever would change kernel settings is masked. Timers and
packaged daemons are switched off: a test starts what it needs.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

# Packaged daemons: installed, never started on their own.
DISABLED = ["apache2.service", "haproxy.service", "redis-server.service"]

# Would write to the shared kernel, read its devices, or fail for want of it (systemd-modules-load does from 257 on).
KERNEL = [
    "dev-hugepages.mount",
    "proc-sys-fs-binfmt_misc.automount",
    "proc-sys-fs-binfmt_misc.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-modules-load.service",
    "systemd-pstore.service",
    "systemd-sysctl.service",
]

# In a privileged container a login prompt would open on the host's own console.
CONSOLES = ["console-getty.service", "getty.target", "serial-getty@.service"]

# Nothing may wake up in the middle of a test.
TIMERS = [
    "apache-htcacheclean.timer",
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "logrotate.timer",
    "phpsessionclean.timer",
]


def systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], check=True)


def main() -> None:
    systemctl("disable", *DISABLED)
    systemctl("mask", *KERNEL, *CONSOLES, *TIMERS)
    systemctl("set-default", "multi-user.target")
    # Empty, not missing: every container gets its own id, and systemd does not take the boot for a first one
    # (which would enable every packaged service again).
    Path("/etc/machine-id").write_text("")
    # Debian's policy layer of an image builder must not keep roles from starting services.
    Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an administrator does, or what happens by itself, between two tasks: shell scripts, and a reboot."""

from __future__ import annotations

from hypothesis import strategies as st
from property.world import (
    SERVICES,
    SICK,
    SYSTEMCTL_OF_USER,
    TRIGGER,
    USER,
    USER_SERVICES,
    VENDOR,
    is_users,
    mixed,
    weighted,
)

REBOOT = "reboot"
FALL_SICK = f"touch {SICK}"
GET_WELL = f"rm -f {SICK}"
FIRE = f"date +%N > {TRIGGER}"

# No file more fits into the folder of units, until room is made after the next task.
FILL_UP = (
    "mkdir -p /run/m-full; cp -a /etc/systemd/system/. /run/m-full/;"
    " mount -t tmpfs -o mode=755,nr_inodes=$(find /etc/systemd/system | wc -l) m-full /etc/systemd/system;"
    " cp -a /run/m-full/. /etc/systemd/system/"
)
MAKE_ROOM = (
    "rm -rf /run/m-full; cp -a /etc/systemd/system /run/m-full; umount /etc/systemd/system;"
    " find /etc/systemd/system -mindepth 1 -delete; cp -a /run/m-full/. /etc/systemd/system/"
)

_VENDOR_FILE = f"/usr/lib/systemd/system/{VENDOR}"
_VENDOR_TEXT = (
    "[Unit]\\nDescription=of a package\\n[Service]\\nExecStart=/bin/sleep 30000\\n"
    "[Install]\\nWantedBy=multi-user.target\\n"
)
MAKE_VENDOR = f"printf '{_VENDOR_TEXT}' > {_VENDOR_FILE}; systemctl daemon-reload"

_PID = "$(systemctl show --property=MainPID --value {name})"
# Until systemd has seen it: who looks right after a kill may still find the unit active.
_KILL = (
    f'pid={_PID}; systemctl kill -s KILL {{name}}; while [ "$pid" -gt 0 ] && [ "{_PID}" = "$pid" ]; do sleep 0.05; done'
)
_FOLDER = "/etc/systemd/system"
_PRESETS = "/etc/systemd/system-preset"
_scripts = weighted(
    (3, FALL_SICK),
    (3, GET_WELL),
    (6, FIRE),
    (1, MAKE_VENDOR),
    (1, f"rm -f {_VENDOR_FILE}; systemctl daemon-reload"),
    (1, f"systemctl enable --now {VENDOR}"),
    (1, REBOOT),
    (1, FILL_UP),
    (1, "systemctl daemon-reload"),
    (1, "systemctl daemon-reexec"),
    (1, f"mkdir -p {_PRESETS}; echo 'disable m-*' > {_PRESETS}/10-m.preset"),
)
_scripts_for_a_unit = weighted(
    (2, "systemctl stop {name}"),
    (1, "systemctl start {name}"),
    (1, "systemctl restart {name}"),
    (2, _KILL),
    (1, "systemctl enable {name}"),
    (1, "systemctl disable {name}"),
    (1, "systemctl preset {name}"),
    (1, "systemctl mask --runtime {name}"),
    (1, "systemctl unmask --runtime {name}"),
    (1, "systemctl reset-failed {name}"),
    (1, f"chmod 600 {_FOLDER}/{{name}}"),
    (1, f"echo '# by hand' >> {_FOLDER}/{{name}}"),
    (1, f"printf '[Unit]\\nDescription=by hand\\n' >> {_FOLDER}/{{name}}; systemctl daemon-reload"),
    (1, f"rm -f {_FOLDER}/{{name}}; systemctl daemon-reload"),
    (
        1,
        f"mkdir -p {_FOLDER}/{{name}}.d;"
        f" printf '[Unit]\\nDescription=foreign\\n' > {_FOLDER}/{{name}}.d/80-m-foreign.conf",
    ),
)
_names = st.sampled_from([*SERVICES, *USER_SERVICES, "m-w@1.service", "m-s.socket", VENDOR, "m-j.timer"])


def _happens_to(script: str, name: str) -> str:
    """The script for one unit, with the manager and the folder that it belongs to."""
    script = script.format(name=name)
    if is_users(name):
        script = script.replace("systemctl", SYSTEMCTL_OF_USER).replace(_FOLDER, f"/home/{USER}/.config/systemd/user")
    return script


_accidents = mixed((2, _scripts), (3, st.builds(_happens_to, _scripts_for_a_unit, _names)))
# What happens before one task: mostly nothing.
between = mixed((3, st.just([])), (2, st.lists(_accidents, min_size=1, max_size=2)))

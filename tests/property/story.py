# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A history as a playbook that anybody can run."""

from __future__ import annotations

import typing as t

import yaml


class _Dumper(yaml.SafeDumper):
    """Writes an item again where it stands again, so that each task can be read alone."""

    def ignore_aliases(self, data: t.Any) -> bool:
        """No anchors."""
        return True


def playbook(steps: t.Sequence[t.Mapping[str, t.Any]], release: str, violation: str) -> str:
    """The text of a playbook; ``steps`` are ``{units: arguments}``, ``{rollback: arguments}``, ``{shell: script}`` or
    ``{reboot: true}``.
    """
    tasks: list[dict[str, t.Any]] = []
    for number, step in enumerate(steps, 1):
        if "units" in step:
            tasks.append(
                {"name": f"{number}. Declare", "unitcraft.systemd.units": step["units"], "ignore_errors": True}
            )
        elif "rollback" in step:
            tasks.append(
                {"name": f"{number}. Go back", "unitcraft.systemd.rollback": step["rollback"], "ignore_errors": True}
            )
        elif "shell" in step:
            tasks.append({"name": f"{number}. Meanwhile", "ansible.builtin.shell": step["shell"], "failed_when": False})
        else:
            tasks.append({"name": f"{number}. Reboot", "ansible.builtin.reboot": {}})
    play = [{"name": f"Shows a violation on systemd {release}", "hosts": "all", "become": True, "tasks": tasks}]
    comment = "".join(f"# {line}\n" for line in violation.split("\n"))
    return comment + yaml.dump(play, Dumper=_Dumper, sort_keys=False, width=110)

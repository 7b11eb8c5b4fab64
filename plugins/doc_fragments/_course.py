# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How a change is carried out: options of unit, units and rollback."""

    DOCUMENTATION = r"""
options:
  confirm:
    description:
      - Put the old state back unless the controller confirms, over a new connection, that it still reaches the target.
        For changes that can cut the connection, such as those of the network, the firewall, sshd or sudo.
      - The target itself puts the old state back, checks its health and writes to the journal what it did. It also does
        so after a reboot, or when the task is killed. The next run reports it.
      - The task fails if it cannot confirm. Another task of these modules is refused while one waits.
      - Needs root on the target (C(become=true)). Not for tasks with C(async) and not for strategies that keep modules
        in memory.
    type: dict
    version_added: 0.2.0
    suboptions:
      within:
        description:
          - Time in seconds that the target waits for the confirmation after all units are healthy. Not less than
            C(health.timeout) of any unit.
        type: float
        default: 60
  rolling:
    description:
      - Restart the instances of a template in turn, in the order of C(instances). Each group must be healthy before the
        next one restarts. If a unit does not come up, the rest is not touched, and those before go back in turn.
      - Units outside of any group restart first. Starts and reloads are not done in turn.
      - A change that needs the units to stop before their files change (C(ExecStop=), C(KillMode=), C(Type=) and the
        like, together with one that needs a restart) is refused.
    type: dict
    version_added: 0.2.0
    suboptions:
      max_parallel:
        description: How many units restart at a time.
        type: int
        default: 1
      min_healthy_time:
        description: Time in seconds for which a unit must stay active without a restart before the next one restarts.
        type: float
        default: 0
      units:
        description: Names of units of this task that form one group, in this order, besides the instances.
        type: list
        elements: str
        default: []
"""

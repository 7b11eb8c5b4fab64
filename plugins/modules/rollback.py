#!/usr/bin/python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback
short_description: Go back to an earlier generation of a set of units
version_added: 0.2.0
description:
  - Restores the units of a set, their files with secrets, and their enablement as an earlier task left them. The
    target keeps these states itself, so the controller needs no files.
  - It is one transaction with a health check, as with M(unitcraft.systemd.units). If a unit does not come up, the
    target stays in the generation that it was in.
  - Units and files that the set did not have then are removed. What somebody else had put in the place of a file
    before the set took it over comes back, with its owner and mode. Users of its services that are gone are made again;
    users that it did not have then stay.
author:
  - The unitcraft.systemd contributors (@unitcraft)
requirements:
  - systemd 247 or later
  - Python 3.9 or later on the target
attributes:
  check_mode:
    description: Runs in check mode and reports the same actions and diff as the real run.
    support: full
  diff_mode:
    description: Shows the diff of every file, but not of secrets.
    support: full
  idempotent:
    description: A second run to the same number changes nothing. Each run to V(previous) goes back one more.
    support: partial
options:
  set_name:
    description:
      - Name of the set, or of the unit if the task that deployed it had no name of a set.
    type: str
    required: true
  to:
    description:
      - V(previous), or the number of a generation as M(unitcraft.systemd.unit_info) tells it with C(what=generations).
        The number can be a later one too.
      - V(previous) is the state before the last deployment. What was deployed in between and taken back is left out.
    type: str
    default: previous
  scope:
    description: V(system) units, units of one O(user), or V(global) units.
    type: str
    choices: [system, user, global]
    default: system
  user:
    description: User whose units these are, with O(scope=user).
    type: str
extends_documentation_fragment:
  - unitcraft.systemd._health
  - unitcraft.systemd._course
  - unitcraft.systemd._group
seealso:
  - module: unitcraft.systemd.units
  - module: unitcraft.systemd.unit_info
"""

EXAMPLES = r"""
- name: Go back to the state before the last deployment
  unitcraft.systemd.rollback:
    set_name: shop

- name: Go back to a certain state
  unitcraft.systemd.rollback:
    set_name: shop
    to: "3"
"""

RETURN = r"""
generation:
  description: Numbers of the generation that the target was in, and of the one to go to.
  returned: always
  type: dict
  sample: {from: 4, to: 3}
actions:
  description: Steps that the module performed, or in check mode would perform. See M(unitcraft.systemd.units).
  returned: always
  type: list
  elements: dict
units:
  description: State of every unit after the run. See M(unitcraft.systemd.units).
  returned: always
  type: dict
confirm:
  description: With O(confirm), what became of it. C(state) is V(confirmed), V(not confirmed), V(not needed) when
    nothing changed, or in check mode V(would be armed). C(seconds) is the time that the confirmation took.
  returned: with O(confirm)
  type: dict
  sample: {state: confirmed, within: 60.0, seconds: 0.9}
rolled_back:
  description: Whether the state before the task was restored completely.
  returned: failure after the first change
  type: bool
failed_units:
  description: Units that did not come up. See M(unitcraft.systemd.units).
  returned: failure after the first change
  type: list
  elements: dict
"""

from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.rollback import run_rollback


def main() -> None:
    run_rollback()


if __name__ == "__main__":
    main()

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What holds for the whole set of units of one task."""

    DOCUMENTATION = r"""
options:
  scope:
    description:
      - V(system) units, units of one O(user), or units for V(global), which every user manager reads.
    type: str
    choices: [system, user, global]
    default: system
  user:
    description:
      - Whose units, with O(scope=user). Default is the user the task runs as.
    type: str
  linger:
    description:
      - Whether the manager of O(user) runs from boot on, without a login. V(true) also starts it now.
      - Without this option it is left alone.
    type: bool
  runtime:
    description:
      - Work in the folder below C(/run), which the next boot empties.
    type: bool
    default: false
  root:
    description:
      - Path of an unpacked or mounted image to work on, without a running systemd. Only files and links are changed.
    type: path
  verify:
    description:
      - Run the target's C(systemd-analyze verify) on all texts that change, as one staged set, before the first write.
    type: bool
    default: true
  fail_on:
    description:
      - Lowest severity of a finding that stops the task. Nothing is written then.
      - V(error) is what systemd refuses or drops, V(warning) what loads and will surprise, V(info) advice.
    type: str
    choices: [error, warning, info, never]
    default: error
  ignore:
    description:
      - Findings to leave out, as C(rule) or C(rule:unit).
    type: list
    elements: str
    default: []
  max_exposure:
    description:
      - Highest score of C(systemd-analyze security) that a service whose text changes may have, from 0.0 (safe) to 10.0.
      - Needs systemd 250 or later on the target.
    type: float
  rollback:
    description:
      - When a unit does not come up, put files, links, masks and run state back.
    type: bool
    default: true
  set_name:
    description:
      - Name that is written into the header of the files, to tell whose they are.
    type: str
  prune:
    description:
      - Stop, disable and remove the units, and remove the drop-ins, whose files carry O(set_name) and which this task does
        not declare. Other files are never touched.
    type: bool
    default: false
"""

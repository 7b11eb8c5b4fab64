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
      - V(system) units, units of one O(user), or V(global) units, which every user manager reads.
    type: str
    choices: [system, user, global]
    default: system
  user:
    description:
      - User whose units to manage, with O(scope=user). Default is the user that runs the task.
    type: str
  linger:
    description:
      - Whether the user manager of O(user) starts at boot, without a login. V(true) also starts it now.
      - Without this option the setting stays unchanged.
    type: bool
  runtime:
    description:
      - Write units to the folder below C(/run), which is lost at the next boot.
    type: bool
    default: false
  root:
    description:
      - Path of an unpacked or mounted image to change, without a running systemd. The module changes only files and
        links.
    type: path
  verify:
    description:
      - Run the target's C(systemd-analyze verify) on all changed texts, as one staged set, before the first write.
    type: bool
    default: true
  fail_on:
    description:
      - Lowest severity of a finding that makes the task fail before the first write.
      - V(error) is what systemd refuses or ignores, V(warning) what loads with surprising effects, V(info) is advice.
    type: str
    choices: [error, warning, info, never]
    default: error
  ignore:
    description:
      - Findings to suppress, as C(rule) or C(rule:unit). A rule that does not exist is a warning.
    type: list
    elements: str
    default: []
  max_exposure:
    description:
      - Highest score of C(systemd-analyze security) allowed for a service whose text changes, from 0.0 (safe) to 10.0.
      - Needs systemd 250 or later on the target.
    type: float
  rollback:
    description:
      - When a unit does not come up, restore files, links, masks and run state.
    type: bool
    default: true
  set_name:
    description:
      - Name of the set. The module writes it into the header of the files to recognise them.
      - A unit file or drop-in that carries the name of another set is neither changed nor removed; the task is refused
        before anything is written. Remove the line C(# Set:) from the file to hand it over, for example when the set
        gets another name.
    type: str
  prune:
    description:
      - Stop, disable and remove units, and remove drop-ins, whose files carry O(set_name) and which this task does not
        declare. The module never prunes other files.
      - Also remove files that an earlier task of the set brought along and this one does not declare, but no directory,
        and no file that another set has as well.
    type: bool
    default: false
  keep_generations:
    description:
      - How many states of the set stay on the target, readable by root alone, for M(unitcraft.systemd.rollback). They
        hold the units, their files with secrets, and the enablement.
      - The set is O(set_name), or the unit if the task is about one unit. A task of several units without O(set_name)
        keeps none. V(0) removes those that there are.
      - When a task leaves nothing of a set, all its generations go, and with them the copies of its secrets.
    type: int
    version_added: 0.2.0
    default: 5
"""

#!/usr/bin/python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_info
short_description: Tell everything about systemd units
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Reads unit files and drop-ins and merges them as systemd does. Each value comes with the file and line that set it,
    and with what it overrode.
  - Tells the live state with typed values, the security exposure, dependencies in both directions, who falls with a unit,
    and its newest journal lines.
  - However many units are asked for, it is one round trip, and at most three processes on the target.
  - A file that cannot be read does not fail the task. It is named in RV(findings), and the rest is complete.
requirements:
  - systemd 247 or later
options:
  name:
    description:
      - Names of units, and globs such as V(worker@*.service). A name without suffix means a service.
      - A glob matches files in the unit folders and units that are loaded, so transient and generated ones too.
      - Templates (V(worker@.service)) and instances that are not running can be asked for.
    type: list
    elements: str
    default: ['*']
    aliases: [names]
  what:
    description:
      - What to tell of each unit.
      - V(definition) merges fragment and drop-ins; V(files) adds the text of each file.
      - V(state) asks systemd for the live state.
      - V(dependencies) asks for all loaded units, because who falls with a unit can only be told from all of them.
      - V(security) runs C(systemd-analyze security), for services that are loaded.
      - V(journal) reads the newest lines. For more than 60 units these come from the newest entries of the whole journal,
        20000 at most.
      - V(drift) compares units that M(unitcraft.systemd.units) deployed with what is there now.
    type: list
    elements: str
    choices: [definition, files, state, security, dependencies, journal, drift]
    default: [definition, state]
  scope:
    description:
      - Units of the system, of one user, or (V(global)) the files that all user managers share.
    type: str
    choices: [system, user, global]
    default: system
  user:
    description:
      - With O(scope=user), whose units. Needs the right to become this user. Default is the user the task runs as.
    type: str
  root:
    description:
      - Path of an unpacked image. Only files are read then; O(what=state) tells what files can tell.
    type: path
  journal_lines:
    description:
      - With O(what=journal), how many lines of each unit.
    type: int
    default: 10
extends_documentation_fragment:
  - unitcraft.systemd._question
seealso:
  - module: ansible.builtin.service_facts
"""

EXAMPLES = r"""
- name: Look at one service
  unitcraft.systemd.unit_info:
    name: cron
  register: cron

- name: Say which file sets its restart policy
  ansible.builtin.debug:
    msg: "{{ cron.units['cron.service'].definition.sections.Service.Restart.set_by }}"
  when: "'Restart' in cron.units['cron.service'].definition.sections.Service"

- name: All timers, and when they elapse next
  unitcraft.systemd.unit_info:
    name: '*.timer'
    what: [state]
  register: timers

- name: Who would go down with the database, and what it logged last
  unitcraft.systemd.unit_info:
    name: redis-server
    what: [dependencies, journal]
    journal_lines: 20

- name: Units of an unpacked image
  unitcraft.systemd.unit_info:
    name: '*.service'
    root: /srv/images/web
    what: [definition]
"""

RETURN = r"""
units:
  description: The units, by the name they were asked for or found under.
  returned: success
  type: dict
  contains:
    name:
      description: Full name with suffix.
      type: str
    id:
      description: The name systemd knows it by. Another one than RV(units.name) when that is an alias.
      type: str
    aliases:
      description: Its other names.
      type: list
      elements: str
    shape:
      description: V(unit), V(template) or V(instance).
      type: str
    origin:
      description:
        - Where it comes from. V(vendor), V(administrator), V(runtime), V(generated), V(transient), or empty when no file
          defines it.
      type: str
    masked:
      description: Whether a link to C(/dev/null) or an empty file stands in place of its file.
      type: bool
    exists:
      description: Whether a file defines it or systemd knows it.
      type: bool
    definition:
      description:
        - What fragment and drop-ins come to; null when there are none.
        - C(fragment) and C(dropins) are paths in the order systemd reads them.
        - >-
          C(sections) maps section and directive to C(value) (seconds, bytes, booleans, numbers, lists or text), C(set_by) and
          C(overrode), both lists of C(text), C(path) and C(line).
      type: dict
    files:
      description: Path and text of each file, fragment first. The text is null when it could not be read.
      type: list
      elements: dict
    state:
      description:
        - Live state, properties of C(systemctl show) in snake case. Times are ISO 8601 in UTC, spans are seconds.
        - For timers C(timer) has C(next_elapse), C(last_trigger) and C(settings). For sockets C(listen) is a list of C(address)
          and C(type).
        - Of a template, and below O(root), only C(load_state), C(unit_file_state) and the paths are told.
      type: dict
    security:
      description:
        - C(exposure) from 0 (well confined) to 10, C(level) in systemd's words, and the worst C(points).
        - Null for what is no loaded service.
      type: dict
    dependencies:
      description:
        - Dependencies in both directions, such as C(requires) and C(required_by).
        - C(falls_with) lists the units that stop when it is stopped, C(falls_on_crash) those that stop when it dies.
      type: dict
    journal:
      description: The newest lines, the oldest of them first, each with C(time), C(priority), C(identifier), C(pid), C(message).
      type: list
      elements: dict
    drift:
      description:
        - What was changed by hand since the unit was deployed, null for units that were not deployed by this collection.
        - C(what) is V(changed), V(removed), V(added), V(enablement) or V(run-state), C(path) the file, C(message) says it in
          words, C(diff) shows it.
      type: list
      elements: dict
  sample:
    rot13.service:
      name: rot13.service
      id: rot13.service
      aliases: []
      shape: unit
      origin: administrator
      masked: false
      exists: true
      definition:
        fragment: /etc/systemd/system/rot13.service
        dropins: [/etc/systemd/system/rot13.service.d/10-limits.conf]
        sections:
          Service:
            RestartSec:
              value: 5
              set_by:
                - {text: 5s, path: /etc/systemd/system/rot13.service.d/10-limits.conf, line: 2}
              overrode:
                - {text: '1', path: /etc/systemd/system/rot13.service, line: 9}
findings:
  description: What could not be read, with the path. The same shape as the findings of M(unitcraft.systemd.unit_lint).
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit_info import run_unit_info


def main() -> None:
    run_unit_info()


if __name__ == "__main__":
    main()

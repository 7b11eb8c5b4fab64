#!/usr/bin/python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_info
short_description: Gather information about systemd units
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Reads unit files and drop-ins and merges them as systemd does. Each value has the file and line that set it and the
    values that it overrides.
  - Returns the live state with typed values, the security exposure, dependencies in both directions, the units that
    stop together with a unit, and its last journal lines.
  - Any number of units takes one round trip and at most three processes on the target.
  - A file that cannot be read does not fail the task. RV(findings) names it, and the rest of the result is complete.
requirements:
  - systemd 247 or later
options:
  name:
    description:
      - Names of units, and globs such as V(worker@*.service). A name without a suffix is a service.
      - A glob matches files in the unit folders and loaded units, including transient and generated ones.
      - Templates (V(worker@.service)) and instances that are not running are valid names.
    type: list
    elements: str
    default: ['*']
    aliases: [names]
  what:
    description:
      - Information to return for each unit.
      - V(definition) is the merged fragment and drop-ins; V(files) is the text of each file.
      - V(state) is the live state from systemd.
      - V(dependencies) reads all loaded units, because the units that stop together cannot be determined from a single
        unit.
      - V(security) runs C(systemd-analyze security) on loaded services.
      - V(journal) is the last journal lines, and restarts. For more than 60 units the module takes them from the last
        20000 entries of the whole journal.
      - V(drift) compares units that M(unitcraft.systemd.units) deployed with the present state.
      - V(generations) returns the states that M(unitcraft.systemd.rollback) can go back to.
    type: list
    elements: str
    choices: [definition, files, state, security, dependencies, journal, drift, generations]
    default: [definition, state]
  scope:
    description:
      - V(system) units, units of one O(user), or the files that all user managers share (V(global)).
    type: str
    choices: [system, user, global]
    default: system
  user:
    description:
      - User whose units to read, with O(scope=user). The task must be allowed to become this user. Default is the user
        that runs the task.
    type: str
  root:
    description:
      - Path of an unpacked image. The module then reads only files, and O(what=state) returns only what files contain.
    type: path
  journal_lines:
    description:
      - Number of lines per unit, with O(what=journal).
    type: int
    default: 10
extends_documentation_fragment:
  - unitcraft.systemd._question
  - unitcraft.systemd._group
seealso:
  - module: ansible.builtin.service_facts
"""

EXAMPLES = r"""
- name: Look at one service
  unitcraft.systemd.unit_info:
    name: cron
  register: cron

- name: Show which file sets its restart policy
  ansible.builtin.debug:
    msg: "{{ cron.units['cron.service'].definition.sections.Service.Restart.set_by }}"
  when: "'Restart' in cron.units['cron.service'].definition.sections.Service"

- name: Get all timers and their next run
  unitcraft.systemd.unit_info:
    name: '*.timer'
    what: [state]
  register: timers

- name: Get the units that stop with the database, and its last journal lines
  unitcraft.systemd.unit_info:
    name: redis-server
    what: [dependencies, journal]
    journal_lines: 20

- name: Read the units of an unpacked image
  unitcraft.systemd.unit_info:
    name: '*.service'
    root: /srv/images/web
    what: [definition]
"""

RETURN = r"""
units:
  description: The units, by the name given or matched.
  returned: success
  type: dict
  contains:
    name:
      description: Full name with suffix.
      type: str
    id:
      description: systemd's primary name of the unit. Differs from RV(units.name) if that is an alias.
      type: str
    aliases:
      description: Other names of the unit.
      type: list
      elements: str
    shape:
      description: V(unit), V(template) or V(instance).
      type: str
    origin:
      description:
        - Origin of the unit. V(vendor), V(administrator), V(runtime), V(generated), V(transient), or empty if no file
          defines it.
      type: str
    masked:
      description: Whether its file is a link to C(/dev/null) or empty.
      type: bool
    exists:
      description: Whether a file defines the unit or systemd has loaded it.
      type: bool
    definition:
      description:
        - The merged fragment and drop-ins; null if there are none.
        - C(fragment) and C(dropins) are paths in the order in which systemd reads them.
        - >-
          C(sections) maps section and directive to C(value) (seconds, bytes, booleans, numbers, lists or text),
          C(set_by), C(overrode) and C(ignored) (settings that systemd drops), lists of C(text), C(path) and C(line).
        - Specifiers and percentages depend on the host and stay text. Words, paths and names are shown even if
          systemd drops them; M(unitcraft.systemd.unit_lint) reports these.
      type: dict
    files:
      description: Path and text of each file, fragment first. The text is null if the file could not be read.
      type: list
      elements: dict
    state:
      description:
        - Live state, as properties of C(systemctl show) in snake case. Times are ISO 8601 in UTC, time spans are in
          seconds.
        - For timers C(timer) has C(next_elapse), C(last_trigger) and C(settings). For sockets C(listen) is a list of
          C(address) and C(type).
        - For a template, and with O(root), it has only C(load_state), C(unit_file_state) and the paths.
      type: dict
    security:
      description:
        - C(exposure) from 0 (safe) to 10, C(level) in systemd's words, and the weakest C(points).
        - Null for units that are not a loaded service.
      type: dict
    dependencies:
      description:
        - Dependencies in both directions, such as C(requires) and C(required_by).
        - C(falls_with) lists the units that stop when this unit is stopped, C(falls_on_crash) those that stop when it
          crashes.
      type: dict
    journal:
      description:
        - The last lines in chronological order, each with C(time), C(priority), C(identifier), C(pid) and C(message).
      type: list
      elements: dict
    restarts:
      description:
        - Times of restarts by C(Restart=) in the entries read for O(what=journal).
      type: list
      elements: str
    drift:
      description:
        - Changes by hand since the deployment of the unit and of its files, null for units that this collection did not
          deploy. The link C(current) of a release is one of the files.
        - C(what) is V(changed), V(removed), V(added), V(enablement) or V(run-state), C(path) is the file, C(message)
          describes the change, C(diff) shows it.
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
              ignored: []
generations:
  description:
    - States that the target keeps, by the name of the set; only sets with a unit that O(name) names.
    - C(current) is true for the state that the target is in; C(actions) are those of the task that led to it.
      C(follows) is the number of the state that the target was in before.
  returned: O(what=generations)
  type: dict
  sample:
    shop:
      - number: 3
        follows: 2
        time: "2026-11-21T22:45:56Z"
        by: alice
        current: true
        units: [shop.service]
        files: [/opt/shop/shop.py]
        actions:
          - {action: restart, unit: shop.service, reason: /opt/shop/shop.py changed}
findings:
  description:
    - Files that could not be read, with the path. Same structure as the findings of M(unitcraft.systemd.unit_lint).
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit_info import run_unit_info


def main() -> None:
    run_unit_info()


if __name__ == "__main__":
    main()

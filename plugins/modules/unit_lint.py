#!/usr/bin/python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_lint
short_description: Check systemd units without changing anything
version_added: 0.1.0
description:
  - Reports what the target's systemd would refuse or ignore in unit files, drop-ins and declared units, with the same
    grammar as M(unitcraft.systemd.unit), and what it would load with surprising effects.
author:
  - The unitcraft.systemd contributors (@unitcraft)
options:
  paths:
    description:
      - Unit files, drop-ins (C(NAME.d/*.conf)) and folders of both, on the target.
      - When two folders have a file of the same name, the module checks each folder by itself.
    type: list
    elements: path
    default: []
  units:
    description:
      - Declared units. The module checks them together with the files in O(paths).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the unit. Without a suffix it is a service.
        type: str
        required: true
      content:
        description: Complete text of the unit.
        type: str
      sections:
        description: The unit as a mapping, as in O(unitcraft.systemd.unit#module:sections).
        type: dict
      dropin:
        description: Name of the drop-in, if the text is a drop-in.
        type: str
  systemd_version:
    description:
      - Release of systemd to check against, from V(247) to V(262). Default is the release on the target.
    type: int
  verify:
    description:
      - Also run the target's C(systemd-analyze verify).
    type: bool
    default: false
  fail_on:
    description:
      - Lowest severity of a finding that makes the task fail.
    type: str
    choices: [error, warning, info, never]
    default: error
  ignore:
    description:
      - Findings to suppress, as C(rule) or C(rule:unit). A rule that does not exist is a warning.
      - A comment in the unit file suppresses a rule for the next assignment, C(# unitcraft:) C(ignore=RULE), or for the
        whole file, C(# unitcraft:) C(ignore-file=RULE).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - unitcraft.systemd._question
  - unitcraft.systemd._group
seealso:
  - module: unitcraft.systemd.unit
  - module: unitcraft.systemd.units
"""

EXAMPLES = r"""
- name: Check the units of this host
  unitcraft.systemd.unit_lint:
    paths: [/etc/systemd/system]
    fail_on: never
  register: lint

- name: Check a unit against an older systemd than the host's
  unitcraft.systemd.unit_lint:
    units:
      - name: echo.service
        sections:
          Service:
            ExecStart: [[/usr/bin/python3, /opt/echo/server.py]]
            Restart: always
            RestartSec: 10
    systemd_version: 247
"""

RETURN = r"""
findings:
  description: Problems and advice about the units.
  returned: always
  type: list
  elements: dict
  contains:
    rule:
      description: Id of the rule. The collection explains each rule in docs/rules.md.
      type: str
    severity:
      description: V(error), V(warning) or V(info).
      type: str
    unit:
      description: Name of the unit.
      type: str
    message:
      description: Description of the problem.
      type: str
    hint:
      description: Suggested remedy.
      type: str
    path:
      description: Path of the file.
      type: str
    line:
      description: Line in the file, 0 if the finding applies to the whole unit.
      type: int
    section:
      description: Name of the section.
      type: str
    directive:
      description: Name of the directive.
      type: str
    value:
      description: Value of the directive.
      type: str
    source:
      description: V(systemd), V(lint) or V(verify).
      type: str
checked:
  description: Paths of the files and names of the declared units that were checked.
  returned: always
  type: list
  elements: str
systemd_version:
  description: Release of systemd that the units were checked against.
  returned: always
  type: int
"""

from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit_lint import run_unit_lint


def main() -> None:
    run_unit_lint()


if __name__ == "__main__":
    main()

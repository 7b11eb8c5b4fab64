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
  - Says of unit files, drop-ins and declared units what the target's systemd would refuse or ignore, by the same grammar as
    M(unitcraft.systemd.unit), and what it would load although it surprises.
author:
  - The unitcraft.systemd contributors (@unitcraft)
options:
  paths:
    description:
      - Unit files, drop-ins (C(NAME.d/*.conf)) and folders of both, on the target.
    type: list
    elements: path
    default: []
  units:
    description:
      - Units that need not be files. They are checked together with what O(paths) names.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the unit; a service without a suffix.
        type: str
        required: true
      content:
        description: The whole text.
        type: str
      sections:
        description: The unit as a mapping, as M(unitcraft.systemd.unit) takes it.
        type: dict
      dropin:
        description: Name of a drop-in that this text is.
        type: str
  systemd_version:
    description:
      - Release of systemd to check for. Default is the target's.
    type: int
  verify:
    description:
      - Also run the target's C(systemd-analyze verify).
    type: bool
    default: false
  fail_on:
    description:
      - Lowest severity of a finding that fails the task.
    type: str
    choices: [error, warning, info, never]
    default: error
  ignore:
    description:
      - Findings to leave out, as C(rule) or C(rule:unit).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - unitcraft.systemd._question
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

- name: Check a unit for a systemd that is older than this host's
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
  description: What is wrong or worth saying about the units.
  returned: always
  type: list
  elements: dict
  contains:
    rule:
      description: Id of the rule. docs/rules.md of the collection explains each.
      type: str
    severity:
      description: V(error), V(warning) or V(info).
      type: str
    unit:
      description: The unit.
      type: str
    message:
      description: What is wrong.
      type: str
    hint:
      description: What to write instead.
      type: str
    path:
      description: The file.
      type: str
    line:
      description: Line of the file, 0 when it is about the whole unit.
      type: int
    section:
      description: The section.
      type: str
    directive:
      description: The directive.
      type: str
    value:
      description: Its value.
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
  description: Release of systemd that was checked for.
  returned: always
  type: int
"""

from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit_lint import run_unit_lint


def main() -> None:
    run_unit_lint()


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit
short_description: Manage one systemd unit, validated before the first write and rolled back on failure
version_added: 0.1.0
description:
  - Writes a unit file or drop-in, enables the unit, and brings it to the desired run state, in one transaction.
  - Validates the text against the grammar of the target's systemd, by lint rules and with C(systemd-analyze verify)
    before the first write.
  - Restarts a running unit only when a change requires it; the result gives the reason.
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
    description: Shows the diff of every file.
    support: full
  idempotent:
    description: A second run changes nothing, except with O(state=restarted) and O(state=reloaded).
    support: full
extends_documentation_fragment:
  - unitcraft.systemd._unit
  - unitcraft.systemd._health
  - unitcraft.systemd._set
  - unitcraft.systemd._course
  - unitcraft.systemd._group
seealso:
  - module: unitcraft.systemd.units
  - module: unitcraft.systemd.unit_lint
  - module: unitcraft.systemd.unit_info
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Run a program as a service
  unitcraft.systemd.unit:
    name: echo.service
    sections:
      Unit:
        Description: UDP echo server
        After: network.target
        StartLimitIntervalSec: 0
      Service:
        ExecStart:
          - [/usr/bin/python3, /opt/echo/server.py, --greeting, "100% friendly"]
        Environment:
          ECHO_PREFIX: "> "
        DynamicUser: true
        Restart: on-failure
        RestartSec: 1
      Install:
        WantedBy: multi-user.target
    state: started
    enabled: true

- name: Raise the limit of open files of a service of the distribution
  unitcraft.systemd.unit:
    name: redis-server.service
    dropin: 10-limits
    sections:
      Service:
        LimitNOFILE: 65536

- name: Start a service and wait until it answers
  unitcraft.systemd.unit:
    name: rot13.service
    state: started
    health:
      timeout: 10
      probes:
        - udp: 127.0.0.1:10000
          send: Hello, world!
          expect: Uryyb, jbeyq!

- name: Remove a unit
  unitcraft.systemd.unit:
    name: echo.service
    state: absent
"""

RETURN = r"""
actions:
  description: Steps that the module performed, or in check mode would perform, in order.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description:
        - One of V(write), V(remove), V(mask), V(unmask), V(daemon-reload), V(enable), V(reenable), V(disable),
          V(start), V(stop), V(restart), V(reload), V(reset-failed), V(switch), V(none).
      type: str
    unit:
      description: Name of the unit; empty for V(daemon-reload).
      type: str
    reason:
      description: Reason for the step.
      type: str
  sample:
    - {action: write, unit: rot13.service, reason: RestartSec changed}
    - {action: daemon-reload, unit: '', reason: 1 file changed}
    - {action: none, unit: rot13.service, reason: 'runs on: a change of RestartSec needs no restart'}
findings:
  description: Problems and advice about the changed texts.
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
units:
  description:
    - State of every declared unit after the run.
    - C(drift) lists changes by hand since the last run. This run has reverted them as far as the declaration covers
      them. Each entry has C(what) (V(changed), V(removed), V(added), V(enablement) or V(run-state)), C(path),
      C(message) and C(diff). It is null for a unit that no earlier run deployed.
  returned: always
  type: dict
  sample:
    rot13.service:
      path: /etc/systemd/system/rot13.service
      active_state: active
      sub_state: running
      unit_file_state: enabled
      drift: []
      main_pid: 812
      n_restarts: 0
confirm:
  description: With O(confirm), what became of it. C(state) is V(confirmed), V(not confirmed), V(not needed) when
    nothing changed, or in check mode V(would be armed). C(seconds) is the time that the confirmation took.
  returned: with O(confirm)
  type: dict
  sample: {state: confirmed, within: 60.0, seconds: 0.9}
recovered:
  description: Transaction of an interrupted earlier run that this run rolled back first, or a deployment that was not
    confirmed and that the target has put back itself.
  returned: if there was one
  type: str
rolled_back:
  description: Whether the state before the task was restored completely.
  returned: failure after the first change
  type: bool
failed_units:
  description: Units that did not come up, each with result, explained exit status and up to 20 journal lines of the
    transaction, those of the program first.
  returned: failure after the first change
  type: list
  elements: dict
not_undone:
  description: What could not be restored.
  returned: if something could not be restored
  type: list
  elements: str
"""

from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit import run_unit


def main() -> None:
    run_unit()


if __name__ == "__main__":
    main()

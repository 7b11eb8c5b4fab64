#!/usr/bin/python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit
short_description: One systemd unit, proved right before it is written and put back when it does not come up
version_added: 0.1.0
description:
  - Writes a unit file or drop-in, enables the unit, and brings it to the wanted run state, as one transaction.
  - The text is checked against the grammar of the target's systemd, by lint rules and by C(systemd-analyze verify) before
    anything is written.
  - A running unit is restarted only when what changed in meaning needs it; the result says why.
author:
  - The unitcraft.systemd contributors (@unitcraft)
requirements:
  - systemd 247 or later
  - Python 3.9 or later on the target
attributes:
  check_mode:
    description: Can run in check mode and tells the same actions and differences as the real run.
    support: full
  diff_mode:
    description: Shows the difference of every file.
    support: full
  idempotent:
    description: A second run changes nothing, except with O(state=restarted) and O(state=reloaded).
    support: full
extends_documentation_fragment:
  - unitcraft.systemd._unit
  - unitcraft.systemd._set
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

- name: Give a service of the distribution more open files
  unitcraft.systemd.unit:
    name: redis-server.service
    dropin: 10-limits
    sections:
      Service:
        LimitNOFILE: 65536

- name: A service counts as up when it answers
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
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description:
        - One of V(write), V(remove), V(mask), V(unmask), V(daemon-reload), V(enable), V(reenable), V(disable), V(start),
          V(stop), V(restart), V(reload), V(reset-failed), V(none).
      type: str
    unit:
      description: The unit; empty for V(daemon-reload).
      type: str
    reason:
      description: Why.
      type: str
  sample:
    - {action: write, unit: rot13.service, reason: RestartSec changed}
    - {action: daemon-reload, unit: '', reason: 1 file changed}
    - {action: none, unit: rot13.service, reason: 'runs on: a change of RestartSec needs no restart'}
findings:
  description: What is wrong or worth saying about the texts that change.
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
units:
  description:
    - State of every declared unit after the run.
    - C(drift) lists what was changed by hand since the run before, which this run has put right as far as it is declared.
      Each has C(what) (V(changed), V(removed), V(added), V(enablement) or V(run-state)), C(path), C(message) and C(diff). It
      is null for a unit that no run has deployed.
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
recovered:
  description: What an interrupted earlier run had begun and this one undid first.
  returned: when there was one
  type: str
rolled_back:
  description: Whether everything is as it was before the task.
  returned: failure after the first change
  type: bool
failed_units:
  description: The units that did not come up, with the result, the exit status in words and the last journal lines.
  returned: failure after the first change
  type: list
  elements: dict
not_undone:
  description: What could not be put back.
  returned: when there is such
  type: list
  elements: str
"""

from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit import run_unit


def main() -> None:
    run_unit()


if __name__ == "__main__":
    main()

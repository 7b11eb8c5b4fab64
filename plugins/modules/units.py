#!/usr/bin/python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Many systemd units as one transaction
version_added: 0.1.0
description:
  - Writes, enables and runs any number of units in one round trip, with at most one C(daemon-reload).
  - All texts are checked before the first is written. When a unit does not come up, all of them are put back.
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
    description: A second run changes nothing, except with O(units[].state=restarted) and O(units[].state=reloaded).
    support: full
extends_documentation_fragment:
  - unitcraft.systemd._set
options:
  units:
    description:
      - The units. An item takes the options of M(unitcraft.systemd.unit) that speak of one unit.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the unit. Without a suffix it is a service.
          - V(worker@.service) is a template.
        type: str
        required: true
      sections:
        description:
          - "The unit as a mapping of sections: systemd's own names of sections and directives."
          - A number or string is written as it is, a boolean as V(true) or V(false); null leaves the directive out. An empty
            string writes C(Directive=), which resets what was set before, where systemd takes that.
          - A list becomes repeated lines or one line of words, as the directive's grammar says.
          - C(Environment), C(LogExtraFields) and C(SetCredential) also take a mapping, with any value.
          - An item of an C(Exec) directive is a command line as systemd reads it, or a list of arguments, or a mapping with
            C(argv) and C(prefix). Of a list and of C(argv) the program gets exactly these arguments; blanks, C(%) and C($) are
            escaped.
          - Mutually exclusive with O(units[].content).
        type: dict
      content:
        description:
          - The whole text of the file, instead of O(units[].sections).
        type: str
      dropin:
        description:
          - Name of a drop-in. O(units[].sections) or O(units[].content) then go to C(NAME.d/DROPIN.conf) beside the unit, which may be a unit of
            the distribution.
        type: str
      state:
        description:
          - With V(present) the file is right, and a running unit follows the change as far as what changed needs it.
          - V(started), V(stopped), V(restarted) and V(reloaded) also say how it shall run.
          - V(absent) stops and disables the unit and removes its file, or the drop-in.
        type: str
        choices: [present, started, stopped, restarted, reloaded, absent]
        default: present
      enabled:
        description:
          - Whether the unit is enabled. Its links are made anew when C([Install]) has changed.
          - Without this option the enablement is left alone.
        type: bool
      masked:
        description:
          - Whether the unit is masked. Without this option it is left alone.
        type: bool
      instances:
        description:
          - For a template, the instances that O(units[].state) and O(units[].enabled) speak of.
        type: list
        elements: str
      on_change:
        description:
          - What a running unit does when its text or a trigger has changed. V(auto) decides by the directives that changed.
          - V(restart) restarts it for any change of meaning, V(reload) reloads it, V(none) leaves it as it is.
          - A running timer takes over a new schedule without starting its unit for a time that has passed already. Only with
            C(RandomizedDelaySec=) systemd may still do that, some time later.
        type: str
        choices: [auto, restart, reload, none]
        default: auto
      triggers:
        description:
          - Files on the target whose content counts as part of the unit. A change restarts a running unit.
          - An item is the absolute path of a file, or a mapping with C(path) and C(reload); with C(reload=true) the unit is
            reloaded.
          - Check mode cannot see what an earlier task would have written. With C(changed=true) in the mapping it takes the file
            for changed. A real run looks at the file itself.
        type: list
        elements: raw
      health:
        description:
          - How to tell that the unit is really up. The task fails when it is not, and the state before is put back.
        type: dict
        suboptions:
          timeout:
            description:
              - Seconds until the unit must be active and all probes must answer.
            type: float
            default: 30
          stable:
            description:
              - Seconds for which it must stay active without a restart.
            type: float
            default: 0
          probes:
            description:
              - Questions to the running program. Each item has one of the kinds V(tcp), V(udp), V(http), V(socket), V(command)
                and V(log).
            type: list
            elements: dict
            suboptions:
              tcp:
                description: C(HOST:PORT) that must accept a connection.
                type: str
              udp:
                description: C(HOST:PORT) that must answer the datagram in O(units[].health.probes[].send).
                type: str
              http:
                description: URL that must answer with O(units[].health.probes[].status).
                type: str
              socket:
                description: Path of a UNIX socket that must accept a connection.
                type: path
              command:
                description: Program and arguments that must end with exit status 0.
                type: list
                elements: str
              log:
                description: Regular expression that a journal line of the unit since this start must match.
                type: str
              send:
                description: What a udp, tcp or socket probe sends.
                type: str
              expect:
                description: Text that the answer to a udp, tcp, socket, http or command probe must hold.
                type: str
              status:
                description: HTTP status that an http probe wants. Any status from 200 to 399 without it.
                type: int
seealso:
  - module: unitcraft.systemd.unit
  - module: unitcraft.systemd.unit_lint
"""

EXAMPLES = r"""
- name: A nightly job and its timer
  unitcraft.systemd.units:
    units:
      - name: report.service
        sections:
          Unit: {Description: Nightly report}
          Service:
            Type: oneshot
            ExecStart: [[/usr/local/bin/report, --yesterday]]
            DynamicUser: true
      - name: report.timer
        sections:
          Timer: {OnCalendar: "*-*-* 03:00:00", RandomizedDelaySec: 10min}
          Install: {WantedBy: timers.target}
        state: started
        enabled: true

- name: Four workers of one template
  unitcraft.systemd.units:
    units:
      - name: worker@.service
        sections:
          Service:
            ExecStart: [[/usr/local/bin/worker]]
            DynamicUser: true
            Restart: always
            RestartSec: 2
          Install: {WantedBy: multi-user.target}
        instances: ["1", "2", "3", "4"]
        state: started
        enabled: true
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

from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit import run_units


def main() -> None:
    run_units()


if __name__ == "__main__":
    main()

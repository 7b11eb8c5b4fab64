# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What is declared of one unit: options of unit; units takes a list of them."""

    DOCUMENTATION = r"""
options:
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
      - Mutually exclusive with O(content).
    type: dict
  content:
    description:
      - The whole text of the file, instead of O(sections).
    type: str
  dropin:
    description:
      - Name of a drop-in. O(sections) or O(content) then go to C(NAME.d/DROPIN.conf) beside the unit, which may be a unit of
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
      - For a template, the instances that O(state) and O(enabled) speak of.
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
            description: C(HOST:PORT) that must answer the datagram in O(health.probes[].send).
            type: str
          http:
            description: URL that must answer with O(health.probes[].status).
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
"""

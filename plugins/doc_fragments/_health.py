# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """When a unit counts as healthy: an option of unit and rollback; units has it in each item."""

    DOCUMENTATION = r"""
options:
  health:
    description:
      - Criteria for a healthy unit. If the unit does not meet them, the task fails and the module restores the previous
        state.
      - It is asked of units that the task starts, restarts or reloads, instances of a template included; a run that
        changes nothing asks nobody.
      - M(unitcraft.systemd.rollback) takes the criteria of the generation when this option is not given.
    type: dict
    suboptions:
      timeout:
        description:
          - Time in seconds within which the unit must become active and all probes must succeed.
        type: float
        default: 30
      stable:
        description:
          - Time in seconds for which the unit must stay active without a restart.
        type: float
        default: 0
      probes:
        description:
          - Checks of the running program. Each item has exactly one of V(tcp), V(udp), V(http), V(socket), V(command)
            and V(log).
        type: list
        elements: dict
        suboptions:
          tcp:
            description: C(HOST:PORT) that must accept a TCP connection.
            type: str
          udp:
            description: C(HOST:PORT) that must answer the datagram in C(send).
            type: str
          http:
            description: URL that must answer with C(status).
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
            description: Data that a udp, tcp or socket probe sends.
            type: str
          expect:
            description: Text that the answer to a udp, tcp, socket, http or command probe must contain.
            type: str
          status:
            description: HTTP status that an http probe expects. Without it any status from 200 to 399 is accepted.
            type: int
"""

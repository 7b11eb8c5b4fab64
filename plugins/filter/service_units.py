# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: declared services -> items of units."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_units
short_description: Convert declared services to items for the module units
version_added: 0.2.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Converts the declaration of the role P(unitcraft.systemd.services#role) to items for M(unitcraft.systemd.units) with
    unit, timer, user, files and secrets.
  - Fails with the name of the service, the key, its value and the remedy when a service cannot be as it is declared.
positional: _input
options:
  _input:
    description: The services by name, as in O(unitcraft.systemd.services#role:main:services).
    type: dict
    required: true
  release:
    description:
      - Release of systemd on the target, for example V(252). The strict profile has directives that older releases
        do not know.
      - V(0) means the oldest.
    type: int
    default: 0
  prefix:
    description: What messages put before the name of a key. Without it they put C(services.NAME.) there.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the units of a service
  ansible.builtin.debug:
    msg: "{{ (services | unitcraft.systemd.service_units(release=252)).units }}"
  vars:
    services:
      echo:
        command: [/usr/bin/python3, /opt/echo/server.py]
        dynamic_user: true
        hardening: strict
"""

RETURN = r"""
_value:
  description: What the services need.
  type: dict
  contains:
    units:
      description: Items for O(unitcraft.systemd.units#module:units).
      type: list
      elements: dict
    packages:
      description: Packages of the distribution that the services need.
      type: list
      elements: str
    needs_release:
      description: Whether the result depends on O(release).
      type: bool
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _services
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._service_keys import ServiceError


def service_units(services: t.Any, release: int = 0, prefix: str = "") -> dict[str, t.Any]:
    """Items and packages; see DOCUMENTATION."""
    try:
        return _services.apply(services, int(release), prefix)
    except ServiceError as error:
        raise AnsibleFilterError(f"service_units: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"service_units": service_units}

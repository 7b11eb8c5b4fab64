# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: which service follows which -> the drop-ins that do it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: linked_units
short_description: Choose the directives that let services start and stop together
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Converts the declaration of the role P(unitcraft.systemd.linked#role) to drop-ins for M(unitcraft.systemd.units),
    for a given release of systemd, and explains each directive.
positional: _input
options:
  _input:
    description: The declaration, as in O(unitcraft.systemd.linked#role:main:linked_services).
    type: list
    elements: dict
    required: true
  release:
    description: Release of systemd on the target, for example V(252).
    type: int
    required: true
  name:
    description: The name of the drop-ins is C(50-NAME).
    type: str
    default: linked
  state:
    description: With V(started) the items also start the services and enable those that do not follow another service.
    type: str
    choices: [started, present]
    default: started
  options:
    description:
      - C(files), C(health) and C(triggers) by the name of a service, as in O(unitcraft.systemd.units#module:units).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the directives that let a web server follow a proxy
  ansible.builtin.debug:
    msg: "{{ services | unitcraft.systemd.linked_units(release=252) }}"
  vars:
    services:
      - main: haproxy
        followers: [apache2]
"""

RETURN = r"""
_value:
  description: Drop-ins and directives for the declaration.
  type: dict
  contains:
    units:
      description: Items for O(unitcraft.systemd.units#module:units).
      type: list
      elements: dict
    directives:
      description: Each directive, with C(unit), C(section), C(directive), C(value) and C(why).
      type: list
      elements: dict
    ignore:
      description: Lint rules that the declaration deliberately violates, for O(unitcraft.systemd.units#module:ignore).
      type: list
      elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _linked


def linked_units(
    services: t.Any,
    release: int,
    name: str = "linked",
    state: str = "started",
    options: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """Drop-ins, directives and rules to ignore; see DOCUMENTATION."""
    if state not in ("started", "present"):
        raise AnsibleFilterError(f"linked_units: state must be started or present, not {state!r}")
    try:
        links = _linked.read(services, int(release))
        units = _linked.units(links, name, state, options or {})
    except _linked.LinkError as error:
        raise AnsibleFilterError(f"linked_units: {error}") from error
    keys = ("unit", "section", "directive", "value", "why")
    return {
        "units": units,
        "directives": [dict(zip(keys, directive)) for directive in links.directives],
        "ignore": links.ignore,
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"linked_units": linked_units}

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: what unit_info tells of units -> the YAML that declares them, and the proof that it means the same."""

from __future__ import annotations

DOCUMENTATION = r"""
name: adopt_units
short_description: Write the YAML that declares existing units of a host
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Converts a result of M(unitcraft.systemd.unit_info) to the text of a YAML file with the list that
    M(unitcraft.systemd.units) takes. Comments keep their place.
  - Writes a unit as O(unitcraft.systemd.units#module:units[].sections) if these have the same meaning, otherwise as
    O(unitcraft.systemd.units#module:units[].content).
  - Omits transient and generated units.
positional: _input
options:
  _input:
    description:
      - RV(unitcraft.systemd.unit_info#module:units) with O(unitcraft.systemd.unit_info#module:what=files) and V(state).
    type: dict
    required: true
  dropins:
    description:
      - V(keep) declares each drop-in. V(fold) merges them into the unit and declares them absent.
    type: str
    choices: [keep, fold]
    default: keep
  vendor:
    description:
      - Whether to declare units of packages, too. Without it the filter declares only units in the administrator's
        folders.
    type: bool
    default: false
  variable:
    description: Name of the variable that the file sets.
    type: str
    default: systemd_units
seealso:
  - plugin: unitcraft.systemd.adopt_differences
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the hand-written timers of a host
  unitcraft.systemd.unit_info:
    name: '*.timer'
    what: [files, state]
  register: timers

- name: Show the YAML that declares them
  ansible.builtin.debug:
    msg: "{{ timers.units | unitcraft.systemd.adopt_units }}"
"""

RETURN = r"""
_value:
  description: The text of a YAML file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _adopt


def adopt_units(units: t.Any, dropins: str = "keep", vendor: bool = False, variable: str = "systemd_units") -> str:
    """The YAML text; see DOCUMENTATION."""
    if dropins not in ("keep", "fold"):
        raise AnsibleFilterError(f"adopt_units: dropins must be keep or fold, not {dropins!r}")
    try:
        return _adopt.write(_adopt.declare(units, dropins, vendor), variable)
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"adopt_units: this is not what unit_info returns with what: [files, state] ({error!r})"
        ) from error
    except ValueError as error:
        raise AnsibleFilterError(f"adopt_units: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"adopt_units": adopt_units}

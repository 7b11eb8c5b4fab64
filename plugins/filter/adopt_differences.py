# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: where a declaration does not mean what the host has."""

from __future__ import annotations

DOCUMENTATION = r"""
name: adopt_differences
short_description: Compare a declaration with the units on a host
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Compares the declaration that P(unitcraft.systemd.adopt_units#filter) wrote with the host and describes each
    difference.
positional: _input, declared
options:
  _input:
    description:
      - RV(unitcraft.systemd.unit_info#module:units) with O(unitcraft.systemd.unit_info#module:what=files) and V(state).
    type: dict
    required: true
  declared:
    description: The list of declarations, loaded from the file.
    type: list
    elements: dict
    required: true
  dropins:
    description: As for P(unitcraft.systemd.adopt_units#filter).
    type: str
    choices: [keep, fold]
    default: keep
  vendor:
    description: As for P(unitcraft.systemd.adopt_units#filter).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check that the declaration matches the host
  ansible.builtin.assert:
    that: timers.units | unitcraft.systemd.adopt_differences(systemd_units) == []
"""

RETURN = r"""
_value:
  description: One sentence for each difference; empty if there is none.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _adopt


def adopt_differences(units: t.Any, declared: t.Any, dropins: str = "keep", vendor: bool = False) -> list[str]:
    """The differences in words; see DOCUMENTATION."""
    try:
        return _adopt.differences(units, declared, dropins, vendor)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise AnsibleFilterError(f"adopt_differences: {error!r}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"adopt_differences": adopt_differences}

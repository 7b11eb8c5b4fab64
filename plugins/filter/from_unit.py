# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: text of a unit file -> sections mapping."""

from __future__ import annotations

DOCUMENTATION = r"""
name: from_unit
short_description: Read the text of a systemd unit into a mapping
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Parses the text of a unit file or drop-in as systemd does and returns the shortest natural mapping that
    P(unitcraft.systemd.to_unit#filter) renders to the same meaning.
  - Does not keep comments, spacing, and the order of different directives.
positional: _input
options:
  _input:
    description: The text of the unit file.
    type: str
    required: true
  name:
    description: Name of the unit, for error messages.
    type: str
    default: ''
  strict:
    description: Fail if systemd cannot parse a line. Otherwise such lines are ignored, as systemd does.
    type: bool
    default: true
seealso:
  - plugin: unitcraft.systemd.to_unit
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read a unit from the controller
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'web.service') | unitcraft.systemd.from_unit }}"
# =>
# Unit:
#   Description: Web server
#   After: [network.target, local-fs.target]
# Service:
#   Environment: {PORT: '80'}
#   ExecStart: /usr/bin/web --port $PORT
"""

RETURN = r"""
_value:
  description:
    - The sections, each a mapping of directives to values.
    - A directive that occurs several times, or has several words, has a list. C(Environment) has a mapping if it
      contains no specifiers.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.mapping import mapping_from_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError


def from_unit(text: t.Any, name: str = "", strict: bool = True) -> dict[str, dict[str, t.Any]]:
    """The sections mapping for a text; see DOCUMENTATION."""
    if not isinstance(text, (str, bytes)):
        raise AnsibleFilterError(f"from_unit: expected the text of a unit file, not {type(text).__name__}")
    try:
        unit = read_unit(name, text)
    except UnitSyntaxError as error:
        raise AnsibleFilterError(f"from_unit: {name + ': ' if name else ''}{error}") from error
    if strict and unit.problems:
        problems = "; ".join(f"line {line}: {message}" for line, message in unit.problems)
        raise AnsibleFilterError(f"from_unit: {name + ': ' if name else ''}{problems}")
    return mapping_from_settings(unit.settings)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"from_unit": from_unit}

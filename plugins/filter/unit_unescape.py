# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: escaped part of a unit name -> text, as systemd-escape --unescape."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unit_unescape
short_description: Unescape a unit name
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Reverses P(unitcraft.systemd.unit_escape#filter), as C(systemd-escape --unescape) does.
positional: _input
options:
  _input:
    description: The escaped text or, with O(template), the name of an instance.
    type: str
    required: true
  path:
    description: Whether the escaped text is a path.
    type: bool
    default: false
  template:
    description: Template whose instance the text names. The filter unescapes the instance.
    type: str
seealso:
  - plugin: unitcraft.systemd.unit_escape
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the folder of a mount unit
  ansible.builtin.debug:
    msg: "{{ 'srv-my\\x20data' | unitcraft.systemd.unit_unescape(path=true) }}"
# => /srv/my data

- name: Show the instance name
  ansible.builtin.debug:
    msg: "{{ 'backup@a-b.service' | unitcraft.systemd.unit_unescape(template='backup@.service') }}"
# => a/b
"""

RETURN = r"""
_value:
  description: The plain text.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import unit_unescape
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError


def unit_unescape_filter(text: t.Any, path: bool = False, template: str | None = None) -> str:
    """Plain text; see DOCUMENTATION."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"unit_unescape: expected text, not {type(text).__name__}: write it in quotes")
    try:
        return unit_unescape(text, path, template)
    except UnitSyntaxError as error:
        raise AnsibleFilterError(f"unit_unescape: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"unit_unescape": unit_unescape_filter}

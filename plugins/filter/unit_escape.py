# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: any text -> part of a unit name, as systemd-escape."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unit_escape
short_description: Escape text for a unit name
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Escapes any text for use in the name of a systemd unit, as systemd-escape(1) does.
positional: _input
options:
  _input:
    description: The text.
    type: str
    required: true
  path:
    description: Whether the text is a path. C(/) becomes C(-), leading and trailing slashes are removed.
    type: bool
    default: false
  template:
    description: Use the escaped text as the instance of this template, such as V(backup@.service).
    type: str
  suffix:
    description: Unit type to append, such as V(mount).
    type: str
seealso:
  - plugin: unitcraft.systemd.unit_unescape
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the mount unit of a folder
  ansible.builtin.debug:
    msg: "{{ '/srv/my data' | unitcraft.systemd.unit_escape(path=true, suffix='mount') }}"
# => srv-my\x20data.mount

- name: Show the instance of a template for a name
  ansible.builtin.debug:
    msg: "{{ 'a/b' | unitcraft.systemd.unit_escape(template='backup@.service') }}"
# => backup@a-b.service
"""

RETURN = r"""
_value:
  description: The escaped text or, with O(template) or O(suffix), the unit name.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import unit_escape
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError


def unit_escape_filter(text: t.Any, path: bool = False, template: str | None = None, suffix: str | None = None) -> str:
    """Escaped text; see DOCUMENTATION."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"unit_escape: expected text, not {type(text).__name__}: write it in quotes")
    try:
        return unit_escape(text, path, template, suffix)
    except UnitSyntaxError as error:
        raise AnsibleFilterError(f"unit_escape: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"unit_escape": unit_escape_filter}

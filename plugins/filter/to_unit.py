# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: sections mapping -> text of a unit file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: to_unit
short_description: Render a mapping as the text of a systemd unit
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Renders a mapping of sections as the text of a unit file or drop-in, as the option
    O(unitcraft.systemd.unit#module:sections) does.
  - Does not validate the text. For that use M(unitcraft.systemd.unit_lint), or write the unit with
    M(unitcraft.systemd.unit).
positional: _input
options:
  _input:
    description:
      - The sections, each a mapping of directives to values. Sections and directives stay in the order given.
      - Strings (in systemd's syntax) and numbers are written unchanged, booleans as V(true) or V(false). V(null) omits
        the directive. An empty string writes C(Directive=), which resets a list, and is refused if systemd does not
        accept an empty value.
      - A list becomes one line of words or repeated lines, depending on the directive's grammar.
      - C(Environment), C(LogExtraFields) and C(SetCredential) also take a mapping of names to
        plain values, which are quoted and escaped.
      - The value of an C(Exec*) directive is one command or a list of commands. A command is a string, a list of
        arguments, or a mapping with C(argv) (list of arguments) and C(prefix) (such as C(-) or C(!)). Arguments are
        quoted and escaped, so that the program gets exactly these bytes. A flat list of strings is several commands.
    type: dict
    required: true
  name:
    description: Name of the unit, for error messages.
    type: str
    default: ''
  set_name:
    description:
      - Put the header of managed files at the top, with this set name.
      - An empty string writes the header without a set name. Without this option there is no header.
    type: str
  order:
    description:
      - With V(given) the sections stay in the order of the mapping.
      - With V(standard) C([Unit]) comes first and C([Install]) last.
    type: str
    choices: [given, standard]
    default: given
seealso:
  - plugin: unitcraft.systemd.from_unit
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the text of a service
  ansible.builtin.debug:
    msg: "{{ sections | unitcraft.systemd.to_unit }}"
  vars:
    sections:
      Unit:
        Description: Greets once
        After: [network.target, local-fs.target]
      Service:
        Type: oneshot
        Environment:
          GREETING: 100% "hello"
        ExecStart:
          - [/usr/bin/printf, '%s costs $5\n', a b]
# =>
# [Unit]
# Description=Greets once
# After=network.target local-fs.target
#
# [Service]
# Type=oneshot
# Environment="GREETING=100%% \"hello\""
# ExecStart=/usr/bin/printf "%%s costs $$5\\n" "a b"
"""

RETURN = r"""
_value:
  description: The text of the unit file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.header import header
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.render import (
    RenderError,
    render,
    settings_from_mapping,
)


def to_unit(sections: t.Any, name: str = "", set_name: str | None = None, order: str = "given") -> str:
    """The text for a sections mapping; see DOCUMENTATION."""
    if order not in ("given", "standard"):
        raise AnsibleFilterError(f"to_unit: order must be given or standard, not {order!r}")
    try:
        lines = [] if set_name is None else header(set_name)
        return render(settings_from_mapping(name, sections), lines, order == "standard")
    except RenderError as error:
        raise AnsibleFilterError(f"to_unit: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"to_unit": to_unit}

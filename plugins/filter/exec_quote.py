# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: list of arguments -> command line of a unit file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: exec_quote
short_description: Quote arguments for a command line of a systemd unit
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Converts a list of arguments to the value of an C(Exec*) directive, so that systemd starts the program with exactly
    these arguments, byte for byte.
  - Quotes and escapes spaces, quotes, backslashes and control characters by systemd's rules, which differ from those of
    a shell. C(%) and C($) lose their special meaning.
positional: _input
options:
  _input:
    description: The program and its arguments. Numbers are converted to text.
    type: list
    elements: raw
    required: true
  prefix:
    description: Prefix characters for the command, such as V(-) or V(!); see systemd.service(5).
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Write a drop-in by hand
  ansible.builtin.copy:
    dest: /etc/systemd/system/backup.service.d/50-command.conf
    content: |
      [Service]
      ExecStart=
      ExecStart={{ ['/usr/bin/backup', '--keep=50%', the_password] | unitcraft.systemd.exec_quote }}
    mode: '0644'
"""

RETURN = r"""
_value:
  description: The command line.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.commands import exec_quote
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError


def exec_quote_filter(args: t.Any, prefix: str = "") -> str:
    """The command line for a list of arguments; see DOCUMENTATION."""
    if not isinstance(args, (list, tuple)):
        raise AnsibleFilterError(f"exec_quote: expected a list of arguments, not {type(args).__name__}")
    words = []
    for arg in args:
        if isinstance(arg, bool) or not isinstance(arg, (str, bytes, int, float)):
            raise AnsibleFilterError(f"exec_quote: the argument {arg!r} is not a string: write it in quotes")
        words.append(arg if isinstance(arg, (str, bytes)) else str(arg))
    try:
        return exec_quote(words, prefix)
    except UnitSyntaxError as error:
        raise AnsibleFilterError(f"exec_quote: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"exec_quote": exec_quote_filter}

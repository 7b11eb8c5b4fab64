# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: a set of units -> drawing of its dependencies."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unit_graph
short_description: Draw the dependencies of systemd units
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Draws which units of a set require, want, conflict with, trigger or are ordered after each other, as text for
    Graphviz or Mermaid.
  - Includes dependencies that systemd adds implicitly, such as those between a timer and its service. Draws the units
    as if they were enabled.
  - Ordering cycles are red. A thick arrow means that stopping one of the two units stops the other. Units that the set
    only refers to have a dashed box.
positional: _input
options:
  _input:
    description:
      - The units. Either a list of mappings as in the option O(unitcraft.systemd.units#module:units), of which the
        filter uses C(name), C(sections), C(content) and C(dropin), or a mapping of unit names to texts or to mappings
        of sections.
    type: raw
    required: true
  format:
    description: Output format.
    type: str
    choices: [dot, mermaid]
    default: dot
  everything:
    description: Whether to draw also the default dependencies, such as those on C(sysinit.target).
    type: bool
    default: false
seealso:
  - module: unitcraft.systemd.unit_info
    description: Returns the dependencies of the units of a running host.
"""

EXAMPLES = r"""
- name: Draw the units of this play
  ansible.builtin.copy:
    content: "{{ my_units | unitcraft.systemd.unit_graph(format='mermaid') }}"
    dest: units.mmd
    mode: '0644'
  delegate_to: localhost

- name: Show a small graph
  ansible.builtin.debug:
    msg: "{{ units | unitcraft.systemd.unit_graph }}"
  vars:
    units:
      - name: web.service
        sections:
          Unit: {BindsTo: proxy.service, After: proxy.service}
          Service: {ExecStart: /usr/bin/web}
      - name: proxy.service
        sections:
          Service: {ExecStart: /usr/bin/proxy}
"""

RETURN = r"""
_value:
  description: The drawing, which ends with a newline. The same units always result in the same text.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.build import build
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.draw import dot, draw, mermaid
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import declared_unit_name
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.render import RenderError, settings_from_mapping
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError


def unit_graph(units: t.Any, format: str = "dot", everything: bool = False) -> str:
    """The drawing of a set of units; see DOCUMENTATION."""
    if format not in ("dot", "mermaid"):
        raise AnsibleFilterError(f"unit_graph: format must be dot or mermaid, not {format!r}")
    try:
        read = [_read(name, what, dropin) for name, what, dropin in _items(units)]
    except (RenderError, UnitSyntaxError) as error:
        raise AnsibleFilterError(f"unit_graph: {error}") from error
    drawing = draw(build(read), everything)
    return dot(drawing) if format == "dot" else mermaid(drawing)


def _items(units: t.Any) -> t.Iterator[tuple[str, t.Any, str]]:
    if isinstance(units, t.Mapping):
        for name, what in units.items():
            yield _full_name(name), what, ""
        return
    if isinstance(units, str) or not isinstance(units, t.Sequence):
        raise AnsibleFilterError("unit_graph: expected a list of units or a mapping of names to texts")
    for position, item in enumerate(units, 1):
        if not isinstance(item, t.Mapping) or not item.get("name"):
            raise AnsibleFilterError(f"unit_graph: item {position} is not a mapping with a name")
        if "sections" not in item and "content" not in item:
            continue  # the set speaks only of the state of this unit
        yield _full_name(item["name"]), item.get("content", item.get("sections")), item.get("dropin") or ""


def _full_name(name: t.Any) -> str:
    try:
        return declared_unit_name(str(name))
    except ValueError as error:
        raise AnsibleFilterError(f"unit_graph: {error}") from error


def _read(name: str, what: t.Any, dropin: str) -> Unit:
    if isinstance(what, str):
        return read_unit(name, what, dropin=dropin)
    return Unit(name, settings_from_mapping(name, what), dropin)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"unit_graph": unit_graph}

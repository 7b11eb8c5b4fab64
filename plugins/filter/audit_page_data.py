# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the audit report -> the data that its HTML page carries."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_page_data
short_description: Write the data of the HTML page of an audit report
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Converts a report from P(unitcraft.systemd.audit_report#filter) to compact JSON that is safe inside an HTML
    C(script) element, whatever texts it contains.
positional: _input
options:
  _input:
    description: The report.
    type: dict
    required: true
  drawings:
    description: SVG text of each drawn graph, by the id of the graph.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the data of a report without hosts
  ansible.builtin.debug:
    msg: "{{ report | unitcraft.systemd.audit_page_data }}"
  vars:
    report: "{{ [] | unitcraft.systemd.audit_report(generated='2026-11-21T06:00:00Z') }}"
"""

RETURN = r"""
_value:
  description: JSON text without the characters C(<), C(>) and C(&).
  type: str
"""

import typing as t

from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report_page


def audit_page_data(report: t.Any, drawings: t.Mapping[str, str] | None = None) -> str:
    """The JSON text; see DOCUMENTATION."""
    return _report_page.page_data(report, drawings or {})


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"audit_page_data": audit_page_data}

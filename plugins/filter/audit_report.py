# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what hosts told -> the audit report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_report
short_description: Build the audit report of a fleet
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Combines the results of M(unitcraft.systemd.unit_info) and M(unitcraft.systemd.unit_lint) of each host into one
    report. The playbook C(unitcraft.systemd.audit) uses it.
  - Does not trust the results. A value of the wrong type, or beyond the limits for number and length, is omitted, and
    C(problem) of this host describes it. The other hosts are not affected.
positional: _input
options:
  _input:
    description:
      - For each host its name (C(host)), the two results (C(info) and C(lint)), and C(problem) if it did not answer.
    type: list
    elements: dict
    required: true
  generated:
    description: Time of the report, in ISO 8601.
    type: str
    required: true
  earlier:
    description: JSON text of an earlier report, to compare with.
    type: str
    default: ''
    version_added: 0.2.0
"""

EXAMPLES = r"""
- name: Build the report of one host
  ansible.builtin.set_fact:
    report: "{{ [{'host': inventory_hostname, 'info': info}] | unitcraft.systemd.audit_report(generated=now_is) }}"
  vars:
    info: {units: {}, findings: []}
    now_is: '2026-11-21T06:00:00Z'
"""

RETURN = r"""
_value:
  description:
    - The report. C(summary) has the totals of the fleet, C(hosts) is a list with units and findings of each host,
      C(groups) has what is the same on several hosts once, what to do first in front, C(graphs) has the dependency
      graphs as DOT and Mermaid text.
  type: dict
"""

import json
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report


def audit_report(told: t.Any, generated: str, earlier: str = "") -> dict[str, t.Any]:
    """The report; see DOCUMENTATION."""
    try:
        items = [
            _report.Told(i["host"], i.get("info") or {}, i.get("lint") or {}, i.get("problem") or "") for i in told
        ]
        return _report.build(items, generated, json.loads(earlier) if earlier else None)
    except ValueError as error:  # also that of json.loads
        raise AnsibleFilterError(f"audit_compare: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"audit_report: this is not what unit_info and unit_lint return: {error!r}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"audit_report": audit_report}

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the numbers of one host of the audit report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_counts
short_description: Count the findings of the audit report for a host
version_added: 0.1.0
author:
  - The unitcraft.systemd contributors (@unitcraft)
description:
  - Returns the numbers of one host of a report from P(unitcraft.systemd.audit_report#filter).
positional: _input
options:
  _input:
    description: One of the hosts of the report.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the number of failed units of a host
  ansible.builtin.debug:
    msg: "{{ (host | unitcraft.systemd.audit_counts).failed }}"
  vars:
    host: {host: web1, units: [], findings: []}
"""

RETURN = r"""
_value:
  description:
    - The numbers C(units), C(failed), C(crash_looping), C(start_limit), C(errors), C(warnings), C(need_daemon_reload),
      C(drift), C(managed).
  type: dict
"""

import typing as t

from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {"audit_counts": _report.counts}

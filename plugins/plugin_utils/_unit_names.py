# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Unit names as people give them to filters and roles."""

from __future__ import annotations

import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax import names


def full_unit_name(given: t.Any) -> str:
    """The name with its suffix; without one it means a service, as for systemctl(1).

    :raises ValueError: for a name that systemd would refuse; the message says why.
    """
    name = names.full_unit_name(str(given))
    problem = names.unit_name_problem(name)
    if problem:
        raise ValueError(problem)
    return name

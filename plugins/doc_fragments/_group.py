# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What holds for all modules."""

    DOCUMENTATION = r"""
attributes:
  action_group:
    description: C(module_defaults) for C(group/unitcraft.systemd.all) apply.
    support: full
    membership:
      - unitcraft.systemd.all
"""

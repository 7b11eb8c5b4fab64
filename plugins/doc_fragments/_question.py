# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What holds for modules that only look."""

    DOCUMENTATION = r"""
requirements:
  - Python 3.9 or later on the target
attributes:
  check_mode:
    description: Runs in check mode and returns the same result.
    support: full
  diff_mode:
    description: Shows no diff, because it changes nothing.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
"""

#!/usr/bin/python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit
short_description: One systemd unit, proved right before it is written and put back when it does not come up
version_added: 0.1.0
description:
  - Writes a unit file or drop-in, enables it, and brings it to the wanted run state, as one transaction.
"""

EXAMPLES = r"""
"""

RETURN = r"""
"""

from ansible_collections.unitcraft.systemd.plugins.module_utils import _module


def main() -> None:
    _module.run_unit()


if __name__ == "__main__":
    main()

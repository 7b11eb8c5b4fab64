# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The linter of unitcraft.systemd as a program: it needs Python, and neither Ansible nor systemd.

The grammar, the rules and the graph are those of the collection. What `make dist` builds has them beside this file;
in a checkout they are found where the collection keeps them.
"""

from __future__ import annotations

from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
if _CHECKOUT.is_dir():
    __path__.append(str(_CHECKOUT))

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands share when something is wrong."""

from __future__ import annotations

FOUND = 1  # exit status: there are findings
BAD_INPUT = 2  # exit status: something that was given cannot be used


class InputError(Exception):
    """Something that was given cannot be used; the text names it and the remedy."""

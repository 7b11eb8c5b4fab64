# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of ``unit_lint``; the module's documentation is that of both."""

from __future__ import annotations

from ansible_collections.unitcraft.systemd.plugins.plugin_utils._call import CallingAction


class ActionModule(CallingAction):
    """A task that only checks units."""

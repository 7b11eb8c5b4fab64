# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.


"""One grammar for each parser of systemd: does the release take this value, and if not, what does it want."""

from __future__ import annotations

from ansible_collections.unitcraft.systemd.plugins.module_utils import _values_base, _values_time

# What others reuse.
INFINITY = _values_time.INFINITY
CalendarSpec = _values_time.CalendarSpec
parse_timespan = _values_time.parse_timespan
parse_calendar = _values_time.parse_calendar
parse_bool = _values_base.parse_bool
parse_size = _values_base.parse_size
parse_percent = _values_base.parse_percent

# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal as ``unit_info`` tells it: lines of units with time, priority, identifier and PID. No I/O."""

from __future__ import annotations

import datetime
import typing as t

from .journal import Entry, message_of, number_of, parse_entries

_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_UNIT_FIELDS = ("UNIT", "USER_UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT", "_SYSTEMD_USER_UNIT", "_SYSTEMD_UNIT")
JOURNAL_FIELDS = (*_UNIT_FIELDS, "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "_PID")


def lines_by_unit(text: str, units: t.Container[str], lines: int) -> dict[str, list[dict[str, t.Any]]]:
    """Output of ``journalctl --output=json --reverse`` -> the newest lines of each unit, in order of time.

    :returns: lists of ``{time, priority, identifier, pid, message}``; priority is the word of syslog(3).
    """
    found: dict[str, list[dict[str, t.Any]]] = {}
    for entry in parse_entries(text):
        named = (entry.get(field) for field in _UNIT_FIELDS)
        unit = next((name for name in named if isinstance(name, str) and name in units), "")
        if unit and len(found.setdefault(unit, [])) < lines:
            found[unit].append(_line(entry))
    return {unit: kept[::-1] for unit, kept in found.items()}


def _line(entry: Entry) -> dict[str, t.Any]:
    priority, pid = str(entry.get("PRIORITY", "")), str(entry.get("_PID", ""))
    return {
        "time": iso_time(number_of(entry, "__REALTIME_TIMESTAMP") / 1e6),
        "priority": _PRIORITIES[int(priority)] if priority in set("01234567") else "info",
        "identifier": str(entry.get("SYSLOG_IDENTIFIER", "")),
        "pid": int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 21 else None,
        "message": message_of(entry),
    }


def iso_time(seconds: float) -> str:
    """A time since 1970 in seconds -> ISO 8601 in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

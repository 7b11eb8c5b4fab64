# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal as ``unit_info`` tells it: lines of units with time, priority, identifier and PID. No I/O."""

from __future__ import annotations

import datetime
import typing as t

from .journal import Entry, message_of, number_of, parse_entries

_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_UNIT_FIELDS = ("UNIT", "USER_UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT", "_SYSTEMD_USER_UNIT", "_SYSTEMD_UNIT")
JOURNAL_FIELDS = (*_UNIT_FIELDS, "MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "_PID")
_RESTART_SCHEDULED = "5eb03494b6584870a536b337290809b3"  # SD_MESSAGE_UNIT_RESTART_SCHEDULED of sd-messages.h


def told_by_unit(text: str, units: t.Container[str], lines: int) -> dict[str, dict[str, list[t.Any]]]:
    """Output of ``journalctl --output=json --reverse`` -> what it tells of each unit, in order of time.

    :returns: ``journal``: the newest lines, ``{time, priority, identifier, pid, message}``; priority is the word of
        syslog(3). ``restarts``: times of restarts by ``Restart=``.
    """
    found: dict[str, dict[str, list[t.Any]]] = {}
    for entry in parse_entries(text):
        named = (entry.get(field) for field in _UNIT_FIELDS)
        unit = next((name for name in named if isinstance(name, str) and name in units), "")
        if unit:
            told = found.setdefault(unit, {"journal": [], "restarts": []})
            if len(told["journal"]) < lines:
                told["journal"].append(_line(entry))
            if entry.get("MESSAGE_ID") == _RESTART_SCHEDULED and len(told["restarts"]) < 1000:
                told["restarts"].append(_time(entry))
    return {unit: {key: kept[::-1] for key, kept in told.items()} for unit, told in found.items()}


def _time(entry: Entry) -> str:
    return iso_time(number_of(entry, "__REALTIME_TIMESTAMP") / 1e6)


def _line(entry: Entry) -> dict[str, t.Any]:
    priority = str(entry.get("PRIORITY", ""))
    return {
        "time": _time(entry),
        "priority": _PRIORITIES[int(priority)] if priority in set("01234567") else "info",
        "identifier": str(entry.get("SYSLOG_IDENTIFIER", "")),
        "pid": number_of(entry, "_PID") or None,
        "message": message_of(entry),
    }


def iso_time(seconds: float) -> str:
    """A time since 1970 in seconds -> ISO 8601 in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

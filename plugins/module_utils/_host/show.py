# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that systemd's programs print -> typed values: systemctl show, journalctl.

Pure. The commands are asked with ``--timestamp=us+utc`` and C locale; forms as 247 to 262 print them.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
import typing as t

from .._syntax.words import split_words
from .._values import typed as _merge

_OF_ALL = """Id Names Description LoadState LoadError ActiveState SubState UnitFileState UnitFilePreset FragmentPath
    SourcePath DropInPaths NeedDaemonReload Transient CanStart CanStop CanReload Following Job InvocationID Documentation
    Result ConditionResult ConditionTimestamp AssertResult
    StateChangeTimestamp ActiveEnterTimestamp ActiveExitTimestamp InactiveEnterTimestamp InactiveExitTimestamp
    ControlGroup Slice MemoryCurrent MemoryPeak MemoryMax CPUUsageNSec TasksCurrent TasksMax
    StartLimitIntervalUSec StartLimitBurst""".split()
_OF_SERVICE = """Type User Group Restart RestartUSec NRestarts MainPID ControlPID StatusText StatusErrno
    ExecMainCode ExecMainStatus ExecMainStartTimestamp ExecMainExitTimestamp WatchdogUSec WatchdogTimestamp
    TimeoutStartUSec TimeoutStopUSec RemainAfterExit ExecStart""".split()
_OF_OTHERS = """Listen Accept NConnections NAccepted NRefused TimersCalendar TimersMonotonic NextElapseUSecRealtime
    NextElapseUSecMonotonic LastTriggerUSec Persistent Paths Where What Unit Triggers TriggeredBy""".split()
DEPENDENCIES = """Requires Requisite Wants BindsTo PartOf Upholds Conflicts Before After OnFailure OnSuccess
    Triggers PropagatesReloadTo PropagatesStopTo JoinsNamespaceOf""".split()
DEPENDENCIES_ON_IT = """RequiredBy RequisiteOf WantedBy BoundBy ConsistsOf UpheldBy ConflictedBy OnFailureOf OnSuccessOf
    TriggeredBy ReloadPropagatedFrom StopPropagatedFrom""".split()
STATE_PROPERTIES = tuple(dict.fromkeys([*_OF_ALL, *_OF_SERVICE, *_OF_OTHERS]))
GRAPH_PROPERTIES = tuple(
    dict.fromkeys(["Id", "Names", *DEPENDENCIES, *DEPENDENCIES_ON_IT, "Slice", "RequiresMountsFor"])
)

_MANY_LINES = frozenset(("ExecStart", "Listen", "TimersCalendar", "TimersMonotonic", "Paths", "EnvironmentFiles"))
_LISTS = frozenset(("Names", "DropInPaths", "Documentation", *DEPENDENCIES, *DEPENDENCIES_ON_IT))
_TIMESTAMPS = frozenset(("NextElapseUSecRealtime", "LastTriggerUSec"))
_NUMBERS = re.compile(r"[0-9]+\Z")
_STAMP = re.compile(r"(?:[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)? UTC\Z")
_NUMERIC = frozenset(
    """NRestarts MainPID ControlPID StatusErrno ExecMainStatus MemoryCurrent MemoryPeak MemoryMax TasksCurrent TasksMax
    StartLimitBurst NConnections NAccepted NRefused""".split()
)
_BOOLEANS = frozenset(
    """NeedDaemonReload Transient CanStart CanStop CanReload ConditionResult AssertResult RemainAfterExit Accept
    Persistent""".split()
)
_EXIT_KINDS = {"0": "", "1": "exited", "2": "killed", "3": "dumped"}  # CLD_* of waitid(2), as ExecMainCode prints them
_NOT_SET = 2**64 - 1


def parse(text: str, properties: t.Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Output of ``systemctl show --property=...`` -> ``{Id: {property: [value, ...]}}``.

    A property that is printed once for each of its items has several values. A line that does not start with the name
    of an asked property goes on the value before it, for a command line may hold a line break.

    :arg properties: the names that were asked for, Id among them.
    """
    names = frozenset(properties)
    units: dict[str, dict[str, list[str]]] = {}
    block: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in [*text.splitlines(), ""]:
        name, equals, value = line.partition("=")
        if equals and name in names:
            last = block.setdefault(name, [])
            last.append(value)
        elif line:
            if last:
                last[-1] += "\n" + line
        elif "Id" in block:
            units[block["Id"][0]] = before = block
            block = {}
        elif before:  # the empty line stood inside a value of the unit before
            for other, values in block.items():
                before.setdefault(other, []).extend(values)
            block = {}
    return units


def typed(name: str, values: t.Sequence[str]) -> t.Any:
    """One property as a boolean, number, number of seconds, time in ISO 8601, list or text; None when it is not set."""
    if name in _MANY_LINES:
        return [v for v in values if v]
    text = values[-1] if values else ""
    if name in _LISTS:
        return words(text)
    if text in ("", "n/a", "[not set]", "[no data]"):
        return None
    if name in _BOOLEANS:
        return _merge.boolean(text)
    if name == "ExecMainCode":
        return _EXIT_KINDS.get(text, text) or None
    if name.endswith("Timestamp") or name in _TIMESTAMPS:
        return timestamp(text)
    if name == "CPUUsageNSec":
        return int(text) / 1e9 if _NUMBERS.match(text) and int(text) != _NOT_SET else None
    if "USec" in name:
        return _merge.seconds(text)
    if name in _NUMERIC:
        number = _merge.limit(text)
        return None if number == _NOT_SET else number
    return text


def words(text: str) -> list[str]:
    """A list as show prints it: names with a backslash or a blank are quoted and escaped."""
    return split_words(text, relax=True, unescape_relax=True) if '"' in text or "\\" in text else text.split()


@functools.lru_cache(maxsize=512)
def key(name: str) -> str:
    """``StartLimitIntervalUSec`` -> ``start_limit_interval_seconds``: a property as our results name it."""
    name = re.sub(r"[UN]Sec(Realtime|Monotonic)?\Z", r"\1" if name in _TIMESTAMPS else r"\1Seconds", name)
    name = name.replace("DropIn", "Dropin").replace("UMask", "Umask")
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def timestamp(text: str) -> str | None:
    """``Sat 2026-11-21 01:26:59.123456 UTC`` -> ``2026-11-21T01:26:59.123456Z``; None for n/a."""
    match = _STAMP.match(text)
    return "%sT%s%sZ" % (match.group(1), match.group(2), match.group(3) or "") if match else None


def iso(seconds: float) -> str:
    """A time since 1970 in seconds -> ISO 8601 in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class TimerItem(t.NamedTuple):
    """One ``On*=`` of a timer as ``TimersCalendar`` and ``TimersMonotonic`` print it."""

    directive: str
    value: str
    next_elapse: str


def timer_items(values: t.Iterable[str]) -> list[TimerItem]:
    """``{ OnCalendar=*-*-* 06:00:00 ; next_elapse=... }`` -> items; ``OnBootUSec=15min`` gets its name of unit files."""
    items = []
    for value in values:
        match = re.match(r"\{ (\w+)=(.*) ; next_elapse=(.*) \}\Z", value)
        if match:
            directive = match.group(1)
            directive = directive[:-4] + "Sec" if directive.endswith("USec") else directive
            items.append(TimerItem(directive, match.group(2), match.group(3)))
    return items


def listen_items(values: t.Iterable[str]) -> list[dict[str, str]]:
    """``/run/x.sock (Stream)`` -> ``{address: /run/x.sock, type: stream}``."""
    items = []
    for value in values:
        match = re.match(r"(.*) \((\w+)\)\Z", value, re.DOTALL)
        if match:
            items.append({"address": match.group(1), "type": match.group(2).lower()})
    return items


_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_UNIT_FIELDS = ("UNIT", "USER_UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT", "_SYSTEMD_USER_UNIT", "_SYSTEMD_UNIT")
JOURNAL_FIELDS = (*_UNIT_FIELDS, "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "_PID")


def parse_journal(text: str, units: t.Container[str], lines: int) -> dict[str, list[dict[str, t.Any]]]:
    """Output of ``journalctl --output=json --reverse`` -> the newest lines of each unit, in order of time.

    A line is ``{time, priority, identifier, pid, message}``; priority is the word of syslog(3).
    """
    found: dict[str, list[dict[str, t.Any]]] = {}
    for row in text.splitlines():
        try:
            entry = json.loads(row)
        except ValueError:  # the last row of a reader that was stopped
            continue
        for field in _UNIT_FIELDS:
            unit = entry.get(field)
            if isinstance(unit, str) and unit in units:
                kept = found.setdefault(unit, [])
                if len(kept) < lines:
                    kept.append(_journal_line(entry))
                break
    return {unit: kept[::-1] for unit, kept in found.items()}


def _journal_line(entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    message = entry.get("MESSAGE")
    if isinstance(message, list):  # bytes that are no UTF-8, or the same field more than once
        if all(isinstance(item, int) for item in message):
            message = bytes(message).decode("utf-8", "replace")
        else:
            message = "\n".join(str(item) for item in message)
    priority, pid = str(entry.get("PRIORITY", "")), str(entry.get("_PID", ""))
    return {
        "time": iso(int(entry.get("__REALTIME_TIMESTAMP", 0)) / 1e6),
        "priority": _PRIORITIES[int(priority)] if priority in set("01234567") else "info",
        "identifier": str(entry.get("SYSLOG_IDENTIFIER", "")),
        "pid": int(pid) if pid.isdigit() else None,
        "message": message or "",
    }

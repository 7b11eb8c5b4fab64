# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of units as ``systemctl show`` prints them -> typed values. No I/O.

It is asked with ``--timestamp=us+utc`` and C locale; forms as 247 to 262 print them.
"""

from __future__ import annotations

import functools
import re
import typing as t

from .._graph.edges import SHOW_PROPERTIES
from .._syntax.words import split_words
from .._values.typed import boolean, limit, seconds

_OF_ALL = [
    "Id",
    "Names",
    "Description",
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "UnitFilePreset",
    "FragmentPath",
    "SourcePath",
    "DropInPaths",
    "NeedDaemonReload",
    "Transient",
    "CanStart",
    "CanStop",
    "CanReload",
    "Following",
    "Job",
    "InvocationID",
    "Documentation",
    "Result",
    "ConditionResult",
    "ConditionTimestamp",
    "AssertResult",
    "StateChangeTimestamp",
    "ActiveEnterTimestamp",
    "ActiveExitTimestamp",
    "InactiveEnterTimestamp",
    "InactiveExitTimestamp",
    "ControlGroup",
    "Slice",
    "MemoryCurrent",
    "MemoryPeak",
    "MemoryMax",
    "CPUUsageNSec",
    "TasksCurrent",
    "TasksMax",
    "StartLimitIntervalUSec",
    "StartLimitBurst",
]
_OF_SERVICE = [
    "Type",
    "User",
    "Group",
    "Restart",
    "RestartUSec",
    "NRestarts",
    "MainPID",
    "ControlPID",
    "StatusText",
    "StatusErrno",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "ExecMainExitTimestamp",
    "WatchdogUSec",
    "WatchdogTimestamp",
    "TimeoutStartUSec",
    "TimeoutStopUSec",
    "RemainAfterExit",
    "ExecStart",
]
_OF_OTHERS = [
    "Listen",
    "Accept",
    "NConnections",
    "NAccepted",
    "NRefused",
    "TimersCalendar",
    "TimersMonotonic",
    "NextElapseUSecRealtime",
    "NextElapseUSecMonotonic",
    "LastTriggerUSec",
    "Persistent",
    "Paths",
    "Where",
    "What",
    "Unit",
    "Triggers",
    "TriggeredBy",
]
STATE_PROPERTIES = tuple(dict.fromkeys([*_OF_ALL, *_OF_SERVICE, *_OF_OTHERS]))
GRAPH_PROPERTIES = ("Id", "Names", *SHOW_PROPERTIES, "Slice", "RequiresMountsFor")

_MANY_LINES = frozenset(("ExecStart", "Listen", "TimersCalendar", "TimersMonotonic", "Paths", "EnvironmentFiles"))
_LISTS = frozenset(("Names", "DropInPaths", "Documentation", *SHOW_PROPERTIES))
_TIMESTAMPS = frozenset(("NextElapseUSecRealtime", "LastTriggerUSec"))
_NUMBERS = re.compile(r"[0-9]+\Z")
_STAMP = re.compile(r"(?:[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)? UTC\Z")
_NUMERIC = frozenset(
    [
        "NRestarts",
        "MainPID",
        "ControlPID",
        "StatusErrno",
        "ExecMainStatus",
        "MemoryCurrent",
        "MemoryPeak",
        "MemoryMax",
        "TasksCurrent",
        "TasksMax",
        "StartLimitBurst",
        "NConnections",
        "NAccepted",
        "NRefused",
    ]
)
_BOOLEANS = frozenset(
    [
        "NeedDaemonReload",
        "Transient",
        "CanStart",
        "CanStop",
        "CanReload",
        "ConditionResult",
        "AssertResult",
        "RemainAfterExit",
        "Accept",
        "Persistent",
    ]
)
_EXIT_KINDS = {"0": "", "1": "exited", "2": "killed", "3": "dumped"}  # CLD_* of waitid(2), as ExecMainCode prints them
_NOT_SET = 2**64 - 1


def typed_property(name: str, values: t.Sequence[str]) -> t.Any:
    """One property as a boolean, number, number of seconds, time in ISO 8601, list or text; None when it is not set."""
    if name in _MANY_LINES:
        return [v for v in values if v]
    text = values[-1] if values else ""
    if name in _LISTS:
        return split_list(text)
    if text in ("", "n/a", "[not set]", "[no data]"):
        return None
    if name in _BOOLEANS:
        return boolean(text)
    if name == "ExecMainCode":
        return _EXIT_KINDS.get(text, text) or None
    if name.endswith("Timestamp") or name in _TIMESTAMPS:
        return _timestamp(text)
    if name == "CPUUsageNSec":
        return int(text) / 1e9 if _NUMBERS.match(text) and int(text) != _NOT_SET else None
    if "USec" in name:
        return seconds(text)
    if name in _NUMERIC:
        number = limit(text)
        return None if number == _NOT_SET else number
    return text


def split_list(text: str) -> list[str]:
    """A list as show prints it: words with special characters are quoted and escaped, ``$`` and a backquote too."""
    if '"' not in text and "\\" not in text:
        return text.split()
    text = re.sub(r"\\([$`])|\\.", lambda match: match.group(1) or match.group(), text)
    return split_words(text, relax=True, unescape_relax=True)


@functools.lru_cache(maxsize=512)
def result_key(name: str) -> str:
    """``StartLimitIntervalUSec`` -> ``start_limit_interval_seconds``: a property as our results name it."""
    name = re.sub(r"[UN]Sec(Realtime|Monotonic)?\Z", r"\1" if name in _TIMESTAMPS else r"\1Seconds", name)
    name = name.replace("DropIn", "Dropin").replace("UMask", "Umask")
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _timestamp(text: str) -> str | None:
    """``Sat 2026-11-21 01:26:59.123456 UTC`` -> ``2026-11-21T01:26:59.123456Z``; None for n/a."""
    match = _STAMP.match(text)
    return f"{match.group(1)}T{match.group(2)}{match.group(3) or ''}Z" if match else None


class TimerItem(t.NamedTuple):
    """One ``On*=`` of a timer as ``TimersCalendar`` and ``TimersMonotonic`` print it."""

    directive: str
    value: str
    next_elapse: str


def timer_items(values: t.Iterable[str]) -> list[TimerItem]:
    """``{ OnCalendar=*-*-* 06:00:00 ; next_elapse=... }`` -> items; ``OnBootUSec=`` gets its name of unit files."""
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

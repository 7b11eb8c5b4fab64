# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks the results of ``unit_info`` and ``unit_lint`` from one host before they become part of the report.

A host is not trusted: it can return anything. A value of the wrong type is left out and described, numbers and lengths
are limited, and a text that is not Unicode is escaped, so that no host can break or bloat the report of the others.
"""

from __future__ import annotations

import itertools
import math
import re
import typing as t

from ..module_utils._lint.values import looks_secret
from ._report_graph import INCOMING, OUTGOING

MAX_UNITS = 5000
MAX_FINDINGS = 5000
MAX_ITEMS = 2000  # of any other list
MAX_SIZE = 20_000_000  # characters of all values of one host; a number or an item counts as eight
MAX_NUMBER = 2**63
MAX_PROBLEMS = 5  # that are described
_ITEM_SIZE = 8
# NAME=value, with blanks or a continued line around the sign, and --name value.
_ASSIGNED = re.compile(
    r"""(?<![A-Za-z0-9_-])"""
    r"""(?:--?(?P<option>[A-Za-z][\w-]{0,100})(?:[ \t]*=|[ \t])|(?P<name>[A-Za-z][\w-]{0,100})[ \t]*=)"""
    r"""(?=(?:[ \t]|\\\n)*["']?(?P<value>[^\s"']*))"""
)
_REST_OF_LINE = re.compile(r"[^\n]*(?:(?<=\\)\n[^\n]*)*")
_IN_ADDRESS = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)")
_MAY_BE_SECRET = re.compile("pass|pwd|secret|token|key|credential|://", re.IGNORECASE)

Shape = t.Callable[["HostReader", t.Any, str], t.Any]


class HostReader:
    """Checks values of one host and collects what is wrong with them.

    :ivar problems: descriptions of the first problems.
    :ivar count: number of all problems.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.count = 0
        self._size = 0

    def problem(self, where: str, what: str) -> None:
        """Note that the value at ``where`` is not valid."""
        self.count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{where[:200]} {what}")

    def spend(self, size: int) -> None:
        """Count the size of a value.

        :raises TooLarge: the values of this host exceed ``MAX_SIZE``.
        """
        self._size += size
        if self._size > MAX_SIZE:
            raise TooLarge

    def summary(self) -> str:
        """All problems in one text; empty if there are none."""
        if not self.count:
            return ""
        more = f" and {self.count - len(self.problems)} more" if self.count > len(self.problems) else ""
        return f"the answer is not valid: {'; '.join(self.problems)}{more}"


class TooLarge(Exception):
    """The answer of a host is larger than ``MAX_SIZE``."""


# --- shapes -----------------------------------------------------------------------------------------------------------


def text(limit: int) -> Shape:
    """A text, cut after ``limit`` characters."""

    def read(reader: HostReader, value: t.Any, where: str) -> str | None:
        if not isinstance(value, str):
            return _wrong(reader, value, where, "text")
        value = value if len(value) <= limit else value[:limit] + " [cut]"
        reader.spend(_ITEM_SIZE + len(value))
        return without_secrets(value.encode("utf-8", "backslashreplace").decode())

    return read


def without_secrets(value: str) -> str:
    """A text without what is assigned to names such as ``DB_PASSWORD``: in a diff, a wrong line, a log, an argument.

    Where such a value ends, only the quoting can tell, of which a host may send any: the rest of the line goes with it.
    """
    if not _MAY_BE_SECRET.search(value):
        return value
    parts, end = [], 0
    for match in _ASSIGNED.finditer(value):
        name = (match["option"] or match["name"]).replace("-", "_")
        if match.start() >= end and looks_secret(name, match["value"]):
            parts += [value[end : match.start("value")], "********"]
            end = _REST_OF_LINE.match(value, match.start("value")).end()
    return _IN_ADDRESS.sub(r"\1********", "".join([*parts, value[end:]]))


def number(reader: HostReader, value: t.Any, where: str) -> float | None:
    """A number that JSON can represent."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _wrong(reader, value, where, "a number")
    if not math.isfinite(value) if isinstance(value, float) else abs(value) > MAX_NUMBER:
        return _wrong(reader, value, where, "a number in range")
    reader.spend(_ITEM_SIZE)
    return value


def flag(reader: HostReader, value: t.Any, where: str) -> bool | None:
    """A boolean."""
    return value if isinstance(value, bool) else _wrong(reader, value, where, "a boolean")


def scalar(reader: HostReader, value: t.Any, where: str) -> str | float | None:
    """A number or a short text."""
    return NAME(reader, value, where) if isinstance(value, str) else number(reader, value, where)


def list_of(shape: Shape, limit: int = MAX_ITEMS) -> Shape:
    """A list of values of one shape; items that are not valid are left out."""

    def read(reader: HostReader, value: t.Any, where: str) -> list[t.Any] | None:
        if isinstance(value, (str, bytes)) or not isinstance(value, t.Sequence):
            return _wrong(reader, value, where, "a list")
        _note_limit(reader, value, where, limit)
        items = []
        for position, item in enumerate(value[:limit]):
            reader.spend(_ITEM_SIZE)
            if item is None:
                reader.problem(f"{where}[{position}]", "is null")
                continue
            items.append(shape(reader, item, f"{where}[{position}]"))
        return [item for item in items if item is not None]

    return read


def fields(required: t.Sequence[str] = (), **shapes: Shape) -> Shape:
    """A mapping with these keys; other keys are left out, a missing or null one is None.

    :param required: a mapping without one of these is not valid.
    """

    def read(reader: HostReader, value: t.Any, where: str) -> dict[str, t.Any] | None:
        if not isinstance(value, t.Mapping):
            return _wrong(reader, value, where, "a mapping")
        found: dict[str, t.Any] = {}
        for key, shape in shapes.items():
            given = value.get(key)
            found[key] = None if given is None else shape(reader, given, f"{where}.{key}")
        missing = [key for key in required if found[key] is None]
        if missing:
            reader.problem(where, f"has no valid {missing[0]}")
            return None
        return found

    return read


def mapping_of(shape: Shape, limit: int = MAX_ITEMS) -> Shape:
    """A mapping from names to values of one shape; what is not valid is left out."""

    def read(reader: HostReader, value: t.Any, where: str) -> dict[str, t.Any] | None:
        if not isinstance(value, t.Mapping):
            return _wrong(reader, value, where, "a mapping")
        _note_limit(reader, value, where, limit)
        found = {}
        for key, item in itertools.islice(value.items(), limit):
            name = NAME(reader, key, f"{where}: a name")
            given = None if name is None else shape(reader, item, f"{where}.{name!a}")
            if given is not None:
                found[name] = given
        return found

    return read


def _note_limit(reader: HostReader, value: t.Sized, where: str, limit: int) -> None:
    if len(value) > limit:
        reader.problem(where, f"has {len(value)} items, more than {limit}")


def _wrong(reader: HostReader, value: t.Any, where: str, wanted: str) -> None:
    reader.problem(where, f"is not {wanted} ({type(value).__name__})")


NAME = text(300)  # a unit name has at most 255 characters
LINE = text(4000)
LONG = text(20_000)
_NAMES = list_of(NAME)
_DEPENDENCIES = [*OUTGOING, *INCOMING, "falls_with"]

_STATE = fields(
    description=LINE,
    fragment_path=LINE,
    load_state=NAME,
    active_state=NAME,
    sub_state=NAME,
    unit_file_state=NAME,
    result=NAME,
    exec_main_code=scalar,
    exec_main_status=scalar,
    n_restarts=number,
    need_daemon_reload=flag,
    timer=fields(
        next_elapse=NAME,
        last_trigger=NAME,
        settings=list_of(fields(required=("directive", "value"), directive=NAME, value=LINE)),
    ),
    listen=list_of(fields(address=LINE, type=NAME)),
)
_UNIT = fields(
    required=("name", "exists"),
    name=NAME,
    id=NAME,
    exists=flag,
    origin=NAME,
    state=_STATE,
    security=fields(
        exposure=number,
        level=NAME,
        points=list_of(fields(required=("setting", "exposure"), setting=LINE, exposure=number, description=LINE)),
    ),
    dependencies=fields(**dict.fromkeys(_DEPENDENCIES, _NAMES)),
    drift=list_of(fields(required=("what",), what=NAME, path=LINE, message=LINE, diff=LONG)),
    journal=list_of(fields(time=NAME, priority=scalar, message=LINE), 100),
    restarts=list_of(NAME),
)
_FINDING = fields(
    rule=NAME,
    severity=NAME,
    unit=NAME,
    path=LINE,
    line=number,
    section=NAME,
    directive=NAME,
    value=LINE,
    message=LINE,
    hint=LINE,
    source=NAME,
)


_GENERATION = fields(
    required=("number",),
    number=number,
    time=NAME,
    by=NAME,
    current=flag,
    units=_NAMES,
    files=list_of(LINE),
    actions=list_of(fields(required=("action",), action=NAME, unit=NAME, reason=LINE)),
)
_QUEUES = fields(
    required=("queues",),
    queues=mapping_of(fields(waiting=number, running=number, delayed=number, failed=number)),
)


class Answer(t.NamedTuple):
    """The valid part of what one host returned."""

    units: list[dict[str, t.Any]]
    queues: list[dict[str, t.Any]]
    findings: list[dict[str, t.Any]]
    generations: dict[str, list[dict[str, t.Any]]]
    systemd_version: float | None
    problem: str  # what was not valid


def problem_text(*problems: t.Any) -> str:
    """The problems of one host as one short text; empty if there are none."""
    reader = HostReader()
    found = [
        LINE(reader, problem if isinstance(problem, str) else ascii(problem), "") for problem in problems if problem
    ]
    return "; ".join(str(text) for text in found)


def read(info: t.Any, lint: t.Any, status: t.Any = None) -> Answer:
    """Check the results of one host.

    :param info: result of ``unit_info``.
    :param lint: result of ``unit_lint``.
    :param status: ``worker_status`` of the role worker; None when its jobs were not counted.
    """
    reader = HostReader()
    units: list[dict[str, t.Any]] = []
    queues: list[dict[str, t.Any]] = []
    findings: list[dict[str, t.Any]] = []
    generations: dict[str, list[dict[str, t.Any]]] = {}
    version = None
    try:
        version = _part(reader, lint, "systemd_version", number)
        findings = _findings(reader, "lint", lint)
        known = {(finding["path"], finding["line"]) for finding in findings}
        findings += [f for f in _findings(reader, "info", info) if (f["path"], f["line"]) not in known]
        generations = _part(reader, info, "generations", mapping_of(list_of(_GENERATION)), "info") or {}
        counted = None if status is None else _QUEUES(reader, status, "worker_status")
        queues = [{"name": name, **numbers} for name, numbers in (counted or {"queues": {}})["queues"].items()]
        for name, unit in _units(reader, info):
            found = _UNIT(reader, unit, name)
            if found is not None:
                units.append(found)
    except TooLarge:
        reader.problem("the answer", f"has more than {MAX_SIZE} characters; the rest is left out")
    return Answer(units, queues, findings, generations, version, reader.summary())


def _findings(reader: HostReader, where: str, result: t.Any) -> list[dict[str, t.Any]]:
    return _part(reader, result, "findings", list_of(_FINDING, MAX_FINDINGS), where) or []


def _units(reader: HostReader, info: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    units = info.get("units") if isinstance(info, t.Mapping) else None
    if units is None:
        return
    if not isinstance(units, t.Mapping):
        _wrong(reader, units, "units", "a mapping")
        return
    _note_limit(reader, units, "units", MAX_UNITS)
    for name, unit in itertools.islice(units.items(), MAX_UNITS):
        yield f"unit {ascii(name)[:300]}", unit


def _part(reader: HostReader, result: t.Any, key: str, shape: Shape, where: str = "lint") -> t.Any:
    value = result.get(key) if isinstance(result, t.Mapping) else None
    return None if value is None else shape(reader, value, f"{where}.{key}")

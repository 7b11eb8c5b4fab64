# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``unitcraft calendar``: a calendar event as systemd writes it, and the moments at which it comes."""

from __future__ import annotations

import argparse
import datetime

from ._values.calendar import CalendarSpec, Range, parse_calendar
from .errors import InputError

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_SECOND = 1_000_000


def run(options: argparse.Namespace) -> int:
    """Print the event's normalised form and its next moments."""
    if options.iterations < 0:
        raise InputError(f"--iterations: {options.iterations} is less than 0")
    try:
        event = parse_calendar(options.event)
    except ValueError as error:
        raise InputError(f"'{options.event}' is not a calendar event: {error}") from None
    print(f"Normalised: {normalised(event)}")
    moment = _now(event) if options.after is None else _read_time(options.after)
    zone = event.timezone or "local time"
    for number in range(options.iterations):
        following = event.next_elapse(moment)
        if following is None:
            print("Never" if number == 0 else "Never again")
            break
        moment = following
        seconds = f"{moment:%S}" + (f".{moment.microsecond:06}" if moment.microsecond else "")
        print(f"{_DAYS[moment.weekday()]} {moment:%Y-%m-%d %H:%M}:{seconds} {zone}")
    conflict = event.weekday_conflict()
    if conflict:
        print(f"The date is a {conflict}: the event never comes")
    return 0


def _now(event: CalendarSpec) -> datetime.datetime:
    """Now, in the time zone of the event."""
    if not event.timezone:
        return datetime.datetime.now()
    import zoneinfo

    try:
        zone = zoneinfo.ZoneInfo(event.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"this machine does not know the time zone {event.timezone}; give --after") from None
    return datetime.datetime.now(zone).replace(tzinfo=None)


def _read_time(text: str) -> datetime.datetime:
    for form in _FORMATS:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    raise InputError(f"--after: '{text}' is not a time; write YYYY-MM-DD HH:MM:SS")


def normalised(event: CalendarSpec) -> str:
    """The event as systemd writes it (``calendar_spec_to_string()`` of calendarspec.c)."""
    days = f"{_weekdays(event.weekdays)} " if event.weekdays else ""
    date = f"{_chain(event.year, 4)}-{_chain(event.month)}{'~' if event.end_of_month else '-'}{_chain(event.day)}"
    time = f"{_chain(event.hour)}:{_chain(event.minute)}:{_chain(event.microsecond, 2, _SECOND)}"
    zone = f" {event.timezone}" if event.timezone else ""
    return f"{days}{date} {time}{zone}"


def _weekdays(bits: int) -> str:
    """Runs of three days and more get two dots."""
    groups: list[list[int]] = []
    for day in (day for day in range(7) if bits >> day & 1):
        if groups and groups[-1][-1] == day - 1:
            groups[-1].append(day)
        else:
            groups.append([day])
    names = [("..".join if len(group) > 2 else ",".join)(_ends(group)) for group in groups]
    return ",".join(names)


def _ends(group: list[int]) -> list[str]:
    return [_DAYS[group[0]]] + [_DAYS[group[-1]]] * (len(group) > 1)


def _chain(chain: list[Range] | None, width: int = 2, unit: int = 1) -> str:
    if chain is None or (unit > 1 and any(item == (0, -1, unit) for item in chain)):
        return "*"
    return ",".join(_item(item, width, unit) for item in chain)


def _item(item: Range, width: int, unit: int) -> str:
    written = _number(item.start, width, unit)
    if item.stop > 0:
        written += f"..{_number(item.stop, width, unit)}"
    if item.repeat > 0 and not (item.stop > 0 and item.repeat == unit):
        written += f"/{_number(item.repeat, 0, unit)}"
    return written


def _number(value: int, width: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    return f"{whole:0{width}}" + (f".{rest:06}" if rest else "")

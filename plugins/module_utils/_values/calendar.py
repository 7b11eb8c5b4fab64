# SPDX-License-Identifier: GPL-3.0-or-later

"""Calendar events: ``Mon..Fri 08:00`` (systemd.time(7), "Calendar Events"; ``calendarspec.c`` of 247 to 262)."""

from __future__ import annotations

import datetime
import re
import typing as t

from .base import Context, Grammars, empty_or, expand
from .numbers import INT_MAX, decimal, parse_span

_SHORTHANDS = {
    word: event
    for words, event in {
        "minutely": "*-*-* *:*:00",
        "hourly": "*-*-* *:00:00",
        "daily": "*-*-* 00:00:00",
        "monthly": "*-*-01 00:00:00",
        "weekly": "Mon *-*-* 00:00:00",
        "yearly annually anually": "*-01-01 00:00:00",
        "quarterly": "*-01,04,07,10-01 00:00:00",
        "semiannually semi-annually biannually bi-annually": "*-01,07-01 00:00:00",
    }.items()
    for word in words.split()
}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY = f"({'|'.join(f'{day[:3]}(?:{day[3:]})?' for day in _WEEKDAYS)})(?=[-., ]|$)"
_DAYS = re.compile(rf"{_DAY}(?:(?:-|\.\.){_DAY})?", re.IGNORECASE)
_DAY_NAMES = [day[:3].lower() for day in _WEEKDAYS]
_COMPONENTS_MAX = 240
_LAST_YEAR = 2199
_SECOND = 1_000_000
# systemd looks the zone up on the target. Here: the areas of the time zone database, and its names without an area.
_TIMEZONE = re.compile(
    "(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific"
    r"|US|posix|right)(?:/[A-Za-z0-9_+-]+)+|[A-Z]{3,4}|CST6CDT|Cuba|EST5EDT|Egypt|Eire|Factory|GB|GB-Eire|GMT[+-]?0"
    "|Greenwich|Hongkong|Iceland|Iran|Israel|Jamaica|Japan|Kwajalein|Libya|MST7MDT|NZ|NZ-CHAT|Navajo|PST8PDT|Poland"
    "|Portugal|Singapore|Turkey|Universal|W-SU|Zulu"
)
_NUMBER = re.compile("[0-9]+")
_FRACTION = re.compile(r"\.(?=[^.])([0-9]+)")


class Range(t.NamedTuple):
    """``start``, ``start..stop`` or ``start/repeat`` of one component; seconds count in microseconds."""

    start: int
    stop: int  # -1: no end
    repeat: int  # 0: start alone


class CalendarSpec:
    """A calendar event. Each component is None (every value) or a list of Range.

    :ivar weekdays: bit 0 is Monday; 0 stands for every day.
    :ivar end_of_month: days count from the last one of the month.
    :ivar timezone: its name, ``UTC``, or empty for the local one.
    """

    __slots__ = ("day", "end_of_month", "hour", "microsecond", "minute", "month", "timezone", "weekdays", "year")

    def __init__(self) -> None:
        self.weekdays = 0
        self.end_of_month = False
        self.timezone = ""
        self.year: list[Range] | None = None
        self.month: list[Range] | None = None
        self.day: list[Range] | None = None
        self.hour: list[Range] | None = None
        self.minute: list[Range] | None = None
        self.microsecond: list[Range] | None = None

    def weekday_conflict(self) -> str:
        """The weekday of the one fixed date of this event when the event asks for another, or nothing."""
        parts = (self.year, self.month, self.day)
        if not self.weekdays or self.end_of_month or any(part is None or len(part) > 1 for part in parts):
            return ""
        fixed = [part[0] for part in parts if part is not None]
        if any(part.repeat for part in fixed):
            return ""
        try:
            day = datetime.date(fixed[0].start, fixed[1].start, fixed[2].start).weekday()
        except ValueError:
            return ""
        return "" if self.weekdays >> day & 1 else _WEEKDAYS[day]

    def next_elapse(self, after: datetime.datetime) -> datetime.datetime | None:
        """The first moment later than ``after`` (in the event's own time zone), or None when there is none.

        Changes to and from summer time are not looked at.
        """
        after = after.replace(tzinfo=None)
        for year in _values(self.year, 1970, _LAST_YEAR):
            if year < after.year:
                continue
            for month in _values(self.month, 1, 12):
                if (year, month) < (after.year, after.month):
                    continue
                for day in self._days(year, month):
                    if datetime.date(year, month, day) < after.date():
                        continue
                    found = self._time_of_day(datetime.datetime(year, month, day), after)
                    if found is not None:
                        return found
        return None

    def _days(self, year: int, month: int) -> list[int]:
        last = (datetime.date(year + month // 12, month % 12 + 1, 1) - datetime.timedelta(days=1)).day
        if self.end_of_month:
            days = sorted(last + 1 - day for day in _values(self.day, 1, 31, down=True) if day <= last)
        else:
            days = [day for day in _values(self.day, 1, 31) if day <= last]
        return [
            day for day in days if not self.weekdays or self.weekdays >> datetime.date(year, month, day).weekday() & 1
        ]

    def _time_of_day(self, day: datetime.datetime, after: datetime.datetime) -> datetime.datetime | None:
        for hour in _values(self.hour, 0, 23):
            for minute in _values(self.minute, 0, 59):
                moment = day.replace(hour=hour, minute=minute)
                if moment + datetime.timedelta(minutes=1) <= after:
                    continue
                least = max(0, (after - moment) // datetime.timedelta(microseconds=1) + 1)
                offset = _first(self.microsecond, least, 60 * _SECOND - 1)
                if offset is not None:
                    return moment + datetime.timedelta(microseconds=offset)
        return None


def _values(chain: list[Range] | None, low: int, high: int, down: bool = False) -> list[int]:
    # Counting from the end of the month, / goes down to its first day.
    if chain is None:
        return list(range(low, high + 1))
    found: set[int] = set()
    for item in chain:
        if not item.repeat:
            found.add(item.start)
        elif down and item.stop < 0:
            found.update(range(item.start, low - 1, -item.repeat))
        else:
            found.update(range(item.start, (item.stop if item.stop >= 0 else high) + 1, item.repeat))
    return sorted(found)


def _first(chain: list[Range] | None, least: int, high: int) -> int | None:
    found = []
    for item in chain or []:
        value = item.start
        if value < least and item.repeat:
            value += -(-(least - value) // item.repeat) * item.repeat
        if least <= value <= (item.stop if item.stop >= 0 else high):
            found.append(value)
    return min(found) if found else None


def parse_calendar(text: str) -> CalendarSpec:
    """Read a calendar event.

    A last word that has the form of a time zone's name counts as one: only the target knows whether it has that zone.

    :raises ValueError: with the reason, when systemd refuses it.
    """
    spec = CalendarSpec()
    text = _cut_timezone(text, spec)
    if not text:
        raise ValueError("a calendar event is missing")
    reader = _EventReader(_SHORTHANDS.get(text.lower(), text))
    reader.weekdays(spec)
    if not reader.date(spec):
        reader.time(spec)
    if not reader.at_end():
        raise reader.wrong("expected at the end")
    _normalise(spec)
    return spec


def _cut_timezone(text: str, spec: CalendarSpec) -> str:
    if text[-4:].upper() == " UTC":
        spec.timezone = "UTC"
        return text[:-4]
    front, blank, last = text.rpartition(" ")
    if blank and not _DAYS.fullmatch(last) and _TIMEZONE.fullmatch(last):
        spec.timezone = last
        return front
    return text


class _EventReader:
    """Reads the parts of an event from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def wrong(self, what: str) -> ValueError:
        return ValueError(f"'{self.text[self.position : self.position + 30]}' is not {what}")

    def peek(self, count: int = 1) -> str:
        return self.text[self.position : self.position + count]

    def skip_blanks(self) -> None:
        while self.peek() == " ":
            self.position += 1

    def weekdays(self, spec: CalendarSpec) -> None:
        while True:
            match = _DAYS.match(self.text, self.position)
            if match is None:
                if self.position or re.match("(?i)mon|tue|wed|thu|fri|sat|sun", self.text):
                    raise self.wrong("a weekday: write Mon, Tue, Wed, Thu, Fri, Sat or Sun")
                return
            first, last = (_DAY_NAMES.index((day or match.group(1))[:3].lower()) for day in match.groups())
            if first > last:
                raise ValueError("a range of weekdays must not run over Sunday: write Sat,Sun,Mon or two ranges")
            spec.weekdays |= (2 << last) - (1 << first)
            self.position = match.end()
            if self.peek() not in ("", " ", ","):
                raise self.wrong("part of a list of weekdays: write Mon,Wed or Mon..Fri")
            self.position += self.peek() == ","
            if self.at_end() or self.peek() == " ":
                self.skip_blanks()
                return

    def date(self, spec: CalendarSpec) -> bool:
        # Returns true when no time can follow.
        if self.at_end():
            return False
        if self.peek() == "@":
            return self._unix_time(spec)
        start = self.position
        first = self.chain()
        if self.at_end() or self.peek() == ":":
            self.position = start  # no date, this is the time
            return False
        spec.end_of_month = self._date_separator()
        second = self.chain()
        if self.at_end() or self.peek() == " ":
            spec.month, spec.day = first, second
            self.skip_blanks()
            return False
        if spec.end_of_month:
            raise ValueError("a ~ stands before the day only")
        spec.end_of_month = self._date_separator()
        third = self.chain()
        if not self.at_end() and self.peek() != " ":
            raise self.wrong("part of a date")
        spec.year, spec.month, spec.day = first, second, third
        self.skip_blanks()
        return False

    def _date_separator(self) -> bool:
        if self.peek() not in ("-", "~"):
            raise self.wrong("part of a date: write year-month-day")
        self.position += 1
        return self.text[self.position - 1] == "~"

    def _unix_time(self, spec: CalendarSpec) -> bool:
        match = re.compile(r"[ \t\n\r\v\f]*\+?([0-9]+)").match(self.text, self.position + 1)
        if match is None:
            raise ValueError("seconds since 1970 are missing after @")
        seconds = decimal(match.group(1), 2**33)
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        self.position = match.end()
        spec.timezone = "UTC"
        spec.year, spec.month, spec.day = ([Range(part, -1, 0)] for part in (moment.year, moment.month, moment.day))
        spec.hour, spec.minute = [Range(moment.hour, -1, 0)], [Range(moment.minute, -1, 0)]
        spec.microsecond = [Range(moment.second * _SECOND, -1, 0)]
        return True

    def time(self, spec: CalendarSpec) -> None:
        midnight = [Range(0, -1, 0)]
        if self.at_end():
            spec.hour = spec.minute = spec.microsecond = midnight
            return
        spec.hour = self.chain()
        if self.peek() != ":":
            raise ValueError("the time lacks its minutes: write hour:minute")
        self.position += 1
        spec.minute = self.chain()
        if self.at_end():
            spec.microsecond = midnight
            return
        if self.peek() != ":":
            raise self.wrong("part of a time: write hour:minute:second")
        self.position += 1
        spec.microsecond = self.chain(seconds=True)

    def chain(self, seconds: bool = False) -> list[Range] | None:
        if self.peek() == "*":
            self.position += 1
            return [Range(0, -1, _SECOND)] if seconds else None
        items: list[Range] = []
        while True:
            items.append(self._range(seconds))
            if len(items) > _COMPONENTS_MAX + 1:
                raise ValueError(f"a list in a calendar event has at most {_COMPONENTS_MAX} items")
            if self.peek() != ",":
                return items
            self.position += 1

    def _range(self, seconds: bool) -> Range:
        start = self._number(seconds)
        stop, repeat = -1, 0
        if self.peek(2) == "..":
            self.position += 2
            stop = self._number(seconds)
            repeat = _SECOND if seconds else 1
        if self.peek() == "/":
            self.position += 1
            repeat = self._number(seconds)
            if not repeat:
                raise ValueError("the step after / must not be 0")
        elif start > INT_MAX - repeat:
            raise ValueError("a number is too large")
        elif seconds and stop >= 0 and start + repeat > stop:
            raise ValueError("a range of seconds must cover a whole second")
        if self.peek() not in ("", " ", ",", "-", "~", ":"):
            raise self.wrong("part of a calendar event")
        return Range(start, stop, repeat)

    def _number(self, seconds: bool) -> int:
        match = _NUMBER.match(self.text, self.position)
        if match is None:
            raise self.wrong("a number")
        self.position = match.end()
        value = decimal(match.group(), INT_MAX)
        if seconds:
            value *= _SECOND
            if self.peek() == "." and self.peek(2) != "..":
                fraction = _FRACTION.match(self.text, self.position)
                if fraction is None:
                    raise ValueError("digits are missing after the point")
                digits = fraction.group(1)
                value += int(digits[:6].ljust(6, "0")) + (1 if digits[6:7] >= "5" else 0)
                self.position = fraction.end()
            if value > INT_MAX:
                raise ValueError("a number is too large")
        return value


def _normalise(spec: CalendarSpec) -> None:
    if spec.weekdays == 127:
        spec.weekdays = 0
    if spec.day is None:
        spec.end_of_month = False
    if spec.year is not None:
        spec.year = [Range(_full_year(item.start), _full_year(item.stop), item.repeat) for item in spec.year]
    limits = (
        ("year", 1970, _LAST_YEAR), ("month", 1, 12), ("day", 1, 31),
        ("hour", 0, 23), ("minute", 0, 59), ("microsecond", 0, 60 * _SECOND - 1),
    )  # a table  # fmt: skip
    for name, low, high in limits:
        chain = getattr(spec, name)
        if chain is None:
            continue
        chain = sorted({_shortened(item) for item in chain})
        setattr(spec, name, chain)
        from_end = name == "day" and spec.end_of_month
        for item in chain:
            if not _in_bounds(item, low, high, from_end):
                raise ValueError(f"the {'second' if name == 'microsecond' else name} is out of range")


def _full_year(year: int) -> int:
    # 12 stands for 2012, 89 for 1989.
    if 0 <= year < 70:
        return year + 2000
    return year + 1900 if 70 <= year < 100 else year


def _shortened(item: Range) -> Range:
    start, stop, repeat = item
    if stop > start and repeat > 0:
        stop -= (stop - start) % repeat
    if (stop > start and repeat > 0 and start + repeat > stop) or start == stop:
        return Range(start, -1, 0)
    return Range(start, stop, repeat)


def _in_bounds(item: Range, low: int, high: int, end_of_month: bool) -> bool:
    if end_of_month:
        high -= 3  # only 28 days are sure
    if not low <= item.start <= high or item.repeat > high - low:
        return False
    if item.stop >= 0:
        return low <= item.stop <= high and item.start + item.repeat <= item.stop
    if end_of_month:
        return item.start - item.repeat >= low
    return item.start + item.repeat <= high


def _timer(text: str, c: Context) -> None:
    text = expand(text, c)
    if c.name != "OnCalendar":
        parse_span(text, "s", c.release)
        return
    conflict = parse_calendar(text).weekday_conflict()
    if conflict and c.release >= 262:
        raise ValueError(f"the date is a {conflict}, so the event never comes")


GRAMMARS: Grammars = {
    "timer": (empty_or(_timer), "a time such as 15min (OnCalendar=: Mon..Fri 08:00 or daily)"),
}

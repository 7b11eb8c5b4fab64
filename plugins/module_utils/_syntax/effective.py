# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the settings of a unit come to once systemd has read them all, and what differs between two such texts."""

from __future__ import annotations

import re
import typing as t

from .. import _catalog, _model
from .commands import parse_exec
from .text import WHITESPACE, UnitSyntaxError
from .words import word_reader

# Directives that fill one list together, so that the order between them counts: the order of a socket unit's file
# descriptors, and the data for standard input.
_SHARED_LISTS = {
    ("Socket", "Listen"): re.compile(
        "Listen(Stream|Datagram|SequentialPacket|FIFO|Special|Netlink|MessageQueue|USBFunction)$"
    ),
    ("", "StandardInput"): re.compile("StandardInput(Text|Data)$"),
}
_NO_BLANKS = re.compile(f"[^{WHITESPACE}]+")


class Meaning(t.NamedTuple):
    """What one directive says in the end."""

    values: tuple[str, ...]  # as written, without those that a reset or a later value made void
    sense: tuple[t.Any, ...]  # the same for comparing: spacing and the spread over lines taken away


def normalise(settings: t.Iterable[_model.Setting], dropin: bool = False) -> dict[tuple[str, str], Meaning]:
    """What settings mean, for comparing two texts: order of different directives, spacing and comments are gone.

    :param dropin: the settings are those of a drop-in alone: a reset at the front clears what the unit had, so it
        counts. In a fragment there is nothing to clear.
    :returns: one Meaning for each (section, directive), in order of first appearance. ``X-`` names are left out.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    shared: dict[tuple[str, str], list[str]] = {}
    for setting in settings:
        if setting.section.startswith("X-") or setting.directive.startswith("X-"):
            continue
        groups.setdefault((setting.section, setting.directive), []).append(setting.value)
        for (section, label), pattern in _SHARED_LISTS.items():
            if section in ("", setting.section) and pattern.match(setting.directive):
                shared.setdefault((setting.section, label + "*"), []).append(setting.directive)
    found = {key: _meaning(key, values, dropin) for key, values in groups.items()}
    for key, names in shared.items():
        if len(set(names)) > 1:
            found[key] = Meaning(tuple(names), tuple(names))
    return {key: meaning for key, meaning in found.items() if meaning.values}


def _meaning(key: tuple[str, str], values: list[str], dropin: bool) -> Meaning:
    joins = _catalog.joins_of(*key)
    if joins == "single":
        kept = values[-1:]
    elif joins == "deps":
        kept = [value for value in values if value]  # nothing resets a dependency
    else:
        last = max((number for number, value in enumerate(values) if not value), default=-1)
        kept = values[last:] if last >= 0 and dropin else values[last + 1 :]
    if not dropin and kept == [""]:
        kept = []
    return Meaning(tuple(kept), _sense(joins, kept))


def _sense(joins: str, values: t.Sequence[str]) -> tuple[t.Any, ...]:
    if joins == "exec":
        return tuple(_command_sense(value) for value in values)
    if joins not in ("words", "deps") or any(value.startswith("~") for value in values):
        return tuple(values)
    words: list[str] = []
    for value in values:
        # Quotes and escapes stay: two ways to quote one word count as a change, which is on the safe side.
        found = raw_words(value) if joins == "deps" else quoted_words(value)
        if found is None:
            return tuple(values)
        words.extend(found or [""])
    return tuple(words)


def _command_sense(value: str) -> t.Any:
    try:
        return tuple((command.prefixes, command.path, tuple(command.argv)) for command in parse_exec(value, True))
    except UnitSyntaxError:
        return value


def same_meaning(ours: t.Iterable[_model.Setting], theirs: t.Iterable[_model.Setting], dropin: bool = False) -> bool:
    """Whether systemd gets the same unit from both."""
    return not changed_settings(ours, theirs, dropin)


def changed_settings(
    old: t.Iterable[_model.Setting], new: t.Iterable[_model.Setting], dropin: bool = False
) -> list[tuple[str, str, list[str], list[str]]]:
    """The directives whose meaning differs.

    :returns: list of ``(section, directive, old values, new values)``, those of ``new`` first, then the removed ones.
        A changed order between directives that fill one list shows as ``Listen*`` or ``StandardInput*``.
    """
    before, after = normalise(old, dropin), normalise(new, dropin)
    nothing = Meaning((), ())
    changes = []
    for key in [*after, *(key for key in before if key not in after)]:
        was, now = before.get(key, nothing), after.get(key, nothing)
        if was.sense != now.sense:
            changes.append((key[0], key[1], list(was.values), list(now.values)))
    return changes


def raw_words(value: str) -> list[str]:
    """The words between what systemd calls blank, quotes and escapes untouched. ``str.split()`` knows more blanks."""
    return _NO_BLANKS.findall(value)


def quoted_words(value: str) -> list[str] | None:
    """The words of a value whose words may be quoted, as they stand; None when a quote is not closed."""
    if not re.search("[\"'\\\\]", value):
        return raw_words(value)
    reader = word_reader(WHITESPACE, True, False, False, False, False, True)
    words: list[str] = []
    pos = 0
    while True:
        start = pos
        try:
            word, pos = reader.word(value, pos)
        except UnitSyntaxError:
            return None
        if word is None:
            return words
        words.append(value[start : len(value) if pos < 0 else pos].strip(WHITESPACE))

# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between two texts once systemd has read them: order, spacing and comments are gone."""

from __future__ import annotations

import re
import typing as t

from .._model import Setting
from .commands import parse_exec
from .effective import Key, effective
from .words import UnitSyntaxError, quoted_words, raw_words

# Directives that fill one list together, so that the order between them counts: the order of a socket unit's file
# descriptors, and the data for standard input.
_SHARED_LISTS = {
    ("Socket", "Listen"): re.compile(
        "Listen(Stream|Datagram|SequentialPacket|FIFO|Special|Netlink|MessageQueue|USBFunction)$"
    ),
    ("", "StandardInput"): re.compile("StandardInput(Text|Data)$"),
}


class Meaning(t.NamedTuple):
    """What one directive says in the end."""

    values: tuple[str, ...]  # as written, without those that a reset or a later value made void
    normalized: tuple[t.Any, ...]  # the same for comparing: spacing and the spread over lines taken away


def meanings(settings: t.Iterable[Setting], dropin: bool = False) -> dict[Key, Meaning]:
    """What settings mean, by ``(section, directive)``, in order of first appearance. ``X-`` names are left out.

    :param dropin: the settings are those of a drop-in alone: a reset at the front clears what the unit had, so it
        counts. In a fragment there is nothing to clear.
    """
    counted = [s for s in settings if not s.section.startswith("X-") and not s.directive.startswith("X-")]
    found: dict[Key, Meaning] = {}
    alive: set[int] = set()
    for key, entry in effective(counted, dropin=dropin).items():
        alive.update(map(id, entry.settings))
        values = tuple(setting.value for setting in entry.settings)
        if values:
            found[key] = Meaning(values, _normalized(entry.joins, values))
    shared: dict[Key, list[str]] = {}
    for setting in counted:
        for (section, label), pattern in _SHARED_LISTS.items():
            if id(setting) in alive and section in ("", setting.section) and pattern.match(setting.directive):
                shared.setdefault((setting.section, f"{label}*"), []).append(setting.directive)
    found.update({key: Meaning(tuple(names), tuple(names)) for key, names in shared.items() if len(set(names)) > 1})
    return found


def _normalized(joins: str, values: tuple[str, ...]) -> tuple[t.Any, ...]:
    if joins == "exec":
        return tuple(_normalized_command(value) for value in values)
    if joins not in ("words", "deps") or any(value.startswith("~") for value in values):
        return values
    words: list[str] = []
    for value in values:
        # Quotes and escapes stay: two ways to quote one word count as a change, which is on the safe side.
        found = raw_words(value) if joins == "deps" else quoted_words(value)
        if found is None:
            return values
        words.extend(found or [""])
    return tuple(words)


def _normalized_command(value: str) -> t.Any:
    try:
        return tuple((command.prefixes, command.path, tuple(command.argv)) for command in parse_exec(value, True))
    except UnitSyntaxError:
        return value


def same_meaning(ours: t.Iterable[Setting], theirs: t.Iterable[Setting], dropin: bool = False) -> bool:
    """Whether systemd gets the same unit from both."""
    return not changed_settings(ours, theirs, dropin)


def changed_settings(
    old: t.Iterable[Setting], new: t.Iterable[Setting], dropin: bool = False
) -> list[tuple[str, str, list[str], list[str]]]:
    """The directives whose meaning differs.

    :returns: list of ``(section, directive, old values, new values)``, those of ``new`` first, then the removed ones.
        A changed order between directives that fill one list shows as ``Listen*`` or ``StandardInput*``.
    """
    before, after = meanings(old, dropin), meanings(new, dropin)
    nothing = Meaning((), ())
    changes = []
    for key in [*after, *(key for key in before if key not in after)]:
        was, now = before.get(key, nothing), after.get(key, nothing)
        if was.normalized != now.normalized:
            changes.append((key[0], key[1], list(was.values), list(now.values)))
    return changes

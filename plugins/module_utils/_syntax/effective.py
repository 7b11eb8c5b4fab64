# SPDX-License-Identifier: GPL-3.0-or-later

"""Which value wins: what the settings of a unit come to once systemd has read its fragment and its drop-ins.

How the assignments of one directive join is the catalogue's knowledge. Which directives one empty assignment resets
together is in systemd.unit(5), systemd.timer(5), systemd.path(5), systemd.socket(5) and systemd.exec(5).
"""

from __future__ import annotations

import typing as t

from .. import _catalog
from .._model import Setting, Unit
from .names import IN_UNIT_NAMES, expand_specifiers
from .words import raw_words

# Parsers whose directives form one list that an empty value of any of them clears.
_RESET_TOGETHER = frozenset(("timer", "path_spec", "socket_listen", "load_credential", "set_credential"))

Key = tuple[str, str]  # section, directive


class Effective(t.NamedTuple):
    """What one directive comes to."""

    joins: str  # as in the catalogue: single, lines, words, deps, colons, exec
    directive: _catalog.Directive | None  # None when systemd does not know it
    settings: list[Setting]  # those that count, in order
    overrode: list[Setting]  # those that a later value or a reset made void, in order
    ignored: list[Setting]  # those that never counted, in order

    def override(self) -> None:
        """Make void what has counted so far."""
        self.overrode.extend(self.settings)
        self.settings.clear()


def effective(
    settings: t.Iterable[Setting],
    release: int | None = None,
    taken: t.Callable[[_catalog.Directive, Setting], bool] | None = None,
    dropin: bool = False,
) -> dict[Key, Effective]:
    """The directives that were set at all, by ``(section, directive)``, in order of first appearance.

    A directive that was reset and not set again stays, with no settings. A renamed directive counts under its present
    name.

    :param settings: in the order in which systemd reads them.
    :param release: systemd's release as an integer; None means the newest.
    :param taken: says whether systemd takes a value; without it all are good but empty ones that reset nothing.
    :param dropin: the settings are those of a drop-in alone: a reset also clears what the fragment has, so it counts.
    """
    found: dict[Key, Effective] = {}
    families: dict[Key, list[Effective]] = {}  # what one empty assignment clears
    for setting in settings:
        known = _catalog.get(setting.section, setting.directive, release)
        key = (setting.section, _present_name(setting, known, release))
        entry = found.get(key)
        if entry is None:
            entry = found[key] = Effective(known.joins if known else "lines", known, [], [], [])
            families.setdefault(_family(key, known), []).append(entry)
        if known is not None and not (taken or _is_reset)(known, setting):
            entry.ignored.append(setting)
        elif setting.value:
            if entry.joins == "single":
                entry.override()
            entry.settings.append(setting)
        elif entry.joins == "deps":
            entry.ignored.append(setting)  # nothing resets a dependency
        else:
            for other in families[_family(key, known)]:
                other.override()
            if dropin:
                entry.settings.append(setting)
    return found


def _is_reset(known: _catalog.Directive, setting: Setting) -> bool:
    return known.empty_ok or bool(setting.value)


def _present_name(setting: Setting, known: _catalog.Directive | None, release: int | None) -> str:
    if known is not None and known.status == "renamed":
        section, _dot, name = known.successor.partition(".")
        successor = _catalog.get(section, name, release)
        # OnFailureIsolate= takes other values than OnFailureJobMode=, so they are not two names of one directive.
        if section == setting.section and successor is not None and successor.parser == known.parser:
            return name
    return setting.directive


def _family(key: Key, known: _catalog.Directive | None) -> Key:
    """The directives that an empty assignment to one of them clears: most often just the one."""
    section, name = key
    if known is not None and known.parser in _RESET_TOGETHER:
        return section, known.parser
    if known is not None and section == "Unit" and name.startswith(("Condition", "Assert")):
        return section, name[0]
    return key


# ------------------------------------------------------------------------------------------------- of a whole unit


def all_effective(unit: Unit) -> t.Mapping[Key, list[Setting]]:
    """The assignments that count, in order. A unit is read once; its settings may only grow."""
    if unit.index is None or unit.index[0] != len(unit.settings):
        found = effective(unit.settings)
        unit.index = (len(unit.settings), {key: entry.settings for key, entry in found.items()})
    return unit.index[1]


def effective_settings(unit: Unit, section: str, directive: str) -> t.Sequence[Setting]:
    """The assignments of a directive that count, in order."""
    return all_effective(unit).get((section, directive), ())


def last_setting(unit: Unit, section: str, directive: str) -> Setting | None:
    """The assignment that wins for a directive with one value; None when it is unset."""
    found = effective_settings(unit, section, directive)
    return found[-1] if found else None


def value_of(unit: Unit, section: str, directive: str, default: str = "") -> str:
    """The value that wins, or ``default``."""
    found = effective_settings(unit, section, directive)
    return found[-1].value if found else default


def is_set(unit: Unit, section: str, directives: t.Iterable[str]) -> bool:
    """Whether any of the directives is set to something."""
    return any(effective_settings(unit, section, directive) for directive in directives)


def unit_names_in(unit: Unit, section: str, directive: str) -> list[tuple[str, Setting]]:
    """The unit names that a directive lists, specifiers replaced, with the assignment of each."""
    return [
        (expand_specifiers(word, unit.name, IN_UNIT_NAMES), setting)
        for setting in effective_settings(unit, section, directive)
        for word in raw_words(setting.value)
    ]

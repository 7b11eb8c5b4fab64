# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `systemctl show` prints of a directive, compared with a value of unit_info.

`systemctl show` has its own terms: the number of a signal, a span in words, a list of capabilities in lower case. Each
rule brings our value and its text to the same neutral form: microseconds, bytes, a number, a set, a list of words.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.properties import split_list as split
from oracle import shown_lists, shown_values
from oracle.question import Facts, Question, property_of

_RULES = {**shown_values.RULES, **shown_lists.RULES}


def properties(block: str) -> dict[str, list[str]]:
    """The properties of one unit as `systemctl show` prints them."""
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in block.splitlines():
        match = re.match(r"([A-Za-z0-9]+)=(.*)", line)
        if match:
            last = found.setdefault(match.group(1), [])
            last.append(match.group(2))
        elif last:
            last[-1] += "\n" + line
    return found


def find(sections: t.Mapping[str, t.Mapping[str, t.Any]], section: str, directive: str) -> t.Any:
    """The value of a directive, which may stand under its present name."""
    found = sections.get(section, {})
    if directive in found:
        return found[directive]
    known = _catalog.get(section, directive)
    present = known.successor.partition(".")[2] if known else ""
    return found.get(present)


class Terms:
    """Compares values for one release.

    :param defaults: unit type -> properties of a unit that sets nothing.
    """

    def __init__(self, release: int, defaults: t.Mapping[str, t.Mapping[str, list[str]]], facts: Facts) -> None:
        self.release = release
        self.defaults = defaults
        self.facts = facts

    def wanted(self, section: str, name: str, theirs: t.Mapping[str, list[str]]) -> dict[str, list[str]]:
        """What `show` says of the directive."""
        directive = _catalog.get(section, name, self.release)
        assert directive is not None
        about = property_of(directive)
        return {key: theirs[key] for key in (about, about + "Soft", about + "Ex") if key in theirs}

    def equal(self, section: str, name: str, unit: str, ours: t.Any, theirs: t.Mapping[str, list[str]]) -> bool:
        """Whether our value is the one that systemd holds."""
        directive = _catalog.get(section, name, self.release)
        assert directive is not None
        about = property_of(directive)
        default = self.defaults[unit.rpartition(".")[2]]
        if ours is None or (ours == [] and name not in ("Delegate", "CapabilityBoundingSet")):
            return _same_default(directive.joins, theirs.get(about, [""]), default[about], default["Id"][0], unit)
        case = Question(directive, unit, self.release, self.facts, default, theirs)
        try:
            return _RULES.get(directive.parser, shown_lists.BY_JOINS.get(directive.joins, shown_values.same_text))(
                case, ours
            )
        except (ValueError, TypeError, LookupError):  # not a value of this kind
            return False


def _same_default(joins: str, theirs: list[str], default: list[str], plain: str, unit: str) -> bool:
    """Whether a property is that of a unit that sets nothing; the name of the unit may be in it."""
    if joins == "exec":
        return theirs == [""]
    if joins in ("words", "deps"):
        empty = ("", "~")
        of_instance = {"system.slice", f"system-{unit.partition('@')[0]}.slice"}
        differ = set(split(theirs[-1])) ^ set(split(default[-1]))
        return differ <= of_instance or (theirs[-1] in empty and default[-1] in empty)
    stem, own = plain.rpartition(".")[0], unit.rpartition(".")[0]
    return theirs in (default, [text.replace(stem, own) for text in default])

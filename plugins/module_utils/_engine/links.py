# SPDX-License-Identifier: GPL-3.0-or-later

"""The links that ``systemctl enable`` makes for [Install], and whom a link enables. No I/O."""

from __future__ import annotations

import posixpath
import typing as t

from .._graph.edges import INSTALL_DIRECTIVES, Edge
from .._model import File, Setting
from .._syntax.effective import effective
from .._syntax.names import (
    IN_UNIT_NAMES,
    expand_specifiers,
    has_other_specifiers,
    instance_name,
    is_template,
    split_unit_name,
    template_of,
)
from .._syntax.words import raw_words

MASK_TARGET = "/dev/null"
_KINDS = {f".{kind.lower()}": kind for kind in INSTALL_DIRECTIVES.values()}
LINK_FOLDERS = tuple(_KINDS)
_FOLDERS = {**{directive: f".{kind.lower()}" for directive, kind in INSTALL_DIRECTIVES.items()}, "Alias": ""}


def is_mask(file: File) -> bool:
    """Whether it is the link that ``systemctl mask`` makes."""
    return file.kind == "link" and file.target == MASK_TARGET


def install_links(unit: str, settings: t.Sequence[Setting]) -> set[str] | None:
    """The links that ``systemctl enable`` makes for a unit (systemd.unit(5), [INSTALL] SECTION OPTIONS).

    :returns: paths below the unit folder; None when a specifier is used that only systemd can resolve.
    """
    values = _install_values(settings)
    if is_template(unit):
        default = values.get("DefaultInstance")
        if default:
            unit = instance_name(unit, expand_specifiers(default[-1], unit, IN_UNIT_NAMES))
        else:
            values = {"Alias": values.get("Alias", [])}
    links = set()
    for directive, folder in _FOLDERS.items():
        for value in values.get(directive, []):
            if has_other_specifiers(value, IN_UNIT_NAMES):
                return None
            other = expand_specifiers(value, unit, IN_UNIT_NAMES)
            links.add(f"{other}{folder}/{unit}" if folder else other)
    return links - {unit}


def aliases(unit: str, settings: t.Sequence[Setting]) -> list[str]:
    """The names that ``Alias=`` gives a unit."""
    return sorted(link for link in install_links(unit, settings) or () if "/" not in link)


def _install_values(settings: t.Iterable[Setting]) -> dict[str, list[str]]:
    """The words of each directive in [Install] that count."""
    return {
        directive: [word for setting in entry.settings for word in raw_words(setting.value)]
        for (section, directive), entry in effective(settings).items()
        if section == "Install"
    }


def enabled_by(link: str, target: str) -> set[str]:
    """The names of the units that a link in the unit folder enables: by their own name, or as an alias of them.

    :param link: path of the link below the unit folder.
    """
    if target == MASK_TARGET:
        return set()
    base = posixpath.basename(link)
    if "/" not in link:
        unit = posixpath.basename(target)
        instance = split_unit_name(base).instance
        return {unit, instance_name(unit, instance)} if instance else {unit}
    return {base, template_of(base) or base}


def edges_of_link(link: str) -> list[Edge]:
    """The dependency that a link in the unit folder makes."""
    folder, inside, unit = link.partition("/")
    stem, dot, ending = folder.rpartition(".")
    kind = _KINDS.get(dot + ending) if inside else None
    return [Edge(kind, stem, unit)] if kind else []


def installed_edges(unit: str, settings: t.Sequence[Setting]) -> set[Edge]:
    """The dependencies that ``systemctl enable`` of a unit makes."""
    return {edge for link in install_links(unit, settings) or () for edge in edges_of_link(link)}


def enables(link: str, target: str, names: t.Iterable[str]) -> bool:
    """Whether a link in the unit folder enables one of the units."""
    return not enabled_by(link, target).isdisjoint(names)

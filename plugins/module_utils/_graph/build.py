# SPDX-License-Identifier: GPL-3.0-or-later

"""The dependency graph of a set of units, from what they declare. Nothing here touches the host."""

from __future__ import annotations

import typing as t

from .._model import Unit
from .._syntax.effective import unit_names_in, value_of
from .._syntax.names import is_template, template_of, unit_type
from .edges import DEFAULT, Edge, declared, edges_of, flag
from .graph import STARTS, Graph


def build(units: t.Sequence[Unit], installed: bool = True) -> Graph:
    """The graph of a set of units.

    :param units: one Unit each, or several of one name, whose settings then add up as those of drop-ins do.
    :param installed: count ``[Install]`` as if every unit were enabled.
    """
    merged = merge(units)
    everyone = {**merged, **instances(merged)}
    mounts = {}
    for unit in everyone.values():
        where = value_of(unit, "Mount", "Where")
        if unit_type(unit.name) == "mount" and where.startswith("/"):
            mounts[where.rstrip("/") or "/"] = unit.name
    aliases = {}
    edges: list[Edge] = []
    for unit in everyone.values():
        edges += edges_of(unit, mounts, installed)
        for alias, _setting in unit_names_in(unit, "Install", "Alias"):
            aliases[alias] = unit.name
    if aliases:
        edges = [
            edge._replace(source=aliases.get(edge.source, edge.source), target=aliases.get(edge.target, edge.target))
            for edge in edges
        ]
    edges = [edge for edge in edges if edge.source != edge.target]
    return Graph(everyone, edges + _target_order(everyone, edges))


def merge(units: t.Iterable[Unit]) -> dict[str, Unit]:
    """Name -> one Unit; fragments and drop-ins of one name are put together in the order given."""
    result: dict[str, Unit] = {}
    for unit in units:
        known = result.get(unit.name)
        if known is None:
            result[unit.name] = Unit(unit.name, unit.settings, "", unit.path, unit.problems, unit.is_mask)
        else:
            known.settings.extend(unit.settings)
    return result


def instances(merged: t.Mapping[str, Unit]) -> dict[str, Unit]:
    """The instances that units of the set name and of which the set has only the template, as units of their own."""
    result: dict[str, Unit] = {}
    # Few sets hold a template, and looking through all edges takes a fifth of the time that the graph takes.
    for unit in merged.values() if any(map(is_template, merged)) else ():
        for edge in declared(unit, installed=True):
            for name in (edge.source, edge.target):
                template = merged.get(template_of(name))
                if template is not None and name not in merged:
                    result[name] = Unit(name, template.settings, "", template.path)
    return result


def _target_order(units: t.Mapping[str, Unit], edges: t.Iterable[Edge]) -> list[Edge]:
    # systemd.target(5): a target is ordered after what it pulls in, unless either side wants no defaults or an
    # order the other way round is written down. After what it is PartOf= it comes only when that happens to be loaded
    # before it, so that does not count.
    plain = {name for name, unit in units.items() if flag(unit, "Unit", "DefaultDependencies", True)}
    written = {(edge.source, edge.target) for edge in edges if edge.kind == "After"}
    result = []
    for edge in edges:
        if edge.kind not in (*STARTS, "Requisite"):
            continue
        if unit_type(edge.source) != "target" or (edge.target, edge.source) in written:
            continue
        # a target outside of the set is taken as a usual one; of other units outside nothing is known
        if edge.target in plain and (edge.source in plain or edge.source not in units):
            written.add((edge.source, edge.target))  # of two targets that pull in each other only one waits
            result.append(Edge("After", edge.source, edge.target, DEFAULT))
    return result

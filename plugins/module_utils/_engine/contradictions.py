# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuses declarations of several units that cannot hold together. No I/O."""

from __future__ import annotations

import typing as t

from .._graph.edges import Edge
from .._graph.edges import declared as declared_edges
from .._model import WANTS_RUN, Unit
from .desired import Declared, PlanError
from .sources import Sources

_NEEDS = ("Requires", "Requisite", "BindsTo")  # a start starts or needs the other one too
_WORDS = (*_NEEDS, "Conflicts")


def refuse_contradictions(declared: Declared, sources: Sources) -> None:
    """See that no unit that shall run needs one that shall not, nor conflicts with one that shall run.

    :raises PlanError: with both places.
    """
    states = {
        unit: declared.value(unit, "state", "present") for name in declared.groups for unit in declared.units_of(name)
    }
    for unit, state in states.items():
        if state not in WANTS_RUN or not _has_dependencies(declared, unit):
            continue
        edges = declared_edges(Unit(unit, sources.settings(unit, after=True)), installed=False)
        _refuse_never(declared, unit, edges)
        for edge in edges:
            other = edge.target if edge.source == unit else edge.source
            down = states.get(other) in ("stopped", "absent")
            if edge.source == unit and edge.kind in _NEEDS and down:
                verb = "requires"
            elif edge.kind == "Conflicts" and other != unit and states.get(other) in WANTS_RUN:
                verb = "conflicts with"
            else:
                continue
            raise PlanError(
                f"{unit}: state: {state} in {_place(declared, unit)} contradicts state: {states[other]} of {other} in"
                f" {_place(declared, other)}: {unit} {verb} {other} ({edge.kind}=)"
            )


def _refuse_never(declared: Declared, unit: str, edges: t.Iterable[Edge]) -> None:
    """See that a unit does not conflict with what it needs: its start would have to stop what it has to start.

    :raises PlanError: with both directives.
    """
    needs = {edge.target: edge.kind for edge in edges if edge.source == unit != edge.target and edge.kind in _NEEDS}
    for edge in edges:
        other = edge.target if edge.source == unit else edge.source
        if edge.kind == "Conflicts" and other in needs:
            raise PlanError(
                f"{unit} in {_place(declared, unit)} can never start: {needs[other]}={other} needs what Conflicts= with"
                f" {other} stops; leave one of them out"
            )


def _has_dependencies(declared: Declared, unit: str) -> bool:
    """Whether a declared text may name another unit; most do not, and reading all units of a large set costs time."""
    items = [*declared.groups.get(unit, []), *declared.of_template(unit)]
    return any(word in item.text for item in items if item.text for word in _WORDS)


def _place(declared: Declared, unit: str) -> str:
    return f"units[{next(item.position for item in declared.naming(unit) if item.state != 'present')}]"

# SPDX-License-Identifier: GPL-3.0-or-later

"""Ordering cycles of a graph."""

from __future__ import annotations

import typing as t

from .._syntax.names import is_template, unit_type
from .edges import find_cycle
from .graph import Graph
from .start import REFUSED, start


class Cycle(t.NamedTuple):
    """An ordering cycle among jobs that one start makes."""

    units: tuple[str, ...]  # each is ordered after the one before it, the first after the last
    anchor: str  # unit whose start meets the cycle
    outcome: str  # "broken": systemd deletes one of ``candidates``; "refused": it starts nothing
    candidates: tuple[str, ...]


def cycles_of(graph: Graph) -> list[Cycle]:
    """The ordering cycles that a start of some unit of the graph meets, refused ones first.

    An ordering cycle among units that no single start brings together is none: systemd orders jobs, not units.
    """
    order: dict[str, list[str]] = {name: [] for name in graph.units}
    for edge in graph.edges:
        if edge.kind == "After":
            order[edge.target].append(edge.source)
    if not find_cycle(order):
        return []
    found: dict[tuple[str, ...], Cycle] = {}
    # a template cannot be started, and devices and slices are not started by anyone
    anchors = [name for name in graph.units if not is_template(name) and unit_type(name) not in ("device", "slice")]
    for name in anchors:
        verdict = start(graph.adjacency, name)
        if verdict.reason == "cycle":
            cycle = Cycle(verdict.cycle, name, verdict.outcome, verdict.candidates)
            known = found.get(cycle.units)
            if known is None or (known.outcome != cycle.outcome and cycle.outcome == REFUSED):
                found[cycle.units] = cycle
    return sorted(found.values(), key=lambda cycle: (cycle.outcome != REFUSED, cycle.units))

# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways through a graph of units: who falls with whom, and in which order they start."""

from __future__ import annotations

from .._syntax.names import is_template
from .build import Graph

FALL_ON_STOP = ("Requires", "Requisite", "BindsTo", "PartOf")  # the unit that names the other one is stopped too


def falls_with(graph: Graph, name: str, cause: str = "stop") -> tuple[str, ...]:
    """Units that go down when ``name`` does, sorted.

    :arg cause: ``stop`` (it is stopped, or restarted and not yet up again) or ``crash`` (its process dies).
    """
    fallen: set[str] = set()
    if cause == "crash":
        todo = [*graph.sources("BindsTo", name), *graph.targets("PropagatesStopTo", name)]
    else:
        todo = _stopped_by(graph, name)
    while todo:
        other = todo.pop()
        if other not in fallen and other != name:
            fallen.add(other)
            todo += _stopped_by(graph, other)  # it is stopped on purpose now, whatever the first cause was
    return tuple(sorted(fallen))


def _stopped_by(graph: Graph, name: str) -> list[str]:
    found = list(graph.targets("PropagatesStopTo", name))
    for kind in FALL_ON_STOP:
        found += graph.sources(kind, name)
    return found


def start_order(graph: Graph) -> list[tuple[str, ...]]:
    """The declared units in waves: those of one wave have no order among themselves.

    Units that are in an ordering cycle share a wave, for systemd has no order for them either.
    """
    waiting: dict[str, set[str]] = {name: set() for name in graph.declared if not is_template(name)}
    for edge in graph.edges:
        if edge.kind == "After" and edge.source in waiting:
            waiting[edge.source].add(edge.target)
    known = set(waiting)
    # what lies between two declared units may be a unit outside of the set, for example basic.target
    reach = {name: _earlier(graph, name) & known for name in waiting}
    waves = []
    while reach:
        ready = sorted(name for name, earlier in reach.items() if not earlier)
        if not ready:
            fewest = min(len(earlier) for earlier in reach.values())
            ready = sorted(name for name, earlier in reach.items() if len(earlier) == fewest)
        waves.append(tuple(ready))
        for name in ready:
            del reach[name]
        for earlier in reach.values():
            earlier.difference_update(ready)
    return waves


def _earlier(graph: Graph, name: str) -> set[str]:
    seen: set[str] = set()
    todo = [name]
    while todo:
        for other in graph.targets("After", todo.pop()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    seen.discard(name)
    return seen

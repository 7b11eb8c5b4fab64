# SPDX-License-Identifier: GPL-3.0-or-later

"""Units and the dependencies between them: who names whom, who goes down and comes back with whom."""

from __future__ import annotations

import functools
import typing as t

from .edges import Edge, spread, stop_passes

STARTS = ("Requires", "Wants", "BindsTo", "Upholds")  # a start of the one that names starts the one that is named


class Adjacency:
    """Edges by kind and end, for quick steps in either direction."""

    def __init__(self, edges: t.Iterable[Edge]) -> None:
        self.forward: dict[str, dict[str, list[str]]] = {}
        self.backward: dict[str, dict[str, list[str]]] = {}
        self.stopping: dict[str, list[str]] = {}
        for edge in edges:
            stopped, follower = stop_passes(edge)
            if stopped:
                self.stopping.setdefault(stopped, []).append(follower)
            self.forward.setdefault(edge.kind, {}).setdefault(edge.source, []).append(edge.target)
            self.backward.setdefault(edge.kind, {}).setdefault(edge.target, []).append(edge.source)

    def targets(self, kind: str, source: str) -> list[str]:
        """Units that ``source`` names with ``kind``."""
        return self.forward.get(kind, {}).get(source, [])

    def sources(self, kind: str, target: str) -> list[str]:
        """Units that name ``target`` with ``kind``."""
        return self.backward.get(kind, {}).get(target, [])

    def stopped_with(self, name: str) -> list[str]:
        """Units that a stop of ``name`` stops at once."""
        return self.stopping.get(name, [])


class Graph:
    """Units and the dependencies between them.

    :ivar declared: names of the units that the graph was built from, sorted; others are only referred to.
    :ivar edges: list of Edge without doubles, in a stable order.
    :ivar adjacency: the same edges for quick steps.
    """

    def __init__(self, declared: t.Iterable[str], edges: t.Iterable[Edge]) -> None:
        self.declared = tuple(sorted(set(declared)))
        strongest: dict[tuple[str, str, str], Edge] = {}
        for edge in edges:  # the same dependency written and implied counts once, as written
            strongest.setdefault(edge[:3], edge)
        self.edges = sorted(strongest.values())
        self._keys = strongest.keys()
        self.adjacency = Adjacency(self.edges)

    @property
    def units(self) -> tuple[str, ...]:
        """Every unit named in the graph, sorted."""
        found = set(self.declared)
        for edge in self.edges:
            found.update((edge.source, edge.target))
        return tuple(sorted(found))

    def targets(self, kind: str, name: str) -> tuple[str, ...]:
        """Units that ``name`` names with ``kind``."""
        return tuple(self.adjacency.targets(kind, name))  # sorted, as the edges are

    def sources(self, kind: str, name: str) -> tuple[str, ...]:
        """Units that name ``name`` with ``kind``."""
        return tuple(self.adjacency.sources(kind, name))

    def has(self, kind: str, source: str, target: str) -> bool:
        """Whether ``source`` names ``target`` with ``kind``."""
        return (kind, source, target) in self._keys

    def falls_with(self, name: str, cause: str = "stop") -> tuple[str, ...]:
        """Units that go down when ``name`` does, sorted.

        :param cause: ``stop`` (it is stopped, or restarted and not yet up again) or ``crash`` (its process dies).
        """
        first = self.adjacency.stopped_with(name)
        if cause == "crash":
            first = [*self.sources("BindsTo", name), *self.targets("PropagatesStopTo", name)]
        # Those are stopped on purpose then, whatever the first cause was.
        return tuple(sorted({*first, *spread(first, self.adjacency.stopped_with)} - {name}))

    def comes_back_with(self, name: str) -> tuple[str, ...]:
        """Units that a start of ``name`` starts, at once or in turn, sorted."""
        return tuple(sorted(self._started_along(self.adjacency.targets, name)))

    def brought_back_by(self, name: str) -> set[str]:
        """Units whose start starts ``name``, at once or in turn."""
        return self._started_along(self.adjacency.sources, name)

    @functools.cached_property
    def knot(self) -> set[str]:
        """Units that start one another in a loop, and those between such loops."""
        result = set(self.units)
        ways = (self.adjacency.targets, self.adjacency.sources)
        for step, back in (ways, ways[::-1]):
            count = {name: sum(other in result for kind in STARTS for other in step(kind, name)) for name in result}
            todo = [name for name in count if not count[name]]
            while todo:
                name = todo.pop()
                result.discard(name)
                for other in [other for kind in STARTS for other in back(kind, name) if other in result]:
                    count[other] -= 1
                    if not count[other]:
                        todo.append(other)
        return result

    @staticmethod
    def _started_along(step: t.Callable[[str, str], list[str]], name: str) -> set[str]:
        found = spread([name], lambda unit: [other for kind in STARTS for other in step(kind, unit)])
        return found.keys() - {name}

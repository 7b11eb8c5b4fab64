# SPDX-License-Identifier: GPL-3.0-or-later

"""Dependencies of a set of units: who names whom, ordering cycles, what a start does. Nothing here touches the host."""

from __future__ import annotations

import functools
import typing as t

from .._model import Unit
from .._syntax.effective import unit_names_in, value_of
from .._syntax.names import is_template, template_of, unit_type
from .edges import DEFAULT, Edge, declared, edges_of, find_cycle, flag, spread
from .start import REFUSED, Adjacency, Verdict, start

_STARTS = ("Requires", "Wants", "BindsTo", "Upholds")  # a start of the one that names starts the one that is named


class Cycle(t.NamedTuple):
    """An ordering cycle among jobs that one start makes."""

    units: tuple[str, ...]  # each is ordered after the one before it, the first after the last
    anchor: str  # unit whose start meets the cycle
    outcome: str  # "broken": systemd deletes one of ``candidates``; "refused": it starts nothing
    candidates: tuple[str, ...]


class Graph:
    """Units and the dependencies between them.

    :ivar declared: names of the units that the graph was built from, sorted; others are only referred to.
    :ivar edges: list of Edge without doubles, in a stable order.
    """

    def __init__(self, declared: t.Iterable[str], edges: t.Iterable[Edge]) -> None:
        self.declared = tuple(sorted(set(declared)))
        strongest: dict[tuple[str, str, str], Edge] = {}
        for edge in edges:  # the same dependency written and implied counts once, as written
            strongest.setdefault(edge[:3], edge)
        self.edges = sorted(strongest.values())
        self._keys = strongest.keys()
        self._adjacency = Adjacency(self.edges)

    @property
    def units(self) -> tuple[str, ...]:
        """Every unit named in the graph, sorted."""
        found = set(self.declared)
        for edge in self.edges:
            found.update((edge.source, edge.target))
        return tuple(sorted(found))

    def targets(self, kind: str, name: str) -> tuple[str, ...]:
        """Units that ``name`` names with ``kind``."""
        return tuple(self._adjacency.targets(kind, name))  # sorted, as the edges are

    def sources(self, kind: str, name: str) -> tuple[str, ...]:
        """Units that name ``name`` with ``kind``."""
        return tuple(self._adjacency.sources(kind, name))

    def has(self, kind: str, source: str, target: str) -> bool:
        """Whether ``source`` names ``target`` with ``kind``."""
        return (kind, source, target) in self._keys

    def start(self, name: str) -> Verdict:
        """What ``systemctl start name`` would do while every unit of the graph is stopped."""
        return start(self._adjacency, name)

    def cycles(self) -> list[Cycle]:
        """The ordering cycles that a start of some unit of the graph meets, refused ones first.

        An ordering cycle among units that no single start brings together is none: systemd orders jobs, not units.
        """
        order: dict[str, list[str]] = {name: [] for name in self.units}
        for edge in self.edges:
            if edge.kind == "After":
                order[edge.target].append(edge.source)
        if not find_cycle(order):
            return []
        found: dict[tuple[str, ...], Cycle] = {}
        for name in self._anchors():
            verdict = self.start(name)
            if verdict.reason == "cycle":
                cycle = Cycle(verdict.cycle, name, verdict.outcome, verdict.candidates)
                known = found.get(cycle.units)
                if known is None or (known.outcome != cycle.outcome and cycle.outcome == REFUSED):
                    found[cycle.units] = cycle
        return sorted(found.values(), key=lambda cycle: (cycle.outcome != REFUSED, cycle.units))

    def _anchors(self) -> list[str]:
        # a template cannot be started, and devices and slices are not started by anyone
        return [name for name in self.units if not is_template(name) and unit_type(name) not in ("device", "slice")]

    def falls_with(self, name: str, cause: str = "stop") -> tuple[str, ...]:
        """Units that go down when ``name`` does, sorted.

        :param cause: ``stop`` (it is stopped, or restarted and not yet up again) or ``crash`` (its process dies).
        """
        first = self._adjacency.stopped_with(name)
        if cause == "crash":
            first = [*self.sources("BindsTo", name), *self.targets("PropagatesStopTo", name)]
        # Those are stopped on purpose then, whatever the first cause was.
        return tuple(sorted({*first, *spread(first, self._adjacency.stopped_with)} - {name}))

    def comes_back_with(self, name: str) -> tuple[str, ...]:
        """Units that a start of ``name`` starts, at once or in turn, sorted."""
        return tuple(sorted(self._started_along(self._adjacency.targets, name)))

    def brought_back_by(self, name: str) -> set[str]:
        """Units whose start starts ``name``, at once or in turn."""
        return self._started_along(self._adjacency.sources, name)

    @functools.cached_property
    def knot(self) -> set[str]:
        """Units that start one another in a loop, and those between such loops."""
        result = set(self.units)
        ways = (self._adjacency.targets, self._adjacency.sources)
        for step, back in (ways, ways[::-1]):
            count = {name: sum(other in result for kind in _STARTS for other in step(kind, name)) for name in result}
            todo = [name for name in count if not count[name]]
            while todo:
                name = todo.pop()
                result.discard(name)
                for other in [other for kind in _STARTS for other in back(kind, name) if other in result]:
                    count[other] -= 1
                    if not count[other]:
                        todo.append(other)
        return result

    @staticmethod
    def _started_along(step: t.Callable[[str, str], list[str]], name: str) -> set[str]:
        found = spread([name], lambda unit: [other for kind in _STARTS for other in step(kind, unit)])
        return found.keys() - {name}


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
            result[unit.name] = Unit(unit.name, unit.settings, "", unit.path, unit.problems)
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
        if edge.kind not in (*_STARTS, "Requisite"):
            continue
        if unit_type(edge.source) != "target" or (edge.target, edge.source) in written:
            continue
        # a target outside of the set is taken as a usual one; of other units outside nothing is known
        if edge.target in plain and (edge.source in plain or edge.source not in units):
            written.add((edge.source, edge.target))  # of two targets that pull in each other only one waits
            result.append(Edge("After", edge.source, edge.target, DEFAULT))
    return result

# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dependencies of a set of units: order of start, ordering cycles, who falls with whom; DOT and Mermaid text.

A graph is built from unit texts (a declared set) or from the properties that ``systemctl show`` prints (a live host).
Nothing here touches the host.
"""

from __future__ import annotations

import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils import _graph_edges, _graph_start, _syntax, _view
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph_edges import DEFAULT, IMPLICIT, Edge
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph_start import Verdict
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Setting, Unit

FALL_ON_STOP = ("Requires", "Requisite", "BindsTo", "PartOf")  # the unit that names the other one is stopped too


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
        self._adjacency = _graph_start.Adjacency(self.edges)

    @property
    def units(self) -> tuple[str, ...]:
        """Every unit named in the graph, sorted."""
        found = set(self.declared)
        for edge in self.edges:
            found.update((edge.source, edge.target))
        return tuple(sorted(found))

    def targets(self, kind: str, name: str) -> tuple[str, ...]:
        """Units that ``name`` names with ``kind``."""
        return tuple(sorted(self._adjacency.targets(kind, name)))

    def sources(self, kind: str, name: str) -> tuple[str, ...]:
        """Units that name ``name`` with ``kind``."""
        return tuple(sorted(self._adjacency.sources(kind, name)))

    def start(self, name: str) -> Verdict:
        """What ``systemctl start name`` would do while every unit of the graph is stopped."""
        return _graph_start.start(self._adjacency, name)

    def cycles(self) -> list[Cycle]:
        """The ordering cycles that a start of some unit of the graph meets, refused ones first.

        An ordering cycle among units that no single start brings together is none: systemd orders jobs, not units.
        """
        order: dict[str, list[str]] = {name: [] for name in self.units}
        for edge in self.edges:
            if edge.kind == "After":
                order[edge.target].append(edge.source)
        if not _graph_start.find_cycle(order):
            return []
        found: dict[tuple[str, ...], Cycle] = {}
        for name in self._anchors():
            verdict = self.start(name)
            if verdict.reason == "cycle":
                cycle = Cycle(verdict.cycle, name, verdict.outcome, verdict.candidates)
                known = found.get(cycle.units)
                if known is None or (known.outcome != cycle.outcome and cycle.outcome == _graph_start.REFUSED):
                    found[cycle.units] = cycle
        return sorted(found.values(), key=lambda cycle: (cycle.outcome != _graph_start.REFUSED, cycle.units))

    def _anchors(self) -> list[str]:
        # a template cannot be started, and devices and slices are not started by anyone
        return [name for name in self.units if "@." not in name and _view.kind(name) not in ("device", "slice")]

    def falls_with(self, name: str, cause: str = "stop") -> tuple[str, ...]:
        """Units that go down when ``name`` does, sorted.

        :arg cause: ``stop`` (it is stopped, or restarted and not yet up again) or ``crash`` (its process dies).
        """
        fallen: set[str] = set()
        if cause == "crash":
            todo = [*self.sources("BindsTo", name), *self.targets("PropagatesStopTo", name)]
        else:
            todo = self._stopped_by(name)
        while todo:
            other = todo.pop()
            if other not in fallen and other != name:
                fallen.add(other)
                todo += self._stopped_by(other)  # it is stopped on purpose now, whatever the first cause was
        return tuple(sorted(fallen))

    def _stopped_by(self, name: str) -> list[str]:
        found = list(self.targets("PropagatesStopTo", name))
        for kind in FALL_ON_STOP:
            found += self.sources(kind, name)
        return found

    def comes_back_with(self, name: str) -> tuple[str, ...]:
        """Units that a start of ``name`` starts, at once or in turn, sorted."""
        seen: set[str] = set()
        todo = [name]
        while todo:
            here = todo.pop()
            for kind in ("Requires", "Wants", "BindsTo", "Upholds"):
                for other in self._adjacency.targets(kind, here):
                    if other not in seen and other != name:
                        seen.add(other)
                        todo.append(other)
        return tuple(sorted(seen))

    def start_order(self) -> list[tuple[str, ...]]:
        """The declared units in waves: those of one wave have no order among themselves.

        Units that are in an ordering cycle share a wave, for systemd has no order for them either.
        """
        waiting = {name: set() for name in self.declared if "@." not in name}
        for edge in self.edges:
            if edge.kind == "After" and edge.source in waiting:
                waiting[edge.source].add(edge.target)
        known = set(waiting)
        # what lies between two declared units may be a unit outside of the set, for example basic.target
        reach = {name: self._earlier(name) & known for name in waiting}
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

    def _earlier(self, name: str) -> set[str]:
        seen: set[str] = set()
        todo = [name]
        while todo:
            for other in self._adjacency.targets("After", todo.pop()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        seen.discard(name)
        return seen


def build(units: t.Sequence[Unit], installed: bool = True) -> Graph:
    """The graph of a set of units.

    :arg units: one Unit each, or several of one name, whose settings then add up as those of drop-ins do.
    :arg installed: count ``[Install]`` as if every unit were enabled.
    """
    merged = merge(units)
    everyone = {**merged, **instances(merged)}
    mounts = {}
    for unit in everyone.values():
        where = _view.value(unit, "Mount", "Where")
        if _view.kind(unit.name) == "mount" and where.startswith("/"):
            mounts[where.rstrip("/") or "/"] = unit.name
    aliases = {}
    edges: list[Edge] = []
    for unit in everyone.values():
        edges += _graph_edges.edges_of(unit, mounts, installed)
        for alias, _setting in _view.names(unit, "Install", "Alias"):
            aliases[alias] = unit.name
    edges = [edge._replace(source=aliases.get(edge.source, edge.source), target=aliases.get(edge.target, edge.target))
             for edge in edges]
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
    for unit in merged.values():
        for edge in _graph_edges.declared(unit, installed=True):
            for name in (edge.source, edge.target):
                template = merged.get(_syntax.template_of(name))
                if template is not None and name not in merged:
                    result[name] = Unit(name, template.settings, "", template.path)
    return result


def _target_order(units: t.Mapping[str, Unit], edges: t.Iterable[Edge]) -> list[Edge]:
    # systemd.target(5): a target is ordered after what it pulls in, unless either side wants no defaults or an
    # order the other way round is written down. After what it is PartOf= it comes only when that happens to be loaded
    # before it, so that does not count.
    plain = {name for name, unit in units.items() if _view.truth(unit, "Unit", "DefaultDependencies", True)}
    written = {(edge.source, edge.target) for edge in edges if edge.kind == "After"}
    result = []
    for edge in edges:
        if edge.kind not in ("Requires", "Requisite", "Wants", "BindsTo", "Upholds"):
            continue
        if _view.kind(edge.source) != "target" or (edge.target, edge.source) in written:
            continue
        # a target outside of the set is taken as a usual one; of other units outside nothing is known
        if edge.target in plain and (edge.source in plain or edge.source not in units):
            written.add((edge.source, edge.target))  # of two targets that pull in each other only one waits
            result.append(Edge("After", edge.source, edge.target, DEFAULT))
    return result


def parse_show(text: str) -> dict[str, dict[str, str]]:
    """Output of ``systemctl show UNIT...`` -> unit name -> property -> value. Blocks are parted by empty lines."""
    result: dict[str, dict[str, str]] = {}
    for block in text.split("\n\n"):
        properties = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if properties.get("Id"):
            result[properties["Id"]] = properties
    return result


def from_show(shown: t.Mapping[str, t.Mapping[str, str]]) -> Graph:
    """The graph of a live host.

    :arg shown: unit name -> property -> value, as ``parse_show`` gives them. systemd has added what is implicit and
        default itself, so every edge counts as declared; slices and the shutdown targets are known to be implied.
    """
    edges = []
    for name, properties in shown.items():
        for key, text in properties.items():
            if key in _graph_edges.SHOW_PROPERTIES:
                kind, inverse = _graph_edges.SHOW_PROPERTIES[key]
                for other in text.split():
                    pair = (other, name) if inverse else (name, other)
                    edges.append(Edge(kind, *pair, _shown_origin(kind, *pair)))
    return Graph(shown, edges)


_DEFAULT_UNITS = frozenset(("sysinit.target", "basic.target", "shutdown.target", "umount.target", "-.mount"))


def _shown_origin(kind: str, source: str, target: str) -> str:
    if target in _DEFAULT_UNITS or (kind == "After" and source in _DEFAULT_UNITS) or target.endswith(".slice"):
        return DEFAULT
    return "declared" if kind != "Triggers" else IMPLICIT


def unit_from_text(name: str, settings: t.Iterable[tuple[str, str, str]]) -> Unit:
    """A unit of ``(section, directive, value)`` rows, for callers that have no file."""
    return Unit(name, [Setting(section, directive, value, 0) for section, directive, value in settings])

# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd starts and stops by itself because of the starts in a plan. No I/O."""

from __future__ import annotations

from .._graph.edges import PULL_PROPERTIES, SHOW_PROPERTIES, STOP_PROPERTIES, STOPS, TIES, Edge, may_move
from .._graph.edges import declared as edges_of_text
from .._graph.graph import Adjacency
from .._graph.start import moves
from .._model import RUNNING, WANTS_RUN, Unit
from .._syntax.names import template_of
from .desired import Declared, PlanError
from .links import edges_of_link, installed_edges
from .plan import Plan
from .sources import Sources
from .state import HostState

_REQUIRES = ("Requires", "BindsTo")
_WORDS = {
    "Requires": "requires",
    "BindsTo": "requires",
    "Wants": "wants",
    "Upholds": "upholds",
    "Conflicts": "conflicts with",
}


def add_pulled(plan: Plan, state: HostState, declared: Declared, sources: Sources) -> None:
    """Add what comes up and goes down with what a plan starts.

    :raises PlanError: when that contradicts what is declared.
    """
    if plan.acted_on() or plan.stop or plan.changes:
        _Pulled(plan, state, declared, sources).add()


class _Pulled:
    def __init__(self, plan: Plan, state: HostState, declared: Declared, sources: Sources) -> None:
        self.plan = plan
        self.state = state
        self.declared = declared
        self.sources = sources
        self.roots = list(dict.fromkeys([*plan.restart, *plan.restarted_with, *plan.stop_start, *plan.start]))
        down = {*plan.stop, *plan.stopped_with, *plan.stop_start}
        self.ran = {self._id(unit) for unit in state.live if state.value(unit, "ActiveState") in RUNNING}
        self.runs = self.ran - down
        self.changed_fragments = {
            change.unit: change.action for change in plan.changes if change.path and not change.path.endswith(".conf")
        }

    def _id(self, unit: str) -> str:
        return self.state.value(unit, "Id") or unit

    def add(self) -> None:
        """Each start is a transaction of its own, which finds what those before it have left."""
        before, after = self._edges()
        graph = Adjacency(sorted(edge for edge in after if edge.kind != STOPS or self.state.starts_pass_stops))
        queue = [self._id(unit) for unit in self.roots]
        for unit in queue:
            self._start(unit, graph)
        upheld, started = self._upheld(before, after), set()
        while upheld:
            unit, by = upheld.popitem()
            if unit in self.runs:
                continue  # what was started meanwhile has brought it up
            if unit in started:
                self._warn_of_fight(unit, by)
            else:
                started.add(unit)
                self._note_started(unit, by, "upholds")
                self._start(unit, graph)
                upheld.update(self._upheld(before, after))

    def _start(self, anchor: str, graph: Adjacency) -> None:
        """Take in what the start of one unit moves."""
        found = moves(graph, anchor, self.runs.__contains__)
        for unit, (kind, by) in found.stopped.items():
            self.runs.discard(unit)
            self._note_stopped(unit, by, _WORDS.get(kind, ""))
        for unit, (kind, by) in found.started.items():
            self.runs.add(unit)
            self._note_started(unit, by, _WORDS[kind])
        self.runs.add(anchor)

    def _warn_of_fight(self, unit: str, by: str) -> None:
        """Say that units uphold and stop each other; how systemd ends that is chance, and the plan has one round."""
        words = f"{unit}: {by} upholds it, and what is started because of that stops it again; leave out one of these"
        words += " dependencies"
        if words not in self.plan.warnings:
            self.plan.warnings.append(words)

    def _upheld(self, before: set[Edge], after: set[Edge]) -> dict[str, str]:
        """The units that are started because one that runs upholds them, with that one.

        What was upheld and down before stays down: systemd has given it up, unless it could not load it, or what it
        requires, until now.
        """
        found = {}
        for edge in sorted(after):
            if edge.kind == "Upholds" and edge.source in self.runs and edge.target not in self.runs:
                known = self._could_be_loaded(edge.target, before)
                given_up = known and edge in before and edge.source in self.ran and edge.target not in self.ran
                if not given_up and self._may_start(edge.target):
                    found[edge.target] = edge.source
        return found

    def _could_be_loaded(self, unit: str, before: set[Edge]) -> bool:
        """Whether systemd had a unit, and everything that it requires, before the plan."""
        required = {(edge.source, edge.target) for edge in before if edge.kind in _REQUIRES}
        units = [unit]
        for name in units:
            if self.state.value(name, "LoadState") != "loaded":
                return False
            units += [other for source, other in required if source == name and other not in units]
        return True

    def _note_started(self, unit: str, by: str, verb: str) -> None:
        plan = self.plan
        state = self.declared.value(unit, "state", "present")
        if state in ("stopped", "absent"):
            raise PlanError(
                f"{unit}: state: {state} cannot hold, for {by}, which runs after this task, {verb} it, and systemd"
                f" starts it again; stop {by} too, or leave out that dependency"
            )
        plan.stopped_with.pop(unit, None)
        if unit not in self.roots:
            plan.started_with[unit] = f"{by} {verb} it"

    def _note_stopped(self, unit: str, by: str, verb: str) -> None:
        plan = self.plan
        state = self.declared.value(unit, "state", "present")
        if state in WANTS_RUN:
            raise PlanError(
                f"{unit}: state: {state} cannot hold, because the start of {by} stops it"
                f" ({by} {verb or 'stops with'} it)"
            )
        plan.take_out(unit, plan.reload, plan.reloaded_with, plan.left_running)
        if unit not in self.roots:
            plan.displaced[unit] = f"{by}, which is started, {verb} it" if verb else f"it depends on {by}"

    # The graph after the plan

    def _edges(self) -> tuple[set[Edge], set[Edge]]:
        """The dependencies between units before and after the plan."""
        before = self._live_edges()
        gone: set[Edge] = set()
        new: set[Edge] = set()
        for unit in {*self.state.live, *(u for name in self.declared.groups for u in self.declared.units_of(name))}:
            if self.sources.changed(unit):
                gone.update(self._edges_of(unit, after=False))
                new.update(self._edges_of(unit, after=True))
        links_gone, links_new = self._link_edges()
        # A dependency may be written in two places; what only one of them loses stays.
        links = {edge for link in self.state.links for edge in edges_of_link(link)}
        # Those of a unit that was not there, or masked, systemd follows from now on.
        found = {edge for edge in links if self.state.value(edge.source, "LoadState") != "loaded"}
        after = (before - gone - links_gone) | new | links_new | (((before & links) | found) - links_gone)
        known = [edge for edge in (self._by_id(edge) for edge in after) if self.state.knows(edge.kind)]
        return before, {edge for edge in known if edge.kind == "Conflicts" or self._may_start(edge.target)}

    def _edges_of(self, unit: str, after: bool) -> list[Edge]:
        """What the text of a unit ties it to."""
        settings = self.sources.settings(unit, after)
        if not any(setting.directive in TIES for setting in settings):
            return []
        return [edge for edge in edges_of_text(Unit(unit, settings), installed=False) if edge.kind != "After"]

    def _by_id(self, edge: Edge) -> Edge:
        return edge._replace(source=self._id(edge.source), target=self._id(edge.target))

    def _live_edges(self) -> set[Edge]:
        found = set()
        for unit, properties in self.state.live.items():
            if properties.get("Id") != unit:
                continue
            for key in (*PULL_PROPERTIES, *STOP_PROPERTIES):
                kind, inverse = SHOW_PROPERTIES[key]
                for other in filter(may_move, properties.get(key, "").split()):
                    found.add(Edge(kind, *((other, unit) if inverse else (unit, other))))
        return found

    def _link_edges(self) -> tuple[set[Edge], set[Edge]]:
        """The dependencies that links of [Install] take away and bring."""
        plan = self.plan
        gone = {
            edge
            for unit in (*plan.disable, *plan.reenable)
            for link in self.state.links_of(unit)
            for edge in edges_of_link(link)
        }
        new = {
            edge
            for unit in (*plan.enable, *plan.reenable)
            for edge in installed_edges(unit, self.sources.settings(unit, after=True))
        }
        return gone, new

    def _may_start(self, unit: str) -> bool:
        """Whether systemd can load a unit after the plan."""
        for name in (unit, template_of(unit)):
            if name in self.changed_fragments:
                return self.changed_fragments[name] != "mask" and bool(self.sources.fragment(unit, after=True))
        return self.state.value(unit, "LoadState") == "loaded"

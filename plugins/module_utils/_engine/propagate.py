# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is stopped or restarted with whom: dependencies along which a stop travels, and sockets. No I/O."""

from __future__ import annotations

import typing as t

from .._graph.edges import STOP_DIRECTIVES, STOP_PROPERTIES, declared, flag, spread, stop_passes, triggered
from .._model import WANTS_RUN, Setting, Unit
from .._syntax.effective import is_set
from .._syntax.words import to_bytes
from .desired import Declared, DesiredUnit
from .links import installed_edges
from .plan import Plan
from .sources import Sources, read_settings
from .state import HostState


def keep_sockets_working(plan: Plan, state: HostState, items: Declared) -> None:
    """A socket can only be bound while its service is down: take the service down and up with it.

    systemd refuses to start a socket whose service runs ("Socket service already active").
    """
    for socket in [*plan.restart, *plan.stop_start, *plan.start]:
        if not socket.endswith(".socket"):
            continue
        starts = socket in plan.start
        services = _services_of(socket, state, items)
        running = [service for service in services if state.active(service) and service not in plan.stop]
        if not running:
            continue
        if not starts:
            plan.stop_start[socket] = plan.restart.pop(socket, "") or plan.stop_start[socket]
        for service in running:
            plan.take_out(service, plan.restart, plan.reload, plan.left_running)
            plan.stop_start[service] = f"its socket {socket} is {'started' if starts else 'restarted'}"


def _services_of(socket: str, state: HostState, items: Declared) -> list[str]:
    """The services that a socket starts: as it is declared, else as systemd tells, else by its name."""
    for item in items.groups.get(socket, []):
        unit = Unit(socket, _settings_of(item))
        if flag(unit, "Socket", "Accept", False):
            return []
        if is_set(unit, "Socket", ["Service"]):
            return [triggered(unit)]
    if state.value(socket, "Accept") == "yes":
        return []  # its services serve one connection each, and do not hold the socket
    return state.value(socket, "Triggers").split() or [triggered(Unit(socket))]


def _settings_of(item: DesiredUnit) -> list[Setting]:
    return read_settings(item.name, to_bytes(item.text or ""))


def add_propagated(plan: Plan, state: HostState, items: Declared, sources: Sources) -> None:
    """Add who is taken along by a stop or restart: the blast radius.

    A restart job takes followers along and systemd brings them back; after a stop and start, or a stop for good,
    nobody does. So followers of a stopped-and-started unit join it, and followers of a stopped one are named.
    """
    _Propagation(plan, state, items, sources).add()


class _Propagation:
    def __init__(self, plan: Plan, state: HostState, items: Declared, sources: Sources) -> None:
        self.plan = plan
        self.state = state
        self.items = items
        self.followers = _new_followers(plan, state, items, sources)

    def add(self) -> None:
        plan = self.plan
        self._restart_in_one_job()
        for unit, source in self._closure(plan.stop):
            if unit not in plan.stop:
                self._add_stopped(unit, source)
        for unit, source in self._closure(plan.stop_start):
            if unit not in plan.stop and unit not in plan.stopped_with:
                plan.take_out(unit, plan.restart, plan.reload, plan.left_running)
                plan.stop_start[unit] = f"it depends on {source}, which is restarted"
        for unit, source in self._closure(plan.restart):
            if unit not in plan.stop and unit not in plan.stopped_with and unit not in plan.stop_start:
                reason = plan.take_out(unit, plan.restart) or f"it depends on {source}, which is restarted"
                plan.take_out(unit, plan.reload, plan.left_running)
                plan.restarted_with[unit] = reason
        for unit, source in spread(plan.reload, self._reloaded).items():
            if unit not in (*plan.stop, *plan.stopped_with, *plan.acted_on()):
                plan.reloaded_with[unit] = f"{source} passes its reload on"
        for unit in filter(self.state.keeps_descriptors, plan.stop_start):
            plan.warnings.append(
                f"{unit} loses the file descriptors that systemd keeps for it: {plan.stop_start[unit]}"
            )

    def _restart_in_one_job(self) -> None:
        """Restart what would be stopped and started, where that would lose something.

        A follower that may not be started by its name is brought back by systemd, and what systemd keeps in the file
        descriptor store of a service lives through a restart alone. The stop commands are those of the new definition.
        """
        plan = self.plan
        if any(unit.endswith(".socket") for unit in (*plan.stop_start, *plan.start)):
            return  # a socket can only be bound while its service is down
        for unit in list(plan.stop_start):
            if any(map(self._loses_by_a_stop, [unit, *(name for name, _source in self._closure({unit: ""}))])):
                plan.restart[unit] = plan.stop_start.pop(unit)

    def _loses_by_a_stop(self, unit: str) -> bool:
        return self.state.value(unit, "CanStart") == "no" or self.state.keeps_descriptors(unit)

    def _add_stopped(self, unit: str, source: str) -> None:
        """A unit that goes down with one that is stopped for good comes back only when it has a reason to."""
        plan = self.plan
        plan.take_out(unit, plan.restart, plan.restarted_with, plan.reload, plan.left_running)
        if source in plan.stop_start or self._runs_without(unit, source):
            plan.stop_start.setdefault(unit, f"it depended on {source}, which is stopped")
        else:
            plan.stop_start.pop(unit, None)
            plan.stopped_with[unit] = f"it depends on {source}, which is stopped"

    def _runs_without(self, unit: str, stopped: str) -> bool:
        """Whether a unit that goes down with another one shall run all the same: so the task or its new text says."""
        items = self.items.naming(unit)
        if any(item.state in WANTS_RUN for item in items):
            return True
        names = {item.name for item in items if item.text and not item.dropin}
        rewritten = names & {change.unit for change in self.plan.changes}
        return bool(rewritten) and names.isdisjoint(self.followers.get(stopped, []))

    def _followers(self, unit: str) -> list[str]:
        """Running units that go down when one does."""
        names = [name for key in STOP_PROPERTIES for name in self.state.value(unit, key).split()]
        return [name for name in dict.fromkeys([*names, *self.followers.get(unit, [])]) if self.state.active(name)]

    def _reloaded(self, unit: str) -> list[str]:
        """Running units to which the reload of one is passed on."""
        names = self.state.value(unit, "PropagatesReloadTo").split()
        return [name for name in names if self.state.active(name) and self.state.value(name, "CanReload") == "yes"]

    def _closure(self, roots: t.Mapping[str, str]) -> list[tuple[str, str]]:
        """Every unit that follows a root, directly or not, with the one it follows; roots that follow roots too."""
        found = spread(roots, self._followers)
        return [(unit, source) for unit, source in found.items() if not _only_in_circle(unit, source, roots, found)]


def _only_in_circle(unit: str, source: str, roots: t.Mapping[str, str], found: t.Mapping[str, str]) -> bool:
    """True for a root that would be taken along by units that only move because of it (two units PartOf each other)."""
    if unit not in roots:
        return False
    while source in found and source not in roots:
        source = found[source]
    return source == unit or (source in found and list(roots).index(unit) < list(roots).index(source))


def _new_followers(plan: Plan, state: HostState, items: Declared, sources: Sources) -> dict[str, list[str]]:
    """Who follows whom by the declared texts and the links that are made: what the manager has not loaded yet."""
    edges = [
        edge
        for name, group in items.groups.items()
        for item in group
        if item.text and any(directive in item.text for directive in STOP_DIRECTIVES)
        for edge in declared(Unit(name, _settings_of(item)), installed=False)
    ]
    for unit in (*plan.enable, *plan.reenable):
        edges += sorted(installed_edges(unit, sources.settings(unit, after=True)))
    followers: dict[str, list[str]] = {}
    for edge in edges:
        stopped, follower = stop_passes(edge)
        if stopped and state.knows(edge.kind):
            followers.setdefault(stopped, []).append(follower)
    return followers

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The dependencies of one host -> a drawing as DOT and Mermaid text."""

from __future__ import annotations

import hashlib
import itertools
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.draw import dot, draw, mermaid
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.edges import DECLARED, DEFAULT, Edge
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.graph import Graph

_MAX_DRAWN = 120  # units in one drawing; dot needs seconds for more, and nobody can read it
_MAX_EDGES = 50_000  # of one host that are looked at
_MAX_ARROWS = 1000  # in one drawing
# Keys of ``dependencies`` as ``unit_info`` returns them -> kind of edge, from the unit and to it.
OUTGOING = {
    "requires": "Requires",
    "requisite": "Requisite",
    "wants": "Wants",
    "binds_to": "BindsTo",
    "part_of": "PartOf",
    "upholds": "Upholds",
    "after": "After",
    "on_failure": "OnFailure",
    "on_success": "OnSuccess",
    "triggers": "Triggers",
    "propagates_stop_to": "PropagatesStopTo",
}
INCOMING = {
    "required_by": "Requires",
    "requisite_of": "Requisite",
    "bound_by": "BindsTo",
    "consists_of": "PartOf",
    "upheld_by": "Upholds",
    "stop_propagated_from": "PropagatesStopTo",
}
# units that nearly every other one depends on by default
_COMMON = frozenset(
    [
        "sysinit.target",
        "basic.target",
        "shutdown.target",
        "umount.target",
        "-.mount",
        "system.slice",
        "-.slice",
        "multi-user.target",
        "graphical.target",
        "local-fs.target",
        "sockets.target",
        "timers.target",
        "paths.target",
        "swap.target",
        "slices.target",
        "tmp.mount",
        "systemd-journald.socket",
        "systemd-remount-fs.service",
        "time-set.target",
        "time-sync.target",
        "user.slice",
        "network.target",
        "systemd-tmpfiles-setup.service",
        "remote-fs.target",
        "remote-fs-pre.target",
        "local-fs-pre.target",
        "init.scope",
    ]
)


def drawing(units: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any] | None:
    """DOT and Mermaid text of what somebody put on the host, with its neighbours; hosts that are alike share one."""
    chosen = [u for u in units if u.get("origin") in ("administrator", "runtime") and u.get("dependencies")]
    declared = {u["name"] for u in chosen}
    edges = list(itertools.islice(_edges(chosen[:_MAX_DRAWN]), _MAX_EDGES))
    if not edges:
        return None
    # an order alone is worth an arrow only between units that are drawn for another reason
    tied = declared | {n for e in edges if e.kind != "After" and e.origin != DEFAULT for n in (e.source, e.target)}
    edges = [e for e in edges if e.kind != "After" or {e.source, e.target} <= tied]
    if len(edges) > _MAX_ARROWS:  # those between the units that are drawn in any case say most
        edges.sort(key=lambda e: not {e.source, e.target} <= declared)
        del edges[_MAX_ARROWS:]
    drawing = draw(Graph(sorted(declared)[:_MAX_DRAWN], edges))
    text = dot(drawing)
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:12], "dot": text, "mermaid": mermaid(drawing)}


def _edges(units: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[Edge]:
    for unit in units:
        for key, kind in OUTGOING.items():
            yield from (_edge(kind, unit["name"], other) for other in unit["dependencies"].get(key) or ())
        for key, kind in INCOMING.items():
            yield from (_edge(kind, other, unit["name"]) for other in unit["dependencies"].get(key) or ())


def _edge(kind: str, source: str, target: str) -> Edge:
    common = source in _COMMON or target in _COMMON or target.endswith(".slice")
    return Edge(kind, source, target, DEFAULT if common else DECLARED)

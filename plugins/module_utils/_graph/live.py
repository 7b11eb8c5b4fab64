# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dependencies of a live host, from what ``systemctl show`` prints, and who falls with whom."""

from __future__ import annotations

import typing as t

from . import edges as _graph_edges
from .build import Graph
from .edges import DEFAULT, IMPLICIT, Edge

# properties of systemctl show that no directive of the same name in [Unit] covers
SHOW_PROPERTIES = {
    **_graph_edges.UNIT_DIRECTIVES,
    "RequiredBy": ("Requires", True),
    "RequisiteOf": ("Requisite", True),
    "WantedBy": ("Wants", True),
    "BoundBy": ("BindsTo", True),
    "ConsistsOf": ("PartOf", True),
    "UpheldBy": ("Upholds", True),
    "ConflictedBy": ("Conflicts", True),
    "OnFailureOf": ("OnFailure", True),
    "OnSuccessOf": ("OnSuccess", True),
    "Triggers": ("Triggers", False),
    "TriggeredBy": ("Triggers", True),
}


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
            if key in SHOW_PROPERTIES:
                kind, inverse = SHOW_PROPERTIES[key]
                for other in text.split():
                    pair = (other, name) if inverse else (name, other)
                    edges.append(Edge(kind, *pair, _shown_origin(kind, *pair)))
    return Graph(shown, edges)


_DEFAULT_UNITS = frozenset(("sysinit.target", "basic.target", "shutdown.target", "umount.target", "-.mount"))


def _shown_origin(kind: str, source: str, target: str) -> str:
    if target in _DEFAULT_UNITS or (kind == "After" and source in _DEFAULT_UNITS) or target.endswith(".slice"):
        return DEFAULT
    return "declared" if kind != "Triggers" else IMPLICIT

# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dependencies of a live host, from what ``systemctl show`` prints, and who falls with whom."""

from __future__ import annotations

import typing as t

from .build import Graph
from .edges import DEFAULT, IMPLICIT, UNIT_DIRECTIVES, Edge, stop_passes

# properties of systemctl show that no directive of the same name in [Unit] covers
SHOW_PROPERTIES = {
    **UNIT_DIRECTIVES,
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


# Properties that name the units that are stopped with a unit.
STOP_PROPERTIES = tuple(
    name
    for name, (kind, inverse) in SHOW_PROPERTIES.items()
    if stop_passes(Edge(kind, "other", "unit") if inverse else Edge(kind, "unit", "other")) == ("unit", "other")
)


def from_show(shown: t.Mapping[str, t.Mapping[str, str]]) -> Graph:
    """The graph of a live host.

    systemd has added what is implicit and default itself, so every edge counts as declared; slices and the shutdown
    targets are known to be implied.

    :param shown: unit name -> property -> value, as ``systemctl show`` prints them.
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

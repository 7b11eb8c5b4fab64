# SPDX-License-Identifier: GPL-3.0-or-later

"""The dependencies of a live host, from what ``systemctl show`` prints, and who falls with whom."""

from __future__ import annotations

import typing as t

from .edges import DECLARED, DEFAULT, DEFAULT_UNITS, IMPLICIT, SHOW_PROPERTIES, Edge
from .graph import Graph


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


def _shown_origin(kind: str, source: str, target: str) -> str:
    if target in DEFAULT_UNITS or (kind == "After" and source in DEFAULT_UNITS) or target.endswith(".slice"):
        return DEFAULT
    return DECLARED if kind != "Triggers" else IMPLICIT

# SPDX-License-Identifier: GPL-3.0-or-later

"""A dependency graph as text: Graphviz's DOT language and Mermaid's flowchart."""

from __future__ import annotations

import typing as t

from .._syntax.names import unit_type
from .cycles import cycles_of
from .edges import DEFAULT, IMPLICIT, Edge, stop_passes
from .graph import Graph


class Drawing(t.NamedTuple):
    """What to draw."""

    units: t.Sequence[str]
    declared: frozenset[str]
    edges: t.Sequence[Edge]
    cycles: t.Sequence[tuple[str, ...]]
    falls: set[tuple[str, str]]  # (source, target) of the edges along which a stop passes


class Arrow(t.NamedTuple):
    """All dependencies from one unit to another, drawn as one arrow."""

    source: str
    target: str
    kinds: tuple[str, ...]
    cyclic: bool  # the order this arrow stands for is part of an ordering cycle
    falls: bool  # one goes down when the other is stopped
    faint: bool  # systemd's default alone


_SHAPES = {"target": "doubleoctagon", "timer": "oval", "socket": "cds", "path": "note", "mount": "cylinder"}
_MERMAID_SHAPES = {
    "target": ("{{", "}}"),
    "timer": ("([", "])"),
    "socket": ("[/", "/]"),
    "path": ("[\\", "\\]"),
    "mount": ("[(", ")]"),
}
LEGEND = "red: ordering cycle; thick: a stop passes from one to the other; dashed box: not in this set"


def drawn_edges(graph: Graph, everything: bool) -> list[Edge]:
    """The edges that a drawing shows: without ``everything`` those between or from declared units, no defaults."""
    if everything:
        return list(graph.edges)
    inside = set(graph.declared)
    return [
        edge
        for edge in graph.edges
        if edge.origin != DEFAULT and not (edge.origin == IMPLICIT and not {edge.source, edge.target} <= inside)
    ]


def draw(graph: Graph, everything: bool = False) -> Drawing:
    """What a drawing of a graph shows, cycles and who falls with whom marked."""
    edges = drawn_edges(graph, everything)
    shown = set(graph.declared)
    for edge in edges:
        shown.update((edge.source, edge.target))
    cycles = [cycle.units for cycle in cycles_of(graph)]
    falls = {(edge.source, edge.target) for edge in edges if stop_passes(edge)[0]}
    return Drawing(sorted(shown), frozenset(graph.declared), edges, cycles, falls)


def arrows(drawing: Drawing) -> list[Arrow]:
    """The edges, those between the same two units joined, in a stable order."""
    cyclic = set()
    for cycle in drawing.cycles:
        for position, name in enumerate(cycle):
            cyclic.add((name, cycle[position - 1]))  # name is ordered after the one before it
    joined: dict[tuple[str, str], list[Edge]] = {}
    for edge in drawing.edges:
        joined.setdefault((edge.source, edge.target), []).append(edge)
    return [
        Arrow(
            source=pair[0],
            target=pair[1],
            kinds=tuple(sorted({edge.kind for edge in edges})),
            cyclic=pair in cyclic and any(edge.kind == "After" for edge in edges),
            falls=pair in drawing.falls,
            faint=all(edge.origin == DEFAULT for edge in edges),
        )
        for pair, edges in sorted(joined.items())
    ]


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def dot(drawing: Drawing) -> str:
    """DOT text, one line per unit and per pair of units, ending in a newline."""
    in_cycle = {name for cycle in drawing.cycles for name in cycle}
    lines = [
        "digraph units {",
        "  rankdir=LR;",
        f"  label={_quote(LEGEND)};",
        '  node [shape=box, fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    for name in drawing.units:
        attributes = [f"shape={_SHAPES[unit_type(name)]}"] if unit_type(name) in _SHAPES else []
        attributes += ["style=dashed"] if name not in drawing.declared else []
        attributes += ["color=red", "fontcolor=red"] if name in in_cycle else []
        lines.append(f"  {_quote(name)}{_attributes(attributes)};")
    for arrow in arrows(drawing):
        attributes = [f"label={_quote(' '.join(arrow.kinds))}"]
        attributes += ["color=red", "fontcolor=red"] if arrow.cyclic else []
        attributes += ["penwidth=2.5"] if arrow.falls else []
        attributes += ["style=dashed"] if arrow.kinds == ("Conflicts",) else []
        attributes += ["style=dotted"] if arrow.faint or arrow.kinds == ("After",) else []
        lines.append(f"  {_quote(arrow.source)} -> {_quote(arrow.target)}{_attributes(attributes)};")
    return "\n".join([*lines, "}", ""])


def _attributes(items: t.Sequence[str]) -> str:
    return f" [{', '.join(items)}]" if items else ""


def _mermaid_text(text: str) -> str:
    # Mermaid has no escapes, only entities written with a number sign
    return text.replace("#", "#35;").replace('"', "#quot;").replace("\\", "#92;")


def mermaid(drawing: Drawing) -> str:
    """Mermaid text, ending in a newline."""
    in_cycle = {name for cycle in drawing.cycles for name in cycle}
    ids = {name: f"u{number}" for number, name in enumerate(drawing.units)}
    lines = ["flowchart LR", f"  %% {LEGEND}"]
    for name in drawing.units:
        opening, closing = _MERMAID_SHAPES.get(unit_type(name), ("[", "]"))
        lines.append(f'  {ids[name]}{opening}"{_mermaid_text(name)}"{closing}')
    red = []
    for number, arrow in enumerate(arrows(drawing)):
        line = "==>" if arrow.falls else "-.->" if arrow.faint or arrow.kinds == ("After",) else "-->"
        lines.append(f'  {ids[arrow.source]} {line}|"{" ".join(arrow.kinds)}"| {ids[arrow.target]}')
        if arrow.cyclic:
            red.append(str(number))
    outside = [ids[name] for name in drawing.units if name not in drawing.declared]
    lines += ["  classDef outside stroke-dasharray: 4 4", f"  class {','.join(outside)} outside"] if outside else []
    if in_cycle:
        lines.append("  classDef cycle stroke:#c00,color:#c00")
        lines.append(f"  class {','.join(ids[name] for name in drawing.units if name in in_cycle)} cycle")
    if red:
        lines.append(f"  linkStyle {','.join(red)} stroke:#c00")
    return "\n".join([*lines, ""])

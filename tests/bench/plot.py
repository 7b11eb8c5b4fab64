# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Curves on two logarithmic axes, as SVG."""

from __future__ import annotations

import math
import typing as t
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 400, 320  # of one panel
LEFT, RIGHT, TOP, BOTTOM = 52, 92, 34, 44
COLORS = {"limit": "#767676", "ours": "#0b6e4f", "role": "#b35900", "loop": "#a4161a"}


class Curve(t.NamedTuple):
    label: str
    points: dict[int, float]  # seconds by number of units
    kind: str


class Panel(t.NamedTuple):
    title: str
    curves: list[Curve]


class _Axis:
    """Place of a value between two powers of ten."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = math.floor(math.log10(low)), math.ceil(math.log10(high))
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def draw(panels: t.Sequence[Panel]) -> str:
    """The panels side by side, with the same axes."""
    values = [value for panel in panels for curve in panel.curves for value in curve.points.values()]
    counts = [count for panel in panels for curve in panel.curves for count in curve.points]
    body = []
    for number, panel in enumerate(panels):
        across = _Axis(min(counts), max(counts), LEFT, WIDTH - RIGHT)
        up = _Axis(min(values), max(values), HEIGHT - BOTTOM, TOP)
        body.append(f'<g transform="translate({number * WIDTH} 0)">{_panel(panel, across, up)}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12"'
        ' role="img" aria-label="Seconds of a whole run by number of units, for several ways of deploying them">\n'
        '<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _panel(panel: Panel, across: _Axis, up: _Axis) -> str:
    parts = [f'<text x="{LEFT}" y="20" font-weight="bold" fill="#222222">{escape(panel.title)}</text>']
    for tick in up.ticks():
        y = up.place(tick)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#444444">{tick:g} s</text>')
    for tick in across.ticks():
        x = across.place(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eeeeee"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="#444444">{tick:g}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle" fill="#444444">units</text>')
    return "\n".join(
        parts + [_curve(curve, across, up, y) for curve, y in zip(panel.curves, _label_places(panel.curves, up))]
    )


def _curve(curve: Curve, across: _Axis, up: _Axis, label_y: float) -> str:
    color = COLORS[curve.kind]
    places = [(across.place(count), up.place(value)) for count, value in sorted(curve.points.items())]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dash = ' stroke-dasharray="5 4"' if curve.kind == "limit" else ""
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>' for x, y in places)
    last_x = places[-1][0]
    label = f'<text x="{last_x + 7:.1f}" y="{label_y + 4:.1f}" fill="{color}">{escape(curve.label)}</text>'
    return f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"{dash}/>{dots}{label}'


def _label_places(curves: t.Sequence[Curve], up: _Axis) -> list[float]:
    """Heights of the labels at the curves' ends, moved apart where they would lie on each other."""
    wanted = sorted((up.place(curve.points[max(curve.points)]), number) for number, curve in enumerate(curves))
    places = [0.0] * len(curves)
    lowest = -1e9
    for y, number in wanted:
        lowest = max(y, lowest + 14)
        places[number] = lowest
    return places

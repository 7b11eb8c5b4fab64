# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.build import build
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.cycles import cycles_of
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.draw import dot, draw, mermaid
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.edges import (
    DEFAULT,
    SHOW_PROPERTIES,
    STOP_PROPERTIES,
    UNIT_DIRECTIVES,
    spread,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.graph import Graph
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.live import from_show
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.start import start
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from case_files import load


def build_graph(case: dict[str, t.Any]) -> Graph:
    return build([read_unit(name, text) for name, text in case["units"].items()])


@pytest.mark.parametrize("case", load("graph/edges"))
def test_edges(case: dict[str, t.Any]) -> None:
    """``source Kind target origin`` of each edge; those to and from slices and shutdown are left out unless asked."""
    found = [f"{edge.source} {edge.kind} {edge.target} {edge.origin}" for edge in build_graph(case).edges]
    if not case.get("all"):
        found = [row for row in found if ".slice" not in row and "shutdown.target" not in row and "journald" not in row]
    assert sorted(found) == sorted(case["edges"])


@pytest.mark.parametrize("case", load("syntax/specifiers"))
def test_slice_of_a_unit(case: dict[str, t.Any]) -> None:
    graph = build_graph({"units": {case["unit"]: "[Service]\nExecStart=/bin/true\n"}})
    assert [name for name in graph.targets("Requires", case["unit"]) if name.endswith(".slice")] == [case["slice"]]


@pytest.mark.parametrize("case", load("graph/start"))
def test_start(case: dict[str, t.Any]) -> None:
    graph = build_graph(case)
    verdict = start(graph.adjacency, case["start"])
    assert [verdict.outcome, verdict.reason] == case["verdict"]
    wanted = {key: case[key] for key in ("cycle", "candidates", "certain") if key in case}
    found = {key: getattr(verdict, key) for key in wanted}
    assert {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()} == wanted
    if "cycles" in case:
        assert [list(cycle.units) for cycle in cycles_of(graph)] == case["cycles"]


@pytest.mark.parametrize("case", load("graph/falls"))
def test_who_falls_when_a_unit_is_stopped(case: dict[str, t.Any]) -> None:
    assert list(build_graph(case).falls_with(case["unit"])) == case["stop"]


@pytest.mark.parametrize("case", load("graph/falls"))
def test_who_falls_when_a_unit_crashes(case: dict[str, t.Any]) -> None:
    assert list(build_graph(case).falls_with(case["unit"], "crash")) == case["crash"]


@pytest.mark.parametrize("case", load("graph/falls"))
def test_who_comes_back_with_a_unit(case: dict[str, t.Any]) -> None:
    assert list(build_graph(case).comes_back_with(case["unit"])) == case["back"]


@pytest.mark.parametrize(
    ("roots", "found"),
    [
        (["a"], {"b": "a", "c": "b", "a": "c"}),
        (["c", "d"], {"a": "c", "b": "a", "c": "b"}),
        (["d"], {}),
        ([], {}),
    ],
    ids=["round a circle", "two roots", "to itself alone", "none"],
)
def test_spread(roots: list[str], found: dict[str, str]) -> None:
    following = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["d"]}
    assert spread(roots, following.__getitem__) == found


@pytest.mark.parametrize("case", load("graph/text"))
def test_text(case: dict[str, t.Any]) -> None:
    drawing = draw(build_graph(case), case.get("everything", False))
    assert dot(drawing) == case["dot"]
    assert mermaid(drawing) == case["mermaid"]


SHOWN = {
    "a.service": {
        "Requires": "sysinit.target system.slice b.service",
        "After": "b.service sysinit.target basic.target",
        "TriggeredBy": "a.timer",
        "Conflicts": "shutdown.target",
    },
    "b.service": {"RequiredBy": "a.service", "BoundBy": "c.service", "Before": "a.service"},
}


def test_live_host() -> None:
    graph = from_show(SHOWN)
    assert graph.declared == ("a.service", "b.service")
    assert graph.targets("Requires", "a.service") == ("b.service", "sysinit.target", "system.slice")
    assert graph.targets("Triggers", "a.timer") == ("a.service",)
    assert graph.falls_with("b.service") == ("a.service", "c.service")


def test_defaults_of_a_live_host() -> None:
    assert {edge.target for edge in from_show(SHOWN).edges if edge.origin == DEFAULT} == {
        "basic.target",
        "shutdown.target",
        "sysinit.target",
        "system.slice",
    }


@pytest.mark.parametrize("everything", [False, True])
def test_drawing_of_a_live_host(everything: bool) -> None:
    text = dot(draw(from_show(SHOWN), everything))
    assert '"a.service" -> "b.service" [label="After Requires", penwidth=2.5];' in text
    assert ("sysinit" in text) is everything


def test_properties_that_name_who_is_stopped_with_a_unit() -> None:
    assert sorted(STOP_PROPERTIES) == ["BoundBy", "ConsistsOf", "PropagatesStopTo", "RequiredBy", "RequisiteOf"]


def test_every_kind_of_systemd_is_drawn() -> None:
    """A declared unit and ``systemctl show`` of the same unit give the same kinds."""
    directives = [d for d in UNIT_DIRECTIVES if d not in ("After", "Before")]
    text = "[Unit]\nDefaultDependencies=no\n" + "".join(f"{d}={d.lower()}.target\n" for d in directives)
    graph = build([read_unit("a.target", text)])
    assert {edge.kind for edge in graph.edges} == {kind for kind, _inverse in SHOW_PROPERTIES.values()} - {
        "After",
        "Triggers",
    }
    assert len([edge for edge in graph.edges if edge.kind != "After"]) == len(directives)


def test_a_long_cycle_is_found_whole() -> None:
    units = []
    for number in range(300):
        before = f"u{(number - 1) % 300}.service"
        text = f"[Unit]\nAfter={before}\nWants={before}\n[Service]\nExecStart=/bin/a\n"
        units.append(read_unit(f"u{number}.service", text))
    graph = build(units)
    assert len(start(graph.adjacency, "u299.service").cycle) == 300
    assert [len(cycle.units) for cycle in cycles_of(graph)] == [300]

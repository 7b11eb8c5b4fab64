# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph import build as _graph
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph import draw as _graph_text
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph import edges as _graph_edges
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph import live as _graph_live
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph import reach as _graph_walk
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from case_files import load


def build(case: dict[str, t.Any]) -> _graph.Graph:
    return _graph.build([read_unit(name, text) for name, text in case["units"].items()])


@pytest.mark.parametrize("case", load("graph/edges"))
def test_edges(case: dict[str, t.Any]) -> None:
    """``source Kind target origin`` of each edge; those to and from slices and shutdown are left out unless asked."""
    found = [f"{edge.source} {edge.kind} {edge.target} {edge.origin}" for edge in build(case).edges]
    if not case.get("all"):
        found = [row for row in found if ".slice" not in row and "shutdown.target" not in row and "journald" not in row]
    assert sorted(found) == sorted(case["edges"])


@pytest.mark.parametrize("case", load("syntax/specifiers"))
def test_slice_of_a_unit(case: dict[str, t.Any]) -> None:
    graph = build({"units": {case["unit"]: "[Service]\nExecStart=/bin/true\n"}})
    assert [name for name in graph.targets("Requires", case["unit"]) if name.endswith(".slice")] == [case["slice"]]


@pytest.mark.parametrize("case", load("graph/start"))
def test_start(case: dict[str, t.Any]) -> None:
    graph = build(case)
    verdict = graph.start(case["start"])
    assert [verdict.outcome, verdict.reason] == case["verdict"]
    for key in ("cycle", "candidates", "certain"):
        if key in case:
            assert getattr(verdict, key) == (tuple(case[key]) if isinstance(case[key], list) else case[key])
    if "cycles" in case:
        assert [list(cycle.units) for cycle in graph.cycles()] == case["cycles"]


@pytest.mark.parametrize("case", load("graph/falls"))
def test_who_falls_with_whom(case: dict[str, t.Any]) -> None:
    graph = build(case)
    assert list(_graph_walk.falls_with(graph, case["unit"])) == case["stop"]
    assert list(_graph_walk.falls_with(graph, case["unit"], "crash")) == case["crash"]
    assert list(graph.comes_back_with(case["unit"])) == case["back"]


@pytest.mark.parametrize("case", load("graph/order"))
def test_start_order(case: dict[str, t.Any]) -> None:
    assert [list(wave) for wave in _graph_walk.start_order(build(case))] == case["order"]


@pytest.mark.parametrize("case", load("graph/text"))
def test_text(case: dict[str, t.Any]) -> None:
    drawing = _graph_text.draw(build(case), case.get("everything", False))
    assert _graph_text.dot(drawing) == case["dot"]
    assert _graph_text.mermaid(drawing) == case["mermaid"]


SHOWN = """\
Id=a.service
Requires=sysinit.target system.slice b.service
After=b.service sysinit.target basic.target
TriggeredBy=a.timer
Conflicts=shutdown.target

Id=b.service
RequiredBy=a.service
BoundBy=c.service
Before=a.service

"""


def test_live_host() -> None:
    graph = _graph_live.from_show(_graph_live.parse_show(SHOWN))
    assert graph.declared == ("a.service", "b.service")
    assert graph.targets("Requires", "a.service") == ("b.service", "sysinit.target", "system.slice")
    assert graph.targets("Triggers", "a.timer") == ("a.service",)
    assert _graph_walk.falls_with(graph, "b.service") == ("a.service", "c.service")
    assert {edge.target for edge in graph.edges if edge.origin == _graph_edges.DEFAULT} == {
        "basic.target",
        "shutdown.target",
        "sysinit.target",
        "system.slice",
    }
    usual = _graph_text.dot(_graph_text.draw(graph))
    assert '"a.service" -> "b.service" [label="After Requires", penwidth=2.5];' in usual
    assert "sysinit" not in usual
    assert "sysinit" in _graph_text.dot(_graph_text.draw(graph, everything=True))


def test_every_kind_of_systemd_is_drawn() -> None:
    """A declared unit and ``systemctl show`` of the same unit give the same kinds."""
    directives = [d for d in _graph_edges.UNIT_DIRECTIVES if d not in ("After", "Before")]
    text = "[Unit]\nDefaultDependencies=no\n" + "".join(f"{d}={d.lower()}.target\n" for d in directives)
    graph = _graph.build([read_unit("a.target", text)])
    assert {edge.kind for edge in graph.edges} == {kind for kind, _inverse in _graph_live.SHOW_PROPERTIES.values()} - {
        "After",
        "Triggers",
    }
    assert len([edge for edge in graph.edges if edge.kind != "After"]) == len(directives)


def test_a_large_set_is_quick() -> None:
    units = []
    for number in range(300):
        text = f"[Unit]\nAfter=u{number - 1}.service\nWants=u{number - 1}.service\n[Service]\nExecStart=/bin/a\n"
        units.append(read_unit(f"u{number}.service", text))
    graph = _graph.build(units)
    assert graph.cycles() == []
    assert len(_graph_walk.start_order(graph)) == 300
    assert len(graph.start("u299.service").jobs) >= 300

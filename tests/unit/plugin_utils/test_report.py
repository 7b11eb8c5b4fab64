# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit report: what is counted, what is drawn, and that no text can leave the data of the page."""

from __future__ import annotations

import html.parser
import json
import re

import pytest
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report
from report import fleet


def unit(name="a.service", **more):
    state = {"active_state": "active", "sub_state": "running", "n_restarts": 0, **more.pop("state", {})}
    return {"name": name, "id": name, "exists": True, "origin": "administrator", "state": state, "drift": None, **more}


def report(*units, findings=(), problem=""):
    info = {"units": {u["name"]: u for u in units}, "findings": []}
    return _report.build(
        [_report.Told("h", info, {"findings": list(findings), "systemd_version": 252}, problem)], "2026-11-21T06:00:00Z"
    )


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (unit(state={"active_state": "failed"}), "failed"),
        (unit(state={"active_state": "activating", "sub_state": "auto-restart"}), "crash_looping"),
        (unit(state={"n_restarts": 3}), "crash_looping"),
        (unit(state={"need_daemon_reload": True}), "need_daemon_reload"),
        (unit(drift=[{"what": "changed", "path": "/x", "message": "m", "diff": ""}]), "drift"),
        (unit(drift=[]), "managed"),
    ],
)
def test_what_is_counted(told, key):
    assert report(told)["summary"][key] == 1
    assert report(unit())["summary"][key] == 0


def test_findings_are_counted_and_sorted():
    findings = [
        {"rule": "x", "severity": "info", "unit": "a.service"},
        {"rule": "start-limit-gives-up", "severity": "warning", "unit": "a.service"},
        {"rule": "bad-value", "severity": "error", "unit": "a.service"},
    ]
    made = report(unit(), findings=findings)
    assert [f["severity"] for f in made["hosts"][0]["findings"]] == ["error", "warning", "info"]
    assert (made["summary"]["start_limit"], made["summary"]["errors"], made["summary"]["warnings"]) == (1, 1, 1)


def test_aliases_and_what_does_not_exist_are_left_out():
    made = report(unit(), unit("alias.service", id="a.service"), unit("ghost.service", exists=False))
    assert [u["name"] for u in made["hosts"][0]["units"]] == ["a.service"]


def test_a_host_that_was_not_reached():
    made = _report.build([_report.Told("gone", {}, {}, "unreachable")], "2026-11-21T06:00:00Z")
    assert made["summary"]["not_asked"] == 1
    assert made["hosts"][0]["units"] == []


def test_graph_of_what_the_administrator_put_there():
    made = report(
        unit(
            "web.service",
            dependencies={"requires": ["db.service", "sysinit.target"], "after": ["db.service", "far.service"]},
        ),
        unit("db.service", dependencies={"required_by": ["web.service"]}),
        unit("vendor.service", origin="vendor", dependencies={"requires": ["other.service"]}),
    )
    assert len(made["graphs"]) == 1
    graph = next(iter(made["graphs"].values()))
    assert graph["hosts"] == ["h"]
    assert '"web.service" -> "db.service"' in graph["dot"]
    for absent in ("other.service", "sysinit.target", "far.service"):
        assert absent not in graph["dot"]
    assert graph["mermaid"].startswith("flowchart")


def test_hosts_that_are_alike_share_a_drawing():
    units = {"a.service": unit(dependencies={"requires": ["b.service"]})}
    told = [_report.Told(name, {"units": units}, {}) for name in ("h1", "h2")]
    graphs = _report.build(told, "2026-11-21T06:00:00Z")["graphs"]
    assert len(graphs) == 1
    graph = next(iter(graphs.values()))
    assert graph["hosts"] == ["h1", "h2"]


HOSTILE = ["</script><script>alert(1)</script>", "<!--<script>", "a & b", "\u2028\u2029", "]]>", "{{ 7 * 7 }}", "\"'\\"]


class Scripts(html.parser.HTMLParser):
    """Counts script elements and keeps the data of the page."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.data = ""
        self._inside = False

    def handle_starttag(self, tag, attrs):
        self.count += tag == "script"
        self._inside = ("id", "data") in attrs

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.data += data


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_leaves_the_data_of_the_page(text):
    made = report(
        unit(state={"description": text, "active_state": "failed", "result": text}),
        findings=[{"rule": "r", "message": text}],
        problem=text,
    )
    page = fleet.page(made, graphviz=False)
    parsed = Scripts()
    parsed.feed(page)
    assert parsed.count == 2
    data = json.loads(parsed.data)
    assert text in data["texts"]
    assert not re.search("[<>&\u2028\u2029]", parsed.data)


def test_the_page_names_no_other_address():
    page = fleet.page(fleet.fleet(2, 30), graphviz=False)
    page = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)
    assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page)) <= {"https://example.org"}
    assert not re.search(r"\b(?:src|srcset|action)=|@import|url\(", page)


def test_a_fleet_of_50_hosts_with_300_units_stays_small():
    made = fleet.fleet(50, 300)
    assert made["summary"]["units"] == 15000
    assert len(fleet.page(made, graphviz=False)) < 4_000_000

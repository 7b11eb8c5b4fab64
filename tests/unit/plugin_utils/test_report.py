# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit report: what is counted, what is drawn, and that no text can leave the data of the page."""

from __future__ import annotations

import html.parser
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from ansible.parsing.splitter import parse_kv
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report, _report_fixes, _report_page
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._report_input import without_secrets
from case_files import load
from report import fleet


def unit(name="a.service", **more):
    state = {"active_state": "active", "sub_state": "running", "n_restarts": 0, **more.pop("state", {})}
    return {"name": name, "id": name, "exists": True, "origin": "administrator", "state": state, "drift": None, **more}


def report(*units, findings=(), problem=""):
    info = {"units": {u["name"]: u for u in units}, "findings": []}
    return _report.build(
        [_report.Told("h", info, {"findings": list(findings), "systemd_version": 252}, problem)], "2026-11-21T06:00:00Z"
    )


@pytest.mark.parametrize("info", [{}, {"skipped": True}, "text", {"units": None}])
def test_a_host_that_tells_of_no_units_is_not_one_without_units(info):
    made = _report.build([_report.Told("h", info, {})], "")
    assert made["summary"]["not_asked"] == 1


def test_a_line_that_is_found_when_it_is_read_and_by_lint_counts_once():
    found = {"rule": "syntax", "severity": "warning", "path": "/x", "line": 3, "message": "/x:3: m"}
    more = [found | {"line": 4}, found | {"path": "/y"}]
    made = _report.build([_report.Told("h", {"units": {}, "findings": [found, *more]}, {"findings": [found]})], "")
    assert made["summary"]["warnings"] == 3


@pytest.mark.parametrize("case", load("plugin_utils/report/secrets"))
def test_what_is_assigned_to_the_name_of_a_secret_is_not_shown(case):
    assert without_secrets(case["text"]) == case["shown"]


def test_no_secret_of_a_drift_is_on_the_page():
    diff = "+Environment=DB_PASSWORD=hunter2\n"
    made = report(unit(drift=[{"what": "added", "path": "/x", "message": "m", "diff": diff}]))
    assert "hunter2" not in json.dumps(made)


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


# --- groups ----------------------------------------------------------------------------------------------------------

FINDING = {"rule": "start-limit-gives-up", "severity": "warning", "unit": "a.service", "message": "m", "path": "/x"}
TIMER = {"next_elapse": "2026-11-21T07:00:30Z", "settings": [{"directive": "OnCalendar", "value": "07:00"}]}
FAILED = {"state": {"active_state": "failed", "sub_state": "failed"}}


def grouped(by_host, earlier=None, findings=()):
    told = [
        _report.Told(host, {"units": {u["name"]: u for u in units}}, {"findings": list(findings)})
        for host, units in by_host.items()
    ]
    return _report.build(told, "2026-11-21T06:00:00Z", earlier)


@pytest.mark.parametrize(
    ("told", "findings", "kind"),
    [
        (unit(**FAILED), [], "failed"),
        (unit(state={"n_restarts": 3}), [], "crash-looping"),
        (unit(restarts=["2026-11-21T05:59:00Z"]), [], "restarted"),
        (unit(state={"need_daemon_reload": True}), [], "reload"),
        (unit(drift=[{"what": "changed", "path": "/x", "message": "m", "diff": "-a"}]), [], "drift"),
        (unit(security={"exposure": 9.2, "level": "unsafe", "points": []}), [], "exposure"),
        (unit("a.timer", state={"timer": TIMER}), [], "timer"),
        (unit(), [FINDING], "start-limit"),
        (unit(), [FINDING | {"rule": "bad-value", "severity": "error"}], "finding"),
    ],
)
def test_the_same_on_many_hosts_is_one_group(told, findings, kind):
    (group,) = grouped({"h1": [told], "h2": [told]}, findings=findings)["groups"]
    assert group["kind"] == kind
    assert [item["host"] for item in group["hosts"]] == ["h1", "h2"]


def test_what_differs_from_host_to_host_does_not_part_a_group():
    log = {"h1": "one", "h2": "two"}
    journal = {
        host: [unit(journal=[{"time": "t", "priority": "err", "message": text}], **FAILED)]
        for host, text in log.items()
    }
    (group,) = grouped(journal)["groups"]
    assert [item["detail"] for item in group["hosts"]] == ["t err one", "t err two"]


def test_other_results_are_other_groups():
    states = {"h1": {"active_state": "failed", "result": "timeout"}, "h2": {"active_state": "failed"}}
    made = grouped({host: [unit(state=state)] for host, state in states.items()})
    assert len(made["groups"]) == 2


def test_what_to_do_first_stands_first():
    units = [
        unit("c.service", state={"need_daemon_reload": True}),
        unit("b.service", **FAILED),
        unit("a.service", security={"exposure": 9.9, "level": "unsafe", "points": []}),
    ]
    findings = [FINDING | {"rule": rule, "severity": rule} for rule in ("info", "error")]
    found = grouped({"h": units}, findings=findings)["groups"]
    assert [g["name"] or g["kind"] for g in found] == ["failed", "error", "reload", "info", "exposure"]


def test_restarts_are_counted_by_the_hour():
    times = [
        "2026-11-21T05:59:00Z",
        "2026-11-21T05:01:00.5Z",
        "2026-11-20T06:30:00Z",
        "2026-11-19T06:00:00Z",
        "x",
        "2027",
    ]
    (group,) = grouped({"h": [unit(restarts=times)]})["groups"]
    assert group["restarts"] == [1, *[0] * 22, 2]


@pytest.mark.parametrize(("origins", "expected"), [(("vendor", "vendor"), 0), (("vendor", "administrator"), 1)])
def test_timers_that_elapse_together(origins, expected):
    timers = [unit(f"{name}.timer", state={"timer": TIMER}) | {"origin": o} for name, o in zip("ab", origins)]
    found = [g for g in grouped({"h": timers})["groups"] if g["kind"] == "collision"]
    assert len(found) == expected
    assert all("RandomizedDelaySec" in g["fix"] and g["unit"] == "a.timer b.timer" for g in found)


# --- what mends it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run-t\\x2dm.mount", "a@b\\x20c.service", "plain.service"])
def test_a_command_to_copy_has_the_name_of_the_unit(name):
    journal, restart = _report_fixes.restart(name).splitlines()
    words = shlex.split(parse_kv(shlex.split(journal)[-1], check_raw=True)["_raw_params"])  # as Ansible does it
    assert [words[-1], parse_kv(shlex.split(restart)[-1])["name"]] == [f"--unit={name}", name]


@pytest.mark.parametrize(
    "name", ["a b", "$(reboot).service", "{{ x }}.service", "a'.service", "a\n.service", "a\\.service", "a\\x2"]
)
def test_a_name_that_is_more_than_a_name_stands_in_no_command(name):
    fixes = [_report_fixes.restart(name), _report_fixes.deploy(name), _report_fixes.spread((name,))]
    assert [*fixes, _report_fixes.confine(name, ("PrivateTmp=",))] == ["", "", "", ""]


def test_the_setting_that_a_host_names_is_not_written():
    text = _report_fixes.confine("a.service", ("PrivateTmp=", "SystemCallFilter=~@swap", "{{ x }}=", "ExecStart=/evil"))
    (item,) = yaml.safe_load(text)
    assert item["sections"] == {"Service": {"PrivateTmp": True, "SystemCallFilter": "@system-service"}}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("start-limit-gives-up", "sections:\n  Unit:\n    StartLimitIntervalSec: 0"),
        ("oneshot-restart", "# Leave out: Restart= in [Service]"),
        ("no-such-rule", ""),
    ],
)
def test_the_example_of_a_rule(rule, expected):
    assert _report_fixes.obey(rule).endswith(expected)


# --- comparison ------------------------------------------------------------------------------------------------------


def since(before, now):
    found = grouped(now, json.dumps(grouped(before)))
    numbers = {key: found["compared"][key] for key in ("new", "still", "gone")}
    return {key: number for key, number in numbers.items() if number}


BROKEN, FINE = unit(**FAILED), unit()
DAMAGED = json.dumps(grouped({"h": [FINE]}, findings=[FINDING])).replace(
    '"unit": "a.service", "path"', '"unit": 3, "path"'
)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"h": [BROKEN]}, {"h": [BROKEN]}, {"still": 1}),
        ({"h": [FINE]}, {"h": [BROKEN]}, {"new": 1}),
        ({"h": [BROKEN]}, {"h": [FINE]}, {"gone": 1}),
        ({"h": [BROKEN]}, {"h": [unit(state={"active_state": "failed", "result": "timeout"})]}, {"still": 1}),
        ({"h": [BROKEN]}, {"h": []}, {}),  # it did not answer
        ({"h": []}, {"h": [BROKEN]}, {}),
        ({"h": [BROKEN], "k": [FINE]}, {"h": [BROKEN], "k": [BROKEN]}, {"still": 1, "new": 1}),
    ],
    ids=["still", "new", "gone", "another-result", "no-answer", "no-answer-before", "part-of-a-group"],
)
def test_comparison_with_an_earlier_report(before, now, expected):
    assert since(before, now) == expected


def test_a_report_that_is_not_compared():
    made = grouped({"h": [BROKEN]})
    assert made["compared"] is None
    assert made["groups"][0]["since"] == ""


@pytest.mark.parametrize("case", load("plugin_utils/report/earlier"))
def test_what_is_no_earlier_report(case):
    with pytest.raises(ValueError, match=re.escape(case["says"])):
        grouped({"h": [BROKEN]}, case["text"] * case.get("times", 1))


def test_an_earlier_report_with_a_value_of_another_type():
    with pytest.raises(ValueError, match="start-limit of 3 has a value of another type"):
        grouped({"h": [BROKEN]}, DAMAGED)


def test_small_pictures_show_the_same_unit_in_the_same_place():
    made = grouped(
        {"h1": [unit(), unit("b.service", **FAILED)], "h2": [unit("b.service", state={"active_state": "inactive"})]}
    )
    data = json.loads(_report_page.page_data(made, {}))
    assert [data["texts"][number] for number in data["unitNames"]] == ["a.service", "b.service"]
    assert [host["states"] for host in data["hosts"]] == ["af", ".i"]


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


# --- a host that lies ------------------------------------------------------------------------------------------------

GOOD = {"a.service": unit(state={"active_state": "failed"}), "b.service": unit("b.service")}
BAD = [
    (
        {"units": {"a.service": unit(state={"n_restarts": "x"})}},
        {},
        "unit 'a.service'.state.n_restarts is not a number (str)",
    ),
    ({"units": {"a.service": unit(state={"n_restarts": float("nan")})}}, {}, "n_restarts is not a number in range"),
    ({"units": {"a.service": unit(state={"n_restarts": 10**5000})}}, {}, "n_restarts is not a number in range"),
    ({"units": {"a.service": unit(state={"n_restarts": True})}}, {}, "n_restarts is not a number (bool)"),
    ({"units": {"a.service": {"exists": True}}}, {}, "unit 'a.service' has no valid name"),
    ({"units": {"a.service": {"name": "a.service"}}}, {}, "unit 'a.service' has no valid exists"),
    ({"units": {"a.service": None}}, {}, "unit 'a.service' is not a mapping (NoneType)"),
    ({"units": {"a.service": unit() | {"state": "x"}}}, {}, "state is not a mapping (str)"),
    ({"units": ["a.service"]}, {}, "units is not a mapping (list)"),
    ("x", "y", ""),
    ({"findings": [None]}, {}, "info.findings[0] is null"),
    ({"findings": {"a": 1}}, {}, "info.findings is not a list (dict)"),
    ({}, {"findings": [{"line": "1"}]}, "lint.findings[0].line is not a number (str)"),
    ({}, {"findings": [{}] * 5001}, "lint.findings has 5001 items, more than 5000"),
    ({}, {"systemd_version": [252]}, "lint.systemd_version is not a number (list)"),
    ({"units": {"a.service": unit(journal=[3])}}, {}, "journal[0] is not a mapping (int)"),
    ({"units": {"a.service": unit(drift=[{}])}}, {}, "drift[0] has no valid what"),
    ({"units": {"a.service": unit(security={"points": [{"setting": "x"}]})}}, {}, "points[0] has no valid exposure"),
    ({"units": {"a.service": unit(dependencies={"after": "b"})}}, {}, "dependencies.after is not a list (str)"),
    (
        {"units": {f"u{n}.service": unit(f"u{n}.service") for n in range(5001)}},
        {},
        "units has 5001 items, more than 5000",
    ),
]


def three_hosts(info, lint, problem=""):
    told = [
        _report.Told("good1", {"units": GOOD}, {"systemd_version": 257}),
        _report.Told("good2", {"units": GOOD}, {"systemd_version": 257}),
        _report.Told("liar", info, lint, problem),
    ]
    return _report.build(told, "2026-11-21T06:00:00Z")


@pytest.mark.parametrize(("info", "lint", "problem"), BAD, ids=[case[2][-40:] or "no mappings" for case in BAD])
def test_one_host_that_lies_costs_no_other(info, lint, problem):
    made = three_hosts(info, lint)
    assert problem in made["hosts"][2]["problem"]
    honest = three_hosts({}, {})
    assert made["hosts"][:2] == honest["hosts"][:2]
    json.loads(_report_page.page_data(made, {}), parse_constant=pytest.fail)


def test_the_other_units_of_a_host_that_lies_are_shown():
    made = three_hosts({"units": {**GOOD, "c.service": None}}, {})
    assert [unit["name"] for unit in made["hosts"][2]["units"]] == ["a.service", "b.service"]


@pytest.mark.parametrize("text", [chr(0xD800), chr(0xDCFF)], ids=ascii)
def test_a_text_that_is_not_unicode_can_be_written(text):
    made = three_hosts({"units": {"a.service": unit(state={"description": text})}}, {}, text)
    assert _report_page.page_data(made, {}).encode()
    assert made["hosts"][2]["problem"].encode()


def test_a_host_cannot_bloat_the_report():
    units = {f"u{n}.service": unit(f"u{n}.service", drift=[{"what": "x" * 300}] * 2000) for n in range(100)}
    made = three_hosts({"units": units}, {})
    assert "has more than 20000000 characters" in made["hosts"][2]["problem"]
    assert 0 < len(made["hosts"][2]["units"]) < 100
    assert len(made["hosts"][0]["units"]) == 2


HUGE = {
    "a text of 100 MB": 'one(state={"description": "x" * 100_000_000})',
    "a million units": '{f"u{n}.service": one(f"u{n}.service") for n in range(10**6)}',
    "a million dependencies": 'one(dependencies={"requires": [f"u{n}.service" for n in range(10**6)]})',
    "a number of a million digits": 'one(state={"n_restarts": 10**10**6})',
    "a list in a list, 10,000 deep": "one(journal=functools.reduce(lambda inner, _n: [inner], range(10**4), []))",
    "a million names that are not valid": '{"\\n" * (n % 50) + str(n): {"exists": True} for n in range(10**6)}',
}
BUILD = """
import functools, resource, sys
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report, _report_page

def one(name="a.service", **more):
    unit = {"name": name, "exists": True, **more}
    return {"a.service": unit} if name == "a.service" else unit

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
told = [_report.Told(name, {"units": one()}, {"systemd_version": 257}) for name in ("good1", "good2")]
made = _report.build([*told, _report.Told("liar", {"units": %s}, {})], "2026-11-21T06:00:00Z")
assert [len(host["units"]) for host in made["hosts"][:2]] == [1, 1], made["hosts"][:2]
print(len(_report_page.page_data(made, {})))
"""


@pytest.mark.parametrize("units", HUGE.values(), ids=list(HUGE))
def test_a_huge_answer_takes_bounded_memory_and_time(units):
    """With 1 GiB of memory and 5 minutes of a processor; the page is not much larger than MAX_SIZE."""
    path = os.pathsep.join([str(pathlib.Path(__file__).parents[3] / ".ansible" / "collections"), *sys.path])
    command = [sys.executable, "-c", BUILD.replace("%s", units)]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert int(ended.stdout) < 40_000_000


def test_a_drawing_has_a_limit_of_arrows():
    units = {
        f"u{n}.service": unit(
            f"u{n}.service",
            dependencies={"requires": [f"u{n + 1}.service", *(f"t{n}-{m}.service" for m in range(400))]},
        )
        for n in range(120)
    }
    made = three_hosts({"units": units}, {})
    graph = next(iter(made["graphs"].values()))
    assert graph["dot"].count(" -> ") == 1000
    assert graph["dot"].count(' -> "u') == 119  # between units that are drawn in any case


def test_drawing_has_a_time_limit(tmp_path):
    plays = yaml.safe_load((pathlib.Path(__file__).parents[3] / "playbooks" / "audit.yml").read_text())
    (code,) = [task["vars"]["__audit_dot"] for task in plays[-1]["tasks"] if "__audit_dot" in task.get("vars", {})]
    dot = tmp_path / "dot"
    dot.write_text("#!/bin/sh\nexec sleep 1000\n")
    dot.chmod(0o755)
    assert "timeout=20)" in code
    command = [sys.executable, "-c", code.replace("timeout=20)", "timeout=0.2)")]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(command, env=environment, timeout=300, check=False, capture_output=True, text=True)
    assert "subprocess.TimeoutExpired" in ended.stderr


def test_the_page_names_no_other_address():
    page = fleet.page(fleet.fleet(2, 30), graphviz=False)
    page = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)
    assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page)) <= {"https://example.org"}
    assert not re.search(r"\b(?:src|srcset|action)=|@import|url\(", page)


def test_hosts_that_are_alike_take_little_more_of_the_page_than_one():
    sizes = [len(fleet.page(fleet.fleet(hosts, 60), graphviz=False)) for hosts in (10, 40)]
    assert sizes[1] < 2 * sizes[0]

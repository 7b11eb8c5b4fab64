# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils import _model
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import host as _lint_host
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import judge, restart
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.core import Rule
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.judge import lint
from case_files import CASES, load
from lint_cases import read_facts, read_units

RULES = (*judge.RULES, *_lint_host.RULES)
TOPICS = ("restart", "links", "startup", "host", "install")
CASES_OF_RULES = [case for topic in TOPICS for case in load(f"lint/{topic}")]


def findings(case: dict[str, t.Any]) -> list[_model.Finding]:
    today = case.get("today", datetime.date(2026, 11, 21))
    facts, enabled = read_facts(case.get("facts")), case.get("enabled", ())
    return lint(read_units(case["units"]), case.get("release", 252), facts, enabled, today, _lint_host.RULES)


def findings_of_rule(case: dict[str, t.Any]) -> list[_model.Finding]:
    """What the case's own rule finds; other rules have their own cases."""
    return [finding for finding in findings(case) if finding.rule == case["rule"]]


@pytest.mark.parametrize("case", CASES_OF_RULES)
def test_what_a_rule_finds_and_where(case: dict[str, t.Any]) -> None:
    found = [(finding.unit, finding.line, finding.severity) for finding in findings_of_rule(case)]
    first = next(iter(case["units"]))
    assert found == [
        (want.get("unit", first), want.get("line", 0), want.get("severity", "warning"))
        for want in case.get("expect", [])
    ]


@pytest.mark.parametrize(
    ("case", "number", "part"),
    [
        pytest.param(case, number, part, id=f"{param.id}: {part}")
        for param in CASES_OF_RULES
        for case in param.values
        for number, want in enumerate(case.get("expect", []))
        for part in want.get("says", [])
    ],
)
def test_what_a_finding_says(case: dict[str, t.Any], number: int, part: str) -> None:
    finding = findings_of_rule(case)[number]
    assert part in f"{finding.message} | {finding.hint}"


@pytest.mark.parametrize("case", [param for param in CASES_OF_RULES if param.values[0].get("expect")])
def test_every_finding_has_message_hint_and_source(case: dict[str, t.Any]) -> None:
    found = findings_of_rule(case)
    assert {(bool(finding.message), bool(finding.hint), finding.source) for finding in found} == {(True, True, "lint")}


@pytest.mark.parametrize("case", CASES_OF_RULES)
def test_a_rule_says_nothing_without_its_directives(case: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving rules out by the directives they name leaves no finding out."""
    expected = findings(case)
    for module in (judge, _lint_host):
        monkeypatch.setattr(module, "RULES", tuple(rule._replace(directives=()) for rule in module.RULES))
    assert findings(case) == expected


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_every_rule_has_a_failing_and_a_passing_case(rule: Rule) -> None:
    outcomes = {bool(param.values[0].get("expect")) for param in CASES_OF_RULES if param.values[0]["rule"] == rule.id}
    assert outcomes == {True, False}


def test_the_files_of_cases_are_read() -> None:
    others = {"comments", "ignore", "needed", "rule_examples", "start_limit"}
    assert {path.stem for path in (CASES / "lint").glob("*.yml")} == {*TOPICS, *others}


@pytest.mark.parametrize("case", CASES_OF_RULES)
def test_a_case_is_of_a_rule(case: dict[str, t.Any]) -> None:
    assert case["rule"] in {rule.id for rule in RULES}


def test_severities() -> None:
    """What systemd itself refuses is validation's to find; an error of lint is a text that crashes some release."""
    severe = {rule.id for rule in RULES if rule.severity == _model.ERROR}
    assert severe == {"dbus-without-busname", "empty-prefix-component"}


@pytest.mark.parametrize("case", load("lint/needed"))
def test_needed(case: dict[str, t.Any]) -> None:
    asked = _lint_host.needed(read_units(case["units"]))
    assert {key: list(value) for key, value in asked._asdict().items() if value} == case["asks"]


@pytest.mark.parametrize("case", load("lint/start_limit"))
def test_start_limit(case: dict[str, t.Any]) -> None:
    policy = restart.Policy(**case["policy"])
    verdict = restart.start_limit_verdict(policy, case.get("run_seconds", 0), case.get("failure", "exit-code"))
    assert [verdict.gives_up, verdict.starts, verdict.seconds, verdict.certain] == case["verdict"]


def test_a_unit_is_found_by_its_drop_ins_faults_alone() -> None:
    """A host unit's own faults are not put on the drop-in that is about to be written."""
    host = "[Service]\nExecStart=/bin/x\nRestart=always\nKillMode=none\n"
    case = {
        "units": {"a.service.d/5.conf": "[Service]\nExecStop=/bin/systemctl stop b\n"},
        "facts": {"units": {"a.service": host}},
    }
    assert [finding.rule for finding in findings(case)] == ["systemctl-in-exec"]

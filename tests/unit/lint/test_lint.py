# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import functools
import pathlib
import re
import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils import _model
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import host as _lint_host
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import registry, run
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import start_limit as _start_limit
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.run import lint
from case_files import CASES, load
from lint_cases import read_facts, read_units

ROOT = pathlib.Path(__file__).parents[3]
RULES = (*registry.RULES, *_lint_host.RULES)
TOPICS = ("restart", "links", "startup", "host", "install")
SYSTEMD_RULES = [
    *("syntax", "unknown-section", "unknown-directive", "wrong-section", "too-new-directive", "removed-directive"),
    *("deprecated-directive", "bad-value", "missing-directive", "refused-unit"),
]


def findings(case: dict[str, t.Any]) -> list[_model.Finding]:
    today = case.get("today", datetime.date(2026, 11, 21))
    facts, enabled = read_facts(case.get("facts")), case.get("enabled", ())
    return lint(read_units(case["units"]), case.get("release", 252), facts, enabled, today, _lint_host.RULES)


@pytest.mark.parametrize("case", [case for topic in TOPICS for case in load(f"lint/{topic}")])
def test_rule(case: dict[str, t.Any]) -> None:
    """Only what the case's own rule finds counts; other rules have their own cases."""
    found = [finding for finding in findings(case) if finding.rule == case["rule"]]
    wanted = case.get("expect", [])
    assert [(f.unit, f.line, f.severity) for f in found] == [
        (want.get("unit", next(iter(case["units"]))), want.get("line", 0), want.get("severity", "warning"))
        for want in wanted
    ], found
    for finding, want in zip(found, wanted):
        for part in want.get("says", []):
            assert part in finding.message + " | " + finding.hint
        assert finding.source == "lint"
        assert finding.message
        assert finding.hint


@pytest.mark.parametrize("case", [case for topic in TOPICS for case in load(f"lint/{topic}")])
def test_a_rule_says_nothing_without_its_directives(case: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving rules out by the directives they name leaves no finding out."""
    expected = findings(case)
    for module in (run, _lint_host):
        monkeypatch.setattr(module, "RULES", tuple(rule._replace(directives=()) for rule in module.RULES))
    assert findings(case) == expected


@functools.cache
def all_cases() -> list[dict[str, t.Any]]:
    return [param.values[0] for topic in TOPICS for param in load(f"lint/{topic}")]


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_every_rule_has_a_failing_and_a_passing_case(rule: t.Any) -> None:
    own = [case for case in all_cases() if case["rule"] == rule.id]
    assert any(case.get("expect") for case in own)
    assert any(not case.get("expect") for case in own)


def test_rules_in_code_and_docs_are_the_same() -> None:
    text = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    text = text.partition("## What could not be read")[0]  # those are of unit_info
    documented = re.findall(r"^### `([a-z0-9-]+)`", text, re.MULTILINE)
    assert sorted(documented) == sorted([*SYSTEMD_RULES, *(rule.id for rule in RULES)])
    assert {case["rule"] for case in all_cases()} == {rule.id for rule in RULES}
    assert {path.stem for path in (CASES / "lint").glob("*.yml")} >= set(TOPICS)


def test_rule_ids_of_validation_are_documented() -> None:
    text = (ROOT / "plugins/module_utils/_values/validate.py").read_text(encoding="utf-8")
    for rule in SYSTEMD_RULES:
        assert f'"{rule}"' in text


def test_severities() -> None:
    assert {rule.severity for rule in RULES} <= set(_model.SEVERITIES) - {_model.ERROR}


@pytest.mark.parametrize("case", load("lint/needed"))
def test_needed(case: dict[str, t.Any]) -> None:
    asked = _lint_host.needed(read_units(case["units"]))
    assert {key: list(value) for key, value in asked._asdict().items() if value} == case["asks"]


@pytest.mark.parametrize("case", load("lint/start_limit"))
def test_start_limit(case: dict[str, t.Any]) -> None:
    policy = _start_limit.Policy(**case["policy"])
    verdict = _start_limit.start_limit_verdict(policy, case.get("run_seconds", 0), case.get("failure", "exit-code"))
    assert [verdict.gives_up, verdict.starts, verdict.seconds, verdict.certain] == case["verdict"]


def test_a_unit_is_found_by_its_drop_ins_faults_alone() -> None:
    """A host unit's own faults are not put on the drop-in that is about to be written."""
    host = "[Service]\nExecStart=/bin/x\nRestart=always\nKillMode=none\n"
    case = {
        "units": {"a.service.d/5.conf": "[Service]\nExecStop=/bin/systemctl stop b\n"},
        "facts": {"units": {"a.service": host}},
    }
    assert [finding.rule for finding in findings(case)] == ["systemctl-in-exec"]

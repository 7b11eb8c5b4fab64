# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import comments, host, judge
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.core import Rule
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.judge import RULES, lint
from ansible_collections.unitcraft.systemd.plugins.module_utils._values.validate import validate
from case_files import load
from lint_cases import read_facts, read_units, shown_units
from tools import rules_page
from tools.rules_page import MODULE_UTILS, Section

RELEASES = (247, 252, 257, 262)
MIRRORED = rules_page.read_topic("_values/validate.md")[1]
SECTIONS = [section for topic in rules_page.TOPICS for section in rules_page.read_topic(topic)[1]]
EXAMPLES = [pytest.param(section, id=section.rule) for section in SECTIONS if section.examples]
COMPANY = {param.values[0]["rule"]: param.values[0] for param in load("lint/rule_examples")}


def found(rule: str, example: str) -> set[str]:
    """Ids of what validation and lint find in an example on any release, with the company that the rule needs."""
    company = COMPANY.get(rule, {})
    shown = shown_units(example)
    units = read_units({**company.get("units", {}), **shown})
    pending = judge.pending_files((name, "", "", text) for name, text in shown.items())
    facts = read_facts(company.get("facts"))
    findings = [
        finding
        for release in RELEASES
        for finding in [
            *(finding for unit in units for finding in validate(unit, release).findings),
            *lint(units, release, facts, company.get("enabled", ()), host_rules=host.RULES),
            *judge.check(pending, judge.Target(release)),
        ]
    ]
    return {finding.rule for finding in findings}


def test_the_committed_page_is_the_generated_one() -> None:
    assert rules_page.PAGE.read_text(encoding="utf-8") == rules_page.page(), "run tests/tools/rules_page.py"


@pytest.mark.parametrize("section", EXAMPLES)
def test_the_rule_finds_its_example(section: Section) -> None:
    assert section.rule in found(section.rule, section.examples[0])


@pytest.mark.parametrize("section", EXAMPLES)
def test_the_rule_does_not_find_the_fixed_example(section: Section) -> None:
    assert section.rule not in found(section.rule, section.examples[1])


@pytest.mark.parametrize("topic", [topic for topic, rules in rules_page.TOPICS.items() if rules])
def test_a_topic_explains_its_rules_in_their_order(topic: str) -> None:
    explained = [section.rule for section in rules_page.read_topic(topic)[1]]
    assert explained == [rule.id for rule in rules_page.TOPICS[topic]]


def test_no_rule_is_left_out() -> None:
    explained = {rule.id for rules in rules_page.TOPICS.values() for rule in rules}
    assert explained == {rule.id for rule in (*RULES, *host.RULES)}


def test_every_rule_of_lint_and_validation_has_an_example() -> None:
    rules = {rule.id for rule in (*RULES, *host.RULES)} | {section.rule for section in MIRRORED} | {comments.RULE}
    assert {section.rule for section in SECTIONS if section.examples} == rules


@pytest.mark.parametrize("section", MIRRORED, ids=[section.rule for section in MIRRORED])
def test_validation_knows_the_rules_that_mirror_systemd(section: Section) -> None:
    assert f'"{section.rule}"' in (MODULE_UTILS / "_values/validate.py").read_text(encoding="utf-8")


def test_validation_has_no_other_rules() -> None:
    """Every id that a finding of validation has in any case of ours."""
    cases = [param.values[0] for param in load("values/validate/units")]
    ids = {finding[0] for case in cases for finding in case.get("findings", ())}
    assert ids <= {section.rule for section in MIRRORED}


def test_comments_know_every_rule_without_a_table_of_its_own() -> None:
    others = {rule.id for rule in host.RULES} | {section.rule for section in MIRRORED} | {"verify", "max-exposure"}
    assert others == comments.OTHER_RULES


def test_company_is_for_rules_that_have_an_example() -> None:
    assert set(COMPANY) <= {section.rule for section in SECTIONS if section.examples}


@pytest.mark.parametrize("rule", [*RULES, *host.RULES], ids=lambda rule: rule.id)
def test_what_a_rule_finds_is_one_line(rule: Rule) -> None:
    assert re.fullmatch(r"[^\n]{20,110}\.", t.cast("str", rule.check.__doc__))


@pytest.mark.parametrize("rule", [*RULES, *host.RULES], ids=lambda rule: rule.id)
def test_a_check_is_named_like_its_rule(rule: Rule) -> None:
    assert rule.check.__name__ == rule.id.replace("-", "_")

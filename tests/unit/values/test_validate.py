# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of whole units from the case files."""

from __future__ import annotations

import pathlib
import time
import typing as t

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog, _model
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import validate as _validate

CASES = yaml.safe_load((pathlib.Path(__file__).parents[1] / "cases" / "values" / "validate" / "units.yml").read_text())


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_findings(case: dict[str, t.Any]) -> None:
    unit = read_unit(case["unit"], case["text"], "/etc/systemd/system/" + case["unit"], case.get("dropin", ""))
    known = frozenset(map(tuple, case["known"])) if "known" in case else None
    findings = _validate.validate(unit, case["release"], known, case.get("scope", "system")).findings
    shown = [(one.rule, one.line, one.directive) for one in findings]
    assert shown == [tuple(wanted[:3]) for wanted in case["findings"]]
    told = [f"{one.message} {one.hint}" for one in findings]
    assert [text for text, wanted in zip(told, case["findings"]) if wanted[3] not in text] == []
    assert {(one.unit, one.path) for one in findings} <= {(case["unit"], f"/etc/systemd/system/{case['unit']}")}
    assert [one for one in findings if not (one.hint and one.section and one.severity in _model.SEVERITIES)] == []


def test_every_directive_takes_or_names_an_empty_value() -> None:
    """What the catalogue says of an empty value is what the grammar of the newest release does."""
    wrong = []
    for section, name in _catalog.pairs(_catalog.LAST_RELEASE):
        directive = _catalog.get(section, name)
        elsewhere = name in ("Delegate", "DelegateSubgroup", "OOMRules") or name.startswith("ManagedOOM")
        if directive is None or directive.status == "removed" or elsewhere:
            continue
        unit = _model.Unit("a." + section.lower(), [_model.Setting(section, name, "", 1)], dropin="x")
        refused = any(one.rule == "bad-value" for one in _validate.validate(unit, _catalog.LAST_RELEASE).findings)
        if refused == directive.empty_ok:
            wrong.append(f"{section}.{name} ({directive.parser})")
    assert not wrong


ODD = [
    "a",
    "a ",
    "1",
    "1 ",
    "/",
    "a:",
    "%",
    "\\x61",
    '"',
    "/a",
    "a,",
    "-",
    "Mon,",
    "~",
    "(",
    ".",
    "a=b ",
    "1-2 ",
    "@x ",
]


def one_of_each_parser() -> dict[str, tuple[str, str]]:
    one_of_each = {}
    for section, name in _catalog.pairs(_catalog.LAST_RELEASE):
        directive = _catalog.get(section, name)
        if directive is not None:
            one_of_each.setdefault(directive.parser, (section, name))
    return one_of_each


@pytest.mark.parametrize("piece", ODD)
def test_long_values_take_linear_time(piece: str) -> None:
    value = piece * (20_000 // len(piece))
    seconds = {}
    for parser, (section, name) in one_of_each_parser().items():
        unit = _model.Unit("a." + section.lower(), [_model.Setting(section, name, value, 1)], dropin="x")
        start = time.process_time()
        for release in (247, 262):
            _validate.validate(unit, release)
        seconds[parser] = time.process_time() - start
    # A hundredth of a second on an idle machine.
    assert {parser: taken for parser, taken in seconds.items() if taken >= 1} == {}


def test_too_long_a_value_is_refused() -> None:
    unit = _model.Unit("a.service", [_model.Setting("Service", "ExecStart", "a" * 2_000_000, 1)], dropin="x")
    assert [one.rule for one in _validate.validate(unit, 252).findings] == ["bad-value"]

# SPDX-License-Identifier: GPL-3.0-or-later

"""Each defect of version 0.1 has a test that would find it again; see tests/defects.yml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).resolve().parents[2]
DEFECTS = yaml.safe_load((TESTS / "defects.yml").read_text())
PAIRS = [pytest.param(number, test, id=f"{number} {test}") for number in DEFECTS for test in DEFECTS[number]["tests"]]


def test_every_number_is_there():
    engine = [f"engine-{number}" for number in (*range(1, 40), "low")]
    assert list(DEFECTS) == [*engine, *(f"security-{number}" for number in (*range(1, 16), "low"))]


@pytest.mark.parametrize("number", DEFECTS)
def test_a_number_has_a_test(number):
    assert DEFECTS[number]["tests"]


@pytest.mark.parametrize(("number", "test"), PAIRS)
def test_the_test_is_there(number, test):
    path, _colons, words = test.partition("::")
    wanted = f"def {words}(" if words.startswith("test_") else words
    assert wanted in (TESTS / path).read_text(encoding="utf-8")

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes, suppressions and docstrings of all code in the repository, by tests/tools/style.py."""

from __future__ import annotations

import pytest
from case_files import load
from tools import style


def test_the_repository_keeps_its_rules():
    assert [str(problem) for problem in style.problems()] == []


@pytest.mark.parametrize("case", load("repo/style"))
def test_rule(case):
    rules = (style.bare_suppressions, style.odd_fields)
    found = [problem for rule in rules for problem in rule("x.py", case["text"])]
    assert [f"{problem.line} {problem.text}" for problem in found] == case["says"]


def test_file_that_is_too_long():
    assert [problem.text for problem in style.sizes("x.py", "x = 1\n" * 501)] == ["file of 501 lines"]
    assert not list(style.sizes("x.py", "x = 1\n" * 500))


def test_function_that_is_too_long():
    text = "def f():\n" + "    x = 1\n" * 50
    assert [problem.text for problem in style.sizes("x.py", text)] == ["f: function of 51 lines"]
    assert not list(style.sizes("x.py", text.rpartition("    ")[0]))


def test_suppression_in_yaml():
    text = "tasks:\n  - shell: x  # noqa: command-instead-of-shell\n"
    assert [problem.line for problem in style.bare_suppressions("x.yml", text)] == [2]

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The import law holds, and a break of it of any kind is seen."""

from __future__ import annotations

import pytest
from case_files import load
from tools import draw_wings
from tools.import_law import MODULE_UTILS, WINGS, Tree, read_file, read_tree, violations


@pytest.fixture(scope="module")
def tree():
    return read_tree()


def test_the_law_holds(tree):
    assert violations(tree) == []


@pytest.mark.parametrize("case", load("repo/import_law"))
def test_a_planted_import(case, tree):
    path = MODULE_UTILS / case["file"]
    text = path.read_text() if path.exists() else ""
    planted = Tree({**tree.files, case["file"]: read_file(case["file"], f"{text}\n\n{case['add']}\n")})
    found = "\n".join(problem for problem in violations(planted) if problem not in violations(tree))
    assert case["says"] in found if "says" in case else found == ""


def test_cases_plant_into_files_that_exist():
    files = {case.values[0]["file"] for case in load("repo/import_law")}
    assert [file for file in sorted(files) if not (MODULE_UTILS / file).exists()] == ["_extra/things.py"]


def test_the_drawing_of_the_wings_is_up_to_date():
    text = draw_wings.PAGE.read_text(encoding="utf-8")
    assert draw_wings.page_with(text, draw_wings.drawing(read_tree())) == text, "run tests/tools/draw_wings.py"


def test_the_drawing_leaves_detours_out():
    imported = {wing: set() for wing in WINGS} | {"_graph": {"_syntax", "_model"}, "_syntax": {"_model"}}
    assert draw_wings.without_detours(imported)["_graph"] == {"_syntax"}

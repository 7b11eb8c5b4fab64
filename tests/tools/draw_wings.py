#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the wings of module_utils from their imports, into docs/design.md: draw_wings.py [--check].

Each box is a wing with its files. An arrow leads from a wing to one that it imports from; an import that is also
reached over other arrows is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tools.import_law import ROOT, WINGS, Tree, graph, read_tree, wing_of

PAGE = ROOT / "docs" / "design.md"
BEGIN, END = "<!-- drawn by tests/tools/draw_wings.py -->\n", "<!-- end of the drawing -->\n"
FILES_IN_A_LINE = 4


def wing_imports(tree: Tree) -> dict[str, set[str]]:
    """``{wing: wings that it imports from}``."""
    imported: dict[str, set[str]] = {wing: set() for wing in WINGS}
    for path, files in graph(tree).items():
        imported[wing_of(path)] |= {wing_of(file) for file in files} - {wing_of(path)}
    return imported


def without_detours(imported: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same without what is reached over another wing as well."""
    reached: dict[str, set[str]] = {}
    # From left to right: what a wing imports from comes before it.
    for wing in WINGS:
        reached[wing] = imported[wing].union(*(reached[other] for other in imported[wing]))
    return {
        wing: {other for other in others if not any(other in reached[third] for third in others - {other})}
        for wing, others in imported.items()
    }


def drawing(tree: Tree) -> str:
    """The wings as a Mermaid flowchart."""
    lines = ["```mermaid", "flowchart RL"]
    for wing in WINGS:
        names = [path.split("/")[-1].removesuffix(".py") for path in tree.files if wing_of(path) == wing]
        rows = [" ".join(names[start : start + FILES_IN_A_LINE]) for start in range(0, len(names), FILES_IN_A_LINE)]
        label = [f"<b>{wing}</b>", *(rows if names != [wing] else [])]
        lines.append(f'    {wing}["{"<br/>".join(label)}"]')
    for wing, others in without_detours(wing_imports(tree)).items():
        lines += [f"    {wing} --> {other}" for other in sorted(others, key=WINGS.index)]
    return "\n".join([*lines, "```", ""])


def page_with(text: str, drawn: str) -> str:
    """The page with the drawing in its place."""
    before, _begin, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{drawn}\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Write the drawing, or with --check only say whether it is up to date."""
    text = PAGE.read_text(encoding="utf-8")
    wanted = page_with(text, drawing(read_tree()))
    if text == wanted:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/design.md: the drawing is not that of the code: run tests/tools/draw_wings.py", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

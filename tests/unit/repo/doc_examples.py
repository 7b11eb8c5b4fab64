# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of the documentation: blocks of code in Markdown and reStructuredText, EXAMPLES of plugins."""

from __future__ import annotations

import ast
import pathlib
import re
import textwrap
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[3]
_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE_BLOCK = re.compile(r"^\.\. code-block:: *([a-z+]*)\n(?:   :[a-z-]+:.*\n)*\n((?:   .*\n|\n)+)", re.MULTILINE)


class Example(t.NamedTuple):
    path: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def all_examples() -> list[Example]:
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("roles/*/README.md"))]
    found = [example for page in pages for example in _blocks(page, _FENCE)]
    found += [example for page in sorted(ROOT.glob("docs/docsite/**/*.rst")) for example in _blocks(page, _CODE_BLOCK)]
    plugins = [path for folder in ("modules", "filter") for path in sorted((ROOT / "plugins" / folder).glob("*.py"))]
    return found + [example for path in plugins for example in _of_plugin(path)]


def _blocks(page: pathlib.Path, pattern: re.Pattern[str]) -> t.Iterator[Example]:
    text = page.read_text(encoding="utf-8")
    for match in pattern.finditer(text):
        before = text[: match.start()]
        yield Example(
            str(page.relative_to(ROOT)),
            before.count("\n") + 1,
            match[1],
            textwrap.dedent(match[2]).strip("\n") + "\n",
        )


def _of_plugin(path: pathlib.Path) -> t.Iterator[Example]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXAMPLES":
            yield Example(str(path.relative_to(ROOT)), node.lineno, "yaml", ast.literal_eval(node.value))

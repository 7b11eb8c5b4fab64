# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of this repository that ruff has not: sizes, reasons beside suppressions, one style of docstring fields."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES_OF_A_FILE = 500
MOST_LINES_OF_A_FUNCTION = 50
# What silences a checker, in Python and in YAML.
SUPPRESSION = re.compile(
    r"#\s*(?:noqa\b(?::\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*|:\s*[a-z-]+(?:\[[a-z-]+\])?)?"
    r"|type:\s*ignore(?:\[[a-z, -]+\])?|pylint:\s*disable=[a-z, -]+\b|pragma:\s*no cover"
    r"|yamllint disable\S*(?: rule:\S+)*)"
)
# Fields of docstrings other than `:param x:`, `:returns:`, `:raises X:`, `:ivar x:`.
OTHER_FIELD = re.compile(
    r"^\s*(?::(?:arg|argument|parameter|key|keyword|return|rtype|type|vartype|var|cvar|raise|except|exception|yields?)\b"
    r"[^:]*:|@(?:param|return|raise)|(?:Args|Arguments|Parameters|Returns|Raises|Yields|Attributes):\s*$)"
)


class Problem(NamedTuple):
    """One break of a rule; `path` below the checkout."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.text}"


def tracked(*patterns: str) -> list[str]:
    """Files that are or could be committed, without links."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


def python_files() -> dict[str, str]:
    """``{path: text}`` of all code in Python."""
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in tracked("*.py", "tests/run")}


def sizes(path: str, text: str) -> Iterator[Problem]:
    """Files and functions that are too long; a docstring counts."""
    count = len(text.splitlines())
    if count > MOST_LINES_OF_A_FILE:
        yield Problem(path, 1, f"file of {count} lines")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > MOST_LINES_OF_A_FUNCTION:
                yield Problem(path, node.lineno, f"{node.name}: function of {count} lines")


def bare_suppressions(path: str, text: str) -> Iterator[Problem]:
    """Comments that silence a checker and do not say why."""
    for line, comment in _comments(path, text):
        rest = SUPPRESSION.sub("", comment)
        if rest != comment and len(re.findall(r"\w+", rest)) < 2:
            yield Problem(path, line, f"no reason beside: {comment}")


def _comments(path: str, text: str) -> Iterator[tuple[int, str]]:
    if path.endswith((".yml", ".yaml")):
        for number, line in enumerate(text.splitlines(), 1):
            if "#" in line:
                yield number, line[line.index("#") :]
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def odd_fields(path: str, text: str) -> Iterator[Problem]:
    """Fields of docstrings in another style."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, kinds):
            for line in (ast.get_docstring(node) or "").splitlines():
                if OTHER_FIELD.match(line):
                    yield Problem(path, getattr(node, "lineno", 1), f"field of a docstring: {line.strip()}")


def problems() -> list[Problem]:
    """All that this file looks for, in the whole checkout."""
    found = [
        problem
        for path, text in python_files().items()
        for rule in (sizes, bare_suppressions, odd_fields)
        for problem in rule(path, text)
    ]
    # Cases hold texts, not code.
    for path in tracked("*.yml", "*.yaml", ":!tests/unit/cases"):
        found += bare_suppressions(path, (ROOT / path).read_text(encoding="utf-8"))
    return found


def main() -> int:
    """Print what breaks a rule."""
    found = problems()
    print("\n".join(map(str, found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

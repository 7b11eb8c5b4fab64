# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The import law of module_utils: a file imports from its own wing, without circles, or from a wing to its left.

Every import statement counts, also within a function and under ``if TYPE_CHECKING:``, because Ansible sends the host
what any of them names.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MODULE_UTILS = ROOT / "plugins" / "module_utils"
COLLECTION = "ansible_collections.unitcraft.systemd.plugins"
# From left to right; the first two are files.
WINGS = ("_catalog", "_model", "_syntax", "_values", "_graph", "_lint", "_host", "_engine", "_modules")
STARTS_PROGRAMS = "_host/systemd.py"
# How it starts one, for those beside it alone: programs that are not systemd's.
STARTER = "module_utils._host.systemd.popen"
STARTS_OTHERS = "_host/apart.py"
CALLS_C = ("_host/flush.py", "_host/apart.py")  # syncfs(2) and prctl(2), which Python does not have
SEES_ANSIBLE = "_modules/"
# Ways to start a program or a process; those of `os` by the beginning of their names.
PROCESS_MODULES = frozenset(
    ("subprocess", "pty", "multiprocessing", "asyncio", "_posixsubprocess", "popen2", "commands")
)
HAVE_STARTERS = ("os", "posix")
PROCESS_FUNCTIONS = ("system", "popen", "exec", "spawn", "posix_spawn", "fork")
# Of Python's standard library, from a later release on than the one that runs this (compression: 3.14).
NEWER_MODULES = frozenset(("compression",))
DYNAMIC = frozenset(("__import__", "import_module", "exec", "eval"))


class Import(NamedTuple):
    """One name that a file imports.

    :ivar path: the file, below ``module_utils``: ``_lint/judge.py``.
    :ivar target: what it names, with dots. Of the collection's own the part below ``plugins``:
        ``module_utils._lint.core``; a name that is taken out of a file follows its dot.
    """

    path: str
    line: int
    target: str


class File(NamedTuple):
    """What a file imports, and what else in it the law forbids: ``(line, problem)``."""

    imports: tuple[Import, ...]
    uses: tuple[tuple[int, str], ...]


class Tree(NamedTuple):
    """The files of ``module_utils``, by their paths as in :class:`Import`."""

    files: dict[str, File]

    def file_of(self, target: str) -> str:
        """The file that a target of ours leads to; empty for others."""
        words = target.split(".")
        if words[0] != "module_utils":
            return ""
        for end in (len(words), len(words) - 1):
            path = "/".join(words[1:end]) + ".py"
            if path in self.files:
                return path
        return ""


def read_file(path: str, text: str) -> File:
    """What stands in a file; `path` as in :class:`Import`."""
    parsed = ast.parse(text, path)
    return File(tuple(imports_of(path, parsed)), tuple(_uses(path, parsed)))


def read_tree(module_utils: Path = MODULE_UTILS) -> Tree:
    """Read every Python file below a folder."""
    paths = {str(path.relative_to(module_utils)): path for path in sorted(module_utils.rglob("*.py"))}
    return Tree({name: read_file(name, path.read_text()) for name, path in paths.items()})


def imports_of(path: str, tree: ast.Module) -> Iterator[Import]:
    """Every import of a file, wherever it stands."""
    package = ["module_utils", *path.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, _below_plugins(alias.name))
        elif isinstance(node, ast.ImportFrom):
            # A relative import that climbs out of module_utils keeps no package and so counts as foreign.
            base = package[: len(package) + 1 - node.level] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(path, node.lineno, _below_plugins(f"{start}.{alias.name}"))


def _below_plugins(target: str) -> str:
    return target.removeprefix(f"{COLLECTION}.")


def wing_of(path: str) -> str:
    """The wing of a file: the name of its folder, or its own without a folder."""
    return path.partition("/")[0].removesuffix(".py")


def violations(tree: Tree) -> list[str]:
    """What breaks the law, a line for each: ``_graph/build.py:12 imports _lint/judge.py: ...``."""
    problems = [f"{path}: belongs to no wing" for path in tree.files if wing_of(path) not in WINGS]
    for path, file in tree.files.items():
        problems += [f"{path}:{line} {problem}" for line, problem in file.uses]
        for found in file.imports:
            problem = _problem_of(found, tree)
            if problem:
                problems.append(f"{path}:{found.line} imports {found.target}: {problem}")
    return [*problems, *circles(tree)]


def _problem_of(found: Import, tree: Tree) -> str:
    file = tree.file_of(found.target)
    if found.target == STARTER and found.path != STARTS_OTHERS:
        return f"only {STARTS_OTHERS} may have programs started that are not systemd's"
    if file:
        return _order_problem(found.path, file)
    first = found.target.partition(".")[0]
    if first == "ansible":
        return "" if found.path.startswith(SEES_ANSIBLE) else f"only {SEES_ANSIBLE} may see Ansible"
    if first in PROCESS_MODULES or _starts_processes(found.target):
        return "" if found.path == STARTS_PROGRAMS else f"only {STARTS_PROGRAMS} may start programs"
    if first == "ctypes" and found.path not in CALLS_C:
        return f"only {' and '.join(CALLS_C)} may call C"
    if first == "importlib":
        return "an import that is not written down cannot be checked"
    if first in sys.stdlib_module_names or first in NEWER_MODULES:
        return ""
    return "neither of this folder nor of Python's standard library"


def _order_problem(path: str, imported: str) -> str:
    own, other = wing_of(path), wing_of(imported)
    if own not in WINGS or other not in WINGS or WINGS.index(other) <= WINGS.index(own):
        return ""
    return f"wing {other} is to the right of {own}"


def _starts_processes(target: str) -> bool:
    module, _dot, name = target.partition(".")
    return module in HAVE_STARTERS and name.startswith(PROCESS_FUNCTIONS)


def _uses(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Programs that are started, and imports that are computed, without an import statement that says so."""
    by_name = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and path != STARTS_PROGRAMS:
            name = f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else node.attr
            if _starts_processes(name) or node.attr == "ProcessPoolExecutor":
                yield node.lineno, f"uses {name}: only {STARTS_PROGRAMS} may start programs"
        elif isinstance(node, ast.alias) and node.name in HAVE_STARTERS and node.asname:
            yield node.lineno, f"imports {node.name} as {node.asname}: what is used of it cannot be checked"
        elif isinstance(node, ast.Name) and node.id in HAVE_STARTERS and id(node) not in by_name:
            yield node.lineno, f"uses {node.id} without naming what of it, which cannot be checked"
        elif isinstance(node, ast.Name) and node.id in DYNAMIC:
            yield node.lineno, f"uses {node.id}: an import that is not written down cannot be checked"


def graph(tree: Tree) -> dict[str, set[str]]:
    """``{file: files that it imports}``, paths as in :class:`Import`."""
    return {
        path: {imported for found in file.imports if (imported := tree.file_of(found.target))} - {path}
        for path, file in tree.files.items()
    }


def circles(tree: Tree) -> list[str]:
    """A line for each circle of imports: ``circle: a.py -> b.py -> a.py``."""
    edges = graph(tree)
    found: list[str] = []
    finished: set[str] = set()

    def visit(path: str, way: list[str]) -> None:
        if path in way:
            found.append("circle: " + " -> ".join([*way[way.index(path) :], path]))
        elif path not in finished:
            for following in sorted(edges[path]):
                visit(following, [*way, path])
            finished.add(path)

    for path in sorted(edges):
        visit(path, [])
    return found


def main() -> int:
    """Print what breaks the law."""
    broken = violations(read_tree())
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

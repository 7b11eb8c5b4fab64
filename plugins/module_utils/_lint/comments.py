# SPDX-License-Identifier: GPL-3.0-or-later

"""Comments in a unit file that leave rules out: ``# unitcraft: ignore=RULE`` and ``# unitcraft: ignore-file=RULE``."""

from __future__ import annotations

import re
import typing as t

from .._model import WARNING, Finding
from .._syntax.lines import Line, parse
from .._syntax.words import shorten
from .core import nearest

RULE = "unclear-comment"
# The rules that are not in a table of this wing: _values/validate.md, _lint/host.md, and those of other tools.
OTHER_RULES = frozenset((
    "syntax", "unknown-section", "unknown-directive", "wrong-section", "too-new-directive", "removed-directive",
    "deprecated-directive", "bad-value", "missing-directive", "refused-unit", "missing-unit-referenced",
    "exec-not-found", "user-missing", "group-missing", "working-directory-missing", "environment-file-missing",
    "world-readable-secret", "timer-without-service", "path-without-service", "socket-without-service",
    "network-service-without-socket", "drop-in-for-missing-unit", "verify", "max-exposure",
))  # a table  # fmt: skip
_MARK = "unitcraft:"
_COMMENT = re.compile(rf"\s*[#;]\s*{_MARK}\s*(.*?)\s*\Z", re.DOTALL)
_ORDER = re.compile(r"(ignore|ignore-file)\s*=\s*([a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*)\Z")


class Ignored(t.NamedTuple):
    """What the comments of one text leave out."""

    everywhere: frozenset[str]
    by_line: t.Mapping[int, frozenset[str]]  # number of the line on which an assignment starts -> rules
    unclear: tuple[tuple[int, str, str], ...]  # number of a comment's line, what is wrong, what to write instead

    def covers(self, finding: Finding) -> bool:
        """Whether a finding about this text is left out."""
        return finding.rule in self.everywhere or finding.rule in self.by_line.get(finding.line, ())


def read_comments(text: str, known: t.Collection[str]) -> Ignored | None:
    """What the comments of a text say to us; None when they say nothing.

    ``ignore`` speaks of the next assignment, ``ignore-file`` of the whole text.

    :param known: every id of a rule.
    :raises UnitSyntaxError: as ``parse()``.
    """
    if _MARK not in text:
        return None
    everywhere: set[str] = set()
    by_line: dict[int, frozenset[str]] = {}
    unclear: list[tuple[int, str, str]] = []
    waiting: dict[int, set[str]] = {}  # line of a comment -> rules, until the next assignment
    for line in parse(text).lines:
        if line.kind == "comment":
            rules, whole_file = _read(line, known, unclear)
            if whole_file:
                everywhere |= rules
            elif rules:
                waiting[line.number] = rules
        elif line.kind == "assignment" or (line.kind == "bad" and line.message):
            by_line[line.number] = frozenset().union(*waiting.values())
            waiting = {}
        elif line.kind == "section":
            unclear += _without_assignment(waiting)
            waiting = {}
    unclear += _without_assignment(waiting)
    return Ignored(frozenset(everywhere), by_line, tuple(unclear))


def _read(line: Line, known: t.Collection[str], unclear: list[tuple[int, str, str]]) -> tuple[set[str], bool]:
    """The known rules that a comment names, and whether it speaks of the whole file; others go to *unclear*."""
    comment = _COMMENT.match(line.raw)
    if comment is None:
        return set(), False
    order = _ORDER.match(comment.group(1))
    if order is None:
        what = f"'{shorten(comment.group(1), 80)}' is not an order to the linter"
        unclear.append((line.number, what, "write unitcraft: ignore=RULE, or ignore-file=RULE"))
        return set(), False
    named = {rule.strip() for rule in order.group(2).split(",")}
    for rule in sorted(named.difference(known)):
        what, hint = no_rule(rule, known)
        unclear.append((line.number, f"{what}, so the comment leaves nothing out", hint))
    return named.intersection(known), order.group(1) == "ignore-file"


def no_rule(rule: str, known: t.Collection[str]) -> tuple[str, str]:
    """What is wrong with a name that is none of the *known* rules, and what to write instead."""
    near = nearest(rule, known)
    return f"there is no rule '{rule}'", f"write {near}" if near else "take the id from the finding"


def _without_assignment(waiting: t.Mapping[int, set[str]]) -> list[tuple[int, str, str]]:
    what = "no assignment follows, so the comment leaves nothing out"
    return [(number, what, "put it above an assignment, or write ignore-file=RULE") for number in waiting]


def unclear_findings(ignored: Ignored, unit: str, path: str) -> list[Finding]:
    """A finding for each comment that says nothing, or part of one."""
    return [Finding(RULE, WARNING, unit, what, hint, path, line, source="lint") for line, what, hint in ignored.unclear]

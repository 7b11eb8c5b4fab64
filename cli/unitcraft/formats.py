# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report of the linter as text, JSON, SARIF 2.1.0, commands of a GitHub workflow, or JUnit's XML."""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from . import command_line
from ._lint import judge
from .found import Found, Report
from .rule_texts import RULES_PAGE, explanations
from .shown import in_json, in_xml, on_one_line

_COLOURS = {"error": "31", "warning": "33", "info": "36"}
_SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}
# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(report: Report) -> str:
    """A line for each finding, then the count."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    lines = [_line(each, report, coloured) for each in report.found]
    counts = [(sum(each.finding.severity == severity for each in report.found), severity) for severity in _COLOURS]
    counted = ", ".join(f"{number} {severity}" + "s" * (number != 1) for number, severity in counts if number)
    files = f"{len(report.checked)} file" + "s" * (len(report.checked) != 1)
    releases = ", ".join(map(str, report.releases))
    return "\n".join([*lines, f"{counted or 'nothing'} found in {files} for systemd {releases}", ""])


def _line(found: Found, report: Report, coloured: bool) -> str:
    finding = found.finding
    place = f"{found.file}:{finding.line}" if finding.line else found.file
    about = on_one_line(f"{words(found, report)} ({finding.rule})")
    severity = finding.severity
    if coloured:
        severity = f"\x1b[{_COLOURS[severity]}m{severity}\x1b[0m"
    return f"{on_one_line(place)}: {severity}: {about}"


def words(found: Found, report: Report) -> str:
    """What a finding says, and the releases when it is not about all of them."""
    some = len(found.releases) < len(report.releases)
    releases = f" [systemd {', '.join(map(str, found.releases))}]" if some else ""
    return f"{judge.words(found.finding)}{releases}"


def as_json(report: Report) -> str:
    """All fields of all findings."""
    findings = [{**each.finding._asdict(), "releases": list(each.releases)} for each in report.found]
    whole = {
        "unitcraft": command_line.version(),
        "systemd_versions": list(report.releases),
        "checked": list(report.checked),
        "findings": findings,
    }
    return _dump(whole)


def _dump(whole: dict[str, object]) -> str:
    return in_json(json.dumps(whole, indent=2)) + "\n"


def sarif(report: Report) -> str:
    """For code scanning: rules with their explanation, and a result for each finding."""
    texts = explanations()
    ids = sorted({each.finding.rule for each in report.found})
    rules = [
        {
            "id": rule,
            "helpUri": f"{RULES_PAGE}#{rule}",
            "help": {"text": texts.get(rule, rule), "markdown": texts.get(rule, rule)},
        }
        for rule in ids
    ]
    driver = {
        "name": "unitcraft",
        "version": command_line.version(),
        "informationUri": RULES_PAGE,
        "rules": rules,
    }
    results = [_sarif_result(each, report, ids) for each in report.found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return _dump({"$schema": schema, "version": "2.1.0", "runs": [run]})


def _sarif_result(found: Found, report: Report, ids: list[str]) -> dict[str, object]:
    finding = found.finding
    place: dict[str, object] = {"artifactLocation": {"uri": urllib.parse.quote(os.fsencode(_relative(found.file)))}}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    return {
        "ruleId": finding.rule,
        "ruleIndex": ids.index(finding.rule),
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": words(found, report)},
        "locations": [{"physicalLocation": place}],
    }


def _relative(path: str) -> str:
    """Below the current folder without its name, since services show results in a checkout."""
    try:
        return Path(path).resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return Path(path).as_posix()


def github(report: Report) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    lines = []
    for each in report.found:
        finding = each.finding
        options = {"file": _relative(each.file), "line": str(finding.line or 1), "title": finding.rule}
        given = ",".join(f"{key}={_github_escape(value, ':,')}" for key, value in options.items())
        lines.append(f"::{_GITHUB_LEVELS[finding.severity]} {given}::{_github_escape(words(each, report))}\n")
    return "".join(lines)


def _github_escape(value: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        value = value.replace(character, f"%{ord(character):02X}")
    return on_one_line(value)


def junit(report: Report) -> str:
    """A test case for each finding and for each file without one; only what counts is a failure."""
    cases, failures = [], 0
    for each in report.found:
        finding = each.finding
        title = f"{finding.rule} line {finding.line}" if finding.line else finding.rule
        tag = "failure" if report.counts(each) else "skipped"
        failures += tag == "failure"
        body = f"<{tag} message={_xml(words(each, report))}/>"
        cases.append(f"    <testcase classname={_xml(each.file)} name={_xml(title)}>{body}</testcase>")
    with_findings = {each.file for each in report.found}
    clean = [file for file in report.checked if file not in with_findings]
    cases += [f'    <testcase classname={_xml(file)} name="no findings"/>' for file in clean]
    skipped = len(report.found) - failures
    counts = f'tests="{len(cases)}" failures="{failures}" skipped="{skipped}"'
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {counts}>\n  <testsuite name="unitcraft" {counts}>'
    return "\n".join([head, *cases, "  </testsuite>\n</testsuites>\n"])


def _xml(value: str) -> str:
    from xml.sax.saxutils import quoteattr

    return in_xml(quoteattr(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value)))


FORMATS: dict[str, Callable[[Report], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif,
    "github": github,
    "junit": junit,
}

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import judge
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Finding
from case_files import load


def found(text: str) -> list[Finding]:
    pending = judge.pending_files([("web.service", "", "/etc/systemd/system/web.service", text)])
    # Advice is not what these cases are about.
    return [finding for finding in judge.check(pending, judge.Target(252)) if finding.severity != "info"]


@pytest.mark.parametrize("case", load("lint/comments"))
def test_what_comments_leave_out(case: dict[str, t.Any]) -> None:
    assert sorted(f"{finding.rule} {finding.line}" for finding in found(case["text"])) == case["finds"]


@pytest.mark.parametrize("case", [case for case in load("lint/comments") if "says" in case.values[0]])
def test_what_an_unclear_comment_is_told(case: dict[str, t.Any]) -> None:
    told = [judge.sentence(finding) for finding in found(case["text"]) if finding.rule == "unclear-comment"]
    assert case["says"] in told[0]


@pytest.mark.parametrize("case", load("lint/ignore"))
def test_what_is_said_of_an_option_that_leaves_nothing_out(case: dict[str, t.Any]) -> None:
    assert judge.unknown_rules(case["ignore"]) == case["says"]


def test_comments_of_one_file_say_nothing_about_another() -> None:
    files = {"a.service": "# unitcraft: ignore-file=kill-mode-none\n", "b.service": ""}
    body = "[Service]\nExecStart=/usr/bin/app\nKillMode=none\n"
    pending = judge.pending_files([(name, "", f"/x/{name}", head + body) for name, head in files.items()])
    findings = judge.check(pending, judge.Target(252))
    assert [finding.unit for finding in findings if finding.rule == "kill-mode-none"] == ["b.service"]

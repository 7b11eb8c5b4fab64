#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/rules.md from the rules and from the Markdown file that stands beside each file of rules.

    tests/tools/rules_page.py

A topic's Markdown file has the title of the topic, then a section for each rule: explanation, an example that the rule
finds, how to fix it, and the example fixed. Severity and the line that says what a rule finds come from its record.
"""

from __future__ import annotations

import re
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "cli")]

from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import (
    host,
    install,
    links,
    restart,
    startup,
    values,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.core import Rule
from unitcraft import rule_texts

PAGE = ROOT / "docs/rules.md"
MODULE_UTILS = ROOT / "plugins/module_utils"
# Text of a topic -> its rules; those that systemd and the reader of unit files report have no record.
TOPICS: dict[str, t.Sequence[Rule]] = {
    **dict.fromkeys(rule_texts.TOPICS, ()),
    "_lint/restart.md": restart.RULES,
    "_lint/links.md": links.RULES,
    "_lint/startup.md": startup.RULES,
    "_lint/values.md": values.RULES,
    "_lint/install.md": install.RULES,
    "_lint/host.md": host.RULES,
}
HEAD = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by tests/tools/rules_page.py; change the Markdown files in plugins/module_utils instead. -->
# Rules

Every finding names its rule. `ignore: [RULE]` leaves a rule out, `ignore: ["RULE:UNIT"]` leaves it out for one unit.
`fail_on` names the lowest severity that stops the play.

| severity | meaning |
| --- | --- |
| error | systemd refuses the unit or drops the setting |
| warning | it loads, and will surprise |
| info | advice, or a lesser form of a warning |

The rules of the first section mirror systemd (source `systemd`). The others are about units that systemd loads without
a message (source `lint`). Each example shows a unit that the rule finds; after "Fix" stands the same unit without the
fault.
"""
_BLOCK = re.compile(r"^```ini\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Section(t.NamedTuple):
    """What a topic's file says of one rule.

    :ivar text: Markdown: explanation, example, fix.
    :ivar examples: unit files of the text: one that the rule finds, then the same one fixed.
    """

    rule: str
    text: str
    examples: tuple[str, ...]


def read_topic(path: str) -> tuple[str, list[Section]]:
    """Title and introduction of a topic, and its sections.

    :param path: below ``plugins/module_utils``.
    """
    topic = rule_texts.split((MODULE_UTILS / path).read_text(encoding="utf-8"))
    sections = [Section(rule, text, tuple(_BLOCK.findall(text + "\n"))) for rule, text in topic.sections.items()]
    return topic.introduction, sections


def page() -> str:
    """The text of docs/rules.md."""
    text = HEAD
    for path, rules in TOPICS.items():
        introduction, sections = read_topic(path)
        text += f"\n#{introduction}\n"
        records = {rule.id: rule for rule in rules}
        for section in sections:
            text += f"\n### `{section.rule}`\n"
            if section.rule in records:
                text += f"{rule_texts.headline(records[section.rule])}\n\n"
            text += f"{section.text}\n"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

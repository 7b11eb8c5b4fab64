# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Markdown files beside the rules say of each."""

from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple

from ._lint.core import Rule

RULES_PAGE = "https://github.com/unitcraft/unitcraft.systemd/blob/main/docs/rules.md"
# In the order in which a reader meets them.
TOPICS = (
    "_values/validate.md",
    "_lint/restart.md",
    "_lint/links.md",
    "_lint/startup.md",
    "_lint/values.md",
    "_lint/install.md",
    "_lint/host.md",
    "_lint/comments.md",
    "_host/reader.md",
)


class Topic(NamedTuple):
    """One file.

    :ivar introduction: its title as a heading, and what stands below that.
    :ivar sections: text by rule, in the order of the file.
    """

    introduction: str
    sections: dict[str, str]


def split(markdown: str) -> Topic:
    """The parts of a topic's file; its first line, that of the license, does not count."""
    introduction, *parts = re.split(r"^## ", markdown.partition("\n")[2], flags=re.MULTILINE)
    sections = [part.partition("\n")[::2] for part in parts]
    return Topic(introduction.strip(), {rule: text.strip() for rule, text in sections})


def topics() -> list[Topic]:
    """All topics, from wherever this program was loaded, a zip archive included."""
    return [split(_read(path)) for path in TOPICS]


def explanations() -> dict[str, str]:
    """Text by rule."""
    return {rule: text for topic in topics() for rule, text in topic.sections.items()}


def headline(rule: Rule) -> str:
    """Severity of a rule and what it finds, in one line."""
    return f"Severity: {rule.severity}. {rule.why}"


def _read(path: str) -> str:
    package = sys.modules[__package__]
    for folder in package.__path__:
        try:
            data: bytes = vars(package)["__loader__"].get_data(os.path.join(folder, path))
        except OSError:
            continue
        return data.decode("utf-8")
    raise FileNotFoundError(path)

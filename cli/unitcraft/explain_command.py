# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``unitcraft explain``: what a rule finds, why it matters, and what to write instead."""

from __future__ import annotations

import argparse

from ._lint import host, judge
from ._lint.core import nearest
from .errors import InputError
from .rule_texts import explanations, headline


def run(options: argparse.Namespace) -> int:
    """Print one rule, or the list of all."""
    texts = explanations()
    records = {rule.id: rule for rule in (*judge.RULES, *host.RULES)}
    if not options.rule:
        width = max(map(len, texts))
        for rule, text in texts.items():
            about = records[rule].why if rule in records else " ".join(text.partition("\n\n")[0].split())
            print(f"{rule:<{width}}  {about}")
        return 0
    if options.rule not in texts:
        near = nearest(options.rule, texts)
        hint = f"did you mean {near}?" if near else "without a rule the command lists all"
        raise InputError(f"there is no rule '{options.rule}'; {hint}")
    print(options.rule)
    if options.rule in records:
        print(f"{headline(records[options.rule])}\n")
    print(texts[options.rule])
    return 0

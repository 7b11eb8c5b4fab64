# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules that need no facts of a host, in the order of their findings. Those that do are ``RULES`` of ``host``."""

from __future__ import annotations

from . import install, links, restart, startup, values
from .core import Rule

RULES: tuple[Rule, ...] = (*restart.RULES, *links.RULES, *startup.RULES, *values.RULES, *install.RULES)

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What role ``worker`` computes of its variables, and of what its queue software answers."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import unquote

_MOST_WORDS = 500
_OF_NO_FILE = re.compile(r'([~^]*|File "<.*)\Z')  # marks below a line of code, and frames


def environment_words(environment: t.Mapping[str, t.Any]) -> list[str]:
    """The environment as ``NAME=value``, with the values that units write."""
    switch = {True: "yes", False: "no"}
    return [f"{name}={switch[value] if isinstance(value, bool) else value}" for name, value in environment.items()]


def last_words(lines: t.Sequence[str], url: str = "") -> str:
    """The last lines of a program, without what no file has, and without the user and the password of any URL.

    :param url: of the broker; what is wrong with it may be told with a piece of its password.
    """
    told = [line for line in map(str.strip, lines) if not _OF_NO_FILE.match(line)]
    words = re.sub(r"://\S*@", "://", " / ".join(told[-3:]))
    given = re.match(r"[a-z+]+://[^\s:@]*:(\S*)@", url)
    password = given[1] if given else ""
    pieces = {password, unquote(password), *re.split("[]/?#:@[]", password)} - {""}
    for piece in sorted(pieces, key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(piece)}(?!\w)", "***", words)
    return words[-_MOST_WORDS:]

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long very long inputs take: prints ``{what: seconds of processor time}``.

A process of its own, without coverage.
"""

from __future__ import annotations

import json
import sys
import time

from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.core import HostFacts
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.judge import lint
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax import render as _render
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.commands import exec_quote, parse_exec
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.diff import changed_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import parse, read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.mapping import mapping_from_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import unit_escape, unit_unescape
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError, split_words
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import validate as _validate

LINES = 100_000
HEAD = "[Service]\nExecStart=/bin/true\n"
MANY = read_unit("a.service", HEAD + "".join(f"Environment=A{number}=b c{number}\n" for number in range(LINES)))
UNKNOWN = read_unit("a.service", HEAD + "".join(f"Directive{number}=x\n" for number in range(LINES)))
BAD = read_unit("a.service", HEAD + "".join(f"TimeoutSec={number}x\n" for number in range(LINES)))
LONG_LIST = read_unit("a.service", HEAD + "Environment=" + "a=b " * 260_000)
MAPPING = {"Service": {"Environment": {f"A{number}": "é %\n" for number in range(LINES)}}}
DEPENDENCIES = read_unit(
    "a.service", "[Unit]\n" + "".join(f"Requires=b{n}.service\nConflicts=b{n}.service\n" for n in range(10_000)) + HEAD
)
CHAIN = [read_unit(f"c{n}.service", f"[Unit]\nRequires=c{n - 1}.service\n{HEAD}") for n in range(2_000)]
DROPINS = [read_unit(f"b{n}.service", "[Unit]\nRequires=a.service\n", dropin="needs") for n in range(1_000)]
SETTINGS = _render.settings_from_mapping("a.service", MAPPING)

INPUTS = {
    "parse a line of 2 MB": lambda: parse("[Service]\nExecStart=" + "x" * 2_000_000),
    "parse and write 100,000 lines": lambda: parse("[Service]\n" + "Environment=A=b c\n" * LINES).write(),
    "parse and write 100,000 continuations": lambda: parse("[Service]\nExecStart=" + "a\\\n#\n" * 50_000).write(),
    "parse 1 MB of backslashes": lambda: parse("[Service]\nExecStart=" + "\\" * 1_000_001),
    "words": lambda: split_words("a " * 500_000),
    "escapes": lambda: split_words("\\x41" * 250_000),
    "quotes": lambda: split_words("''" * 500_000),
    "commands": lambda: parse_exec("a ; " * 250_000),
    "blanks": lambda: parse_exec("a" + " " * 2_000_000),
    "arguments": lambda: exec_quote(["/a", "$%" * 500_000, *["x y"] * 200_000]),
    "names": lambda: unit_unescape(unit_escape("-/" * 200_000)),
    "validate 100,000 lines": lambda: _validate.validate(MANY, 262),
    "validate 100,000 unknown directives": lambda: _validate.validate(UNKNOWN, 262),
    "validate 100,000 bad values": lambda: _validate.validate(BAD, 262),
    "validate a list of 1 MB": lambda: _validate.validate(LONG_LIST, 262),
    "lint 10,000 requirements and conflicts": lambda: lint([DEPENDENCIES], 262),
    "lint a chain of 2,000 units": lambda: lint(CHAIN, 262),
    "lint drop-ins of 1,000 units of the host": lambda: lint(
        DROPINS, 262, HostFacts(units={u.name: HEAD for u in DROPINS})
    ),
    "compare 100,000 lines": lambda: changed_settings(MANY.settings, MANY.settings[:-1]),
    "declare 100,000 lines": lambda: mapping_from_settings(MANY.settings),
    "settings of 100,000 variables": lambda: _render.settings_from_mapping("a.service", MAPPING),
    "render 100,000 variables": lambda: _render.render(SETTINGS),
}


def seconds(what: str) -> float:
    begun = time.process_time()
    try:
        INPUTS[what]()
    except UnitSyntaxError as error:
        if "1 MiB" not in str(error):  # the length of a line is the only fault that any of them has
            raise
    return time.process_time() - begun


if __name__ == "__main__":
    json.dump({what: seconds(what) for what in INPUTS}, sys.stdout)

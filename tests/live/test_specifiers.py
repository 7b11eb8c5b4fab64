# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The case file of the specifiers, asked of systemd itself."""

from __future__ import annotations

import shlex
import typing as t

import pytest
from case_files import load

FOLDER = "/run/systemd/system"
LETTERS = "nNpPiIjJf"


@pytest.mark.parametrize("case", load("syntax/specifiers"))
def test_specifiers(target, case: dict[str, t.Any]) -> None:
    name = case["unit"]
    lines = [f"Environment={letter}=%{letter}" for letter in LETTERS]
    target.write(f"{FOLDER}/{name}", "\n".join(["[Service]", "ExecStart=/bin/true", *lines, ""]))
    target.sh("systemctl daemon-reload")
    shown = target.sh(f"systemctl show --property=Environment --value -- {shlex.quote(name)}")
    found = dict(word.split("=", 1) for word in shlex.split(shown))
    assert {letter: found.get(letter) for letter in LETTERS} == case["values"]
    assert target.sh(f"systemctl show --property=Slice --value -- {shlex.quote(name)}") == case["slice"]


@pytest.mark.parametrize("case", load("syntax/specifiers_in_names"))
def test_specifiers_in_names_of_units(target, case: dict[str, t.Any]) -> None:
    target.write(f"{FOLDER}/t-a-b@c-d.service", f"[Unit]\nAfter={case['text']}\n[Service]\nExecStart=/bin/true\n")
    target.sh("systemctl daemon-reload")
    after = target.sh("systemctl show --property=After --value t-a-b@c-d.service").split()
    assert [name for name in after if name.startswith("t-")] == [name for name in [case["name"]] if name]

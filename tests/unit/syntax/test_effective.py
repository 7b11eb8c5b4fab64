# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Setting, Unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.effective import (
    effective,
    effective_settings,
    is_set,
    last_setting,
    unit_names_in,
    value_of,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import parse, read_unit
from case_files import load

TEXT = """\
[Unit]
After=%p-%i.target %I.target
[Service]
Type=exec
User=a
User=
ExecStart=/a
ExecStart=/b
"""


@pytest.mark.parametrize("field", ["values", "overrode", "ignored"])
@pytest.mark.parametrize("case", load("syntax/effective"))
def test_effective(case: dict[str, t.Any], field: str) -> None:
    taken = case.get("taken")
    found = effective(
        parse(case["text"]).settings,
        taken=None if taken is None else lambda _directive, setting: setting.value in taken,
        dropin=case.get("dropin", False),
    )
    part = "settings" if field == "values" else field
    got = {".".join(key): [setting.value for setting in getattr(entry, part)] for key, entry in found.items()}
    if field == "values":
        assert got == case["values"]
    elif field in case:
        assert {key: values for key, values in got.items() if values} == case[field]


def unit() -> Unit:
    return read_unit("w@1.service", TEXT)


@pytest.mark.parametrize(
    ("directive", "last"), [("Type", "exec"), ("User", None), ("ExecStart", "/b"), ("Restart", None)]
)
def test_last_setting(directive: str, last: str | None) -> None:
    found = last_setting(unit(), "Service", directive)
    assert (found.value if found else None) == last
    assert value_of(unit(), "Service", directive, "default") == (last or "default")
    assert is_set(unit(), "Service", ["Restart", directive]) is (last is not None)


def test_effective_settings() -> None:
    assert [(s.value, s.line) for s in effective_settings(unit(), "Service", "ExecStart")] == [("/a", 7), ("/b", 8)]


def test_a_unit_that_grows_is_read_again() -> None:
    grown = unit()
    assert value_of(grown, "Service", "Type") == "exec"
    grown.settings.append(Setting("Service", "Type", "notify", 9))
    assert value_of(grown, "Service", "Type") == "notify"


def test_unit_names_know_fewer_specifiers() -> None:
    assert [name for name, _setting in unit_names_in(unit(), "Unit", "After")] == ["w-1.target", "%I.target"]

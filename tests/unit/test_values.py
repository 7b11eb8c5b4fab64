# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The value grammars: what they make of a text, from the case files."""

from __future__ import annotations

import datetime
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils import _values

CASES = pathlib.Path(__file__).parent / "cases" / "values"


def load(name: str) -> dict[str, t.Any]:
    return yaml.safe_load((CASES / name).read_text())


PARSED = [
    pytest.param(function, text, wanted, id=f"{function}-{text}")
    for function, cases in load("parsed.yml").items()
    for text, wanted in cases.items()
]


@pytest.mark.parametrize(("function", "text", "wanted"), PARSED)
def test_parse_functions(function: str, text: str, wanted: t.Any) -> None:
    call = getattr(_values, function)
    if wanted == "refused":
        with pytest.raises(ValueError):
            call(text)
    else:
        assert call(text) == (_values.INFINITY if wanted == "infinity" else wanted)


@pytest.mark.parametrize(("event", "after", "wanted"), [tuple(case) for case in load("calendar.yml")])
def test_next_elapse(event: str, after: datetime.datetime, wanted: datetime.datetime | None) -> None:
    assert _values.parse_calendar(event).next_elapse(after) == wanted

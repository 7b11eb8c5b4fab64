# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The value grammars: what they make of a text, from the case files."""

from __future__ import annotations

import datetime
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import numbers, validate
from ansible_collections.unitcraft.systemd.plugins.module_utils._values.calendar import parse_calendar
from hypothesis import given, settings
from hypothesis import strategies as st

CASES = pathlib.Path(__file__).parents[1] / "cases" / "values"


def load(name: str) -> dict[str, t.Any]:
    return yaml.safe_load((CASES / name).read_text())


PARSED = [
    pytest.param(function, text, wanted, id=f"{function}-{text}")
    for function, cases in load("parsed.yml").items()
    for text, wanted in cases.items()
]


@pytest.mark.parametrize(("function", "text", "wanted"), PARSED)
def test_parse_functions(function: str, text: str, wanted: t.Any) -> None:
    call = getattr(numbers, function)
    if wanted == "refused":
        with pytest.raises(ValueError, match=r"\w \w"):
            call(text)
    else:
        assert call(text) == (numbers.INFINITY if wanted == "infinity" else wanted)


@pytest.mark.parametrize(("event", "after", "wanted"), [tuple(case) for case in load("calendar.yml")])
def test_next_elapse(event: str, after: datetime.datetime, wanted: datetime.datetime | None) -> None:
    assert parse_calendar(event).next_elapse(after) == wanted


def boundary_params() -> t.Iterator[t.Any]:
    """Each case on both sides of its release; a case without one at the first and the last release."""
    for case in load("boundaries.yml"):
        first = case.get("since", 0)
        last = case.get("until", 262)
        inside = [max(first, 247), last] if last else []
        outside = [first - 1] * bool(first) + [last + 1] * bool(0 < last < 262) + ([] if last else [247, 262])
        for release, taken in [*((one, True) for one in inside), *((one, False) for one in outside)]:
            yield pytest.param(case, release, taken, id=f"{case['set'][:60]}-{release}")


@pytest.mark.parametrize(("case", "release", "taken"), list(boundary_params()))
def test_a_release_brings_or_ends_a_value(case: dict[str, t.Any], release: int, taken: bool) -> None:
    place, _equals, value = case["set"].partition("=")
    directive = _catalog.get(*place.split("."), release)
    assert directive is not None
    value = re.sub(r"(\w)\*(\d+)$", lambda match: match.group(1) * int(match.group(2)), value)
    problem = validate.check(directive, value, release, "a@3.service", case.get("scope", "system"))
    assert (problem is None) == taken


ONE_OF_EACH = {
    directive.parser: directive
    for release in (247, 252, 257, 262)
    for directive in (_catalog.get(section, name, release) for section, name in _catalog.pairs(release))
    if directive is not None
}
# Texts that look like values: pieces with a meaning to some grammar, and anything at all.
PIECES = st.sampled_from(
    ["/", "//", "..", ":", "=", ",", " ", "~", "-", "+", "%", "%i", "%%", "%Q", "\\", "\\x41", '"', "'", "0x", "5",
     "1.5", "K", "infinity", "yes", "@", "!", "|", "*", "[::1]", "10.0.0.1/8", "SIG", "RTMIN+", "Mon", "a.service",
     "\ud800", "\u00e9"]
)  # a table  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=40))


@pytest.mark.parametrize("parser", sorted(ONE_OF_EACH))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(value=TEXTS, release=st.sampled_from([247, 250, 252, 255, 257, 260, 262]))
def test_no_text_breaks_a_grammar(parser: str, value: str, release: int) -> None:
    problem = validate.check(ONE_OF_EACH[parser], value, release, "a@b.service")
    assert problem is None or (problem.message and problem.hint.startswith("write "))

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The effective, typed value of each directive: the cases of cases/typed."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Setting
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import typed

CASES = yaml.safe_load((pathlib.Path(__file__).parents[1] / "cases" / "values" / "typed.yml").read_text())


def merged(case):
    settings = [Setting(*setting, line=line) for line, setting in enumerate(case["settings"], 1)]
    values = typed.TypedValues(case.get("release", 262), case.get("unit", ""))
    return values, {".".join(key): entry for key, entry in values.effective(settings).items()}


def ids(cases):
    return [case["name"] for case in cases]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_value(case):
    values, found = merged(case)
    assert [(key, values.typed(found[key])) for key in case["want"]] == list(case["want"].items())


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_a_number_is_not_a_boolean(case):
    values, found = merged(case)
    assert [type(values.typed(found[key])) for key in case["want"]] == [type(want) for want in case["want"].values()]


OVERRODE = [case for case in CASES if "overrode" in case]
IGNORED = [case for case in CASES if "ignored" in case]


@pytest.mark.parametrize("case", OVERRODE, ids=ids(OVERRODE))
def test_overrode(case):
    _values, found = merged(case)
    assert {key: [s.value for s in found[key].overrode] for key in case["overrode"]} == case["overrode"]


@pytest.mark.parametrize("case", IGNORED, ids=ids(IGNORED))
def test_ignored(case):
    _values, found = merged(case)
    assert {key: [s.value for s in found[key].ignored] for key in case["ignored"]} == case["ignored"]


def test_each_value_keeps_where_it_was_set():
    settings = [
        Setting("Service", "Restart", "no", 3, "/usr/lib/systemd/system/a.service"),
        Setting("Service", "Restart", "always", 2, "/etc/systemd/system/a.service.d/x.conf"),
    ]
    value = typed.TypedValues().effective(settings)["Service", "Restart"]
    assert (value.settings, value.overrode) == ([settings[1]], [settings[0]])


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("5", 5),
        ("5.5", 5.5),
        ("1h 30", 3630),
        ("2min 3s 4ms", 123.004),
        ("1y2M", 36817200),
        ("", None),
        ("s", None),
        ("5 s x", None),
        ("-5s", None),
        ("infinity", "infinity"),
    ],
)
def test_seconds(text, want):
    assert typed.seconds(text) == want

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What settings come to: the cases of cases/merge."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Setting
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import typed as _merge

CASES = yaml.safe_load((pathlib.Path(__file__).parents[1] / "cases" / "merge" / "merge.yml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_merge(case):
    settings = [Setting(*item, line=number) for number, item in enumerate(case["settings"], 1)]
    merged = {".".join(key): value for key, value in _merge.merge(settings).items()}
    for key, want in case["want"].items():
        got = _merge.typed(merged[key])
        assert (got, type(got)) == (want, type(want)), key
    for key, want in case.get("overrode", {}).items():
        assert [s.value for s in merged[key].overrode] == want, key


def test_each_value_keeps_where_it_was_set():
    settings = [
        Setting("Service", "Restart", "no", 3, "/usr/lib/systemd/system/a.service"),
        Setting("Service", "Restart", "always", 2, "/etc/systemd/system/a.service.d/x.conf"),
    ]
    value = _merge.merge(settings)["Service", "Restart"]
    assert value.settings == [settings[1]]
    assert value.overrode == [settings[0]]


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
    assert _merge.seconds(text) == want


def test_seconds_with_another_unit():
    assert _merge.seconds("50", 1e-9) == 5e-8

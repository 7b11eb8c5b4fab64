# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils import _model
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.diff import changed_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.header import header, read_header
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import parse
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.mapping import mapping_from_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.render import (
    RenderError,
    render,
    settings_from_mapping,
)
from case_files import load


@pytest.mark.parametrize("case", load("syntax/render/values"))
def test_values(case: dict[str, t.Any]) -> None:
    def text() -> str:
        settings = settings_from_mapping("a.service", case["sections"])
        return render(settings, (), case.get("order_free", False))

    if "error" in case:
        with pytest.raises(RenderError) as caught:
            text()
        assert case["error"] in str(caught.value)
    else:
        assert text() == case["text"]


def test_error_says_where() -> None:
    with pytest.raises(RenderError) as caught:
        settings_from_mapping("a.service", {"Service": {"UMask": 18}})
    error = caught.value
    assert (error.unit, error.section, error.directive, error.value) == ("a.service", "Service", "UMask", 18)
    assert str(error) == f"a.service [Service] UMask=: {error.message}"


@pytest.mark.parametrize("case", load("syntax/render/natural"))
def test_natural_form(case: dict[str, t.Any]) -> None:
    settings = parse(case["text"]).settings
    sections = mapping_from_settings(settings)
    assert sections == case["sections"]
    again = settings_from_mapping("a.service", sections)
    if "Environment" not in case["text"]:  # its mapping quotes anew, which is the same only for systemd
        assert changed_settings(settings, again) == []


@pytest.mark.parametrize("case", load("syntax/render/header"))
def test_read_header(case: dict[str, t.Any]) -> None:
    assert list(read_header(case["text"])) == case["header"]


@pytest.mark.parametrize("set_name", [None, "web", "a b: é"])
def test_header(set_name: str | None) -> None:
    settings = [_model.Setting("Unit", "After", "a.service", 0)]
    text = render(settings, header(set_name))
    assert text.startswith("# Managed by unitcraft.systemd\n")
    assert read_header(text) == (True, set_name or "")
    assert [setting[:3] for setting in parse(text).settings] == [settings[0][:3]]


@pytest.mark.parametrize("set_name", ["a\nb", " a", "a ", "\x1b"])
def test_header_refuses(set_name: str) -> None:
    with pytest.raises(RenderError, match="not a name for a set"):
        header(set_name)


@pytest.mark.parametrize("line", ["no comment", "# a\nb", "# a\rb"])
def test_header_lines_are_comments(line: str) -> None:
    with pytest.raises(RenderError, match="one comment line"):
        render([], [line])


@pytest.mark.parametrize(
    "setting",
    [
        ("Unit", "After", "a\nb"),
        ("Unit", "After", "a\rb"),
        ("Unit", "After", "a\0b"),
        ("Unit", "After", " a"),
        ("Unit", "After", "a\\"),
        ("Unit", "After", "\udcff"),
        ("Unit", "A=b", "c"),
        ("Unit", "#A", "c"),
        ("Unit", "", "c"),
        ("", "A", "c"),
        ("A]", "A", "c"),
        ("Unit ", "A", "c"),
    ],
)
def test_render_refuses_what_would_not_read_back(setting: tuple[str, str, str]) -> None:
    with pytest.raises(RenderError, match="would not read this setting back"):
        render([_model.Setting(*setting, 0)])


def test_longest_value() -> None:
    with pytest.raises(RenderError, match="longer than 1 MiB"):
        settings_from_mapping("a.service", {"Service": {"ExecStart": "x" * 2_000_000}})

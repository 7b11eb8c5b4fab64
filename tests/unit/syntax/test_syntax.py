# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.commands import exec_quote, parse_exec
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.diff import changed_settings, same_meaning
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import LONG_LINE_MAX, parse, read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import (
    IN_UNIT_NAMES,
    NAME_SPECIFIERS,
    expand_specifiers,
    full_unit_name,
    has_other_specifiers,
    instance_name,
    is_template,
    name_specifier,
    parse_unit_name,
    split_unit_name,
    template_of,
    unit_escape,
    unit_name_problem,
    unit_type,
    unit_unescape,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import (
    UnitSyntaxError,
    c_unescape,
    quote,
    split_words,
    to_bytes,
)
from case_files import load


@pytest.mark.parametrize("case", load("syntax/parse"))
def test_parse(case: dict[str, t.Any]) -> None:
    data = bytes.fromhex(case["bytes"]) if "bytes" in case else case["text"]
    if "error" in case:
        with pytest.raises(UnitSyntaxError) as caught:
            parse(data, "/etc/a.service")
        assert caught.value.line == case["error"]["line"]
        assert case["error"]["message"] in str(caught.value)
        assert str(caught.value).startswith(f"/etc/a.service:{caught.value.line}: ")
        return
    text = parse(data, "/etc/a.service", case.get("unit", ""))
    assert to_bytes(text.write()) == (data if isinstance(data, bytes) else data.encode())
    if "lines" in case:
        assert [[line.kind, line.section, line.key, line.value] for line in text.lines] == case["lines"]
        wanted = [line[1:] for line in case["lines"] if line[0] == "assignment"]
        assert [[setting.section, setting.directive, setting.value] for setting in text.settings] == wanted
    expected = case.get("problems", {})
    # What the case names of a message, or the whole of it.
    told = {line: part if (part := expected.get(line, "")) and part in told else told for line, told in text.problems}
    assert told == expected


def test_line_numbers_are_those_of_the_first_physical_line() -> None:
    text = parse("[Unit]\n# a\nDescription=a\\\n#\n b\nAfter=c\n", "/x")
    assert [(setting.directive, setting.line, setting.path) for setting in text.settings] == [
        ("Description", 3, "/x"),
        ("After", 6, "/x"),
    ]


def test_read_unit() -> None:
    unit = read_unit("a.service", b"[Unit]\nAfter=b\nx\n", "/p", "10-x")
    assert (unit.name, unit.path, unit.dropin) == ("a.service", "/p", "10-x")
    assert [setting.value for setting in unit.settings] == ["b"]
    assert [line for line, _message in unit.problems] == [3]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[Unit]\nDescription=" + "x" * (LONG_LINE_MAX - 13), None),
        ("[Unit]\nDescription=" + "x" * (LONG_LINE_MAX - 12), 2),
        ("[Unit]\n#" + "é" * (LONG_LINE_MAX // 2), 2),
        ("[Unit]\nDescription=" + ("x" * 1000 + "\\\n") * 1100, 1049),
    ],
    ids=["longest", "too long", "bytes count, comments too", "continued"],
)
def test_longest_line(text: str, line: int | None) -> None:
    if line is None:
        assert len(parse(text).settings[0].value) == LONG_LINE_MAX - 13
    else:
        with pytest.raises(UnitSyntaxError, match="longer than 1 MiB") as caught:
            parse(text)
        assert caught.value.line == line


@pytest.mark.parametrize("case", load("syntax/words"))
def test_split_words(case: dict[str, t.Any]) -> None:
    flags = case.get("flags", {})
    if "error" in case:
        with pytest.raises(UnitSyntaxError) as caught:
            split_words(case["value"], **flags)
        assert case["error"] in str(caught.value)
    else:
        assert split_words(case["value"], **flags) == case["words"]


@pytest.mark.parametrize(
    ("text", "options", "plain"),
    [
        ("a\\nb\\x41", {}, "a\nbA"),
        ("\\xc3\\xa9\\303\\251", {}, "éé"),
        ("\\x00", {"accept_nul": True}, "\0"),
        ("\\xff", {}, "\udcff"),
        ("\\ud800", {}, "\udced\udca0\udc80"),
    ],
)
def test_c_unescape(text: str, options: dict[str, bool], plain: str) -> None:
    assert c_unescape(text, **options) == plain


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x0", "\\x00", "\\u12"])
def test_c_unescape_refuses(text: str) -> None:
    with pytest.raises(UnitSyntaxError, match="is not an escape"):
        c_unescape("a" + text)


@pytest.mark.parametrize("case", load("syntax/exec"))
def test_parse_exec(case: dict[str, t.Any]) -> None:
    relax = case.get("relax", False)
    if "error" in case:
        with pytest.raises(UnitSyntaxError) as caught:
            parse_exec(case["value"], relax)
        assert case["error"] in str(caught.value)
    else:
        commands = parse_exec(case["value"], relax)
        assert [[command.prefixes, command.path, command.argv] for command in commands] == case["commands"]
        # What one command was read from reads as that command alone.
        assert [parse_exec(command.raw, relax)[0] for command in commands] == commands


@pytest.mark.parametrize("case", load("syntax/exec_quote"))
def test_exec_quote(case: dict[str, t.Any]) -> None:
    prefix = case.get("prefix", "")
    if "error" in case:
        with pytest.raises(UnitSyntaxError) as caught:
            exec_quote(case["args"], prefix)
        assert case["error"] in str(caught.value)
    else:
        assert exec_quote(case["args"], prefix) == case["text"]


def test_exec_quote_takes_bytes() -> None:
    assert exec_quote([b"/bin/a", b"\xff\xc3\xa9", b"%"]) == "/bin/a \\xffé %%"


@pytest.mark.parametrize("case", load("syntax/names"))
def test_parse_unit_name(case: dict[str, t.Any]) -> None:
    found = parse_unit_name(case["name"])
    assert found == (tuple(case["parts"]) if "parts" in case else None)
    assert found is None or str(found) == case["name"]


@pytest.mark.parametrize("case", load("syntax/names"))
def test_unit_name_problem(case: dict[str, t.Any]) -> None:
    problem = unit_name_problem(case["name"])
    assert case["problem"] in problem if "problem" in case else problem == ""


def test_longest_unit_name() -> None:
    assert parse_unit_name("a" * 247 + ".service") is not None
    assert "256 bytes" in unit_name_problem("a" * 248 + ".service")


def test_a_template_will_not_do() -> None:
    assert "is a template" in unit_name_problem("a@.service", allow_template=False)


@pytest.mark.parametrize("case", load("syntax/name_kinds"))
def test_kinds_of_unit_names(case: dict[str, t.Any]) -> None:
    name = case["name"]
    assert split_unit_name(name) == tuple(case["parts"])
    assert unit_type(name) == case["parts"][2]
    assert is_template(name) is (case["kind"] == "template")
    assert template_of(name) == case.get("template", "")
    assert not template_of(name) or instance_name(template_of(name), case["parts"][1]) == name


@pytest.mark.parametrize(
    ("given", "full"),
    [("a", "a.service"), ("a.socket", "a.socket"), ("a.b", "a.b.service"), ("a@.timer", "a@.timer")],
)
def test_full_unit_name(given: str, full: str) -> None:
    assert full_unit_name(given) == full


@pytest.mark.parametrize("case", load("syntax/specifiers"))
@pytest.mark.parametrize("letter", NAME_SPECIFIERS)
def test_name_specifier(case: dict[str, t.Any], letter: str) -> None:
    if case["values"][letter] is None:
        with pytest.raises(UnitSyntaxError):
            name_specifier(letter, case["unit"])
        assert expand_specifiers(f"a%{letter}b", case["unit"]) == f"a%{letter}b"
    else:
        assert expand_specifiers(f"a%{letter}b", case["unit"]) == f"a{case['values'][letter]}b"


@pytest.mark.parametrize("case", load("syntax/specifiers_in_names"))
def test_specifiers_in_names_of_units(case: dict[str, t.Any]) -> None:
    expanded = expand_specifiers(case["text"], "t-a-b@c-d.service", IN_UNIT_NAMES)
    assert (expanded if parse_unit_name(expanded) else None) == case["name"]


@pytest.mark.parametrize(
    ("text", "expanded", "others"),
    [
        ("100%", "100%", False),
        ("100% sure", "100% sure", False),
        ("%%i", "%i", False),
        ("%%%i", "%x", False),
        ("%H-%i", "%H-x", True),
        ("%t/%p", "%t/w", True),
        ("%z", "%z", True),
    ],
)
def test_what_is_no_specifier_of_the_name(text: str, expanded: str, others: bool) -> None:
    assert expand_specifiers(text, "w@x.service") == expanded
    assert has_other_specifiers(text) is others


@pytest.mark.parametrize("case", load("syntax/escape"))
def test_unit_escape(case: dict[str, t.Any]) -> None:
    options = case.get("options", {})
    if "error" in case:
        call, text = (unit_unescape, case["unescape"]) if "unescape" in case else (unit_escape, case["text"])
        with pytest.raises(UnitSyntaxError, match=re.escape(case["error"])):
            call(text, **options)
        return
    assert unit_escape(case["text"], **options) == case["escaped"]
    if not case.get("one_way"):
        assert unit_unescape(case["escaped"], **options) == case["text"]


@pytest.mark.parametrize("case", load("syntax/changed"))
def test_changed_settings(case: dict[str, t.Any]) -> None:
    old, new = (parse(case[key]).settings for key in ("old", "new"))
    dropin = case.get("dropin", False)
    assert [list(change) for change in changed_settings(old, new, dropin)] == case["changes"]
    assert same_meaning(old, new, dropin) is (case["changes"] == [])
    assert same_meaning(new, old, dropin) is (case["changes"] == [])


def test_text_that_no_file_can_hold() -> None:
    with pytest.raises(UnitSyntaxError, match="lone surrogate"):
        quote("\ud800")

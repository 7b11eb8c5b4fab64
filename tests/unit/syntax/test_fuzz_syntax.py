# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of the text layer that hold for any input. The examples are the same on every run.

``UNITCRAFT_FUZZ=20000`` tries that many random examples for each property instead.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog, _model
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.commands import exec_quote, parse_exec
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.diff import changed_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.header import read_header
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import parse
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.mapping import mapping_from_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import (
    _NAME_CHARACTERS,
    split_unit_name,
    unit_escape,
    unit_name_problem,
    unit_unescape,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.render import (
    RenderError,
    render,
    settings_from_mapping,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import (
    WHITESPACE,
    UnitSyntaxError,
    c_escape,
    c_unescape,
    from_bytes,
    quote,
    split_words,
    to_bytes,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("UNITCRAFT_FUZZ", "0"))
profile = settings(
    derandomize=not EXAMPLES,
    max_examples=EXAMPLES or 200,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# Unit files are made of few characters that matter: most examples are built from them.
PIECES = st.sampled_from(
    [
        "[",
        "]",
        "[Unit]",
        "[Service]",
        "=",
        "\\",
        "\n",
        "\r",
        "\r\n",
        "\n\r",
        "#",
        ";",
        " ",
        "\t",
        "'",
        '"',
        "%",
        "$",
        "%%",
        "$$",
        "${A}",
        "\\x41",
        "\\n",
        "\\;",
        "-",
        "@",
        "+",
        "!",
        "|",
        ":",
        "~",
        "/",
        ".",
        "..",
        "ExecStart",
        "After",
        "é",
        "Environment=",
        "A=b",
        ".include /x",
        "X-",
        "\ufeff",
        "\ufffe",
        "\u2028",
        "\x1f",
        "\x7f",
        "a",
        "b",
        ".service",
    ]
)
TEXT = st.lists(PIECES | st.text(max_size=3), max_size=40).map("".join)
BYTES = st.binary(max_size=60) | TEXT.map(lambda text: text.encode("utf-8", "surrogatepass"))
NO_NUL = st.binary(max_size=30).map(lambda data: data.replace(b"\0", b""))
ARGUMENT = NO_NUL | TEXT.map(lambda text: text.replace("\0", "").encode("utf-8", "ignore"))

UNIT_TYPES = sorted(_catalog.UNIT_SECTIONS)
PAIRS = [
    (section, name)
    for kind in UNIT_TYPES
    for section in _catalog.UNIT_SECTIONS[kind]
    for name in _catalog.names(section)
]
SCALAR = TEXT | st.booleans() | st.integers() | st.floats() | st.none()
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.just("argv"), inner, max_size=3),
    max_leaves=6,
)


@profile
@given(BYTES | TEXT)
def test_what_is_read_is_written_back(data: bytes | str) -> None:
    with contextlib.suppress(UnitSyntaxError):
        text = parse(data, "/x", "a.service").write()
        assert (to_bytes(text) if isinstance(data, bytes) else text) == data


@profile
@given(TEXT)
def test_only_our_error_comes_out(text: str) -> None:
    for function in (
        parse,
        split_words,
        c_unescape,
        c_escape,
        quote,
        parse_exec,
        split_unit_name,
        unit_escape,
        unit_unescape,
        lambda value: unit_escape(value, path=True, suffix="mount"),
        lambda value: unit_escape(value, template="a@.service"),
        lambda value: unit_unescape(value, path=True),
        lambda value: unit_unescape(value, template="a@.service"),
        lambda value: exec_quote([value, value]),
    ):
        with contextlib.suppress(UnitSyntaxError):
            function(text)
    unit_name_problem(text)
    read_header(text)
    split_words(text, relax=True, unescape_relax=True)


@profile
@given(TEXT, st.booleans(), st.booleans(), st.booleans())
def test_splitting_ends_with_any_flags(text: str, unquote: bool, cunescape: bool, retain: bool) -> None:
    for separators, coalesce in ((WHITESPACE, True), (":", False)):
        with contextlib.suppress(UnitSyntaxError):
            split_words(text, unquote, cunescape, retain_escape=retain, separators=separators, coalesce=coalesce)


def _bytes(text: str) -> bytes:
    return to_bytes(text)


@profile
@given(st.lists(ARGUMENT, max_size=6))
def test_quoted_words_are_read_back(words: list[bytes]) -> None:
    line = " ".join(quote(from_bytes(word)) for word in words)
    assert [_bytes(word) for word in split_words(line)] == words


@profile
@given(st.lists(ARGUMENT, max_size=6), st.sampled_from(["", "-", ":", "+", "!!", "-:"]))
def test_arguments_arrive(arguments: list[bytes], prefix: str) -> None:
    line = exec_quote([b"/bin/a b", *arguments], prefix)
    # What we write must survive the file, too.
    read = parse("[Service]\n" + render([_model.Setting("Service", "ExecStart", line, 0)])).settings
    (command,) = parse_exec(read[0].value)
    assert (command.prefixes, command.path) == (prefix, "/bin/a b")
    doubled = "%" if ":" in prefix else "%$"
    assert [_bytes(plain(argument, doubled)) for argument in command.argv[1:]] == arguments


def plain(argument: str, doubled: str) -> str:
    """The argument as systemd hands it on; each of the characters stands doubled in it, and never alone."""
    for char in doubled:
        assert char not in argument.replace(char * 2, "")
        argument = argument.replace(char * 2, char)
    return argument


@profile
@given(st.sampled_from(PAIRS), VALUE)
def test_rendered_values_are_read_back(pair: tuple[str, str], value: t.Any) -> None:
    section, directive = pair
    try:
        wanted = settings_from_mapping("a.service", {section: {directive: value}})
        text = render(wanted)
    except RenderError as error:
        wanted, text = None, error.message
    if wanted is None:
        assert text
        return
    read = parse(text)
    assert read.problems == []
    assert [setting[:3] for setting in read.settings] == [setting[:3] for setting in wanted]


@profile
@given(st.lists(st.tuples(st.sampled_from(PAIRS), TEXT), max_size=6))
def test_sections_keep_their_meaning(rows: list[tuple[tuple[str, str], str]]) -> None:
    lines = [f"[{section}]\n{name}={value}\n" for (section, name), value in rows]
    try:
        old = parse("".join(lines)).settings
    except UnitSyntaxError:
        return
    old = [setting for setting in old if _catalog.get(setting.section, setting.directive)]
    try:
        new = settings_from_mapping("a.service", mapping_from_settings(old))
    except RenderError:
        return  # a value that systemd takes from no file of ours, such as an empty one where it takes none
    before = [change for change in changed_settings(old, new) if change[1] != "Environment"]
    assert before == []
    # The mapping of Environment= quotes anew: its words must be the same.
    assert _words(old) == _words(new)


def _words(rows: t.Sequence[_model.Setting]) -> list[t.Any]:
    found: list[t.Any] = []
    for row in rows:
        if row.directive == "Environment":
            try:
                found.extend(split_words(row.value) or [""])
            except UnitSyntaxError:
                found.append(row.value)
    return found


@profile
@given(ARGUMENT, st.booleans())
def test_escaped_names_are_read_back(data: bytes, path: bool) -> None:
    text = from_bytes(data)
    try:
        escaped = unit_escape(text, path)
    except UnitSyntaxError:
        return
    assert set(escaped) <= _NAME_CHARACTERS
    if path:
        parts = [part for part in text.split("/") if part not in ("", ".")]
        text = "/" + "/".join(parts)
    assert unit_unescape(escaped, path) == text


@pytest.mark.parametrize("kind", UNIT_TYPES)
def test_fuzz_knows_every_section(kind: str) -> None:
    assert set(_catalog.UNIT_SECTIONS[kind]) - {"Target", "Device"} <= {section for section, _name in PAIRS}

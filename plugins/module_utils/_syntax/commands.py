# SPDX-License-Identifier: GPL-3.0-or-later

"""Command lines of ``Exec*=`` (``config_parse_exec()``; systemd.service(5), "COMMAND LINES")."""

from __future__ import annotations

import re
import typing as t

from .words import (
    NOT_UTF8,
    WHITESPACE,
    UnitSyntaxError,
    WordReader,
    c_escape,
    escape_specifiers,
    from_bytes,
    quote,
    shorten,
    word_reader,
)

EXEC_PREFIXES = "@-:+!|"  # systemd.service(5), table "Special executable prefixes"; releases before 258 lack the |
# A program's name must pass systemd's string_is_safe(); since 258 it must be UTF-8, too.
_UNSAFE_IN_PATH = re.compile("[\x00-\x1f\x7f\"'\\\\]")


class ExecCommand(t.NamedTuple):
    """One command of an ``Exec*=`` value, specifiers and variables not yet resolved."""

    prefixes: str  # any of EXEC_PREFIXES, as written
    path: str  # the program; empty only after a lone |, which starts the user's shell
    argv: list[str]  # what the program gets, argv[0] first; after | the words that a shell gets joined by blanks
    raw: str  # the text of this command


def exec_quote(args: t.Sequence[str | bytes], prefix: str = "") -> str:
    """The command line with which systemd starts ``args[0]`` with exactly these arguments, byte for byte.

    :param args: the program and its arguments; with ``@`` in ``prefix`` the second one is the program's ``argv[0]``.
    :param prefix: prefix characters of systemd.service(5), for example ``-`` or ``!``.
    :raises UnitSyntaxError: for what systemd cannot start: no program, a NUL, a program's name with quotes,
        backslashes, control characters or a leading prefix character; and for ``|``, with which a shell would split
        the arguments again.
    """
    words = [from_bytes(arg) if isinstance(arg, bytes) else arg for arg in args]
    if not words or not words[0]:
        raise UnitSyntaxError("the argument list names no program: its first item is the program to start")
    for word in words:
        if "\0" in word:
            raise UnitSyntaxError(f"the argument '{shorten(word)}' holds a NUL, which no argument can hold")
    _check_prefix(prefix)
    program, rest = words[0], words[1:]
    _check_program(program)
    if "@" in prefix and not rest:
        raise UnitSyntaxError("the prefix @ needs a second item, which becomes the program's argv[0]")
    expands = ":" not in prefix
    if expands and "$" in program and "@" not in prefix:
        # systemd resolves variables in argv[0] but not in the path, so the two must be written apart.
        prefix += "@"
        rest = [program, *rest]
    line = [quote(escape_specifiers(prefix + program))]
    for word in rest:
        escaped = escape_specifiers(word.replace("$", "$$") if expands else word)
        line.append('";"' if escaped == ";" else quote(escaped))
    return " ".join(line)


def _check_prefix(prefix: str) -> None:
    if "|" in prefix:
        raise UnitSyntaxError(
            "with the prefix | a shell splits the arguments again, so that a list cannot say what the program gets: "
            "write the command as a string"
        )
    if _exec_prefixes(prefix) != prefix:
        raise UnitSyntaxError(
            f"'{shorten(prefix)}' is not a prefix of a command: systemd takes @ - : once each, and one of + ! !!"
        )


def _check_program(program: str) -> None:
    if _UNSAFE_IN_PATH.search(program) or NOT_UTF8.search(program):
        shown = c_escape(shorten(program))
        raise UnitSyntaxError(
            f"systemd starts no program whose name holds quotes, backslashes or control characters: '{shown}'"
        )
    if program == ";" or program[0] in EXEC_PREFIXES:
        raise UnitSyntaxError(
            f"systemd takes '{program[0]}' at the front of a command for itself: write the program's absolute path"
        )


def parse_exec(value: str, relax: bool = False) -> list[ExecCommand]:
    """Read the value of an ``Exec*=`` directive.

    :param value: one value, which may hold several commands separated by a lone ``;``.
    :param relax: keep unknown escapes as they stand, as systemd does after a warning.
    :returns: the commands; none for an empty value.
    :raises UnitSyntaxError: for unclosed quotes, unknown escapes, a prefix without a program, ``@`` without argv[0].
    """
    reader = word_reader(WHITESPACE, True, True, False, relax, False, True)
    commands: list[ExecCommand] = []
    pos = 0
    while pos >= 0:
        start = pos
        word, pos = reader.word(value, pos)
        if word is None:
            break
        if word == ";":
            continue
        command, pos = _read_command(reader, value, word, start, pos)
        commands.append(command)
    return commands


def _read_command(reader: WordReader, value: str, first: str, start: int, pos: int) -> tuple[ExecCommand, int]:
    prefixes = _exec_prefixes(first)
    path = first[len(prefixes) :]
    argv = [] if "@" in prefixes else [path]
    end = len(value) if pos < 0 else pos
    while pos >= 0:
        if value[pos] == ";" and value[pos + 1 : pos + 2] in (*WHITESPACE, ""):
            pos = reader._skip(value, pos + 1)
            break
        if value.startswith("\\;", pos) and value[pos + 2 : pos + 3] in (*WHITESPACE, ""):
            argv.append(";")
            pos = reader._skip(value, pos + 2)
        else:
            word, pos = reader.word(value, pos)
            if word is None:
                break
            argv.append(word)
        end = len(value) if pos < 0 else pos
    raw = value[start:end].strip(WHITESPACE)
    if not path and "|" not in prefixes:
        raise UnitSyntaxError(f"the prefix '{prefixes}' stands before no program: '{shorten(raw)}'")
    if not argv and "|" not in prefixes:
        raise UnitSyntaxError(f"the prefix @ needs a second word, which becomes argv[0]: '{shorten(raw)}'")
    return ExecCommand(prefixes, path, argv, raw), pos


def _exec_prefixes(word: str) -> str:
    """The prefix characters that systemd takes off the front: each once, and one of ``+``, ``!`` and ``!!``."""
    taken = ""
    for character in word:
        if character not in EXEC_PREFIXES:
            break
        privileges = taken.count("!") + 2 * taken.count("+")
        if (privileges > (1 if character == "!" else 0)) if character in "+!" else (character in taken):
            break
        taken += character
    return taken

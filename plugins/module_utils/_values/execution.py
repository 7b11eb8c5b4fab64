# SPDX-License-Identifier: GPL-3.0-or-later

"""Grammars of what a service starts with: commands, streams, labels, credentials, open files; and of plain texts.

Source: ``load-fragment.c``, ``creds-util.c``, ``open-file.c`` of systemd 247 to 262.
"""

from __future__ import annotations

import re

from .._syntax.commands import parse_exec
from .._syntax.words import WHITESPACE, c_unescape
from .base import (
    LINE_MAX,
    NAME_MAX,
    PATH_MAX,
    Context,
    FatalError,
    Grammar,
    Grammars,
    byte_length,
    check_base64,
    empty_or,
    expand,
    fatal,
    first_word,
    known,
    not_a,
    one_of,
    one_of_these,
    words,
)
from .identifiers import CONTROL, is_filename, is_safe
from .numbers import quoted
from .paths import check_path, expand_path, path

_INPUTS = "null tty tty-force tty-fail socket fd data file"
_OUTPUTS = (
    "inherit null tty kmsg kmsg+console journal journal+console socket fd file append truncate@248 syslog"
    " syslog+console"
)


def _stream(names: str, prefixes: str) -> Grammar:
    def stream(text: str, c: Context) -> None:
        kind, colon, rest = text.partition(":")
        if colon and kind == "fd":
            check_fdname(rest, c)
        elif colon and kind in known(prefixes, c.release):
            path(rest, c)
        else:
            one_of(text, names, c.release)

    return stream


def _exec(text: str, c: Context) -> None:
    if c.release < 258:
        # | is a character like others there; parse_exec() would take it for a prefix.
        text = re.sub(r"^([-@:+!]*)\|", r"\1x", text)
    prefixes = "-" if re.match("[@:+!|]*-", text) else ""
    try:
        for command in parse_exec(text):
            prefixes, program = _prefixes(command.prefixes + command.path, c.release)
            if "|" not in prefixes:
                _program(program, c)
            for word in command.argv:
                # Two releases treat arguments as paths.
                expand(word, c, PATH_MAX if c.release in (249, 250) else LINE_MAX)
    except ValueError as error:
        raise (ValueError if "-" in prefixes else FatalError)(str(error)) from None


def _prefixes(word: str, release: int) -> tuple[str, str]:
    taken = ""
    for character in word:
        if character in "-@:" or (character == "|" and release >= 258):
            fits = character not in taken
        elif character == "+":
            fits = "+" not in taken and "!" not in taken
        else:
            fits = character == "!" and "+" not in taken and taken.count("!") < 2
        if not fits:
            break
        taken += character
    return taken, word[len(taken) :]


def _program(text: str, c: Context) -> None:
    program = expand_path(text, c)
    if not program:
        raise ValueError("the program is missing")
    if not is_safe(program, globs=c.release < 261):
        raise ValueError(f"the program's path holds special characters: {quoted(program)}")
    if program.endswith("/") or (c.release >= 256 and program.rpartition("/")[2] in (".", "..")):
        raise ValueError(f"{quoted(program)} is a directory")
    if program[0] != "/" and not (is_filename(program) or (c.release < 249 and is_filename(program[:200]))):
        raise ValueError(f"{quoted(program)} is neither an absolute path nor a plain name")
    too_long = any(byte_length(part) > NAME_MAX for part in program.split("/"))
    if c.release >= 249 and (too_long or byte_length(program) > PATH_MAX):
        raise ValueError("the program's path is too long")


def _reboot_parameter(text: str, c: Context) -> None:
    text = expand(text, c)
    if not text.isascii() or len(text) > NAME_MAX:
        raise ValueError(f"the argument must be ASCII of at most {NAME_MAX} bytes")


def is_fdname(text: str) -> bool:
    """Whether a text can name a file descriptor."""
    return text.isascii() and len(text) <= 255 and ":" not in text and not CONTROL.search(text)


def check_fdname(text: str, c: Context) -> None:
    """Refuse a text that cannot name a file descriptor."""
    if not is_fdname(expand(text, c, 255)):
        raise ValueError("the name of a file descriptor is ASCII without colons")


def _credential_name(text: str) -> None:
    if not is_filename(text) or not is_fdname(text):
        raise not_a(text, "a name of a credential")


def _load_credential(text: str, c: Context) -> None:
    name, rest = first_word(text, ":")
    _credential_name(expand(name, c, 255))
    if not rest:
        if c.release < 249:
            raise ValueError("the path is missing")
        return
    source = expand_path(rest, c)
    if source[:1] != "/":
        _credential_name(source)
    elif "//" in source or {"", ".", ".."} & set(source[1:].split("/")[:-1]) or source.endswith(("/.", "/..")):
        raise not_a(source, "a plain path")


def _set_credential(text: str, c: Context) -> None:
    name, rest = first_word(text, ":")
    if not rest and (c.release >= 249 or ":" not in text):
        raise ValueError("the data are missing")
    _credential_name(expand(name, c, 255))
    if c.name == "SetCredentialEncrypted":
        check_base64(rest, c)
    else:
        c_unescape(rest, accept_nul=True)


def _import_credential(text: str, c: Context) -> None:
    name, rest = first_word(text, ":") if c.release >= 257 else (text, "")
    glob = expand(name, c, 255)
    front = re.split("[*?\\[\\]]", glob)[0]
    if front == glob:
        _credential_name(glob)
    elif glob[len(front) :] != "*":
        raise ValueError("a * stands at the end of a credential's name only")
    elif front:
        _credential_name(front)
    if rest:
        _credential_name(rest)


def _input_text(text: str, c: Context) -> None:
    expand(c_unescape(text), c, 64 * 1024 * 1024)


def _open_file(text: str, c: Context) -> None:
    fields = words(text, unquote=False, cunescape=True, separators=":")
    if len(fields) > 3:
        raise ValueError(f"{quoted(text)} has more than three parts")
    file, name, options = [*fields, "", "", ""][:3]
    flags = [flag for flag in words(options, unquote=False, separators=",") if flag]
    for flag in flags:
        one_of(flag, "read-only append truncate graceful", c.release)
    if len(set(flags)) < len(flags) or len(set(flags) - {"graceful"}) > 1:
        raise ValueError("the flags exclude each other")
    check_path(file.replace("..", "__"), c.release)
    name = name or file.rstrip("/").rpartition("/")[2]
    if not name or name in (".", "..") or not is_fdname(name):
        raise not_a(name, "a name of a file descriptor")


def _luo_sessions(text: str, c: Context) -> None:
    names = words(text, unquote=False)
    for word in names:
        if not is_fdname(word) or not is_safe(word, globs=False) or set(word) & set(WHITESPACE):
            raise not_a(word, "a name of a session")
    if len(set(names)) < len(names):
        raise ValueError("a session is named twice")


_PERCENT = "%% for a percent sign"

GRAMMARS: Grammars = {
    "exec": (_exec, "an absolute path and arguments, for example /usr/bin/foo --bar"),
    "exec_apparmor_profile": (fatal(expand), _PERCENT),
    "exec_input": (_stream(_INPUTS, "file"), one_of_these(_INPUTS) + ", fd:name, file:path"),
    "exec_input_data": (empty_or(check_base64), "base64, for example SGVsbG8K"),
    "exec_input_text": (empty_or(_input_text), "\\\\ for a backslash and %% for a percent sign"),
    "exec_output": (
        _stream(_OUTPUTS, "file append truncate@248"),
        one_of_these(_OUTPUTS) + ", fd:name, append:path",
    ),
    "exec_selinux_context": (fatal(expand), _PERCENT),
    "exec_smack_process_label": (fatal(expand), _PERCENT),
    "fdname": (empty_or(check_fdname), "a plain name, for example http"),
    "import_credential": (empty_or(_import_credential), "a name, or the front of one and *, for example foo.*"),
    "load_credential": (empty_or(_load_credential), "name:path, for example password:/etc/foo/password"),
    "luo_sessions": (_luo_sessions, "plain names, for example state"),
    "mount_node": (expand_path, _PERCENT),
    "open_file": (empty_or(_open_file), "path[:name[:flags]], for example /etc/foo.conf:foo:read-only"),
    "reboot_parameter": (_reboot_parameter, "ASCII of at most 255 bytes"),
    "set_credential": (empty_or(_set_credential), "name:data, for example greeting:hello"),
    "unit_condition_string": (expand, _PERCENT),
    "unit_string_printf": (expand, _PERCENT),
}

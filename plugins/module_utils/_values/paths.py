# SPDX-License-Identifier: GPL-3.0-or-later

"""Grammars of paths and lists of paths, of directories, bind mounts and disk images.

Source: ``path_simplify_and_warn()``, ``load-fragment.c``, ``image-policy.c`` of systemd 247 to 262.
"""

from __future__ import annotations

import re
import typing as t

from .._syntax.names import UNIT_NAME_MAX
from .._syntax.words import WHITESPACE, _unescape_one, word_reader
from .base import (
    NAME_MAX,
    PATH_MAX,
    Context,
    FatalError,
    Grammar,
    Grammars,
    byte_length,
    check_base64,
    each,
    empty_or,
    expand,
    fatal,
    first_word,
    known,
    not_a,
    one_of,
    words,
)
from .numbers import quoted

_SURROGATE = re.compile("[\ud800-\udfff]")


def check_path(
    path: str, release: int, absolute: bool | None = True, no_api: bool = False, dev_ok: bool = False
) -> str:
    """A path as ``path_simplify_and_warn()`` wants it, simplified.

    :param absolute: true, false (relative), or None when both will do.
    :param no_api: refuse what lies below /proc, /sys and /dev, as systemd does since 256; ``dev_ok`` takes /dev.
    :raises ValueError: with the reason.
    """
    if _SURROGATE.search(path):
        raise ValueError("the path is not UTF-8")
    if absolute and not path.startswith("/"):
        raise ValueError(f"{quoted(path)} is not an absolute path: it must start with /")
    if absolute is False and path.startswith("/"):
        raise ValueError(f"{quoted(path)} must be a relative path")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    front = "/" if path.startswith("/") else ""
    if front and release >= 255:
        while parts and parts[0] == "..":
            del parts[0]
    simple = front + "/".join(parts)
    too_long = release >= 249 and any(byte_length(part) > NAME_MAX for part in parts)
    if not path or byte_length(simple) > PATH_MAX or too_long:
        raise ValueError(f"the path is empty, longer than {PATH_MAX} bytes or has a part of more than {NAME_MAX}")
    if ".." in parts or not simple:
        raise ValueError(f"{quoted(path)} must not hold .. or stand for nothing but .")
    api = ("proc", "sys") if dev_ok and release >= 257 else ("proc", "sys", "dev")
    if no_api and release >= 256 and parts and front and parts[0] in api:
        raise ValueError(f"{quoted(path)} must not lie below /proc, /sys or /dev")
    return simple


def expand_path(text: str, c: Context) -> str:
    """A text with its specifiers replaced, no longer than a path can be."""
    return expand(text, c, PATH_MAX)


def path(text: str, c: Context, **flags: t.Any) -> str:
    """A path with specifiers, simplified; flags as for ``check_path()``."""
    return check_path(expand_path(text, c), c.release, **flags)


def _unit_path(text: str, c: Context) -> None:
    text = expand_path(text, c)
    if text:
        check_path(text, c.release)


def _condition_path(text: str, c: Context) -> None:
    text = text[1:] if text[:1] == "|" else text
    path(text[1:] if text[:1] == "!" else text, c)


def _env_file(text: str, c: Context) -> None:
    text = expand_path(text, c)
    check_path(text[1:] if text[:1] == "-" else text, c.release)


def _path_words(text: str, c: Context) -> None:
    for word in each(text):
        path(word, c)


def _namespace_paths(text: str, c: Context) -> None:
    for word in each(text):
        word = word[1:] if word[:1] == "-" else word
        path(word[1:] if word[:1] == "+" else word, c)


def _colon_paths(text: str, c: Context) -> None:
    for word in words(text, unquote=False, separators=":"):
        path(word, c)


def _temporary_filesystems(text: str, c: Context) -> None:
    for word in each(text):
        path(first_word(word, ":")[0], c)


def _working_directory(text: str, c: Context) -> None:
    if text != "~":
        path(text, c)


_pid_path = fatal(lambda text, c: check_path(text, c.release, no_api=True))


def _pid_file(text: str, c: Context) -> None:
    text = expand_path(text, c)
    _pid_path(text if text[:1] == "/" else "/run/" + text, c)


def _directories(text: str, c: Context) -> None:
    for item in each(text, retain_escape=c.release >= 250):
        fields = colon_fields(item, coalesce=c.release < 257) if c.release >= 250 else [item]
        source, target, flags = [*fields, "", "", ""][:3]
        source = path(source, c, absolute=False)
        if source == "private" or source.startswith("private/"):
            raise ValueError("the directory 'private' is systemd's own")
        if target and c.name == "ConfigurationDirectory":
            raise ValueError("a configuration directory cannot have a second name")
        if target:
            path(target, c, absolute=False)
        if flags not in ("", "ro") and c.release >= 257:
            raise not_a(flags, "a flag of a directory")


def colon_fields(text: str, coalesce: bool = True) -> list[str]:
    """The fields of ``a:b:c``, C escapes and escaped colons undone."""
    fields: list[str] = []
    pieces: list[str] = []
    position = 0
    started = not coalesce
    while position < len(text):
        character = text[position]
        if character == "\\":
            decoded = (":", 1) if text[position + 1 : position + 2] == ":" else _unescape_one(text, position + 1)
            if decoded is None:
                raise ValueError(f"'{text[position : position + 2]}' is not an escape")
            pieces.append(decoded[0])
            position += 1 + decoded[1]
            started = True
        elif character == ":":
            if started:
                fields.append("".join(pieces))
            pieces, started = [], not coalesce
            position += 1
        else:
            end = position
            while end < len(text) and text[end] not in "\\:":
                end += 1
            pieces.append(text[position:end])
            position, started = end, True
    if started:
        fields.append("".join(pieces))
    return fields


# Directives whose paths must be mounted first, and the directory that their paths start from.
_WANT_MOUNTS = {
    "RuntimeDirectory": "/run/",
    "StateDirectory": "/var/lib/",
    "CacheDirectory": "/var/cache/",
    "LogsDirectory": "/var/log/",
    "ConfigurationDirectory": "/etc/",
    **dict.fromkeys(("WorkingDirectory", "RootDirectory", "RootImage", "RequiresMountsFor", "What"), ""),
    **dict.fromkeys(("PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"), ""),
    **dict.fromkeys(("ListenFIFO", "ListenSpecial", "ListenUSBFunction", "ListenMessageQueue"), ""),
}


def check_mount_names(text: str, c: Context) -> None:
    """Before systemd 251 a unit is refused when the mount unit of a path that it needs cannot have so long a name."""
    front = _WANT_MOUNTS.get(c.name)
    if front is None:
        return
    many = front or c.name == "RequiresMountsFor"
    for word in each(text) if many else [text.lstrip("-")]:
        whole = front + expand(word, c)
        parts = [part for part in whole.split("/") if part not in ("", ".")]
        plain = sum(len(re.findall("[A-Za-z0-9:_.]", part)) for part in parts)
        length = plain + 4 * (sum(map(byte_length, parts)) - plain) + len(parts) - 1
        if whole.startswith("/") and length + len(".mount") > UNIT_NAME_MAX and byte_length(whole) <= PATH_MAX:
            raise FatalError("the path is too long for the name of a mount unit, which systemd before 251 wants")


_PARTITIONS = (
    "root root-secondary usr usr-secondary home srv esp xbootldr swap root-verity root-secondary-verity usr-verity"
    " usr-secondary-verity tmp var root-other@250 usr-other@250 root-other-verity@250 usr-other-verity@250"
    " root-verity-sig@250 root-secondary-verity-sig@250 root-other-verity-sig@250 usr-verity-sig@250"
    " usr-secondary-verity-sig@250 usr-other-verity-sig@250"
)


def _bind_paths(text: str, c: Context) -> None:
    if c.release < 262:
        items = _old_bind_items(text)
    else:
        items = [colon_fields(item, coalesce=False) for item in each(text, retain_escape=True)]
    for fields in items:
        if len(fields) > 3:
            raise ValueError(f"{quoted(':'.join(fields))} has more than three parts")
        source, target, option = [*fields, "", "", ""][:3]
        source = expand(source, c, 4096)
        check_path(source[1:] if source[:1] == "-" else source, c.release)
        if len(fields) > 1:
            path(target, c)
        if option not in ("", "rbind", "norbind"):
            raise not_a(option, "an option of a bind mount")


def _old_bind_items(text: str) -> list[list[str]]:
    """Before 262 blanks and colons were separators of one kind, and only what stood between told them apart."""
    readers = [word_reader(":" + WHITESPACE, True, False, False, False, False, False)] * 2
    readers.append(word_reader(WHITESPACE, True, False, False, False, False, True))
    items = []
    position = 0
    while position >= 0:
        fields: list[str] = []
        for reader in readers:
            word, position = reader.word(text, position)
            fields.append(word or "")
            if position < 1 or text[position - 1] != ":":
                break
        items.append(fields)
    return items


def _partition(name: str, release: int) -> None:
    if release >= 253 and ("secondary" in name or "other" in name):
        raise ValueError(f"the partition {quoted(name)} is not known any more")
    one_of(name, _PARTITIONS, release)


def _root_image_options(text: str, c: Context) -> None:
    for item in each(text, retain_escape=True):
        fields = colon_fields(item)
        if len(fields) > 2:
            raise ValueError(f"{quoted(item)} has more than two parts")
        if len(fields) == 2:
            _partition(fields[0], c.release)
        if fields:
            expand(fields[-1], c)


def _images(destination: bool) -> Grammar:
    def images(text: str, c: Context) -> None:
        for item in each(text, retain_escape=True):
            fields = colon_fields(item)
            if not fields:
                continue
            source = fields[0][1:] if fields[0][:1] == "-" else fields[0]
            path(source, c, no_api=True, dev_ok=destination)
            if destination:
                if len(fields) < 2:
                    raise ValueError(f"the place to mount {quoted(item)} is missing")
                path(fields[1], c, no_api=True, dev_ok=True)
            options = fields[2 if destination else 1 :]
            for name, option in zip(options[::2], options[1::2]):
                _partition(name, c.release)
                expand(option, c)
            if len(options) % 2:
                expand(options[-1], c)

    return images


_POLICY_FLAGS = (
    "verity signed encrypted unprotected unused absent open ignore read-only-on read-only-off growfs-on growfs-off"
)


def _image_policy(text: str, c: Context) -> None:
    if text in ("-", "*", "~"):
        return
    seen = set()
    for rule in words(text, unquote=False, separators=":"):
        name, equals, flags = (part.strip(WHITESPACE) for part in rule.partition("="))
        if not equals:
            raise ValueError(f"{quoted(rule)} lacks its =")
        if name in seen:
            raise ValueError(f"the partition {quoted(name)} is named twice")
        if not name or name in known(_PARTITIONS, c.release):
            seen.add(name)
        elif c.release < 259:
            raise ValueError(f"the partition {quoted(name)} is not known")
        for flag in flags.split("+") if c.release < 259 and flags not in ("", "-") else ():
            one_of(flag.strip(WHITESPACE), _POLICY_FLAGS, c.release)


def _root_hash(text: str, c: Context) -> None:
    if text[0] != "/":
        digits = re.sub(f"[{WHITESPACE}]+", "", text)
        if not re.fullmatch("(?:[0-9a-fA-F]{2}){16,}", digits):
            raise ValueError(f"{quoted(text)} is neither a path nor at least 32 hexadecimal digits")


def _root_hash_signature(text: str, c: Context) -> None:
    if text[0] != "/":
        if not text.startswith("base64:"):
            raise ValueError(f"{quoted(text)} is neither a path nor starts with base64:")
        check_base64(text[len("base64:") :], c)


_PATH = "an absolute path, for example /etc/foo.conf"
_PATHS = "absolute paths with blanks between, for example /srv -/var/cache/foo"

GRAMMARS: Grammars = {
    "bind_paths": (empty_or(_bind_paths), "source[:destination[:rbind]], for example /srv/data:/data"),
    "colon_separated_paths": (empty_or(_colon_paths), "absolute paths with colons between, such as /opt/bin:/usr/bin"),
    "exec_directories": (_directories, "relative paths with blanks between, for example foo foo/cache"),
    "exec_root_hash": (empty_or(_root_hash), "the hash in hexadecimal digits, or an absolute path"),
    "exec_root_hash_sig": (empty_or(_root_hash_signature), "an absolute path, or base64: and the data"),
    "extension_images": (_images(destination=False), "absolute paths, for example /var/lib/foo.raw"),
    "image_policy": (empty_or(_image_policy), "partition=flags, for example root=verity+signed:swap=absent"),
    "ip_filter_bpf_progs": (empty_or(path), _PATH),
    "mount_images": (_images(destination=True), "source:destination, for example /var/lib/foo.raw:/opt/foo"),
    "namespace_path_strv": (_namespace_paths, _PATHS),
    "path_spec": (empty_or(path), _PATH),
    "pid_file": (empty_or(_pid_file), "a path below /run, for example /run/foo.pid"),
    "root_image_options": (_root_image_options, "[partition:]options, for example root:ro,nodev"),
    "temporary_filesystems": (_temporary_filesystems, "path[:options], for example /var:ro"),
    "unit_condition_path": (empty_or(_condition_path), "an absolute path, after | or ! if wanted"),
    "unit_env_file": (
        empty_or(_env_file),
        "one absolute path, after - if it may be missing, for example -/etc/default/foo",
    ),
    "unit_mounts_for": (_path_words, _PATHS),
    "unit_path_printf": (_unit_path, _PATH),
    "unit_path_strv_printf": (_path_words, _PATHS),
    "unit_requires_mounts_for": (_path_words, _PATHS),
    "working_directory": (empty_or(fatal(_working_directory)), "an absolute path or ~, for example /srv/foo"),
}

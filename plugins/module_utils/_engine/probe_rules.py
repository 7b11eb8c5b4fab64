# SPDX-License-Identifier: GPL-3.0-or-later

"""What a declared probe has to be like, so that one that nothing can ever answer is refused at once. No I/O."""

from __future__ import annotations

import re
import typing as t


def split_address(address: str) -> tuple[str, int]:
    """``host:port`` or ``[::1]:port``; a port alone, or ``:port``, means this host.

    :raises ValueError: for anything else.
    """
    host, _colon, port = str(address).rpartition(":")
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is not host:port with a port from 1 to 65535")
    return host.strip("[]") or "127.0.0.1", int(port)


def probe_problem(probe: t.Mapping[str, t.Any]) -> str:
    """Why a probe can never be answered as it is declared; empty when it can."""
    for kind, check in _PROBE_CHECKS.items():
        if probe.get(kind) is not None:
            problem = check(probe[kind])
            return f"{kind}: {problem}" if problem else _option_problem(kind, probe)
    return ""


_PROBES_WITH = {
    "send": ("tcp", "udp", "socket"),
    "expect": ("tcp", "udp", "socket", "http", "command"),
    "status": ("http",),
}


def _option_problem(kind: str, probe: t.Mapping[str, t.Any]) -> str:
    """Why an option beside the kind of the probe means nothing, or what no server answers."""
    for option, kinds in _PROBES_WITH.items():
        if probe.get(option) is not None and kind not in kinds:
            return f"{option}: a {kind} probe takes none; leave it out, or use {' or '.join(kinds)}"
    status = probe.get("status")
    if status is not None and not 100 <= status <= 599:
        return f"status: {status} is not a status of HTTP; write a number from 100 to 599"
    return ""


def _address_problem(address: str) -> str:
    try:
        split_address(address)
    except ValueError as error:
        return f"{error}; write for example 127.0.0.1:10000"
    return ""


def _url_problem(url: str) -> str:
    import urllib.parse

    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"{url!r} is not a URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or re.search(r"[\x00-\x20\x7f]", url):
        return f"{url!r} is not a URL; write for example http://127.0.0.1:8080/health"
    return ""


def _socket_problem(path: str) -> str:
    if "\0" in path or not path.startswith("/"):
        return f"{path!r} is not the absolute path of a socket"
    # sun_path of unix(7) holds 108 bytes with the NUL at its end
    return f"{path!r} is longer than the 107 bytes that a socket's path may have" if len(path.encode()) > 107 else ""


def _command_problem(argv: t.Sequence[t.Any]) -> str:
    if not argv or not str(argv[0]):
        return "the list is empty; name a program and its arguments"
    return "a word holds a NUL byte, which no argument of a program can hold" if "\0" in "".join(map(str, argv)) else ""


def _pattern_problem(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"{pattern!r} is not a regular expression: {error}"
    return ""


_PROBE_CHECKS: dict[str, t.Callable[[t.Any], str]] = {
    "tcp": _address_problem,
    "udp": _address_problem,
    "http": _url_problem,
    "socket": _socket_problem,
    "command": _command_problem,
    "log": _pattern_problem,
}
PROBE_KINDS = tuple(_PROBE_CHECKS)

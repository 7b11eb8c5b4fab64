# SPDX-License-Identifier: GPL-3.0-or-later

"""Probes: questions to a service that is up. What may be asked for is checked in ``probe_rules.py``."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import json
import socket
import sys
import time
import typing as t

from .._host.journal import number_of
from .._host.systemd import Runner, SystemdError
from .._syntax.words import shorten
from .host import Target
from .probe_rules import split_address

_PAUSE = 0.2  # seconds between two tries
_LONGEST_TRY = 5.0  # seconds
_LOG_LINES = 1000
_MAX_SHOWN = 200  # characters of an answer
_MAX_BODY = 65536  # bytes of an answer
_MATCH = """import json, re, sys
pattern, lines = json.load(sys.stdin)
sys.exit(0 if any(re.search(pattern, line) for line in lines) else 3)
"""
_NO_MATCH = 3

Probe = t.Mapping[str, t.Any]


def probe_until(
    host: Target, probe: Probe, end: float, state: t.Mapping[str, str], enough: t.Callable[[], bool] = bool
) -> str:
    """Try a probe until it is content or the time is up.

    :param end: moment of ``host.monotonic()``.
    :param state: properties of the unit as it came up.
    :param enough: says that the answer is of no use any more.
    :returns: the last complaint, or an empty text.
    """
    while True:
        left = end - host.monotonic()
        complaint = _try(host, probe, max(0.5, min(left, _LONGEST_TRY)), state)
        if not complaint or enough() or host.monotonic() + _PAUSE >= end:
            return complaint
        host.sleep(_PAUSE)


def _try(host: Target, probe: Probe, timeout: float, state: t.Mapping[str, str]) -> str:
    kind = next(name for name in _PROBES if probe.get(name) is not None)
    try:
        return _PROBES[kind](host, probe, timeout, state)
    except Exception as error:  # whatever a service answers, and whatever the network does, is an answer
        return (
            f"probe {kind} {_shown(probe[kind])}: {getattr(error, 'strerror', None) or error or type(error).__name__}"
        )


def _shown(value: t.Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _tcp(host: Target, probe: Probe, timeout: float, state: t.Mapping[str, str]) -> str:
    with socket.create_connection(split_address(probe["tcp"]), timeout) as connection:
        return _dialogue(connection, probe, "tcp", timeout)


def _udp(host: Target, probe: Probe, timeout: float, state: t.Mapping[str, str]) -> str:
    family, kind, protocol, _name, address = socket.getaddrinfo(*split_address(probe["udp"]), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as connection:
        connection.settimeout(timeout)
        connection.connect(address)
        return _dialogue(connection, {**probe, "send": probe.get("send") or ""}, "udp", min(timeout, 2.0))


def _dialogue(connection: socket.socket, probe: Probe, kind: str, timeout: float) -> str:
    """Send what is to be sent, and compare the answer with what is expected."""
    connection.settimeout(timeout)
    if probe.get("send") is not None:
        connection.send(str(probe["send"]).encode("utf-8"))
    expect = probe.get("expect")
    if expect is None and kind == "tcp":
        return ""
    try:
        answer = connection.recv(_MAX_BODY)
    except socket.timeout:
        return f"probe {kind} {probe[kind]} sent {probe.get('send')!r} and got no answer"
    return _compare(f"{kind} {probe[kind]}", answer.decode("utf-8", "replace"), expect)


def _compare(what: str, answer: str, expect: str | None) -> str:
    if expect is None or expect == answer or (expect and expect in answer):
        return ""
    return f"probe {what} answered {shorten(answer, _MAX_SHOWN)!r} instead of {expect!r}"


class _Until(io.RawIOBase):
    """What a socket receives until a moment: its own timeout is one for each piece of an answer."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        super().__init__()
        self._socket = connection
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As ``HTTPResponse`` asks a socket for it."""
        return io.BufferedReader(self)


def _http(host: Target, probe: Probe, timeout: float, state: t.Mapping[str, str]) -> str:
    try:
        status, answer = _get(probe["http"], probe.get("expect"), timeout)
    except socket.timeout:
        return f"probe http {probe['http']} gave no whole answer within {timeout:.1f} s"
    expected = probe.get("status")
    if status != expected if expected else not 200 <= status < 400:
        return f"probe http {probe['http']} answered status {status} instead of {expected or '200 to 399'}"
    return _compare(f"http {probe['http']}", answer, probe.get("expect"))


def _get(address: str, expect: str | None, timeout: float) -> tuple[int, str]:
    """Status of the first answer, also one that leads elsewhere, and of its body what *expect* asks for.

    :raises socket.timeout: when that has not come in time; an endless answer may hold it all the same.
    """
    import urllib.parse  # these two bring half of the standard library along
    from http.client import HTTPConnection, HTTPResponse, HTTPSConnection

    end = time.monotonic() + timeout
    url = urllib.parse.urlsplit(address)
    kind, port = (HTTPSConnection, 443) if url.scheme == "https" else (HTTPConnection, 80)
    with contextlib.closing(kind(url.hostname or "", url.port or port, timeout=timeout)) as connection:
        connection.request("GET", urllib.parse.urlunsplit(("", "", url.path or "/", url.query, "")))
        reply = HTTPResponse(t.cast(socket.socket, _Until(connection.sock, end)), method="GET")
        reply.begin()
        text, size, decode = "", 0, codecs.getincrementaldecoder("utf-8")("replace").decode
        while expect is not None and expect not in text and size < _MAX_BODY:
            part = reply.read1(_MAX_BODY - size)
            size += len(part)
            text += decode(part, not part)
            if not part:
                break
        return reply.status, text


def _socket(host: Target, probe: Probe, timeout: float, state: t.Mapping[str, str]) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(probe["socket"])
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:  # a datagram socket takes no connection, but it is there
                raise
            return ""
        return _dialogue(connection, probe, "socket", timeout) if probe.get("expect") is not None else ""


def _command(host: Target, probe: Probe, timeout: float, state: t.Mapping[str, str]) -> str:
    argv = [str(word) for word in probe["command"]]
    reply = host.run(argv, max(timeout, _LONGEST_TRY))
    if reply.code != 0:
        lines = (reply.err or reply.out).strip().split("\n")
        last = f": {lines[-1]}" if lines[-1] else ""
        return f"probe command {' '.join(argv)} ended with exit status {reply.code}{last}"
    return _compare(f"command {' '.join(argv)}", reply.out, probe.get("expect"))


def _log(host: Target, probe: Probe, timeout: float, state: t.Mapping[str, str]) -> str:
    started = number_of(state, "InactiveExitTimestampMonotonic")
    lines = host.log(state.get("Id", ""), started / 1e6, _LOG_LINES) if started else []
    if lines and _matches(probe["log"], lines, timeout):
        return ""
    return f"probe log: no journal line since this start matches {probe['log']!r}"


def _matches(pattern: str, lines: t.Sequence[str], timeout: float) -> bool:
    """Whether a line matches, found out in a process of its own.

    The lines are those of the program: one that is made for it keeps some expressions busy for ever, and Python does
    nothing else meanwhile.
    """
    argv = [sys.executable or "python3", "-I", "-S", "-c", _MATCH]
    data = json.dumps([pattern, list(lines)]).encode()
    try:
        ended = Runner().command(argv, timeout, as_user=False, most=_MAX_BODY, data=data)
    except SystemdError:
        ended = None
    if ended and ended.code in (0, _NO_MATCH):
        return ended.code == 0
    if ended and ended.code == 1:
        raise ValueError(ended.words().rpartition("\n")[2])
    raise ValueError(
        f"a line of the journal keeps it busy for more than {timeout:.0f} s; write it without repetitions in"
        " repetitions"
    )


_PROBES: dict[str, t.Callable[[Target, Probe, float, t.Mapping[str, str]], str]] = {
    "tcp": _tcp,
    "udp": _udp,
    "http": _http,
    "socket": _socket,
    "command": _command,
    "log": _log,
}

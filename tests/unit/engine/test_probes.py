# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probes: what is wrong with a declared one (cases/probes.yml), and what a service that answers strangely comes to."""

from __future__ import annotations

import contextlib
import socket
import threading
from unittest import mock

import case_files
import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import probes
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.probe_rules import probe_problem
from engine.simulated import SimulatedHost

CASES = case_files.load("engine/probes")


@pytest.mark.parametrize("case", [case for case in CASES if case.values[0]["problem"]])
def test_refused(case):
    assert case["problem"] in probe_problem(case["probe"])


@pytest.mark.parametrize("case", [case for case in CASES if not case.values[0]["problem"]])
def test_accepted(case):
    assert probe_problem(case["probe"]) == ""


@contextlib.contextmanager
def server(answer):
    """A TCP server that gives one answer to every connection; yields its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listening.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)


def ask(probe, seconds=60.0):
    """What one try comes to that may take so long."""
    host = SimulatedHost()
    with mock.patch.object(probes, "_LONGEST_TRY", seconds):
        return probes.probe_until(host, probe, host.monotonic() + seconds, {}, enough=lambda: True)


ANSWERS = {
    "garbage": (b"\x00\xff garbage\r\n\r\n", "probe http http://127.0.0.1"),
    "nothing": (b"", "probe http http://127.0.0.1"),
    "an error": (b"HTTP/1.0 500 x\r\n\r\n", "answered status 500 instead of 200 to 399"),
    "a redirection to nowhere": (b"HTTP/1.0 302 x\r\nLocation: http://nowhere.invalid/\r\n\r\n", ""),
    "success": (b"HTTP/1.0 200 x\r\n\r\nhello", ""),
}


@pytest.mark.parametrize(("answer", "complaint"), ANSWERS.values(), ids=ANSWERS)
def test_http(answer, complaint):
    with server(answer) as port:
        found = ask({"http": f"http://127.0.0.1:{port}/"})
    assert complaint in found if complaint else found == ""


def test_http_compares_the_body():
    with server(b"HTTP/1.0 200 x\r\n\r\nhello") as port:
        assert "answered 'hello' instead of 'bye'" in ask({"http": f"http://127.0.0.1:{port}/", "expect": "bye"})


def test_tcp_compares_the_answer():
    with server(b"hello") as port:
        assert ask({"tcp": f"127.0.0.1:{port}", "send": "x", "expect": "hello"}) == ""


def test_nobody_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert "refused" in ask({"tcp": f"127.0.0.1:{bound.getsockname()[1]}"})


def test_a_name_that_cannot_be_resolved():
    assert ask({"tcp": "no such host:80"}).startswith("probe tcp no such host:80: ")


def test_a_path_that_is_not_there():
    assert ask({"socket": "/nonexistent/socket"}) == "probe socket /nonexistent/socket: No such file or directory"


@contextlib.contextmanager
def endless_server(head, piece):
    """A server that sends a head, and then the same piece again and again for a minute; yields its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve():
        with contextlib.suppress(OSError):
            connection, _address = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(head)
                for _piece in range(6000):
                    connection.sendall(piece)
                    if done.wait(0.01):
                        break

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        done.set()
        listening.close()


EVENTS = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b"data: x\n\n")
CHUNKS = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")
ENDLESS = {
    "an event that never comes": (EVENTS, "data: y"),
    "a head that never ends": ((b"HTTP/1.1 200 OK\r\nX: ", b"x"), None),
    "chunks": (CHUNKS, "y"),
}


@pytest.mark.parametrize("expect", [None, "data: x"], ids=["status", "an event"])
def test_enough_of_an_answer_without_end(expect):
    with endless_server(*EVENTS) as port:
        assert ask({"http": f"http://127.0.0.1:{port}/", "expect": expect}) == ""


@pytest.mark.parametrize(("server", "expect"), ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end(server, expect):
    """Attack 9: the timeout of a socket begins anew with each piece."""
    with endless_server(*server) as port:
        found = ask({"http": f"http://127.0.0.1:{port}/", "expect": expect}, seconds=0.5)
    assert "gave no whole answer within 0.5 s" in found

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ROT13 servers of role rot13, as real processes over loopback UDP.

Needs php-cli with the extension sockets, and strace: without them tests fail and are not skipped.
"""

from __future__ import annotations

import codecs
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[3] / "roles" / "rot13" / "files"
LANGUAGES = {
    "python": [sys.executable, str(PROGRAMS / "rot13.py")],
    "php": ["php", str(PROGRAMS / "rot13.php")],
}
PATIENCE_SECONDS = 60
BIG = bytes(number % 256 for number in range(65507))  # the largest UDP payload of IPv4


def rot13(data):
    """The expected reply: ROT13 of the ASCII letters, every other byte as it is."""
    return codecs.encode(data.decode("latin-1"), "rot13").encode("latin-1")


def free_port():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::", 0))
        return probe.getsockname()[1]


class Server:
    """A running server; ``line`` is what it printed when it had bound its socket."""

    def __init__(self, command, *arguments, wrapper=(), environment=None):
        self.port = free_port()
        self.process = subprocess.Popen(
            [*wrapper, *command, *(arguments or ("--port", str(self.port)))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.line = self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self.process.kill()
        self.process.communicate()

    def client(self, address="127.0.0.1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.settimeout(PATIENCE_SECONDS)
        client.connect((address, self.port))
        return client

    def ask(self, data, address="127.0.0.1"):
        with self.client(address) as client:
            client.send(data)
            return client.recv(70000)


@pytest.fixture(scope="session")
def php_extensions():
    assert shutil.which("php"), "install php-cli, or run `tests/run unit`, which does"
    return subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(params=LANGUAGES)
def command(request):
    if request.param == "php":
        assert "sockets" in request.getfixturevalue("php_extensions"), (
            "this PHP lacks the extension sockets: install it"
        )
    return LANGUAGES[request.param]


@pytest.fixture
def server(command):
    with Server(command) as running:
        yield running


def test_says_where_it_listens(server):
    assert server.line == f"rot13: listening on [::]:{server.port} (UDP)\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("data", [b"Hello, world!", b"", bytes(range(256)), BIG], ids=["text", "empty", "bytes", "big"])
def test_answers(server, address, data):
    assert server.ask(data, address) == rot13(data)


def test_answers_the_largest_datagram_of_ipv6(server):
    data = b"Nn" * 32763 + b"\n"
    assert len(data) == 65527
    assert server.ask(data, "::1") == rot13(data)


def test_answers_many_clients_each_its_own(server):
    clients = [server.client("::1" if number % 2 else "127.0.0.1") for number in range(100)]
    for number, client in enumerate(clients):
        client.send(b"client %d" % number)
    for number, client in enumerate(clients):
        assert client.recv(100) == b"pyvrag %d" % number
        client.close()


def test_survives_clients_that_left(server):
    for _unused in range(50):
        with server.client() as client:
            client.send(b"no one waits for this")
    assert server.ask(b"still there?") == b"fgvyy gurer?"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_ends_cleanly_on_a_signal(command, number, busy):
    with Server(command) as server, server.client() as client:
        if busy:
            for _unused in range(200):
                client.send(b"x" * 1000)
        else:
            server.ask(b"x")
        server.process.send_signal(number)
        # A server that waits for the next datagram instead would never end.
        _out, errors = server.process.communicate(timeout=PATIENCE_SECONDS)
        assert (server.process.returncode, errors) == (0, "")


def test_is_not_disturbed_by_stop_and_continue(server):
    server.process.send_signal(signal.SIGSTOP)
    with server.client() as client:
        client.send(b"asleep")
        server.process.send_signal(signal.SIGCONT)
        assert client.recv(100) == b"nfyrrc"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "0"], "'0' is not a port number from 1 to 65535"),
        (["--port", "65536"], "'65536' is not a port number from 1 to 65535"),
        (["--port=ten"], "'ten' is not a port number"),
        (["--port", "-1"], "port"),
        (["--port"], "--port"),
        (["--address", "localhost"], "'localhost' is not an IP address"),
        (["--address", "1.2.3"], "'1.2.3' is not an IP address"),
        (["--bogus", "1"], "--bogus"),
        (["10000"], "10000"),
    ],
)
def test_refuses_bad_arguments(command, arguments, message):
    ended = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("address", ["*", "127.0.0.1", "::1"])
def test_says_that_the_port_is_taken(command, server, address):
    arguments = ["--address", address, "--port", str(server.port)]
    ended = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert ended.returncode == 1
    assert f"port {server.port}: Address already in use" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(("address", "other"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_listens_on_the_given_address_only(command, address, other):
    port = free_port()
    with Server(command, "--address", address, "--port", str(port)) as server:
        server.port = port
        assert address in server.line
        assert server.ask(b"here", address) == b"urer"
        with pytest.raises(ConnectionRefusedError):
            server.ask(b"here", other)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_tells_systemd_when_it_is_ready_and_when_it_stops(command, tmp_path, abstract):
    name = f"@rot13-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(name.replace("@", "\0") if abstract else name)
        channel.settimeout(PATIENCE_SECONDS)
        with Server(command, environment={"NOTIFY_SOCKET": name}) as server:
            assert channel.recv(1000).decode() == f"READY=1\nSTATUS=Listening on [::]:{server.port}"
            server.process.terminate()
            assert channel.recv(1000) == b"STOPPING=1"
            assert server.process.wait(timeout=PATIENCE_SECONDS) == 0


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("receive", "ECONNREFUSED"),
        ("receive", "EINTR"),
        ("receive", "EAGAIN"),
        ("receive", "ENOMEM"),
        ("send", "EPERM"),
        ("send", "ENOBUFS"),
        ("send", "EAGAIN"),
        ("send", "EHOSTUNREACH"),
    ],
)
def test_survives_errors_that_pass(command, call, error):
    assert shutil.which("strace"), "install strace, or run `tests/run unit`, which does"
    calls = {"receive": "recvfrom,recvmsg", "send": "sendto,sendmsg"}[call]
    injector = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={calls}:error={error}:when=1..3"]
    with Server(command, wrapper=injector) as server, server.client() as client:
        client.settimeout(0.3)
        answers = []
        for _unused in range(10):
            client.send(b"again")
            try:
                answers.append(client.recv(100))
            except TimeoutError:
                continue
        assert b"ntnva" in answers


# --- forged sources ---------------------------------------------------------------------------------------------------

# The answer to an ordinary client proves that the server has dealt with the datagram before it: nothing is waited for.
FROM_PORT = """
import socket, sys
address, own_port, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with socket.socket(type=socket.SOCK_DGRAM) as strange, socket.socket(type=socket.SOCK_DGRAM) as ordinary:
    strange.bind((address, own_port))
    strange.sendto(b"strange", ("127.0.0.1", port))
    ordinary.settimeout(30)
    ordinary.sendto(b"ordinary", ("127.0.0.1", port))
    assert ordinary.recv(100) == b"beqvanel"
    strange.setblocking(False)
    try:
        print(strange.recv(100).decode())
    except BlockingIOError:
        print("nothing")
"""


def answer_to_port(server, own_port, as_root=False):
    """What a client at this port of 127.0.0.2 is answered: ``nothing``, or the text."""
    root = ["sudo", "--non-interactive"] if as_root and os.geteuid() else []
    command = [*root, sys.executable, "-c", FROM_PORT, "127.0.0.2", str(own_port), str(server.port)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_does_not_answer_a_server_at_a_port_of_services(server):
    assert answer_to_port(server, 1023, as_root=True) == "nothing"


def test_answers_a_client_at_the_first_other_port(server):
    assert answer_to_port(server, 1024) == "fgenatr"


def test_does_not_answer_a_server_at_the_same_port(command):
    port = free_port()
    with Server(command, "--address", "127.0.0.1", "--port", str(port)) as server:
        server.port = port
        assert answer_to_port(server, port) == "nothing"


@pytest.mark.parametrize(("address", "other"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_a_loop_with_one_source_ends_and_others_are_answered(server, address, other):
    """As another server would, whose address somebody has forged: sends every answer back."""
    deadline = time.monotonic() + 120
    with server.client(address) as loop:
        loop.send(b"x")
        while True:
            try:
                data = loop.recv(100)
            except TimeoutError:
                break
            # On a busy machine an answer may come later: the loop then counts as ended too early, which does no harm.
            loop.settimeout(5)
            assert time.monotonic() < deadline, "the loop does not end"
            loop.send(data)
    assert server.ask(b"hello", other) == b"uryyb"

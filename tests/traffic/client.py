# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In the container: asks at a steady rate, and counts every request without a right answer within a minute.

It ends as ``live.watching`` says, and writes ``{seconds, asked, lost, examples, versions}``. On a machine that is busy
it asks less often, rather than have more than ``MOST`` connections open.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import socket
import time

KINDS, PORT, RATE = "@KINDS@", int("@PORT@"), float("@RATE@")  # requests a second of each kind
ADDRESS = ("127.0.0.1", PORT)
PATIENCE = 60.0
MOST = 3000
SO_RCVBUFFORCE = 33  # socket(7): beyond net.core.rmem_max, since all answers may come at once
PLACE = "/run/t-watch"


class Request:
    """One request by HTTP or TCP."""

    def __init__(self, kind: str, number: int, connection: socket.socket) -> None:
        self.kind, self.number, self.connection = kind, number, connection
        http = f"GET /{number} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
        self.unsent = (http if kind == "http" else str(number)).encode()
        self.answer = b""


class Client:
    def __init__(self) -> None:
        self.asked, self.lost, self.examples, self.versions = 0, 0, [], []
        self.begun = time.monotonic()
        self.selector = selectors.DefaultSelector()
        self.waiting: dict[tuple[str, int], tuple[float, Request | None]] = {}  # in the order of their beginnings
        self.connections = 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.udp.setblocking(False)
        self.selector.register(self.udp, selectors.EVENT_READ)

    def ask(self, kind: str, number: int) -> None:
        self.asked += 1
        request = None
        if kind == "udp":
            self.udp.sendto(str(number).encode(), ADDRESS)
        else:
            request = Request(kind, number, socket.socket())
            self.connections += 1
            request.connection.setblocking(False)
            request.connection.connect_ex(ADDRESS)
            self.selector.register(request.connection, selectors.EVENT_WRITE, request)
        self.waiting[kind, number] = time.monotonic(), request

    def go_on(self, request: Request) -> None:
        """Do what a connection is ready for."""
        try:
            if request.unsent:
                request.unsent = request.unsent[request.connection.send(request.unsent) :]
                self.selector.modify(request.connection, selectors.EVENT_READ, request)
                return
            data = request.connection.recv(4096)
            request.answer += data
            if not data:
                self.end(request.kind, request.number, request.answer.decode())
        except OSError as error:
            self.end(request.kind, request.number, repr(error))

    def receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                answer = self.udp.recv(64).decode()
                self.end("udp", int(answer.split()[0]), answer)

    def end(self, kind: str, number: int, answer: str) -> None:
        """Count a request as answered or lost."""
        asked_at, request = self.waiting.pop((kind, number), (0.0, None))
        if request is not None:
            self.selector.unregister(request.connection)
            request.connection.close()
            self.connections -= 1
        head, _blank, body = answer.rpartition("\r\n\r\n")
        words = body.split()
        if words[:1] == [str(number)] and (" 200 " in head) == (kind == "http"):
            self.versions += [words[1]] if words[1] not in self.versions else []
            return
        self.lost += 1
        if len(self.examples) < 20:
            after = f"asked after {asked_at - self.begun:.2f} s, lost after {time.monotonic() - self.begun:.2f} s"
            self.examples.append(f"{kind} {number}, {after}: {answer[:80]!r}")

    def write(self, seconds: float) -> None:
        found = {"seconds": seconds, "asked": self.asked, "lost": self.lost}
        with open(f"{PLACE}.new", "w") as stream:
            json.dump({**found, "examples": self.examples, "versions": self.versions}, stream)
        os.rename(f"{PLACE}.new", PLACE)

    def turn(self) -> None:
        """Do what is ready, and give up what has waited too long."""
        for key, _events in self.selector.select(0.002):
            if key.data is None:
                self.receive()
            else:
                self.go_on(key.data)
        latest = time.monotonic() - PATIENCE
        while self.waiting and next(iter(self.waiting.values()))[0] < latest:
            self.end(*next(iter(self.waiting)), "no answer")

    def run(self) -> None:
        number, seconds = 0, 0.0
        while not os.path.exists("/run/t-stop"):
            seconds = time.monotonic() - self.begun
            for _due in range(min(int(seconds * RATE) - number, MOST - self.connections)):
                number += 1
                for kind in KINDS.split():
                    self.ask(kind, number)
            if number and not os.path.exists(PLACE):
                self.write(seconds)  # it has begun
            self.turn()
        while self.waiting:
            self.turn()
        self.write(seconds)


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.nice(-10)
    Client().run()

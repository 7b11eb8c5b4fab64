# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In the container: a server of one version, which answers each request with its number and the version.

It speaks HTTP, TCP and UDP. Its sockets come from systemd, or it opens the port of its argument. On SIGTERM it finishes
the request at hand.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys

VERSION, SICKNESS = "@VERSION@", "@SICK@"


def answer(request: bytes) -> bytes:
    words = request.decode().split()
    if words[:1] != ["GET"]:
        return f"{words[0]} {VERSION}".encode()
    body = f"{words[1].strip('/')} {VERSION}"
    status = "500 Internal Server Error" if SICKNESS == "it answers with errors" else "200 OK"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def sockets() -> tuple[socket.socket, socket.socket]:
    if "LISTEN_FDS" in os.environ:
        return socket.socket(fileno=3), socket.socket(fileno=4)
    address = ("127.0.0.1", int(sys.argv[1]))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(address)
    return socket.create_server(address, backlog=4096), udp


def serve(ended: list[int]) -> None:
    tcp, udp = sockets()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    while not ended:
        for ready in select.select([tcp, udp], [], [], 0.05)[0]:
            if ready is udp:
                request, client = udp.recvfrom(64)
                udp.sendto(answer(request), client)
                continue
            with tcp.accept()[0] as connection, contextlib.suppress(OSError):  # the client went away
                connection.settimeout(10)
                connection.sendall(answer(connection.recv(4096)))


def main() -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    if SICKNESS == "it does not start":
        sys.exit("no such database")
    while SICKNESS == "it never gets ready" and not ended:
        signal.pause()
    serve(ended)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In the container: what an instance says to HAProxy. ``check PORT``, ``ready PORT`` or ``drain PORT``.

``check`` fails unless the instance answers; ``ready`` does that, and then has HAProxy send it requests; ``drain`` ends
that, and waits until it has answered those it has.
"""

from __future__ import annotations

import socket
import sys
import time
import urllib.request

ADMIN = "/run/t-haproxy.sock"


def admin(command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(ADMIN)
        connection.sendall(f"{command}\n".encode())
        return connection.makefile().read()


def requests_of(server: str) -> int:
    """How many requests a server has, as ``show servers conn`` tells in its column used_cur."""
    lines = [line.split() for line in admin("show servers conn web").splitlines()]
    return next(int(words[6]) for words in lines if words[:1] == [f"web/{server}"])


def main() -> None:
    word, port = sys.argv[1:]
    if word == "drain":
        admin(f"set server web/{port} state drain")
        while requests_of(port):
            time.sleep(0.01)
        return
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/0", timeout=30):  # raises for every status but 200
        pass
    if word == "ready":
        admin(f"set server web/{port} state ready")


if __name__ == "__main__":
    main()

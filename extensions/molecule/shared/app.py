# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what it was given into its state directory, tells systemd that it is ready, and waits.

Runs on the hosts, Python 3.9.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

credentials = os.environ.get("CREDENTIALS_DIRECTORY")
given = {
    "arguments": sys.argv[1:],
    "environment": dict(os.environ),
    "credentials": {path.name: path.read_text() for path in Path(credentials).iterdir()} if credentials else {},
    "directory": os.getcwd(),
    "identity": [os.getuid(), os.getgid()],
    "groups": os.getgroups(),
    "instance": os.environ.get("INSTANCE"),
}
Path(os.environ["STATE_DIRECTORY"], "given.json").write_text(json.dumps(given))
if "NOTIFY_SOCKET" in os.environ:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
if "--once" not in sys.argv:
    signal.pause()

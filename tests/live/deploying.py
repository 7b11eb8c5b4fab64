# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys units with their files in a container: the module as the action plugin calls it, and a service to deploy."""

from __future__ import annotations

import base64
import json
import types
import typing as t

from ansible_collections.unitcraft.systemd.plugins.plugin_utils._find import Finder, Source

PAYLOAD = "/run/t-payload"

# Answers each connection with its version, its configuration and its secret.
PROGRAM = """\
#!/usr/bin/python3
import os, signal, socket, sys
VERSION = "@VERSION@"
@FAULT@
conf = open("/etc/t-echo/conf").read().strip()
if conf == "only fails at run time":
    sys.exit("the configuration is wrong")
server = socket.socket(socket.AF_INET6)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("::1", 7777))
server.listen()
if os.environ.get("NOTIFY_SOCKET"):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    connection = server.accept()[0]
    connection.sendall(f"{VERSION} {conf} {os.environ['SECRET']}\\n".encode())
    connection.close()
"""


def program(version: str, fault: str = "") -> str:
    return PROGRAM.replace("@VERSION@", version).replace("@FAULT@", fault)


def echo(version: str, fault: str = "", **more: t.Any) -> dict[str, t.Any]:
    """A service of one version, in program, configuration, secret and unit."""
    probe = {"command": ["sh", "-c", ASK], "expect": f"{version} configuration {version}"}
    files = {
        "program": {"path": "/opt/t-echo/echo.py", "content": program(version, fault), "mode": "0755"},
        "conf": {
            "path": "/etc/t-echo/conf",
            "content": f"configuration {version}\n",
            "validate": ["grep", "-q", "o", "%s"],
        },
        "secret": {"path": "/etc/t-echo/secret", "secret": f"SECRET=secret{version}\n"},
        "link": {"path": "/opt/t-echo/current", "link": f"releases/{version}"},
        "folder": {"path": "/var/lib/t-echo", "directory": True, "mode": "0750"},
    }
    for name, changed in more.pop("files", {}).items():
        files[name] = {**files.get(name, {}), **changed}
    return {
        "name": "t-echo.service",
        "sections": {
            "Unit": {"Description": f"Version {version}"},
            "Service": {
                "Type": "notify",
                "ExecStart": [["/opt/t-echo/echo.py"]],
                "EnvironmentFile": "/etc/t-echo/secret",
                "WorkingDirectory": "/var/lib/t-echo",
            },
        },
        "state": "started",
        "health": {"timeout": 30, "stable": 0, "probes": [probe]},
        "files": list(files.values()),
        **more,
    }


ASK = "python3 -c \"import socket; print(socket.create_connection(('::1', 7777), 5).makefile().read().strip())\""
# Everything that belongs to the service, with bytes, owners, modes and links.
LIST = (
    "find /opt/t-* /etc/t-* /var/lib/t-* /etc/systemd/system/t-* -printf '%p %y %m %U:%G %l ' -type f"
    " -exec sha256sum {} \\; -o -printf '%p %y %m %U:%G %l\\n' 2>/dev/null | sort; true"
)


def deploy(target: t.Any, units: list[dict[str, t.Any]], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """What ``units`` returns, called as its action plugin calls it; ``calls`` tells how often that was."""
    with Finder(types.SimpleNamespace(_loader=None), {}) as finder:
        files = [finder.entries(f"units[{n}].", unit.get("files") or []) for n, unit in enumerate(units)]
        items = [{**unit, "files": []} if "files" in unit else dict(unit) for unit in units]
        accounts = [item.pop("_account") for item in items if "_account" in item]
        sent = {"files": files, "secret_digests": finder.secret_digests, "accounts": accounts}
        result = target.module("units", check, units=items, _sent={**sent, "call": "try"}, **options)
        if "_needs" not in result:
            return {**result, "calls": 1}
        sources = [finder.sources[number] for number in result["_needs"]]
        ended = target.run(["sh", "-c", f"umask 077; base64 -d > {PAYLOAD}"], payload_of(sources))
        assert ended.code == 0, ended.err
        done = target.module("units", check, units=items, _sent={**sent, "payload": PAYLOAD}, **options)
        return {**done, "calls": 2}


def payload_of(sources: t.Iterable[Source]) -> str:
    """What the controller would send, for ``base64 -d``."""
    sources = [source for source in sources if source.digest]
    index = json.dumps([[source.digest, source.size] for source in sources]).encode() + b"\n"
    return base64.b64encode(index + b"".join(source.data for source in sources)).decode()

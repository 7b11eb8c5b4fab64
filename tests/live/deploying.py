# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys units with their files in a container: the module as the action plugin calls it, and a service to deploy."""

from __future__ import annotations

import base64
import json
import pathlib
import tempfile
import types
import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._find import Finder, Source
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._release import ReleaseSource
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._send import release_of

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


def controller() -> types.SimpleNamespace:
    """What ``Finder`` needs of an action plugin. Paths of files and templates are absolute."""
    loader = DataLoader()
    return types.SimpleNamespace(
        _task=Task(),
        _connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
        _play_context=None,
        _loader=loader,
        _templar=Templar(loader),
        _find_needle=lambda _folder, path: path,
    )


def send(
    target: t.Any,
    units: list[dict[str, t.Any]],
    check: bool = False,
    call: str = "try",
    variables: dict[str, t.Any] | None = None,
    **options: t.Any,
) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Call ``units`` for the first time, as its action plugin does, and send what it lacks.

    :param variables: of the templates.
    :returns: the result, and the arguments of the second call; none when no second one is needed.
    """
    with Finder(controller(), variables or {}) as finder:
        items = [dict(unit) for unit in units]
        sent = {
            "accounts": [item.pop("_account") for item in items if "_account" in item],
            "files": [finder.entries(f"units[{n}].", unit.get("files") or []) for n, unit in enumerate(units)],
            "releases": [finder.release(f"units[{n}].", release_of(unit)) for n, unit in enumerate(units)],
            "secret_digests": finder.secret_digests,
        }
        for item in items:
            if "files" in item:
                item["files"] = []
        result = target.module("units", check, units=items, _sent={**sent, "call": call}, **options)
        if "_needs" not in result:
            return result, {}
        sources = [finder.sources[number] for number in result["_needs"]]
        if sources:
            sent["payload"] = _put(target, PAYLOAD, payload_of(sources))
        archives = result["_needs_archives"]
        sent["archives"] = {digest: _put_archive(target, finder.releases[digest]) for digest in archives}
        return result, {"units": items, "_sent": sent, **options}


def deploy(target: t.Any, units: list[dict[str, t.Any]], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """What ``units`` returns; ``calls`` and ``archives`` tell how often it was called, and how many were sent.

    :param options: those of ``units`` and of ``send``.
    """
    result, arguments = send(target, units, check, **options)
    if not arguments:
        return {**result, "calls": 1, "archives": 0}
    done = target.module("units", check, **arguments)
    recovered = {"recovered": result["recovered"]} if "recovered" in result else {}
    return {**recovered, **done, "calls": 2, "archives": len(arguments["_sent"]["archives"])}


def payload_of(sources: t.Iterable[Source]) -> str:
    """What the controller would send, for ``base64 -d``."""
    sources = [source for source in sources if source.digest]
    index = json.dumps([[source.digest, source.size] for source in sources]).encode() + b"\n"
    return base64.b64encode(index + b"".join(source.data for source in sources)).decode()


def _put_archive(target: t.Any, source: ReleaseSource) -> str:
    with source.packed(tempfile.gettempdir()) as path:
        data = base64.b64encode(pathlib.Path(path).read_bytes()).decode()
    return _put(target, f"{PAYLOAD}-{source.digest}", data)


def _put(target: t.Any, path: str, data: str) -> str:
    ended = target.run(["sh", "-c", f"umask 077; base64 -d > {path}"], data)
    assert ended.code == 0, ended.err
    return path


def killed(target: t.Any, unit: dict[str, t.Any]) -> None:
    """Run the module, which is killed by what it runs."""
    arguments = send(target, [unit], call="ask")[1]
    ended = target.run(target.command("units"), json.dumps({**arguments, "_ansible_version": "2.21"}))
    assert ended.out == ""

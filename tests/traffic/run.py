#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests while new versions are deployed, some of them sick: how many are lost.

Three ways, one after the other: eight instances behind HAProxy that restart in turn (``rolling``); a service to which
systemd hands its TCP and UDP sockets (``socket``); one of two instances behind HAProxy (``swap``). Beside each, what
``ansible.builtin.systemd_service: state=restarted`` does with the same versions, in the place of their program.

Run inside the sandbox:  tests/lab/sandbox.py run -- tests/traffic/run.py [--count 50] [--rate 500] [RELEASE...]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import typing as t
from pathlib import Path

import ansible.modules

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _services
from lab import containers
from live.deploying import deploy as send_and_deploy
from live.target import LIBRARY, START, Target
from live.watching import put_program, watching

PORTS = [str(8101 + number) for number in range(8)]
FRONT = 8080  # where HAProxy listens
DIRECT = 7900  # where systemd does
MAPS = "/etc/haproxy/t-"
HAPROXY = """\
global
    stats socket /run/t-haproxy.sock level admin expose-fd listeners
defaults
    mode http
    option redispatch
    timeout connect 60s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:8080
"""
RESTARTED = """\
[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
TimeoutStartSec=5
ExecStart=/usr/bin/python3 /opt/t-w/server.py %i
"""
START_FAILS, WRONG, NEVER_READY = "it does not start", "it answers with errors", "it never gets ready"


def instances(program: str, hooks: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Instances that are called by their ports."""
    service = {"Type": "notify", "ExecStart": f"/usr/bin/python3 {program} %i"}
    balance = {key: f"/usr/bin/python3 /opt/t-w/balance.py {word} %i" for key, word in hooks.items()}
    sections = {"Unit": {"StartLimitIntervalSec": 0}, "Service": {**service, **balance}}
    return {"name": "t-w@.service", "sections": sections, "state": "started", "health": {"timeout": 120}}


class Rolling:
    """Eight instances, each of which leaves HAProxy before it stops, and comes back when it answers."""

    name = "rolling"
    kinds, port, sick = "http", FRONT, (START_FAILS, WRONG)
    restarted = tuple(f"t-w@{port}.service" for port in PORTS)

    @staticmethod
    def balancer(is_ready: bool) -> str:
        servers = "".join(f"    server {port} 127.0.0.1:{port}{' disabled' * (not is_ready)}\n" for port in PORTS)
        return f"    default_backend web\nbackend web\n{servers}"

    @staticmethod
    def deploy(target: Target, program: str) -> dict[str, t.Any]:
        unit = instances(program, {"ExecStartPost": "ready", "ExecStop": "drain"})
        return target.units([{**unit, "instances": PORTS}], rolling={})


class Swap:
    """Two instances, and a map that tells HAProxy which one serves."""

    name = "swap"
    kinds, port, sick = "http", FRONT, (START_FAILS, WRONG)
    restarted = (f"t-w@{PORTS[0]}.service",)

    @staticmethod
    def balancer(is_ready: bool) -> str:
        backends = "".join(f"backend {port}\n    server web 127.0.0.1:{port}\n" for port in PORTS[:2])
        which = PORTS[0] if is_ready else f"%[str(live),map({MAPS}live)]"
        return f"    use_backend {which}\n{backends}"

    @staticmethod
    def deploy(target: Target, program: str) -> dict[str, t.Any]:
        for port in PORTS[:2]:
            target.write(f"{MAPS}{port}", f"live {port}\n")
        reload = ["systemctl", "reload-or-restart", "haproxy.service"]
        swap = {"link": f"{MAPS}live", "target": f"{MAPS}%i", "command": reload, "drain": 2}
        return target.units([{**instances(program, {"ExecStartPost": "check"}), "instances": PORTS[:2], "swap": swap}])


class Socket:
    """One service, whose sockets systemd holds while it restarts."""

    name = "socket"
    kinds, port, sick = "tcp udp", DIRECT, (START_FAILS, NEVER_READY)
    restarted = (f"t-w@{DIRECT}.service",)

    @staticmethod
    def balancer(is_ready: bool) -> str:
        return ""

    @staticmethod
    def deploy(target: Target, program: str) -> dict[str, t.Any]:
        address = f"127.0.0.1:{DIRECT}"
        # What comes during a restart waits there; the default holds some 250 datagrams.
        options = {"listen": address, "ListenDatagram": address, "ReceiveBuffer": "16M"}
        service = {
            "command": ["/usr/bin/python3", program],
            "type": "notify",
            "socket": options,
            "health": {"timeout": 10},
        }
        return send_and_deploy(target, _services.apply({"t-web": service}, 257)["units"], set_name="t", prune=True)


class Contradiction(Exception):
    """A deployment did not end as it has to."""


def versions_of(count: int, sick: t.Sequence[str], seed: str) -> list[str]:
    """The sicknesses of so many versions, three of ten; empty for those that are well."""
    kinds = [sick[number % len(sick)] for number in range(-(-count * 3 // 10))]
    kinds += [""] * (count - len(kinds))
    random.Random(seed).shuffle(kinds)
    return kinds


def deployed(target: Target, way: t.Any, number: int, sickness: str) -> None:
    """Deploy one version by the collection."""
    program = put_program(target, (HERE / "server.py").read_text(), str(number), sickness)
    result = way.deploy(target, program)
    if bool(result.get("failed")) != bool(sickness) or result.get("rolled_back") is False:
        raise Contradiction(f"{way.name}: version {number}, {sickness or 'which is well'}: {result}")


def restarted(target: Target, way: t.Any, number: int, sickness: str) -> None:
    """Put the program of one version in its place, and have Ansible's own module restart each unit."""
    program = put_program(target, (HERE / "server.py").read_text(), str(number), sickness)
    target.sh(f"cp {program} /opt/t-w/server.py")
    for unit in way.restarted:
        data = json.dumps({"name": unit, "state": "restarted"})
        ended = target.run(target.command("systemd_service"), data)
        failed = bool(target.result(ended).get("failed"))
        if failed != (sickness in (START_FAILS, NEVER_READY)):
            raise Contradiction(f"{unit}: version {number}, {sickness or 'which is well'}: {ended}")


def watched(
    target: Target, way: t.Any, deploy: t.Callable[..., None], sicknesses: t.Sequence[str], rate: float
) -> dict[str, t.Any]:
    """What a client saw while versions were deployed one after the other."""
    target.write("/opt/t-w/balance.py", (HERE / "balance.py").read_text())
    target.write("/etc/haproxy/haproxy.cfg", HAPROXY + way.balancer(deploy is restarted))
    target.sh("systemctl restart haproxy", check=False)  # without the map that the first swap makes it does not start
    deploy(target, way, 0, "")
    values = {"@KINDS@": way.kinds, "@PORT@": str(way.port), "@RATE@": str(rate)}
    client = (HERE / "client.py").read_text()
    for name, value in values.items():
        client = client.replace(name, value)
    with watching(target, client) as seen:
        for number, sickness in enumerate(sicknesses, 1):
            deploy(target, way, number, sickness)
        found = seen()
    target.sh("systemctl stop 't-*' haproxy; rm -rf /etc/systemd/system/t-*; systemctl daemon-reload", check=False)
    return found


def compare(target: Target, way: t.Any, options: argparse.Namespace) -> bool:
    """Print the losses of one way, and of restarts; whether the way lost none."""
    sicknesses = versions_of(options.count, way.sick, options.seed)
    sick = sum(map(bool, sicknesses))
    ours = watched(target, way, deployed, sicknesses, options.rate)
    target.write("/etc/systemd/system/t-w@.service", RESTARTED)
    target.sh("systemctl daemon-reload")
    theirs = watched(target, way, restarted, sicknesses, options.rate)
    for name, found in ((way.name, ours), ("systemd_service: restarted", theirs)):
        pace = found["asked"] / found["seconds"]
        print(
            f"  {name}: {len(sicknesses)} deployments, {sick} sick; {found['asked']} requests, {pace:.0f} a second;"
            f" {found['lost']} lost",
            flush=True,
        )
    for example in ours["examples"]:
        print(f"    {example}", flush=True)
    return not ours["lost"]


WAYS = {way.name: way for way in (Rolling, Socket, Swap)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", default=["257"], metavar="RELEASE")
    parser.add_argument("--count", type=int, default=50, help="deployments for each way")
    parser.add_argument("--rate", type=float, default=500, help="requests a second")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=list(WAYS))
    options = parser.parse_args()
    is_well = True
    for release in options.releases:
        print(f"systemd {release}", flush=True)
        name = containers.start(release, f"traffic{release}")
        target = Target(name)
        source = Path(ansible.modules.__path__[0], "systemd_service.py").read_text(encoding="utf-8")
        target.write(f"{LIBRARY}/ansible/modules/systemd_service.py", source)
        target.write(f"{LIBRARY}/run_systemd_service.py", START.replace("@MODULE@", "ansible.modules.systemd_service"))
        try:
            for way in options.only:
                is_well = compare(target, WAYS[way], options) and is_well
        finally:
            target.close()
            containers.stop(name)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments in a row, on real systemd: good ones, ones that are sick in ten ways, ones that are killed anywhere.

The set is a server, a server behind a socket, and a job with its timer, all of one program. After each deployment the
program, the configuration, the template, the secret and the units are of one version, and whatever runs answers with
it: with the new one, or after a failure with the one from before. Then the message has the last words of what failed.

Run inside the sandbox:  tests/lab/sandbox.py run -- tests/faults/deployments.py [--count 100] [--seed 1] [RELEASE...]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import io
import json
import random
import signal
import sys
import tarfile
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from faults.loop import CALLS, calls_in
from lab import containers
from live.deploying import deploy, send
from live.target import Target

PORT, TAKEN = 7777, 7778
SET = {"set_name": "t-shop", "prune": True}
OTHER = {"name": "t-other.service", "content": "[Service]\nExecStart=/bin/true\n"}  # for a run that changes nothing
TRACE = "/run/t-trace"
# The first line of the page is the version, for the program; what else it holds comes with the template.
PAGE = "{{ version }}\n{{ template_destpath }} of version {{ version }}\n"
CHECK = "import sys; text = open(sys.argv[1]).read(); text.startswith('number ') or sys.exit('no number: ' + text)"

# It is of one version with what it was started with, or says so: every answer has the version of each part.
PROGRAM = """\
#!/usr/bin/python3
import os, socket, sys, threading
@BEFORE@
answer = "@VERSION@"
number = int(open("/etc/t-shop/conf").read().split()[1])
page = open("/etc/t-shop/page").readline().strip()
parts = {"program": answer, "conf": number, "page": page, "secret": os.environ["SECRET"], "unit": os.environ["UNIT"]}
if sys.argv[1] == "job":
    print(parts, file=open("/run/t-job", "w"))
    sys.exit()
@FAULT@
if "LISTEN_FDS" in os.environ:
    server = socket.socket(fileno=3)
else:
    server = socket.create_server(("::1", @PORT@), family=socket.AF_INET6)
if "NOTIFY_SOCKET" in os.environ:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    connection = server.accept()[0]
    connection.sendall(f"{parts}\\n".encode())
    connection.close()
"""
DIES = "threading.Timer(3, lambda: (print('the database is gone', file=sys.stderr, flush=True), os._exit(1))).start()"
NONSENSE = "parts['program'] = 'nonsense'; print('serving nonsense', file=sys.stderr, flush=True)"

# Whatever can be seen of the set, as JSON: ``parts`` by where they were found, and a listing. It runs in the container.
LOOK = """
import ast, glob, hashlib, json, os, re, socket, subprocess
def read(path):
    with open(path) as stream:
        return stream.read()
def ask(address, family):
    with socket.socket(family) as connection:
        connection.settimeout(60)
        connection.connect(address)
        return ast.literal_eval(connection.makefile().readline())
def show(unit, *names):
    command = ["systemctl", "show", "--property=" + ",".join(names), unit]
    out = subprocess.run(command, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in out.splitlines())
found = {}
def part(name, function, *arguments):
    try:
        value = function(*arguments)
    except Exception as error:
        value = repr(error)
    found.update({name + " " + key: str(of) for key, of in value.items()} if isinstance(value, dict) else {name: value})
part("server answers", ask, ("::1", 7777), socket.AF_INET6)
part("socket answers", ask, "/run/t-ask.sock", socket.AF_UNIX)
subprocess.run(["systemctl", "start", "t-job.service"], check=True)
part("job says", lambda: ast.literal_eval(read("/run/t-job")))
part("link", lambda: os.path.basename(os.readlink("/opt/t-shop/current")))
part("program", lambda: re.search('answer = "(.*)"', read("/opt/t-shop/current/serve"))[1])
part("prepared", lambda: read("/opt/t-shop/current/prepared").strip())
part("conf", lambda: read("/etc/t-shop/conf").split()[1])
part("page", lambda: read("/etc/t-shop/page").split()[-1])
part("secret", lambda: read("/etc/t-shop/secret").strip().split("=")[1])
for unit in ("t-echo.service", "t-ask.service", "t-ask.socket", "t-job.service", "t-job.timer"):
    part(unit, lambda: re.search("Description=Version (.*)", read("/etc/systemd/system/" + unit))[1])
    state = show(unit, "Description", "NeedDaemonReload", "ActiveState")
    part(unit + " loaded", lambda: state["Description"].split()[1])
    if state["NeedDaemonReload"] != "no" or state["ActiveState"] != "active" and unit != "t-job.service":
        found[unit + " state"] = str(state)
listing = {}
for top in ("/opt/t-shop", "/etc/t-shop"):
    for folder, folders, files in os.walk(top):
        for path in [folder] + [os.path.join(folder, name) for name in folders + files]:
            info = os.lstat(path)
            link, text = os.path.islink(path), b""
            if os.path.isfile(path) and not link:
                with open(path, "rb") as stream:
                    text = stream.read()
            what = os.readlink(path) if link else hashlib.sha256(text).hexdigest()
            listing[path] = [info.st_mode, info.st_uid, info.st_gid, what]
for path in glob.glob("/etc/systemd/system/*t-*") + glob.glob("/etc/systemd/system/*/t-*"):
    listing[path] = os.readlink(path) if os.path.islink(path) else read(path)
print(json.dumps({"parts": found, "listing": listing}))
"""


class Sickness(t.NamedTuple):
    """What is wrong with a version.

    :ivar words: the last ones of the program that shows it, which the message must have.
    :ivar before, fault: lines of the program.
    :ivar conf: content of the configuration.
    :ivar health: options of the health check.
    :ivar prepare: a command that makes the version ready.
    :ivar archive: what becomes of it: ``half``, or ``big``.
    """

    words: str
    before: str = ""
    fault: str = ""
    port: int = PORT
    conf: str = "number @VERSION@\n"
    health: t.Mapping[str, t.Any] = {}
    prepare: str = "cat VERSION > prepared"
    archive: str = ""


HEALTHY = Sickness("")
SICK = {
    "does not start": Sickness("no such database", fault="sys.exit('no such database')"),
    "dies after three seconds": Sickness("the database is gone", fault=DIES, health={"stable": 5}),
    "imports what is not there": Sickness("No module named 't_nowhere'", before="import t_nowhere"),
    "validate refuses the configuration": Sickness("no number: lots of @VERSION@", conf="lots of @VERSION@\n"),
    "the configuration fails at run time": Sickness("invalid literal for int() with base 10", conf="number nine\n"),
    "its port is taken": Sickness("Address already in use", port=TAKEN),
    "the probe is answered wrongly": Sickness("serving nonsense", fault=NONSENSE, health={"timeout": 10}),
    "prepare fails": Sickness("no matching distribution", prepare="echo no matching distribution >&2; exit 7"),
    "the archive is damaged": Sickness("the archive is damaged", archive="half"),
    "the disk is full": Sickness("No space left on device", archive="big"),
}


def archive_of(version: str, sickness: Sickness, folder: Path) -> Path:
    """The program of one version, packed."""
    program = PROGRAM.replace("@BEFORE@", sickness.before).replace("@FAULT@", sickness.fault)
    files = {
        "serve": program.replace("@VERSION@", version).replace("@PORT@", str(sickness.port)).encode(),
        "VERSION": version.encode(),
        **({"big": bytes(16 << 20)} if sickness.archive == "big" else {}),
    }
    path = folder / f"shop-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    if sickness.archive == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def units_of(version: str, sickness: Sickness, folder: Path) -> list[dict[str, t.Any]]:
    """The set in one version."""
    release = {
        "path": "/opt/t-shop",
        "src": str(archive_of(version, sickness, folder)),
        "version": version,
        "prepare": [["sh", "-c", sickness.prepare]],
        "prepare_user": "nobody",
        "keep": 2,
    }
    files = [
        {
            "path": "/etc/t-shop/conf",
            "content": sickness.conf.replace("@VERSION@", version),
            "validate": ["python3", "-c", CHECK, "%s"],
        },
        {"path": "/etc/t-shop/page", "template": str(folder / "page.j2"), "mode": "0644"},
        {"path": "/etc/t-shop/secret", "secret": f"SECRET={version}\n"},
    ]
    probe = {"tcp": f"[::1]:{PORT}", "expect": f"'program': '{version}'"}
    also = {"triggers": [entry["path"] for entry in files], "release": release}
    health = {"timeout": 60, "stable": 0, "probes": [probe], **sickness.health}
    return [
        {**service(version, "t-echo", "serve", Type="notify"), "state": "started", "enabled": True, "files": files}
        | {"release": release, "health": health},
        {**service(version, "t-ask", "serve"), **also},
        unit(version, "t-ask.socket", "Socket", "sockets", ListenStream="/run/t-ask.sock"),
        {**service(version, "t-job", "job", Type="oneshot"), **also},
        unit(version, "t-job.timer", "Timer", "timers", OnCalendar=f"*-01-01 00:{int(version) % 60:02}"),
    ]


def service(version: str, name: str, word: str, **directives: str) -> dict[str, t.Any]:
    more = {"ExecStart": [["/opt/t-shop/current/serve", word]], "EnvironmentFile": "/etc/t-shop/secret"}
    sections = {
        # We start the job after each deployment, which may come faster than systemd allows starts.
        "Unit": {"Description": f"Version {version}", "StartLimitIntervalSec": 0},
        "Service": {**directives, **more, "Environment": {"UNIT": version}},
        **({"Install": {"WantedBy": "multi-user.target"}} if name == "t-echo" else {}),
    }
    return {"name": f"{name}.service", "sections": sections}


def unit(version: str, name: str, section: str, target: str, **directives: str) -> dict[str, t.Any]:
    sections = {
        "Unit": {"Description": f"Version {version}"},
        section: directives,
        "Install": {"WantedBy": f"{target}.target"},
    }
    return {"name": name, "sections": sections, "state": "started", "enabled": True}


class Contradiction(Exception):
    """The host is not as it was said to be."""


class Shop:
    """A host with the set on it, and what is known of it.

    :param folder: for archives and templates.
    :ivar version: the one that the host has to have.
    :ivar counts: of deployments, by what became of them.
    """

    def __init__(self, target: Target, seed: str, folder: Path) -> None:
        self.target = target
        self.folder = folder
        self.dice = random.Random(seed)
        self.counts: dict[str, int] = {}
        self.version = "0"
        self._last = 0
        self._calls: list[tuple[str, int]] = []
        self._listing: dict[str, t.Any] = {}
        (folder / "page.j2").write_text(PAGE)
        target.units([OTHER])
        # A disk that is soon full, and a port that somebody has.
        target.sh("mkdir -p /opt/t-shop && mount -t tmpfs -o size=4m tmpfs /opt/t-shop")
        thief = f"import socket; s = socket.create_server(('::1', {TAKEN}), family=socket.AF_INET6); s.accept()"
        target.sh(f'systemd-run --unit=t-thief python3 -c "{thief}"')
        target.wait_for(f"ss -Hltn 'sport = :{TAKEN}' | grep -q .")

    def close(self) -> None:
        """Leave nothing on the host."""
        self.target.sh("systemctl stop 't-*'; umount /opt/t-shop; rm -rf /etc/t-shop /opt/t-shop", check=False)

    def run(self, kinds: t.Sequence[str]) -> None:
        """Deploy one version after the other.

        :param kinds: of SICK, or ``healthy`` or ``killed``.
        :raises Contradiction: as soon as the host is not as it has to be.
        """
        left = ["healthy", *kinds]
        while left:
            kind = left.pop(0)
            if kind == "killed" and not self._killed():
                left.append(kind)
                kind = "healthy"  # it was over before
            elif kind == "healthy":
                self._healthy()
            elif kind != "killed":
                self._sick(kind)
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def _next(self, sickness: Sickness = HEALTHY) -> tuple[str, list[dict[str, t.Any]]]:
        self._last += 1
        return str(self._last), units_of(str(self._last), sickness, self.folder)

    def _healthy(self) -> None:
        version, units = self._next()
        result = deploy(self.target, units, variables={"version": version}, **SET)
        if result.get("failed"):
            raise Contradiction(f"version {version} is healthy, and yet: {result}")
        self._look(f"version {version}, healthy", version)

    def _sick(self, kind: str) -> None:
        sickness = SICK[kind]
        version, units = self._next(sickness)
        result = deploy(self.target, units, variables={"version": version}, **SET)
        told = f"version {version}: {kind}"
        if not result.get("failed") or result.get("rolled_back") is False or result.get("not_undone"):
            raise Contradiction(f"{told}, and yet: {result}")
        if sickness.words.replace("@VERSION@", version) not in result["msg"]:
            raise Contradiction(f"{told}: {sickness.words!r} is not in the message: {result['msg']}")
        self._look(told, self.version)

    def _killed(self) -> bool:
        """Kill a deployment at any of its system calls, and run something else; whether it was killed."""
        if not self._calls:
            self._calls = self._traced()
        version, units = self._next()
        name, number = self.dice.choice(self._calls)
        inject = f"inject={name}:signal=KILL:when={number}"
        result = self._run(version, units, ["-o", "/dev/null", "-e", f"trace={name}", "-e", inject])
        told = f"version {version}, killed at {name} {number}"
        if result is not None:
            self._look(f"{told}, which did not come to pass: {result}", version)
            return False
        recovered = self.target.units([OTHER])
        if recovered.get("failed"):
            raise Contradiction(f"{told}; the next run failed: {recovered}")
        undone = recovered.get("recovered", "")
        self._look(f"{told}; {undone}", self.version, *([] if undone else [version]))
        return True

    def _traced(self) -> list[tuple[str, int]]:
        """The system calls of a deployment, each with how often it was made until then."""
        version, units = self._next()
        result = self._run(version, units, ["-A", "-o", TRACE, "-e", f"trace={','.join(CALLS)}"])
        self._look(f"version {version}, traced: {result}", version)
        calls = calls_in(self.target.sh(f"cat {TRACE}; rm {TRACE}"))
        return [(name, number) for name, number, _first in calls]

    def _run(self, version: str, units: list[dict[str, t.Any]], options: list[str]) -> dict[str, t.Any] | None:
        """The result of a deployment under strace; None when it was killed."""
        arguments = send(self.target, units, call="ask", variables={"version": version}, **SET)[1]
        data = json.dumps({**arguments, "_ansible_version": "2.21"})
        ended = self.target.run(["strace", "-qq", *options, *self.target.command("units")], data)
        return None if ended.code == -signal.SIGKILL else self.target.result(ended)

    def _look(self, told: str, *versions: str) -> None:
        """See that everything is of one of these versions, and as it was when that is the one from before."""
        seen = json.loads(self.target.sh(f"python3 - <<'EOF'\n{LOOK}\nEOF"))
        version = next((version for version in versions if version == seen["parts"]["link"]), versions[0])
        wrong = {name: value for name, value in seen["parts"].items() if value != version}
        if wrong:
            raise Contradiction(f"{told}; not of version {version}: {json.dumps(wrong, indent=1)}")
        now, before = seen["listing"], self._listing
        differing = {path: [before.get(path), now.get(path)] for path in {*before, *now}}
        differing = {path: both for path, both in differing.items() if both[0] != both[1]}
        if version == self.version and differing:
            raise Contradiction(f"{told}; not as before: {json.dumps(differing, indent=1)}")
        self.version, self._listing = version, now


def kinds_of(count: int, seed: str) -> list[str]:
    """What becomes of so many deployments: three of ten are sick, two are killed."""
    sick = [kind for number in range(count) for kind in list(SICK)][: count * 3 // 10]
    killed = ["killed"] * (count // 5)
    kinds = sick + killed + ["healthy"] * (count - len(sick) - len(killed))
    random.Random(seed).shuffle(kinds)
    return kinds


def run_release(release: str, count: int, seed: str) -> str:
    """The contradiction that was found, if any."""
    name = containers.start(release, f"shop-{release}")
    target, begun = Target(name), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(target, seed, Path(folder))
        wrong = ""
        try:
            shop.run(kinds_of(count, seed))
        except Contradiction as error:
            wrong = str(error)
        finally:
            target.close()
            containers.stop(name)
    counted = ", ".join(f"{number} {kind}" for kind, number in sorted(shop.counts.items()))
    total, seconds = sum(shop.counts.values()), time.monotonic() - begun
    print(
        f"systemd {release}: {total} deployments in {seconds:.0f} s ({counted}); {wrong or 'never a mix'}", flush=True
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", default=list(containers.SUITES), metavar="RELEASE")
    parser.add_argument("--count", type=int, default=100, help="deployments for each release")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda release: run_release(release, options.count, options.seed), options.releases)
        return 1 if any(list(found)) else 0


if __name__ == "__main__":
    sys.exit(main())

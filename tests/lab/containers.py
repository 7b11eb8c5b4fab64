#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, use and stop systemd containers inside a sandbox (see sandbox.py).

    containers.py [--publish PORT] [--keep-compiled] [--replace] up [NAME=]RELEASE...
                                          all at a time; for example `up 252 web=257`; names default to s252, s257
    containers.py exec NAME COMMAND...
    containers.py reboot NAME
    containers.py down NAME...
    containers.py list
    containers.py inventory               for Ansible, as JSON

A container called NAME here is `full_name(NAME)` to podman, and `ansible_host` for containers.podman.podman.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from lab.build import SUITES, image_name

BOOT_SECONDS = 300


class ContainerError(Exception):
    """A container could not be started or used; the text says why and what to do."""


def run_prefix() -> str:
    """What the names of containers begin with here. Raises ContainerError outside a sandbox."""
    run = os.environ.get("UNITCRAFT_RUN")
    if not run:
        raise ContainerError("no sandbox: run this command through `tests/lab/sandbox.py run COMMAND...`")
    return run


def full_name(name: str) -> str:
    """Podman's name of the container called `name` in this sandbox."""
    return f"{run_prefix()}-{name}"


def pid_file(name: str) -> Path:
    """Holds the process id of the container's systemd, as this host sees it."""
    return Path(f"/run/{full_name(name)}.pid")


def podman(*arguments: str, data: str | bytes | None = None, check: bool = True) -> subprocess.CompletedProcess:
    """Run podman; output is text unless `data` is bytes. Raises ContainerError with podman's own message."""
    text = not isinstance(data, bytes)
    # stdin is always a pipe or nothing: podman would otherwise eat the input of the test runner.
    given = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    done = subprocess.run(["podman", *arguments], capture_output=True, text=text, check=False, **given)
    if check and done.returncode != 0:
        message = done.stderr if text else done.stderr.decode(errors="replace")
        raise ContainerError(f"podman {' '.join(arguments)}: {message.strip()}")
    return done


def start(release: str, name: str = "", publish: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> str:
    """Start a container of a systemd release and wait until systemd is `running`. Returns its short name.

    `publish` as podman takes it, for example "127.0.0.1:10000:10000/udp"; `options` are further podman run options.
    """
    release = str(release)
    name = name or f"s{release}"
    if release not in SUITES:
        raise ContainerError(f"no image for systemd {release}; there are {', '.join(SUITES)}")
    if podman("image", "exists", image_name(release), check=False).returncode != 0:
        raise ContainerError(f"there is no image {image_name(release)}: run `python3 tests/lab/build.py {release}`")
    ports = [f"--publish={port}" for port in publish]
    # Privileged: without it units with a mount namespace (ProtectSystem=, PrivateTmp=) end with 226/NAMESPACE.
    podman(
        "run",
        "--detach",
        "--privileged",
        "--systemd=always",
        f"--name={full_name(name)}",
        f"--hostname={name}",
        f"--pidfile={pid_file(name)}",
        *ports,
        *options,
        image_name(release),
        "/sbin/init",
    )
    wait_until_running(name)
    return name


def wait_until_running(name: str, seconds: float = BOOT_SECONDS, healthy: bool = True) -> None:
    """Wait for `systemctl is-system-running` to say running, or degraded unless everything is to be *healthy*.

    Raises ContainerError with the failed units otherwise.
    """
    deadline = time.monotonic() + seconds
    state = ""
    while time.monotonic() < deadline:
        state = run(name, ["systemctl", "is-system-running"], check=False).stdout.strip()
        if state == "running" or (state == "degraded" and not healthy):
            return
        if state == "degraded":
            break
        time.sleep(0.1)
    failed = run(name, ["systemctl", "--failed", "--no-legend", "--plain"], check=False).stdout.strip()
    raise ContainerError(f"container {name} is {state or 'not reachable'} instead of running; failed units: {failed}")


def run(
    name: str, argv: list[str], data: str | bytes | None = None, check: bool = True, user: str = ""
) -> subprocess.CompletedProcess:
    """Run a command in a container. Result: returncode, stdout, stderr; raises ContainerError unless check is off."""
    options = [*(["--interactive"] if data is not None else []), *([f"--user={user}"] if user else [])]
    return podman("exec", *options, full_name(name), *argv, data=data, check=check)


def write_file(name: str, path: str, content: str | bytes, mode: str = "0644") -> None:
    """Put a file into a container, folders included."""
    run(name, ["install", "-D", "-m", mode, "/dev/stdin", path], data=content)


def keep_compiled(name: str) -> None:
    """Let a container compile each source that Ansible sends only once. Not for what measures time."""
    place = "/usr/lib/python3/dist-packages/keep_compiled"
    script = f"mkdir -p {place}.d && cat > {place}.py && echo import keep_compiled > {place}.pth"
    run(name, ["sh", "-c", script], data=Path(__file__).with_name("keep_compiled.py").read_bytes())


def reboot(name: str, healthy: bool = True) -> None:
    """Restart a container as a host would reboot, and wait until it is running; see `wait_until_running`."""
    podman("restart", "--time", "20", full_name(name))
    wait_until_running(name, healthy=healthy)


def stop(*names: str) -> None:
    """Remove containers, running or not; one that does not exist is no error."""
    if names:
        podman("rm", "--force", "--ignore", "--volumes", "--time", "0", *(full_name(name) for name in names))
        for name in names:
            pid_file(name).unlink(missing_ok=True)


def running() -> dict[str, str]:
    """Running containers of this sandbox: {short name: systemd release}."""
    begin = run_prefix() + "-"
    found = {}
    for line in podman("ps", "--format", "{{.Names}} {{.Image}}").stdout.splitlines():
        name, _unused, image = line.partition(" ")
        if name.startswith(begin):
            found[name[len(begin) :]] = image.rpartition(":")[2].partition("-")[0]
    return found


def inventory(containers: dict[str, str]) -> dict:
    """Ansible inventory (write it as JSON) of {short name: release}; one group, `systemd_hosts`."""
    hosts = {
        name: {"ansible_host": full_name(name), "systemd_release": int(release)} for name, release in containers.items()
    }
    variables = {
        "ansible_connection": "containers.podman.podman",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_pipelining": True,
    }
    return {"systemd_hosts": {"hosts": hosts, "vars": variables}}


def split_wanted(words: list[str]) -> dict[str, str]:
    """Read words of the command line: ``["252", "web=257"]`` gives ``{"s252": "252", "web": "257"}``."""
    pairs = [word.rpartition("=") for word in words]
    return {name or f"s{release}": release for name, _equals, release in pairs}


def up(options: argparse.Namespace) -> None:
    """Start containers side by side and print their names."""
    wanted = split_wanted(options.words)
    if options.replace:
        stop(*wanted)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for name in pool.map(lambda name: start(wanted[name], name, tuple(options.publish)), wanted):
            print(full_name(name), flush=True)
            if options.keep_compiled:
                keep_compiled(name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--publish", action="append", default=[], help="with up: a port, as podman takes it")
    parser.add_argument("--keep-compiled", action="store_true", help="with up: see keep_compiled()")
    parser.add_argument("--replace", action="store_true", help="with up: remove those of the same names before")
    parser.add_argument("command", choices=["up", "exec", "reboot", "down", "list", "inventory"])
    parser.add_argument("words", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    words = options.words
    try:
        if options.command == "up":
            up(options)
        elif options.command == "exec":
            os.execvp("podman", ["podman", "exec", "--interactive", full_name(words[0]), *words[1:]])
        elif options.command == "reboot":
            reboot(words[0])
        elif options.command == "down":
            stop(*(words or running()))
        elif options.command == "inventory":
            print(json.dumps(inventory(running()), indent=2))
        else:
            for name, release in running().items():
                print(name, release)
    except ContainerError as error:
        print(f"containers.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

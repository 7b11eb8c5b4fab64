#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command on this host such that plain `podman` works inside it, and leave nothing behind.

    sandbox.py run COMMAND...              containers live as long as the command
    sandbox.py run --name demo COMMAND...  containers stay; the same name joins them again
    sandbox.py clean --name demo           remove what a named sandbox left running
    sandbox.py check                       say what this host needs

On an ordinary podman host nothing is changed. A host is adapted only as far as it is restricted: cgroup v1 or hybrid
(a mount namespace with cgroup2 alone), resource limits that podman may not raise, no pids controller (both by a
containers.conf of our own). The command finds in UNITCRAFT_RUN what the names of its containers have to begin with.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
CGROUP_ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")
# Set to a lock to be released while this program restarts in the shared namespace, then to "yes".
INSIDE = "UNITCRAFT_SANDBOX_INSIDE"
LOCK = "/run/lock/unitcraft-sandbox"
REPOSITORY = "localhost/unitcraft-systemd"
GRACE_SECONDS = 20
# How often children that were left behind and have ended are collected.
REAP_SECONDS = 2
# What podman asks for when nothing tells it otherwise.
PODMAN_LIMIT = 1048576
# Podman's message about a container whose network namespace it does not find: id and path.
UNREACHABLE = r"container ([0-9a-f]{64}): retrieving network namespace at ([^ :]+):"
PR_SET_CHILD_SUBREAPER = 36
# Beginnings of the names of variables that sudo hands on, besides PATH.
KEPT_VARIABLES = ("UNITCRAFT_", "ANSIBLE_", "PYTEST_", "MOLECULE_", "PYTHON")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def checkout_prefix() -> str:
    """First part of the names of all containers of this checkout; another checkout on the host has another one."""
    given = os.environ.get("UNITCRAFT_PREFIX")
    return given or "unitcraft-" + hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]


# --- what is this host like ---------------------------------------------------------------------------------------


def lacks_unified_cgroups() -> bool:
    """True on cgroup v1 and on the hybrid layout, which crun and systemd 258 and later refuse."""
    return not (CGROUP_ROOT / "cgroup.controllers").exists()


def cgroup2_controllers() -> set[str]:
    """Controllers of the v2 hierarchy, wherever it is mounted."""
    for place in (CGROUP_ROOT, CGROUP_ROOT / "unified"):
        try:
            return set((place / "cgroup.controllers").read_text().split())
        except OSError:
            continue
    return set()


def may_raise(limit: int) -> bool:
    """Whether this process may set the hard limit podman wants. Tried in a child, so that nothing stays changed."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(limit, (PODMAN_LIMIT, PODMAN_LIMIT))
        except (OSError, ValueError):
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def containers_conf() -> str:
    """Text of a containers.conf for what is restricted here; empty when nothing is."""
    lines = []
    limits = (("nofile", resource.RLIMIT_NOFILE, 20000), ("nproc", resource.RLIMIT_NPROC, 30000))
    if not all(may_raise(limit) for _name, limit, _most in limits):
        # Well under the host's own hard limit: it counts all processes of a user, the host's too.
        values = []
        for name, limit, most in limits:
            hard = resource.getrlimit(limit)[1]
            value = most if hard == resource.RLIM_INFINITY else min(most, hard)
            values.append(f'"{name}={value}:{value}"')
        lines.append(f"default_ulimits = [{', '.join(values)}]")
    if "pids" not in cgroup2_controllers():
        lines.append("pids_limit = 0")
    return "\n".join(["[containers]", *lines, ""]) if lines else ""


# --- make podman work here ----------------------------------------------------------------------------------------


def become_root() -> None:
    """The containers need root's podman: go on under sudo."""
    if os.geteuid() == 0:
        return
    if not shutil.which("sudo"):
        sys.exit("sandbox.py: systemd containers need root: run this as root, or install sudo")
    kept = [
        f"{name}={value}" for name, value in os.environ.items() if name == "PATH" or name.startswith(KEPT_VARIABLES)
    ]
    os.execvp("sudo", ["sudo", "env", *kept, sys.executable, *sys.argv])


def enter_mounts() -> None:
    """Restart this program in the mount namespace that all sandboxes of this host share; make it if there is none.

    Network namespaces of containers are mounts too: podman has to be called where the container was started, and even
    its list of containers fails where one of them lives elsewhere. So there is one namespace, not one per sandbox. It
    is found through its processes, and gone with the last of them.
    """
    lock = os.open(LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Kept through the restart, until the new namespace can be found by others.
    os.set_inheritable(lock, True)
    os.environ[INSIDE] = str(lock)
    this = [sys.executable, *sys.argv]
    member = shared_member()
    if member:
        os.execvp("nsenter", ["nsenter", f"--target={member}", "--mount", f"--wd={os.getcwd()}", *this])
    # Slave: what the host mounts later is seen inside, nothing inside is seen by the host.
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "slave", *this])


def shared_member() -> int:
    """Process id of a sandbox or of a container's monitor in another mount namespace that has cgroup2 alone; or 0."""
    here = os.readlink(PROC / "self" / "ns" / "mnt")
    for entry in PROC.iterdir():
        try:
            if not entry.name.isdigit() or os.readlink(entry / "ns" / "mnt") == here or not is_roots(entry):
                continue
            known = (entry / "comm").read_text().strip() == "conmon" or is_sandbox(int(entry.name))
            if known and (entry / "root" / str(CGROUP_ROOT).lstrip("/") / "cgroup.controllers").exists():
                return int(entry.name)
        except OSError:
            # It has ended meanwhile.
            continue
    return 0


def is_roots(process: Path) -> bool:
    """Whether a process is root's, in our own user namespace: anybody can call one `conmon`, and is root in his own.

    Not the owner of /proc/PID: that is root too for a process that may not be traced.
    """
    uids = re.search(r"^Uid:(.*)$", (process / "status").read_text(), re.MULTILINE)
    same = os.readlink(process / "ns" / "user") == os.readlink(PROC / "self" / "ns" / "user")
    return same and uids is not None and uids.group(1).split() == ["0"] * 4


def finish_mounts() -> None:
    """Second half of enter_mounts(), in the namespace."""
    lock = int(os.environ[INSIDE])
    os.environ[INSIDE] = "yes"
    if lacks_unified_cgroups():
        subprocess.run(["umount", "--recursive", str(CGROUP_ROOT)], check=True)
        subprocess.run(["mount", "-t", "cgroup2", "none", str(CGROUP_ROOT)], check=True)
    os.close(lock)


def adapt() -> None:
    """Change what has to be changed for podman to work in this process and its children."""
    inside = os.environ.get(INSIDE)
    if inside and inside != "yes":
        finish_mounts()
    elif lacks_unified_cgroups():
        enter_mounts()
    text = containers_conf()
    if text and "CONTAINERS_CONF" not in os.environ:
        path = CHECKOUT / ".cache" / "containers.conf"
        path.parent.mkdir(exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(text)
        new.replace(path)
        os.environ["CONTAINERS_CONF"] = str(path)


# --- containers of a sandbox ---------------------------------------------------------------------------------------


def podman(*arguments: str) -> str:
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout


def containers_of(run: str) -> list[str]:
    """Names of the containers of a sandbox, running or not."""
    for _attempt in range(20):
        done = subprocess.run(
            ["podman", "ps", "--all", "--format", "{{.Names}}"],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode == 0:
            return [name for name in done.stdout.split() if name.startswith(run + "-")]
        unreachable = set(re.findall(UNREACHABLE, done.stderr))
        if not unreachable:
            break
        for container, network in unreachable:
            reconnect(container, network)
    sys.exit(f"sandbox.py: podman cannot list its containers: {done.stderr.strip()}")


def reconnect(container: str, network: str) -> None:
    """Repair a container whose network namespace is not mounted here, as after a killed sandbox.

    Podman lists nothing while there is one; removed as it is, it would leave its bridge and its port forwarding behind.
    """
    pid, _unused, image = (
        podman("inspect", "--format", "{{.State.Pid}} {{.ImageName}}", container).strip().partition(" ")
    )
    if pid != "0" and Path(f"/proc/{pid}/ns/net").exists():
        subprocess.run(["mount", "--bind", f"/proc/{pid}/ns/net", network], check=False)
    elif image.startswith(REPOSITORY):
        podman("rm", "--force", "--volumes", "--time", "0", container)


def remove_containers(run: str) -> None:
    """Remove containers and networks of a sandbox, and with them their bridges and port forwarding rules."""
    names = containers_of(run)
    if names:
        podman("rm", "--force", "--volumes", "--time", "0", *names)
    for name in names:
        Path(f"/run/{name}.pid").unlink(missing_ok=True)
    for network in podman("network", "ls", "--format", "{{.Name}}").split():
        if network.startswith(run + "-"):
            podman("network", "rm", "--force", network)
    left = containers_of(run)
    if left:
        sys.exit(f"sandbox.py: these containers could not be removed: {' '.join(left)}")


def sweep_dead_runs(prefix: str) -> None:
    """Remove what a sandbox of this checkout left that was killed outright."""
    dead = set()
    for name in containers_of(prefix):
        match = re.match(re.escape(prefix) + r"-r([0-9]+)-", name)
        if match and not is_sandbox(int(match.group(1))):
            dead.add(f"{prefix}-r{match.group(1)}")
    for run in sorted(dead):
        remove_containers(run)


def is_sandbox(pid: int) -> bool:
    try:
        return Path(__file__).name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


# --- processes ----------------------------------------------------------------------------------------------------


def adopt_orphans() -> None:
    """Whatever the command leaves running becomes a child of this process, so that it can be ended with it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> dict[int, tuple[str, str]]:
    """Direct children of this process: {process id: (state, name)}."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name, _unused, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid():
            found[int(entry.name)] = (state, name)
    return found


def reap_adopted(own: int) -> None:
    """Collect the status of adopted children that have ended; the command itself (`own`) is waited for elsewhere."""
    # Not by children(): to look through /proc every other second takes one core in a hundred.
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid != own:
            os.waitpid(ended.si_pid, os.WNOHANG)


def orphans() -> list[int]:
    """Children that still run, without the helpers podman keeps as long as a container lives."""
    return [pid for pid, (state, name) in children().items() if state != "Z" and name not in ("conmon", "aardvark-dns")]


def end_orphans() -> None:
    """End what the command left behind, gently first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 3
        for pid in orphans():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while orphans() and time.monotonic() < deadline:
            time.sleep(0.05)
        reap_adopted(0)
        if not orphans():
            return


class Supervisor:
    """Runs one command; a signal to this process ends the command first, then what it left."""

    def __init__(self) -> None:
        self.received = 0
        self.process: subprocess.Popen[bytes] | None = None
        for number in SIGNALS:
            signal.signal(number, self.handle)

    def handle(self, number: int, _frame: object) -> None:
        self.received = self.received or number
        if self.process is not None and self.process.poll() is None:
            # A terminal has already sent its Ctrl-C to the whole group; a second one is harmless.
            self.signal_group(number)

    def signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if os.isatty(0):
                self.process.send_signal(number)
            else:
                os.killpg(self.process.pid, number)

    def run(self, command: list[str]) -> int:
        """Exit status of the command, or 128 plus the signal this process got."""
        if not self.received:
            try:
                # A group of its own, except on a terminal, where only the foreground group may read.
                self.process = subprocess.Popen(command, start_new_session=not os.isatty(0))
            except OSError as error:
                print(f"sandbox.py: cannot run {command[0]}: {error}", file=sys.stderr)
                return 127
            status = self.wait()
        if self.received:
            return 128 + self.received
        return status if status >= 0 else 128 - status

    def wait(self) -> int:
        deadline = None
        while True:
            try:
                return self.process.wait(timeout=REAP_SECONDS)
            except subprocess.TimeoutExpired:
                reap_adopted(self.process.pid)
                if self.received and deadline is None:
                    deadline = time.monotonic() + GRACE_SECONDS
                if deadline is not None and time.monotonic() > deadline:
                    self.signal_group(signal.SIGKILL)


# --- commands -----------------------------------------------------------------------------------------------------


def run_name(options: argparse.Namespace) -> str:
    return f"{checkout_prefix()}-{options.name}" if options.name else f"{checkout_prefix()}-r{os.getpid()}"


def command_run(options: argparse.Namespace) -> int:
    if not options.command:
        sys.exit("sandbox.py run: name a command")
    if os.environ.get("UNITCRAFT_RUN"):
        # Already inside one: its containers and its clean-up hold for this command too.
        os.execvp(options.command[0], options.command)
    become_root()
    adapt()
    run = run_name(options)
    sweep_dead_runs(checkout_prefix())
    supervisor = Supervisor()
    adopt_orphans()
    os.environ["UNITCRAFT_RUN"] = run
    status = supervisor.run(options.command)
    for number in SIGNALS:
        # From here on only clean-up, which must not be cut short.
        signal.signal(number, signal.SIG_IGN)
    if not options.name:
        remove_containers(run)
    end_orphans()
    return status


def command_clean(options: argparse.Namespace) -> int:
    become_root()
    adapt()
    remove_containers(run_name(options))
    return 0


def command_check(_options: argparse.Namespace) -> int:
    become_root()
    private = "a private mount namespace with cgroup2 alone" if lacks_unified_cgroups() else "none"
    print(f"mounts: {private}\ncontainers.conf:\n{containers_conf() or 'none'}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a command with podman working in it")
    run.add_argument("--name", help="keep the containers and join them under this name the next time")
    run.add_argument("command", nargs=argparse.REMAINDER)
    run.set_defaults(function=command_run)
    clean = commands.add_parser("clean", help="remove the containers of a sandbox")
    clean.add_argument("--name", required=True)
    clean.set_defaults(function=command_clean)
    commands.add_parser("check", help="say what this host needs").set_defaults(function=command_check)
    options = parser.parse_args()
    if getattr(options, "command", None) and options.command[0] == "--":
        options.command = options.command[1:]
    return options.function(options)


if __name__ == "__main__":
    sys.exit(main())

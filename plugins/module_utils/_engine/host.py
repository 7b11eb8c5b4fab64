# SPDX-License-Identifier: GPL-3.0-or-later

"""The host as a transaction sees it: what it asks for (``Target``), and the real one (``Host``)."""

from __future__ import annotations

import os
import re
import time
import typing as t

from .._host.manager import MANAGER_TIMEOUT, Manager
from .._host.show import PROPERTIES, StateReader, States, parse_show
from .._host.systemd import QUERY_TIMEOUT, Reply, SystemdError
from .._host.unit_journal import UnitQuery
from .._model import Change, File
from . import files as _files
from .contents import Contents
from .image import in_copy
from .places import open_place, read_place
from .release_plan import ReleaseStep
from .unit_folder import UnitFolder

if t.TYPE_CHECKING:
    from .releases import ReleaseFolder

_MAX_OUTPUT = 1 << 20  # bytes; what a probe or a hook prints is not ours to trust
_SYNC_TIMEOUT = 20.0  # seconds
# Where ``systemctl show`` tells the PIDs of processes that have ended.
_PIDS = ("ExecMainPID", "ControlPID")
_COMMANDS = (
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
    "ExecMount",
    "ExecUnmount",
    "ExecActivate",
)
_BESIDE = ("ExecCondition", "ExecStartPre", "ExecStartPost", "ExecMount", "ExecUnmount", "ExecActivate")
_COMMAND_END = re.compile(
    r"argv\[\]=(?P<argv>.*) ; ignore_errors=no ; .* ; code=(?P<code>exited|killed|dumped) ; status=(?P<status>\d+)"
)
_COMMAND_PID = re.compile(r" ; pid=(\d+) ; code=")
# What a process of a unit is before its exec: a copy of the manager, since systemd 255 the executor.
_SYSTEMD = re.compile(r"/systemd(?:-executor)?(?: \(deleted\))?\Z")


class Call(t.Protocol):
    """A systemctl that waits for its jobs, see ``systemd.Running``."""

    def wait(self, seconds: float) -> tuple[int, str] | None:
        """Exit status and output; None when it runs longer."""

    def __enter__(self) -> Call: ...

    def __exit__(self, *error: object) -> None: ...


class Target(t.Protocol):
    """What snapshot, transaction, undo and health ask of a host. Tests put a simulated one in its place."""

    scope: str
    user: str
    runtime: bool
    root: str
    folder: str
    runtime_folder: str
    uid: int
    gid: int
    has_manager: bool

    def manager_answers(self) -> bool:
        """Whether the manager can be talked to."""

    def wait_for_manager(self, timeout: float = MANAGER_TIMEOUT) -> None:
        """Wait for one that was just started."""

    def show(self, names: t.Iterable[str], properties: t.Sequence[str] = PROPERTIES) -> States:
        """Properties by unit."""

    def ask(self, *args: str, timeout: float = QUERY_TIMEOUT) -> str:
        """What systemctl prints; raises SystemdError."""

    def attempt(self, *args: str, timeout: float = QUERY_TIMEOUT) -> Reply:
        """How systemctl ends."""

    def start_call(self, *args: str) -> Call:
        """A systemctl that waits for its jobs."""

    def run(self, argv: t.Sequence[str], timeout: float = QUERY_TIMEOUT) -> Reply:
        """How another program ends."""

    def sync_journal(self) -> None:
        """Have journald write what it has."""

    def log(self, unit: str, since: float, lines: int) -> list[str]:
        """A unit's newest journal lines since a moment of ``monotonic``."""

    def lingers(self) -> bool:
        """Whether the user's manager runs from boot on."""

    def set_linger(self, on: bool) -> None:
        """Have it do so, or not."""

    def own_unit(self) -> str:
        """The unit of which this run is a process."""

    def is_executed(self, pid: str) -> bool:
        """Whether a process runs a program, and not systemd's code before that."""

    def failed_command(self, unit: str) -> str:
        """Which command beside the main one failed, in words."""

    def read_file(self, path: str) -> File:
        """What stands at a path of the unit folder."""

    def read_place(self, path: str) -> File:
        """What stands at another path, with digest and attributes."""

    def list_links(self) -> dict[str, str]:
        """The links in the unit folder."""

    def change_files(self, changes: t.Sequence[Change], token: str) -> None:
        """Make every change."""

    def clean_folders(self, paths: t.Sequence[str], token: str) -> None:
        """Remove temporary files and empty folders beside paths."""

    def make_version(self, step: ReleaseStep) -> None:
        """Make the version of a release that shall be current."""

    def discard_version(self, path: str, version: str) -> None:
        """Remove a version that was made in vain."""

    def spoil_version(self, path: str, version: str) -> None:
        """Remove what says that it is complete."""

    def boot_id(self) -> str:
        """Tells one boot from another."""

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class Host:
    """A manager with its unit folder on this host.

    :param contents: where the contents of other files than unit files are.
    """

    def __init__(self, manager: Manager, contents: Contents) -> None:
        self.manager = manager
        self.contents = contents
        self.unit_folder = UnitFolder(manager)
        self.states = StateReader(manager)
        self.scope = manager.scope
        self.user = manager.user
        self.runtime = manager.runtime
        self.root = manager.root
        self.folder = manager.folder
        self.runtime_folder = manager.folder if manager.runtime else manager.other_folder
        self.uid, self.gid = (manager.account.pw_uid, manager.account.pw_gid) if manager.account else (0, 0)
        self.has_manager = manager.has_manager
        self.manager_answers = manager.manager_answers
        self.wait_for_manager = manager.wait_for_manager
        self.show = self.states.show
        self.ask = in_copy(self.unit_folder, manager) if self.root else manager.ask
        self.lingers = manager.lingers
        self.set_linger = manager.set_linger
        self.monotonic = time.monotonic
        self.sleep = time.sleep

    def attempt(self, *args: str, timeout: float = QUERY_TIMEOUT) -> Reply:
        """How systemctl ends; that it fails is no error here."""
        return self.manager.command(self.manager.systemctl(*args), timeout)

    def start_call(self, *args: str) -> Call:
        """A systemctl that waits for its jobs."""
        return self.manager.runner.start(self.manager.systemctl(*args))

    def run(self, argv: t.Sequence[str], timeout: float = QUERY_TIMEOUT) -> Reply:
        """Another program, as the user whose manager it is."""
        return self.manager.command(argv, timeout, most=_MAX_OUTPUT)

    # The journal

    def sync_journal(self) -> None:
        """Have journald write what it has been sent: what a process said last may still be on its way."""
        self._attempt_as_root(["journalctl", "--sync"])

    def own_unit(self) -> str:
        """The unit of which this very run is a process, as the manager calls it; empty when it is of none."""
        try:
            with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as stream:
                found = [line.rstrip("\n").split(":", 2) for line in stream]
        except OSError:
            return ""
        # On a host with cgroup version 1 the manager's own hierarchy is one of many.
        paths = [line[2] for line in found if line[1:2] in (["name=systemd"], [""]) and line[2] != "/"]
        parts = paths[0].split("/") if paths else []
        if self.scope == "user":
            manager = self.manager.manager_unit()
            parts = parts[parts.index(manager) + 1 :] if manager in parts else []
        return next((part for part in parts if part.endswith(".service")), "")

    def is_executed(self, pid: str) -> bool:
        """Whether a process runs a program: it has not ended, and is past systemd's own code that prepares it."""
        try:
            return not _SYSTEMD.search(os.readlink(f"/proc/{pid}/exe"))
        except FileNotFoundError:
            return False
        except OSError:  # not ours to see
            return True

    def failed_command(self, unit: str) -> str:
        """Which command beside the main one failed, in words; empty when none did."""
        try:
            shown = parse_show(self.ask("show", f"--property=Id,{','.join(_BESIDE)}", "--", unit), ("Id", *_BESIDE))
        except SystemdError:
            return ""
        for name, values in next(iter(shown.values()), {}).items():
            for ended in filter(None, map(_COMMAND_END.search, values)):
                code, status = ended.group("code", "status")
                if (code, status) != ("exited", "0"):
                    how = "exit status" if code == "exited" else "signal"
                    return f"{name}={ended.group('argv')} ended with {how} {status}"
        return ""

    def log(self, unit: str, since: float, lines: int) -> list[str]:
        """The newest journal lines of a unit since a moment of ``monotonic``: its own, then the manager's about it."""
        account = self.manager.account
        invocation, pids = self._processes(unit)
        query = UnitQuery(unit, since, invocation, pids, account.pw_uid if account else None)
        reply = self._attempt_as_root(query.argv(time.time(), time.monotonic(), lines))
        return query.lines_of(reply.out, lines) if reply else []

    def _processes(self, unit: str) -> tuple[str, tuple[str, ...]]:
        """The invocation of a unit and the PIDs of its processes, also of those that have ended."""
        names = ("Id", "InvocationID", *_PIDS, *_COMMANDS)
        try:
            shown = parse_show(self.ask("show", f"--property={','.join(names)}", "--", unit), names)
        except SystemdError:
            return "", ()
        found = next(iter(shown.values()), {})
        pids = {value for name in _PIDS for value in found.get(name, ())}
        for name in _COMMANDS:
            for value in found.get(name, ()):
                pids.update(_COMMAND_PID.findall(value)[-1:])
        return found.get("InvocationID", [""])[-1], tuple(sorted(pids - {"0", "1"}))

    def _attempt_as_root(self, argv: t.Sequence[str]) -> Reply | None:
        """A program without which we can do. Not every user may read the journal, or have it written."""
        try:
            return self.manager.command(argv, _SYNC_TIMEOUT, as_user=False)
        except SystemdError:
            return None

    # Files, with the rights of their owner

    def read_file(self, path: str) -> File:
        """What stands at a path, without following a link at its end."""
        with self.manager.as_owner():
            return self.unit_folder.read_file(path)

    def read_place(self, path: str) -> File:
        """What stands at a path, with the digest of a file's content and all attributes; no link is followed."""
        with self.manager.as_owner():
            return read_place(path)

    def open_place(self, path: str) -> t.BinaryIO:
        """Open the file at a path for reading; no link is followed."""
        with self.manager.as_owner():
            return open_place(path)

    def list_links(self) -> dict[str, str]:
        """The links in the unit folder: ``{path below it: target}``."""
        with self.manager.as_owner():
            return self.unit_folder.list_links()

    def change_files(self, changes: t.Sequence[Change], token: str) -> None:
        """Make every change; see ``files.apply``."""
        with self.manager.as_owner():
            _files.apply(changes, token, self.unit_folder.base, self._open_content)

    def _open_content(self, digest: str) -> t.BinaryIO:
        with self.manager.as_root():
            return self.contents.open(digest)

    def clean_folders(self, paths: t.Sequence[str], token: str) -> None:
        """Remove what a killed run left beside these paths, and their folders if they are empty."""
        with self.manager.as_owner():
            _files.remove_temporary(paths, token, self.unit_folder.base)
            own = tuple(f"{folder}/" for folder in (self.folder, self.manager.other_folder))
            _files.remove_empty_folders([path for path in paths if path.startswith(own)], self.unit_folder.base)

    # Versions of programs

    def _release(self, path: str) -> ReleaseFolder:
        from .releases import ReleaseFolder  # only tasks with a release need to unpack and to prepare

        return ReleaseFolder(path, self.manager.as_owner, self.manager.as_root, self.manager.account)

    def make_version(self, step: ReleaseStep) -> None:
        """Make the version of a release that shall be current, unless it is there; note which ones are used."""
        folder = self._release(step.release.path)
        if step.is_new:
            folder.make(step.release)
        if step.version not in ("", step.before):
            folder.use(*filter(None, (step.before, step.version)))

    def discard_version(self, path: str, version: str) -> None:
        """Remove a version that was made in vain."""
        self._release(path).remove([version])

    def spoil_version(self, path: str, version: str) -> None:
        """Remove what says that it is complete."""
        self._release(path).spoil(version)

    def remove_versions(self, path: str, versions: t.Iterable[str], is_last: bool) -> None:
        """Remove versions of a release, and what killed runs left.

        :param is_last: whether the release goes, and its folder when nothing is left in it.
        :raises OSError: when that is impossible.
        """
        folder = self._release(path)
        folder.remove(versions)
        if is_last:
            folder.remove_folder()

    def boot_id(self) -> str:
        """Tells one boot from another."""
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
                return stream.read().strip()
        except OSError:
            return ""

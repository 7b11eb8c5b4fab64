# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One systemd manager: its folder, what it says of its units, and the user it belongs to."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import re
import time
import typing as t

from .systemd import (
    QUERY_TIMEOUT,
    Systemd,
    SystemdError,
    shown,
)

RELOAD_TIMEOUT = 300.0  # seconds; small boards with many units need minutes for a daemon-reload
MANAGER_TIMEOUT = 30.0  # seconds until a user manager that was just started must answer
_MANY_UNITS = 50  # from so many on a second systemctl is worth its start

PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "CanReload",
    "InvocationID",
    "InactiveExitTimestampMonotonic",
    "Job",
    "MainPID",
    "NRestarts",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "StatusText",
    "Type",
    "RemainAfterExit",
    "ConditionResult",
    "ConditionTimestampMonotonic",
    "LoadError",
    "TriggeredBy",
    "Triggers",
    "RequiredBy",
    "BoundBy",
    "ConsistsOf",
    "RequisiteOf",
    "PropagatesStopTo",
)


class Manager(Systemd):
    """One manager (system, global or of one user), alive or as a tree of files below ``root``.

    :param scope: ``system``, ``user`` or ``global``.
    :param user: name of the user for scope ``user``; empty means the user who runs us.
    :param runtime: work in the folder below /run, which the next boot empties.
    :param root: path of an unpacked image; empty means this host.
    """

    def __init__(self, scope: str = "system", user: str = "", runtime: bool = False, root: str = "") -> None:
        self.scope = scope
        self.runtime = runtime
        self.root = root.rstrip("/")
        if scope == "user":
            try:
                self.account = pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())
            except KeyError:
                raise SystemdError(
                    f"user: there is no user {user!r} on this host; create it before this task"
                ) from None
        self.folder = self._unit_folder(runtime)
        self.other_folder = self._unit_folder(not runtime)

    def _unit_folder(self, runtime: bool) -> str:
        """Where unit files of this scope go (systemd.unit(5), "Unit File Load Path")."""
        if self.account is not None:
            if runtime:
                return f"/run/user/{self.account.pw_uid}/systemd/user"
            return f"{self.account.pw_dir.rstrip('/')}/.config/systemd/user"
        kind = "user" if self.scope == "global" else "system"
        return f"{self.root}{'/run' if runtime else '/etc'}/systemd/{kind}"

    @property
    def has_manager(self) -> bool:
        """False where there are only files: another root, or the folder that all user managers share."""
        return not self.root and self.scope != "global"

    # Its programs

    def _identity(self, env: t.Mapping[str, str] | None = None, as_user: bool = True) -> dict[str, t.Any]:
        identity = super()._identity(env)
        account = self.account
        if account is None or not as_user:
            return identity
        runtime = f"/run/user/{account.pw_uid}"
        environment = identity["env"]
        environment.update(
            HOME=account.pw_dir,
            USER=account.pw_name,
            LOGNAME=account.pw_name,
            XDG_RUNTIME_DIR=runtime,
            DBUS_SESSION_BUS_ADDRESS=f"unix:path={runtime}/bus",
        )
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            environment.pop(name, None)
        identity["cwd"] = "/"
        if os.geteuid() != account.pw_uid:
            groups = os.getgrouplist(account.pw_name, account.pw_gid)
            identity.update(user=account.pw_uid, group=account.pw_gid, extra_groups=groups)
        return identity

    def systemctl(self, *args: str) -> list[str]:
        """The whole argument list of a systemctl call for this manager or root."""
        options = []
        if self.scope == "user":
            options.append("--user")
        elif self.scope == "global":
            options.append("--global")
        if self.root:
            options.append(f"--root={self.root}")
        return ["systemctl", *options, "--no-pager", "--no-ask-password", *args]

    def ask(self, *args: str, timeout: float = QUERY_TIMEOUT) -> str:
        """Run systemctl and return what it prints.

        :raises SystemdError: when it fails, with its own words.
        """
        reply = self.command(self.systemctl(*args), timeout)
        if reply.code != 0:
            words = (reply.err or reply.out).strip() or f"it ended with exit status {reply.code}"
            raise SystemdError(f"{shown(self.systemctl(*args))}: {words}")
        return reply.out

    def version(self) -> int:
        """The release of systemd: of the running one, or of the files below root.

        :raises SystemdError: when it cannot be told.
        """
        return self.release_of_files() if self.root else super().version()

    def release_of_files(self) -> int:
        """The release by the name of the library that all its programs share, for nothing in a root can be run."""
        for folder in ("usr/lib/systemd", "lib/systemd", "usr/lib/*/systemd", "usr/lib64/systemd"):
            for path in glob.glob(f"{glob.escape(self.root)}/{folder}/libsystemd-shared-*.so"):
                found = re.search(r"libsystemd-shared-(\d+)", path)
                if found:
                    return int(found.group(1))
        raise SystemdError(f"root: there is no systemd below {self.root}: no libsystemd-shared-NNN.so was found")

    def known_directives(self) -> frozenset[tuple[str, str]] | None:
        return None if self.root else super().known_directives()

    # The run state of its units

    def show(self, names: t.Iterable[str], properties: t.Sequence[str] = PROPERTIES) -> dict[str, dict[str, str]]:
        """State of units: ``{name: {property: value}}`` under the asked name and the unit's own.

        Names may be patterns such as ``worker@*.service``, which match loaded units only. Templates have no state
        and may not be asked for.
        """
        names = list(dict.fromkeys(names))
        if not names:
            return {}
        wanted = properties if "Names" in properties else ("Id", "Names", *properties)
        states: dict[str, dict[str, str]] = {}
        for out in self._outputs(names, ("show", f"--property={','.join(wanted)}", "--")):
            for block in out.split("\n\n"):
                state = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
                for name in [state.get("Id", ""), *state.get("Names", "").split()]:
                    if name:
                        states[name] = state
        return states

    def _outputs(self, names: t.Sequence[str], words: t.Sequence[str]) -> t.Iterable[str]:
        """What systemctl prints, of many units by two calls side by side: it takes as long to read as the manager to tell."""
        if len(names) < _MANY_UNITS:
            return [self.ask(*words, *names)]
        import concurrent.futures  # noqa: PLC0415  brings more along than all the rest of a small task needs

        middle = len(names) // 2
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda part: self.ask(*words, *part), (names[:middle], names[middle:])))

    def activity(self, names: t.Sequence[str]) -> dict[str, tuple[str, str]]:
        """Active state and sub-state of the units that are loaded: ``{name: (state, sub-state)}``.

        A hundredth of the work of ``show``, which makes the manager tell all properties, whatever it is asked for.
        """
        if not names:
            return {}
        found = {}
        for line in self.ask("list-units", "--all", "--full", "--plain", "--no-legend", "--", *names).splitlines():
            words = line.split(None, 4)
            if len(words) >= 4:
                found[words[0]] = (words[2], words[3])
        return found

    # The user whose manager it is

    @contextlib.contextmanager
    def as_owner(self) -> t.Iterator[None]:
        """Touch files with the rights of the user whose units they are, so that no link of theirs leads us astray."""
        account = self.account
        if account is None or os.geteuid() == account.pw_uid:
            yield
            return
        groups, group = os.getgroups(), os.getegid()
        os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
        os.setegid(account.pw_gid)
        os.seteuid(account.pw_uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)

    def linger_file(self) -> str:
        """The file by which logind knows that the user's manager shall run from boot on."""
        return f"/var/lib/systemd/linger/{self.account.pw_name}" if self.account else ""

    def manager_unit(self) -> str:
        """The system unit that runs the user's manager."""
        return f"user@{self.account.pw_uid}.service" if self.account else ""

    def set_linger(self, on: bool) -> None:
        if self.account is None:
            return
        argv = ["loginctl", "enable-linger" if on else "disable-linger", self.account.pw_name]
        done = self.command(argv, as_user=False)
        if done.code != 0:
            raise SystemdError(f"{shown(argv)}: {done.err.strip()}")

    def manager_answers(self) -> bool:
        """Whether the manager can be talked to. Only a user's one can be down on a host that works."""
        if self.account is None:
            return True
        if not os.path.exists(f"/run/user/{self.account.pw_uid}/systemd/private"):
            return False
        return self.command(self.systemctl("show", "--property=Version")).code == 0

    def wait_for_manager(self, timeout: float = MANAGER_TIMEOUT) -> None:
        """Wait until the user's manager answers.

        :raises SystemdError: when it does not in time.
        """
        end = time.monotonic() + timeout
        while not self.manager_answers():
            if time.monotonic() > end:
                name = self.account.pw_name if self.account else ""
                raise SystemdError(
                    f"the user manager of {name} does not run; set linger: true, or have {name} log in before this task"
                )
            time.sleep(0.05)

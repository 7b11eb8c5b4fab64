# SPDX-License-Identifier: GPL-3.0-or-later

"""One systemd manager: its unit folders, systemctl for it, and the user it belongs to."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import re
import time
import typing as t

from .below import own_path
from .systemd import QUERY_TIMEOUT, Runner, SystemdError, shown

RELOAD_TIMEOUT = 300.0  # seconds; small boards with many units need minutes for a daemon-reload
MANAGER_TIMEOUT = 30.0  # seconds until a user manager that was just started must answer


class Manager:
    """One manager (system, global or of one user), alive or as a tree of files below ``root``.

    :param scope: ``system``, ``user`` or ``global``.
    :param user: name of the user for scope ``user``; empty means the user who runs us.
    :param runtime: work in the folder below /run, which the next boot empties.
    :param root: path of an unpacked image; empty means this host.
    """

    def __init__(self, scope: str = "system", user: str = "", runtime: bool = False, root: str = "") -> None:
        self.scope = scope
        self.runtime = runtime
        self.root = _image(root)
        self.account = _account(user) if scope == "user" else None
        self.user = self.account.pw_name if self.account else ""
        self.runner = Runner(scope, self.account)
        self.command = self.runner.command
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
        return self.begin(*args, timeout=timeout)()

    def begin(self, *args: str, timeout: float = QUERY_TIMEOUT) -> t.Callable[[], str]:
        """Start what ``ask`` does; the function returned waits for it and returns what systemctl prints."""
        argv = self.systemctl(*args)
        end = self.runner.begin(argv, timeout)

        def answer() -> str:
            reply = end()
            if reply.code != 0:
                raise SystemdError(f"{shown(argv)}: {reply.words()}")
            return reply.out

        return answer

    def version(self) -> int:
        """The release of systemd: of the running one, or of the files below root.

        :raises SystemdError: when it cannot be told.
        """
        return self.release_of_files() if self.root else self.runner.version()

    def release_of_files(self) -> int:
        """The release by the name of the library that all its programs share, because nothing in a root can be run."""
        for folder in ("usr/lib/systemd", "lib/systemd", "usr/lib/*/systemd", "usr/lib64/systemd"):
            for path in glob.glob(f"{glob.escape(self.root)}/{folder}/libsystemd-shared-*.so"):
                found = re.search(r"libsystemd-shared-(\d+)", path)
                if found:
                    return int(found.group(1))
        raise SystemdError(f"root: there is no systemd below {self.root}: no libsystemd-shared-NNN.so was found")

    def known_directives(self) -> frozenset[tuple[str, str]] | None:
        """The (section, directive) pairs that the running systemd knows; None when it cannot be asked."""
        return None if self.root else self.runner.known_directives()

    # The user whose manager it is

    @contextlib.contextmanager
    def as_owner(self) -> t.Iterator[None]:
        """Touch files with the rights of the user whose units they are, so that their symlinks cannot redirect root."""
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

    @contextlib.contextmanager
    def as_root(self) -> t.Iterator[None]:
        """Touch our own files with our own rights, within ``as_owner``."""
        user = os.geteuid()
        if user == os.getuid():
            yield
            return
        os.seteuid(os.getuid())
        try:
            yield
        finally:
            os.seteuid(user)

    def manager_unit(self) -> str:
        """The system unit that runs the user's manager."""
        return f"user@{self.account.pw_uid}.service" if self.account else ""

    def lingers(self) -> bool:
        """Whether the user's manager runs from boot on; False for another scope."""
        return self.account is not None and os.path.exists(f"/var/lib/systemd/linger/{self.user}")

    def set_linger(self, on: bool) -> None:
        """Have the user's manager run from boot on, or not.

        :raises SystemdError: when logind refuses.
        """
        if self.account is None:
            return
        argv = ["loginctl", "enable-linger" if on else "disable-linger", "--", self.user]
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
                raise SystemdError(
                    f"the user manager of {self.user} does not run; set linger: true, or have {self.user} log in"
                    " before this task"
                )
            time.sleep(0.05)


def _image(root: str) -> str:
    """The path of an image without links, which others could point elsewhere; empty for none."""
    if not root:
        return ""
    try:
        image = own_path(root)
    except (ValueError, OSError) as error:
        raise SystemdError(f"root: {error}") from None
    if not image:
        raise SystemdError("root: / is the running host itself; leave root out")
    return image


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())
    except KeyError:
        raise SystemdError(f"user: there is no user {user!r} on this host; create it before this task") from None

# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the programs of systemd. Nothing else starts programs, but for apart.py by way of ``popen``."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import signal
import subprocess  # not AnsibleModule.run_command: only _modules/ knows Ansible
import typing as t

from .._syntax.words import shorten

QUERY_TIMEOUT = 60.0  # seconds; PID 1 answers at once unless it is reloading


class SystemdError(Exception):
    """A command of systemd failed or did not answer; the message names it."""


class Reply(t.NamedTuple):
    """How a program ended: exit status (below 0: the signal), output, errors."""

    code: int
    out: str
    err: str

    def words(self) -> str:
        """Why it failed, by its own words where it has any."""
        return self.err.strip() or self.out.strip() or f"it ended with exit status {self.code}"


def popen(argv: t.Sequence[str], options: dict[str, t.Any]) -> subprocess.Popen[bytes]:
    """Start a program, by default with all that it writes in one pipe.

    :raises SystemdError: when it is missing.
    """
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        return subprocess.Popen(  # pylint: disable=ansible-bad-function  # run_command cannot leave the wait to us
            list(argv), **{**streams, **options}
        )
    except FileNotFoundError:
        raise SystemdError(f"{argv[0]} is not installed on this host, or not in PATH") from None


class Runner:
    """Runs programs of systemd: as root, or as the user whose manager they are to ask.

    :ivar scope: ``system``, ``user`` or ``global``.
    :ivar account: the user of scope ``user``.
    """

    def __init__(self, scope: str = "system", account: pwd.struct_passwd | None = None) -> None:
        self.scope = scope
        self.account = account

    def command(
        self,
        argv: t.Sequence[str],
        timeout: float = QUERY_TIMEOUT,
        env: t.Mapping[str, str] | None = None,
        as_user: bool = True,
        most: int = 0,
        data: bytes | None = None,
    ) -> Reply:
        """Run a program to its end.

        :param timeout: seconds after which it is killed.
        :param as_user: False: as root, whosever manager it is.
        :param most: bytes that it may print; 0 for a program of systemd, which is trusted not to print without end.
        :param data: what it reads; never on a disk.
        :raises SystemdError: when it is missing, does not end in time or prints more.
        """
        return self.begin(argv, timeout, env, as_user, most, data)()

    def begin(
        self,
        argv: t.Sequence[str],
        timeout: float = QUERY_TIMEOUT,
        env: t.Mapping[str, str] | None = None,
        as_user: bool = True,
        most: int = 0,
        data: bytes | None = None,
    ) -> t.Callable[[], Reply]:
        """Start a program; the function returned does the rest of ``command``.

        The output goes to a file in memory: through a pipe the program would wait for us after its first 64 kB.

        :raises SystemdError: when it is missing.
        """
        output, errors = _Memory(most), _Memory(most)
        options = {"stdout": output.stream, "stderr": errors.stream, "start_new_session": True}
        options.update(self._identity(env, as_user))
        if data is not None:
            options["stdin"] = given = _Memory(0).stream
            given.write(data)
            given.seek(0)
        process = popen(argv, options)

        def end() -> Reply:
            with output.stream, errors.stream, process:
                try:
                    process.wait(timeout=timeout)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)  # with what it has started
                    raise SystemdError(f"{shown(argv)} did not answer within {timeout:.0f} s") from None
                if output.is_full() or errors.is_full():
                    raise SystemdError(f"{shown(argv)} printed more than {most} bytes")
                return Reply(process.returncode, output.text(), errors.text())

        return end

    def start(self, argv: t.Sequence[str]) -> Running:
        """Start a program as ``command`` does, and leave the waiting to the caller.

        :raises SystemdError: when it is missing.
        """
        return Running(popen(argv, self._identity()))

    def _identity(self, env: t.Mapping[str, str] | None = None, as_user: bool = True) -> dict[str, t.Any]:
        """User, groups and environment a program is started with."""
        own = dict(os.environ)
        if self.account is not None and as_user:  # the play's variables, tokens among them, are not for the user
            own = {name: own[name] for name in ("PATH", "TZ") if name in own}
        environment = dict(own, LC_ALL="C.UTF-8", SYSTEMD_PAGER="", SYSTEMD_COLORS="0", SYSTEMD_URLIFY="0")
        identity: dict[str, t.Any] = {"env": environment}
        if self.account is not None and as_user:
            identity.update(_session(self.account, environment))
        environment.update(env or {})
        return identity

    def version(self) -> int:
        """The release of systemd on this host.

        :raises SystemdError: when it cannot be told.
        """
        first = self.command(["systemctl", "--version"]).out.partition("\n")[0]
        found = re.match(r"systemd (\d+)", first)
        if not found:
            raise SystemdError(f"systemctl --version answers {first!r}, which names no release")
        return int(found.group(1))

    def known_directives(self) -> frozenset[tuple[str, str]] | None:
        """The (section, directive) pairs that this host's systemd knows; None when it cannot be asked."""
        for program in ("/usr/lib/systemd/systemd", "/lib/systemd/systemd"):
            if os.path.exists(program):
                reply = self.command([program, "--dump-configuration-items"])
                return parse_directive_dump(reply.out) if reply.code == 0 else None
        return None


class _Memory:
    """A file in memory that takes so many bytes (0: any number); who writes more gets an error."""

    def __init__(self, most: int) -> None:
        handle = os.memfd_create("output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.stream = open(handle, "w+b")  # noqa: SIM115  closed by who waits for the program
        self._most = most
        if most:
            os.ftruncate(handle, most)
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)

    def is_full(self) -> bool:
        """Whether no byte more would fit."""
        return bool(self._most) and self._written() >= self._most

    def _written(self) -> int:
        # The program's end of the file has moved ours.
        return os.lseek(self.stream.fileno(), 0, os.SEEK_CUR)

    def text(self) -> str:
        """What was written."""
        size = self._written() if self._most else -1
        self.stream.seek(0)
        return self.stream.read(size).decode("utf-8", "replace")


class Running:
    """A program that runs beside us; leaving the ``with`` block ends it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self, seconds: float) -> tuple[int, str] | None:
        """Exit status and output once it has ended; None when it runs longer than that."""
        try:
            out, _none = self._process.communicate(timeout=max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return None
        return self._process.returncode, out.decode("utf-8", "replace")

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _session(account: pwd.struct_passwd, environment: dict[str, str]) -> dict[str, t.Any]:
    """What makes a program one of a user's session; the environment is changed for it."""
    runtime = f"/run/user/{account.pw_uid}"
    environment.update(
        HOME=account.pw_dir,
        USER=account.pw_name,
        LOGNAME=account.pw_name,
        XDG_RUNTIME_DIR=runtime,
        DBUS_SESSION_BUS_ADDRESS=f"unix:path={runtime}/bus",
    )
    return {"cwd": "/", **identity_of(account)}


def identity_of(account: pwd.struct_passwd) -> dict[str, t.Any]:
    """What starts a program as a user, with all groups; nothing when we are that user."""
    if os.geteuid() == account.pw_uid:
        return {}
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}


def parse_directive_dump(text: str) -> frozenset[tuple[str, str]]:
    """The pairs in the output of ``systemd --dump-configuration-items``: ``[Section]`` and ``Directive=TYPE`` lines."""
    known = set()
    section = ""
    for line in text.split("\n"):
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line:
            directive, _sign, kind = line.partition("=")
            if kind != "NOTSUPPORTED":
                known.add((section, directive))
    return frozenset(known)


def shown(argv: t.Sequence[str]) -> str:
    """A command as messages show it."""
    return shorten(" ".join(argv), 160)

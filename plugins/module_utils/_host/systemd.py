# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of systemd. The only file that runs commands."""

from __future__ import annotations

import os
import pwd
import re
import subprocess  # not AnsibleModule.run_command: only _module.py knows Ansible, and a plan runs in tests without it
import typing as t

QUERY_TIMEOUT = 60.0  # seconds; PID 1 answers at once unless it is reloading


class SystemdError(Exception):
    """A command of systemd failed or did not answer; the message names it."""


class Reply(t.NamedTuple):
    code: int
    out: str
    err: str


class Systemd:
    """systemd's programs on this host, for the system manager. ``_manager.Manager`` is for the other ones."""

    scope = "system"
    account: pwd.struct_passwd | None = None
    folder = "/etc/systemd/system"
    release_text = ""

    def command(
        self,
        argv: t.Sequence[str],
        timeout: float = QUERY_TIMEOUT,
        env: t.Mapping[str, str] | None = None,
        as_user: bool = True,
    ) -> Reply:
        """Run a program of systemd as root, or for scope ``user`` as that user inside the user's session.

        :param as_user: False: as root in any scope.
        :raises SystemdError: when it is missing or does not end in time (it is killed then).
        """
        try:
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                list(argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
                **self._identity(env, as_user),
            )
        except FileNotFoundError:
            raise SystemdError(f"{argv[0]} is not installed on this host, or not in PATH") from None
        except subprocess.TimeoutExpired:
            raise SystemdError(f"{shown(argv)} did not answer within {timeout:.0f} s") from None
        return Reply(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def start_command(self, argv: t.Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program as ``command`` does, and leave the waiting to the caller."""
        try:
            return subprocess.Popen(  # pylint: disable=ansible-bad-function
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                **self._identity(),
            )
        except FileNotFoundError:
            raise SystemdError(f"{argv[0]} is not installed on this host, or not in PATH") from None

    def _identity(self, env: t.Mapping[str, str] | None = None, as_user: bool = True) -> dict[str, t.Any]:
        """User, groups and environment a program is started with."""
        environment = dict(os.environ, LC_ALL="C.UTF-8", SYSTEMD_PAGER="", SYSTEMD_COLORS="0", SYSTEMD_URLIFY="0")
        environment.update(env or {})
        return {"env": environment}

    def version(self) -> int:
        """The release of systemd.

        :raises SystemdError: when it cannot be told.
        """
        first = self.command(["systemctl", "--version"]).out.partition("\n")[0]
        found = re.match(r"systemd (\d+)(?: \((.*)\))?", first)
        if not found:
            raise SystemdError(f"systemctl --version answers {first!r}, which names no release")
        self.release_text = found.group(2) or found.group(1)
        return int(found.group(1))

    def known_directives(self) -> frozenset[tuple[str, str]] | None:
        """The (section, directive) pairs that this host's systemd knows; None when it cannot be asked."""
        for program in ("/usr/lib/systemd/systemd", "/lib/systemd/systemd"):
            if os.path.exists(program):
                reply = self.command([program, "--dump-configuration-items"])
                return parse_directive_dump(reply.out) if reply.code == 0 else None
        return None


def parse_directive_dump(text: str) -> frozenset[tuple[str, str]]:
    """The pairs in the output of ``systemd --dump-configuration-items``: ``[Section]`` and ``Directive=TYPE`` lines."""
    known = set()
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line:
            directive, _sign, kind = line.partition("=")
            if kind != "NOTSUPPORTED":
                known.add((section, directive))
    return frozenset(known)


def shown(argv: t.Sequence[str], most: int = 160) -> str:
    text = " ".join(argv)
    return text if len(text) <= most else f"{text[:most]}..."

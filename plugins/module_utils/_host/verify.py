# SPDX-License-Identifier: GPL-3.0-or-later

"""What the target's own ``systemd-analyze verify`` says of a set of unit files, before any of them is in place."""

from __future__ import annotations

import contextlib
import glob
import os
import posixpath
import re
import shutil
import tempfile
import typing as t

from .._lint.judge import WHOLE, PendingFile
from .._model import ERROR, INFO, UNIT_MODE, WARNING, Finding, Unit
from .._syntax.effective import unit_names_in
from .._syntax.names import template_of
from .._syntax.words import shorten, to_bytes
from .systemd import Reply, Runner, SystemdError

_RECURSIVE_ERRORS_SINCE = 250  # systemd-analyze verify --recursive-errors= (NEWS of 250)
# With SYSTEMD_LOG_TARGET=console-prefixed: <syslog level>, then perhaps FILE:LINE:, then the message.
_MESSAGE = re.compile(r"<(\d+)>(?:((?:/|\.)\S*?):(\d+): )?(.*)")
_UNIT_IN_FRONT = re.compile(r"([A-Za-z0-9:_.\\@-]+\.[a-z]+): ")
# The unit loads, and the setting holds: worth a word, not a refusal.
_OUTDATED = re.compile(r"deprecated|obsolete|legacy|removed|not recommended|support for it|unsafe|discouraged")
_NO_CGROUP = "Cannot determine cgroup"
_STAGE = "unitcraft-verify-"  # then the process that made it
SYSTEM_FOLDER = "/etc/systemd/system"
VERIFY_TIMEOUT = 120.0  # seconds; a few hundred units take one


class Staged(t.NamedTuple):
    """One file of the set: the unit it belongs to, its place below the unit folder, its text, the unit's aliases."""

    unit: str
    place: str  # rot13.service or rot13.service.d/10-limits.conf
    data: bytes
    aliases: t.Sequence[str] = ()


def verify(runner: Runner, files: t.Sequence[Staged], release: int, folder: str = SYSTEM_FOLDER) -> list[Finding]:
    """Findings of ``systemd-analyze verify`` about the files of a set, merged with the host's units and drop-ins.

    :param release: systemd release of the host.
    :param folder: the unit folder in which the files will stand.
    :returns: only what is about these files or their units; source ``verify``.
    :raises SystemdError: when systemd-analyze is missing, does not end, or fails without a word about the files.
    """
    with stage_files(files) as stage:
        return _Verify(runner, stage, files, release, folder).findings()


@contextlib.contextmanager
def stage_files(files: t.Sequence[Staged]) -> t.Iterator[str]:
    """A folder with the files in their places, readable for every user manager as unit files are."""
    place = "/run" if os.geteuid() == 0 else tempfile.gettempdir()
    _remove_abandoned(place)
    stage = ""
    try:
        try:
            stage = tempfile.mkdtemp(prefix=f"{_STAGE}{os.getpid()}-", dir=place)
            _fill(stage, files)
        except OSError as error:
            raise SystemdError(
                f"{place}: the files cannot be put there for systemd-analyze to judge ({error.strerror}); make room,"
                " or set verify: false"
            ) from None
        yield stage
    finally:
        if stage:
            shutil.rmtree(stage, ignore_errors=True)


def _fill(stage: str, files: t.Sequence[Staged]) -> None:
    os.chmod(stage, 0o755)  # noqa: S103  verify runs as the owner of the scope
    for file in files:
        path = os.path.join(stage, file.place)
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)  # noqa: S103  whatever the umask
        with open(path, "wb") as stream:
            stream.write(file.data)
            os.fchmod(stream.fileno(), UNIT_MODE)
    for file in files:
        for alias in file.aliases:
            with contextlib.suppress(FileExistsError):
                os.symlink(file.unit, os.path.join(stage, alias))


def _remove_abandoned(place: str) -> None:
    """Remove what runs that were killed while they verified have left."""
    for stage in glob.glob(f"{glob.escape(place)}/{_STAGE}[0-9]*-*"):
        pid = os.path.basename(stage)[len(_STAGE) :].partition("-")[0]
        with contextlib.suppress(OSError):
            if not os.path.exists(f"/proc/{pid}") and os.lstat(stage).st_uid == os.geteuid():
                shutil.rmtree(stage, ignore_errors=True)


class _Verify:
    def __init__(self, runner: Runner, stage: str, files: t.Sequence[Staged], release: int, folder: str) -> None:
        self.runner = runner
        self.folder = folder
        self.stage = stage
        self.files = {os.path.join(stage, file.place): file for file in files}
        self.units = {file.unit for file in files}
        self.release = release

    def findings(self) -> list[Finding]:
        # A fragment by its staged path, a unit of which only a drop-in is in the set by its name.
        fragments = {
            file.unit: os.path.join(self.stage, file.place) for file in self.files.values() if "/" not in file.place
        }
        names = [fragments.get(unit, unit) for unit in sorted(self.units)]
        found: list[Finding] = []
        runs = [(options, self._begin(options, names)) for options in self._passes()]
        for options, run in runs:
            for finding in filter(None, map(self._finding, self._output(run(), options, names))):
                if finding not in found:
                    found.append(finding)
        return found

    def _passes(self) -> list[list[str]]:
        """From 250 on the first pass finds what is wrong in the files alone; the second loads what they depend on."""
        return [["--recursive-errors=no"], []] if self.release >= _RECURSIVE_ERRORS_SINCE else [[]]

    def _output(self, reply: Reply, options: t.Sequence[str], names: list[str]) -> list[str]:
        if reply.code >= 0:
            lines = reply.err.split("\n")
            if reply.code and not any(map(_MESSAGE.match, lines)):  # it did not get as far as the files
                words = reply.err.strip() or f"it ended with exit status {reply.code} and said nothing"
                raise SystemdError(f"systemd-analyze verify: {shorten(words, 500)}; mend this, or set verify: false")
            return lines
        # 247 aborts at some units (Type=dbus without BusName=), and with it the whole call: find out which.
        if len(names) == 1:
            unit = os.path.basename(names[0])
            return [f"<3>{unit}: systemd-analyze verify was ended by signal {-reply.code} at this unit"]
        middle = len(names) // 2
        parts = names[:middle], names[middle:]
        return [line for part in parts for line in self._output(self._begin(options, part)(), options, part)]

    def _begin(self, options: t.Sequence[str], names: t.Sequence[str]) -> t.Callable[[], Reply]:
        manager = [] if self.runner.scope == "system" else ["--user"]
        environment = {
            "SYSTEMD_LOG_TARGET": "console-prefixed",
            "SYSTEMD_LOG_LEVEL": "info",
            "SYSTEMD_LOG_COLOR": "0",  # 247 colours its messages even into a pipe
            "SYSTEMD_UNIT_PATH": f"{self.stage}:",
        }
        if manager and self.runner.account is None:
            environment["XDG_RUNTIME_DIR"] = self.stage
        argv = ["systemd-analyze", *manager, "verify", "--man=no", *options, "--", *names]
        return self.runner.begin(argv, VERIFY_TIMEOUT, environment)

    def _finding(self, line: str) -> Finding | None:
        match = _MESSAGE.match(line)
        if not match:
            return None
        level, path, number, message = int(match.group(1)) & 7, match.group(2), match.group(3), match.group(4)
        if _NO_CGROUP in message:
            unit = sorted(self.units)[0]
            return _reported(
                unit, INFO, "systemd-analyze verify cannot run here (no cgroup); only our own checks were made", ""
            )
        if path:
            file = self.files.get(path)
            if file is None:
                return None
            place = posixpath.join(self.folder, file.place)
            return _reported(file.unit, self._severity(level, message), message, place, int(number))
        in_front = _UNIT_IN_FRONT.match(message)
        about = in_front.group(1) if in_front else ""
        owner = about if about in self.units else self._owner(about, message)
        if not owner or level > 5:
            return None
        text = message[in_front.end() :] if in_front and about == owner else message
        return _reported(owner, self._severity(level, message), text.replace(self.stage + "/", ""), "")

    def _owner(self, about: str, message: str) -> str:
        """Whose message it is: of an instance of our template, or one that names our unit's start job."""
        template = template_of(about)
        if template in self.units:
            return template
        return next((unit for unit in sorted(self.units) if f" {unit}/start" in message), "")

    @staticmethod
    def _severity(level: int, message: str) -> str:
        if level <= 3:
            return ERROR
        if level == 4:
            return WARNING if _OUTDATED.search(message) else ERROR
        return WARNING if level == 5 else INFO


def _reported(unit: str, severity: str, message: str, path: str, line: int = 0) -> Finding:
    return Finding("verify", severity, unit, message, path=path, line=line, source="verify")


def staged_file(unit: str, dropin: str, text: str) -> Staged:
    """A file of the set by its unit and, for a drop-in, its name without ``.conf``."""
    return Staged(unit, f"{unit}.d/{dropin}.conf" if dropin else unit, to_bytes(text))


def staged(pending: t.Sequence[PendingFile]) -> list[Staged]:
    """The files of a set, as those that systemd-analyze is to judge."""
    return [staged_file(file.unit, file.dropin, file.text)._replace(aliases=_aliases(file)) for file in pending]


def _aliases(file: PendingFile) -> list[str]:
    """The names that enabling a unit gives it: others of the set may name it so."""
    settings = () if file.dropin else file.merged or ()
    names = [name for name, _setting in unit_names_in(Unit(file.unit, settings), "Install", "Alias")]
    return [name for name in names if "/" not in name]


def unreported(
    pending: t.Sequence[PendingFile],
    runner: Runner,
    release: int,
    reported: t.Sequence[Finding] = (),
    folder: str = SYSTEM_FOLDER,
) -> list[Finding]:
    """Findings of ``verify`` about the whole staged set that are not reported already.

    :param reported: findings made so far. What verify says of the same line, or of the same unit as a whole, is left
        out.
    :raises SystemdError: as ``verify`` does.
    """
    found = verify(runner, staged(pending), release, folder)
    lines = {(finding.unit, finding.line) for finding in reported if finding.line}
    whole = {finding.unit for finding in reported if finding.rule in WHOLE}
    return [f for f in found if ((f.unit, f.line) not in lines if f.line else f.unit not in whole)]

# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of a program on this host: ``PATH/releases/VERSION`` and the link ``PATH/current``.

Beside each version stands what it was made from (``.VERSION.json``). A version is made under a temporary name, prepared
in its place, and called complete when all of it is on disk; anything else is removed by the next run.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import json
import os
import pwd
import secrets
import stat
import time
import typing as t

from .._host.apart import end_left, run_apart
from .._host.archive import ArchiveError, unpack
from .._host.below import TO_LIST, TO_MAKE, TO_READ, open_folder, opened
from .._host.flush import flush_file_system
from .._host.systemd import SystemdError, shown
from .._host.tree import (
    BLOCK,
    TreeError,
    TreeWriter,
    copy_tree,
    digest_of,
    give_tree,
    remove_tree,
    stream_digest,
)
from .files import TEMPORARY
from .places import read_place
from .release_plan import CURRENT, RELEASES, Release, ReleaseError, Versions
from .store import FORMAT, TransactionError

_FOLDER_MODE = 0o755
_MAX_MARKER = 1 << 16
_LAST_LINES = 20
_COMPLETE, _MAKING = "complete", "making"
_Rights = t.Callable[[], t.ContextManager[None]]


def read_versions(path: str) -> Versions:
    """The versions of a release.

    :raises ReleaseError: when the folder or ``current`` is not ours to use.
    """
    with contextlib.ExitStack() as stack:
        top = _opened(path, stack)
        if top < 0:
            return Versions()
        folder = _opened(f"{path}/{RELEASES}", stack)
        if folder < 0:
            return Versions(_read_current(path, top, (), ()))
        complete: dict[str, tuple[int, str]] = {}
        unfinished: list[str] = []
        foreign: list[str] = []
        names = os.listdir(folder)
        for name in names:
            if name.startswith(TEMPORARY):
                unfinished.append(name)
            elif not name.startswith("."):
                state, checksum, used = _read_marker(folder, name)
                if state == _COMPLETE:
                    complete[name] = (used, checksum)
                else:
                    (unfinished if state == _MAKING else foreign).append(name)
        order = sorted(complete, key=lambda name: complete[name], reverse=True)
        versions = {name: complete[name][1] for name in order}
        last_used = {name: complete[name][0] / 1e9 for name in order}
        return Versions(_read_current(path, top, versions, names), versions, unfinished, foreign, last_used)


def _opened(path: str, stack: contextlib.ExitStack, create: bool = False) -> int:
    """The handle of a folder that is reached over no link; -1 when there is none."""
    try:
        handle = open_folder(path, create=create)
    except FileNotFoundError:
        return -1
    except OSError as error:
        raise ReleaseError(f"{error.filename} cannot be used: {error.strerror}") from None
    stack.callback(os.close, handle)
    return handle


def _read_current(path: str, top: int, versions: t.Container[str], names: t.Container[str]) -> str:
    """The version that ``current`` leads to; it may be one that somebody has removed.

    :param names: all that stands beside the versions.
    :raises ReleaseError: when it leads elsewhere.
    """
    try:
        target = os.readlink(CURRENT, dir_fd=top)
    except FileNotFoundError:
        return ""
    except OSError:
        raise ReleaseError(f"{path}/{CURRENT} is not a link, so it is not of a release; move it away") from None
    folder, _slash, name = target.rpartition("/")
    if folder in (RELEASES, f"{path}/{RELEASES}"):
        if name in versions or name not in names:
            return name
        target = name
    raise ReleaseError(
        f"{path}/{CURRENT} leads to {target!r}, which is not a version that was made by a release; move the link"
        " away, or use another path"
    )


def _read_marker(folder: int, version: str) -> tuple[str, str, int]:
    """State, checksum and time of the last use of a version; empty texts when we did not make it."""
    try:
        with open(os.open(f".{version}.json", TO_READ, dir_fd=folder), "rb") as stream:
            info = os.fstat(stream.fileno())
            data = json.loads(stream.read(_MAX_MARKER)) if stat.S_ISREG(info.st_mode) else {}
        state, checksum = data["state"], data["checksum"]
        if data["format"] == FORMAT and isinstance(checksum, str) and state in (_COMPLETE, _MAKING):
            return state, checksum, info.st_mtime_ns
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return "", "", 0


def digest_source(path: str) -> str:
    """The digest of an archive or a folder on this host, see ``Release``.

    :raises TreeError: for what a version may not hold.
    :raises OSError: when it cannot be read.
    """
    with _opened_source(path) as handle:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            return digest_of(f"/proc/self/fd/{handle}")
        with open(handle, "rb", closefd=False) as stream:
            return stream_digest(stream).hex()


@contextlib.contextmanager
def _opened_source(path: str) -> t.Iterator[int]:
    """The handle of a file or folder that is reached over no link, so that its owner cannot lead us elsewhere."""
    folder, name = os.path.split(path)
    try:
        with opened(folder) as outer:
            handle = os.open(name, TO_READ, dir_fd=outer)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    try:
        mode = os.fstat(handle).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, "it is neither a file nor a folder", path)
        yield handle
    finally:
        os.close(handle)


def _private_copy(handle: int, folder: int) -> t.BinaryIO:
    """A copy of a file that its owner cannot change between the look at its digest and the unpacking."""
    name = f"{TEMPORARY}{secrets.token_hex(4)}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    copy = open(os.open(name, flags, 0o600, dir_fd=folder), "w+b")  # noqa: SIM115  the caller closes it
    os.unlink(name, dir_fd=folder)
    left = os.fstat(handle).st_size  # it may grow
    with open(handle, "rb", closefd=False) as stream:
        while left > 0 and (block := stream.read(min(left, BLOCK))):
            copy.write(block)
            left -= len(block)
    copy.seek(0)
    return copy


class ReleaseFolder:
    """Makes and removes versions of one release.

    :param as_owner: touches files with the rights of their owner.
    :param as_root: within ``as_owner``, reads what the controller has sent.
    :param account: the user who owns what is not declared otherwise; None: who runs us.
    """

    def __init__(
        self,
        path: str,
        as_owner: _Rights = contextlib.nullcontext,
        as_root: _Rights = contextlib.nullcontext,
        account: pwd.struct_passwd | None = None,
    ) -> None:
        self.path = path
        self._as_owner = as_owner
        self._as_root = as_root
        self._account = account or pwd.getpwuid(os.geteuid())

    def make(self, release: Release) -> None:
        """Make a version, prepared and on disk, but not yet current. What fails leaves nothing.

        :raises ReleaseError: with what failed and what to do.
        """
        name = release.name()
        try:
            end_left(self.path)
            with contextlib.ExitStack() as stack:
                with self._as_owner():
                    folder = self._open(stack)
                    self._remove_unfinished(folder)
                    self._unpack(folder, name, release)
                if release.prepare:
                    self._prepare(folder, name, release)
                with self._as_owner():
                    flush_file_system(folder)
                    self._mark(folder, name, release.checksum(), _COMPLETE)
        except BaseException as error:
            with contextlib.suppress(OSError, TransactionError):
                self.remove([name])
            if isinstance(error, (TreeError, ArchiveError, SystemdError, ReleaseError, OSError)):
                raise ReleaseError(f"release {self.path}: version {name} cannot be made: {_words(error)}") from error
            raise

    def _open(self, stack: contextlib.ExitStack) -> int:
        return _opened(f"{self.path}/{RELEASES}", stack, create=True)

    def _remove_unfinished(self, folder: int) -> None:
        """Remove what a killed run left: half a version, or what was to stand beside one."""
        names = os.listdir(folder)
        versions = [name[1 : -len(".json")] for name in names if name.startswith(".") and name.endswith(".json")]
        half = [name for name in versions if name not in names or _read_marker(folder, name)[0] == _MAKING]
        for name in [*half, *(name for name in names if name.startswith(TEMPORARY))]:
            _remove_version(folder, name)

    def _unpack(self, folder: int, name: str, release: Release) -> None:
        """The files of a version, at its place and marked as not complete."""
        temporary = f"{TEMPORARY}{secrets.token_hex(4)}"
        os.mkdir(temporary, 0o700, dir_fd=folder)
        handle = os.open(temporary, TO_LIST, dir_fd=folder)
        try:
            owner = self._owner_of(release, release.prepare_user if release.prepare else "")
            writer = TreeWriter(handle, owner)
            self._fill(writer, release, folder)
            for link, target in release.shared:
                writer.share(os.fsencode(link), target)
            os.fchown(handle, *owner)
            os.fchmod(handle, _FOLDER_MODE)
        finally:
            os.close(handle)
        self._mark(folder, name, release.checksum(), _MAKING)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)

    def _fill(self, writer: TreeWriter, release: Release, folder: int) -> None:
        """Copy or unpack the source.

        :raises ReleaseError: when it is not what it was before.
        """
        stream: t.BinaryIO | None = None
        with contextlib.ExitStack() as stack:
            if release.sent:
                with self._as_root():
                    stream = stack.enter_context(open(os.path.realpath(release.source), "rb"))
            else:
                handle = stack.enter_context(_opened_source(release.source))
                if stat.S_ISDIR(os.fstat(handle).st_mode):
                    copy_tree(f"/proc/self/fd/{handle}", writer)
                else:
                    stream = stack.enter_context(_private_copy(handle, folder))
            if stream:
                if not release.packed and stream_digest(stream).hex() != release.digest:
                    raise ReleaseError("the archive is not the one that was announced; copy it again")
                stream.seek(0)
                unpack(stream, writer)
        if writer.finish() != release.digest and (not stream or release.packed):
            raise ReleaseError("the folder has changed meanwhile; run the task again")

    def _mark(self, folder: int, name: str, checksum: str, state: str) -> None:
        """Write beside a version what it was made from, and how far it is."""
        text = json.dumps({"format": FORMAT, "state": state, "checksum": checksum, "made": int(time.time())})
        temporary = f"{TEMPORARY}{secrets.token_hex(4)}"
        with open(os.open(temporary, TO_MAKE, 0o644, dir_fd=folder), "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(temporary, f".{name}.json", src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)

    def _prepare(self, folder: int, name: str, release: Release) -> None:
        """Run the commands that make a version ready.

        :raises ReleaseError: with the last words of the one that failed.
        """
        account = self._account_of(release.prepare_user or release.owner)
        place = f"{self.path}/{RELEASES}/{name}"
        for argv in release.prepare:
            reply = run_apart(argv, account, place, release.prepare_timeout)
            if reply.err or reply.code != 0:
                end = reply.err or (f"exit status {reply.code}" if reply.code > 0 else f"signal {-reply.code}")
                words = "\n".join(reply.out.rstrip().splitlines()[-_LAST_LINES:]) or "it wrote nothing"
                raise ReleaseError(
                    f"prepare: {shown(argv)} failed as {account.pw_name}: {end}. Its last words:\n{words}"
                )
        handle = os.open(name, TO_LIST, dir_fd=folder)
        try:
            give_tree(handle, self._owner_of(release), account.pw_uid)
        finally:
            os.close(handle)
        for link, target in release.shared:
            _refuse_other(place, link, target)

    def _account_of(self, user: str) -> pwd.struct_passwd:
        try:
            return pwd.getpwnam(user) if user else self._account
        except KeyError:
            raise ReleaseError(f"there is no user {user!r} on this host; create it before this task") from None

    def _owner_of(self, release: Release, user: str = "") -> tuple[int, int]:
        """Uid and gid of the files of a version.

        :param user: to whom they belong meanwhile.
        :raises ReleaseError: when there is no such user or group.
        """
        account = self._account_of(user or release.owner)
        try:
            return account.pw_uid, grp.getgrnam(release.group).gr_gid if release.group else account.pw_gid
        except KeyError:
            raise ReleaseError(
                f"there is no group {release.group!r} on this host; create it before this task"
            ) from None

    def use(self, *names: str) -> None:
        """Note which versions are used, the last one most of all: this is the order in which old ones go."""
        with self._as_owner(), contextlib.ExitStack() as stack:
            folder = self._open(stack)
            for number, name in enumerate(names):
                now = time.time_ns() + number  # the clock of the file system is too coarse for an order
                with contextlib.suppress(FileNotFoundError):
                    os.utime(f".{name}.json", ns=(now, now), dir_fd=folder, follow_symlinks=False)

    def remove(self, names: t.Iterable[str]) -> None:
        """Remove versions and what killed runs left, and with the last one the folder of all.

        :raises OSError: when that is impossible.
        """
        end_left(self.path)
        with contextlib.ExitStack() as stack, self._as_owner():
            folder = _opened(f"{self.path}/{RELEASES}", stack)
            if folder >= 0:
                self._remove_unfinished(folder)
                for name in names:
                    _remove_version(folder, name)
                with contextlib.suppress(OSError):  # another version is in it
                    os.rmdir(RELEASES, dir_fd=_opened(self.path, stack))

    def spoil(self, name: str) -> None:
        """Take away what says that a version is complete."""
        with contextlib.suppress(OSError, TransactionError), self._as_owner(), contextlib.ExitStack() as stack:
            os.unlink(f".{name}.json", dir_fd=_opened(f"{self.path}/{RELEASES}", stack))

    def remove_folder(self) -> None:
        """Remove the folder of the release, if nothing is in it."""
        with contextlib.ExitStack() as stack, self._as_owner(), contextlib.suppress(OSError, TransactionError):
            parent, name = os.path.split(self.path)
            os.rmdir(name, dir_fd=_opened(parent, stack))


_WHAT = {"missing": "nothing", "directory": "a folder", "file": "a file"}


def _refuse_other(place: str, name: str, target: str) -> None:
    """See that a link of ``shared`` is what it was before ``prepare``.

    :raises ReleaseError: with what is there instead.
    """
    try:
        there = read_place(f"{place}/{name}")
        if (there.kind, there.target) == ("link", target):
            return
        what = _WHAT.get(there.kind, f"a link to {there.target}" if there.target else "something else")
    except OSError as error:
        what = f"{error.filename[len(place) + 1 :]} above it, which is no folder any more"
    raise ReleaseError(
        f"prepare: instead of the link {name} to {target}, of 'shared', it has left {what}. Let prepare leave the link"
        " alone, or build in another folder"
    )


def _remove_version(folder: int, name: str) -> None:
    """Remove a version or leftover in an order in which no half of it can be taken for a version."""
    if not name.startswith(TEMPORARY):
        temporary = f"{TEMPORARY}{secrets.token_hex(4)}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(name, temporary, src_dir_fd=folder, dst_dir_fd=folder)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f".{name}.json", dir_fd=folder)
        name = temporary
    remove_tree(folder, name)


def _words(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror}" + (
            "; make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        )
    return str(error)

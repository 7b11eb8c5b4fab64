# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts programs that are not systemd's: those that prepare a version as its user, and the one that unpacks zstd."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import time
import typing as t

from .systemd import QUERY_TIMEOUT, Reply, SystemdError, identity_of, popen, shown

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_FOLDER = "UNITCRAFT_PREPARES"
_KEPT_OUTPUT = 1 << 16  # bytes of a program that may write for hours


@contextlib.contextmanager
def decompress(argv: t.Sequence[str], source: t.BinaryIO) -> t.Iterator[t.Callable[[int], bytes]]:
    """A function that reads what a program makes of a file, which it reads from its start.

    At the end the function raises SystemdError when the program has failed.

    :raises SystemdError: when the program is missing.
    """
    errors = open(os.memfd_create("errors"), "w+b")  # noqa: SIM115  closed at the end
    os.lseek(source.fileno(), 0, os.SEEK_SET)
    options: dict[str, t.Any] = {"stdin": source, "stderr": errors}
    if os.geteuid() != os.getuid():  # with the rights of a user: the program shall not get back to ours
        options.update(user=os.geteuid(), group=os.getegid())
    with errors, popen(argv, options) as process:
        output = t.cast("t.BinaryIO", process.stdout)

        def read(count: int) -> bytes:
            data = output.read(count)
            if len(data) < count and process.wait(QUERY_TIMEOUT):
                errors.seek(0)
                raise SystemdError(errors.read(2000).decode("utf-8", "replace").strip() or f"{argv[0]} failed")
            return data

        try:
            yield read
        finally:
            process.kill()


def run_apart(argv: t.Sequence[str], account: pwd.struct_passwd, folder: str, timeout: float) -> Reply:
    """Run a program as a user in a folder, in a session of its own with an environment of its own.

    Everything that it has started and that still runs when it ends, or the time is up, is killed.

    :param timeout: seconds.
    :returns: with the end of what it wrote in ``out``, and in ``err`` what else there is to say.
    :raises SystemdError: when the program is missing, or may not be run.
    """
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": "/bin/sh",
        _FOLDER: folder,  # by which ``end_left`` knows it
    }
    options: dict[str, t.Any] = {"env": environment, "cwd": folder, "start_new_session": True, "umask": 0o022}
    options.update(identity_of(account))
    with _reaper() as others:
        return _run(argv, account, options, timeout, others)


def _run(
    argv: t.Sequence[str], account: pwd.struct_passwd, options: dict[str, t.Any], timeout: float, others: set[int]
) -> Reply:
    try:
        process = popen(argv, options)
    except OSError as error:
        raise SystemdError(f"{shown(argv)} cannot be run as {account.pw_name}: {error.strerror}") from None
    with process:
        try:
            out = _tail(process, time.monotonic() + timeout)
            late = process.poll() is None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
            _kill(_children, others)  # what they have started becomes our child then
        err = f"it did not end within {timeout:.0f} s" if late else ""
        return Reply(process.wait(), out.decode("utf-8", "replace"), err)


@contextlib.contextmanager
def _reaper() -> t.Iterator[set[int]]:
    """Become the parent of what a program leaves behind in sessions of its own, prctl(2); gives our other children."""
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    others = _children()
    prctl(_SUBREAPER, 1, 0, 0, 0)
    try:
        yield others
    finally:
        prctl(_SUBREAPER, 0, 0, 0, 0)


def _parents() -> dict[int, int]:
    """The parent of each process of the host."""
    found = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as stream:
            # The parent is the second word after the name, which may hold blanks and brackets.
            found[int(name)] = int(stream.read().rpartition(b")")[2].split()[1])
    return found


def _children() -> set[int]:
    return {child for child, parent in _parents().items() if parent == os.getpid()}


def end_left(path: str) -> None:
    """Kill what a killed run has left of the programs that it ran in folders below a path, with what they started."""
    _kill(lambda: _left(path), {os.getpid()})


def _left(path: str) -> set[int]:
    mark, parents, found = os.fsencode(f"\0{_FOLDER}={path}/"), _parents(), set()
    for process in parents:
        with contextlib.suppress(OSError), open(f"/proc/{process}/environ", "rb") as stream:
            if mark in b"\0" + stream.read():
                found.add(process)
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _kill(find: t.Callable[[], set[int]], others: set[int]) -> None:
    """Kill the processes that are found but for those, until nothing is left."""
    end = time.monotonic() + QUERY_TIMEOUT
    while time.monotonic() < end and (left := find() - others):
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
            except PermissionError:
                others.add(process)  # it has other rights than we have
            except ProcessLookupError:
                pass
            except ChildProcessError:
                time.sleep(0.01)  # it is not ours to wait for


def _tail(process: t.Any, end: float) -> bytes:
    """The last of what a program writes, until it ends: what it leaves running may keep the pipe open."""
    output = process.stdout
    kept = b""
    while (left := end - time.monotonic()) > 0:
        if select.select([output], [], [], min(left, 0.1))[0]:
            data = os.read(output.fileno(), 1 << 16)
            if not data:
                time.sleep(0.01)  # it has closed its output, and is about to end
                if process.poll() is not None:
                    break
            kept = (kept + data)[-_KEPT_OUTPUT:]
        elif process.poll() is not None:
            break
    return kept

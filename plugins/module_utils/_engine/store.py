# SPDX-License-Identifier: GPL-3.0-or-later

"""Our own folder on a host: the lock, what a running transaction began, the record of what was deployed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import json
import os
import re
import sys
import time
import typing as t

from .._model import Failure
from .own_files import flush_folder, make_folder, replace_file

STATE_FOLDER = "/var/lib/unitcraft"
LOCK_TIMEOUT = 300.0  # seconds to wait for another run on this host
FORMAT = 1
FORMAT_WITH_FILES = 2  # of an intent that version 0.1 cannot undo
_DIGEST = re.compile(r'"digest": "([0-9a-f]{64})"')


class TransactionError(Exception):
    """The plan could not be carried out.

    :ivar failures: the units that did not come up.
    :ivar rolled_back: True when everything is as it was before, False when not, None when nothing had been changed.
    :ivar left_over: what could not be undone, in words.
    """

    def __init__(
        self,
        message: str,
        failures: t.Sequence[Failure] = (),
        rolled_back: bool | None = None,
        left_over: t.Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.failures = list(failures)
        self.rolled_back = rolled_back
        self.left_over = list(left_over)


class Store:
    """Our own folder on the host: the lock, the intent of a running transaction, and the record of what was deployed.

    Each scope and each user has its own three: a user can hold up the runs for that user alone.

    :param folder: root-only folder; made when it is first needed.
    :param user: name of the user for scope ``user``.
    :ivar problems: what was wrong with our files, in words.
    """

    def __init__(self, folder: str = "", scope: str = "system", user: str = "") -> None:
        if not folder and os.geteuid() != 0:
            folder = os.path.expanduser("~/.local/state/unitcraft")
        self.folder = folder or STATE_FOLDER
        self._scope = scope
        self._user = user
        self._lock = -1
        self.problems: list[str] = []

    def path(self, name: str) -> str:
        """Where one of our files or folders is: ``lock``, ``intent.json``, ``deployed.json``, ``contents``..."""
        stem, dot, kind = name.partition(".")
        owner = "" if self._scope == "system" else f"-user-{self._user}" if self._user else f"-{self._scope}"
        return os.path.join(self.folder, f"{stem}{owner}{dot}{kind}")

    def set_aside(self, name: str) -> str:
        """Rename one of our files that is of no use; returns its new path.

        :raises OSError: when that is impossible.
        """
        stem, dot, kind = self.path(name).rpartition(".")
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        kept = f"{stem}-set-aside-{stamp}{dot}{kind}"
        os.rename(self.path(name), kept)
        with contextlib.suppress(OSError):
            flush_folder(self.folder)
        return kept

    def lock(self, timeout: float = LOCK_TIMEOUT) -> None:
        """Keep any other run on this host out until ``unlock``, or until this process ends.

        :raises TransactionError: when another run does not end in time; it is named.
        :raises OSError: when the folder cannot be used.
        """
        if not os.path.isdir(self.folder):
            make_folder(self.folder, 0o700)
        self._lock = os.open(self.path("lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            if time.monotonic() > end:
                holder = os.pread(self._lock, 500, 0).decode("utf-8", "replace").strip() or "an unknown process"
                raise TransactionError(
                    f"another run on this host holds {self.path('lock')} for over {timeout:.0f} s: {holder}. Wait for"
                    " it to end, or end it; what it began is then undone by the next run"
                )
            time.sleep(0.1)
        holder = (
            f"pid {os.getpid()}, {' '.join(sys.argv)[:200]}, since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}"
        )
        with contextlib.suppress(OSError):  # a full disk shall not stop a run that changes nothing
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, holder.encode("utf-8"), 0)

    def unlock(self) -> None:
        """Let other runs in."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # Intent

    def write_intent(self, intent: t.Mapping[str, t.Any]) -> None:
        """Put on disk what a transaction is about to change.

        :raises OSError: when that is impossible.
        """
        replace_file(self.path("intent.json"), json.dumps(intent).encode("ascii"))

    def has_intent(self) -> bool:
        """Whether a run was interrupted."""
        return os.path.lexists(self.path("intent.json"))

    def guards(self) -> list[str]:
        """The ids of the deployments of which a guard has files in our folder."""
        found = glob.glob(self.path("confirm-????????.zip*"))
        return sorted({os.path.basename(path)[len("confirm-") :][:8] for path in found})

    def read_intent(self) -> dict[str, t.Any] | None:
        """What a run began and did not end; None when the last one ended properly.

        :raises ValueError: for a file that is not an intent of ours.
        """
        try:
            return self._read("intent.json")
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> dict[str, t.Any]:
        """One of our files.

        :raises FileNotFoundError: when there is none.
        :raises ValueError: for a file that is not ours.
        """
        try:
            with open(self.path(name), "rb") as stream:
                data: dict[str, t.Any] = json.loads(stream.read())
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise FileNotFoundError from None
        except OSError as error:
            raise ValueError(f"it cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None
        if not isinstance(data, dict):
            raise ValueError("it does not hold a mapping")
        if data.get("format") not in (FORMAT, FORMAT_WITH_FILES):
            raise ValueError(f"its format is {data.get('format')!r}, and this version of the collection reads {FORMAT}")
        return data

    def forget_intent(self) -> None:
        """Say that the transaction is over.

        :raises OSError: when the intent stays, and the next run would undo what it speaks of.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path("intent.json"))
        with contextlib.suppress(
            OSError
        ):  # it is gone; should it come back with a power failure, that is undone and said
            flush_folder(self.folder)

    def digests(self) -> set[str]:
        """The contents that generations speak of, and intents which were set aside."""
        found: set[str] = set()
        places = (f"{glob.escape(self.path('intent'))}-set-aside-*", f"{glob.escape(self.path('generations'))}/*/*")
        for path in [path for place in places for path in glob.glob(f"{place}.json")]:
            with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as stream:
                found.update(_DIGEST.findall(stream.read()))
        return found

    # Record

    def read_record(self) -> dict[str, t.Any]:
        """What was deployed: ``{path: {unit, scope, user, set, sha256, text, enabled, sums, time}}``.

        A file that is not a record of ours is told in ``problems``; who holds the lock sets it aside.
        """
        try:
            return self._record_in("deployed.json")
        except ValueError as error:
            path, kept = self.path("deployed.json"), ""
            if self._lock >= 0:
                with contextlib.suppress(OSError):
                    kept = f" It is kept as {self.set_aside('deployed.json')}."
            self.problems.append(
                f"{path} is not a record of ours: {error}.{kept} Drift is told after the next deployment"
            )
            return {}

    def _record_in(self, name: str) -> dict[str, t.Any]:
        try:
            data = self._read(name)
        except FileNotFoundError:
            return {}
        files = data.get("files")
        if not isinstance(files, dict):
            raise ValueError("files is not a mapping")
        for path, entry in files.items():
            if not isinstance(entry, dict) or not (
                isinstance(entry.get("unit"), str)
                and isinstance(entry.get("text", ""), (str, type(None)))
                and isinstance(entry.get("sums", {}), dict)
            ):
                raise ValueError(f"the entry of {path} is malformed")
        # Version 0.1 had one record for all.
        return {
            path: entry
            for path, entry in files.items()
            if entry.get("scope", "system") == self._scope and (entry.get("user") or self._user) == self._user
        }

    def write_record(self, record: t.Mapping[str, t.Any]) -> None:
        """Replace the record.

        :raises OSError: when that is impossible; the old one stays.
        """
        data = json.dumps({"format": FORMAT, "files": record}, indent=1, sort_keys=True)
        replace_file(self.path("deployed.json"), data.encode("ascii"))

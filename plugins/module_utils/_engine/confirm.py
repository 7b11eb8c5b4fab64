# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment that the controller has to confirm; if it does not, a guard on the host puts the old state back.

The way back is that of a killed run: the intent stays, and ``recover`` undoes it. The guard is a service that runs a
copy of this code from our folder. It waits for the lock that the deployment holds, so it also takes over at once when
that is killed; a link enables it, so it is back after a reboot. Whoever ends the waiting holds the lock, and forgets
the intent.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import secrets
import socket
import sys
import time
import typing as t
import zipfile

from .._host.manager import Manager
from .._host.show import States
from .._host.systemd import SystemdError
from .._model import RUNNING, UNIT_MODE
from .._syntax.commands import exec_quote
from .closing import Closing, close, write_note
from .execute import describe_error, host_of, recover, run
from .health import failures_in_words, judge
from .host import Target
from .own_files import flush_folder, replace_file
from .plan import Plan
from .snapshot import Snapshot, old_limits
from .store import Store, TransactionError

UNIT_PREFIX = "unitcraft-confirm-"  # of the guard's unit
_TICK = 0.5  # seconds between two looks for the intent
_RESERVE = 1 << 20  # bytes kept free for the undo, beside what it puts back
_ANSWER = "import sys\nsys.stdout.write({answer!r} + '\\n')\n"
# Exit status, of Python too when our archive is gone: nobody waits any more.
TOO_LATE = 2
_FOLDER = "/etc/systemd/system"
_UNIT = """\
[Unit]
Description=Puts back what deployment {id} changed, unless it is confirmed
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command}
Restart=on-failure
RestartSec=10
OOMScoreAdjust=-900
"""
_MAIN = """\
import sys
from undo._engine.confirm import Guard, Store
sys.exit(Guard(Store({folder!r}, {scope!r}, {user!r}), {id!r}).main(sys.argv[1:]))
"""


def run_revocably(
    plan: Plan,
    host: Target,
    store: Store,
    snapshot: dict[str, t.Any],
    within: float,
    closing: Closing,
) -> tuple[States, list[str]]:
    """Carry out a plan as ``run`` does, and leave it revocable for so many seconds after the units are up.

    :param closing: what to do when it is confirmed.
    :returns: the state of the units acted on, and the command that confirms.
    :raises TransactionError: as ``run``; the guard is gone then.
    """
    guard = Guard(store, snapshot["id"])
    token = secrets.token_hex(16)
    snapshot["confirm"] = confirm = {"within": within}

    def wait() -> None:
        waiting = {**confirm, "token": token, "until": time.time() + within, "closing": closing}
        store.write_intent({**snapshot, "confirm": waiting})

    try:
        guard.arm(snapshot)
        states = run(plan, host, store, snapshot, commit=wait)
    finally:
        if not store.has_intent():
            guard.disarm()
    return states, [*guard.command, token]


class Guard:
    """What waits for the end of a deployment, or of the time for its confirmation.

    :param run_id: the ``id`` of the snapshot.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.unit = f"{UNIT_PREFIX}{run_id}.service"
        self._archive = store.path(f"confirm-{run_id}.zip")
        self._reserve = store.path(f"confirm-{run_id}.reserve")
        self._link = f"{_FOLDER}/multi-user.target.wants/{self.unit}"
        self.command = [sys.executable, "-I", self._archive]

    # In the module

    def arm(self, snapshot: Snapshot) -> None:
        """Start the guard, for this boot and the next one.

        :raises TransactionError: when that is impossible.
        """
        main = _MAIN.format(folder=self.store.folder, scope=snapshot["scope"], user=snapshot["user"], id=self.run_id)
        unit = _UNIT.format(id=self.run_id, command=exec_quote(self.command))
        try:
            replace_file(self._archive, _engine(main))
            with open(self._reserve, "wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, _RESERVE + sum(e.get("size", 0) for e in snapshot["files"]))
            replace_file(f"{_FOLDER}/{self.unit}", unit.encode("utf-8"))
            os.chmod(f"{_FOLDER}/{self.unit}", UNIT_MODE)
            os.makedirs(os.path.dirname(self._link), exist_ok=True)
            os.symlink(f"../{self.unit}", self._link)
            flush_folder(os.path.dirname(self._link))
            Manager().ask("start", "--", self.unit)  # it is Type=notify: from here on it is at work
        except (OSError, SystemdError) as error:
            raise TransactionError(
                f"confirm: the host's way back cannot be armed: {describe_error(error)}; nothing was changed"
            ) from None

    def disarm(self) -> None:
        """Take the guard away; its process last: that does the same once the intent is gone, in case this is killed."""
        self._remove()
        with contextlib.suppress(SystemdError):
            Manager().ask("stop", "--", self.unit)

    def _remove(self) -> None:
        unit = f"{_FOLDER}/{self.unit}"
        # The archive last: by it the next run finds what is left when this is killed.
        for path in (self._link, f"{unit}.new", unit, self._reserve, f"{self._archive}.new", self._archive):
            with contextlib.suppress(OSError):
                os.unlink(path)

    # In the copy

    def main(self, argv: t.Sequence[str]) -> int:
        """Run as the guard, or with a token to confirm; returns the exit status."""
        if argv:
            return self.confirm(argv[0])
        self.watch()
        return 0

    def confirm(self, token: str) -> int:
        """Make the deployment final; prints what could not be done after it as JSON, or why it is impossible."""
        store = self.store
        store.lock()
        try:
            intent = self._intent()
            if not intent or intent["confirm"].get("token") != token:
                _say(f"deployment {self.run_id} does not wait for this confirmation any more")
                return TOO_LATE
            store.forget_intent()
            host = host_of(intent, store)
            problems = close(intent["confirm"]["closing"], store, host)
            host.contents.keep_only(store.digests())
        finally:
            store.unlock()
        self.disarm()
        answer = json.dumps(problems)
        with contextlib.suppress(OSError):  # to who asks again, because the connection broke; the next run removes it
            replace_file(self._archive, _ANSWER.format(answer=answer).encode())
        _say(answer)
        return 0

    def watch(self) -> None:
        """Wait until the deployment is confirmed or has failed; put all back if it is killed or late."""
        store, end = self.store, 0.0
        _say_ready()
        while True:
            store.lock(math.inf)
            try:
                intent = self._intent()
                if not intent:
                    return self._remove()
                until = intent["confirm"].get("until")
                if until is not None and not end:
                    end = time.monotonic() + min(intent["confirm"]["within"], until - time.time())
                if time.monotonic() >= end:
                    self._revert(intent)
                    return self._remove()
            finally:
                store.unlock()
            while store.has_intent() and time.monotonic() < end:
                time.sleep(min(_TICK, max(0.0, end - time.monotonic())))

    def _intent(self) -> dict[str, t.Any] | None:
        """The intent of this very deployment; None when it is over."""
        try:
            intent = self.store.read_intent()
        except ValueError as error:
            _say(f"{self.store.path('intent.json')}: {error}; the next run sets it aside")
            return None
        return intent if intent and intent["id"] == self.run_id else None

    def _revert(self, intent: Snapshot) -> None:
        """Put the old state back, see whether it is well, and tell in the journal and to the next run.

        :raises TransactionError: when it cannot be put back now; systemd then starts the guard once more.
        """
        begun = time.monotonic()
        try:
            done = recover(self.store, overdue=True)
        except TransactionError as error:  # perhaps the disk is full, and what filled it has been stopped
            _say(error)
            with contextlib.suppress(OSError):
                os.unlink(self._reserve)
            done = recover(self.store, overdue=True)
        words = f"{done}; {self._health(intent, begun)}"
        _say(words)
        write_note(words, self.store)

    def _health(self, intent: Snapshot, begun: float) -> str:
        host = host_of(intent, self.store)
        ran = [unit for unit, before in intent["units"].items() if before["active"] in RUNNING]
        if not (ran and host.has_manager):
            return "nothing ran before"
        try:
            failures = judge(host, {unit: old_limits(intent, unit) for unit in ran}, begun, {}, {}, begun)[1]
        except SystemdError as error:
            return f"whether the old units are healthy cannot be told: {error}"
        return f"not healthy: {failures_in_words(failures)}" if failures else f"healthy: {', '.join(ran)}"


def _engine(main: str) -> bytes:
    """An archive that Python runs, with the code of ours that this process has loaded.

    :raises OSError: when the text of a file cannot be had, as with strategies that keep modules in memory.
    """
    package = __name__.rpartition("._engine.")[0]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", main)
        for name, module in sorted(sys.modules.items()):
            if not f"{name}.".startswith(f"{package}.") or name.startswith(f"{package}._modules"):
                continue
            path = f"undo{name[len(package) :].replace('.', '/')}"
            if hasattr(module, "__path__"):
                archive.writestr(f"{path}/__init__.py", "")
                continue
            read = getattr(module.__spec__.loader if module.__spec__ else None, "get_source", None)
            text = read(name) if read else None
            if text is None:
                raise OSError(0, "this strategy keeps the modules in memory; use linear or free for this play", name)
            archive.writestr(f"{path}.py", text)
    return data.getvalue()


def _say(words: object) -> None:
    """A line for the journal or for who confirms. ansible-test takes print() for a slip."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _say_ready() -> None:
    """Tell systemd that we are at work; sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(b"READY=1", f"\0{address[1:]}" if address.startswith("@") else address)

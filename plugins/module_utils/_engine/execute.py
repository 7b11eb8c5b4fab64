# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry out a plan as one transaction: snapshot, steps, health, then commit, or put everything back.

Everything it needs to put things back is on disk before the first change, so that the next run can undo what a killed
one began.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
import typing as t

from .._host.manager import RELOAD_TIMEOUT
from .._host.systemd import SystemdError
from .._model import Change, Failure, File
from .._syntax.names import is_template
from . import files as _files
from .host import Host
from .plan import RUNNING, Plan, enables
from .store import FORMAT, Store, TransactionError
from .timer_hold import daemon_reload, has_job

if t.TYPE_CHECKING:
    from .health import Limits


def run(
    plan: Plan,
    systemd: Host,
    store: Store,
    snapshot: t.Mapping[str, t.Any],
    rollback: bool = True,
) -> dict[str, dict[str, str]]:
    """Carry out *plan* and see that what it started is up.

    :param snapshot: what ``take_snapshot`` returned.
    :returns: the state of the units acted on, as ``Host.show`` gives it.
    :raises TransactionError: with what failed and whether everything is as it was.
    """
    try:
        store.write_intent(snapshot)
    except OSError as error:
        with contextlib.suppress(OSError):
            store.forget_intent()
        raise TransactionError(
            f"{store.folder}: the snapshot that a rollback needs cannot be written ({error.strerror}); nothing was changed."
            " Make room, or make the folder writable"
        ) from None
    try:
        states = _Run(plan, systemd, snapshot["id"]).apply()
        store.forget_intent()  # from here on it is done
    except (OSError, SystemdError, _NotUp) as error:
        failures = error.failures if isinstance(error, _NotUp) else []
        message = _words(error)
        if not rollback and isinstance(error, _NotUp):
            left_over = _forget(store)
            raise TransactionError(
                f"{message}. Nothing was put back, for rollback is false", failures, False, left_over
            ) from None
        try:
            left_over = undo(snapshot, systemd)
        except (OSError, SystemdError) as second:
            raise TransactionError(
                f"{message}. Putting the old state back failed too ({_words(second)}); the next run tries again",
                failures,
                False,
            ) from None
        left_over += _forget(store)
        raise TransactionError(
            f"{message}. The state from before this task is back", failures, True, left_over
        ) from None
    return states


def _forget(store: Store) -> list[str]:
    """Remove the intent after everything else; in words what follows when that is impossible."""
    try:
        store.forget_intent()
    except OSError as error:
        return [
            f"{store.folder}: the snapshot cannot be removed ({error.strerror}); the next run puts its state back once more"
        ]
    return []


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'} cannot be changed: {error.strerror}"
    return str(error)


class _NotUp(Exception):
    def __init__(self, failures: t.Sequence[Failure]) -> None:
        self.failures = list(failures)
        parts = []
        for failure in failures[:5]:
            words = (
                f" ({failure.exit_status})" if failure.exit_status and failure.exit_status not in failure.why else ""
            )
            log = "".join(f"\n    {line}" for line in failure.log)
            parts.append(f"{failure.unit}: {failure.why}{words}{log}")
        more = f"\nand {len(failures) - 5} more" if len(failures) > 5 else ""
        super().__init__("\n".join(parts) + more)


class _Run:
    """The steps of a plan, in few calls."""

    def __init__(self, plan: Plan, systemd: Host, token: str) -> None:
        self.plan = plan
        self.systemd = systemd
        self.token = token
        self.complaints: dict[str, str] = {}

    def apply(self) -> dict[str, dict[str, str]]:
        plan, systemd = self.plan, self.systemd
        if plan.linger:
            systemd.set_linger(True)
            systemd.wait_for_manager()
        self._jobs("stop", [*plan.stop, *plan.cycle])
        enable = ["--no-reload", *(["--runtime"] if systemd.runtime else [])]
        if plan.disable:
            systemd.ask(*enable, "disable", "--", *plan.disable)
        with systemd.as_owner():
            _files.apply([change for change in plan.changes if change.path], self.token)
        for action in ("reenable", "enable"):
            if getattr(plan, action):
                systemd.ask(*enable, action, "--", *getattr(plan, action))
        if plan.daemon_reload and systemd.has_manager:
            daemon_reload(systemd, plan.held, [timer for timer in plan.held if timer in plan.restart])
        if plan.reset:
            reset_failed(systemd, plan.reset)
        states = self._bring_up() if plan.acted_on() else {}
        if plan.linger is False:
            systemd.set_linger(False)
        return states

    def _jobs(
        self, verb: str, units: t.Sequence[str], wanted: t.Mapping[str, Limits] | None = None, begun: float = 0.0
    ) -> None:
        """Ask for jobs of all units in one call, and wait for them."""
        from . import health as _health

        if not units:
            return
        asked = {unit: (wanted or {}).get(unit, _health.Limits()) for unit in units}
        argv = self.systemd.systemctl(verb, "--", *units)
        code, out, late = _health.wait_for_jobs(self.systemd, argv, asked, begun or time.monotonic())
        if late or code == 0:
            return
        # A failed job shows in the state of its unit, where there is more to say about it. Not so a refused one, and not so
        # the jobs of a systemctl that was killed before it asked for any: the units may well run, with the old definition.
        complaints = _health.job_complaints(out)
        self.complaints.update(complaints)
        refused = [line for line in out.splitlines() if line.startswith("Failed to ")]
        if verb == "stop" or refused or not complaints:
            words = "; ".join(refused) or out.strip() or f"it ended with exit status {code}"
            raise SystemdError(f"systemctl {verb}: {words}")

    def _bring_up(self) -> dict[str, dict[str, str]]:
        from . import health as _health

        plan, begun = self.plan, time.monotonic()
        wanted = {unit: _health.limits(plan.health.get(unit)) for unit in plan.acted_on()}
        self._jobs("restart", [unit for unit in plan.restart if unit not in plan.held], wanted, begun)
        # A socket refuses to start while its service runs, and each name is a job of its own.
        start = sorted([*plan.cycle, *plan.start], key=lambda unit: not unit.endswith(".socket"))
        self._jobs("start", start, wanted, begun)
        self._jobs("reload", list(plan.reload), wanted, begun)
        if plan.carried:
            states = self.systemd.show(plan.carried, ("ActiveState", "Job"))
            fallen = [
                unit for unit in plan.carried if states.get(unit, {}).get("ActiveState") in ("inactive", "failed")
            ]
            self._jobs("start", fallen, wanted, begun)
        states, failures = _health.judge(self.systemd, wanted, begun, self.complaints)
        if failures:
            raise _NotUp(failures)
        return states


def reset_failed(systemd: Host, units: t.Iterable[str]) -> None:
    """Clear the failed state of units; one that systemd does not hold in memory any more has none."""
    reply = systemd.command(systemd.systemctl("reset-failed", "--", *units))
    if reply.code != 0 and "not loaded" not in reply.err:
        raise SystemdError(f"systemctl reset-failed: {reply.err.strip()}")


# Snapshot and undo


def take_snapshot(
    plan: Plan, systemd: Host, live: t.Mapping[str, t.Mapping[str, str]], links: t.Mapping[str, str]
) -> dict[str, t.Any]:
    """All that is needed to put back what *plan* changes, fit for JSON."""
    related = sorted({*plan.touched(), *plan.dragged, *plan.link_names})
    units = [
        unit for unit in dict.fromkeys([*plan.touched(), *plan.dragged]) if not is_template(unit)
    ]  # templates have no state
    return {
        "format": FORMAT,
        "id": secrets.token_hex(4),
        "boot": _boot_id(),
        "begun": time.time(),
        "scope": systemd.scope,
        "user": systemd.account.pw_name if systemd.account else "",
        "runtime": systemd.runtime,
        "root": systemd.root,
        "files": [_files.to_json(change.path, change.before) for change in plan.changes if change.path],
        "names": related,
        "links": {link: target for link, target in links.items() if enables(link, target, related)},
        "units": {
            unit: {
                "active": live.get(unit, {}).get("ActiveState", "inactive"),
                "invocation": live.get(unit, {}).get("InvocationID", ""),
                "oneshot": live.get(unit, {}).get("Type") == "oneshot",
            }
            for unit in units
        },
        "reloads": list(plan.reload),
        "held": dict(plan.held),
        "daemon_reload": bool(plan.daemon_reload),
        "linger": os.path.exists(systemd.linger_file()) if systemd.account else None,
    }


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def recover(store: Store) -> str:
    """Undo what a killed run began; returns what was done in words, or an empty text when there was nothing.

    :raises TransactionError: when it cannot be undone.
    """
    intent = store.read_intent()
    if intent is None:
        return ""
    begun = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(intent["begun"]))
    said = f"a run that began at {begun} was interrupted"
    if intent["root"] and not os.path.isdir(intent["root"]):
        store.forget_intent()
        return f"{said}; the root it worked on, {intent['root']}, is gone"
    try:
        systemd = Host(intent["scope"], intent["user"], intent["runtime"], intent["root"])
        left_over = undo(intent, systemd)
        store.forget_intent()
    except (OSError, SystemdError) as error:
        raise TransactionError(
            f"{said}, and what it began cannot be undone: {_words(error)}. The snapshot stays in {store.folder}"
        ) from None
    names = ", ".join(intent["names"][:5]) + (" and more" if len(intent["names"]) > 5 else "")
    return "; ".join([f"{said}; what it had begun was undone first ({names})", *left_over])


def undo(snapshot: t.Mapping[str, t.Any], systemd: Host) -> list[str]:
    """Put back files, links, masks and run state as the snapshot holds them.

    It may be run again, also halfway through: it compares with what is there and changes only what differs.

    :returns: what could not be undone, in words.
    """
    alive = systemd.has_manager and systemd.manager_answers()
    before = snapshot["units"]
    left_over: list[str] = []
    if alive:
        moved = _moved(snapshot, systemd)
        left_over += [
            f"{unit} is a oneshot that ran; what it did cannot be undone"
            for unit, state in moved.items()
            if state.get("Type") == "oneshot"
        ]
        running = [unit for unit, state in moved.items() if state.get("ActiveState") in RUNNING]
        if running:
            _quiet(systemd, "stop", running)
    files_changed = _restore_files(snapshot, systemd)
    if alive and (files_changed or snapshot["daemon_reload"]):
        daemon_reload(systemd, snapshot.get("held", {}))
    if not alive:
        return left_over
    start = _clear_the_way(before, systemd)
    if start:
        _quiet(systemd, "start", start)
    reload = [unit for unit in snapshot["reloads"] if unit not in start]
    if reload:
        _quiet(systemd, "reload", reload)
    if snapshot["linger"] is False and os.path.exists(systemd.linger_file()):
        systemd.set_linger(False)
    states = systemd.show(start, ("ActiveState", "SubState"))
    for unit in start:
        if states.get(unit, {}).get("ActiveState") not in RUNNING:
            left_over.append(f"{unit} ran before and could not be started again")
    return left_over


def _clear_the_way(before: t.Mapping[str, t.Mapping[str, t.Any]], systemd: Host) -> list[str]:
    """The units that have to be started to run as they did, once nothing keeps them from it any more."""
    states = systemd.show(before, ("ActiveState", "Job", "Triggers"))
    failed = [
        u
        for u, state in states.items()
        if u in before and state.get("ActiveState") == "failed" and before[u]["active"] != "failed"
    ]
    # What a systemctl that was killed has asked for may still be to come: a start takes the place of that job.
    sure = [
        u
        for u, state in states.items()
        if state.get("ActiveState") in RUNNING - {"deactivating"} and not has_job(state)
    ]
    again = [unit for unit, was in before.items() if was["active"] in RUNNING and unit not in sure]
    start = [unit for unit in again if not (before[unit]["oneshot"] and before[unit]["active"] == "activating")]
    # A socket does not start while its service runs.
    triggered = {
        service
        for unit in start
        if unit.endswith(".socket")
        for service in states.get(unit, {}).get("Triggers", "").split()
    }
    holding = [unit for unit in before if unit in triggered and unit not in start and before[unit]["active"] in RUNNING]
    if holding:
        _quiet(systemd, "stop", holding)
        start += holding
    if failed or start:
        # Also forgets the starts so far, which systemd counts: this one must not be the one too many.
        reset_failed(systemd, list(dict.fromkeys([*failed, *start])))
    return start


def _moved(snapshot: t.Mapping[str, t.Any], systemd: Host) -> dict[str, dict[str, str]]:
    """The units that run and did not, or that were started anew since the snapshot, with their state."""
    states = systemd.show(snapshot["units"], ("ActiveState", "InvocationID", "Type"))
    moved = {}
    for unit, was in snapshot["units"].items():
        state = states.get(unit, {})
        new = state.get("InvocationID", "") not in ("", was["invocation"])
        if new or (state.get("ActiveState") in RUNNING and was["active"] not in RUNNING):
            moved[unit] = state
    return moved


def _quiet(systemd: Host, verb: str, units: t.Sequence[str]) -> None:
    """A job while putting things back: one unit that refuses shall not keep the others from it."""
    systemd.command(systemd.systemctl(verb, "--", *units), timeout=RELOAD_TIMEOUT)


def _restore_files(snapshot: t.Mapping[str, t.Any], systemd: Host) -> bool:
    """Bring files and links back to what the snapshot holds; True when anything differed."""
    files = [_files.from_json(entry) for entry in snapshot["files"]]
    if systemd.runtime and snapshot["boot"] != _boot_id():
        return False  # the reboot has emptied the folder
    with systemd.as_owner():
        _files.remove_temporary({os.path.dirname(path) for path, _file in files}, snapshot["id"])
        changes = []
        for path, file in files:
            now = systemd.read_file(path)
            if now != file:
                changes.append(Change("", path, now, file, "", ""))
        links = {f"{systemd.folder}/{link}": target for link, target in snapshot["links"].items()}
        present = {
            f"{systemd.folder}/{link}": target
            for link, target in systemd.list_links().items()
            if enables(link, target, snapshot["names"])
        }
        paths = {path for path, _file in files}
        for path in sorted({*links, *present} - paths):
            if links.get(path) != present.get(path):
                after = File("link", target=links[path]) if path in links else File()
                changes.append(Change("", path, File(), after, "", ""))
        _files.apply(changes, snapshot["id"])
        _files.remove_empty_folders(change.path for change in changes)
    return bool(changes)

# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out a plan as one transaction: snapshot, steps, health, then commit, or everything back.

Everything it needs to put things back is on disk before the first change, so that the next run can undo what a killed
one began.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from .._host.manager import Manager
from .._host.show import States
from .._host.systemd import SystemdError
from .._model import DOWN, UP, UP_OR_STARTING, Failure
from .._values.numbers import parse_span
from .accounts import make as make_accounts
from .contents import Contents
from .health import failures_in_words, failures_of, judge, limits_of
from .host import Host, Target
from .jobs import Limits, has_job, job_complaints, wait_for_jobs
from .no_reboot import lift, shields
from .plan import Plan
from .snapshot import Snapshot
from .store import Store, TransactionError
from .timer_hold import daemon_reload
from .undo import NO_ROOM, reset_failed, switch, undo

_RELOAD_GRACE = 5.0  # seconds for systemd to end a reload by its own limit
_OVERDUE = 60.0  # seconds in which the host must have put back by itself what was not confirmed


def run(
    plan: Plan,
    host: Target,
    store: Store,
    snapshot: dict[str, t.Any],
    rollback: bool = True,
    commit: t.Callable[[], None] | None = None,
) -> States:
    """Carry out *plan* and see that what it started is up.

    :param snapshot: what ``take_snapshot`` returned.
    :param rollback: False leaves everything as it is when a unit does not come up.
    :param commit: called when all are up; by default it forgets the intent, after which the change is final.
    :returns: the state of the units acted on.
    :raises TransactionError: with what failed and whether everything is as it was.
    """
    _write_intent(store, snapshot)
    steps = _Run(plan, host, store, snapshot)
    try:
        states = steps.apply()
        (commit or store.forget_intent)()  # from here on it is done
    except BaseException as error:  # whatever it is, also the user's Ctrl-C: nothing half done may stay
        failures = error.failures if isinstance(error, _NotUp) else []
        reported = describe_error(error)
        if failures and not rollback:
            left_over = _forget(store)
            message = _told(reported, "Nothing was put back, because rollback is false")
            raise TransactionError(message, failures, False, left_over) from error
        left_over, is_stuck = _undo(reported, failures, snapshot, host)
        left_over += _forget(store, is_stuck)
        if not (steps.touched or left_over):
            raise TransactionError(_told(reported, "Nothing was changed"), failures) from error
        back = f", except: {'; '.join(left_over)}" if left_over else ""
        message = _told(reported, f"The state from before this task is back{back}")
        raise TransactionError(message, failures, not left_over, left_over) from error
    return states


def _told(reported: str, ending: str) -> str:
    """A message and what became of the host; on a line of its own below journal lines."""
    return f"{reported}\n{ending}" if "\n" in reported else f"{reported}. {ending}"


def _write_intent(store: Store, snapshot: Snapshot) -> None:
    try:
        store.write_intent(snapshot)
    except OSError as error:
        with contextlib.suppress(OSError):
            store.forget_intent()
        raise TransactionError(
            f"{store.folder}: the snapshot that a rollback needs cannot be written ({error.strerror}); nothing was"
            " changed. Make room, or make the folder writable"
        ) from None


def _undo(reported: str, failures: t.Sequence[Failure], snapshot: Snapshot, host: Target) -> tuple[list[str], bool]:
    try:
        return undo(snapshot, host)
    except Exception as error:
        message = (
            f"{reported}. Putting the old state back failed too ({describe_error(error)}); the next run tries again"
        )
        raise TransactionError(message, failures, False) from error


def _forget(store: Store, keep: bool = False) -> list[str]:
    """Remove the intent after everything else, or set it aside; in words what there is to say of it."""
    try:
        if keep:
            return [f"the snapshot of it is kept as {store.set_aside('intent.json')}"]
        store.forget_intent()
    except OSError as error:
        return [
            f"{store.folder}: the snapshot cannot be removed ({error.strerror}); the next run puts its state back once"
            " more"
        ]
    return []


def describe_error(error: BaseException) -> str:
    """An error as a message tells it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'} cannot be changed: {error.strerror}"
    if isinstance(error, (SystemdError, TransactionError, _NotUp)):
        return str(error)
    return f"{type(error).__name__}: {error}"


class _NotUp(Exception):
    def __init__(self, failures: t.Sequence[Failure]) -> None:
        super().__init__(failures_in_words(failures))
        self.failures = list(failures)


class _Run:
    """The steps of a plan, in few calls."""

    def __init__(self, plan: Plan, host: Target, store: Store, snapshot: dict[str, t.Any]) -> None:
        self.plan = plan
        self.host = host
        self.store = store
        self.snapshot = snapshot
        self.token = snapshot["id"]
        self.before = snapshot["units"]
        self.begun = host.monotonic()
        self.complaints: dict[str, str] = {}
        self.failed_reloads: dict[str, str] = {}
        self.touched = bool(plan.linger or plan.accounts.made)  # more than folders of new versions

    def apply(self) -> States:
        """Every step, and the state of what runs after it.

        :raises _NotUp: when a unit is not up in the end.
        """
        plan, host = self.plan, self.host
        if plan.linger:
            host.set_linger(True)
            host.wait_for_manager()
        make_accounts(plan.accounts.made, host.run)
        for release in plan.releases.values():
            self.touched |= bool(release.release.prepare)
            host.make_version(release)
        self.touched = True
        self._jobs("stop", [*plan.stop, *plan.stop_start, *self._ordered_after_what_stops()])
        self._enablement("disable", plan.disable)
        placed = shields(plan, host)
        late = plan.late()
        host.change_files([*(change for change in plan.written() if change not in late), *placed], self.token)
        self._enablement("reenable", plan.reenable)
        self._enablement("enable", plan.enable)
        if (plan.daemon_reload or placed) and host.has_manager:
            restarted_timers = [timer for timer in plan.held_timers if timer in plan.restart]
            daemon_reload(host, plan.held_timers, restarted_timers)
            # By the old definitions something may have started again what was stopped.
            self._jobs("stop", self._risen([*plan.stop, *plan.stopped_with]))
        # Starts that we ask for must not use up a start limit, whose StartLimitAction= may reboot the host. From 257 on
        # a daemon-reload keeps what systemd has counted.
        groups = (plan.reset, plan.restart, plan.stop_start, plan.restarted_with, plan.start, plan.started_with)
        counted = dict.fromkeys(unit for group in groups for unit in group)
        if counted:
            reset_failed(host, counted)
        states = self._bring_up() if plan.acted_on() else {}
        if plan.swaps:
            states = {**states, **self._swap()}
        self._see_stopped()
        if placed:
            host.change_files(lift(placed), self.token)
            daemon_reload(host, {})
        if plan.linger is False:
            host.set_linger(False)
        return states

    def _enablement(self, verb: str, units: t.Iterable[str]) -> None:
        if units:
            self.host.ask("--no-reload", *(["--runtime"] if self.host.runtime else []), verb, "--", *units)

    def _jobs(
        self, verb: str, units: t.Sequence[str], limits: t.Mapping[str, Limits] | None = None, begun: float = 0.0
    ) -> None:
        """Ask for jobs of all units in one call, and wait for them.

        :raises SystemdError: when systemctl refuses, or stopping fails. Other jobs that fail show in the state of
            their unit, where there is more to say about it.
        """
        if not units:
            return
        if verb in ("stop", "restart") and len(units) > 1:
            units = self._last_first(units)
        asked = {unit: (limits or {}).get(unit, Limits()) for unit in units}
        code, out, late = wait_for_jobs(self.host, (verb, "--", *units), asked, begun or self.host.monotonic())
        if verb == "reload":
            self.failed_reloads.update({unit: f"it does not end within {asked[unit].timeout:.0f} s" for unit in late})
        if late or code == 0:
            return
        complaints = job_complaints(out)
        (self.failed_reloads if verb == "reload" else self.complaints).update(complaints)
        refused = [line for line in out.split("\n") if line.startswith("Failed to ")]
        # Without any complaint systemctl was killed before it asked for a job: the units may well run, with the old
        # definition.
        if verb == "stop" or refused or not complaints:
            words = "; ".join(refused) or out.strip() or f"it ended with exit status {code}"
            if verb == "stop":
                # The journal tells more, for example of a mount that is in use.
                self._refuse_if_up(units, lambda _state: f"it could not be stopped: {words}")
            raise SystemdError(f"systemctl {verb}: {words}")

    def _ordered_after_what_stops(self) -> list[str]:
        """Units that stop with others, for these stop after them, and that their restart starts again."""
        plan = self.plan
        rolling = {unit for group in plan.rolling for unit in group}
        units = [unit for unit in plan.restart if unit not in plan.held_timers and unit not in rolling]
        states = self.host.show(units, ("After", "CanStart", "NFileDescriptorStore")) if plan.stop and units else {}
        return [
            unit
            for unit, state in states.items()
            if state.get("CanStart") == "yes"
            and state.get("NFileDescriptorStore", "0") == "0"
            and not plan.stop.keys().isdisjoint(state.get("After", "").split())
        ]

    def _see_stopped(self) -> None:
        """See that what was stopped for good is down: a path or a busy socket may have started it again at once.

        :raises _NotUp: when some run.
        """
        risen = self._risen(list(self.plan.stop))
        self._jobs("stop", risen)  # what triggers it may have been stopped after it
        self._refuse_if_up(
            risen, lambda state: f"it was stopped, and runs again, by {state.get('TriggeredBy') or 'another unit'}"
        )

    def _last_first(self, units: t.Sequence[str]) -> list[str]:
        """Units in the order in which systemd stops them: first what is ordered after others; see systemd.unit(5).

        systemctl asks for one job after another, and systemd begins the first before it knows of the second.
        """
        after = {unit: told.get("After", "").split() for unit, told in self.host.show(units, ("After",)).items()}
        left, ordered = list(units), []
        while left:
            later = {name for unit in left for name in after.get(unit, ())}
            ordered += [unit for unit in left if unit not in later] or left  # a cycle has no order
            left = [unit for unit in left if unit not in ordered]
        return ordered

    def _refuse_if_up(self, units: t.Sequence[str], why: t.Callable[[t.Mapping[str, str]], str]) -> None:
        """End the run if units are up that should be down.

        :param why: the cause of one, by its state.
        :raises _NotUp: when some run.
        """
        states = self.host.show(units) if units else {}
        up = [unit for unit in units if states.get(unit, {}).get("ActiveState") in UP_OR_STARTING]
        causes = {unit: why(states[unit]) for unit in up}
        if causes:
            raise _NotUp(failures_of(self.host, causes, states, self.begun))

    def _bring_up(self) -> States:
        plan, begun = self.plan, self.host.monotonic()
        rolling = {unit for group in plan.rolling for unit in group}
        limits = {unit: limits_of(plan.health.get(unit)) for unit in plan.acted_on() if unit not in rolling}
        restart = [unit for unit in plan.restart if unit not in plan.held_timers and unit not in rolling]
        self._jobs("restart", [*restart, *self._risen(list(plan.stop_start))], limits, begun)
        # A socket refuses to start while its service runs, and each name is a job of its own.
        start = sorted([*plan.stop_start, *plan.start], key=lambda unit: not unit.endswith(".socket"))
        self._jobs("start", start, limits, begun)
        self._jobs("reload", list(plan.reload), {**limits, **self._limits_of_reloads(limits, begun)}, begun)
        for verb, units in self._followers().items():
            self._jobs(verb, units, limits, begun)
        states = self._judge(limits, begun) if limits else {}
        done: dict[str, Limits] = {}
        for group in plan.rolling:
            states = {**states, **self._restart_group(group, done)}
            done.update(dict.fromkeys(group, Limits()))
        return states

    def _limits_of_reloads(self, limits: t.Mapping[str, Limits], begun: float) -> dict[str, Limits]:
        """Limits of the units that say themselves when they are reloaded, and have none by their health.

        Release 257 begins their TimeoutStartSec= anew whenever it is over; others end the reload then.
        """
        spent = self.host.monotonic() - begun + _RELOAD_GRACE
        asked = [unit for unit in self.plan.reload if unit in limits and not limits[unit].timeout]
        states = self.host.show(asked, ("Type", "TimeoutStartUSec")) if asked else {}
        return {
            unit: limits[unit]._replace(timeout=spent + parse_span(states[unit]["TimeoutStartUSec"]) / 1e6)
            for unit in asked
            if states.get(unit, {}).get("Type") == "notify-reload" and states[unit]["TimeoutStartUSec"] != "infinity"
        }

    def _judge(self, limits: t.Mapping[str, Limits], begun: float) -> States:
        """The states of units, all of which are up.

        :raises _NotUp: when one is not.
        """
        states, failures = judge(self.host, limits, begun, self.complaints, self.failed_reloads, self.begun)
        failures += self._not_restarted(states)
        known = {failure.unit for failure in failures}
        ended = {unit: why for unit, why in self._ended(states).items() if unit not in known}
        failures += failures_of(self.host, ended, states, self.begun)
        if failures:
            raise _NotUp(failures)
        return states

    def _ended(self, states: States) -> dict[str, str]:
        """The services that ran, and have ended well since their restart, with these words."""
        why = "it ended with success instead of staying up, and it ran before"
        return {unit: why for unit in self.plan.lasting if states.get(unit, {}).get("ActiveState") == "inactive"}

    def _restart_group(self, group: t.Sequence[str], done: t.Mapping[str, Limits]) -> States:
        """Restart some units, and see that they are well and that those before them still are."""
        begun = self.host.monotonic()
        limits = {}
        for unit in group:
            limit = limits_of(self.plan.health.get(unit))
            limits[unit] = limit._replace(stable=max(limit.stable, self.plan.min_healthy_time))
        self._jobs("restart", group, limits, begun)
        return self._judge({**done, **limits}, begun)

    def _swap(self) -> States:
        """Send the requests to units that are up, see that these stay well, and stop those that served.

        :raises SystemdError: when a command fails.
        """
        plan, host = self.plan, self.host
        self.snapshot["switched"] = True
        self.store.write_intent(self.snapshot)  # from here on the requests have to be sent back
        host.change_files(plan.late(), self.token)
        for swap in plan.swaps:
            switch(host, swap.command)
        limits = {swap.new: limits_of(plan.health.get(swap.new))._replace(stable=swap.drain) for swap in plan.swaps}
        states = self._judge(limits, host.monotonic())
        if plan.retired:
            self._jobs("stop", self._risen(list(plan.retired)))
            reset_failed(host, [swap.old for swap in plan.swaps if swap.old])  # one may have ended by its signal
        return states

    def _not_restarted(self, states: States) -> list[Failure]:
        """The units whose restart was a success by what systemctl says, and that run on as before."""
        why = "it was not restarted: it runs on with the invocation from before, and with its old definition"
        units = self.plan.restarted()
        return [Failure(unit, why, "", "", []) for unit in units if self._runs_on(unit, states.get(unit, {}))]

    def _risen(self, units: t.Sequence[str]) -> list[str]:
        """The units that something has started again since we stopped them, with what they were: Upholds=, a path."""
        states = self.host.show(units, ("ActiveState", "Job")) if units else {}
        return [
            unit
            for unit in units
            if states.get(unit, {}).get("ActiveState", "inactive") not in DOWN or has_job(states.get(unit, {}))
        ]

    def _followers(self) -> dict[str, list[str]]:
        """What is left to do to the units that restart with others: ``{verb: units}``.

        Some systemd took down and did not bring back. Others run on: ``StopPropagatedFrom=`` passes on the stop of a
        restart in releases 257 and 262, and does not in 252. A restart of both in one call is refused by 262.
        """
        units = self.plan.restarted_with
        found: dict[str, list[str]] = {"start": [], "restart": []}
        states = self.host.show(units, ("ActiveState", "InvocationID")) if units else {}
        for unit in units:
            state = states.get(unit, {})
            if state.get("ActiveState") in DOWN:
                found["start"].append(unit)
            elif self._runs_on(unit, state):
                found["restart"].append(unit)
        return found

    def _runs_on(self, unit: str, state: t.Mapping[str, str]) -> bool:
        """Whether a unit has the invocation from before the transaction."""
        now = state.get("InvocationID", "")
        return bool(now) and state.get("ActiveState") in UP and now == self.before.get(unit, {}).get("invocation")


def recover(store: Store, overdue: bool = False) -> str:
    """Undo what a killed run began; returns what was done in words, or an empty text when there was nothing.

    An intent that cannot be read, or whose rest can never be undone, is set aside: it holds up no later run.

    :param overdue: whether the time for a confirmation is known to be up: no later run does it, but the guard in time.
    :raises TransactionError: when it cannot be undone now, or still waits for its confirmation.
    """
    reported, intent = "a run was interrupted", None
    try:
        intent = store.read_intent()
        if intent is None:
            return ""
        reported = _what_happened(intent)
        if not overdue:
            _refuse_while_waiting(intent)
        if intent["root"] and not os.path.isdir(intent["root"]):
            store.forget_intent()
            return f"{reported}; the root it worked on, {intent['root']}, is gone"
        left_over, is_stuck = _recover(intent, store, later=not overdue)
        names = _some_names(intent)
        if is_stuck:
            left_over.append(_set_aside(store))
        else:
            store.forget_intent()
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        malformed = f"the snapshot is malformed ({error})"
        return f"{reported}, and what it began cannot be undone: {malformed}. {_set_aside(store)}"
    except TransactionError:
        raise
    except Exception as error:
        reported = f"{reported}, and what it began cannot be undone: {describe_error(error)}"
        passes = isinstance(error, SystemdError) or getattr(error, "errno", 0) in NO_ROOM
        if intent and (intent["user"] or intent["root"] or not passes):
            return f"{reported}. {_set_aside(store)}"
        raise TransactionError(f"{reported}. The snapshot stays in {store.folder}") from error
    return "; ".join([f"{reported}; what it had begun was undone first ({names})", *left_over])


def _what_happened(intent: Snapshot) -> str:
    """Why an intent is there, in words."""
    begun = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(intent["begun"]))
    confirm = intent.get("confirm", {})
    if "until" in confirm:
        return f"a deployment that began at {begun} was not confirmed within {confirm['within']:g} s"
    return f"a run that began at {begun} was interrupted"


def _refuse_while_waiting(intent: Snapshot) -> None:
    """Leave a deployment alone of which the host waits for the confirmation.

    :raises TransactionError: while it does.
    """
    left = intent.get("confirm", {}).get("until", 0.0) - time.time()
    if left > -_OVERDUE:
        begun = time.strftime("%H:%M:%S UTC", time.gmtime(intent["begun"]))
        raise TransactionError(
            f"the deployment of {_some_names(intent)} that began at {begun} waits for its confirmation for another"
            f" {max(left, 0):.0f} s; nothing was changed. Run this task again after that"
        )


def _some_names(intent: Snapshot) -> str:
    return ", ".join(intent["names"][:5]) + (" and more" if len(intent["names"]) > 5 else "")


def host_of(intent: Snapshot, store: Store) -> Host:
    """The host of which an intent speaks."""
    manager = Manager(intent["scope"], intent["user"], intent["runtime"], intent["root"])
    return Host(manager, Contents(store.path("contents")))


def _recover(intent: Snapshot, store: Store, later: bool) -> tuple[list[str], bool]:
    host = host_of(intent, store)
    with host.manager.as_owner():
        problem = host.unit_folder.problem()
    if problem:
        raise SystemdError(problem)
    return undo(intent, host, later)


def _set_aside(store: Store) -> str:
    """Take an intent out of the way of later runs; returns where it is kept, in words."""
    path = store.path("intent.json")
    try:
        kept = store.set_aside("intent.json")
    except OSError as error:
        raise TransactionError(f"{path} cannot be set aside: {error.strerror}; move it away") from error
    return f"Look at these units yourself; the snapshot is kept as {kept}"

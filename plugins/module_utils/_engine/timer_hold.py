# SPDX-License-Identifier: GPL-3.0-or-later

"""A daemon-reload after which no timer fires for a time that has passed already.

PID 1 reckons a changed schedule from the last time the timer fired, from its activation or from boot
(systemd.timer(5)). A job that ran today at 03:00 and shall now run at 04:00 is therefore started at once when it is
later than that; so is one that gains OnBootSec=. A transient unit, ordered before the jobs, keeps their start waiting
until it can be cancelled; PID 1 takes the timer for fired then, and reckons from now on. (OnActiveSec= counts from each
daemon-reload anew: nothing to hold.) With RandomizedDelaySec= such a start may come later than anybody waits for here.
"""

from __future__ import annotations

import secrets
import typing as t

from .._host.manager import RELOAD_TIMEOUT
from .._host.systemd import SystemdError
from .host import Target
from .jobs import has_job

_PROPERTIES = ("ActiveState", "Job", "LastTriggerUSecMonotonic")
_HOLD = "unitcraft-hold-"
_LOOKS = 4  # PID 1 sees an elapsed timer in its next round at the latest, and each answer of its is a round
_PAUSE = 0.05  # seconds


def daemon_reload(host: Target, jobs: t.Mapping[str, str], again: t.Sequence[str] = ()) -> None:
    """Have the manager read its unit files.

    :param jobs: ``{timer: the unit it starts}`` of the running timers whose schedule changes with that.
    :param again: those of them that have to be restarted.
    :raises SystemdError: when that fails.
    """
    before = host.show([*jobs, *jobs.values()], _PROPERTIES)
    held = {
        timer: unit
        for timer, unit in jobs.items()
        if before.get(timer, {}).get("ActiveState") == "active" and not has_job(before.get(unit, {}))
    }
    try:
        if held:
            _begin(host, held.values())
        host.ask("daemon-reload", timeout=RELOAD_TIMEOUT)
        if again:
            host.attempt("reset-failed", "--", *again)  # a start that we ask for must not use up their start limit
            host.ask("restart", "--", *again)
        if held:
            _cancel_starts(host, held, before)
    finally:
        if jobs:
            host.attempt("stop", "--", f"{_HOLD}*.service")  # ours, and that of a run that was killed


def _begin(host: Target, units: t.Iterable[str]) -> None:
    """Start a unit that all of these wait for. It ends by itself should nobody end it."""
    hold = f"{_HOLD}{secrets.token_hex(4)}.service"
    manager = ["--user"] if host.scope == "user" else []
    order = [f"--property=Before={unit}" for unit in sorted(set(units))]
    argv = ["systemd-run", *manager, "--quiet", "--collect", "--no-block", f"--unit={hold}", "--property=Type=oneshot"]
    reply = host.run([*argv, *order, "sleep", str(int(RELOAD_TIMEOUT))])
    if reply.code != 0:
        raise SystemdError(
            f"systemd-run, which keeps timers from firing while their schedule changes: {reply.err.strip()}"
        )


def _cancel_starts(host: Target, held: t.Mapping[str, str], before: t.Mapping[str, t.Mapping[str, str]]) -> None:
    """Take back what the timers start now: no other than a time in the past makes them do it."""
    for look in range(_LOOKS):
        if look:
            host.sleep(_PAUSE)
        states = host.show([*held, *held.values()], _PROPERTIES)
        for timer, unit in held.items():
            now, then = (seen.get(timer, {}).get("LastTriggerUSecMonotonic") for seen in (states, before))
            if now != then and has_job(states.get(unit, {})):
                host.attempt("cancel", states[unit]["Job"])

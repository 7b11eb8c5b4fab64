# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for the jobs of systemctl, and reads what it says of those that failed."""

from __future__ import annotations

import re
import typing as t

from .._host.systemd import SystemdError
from .._model import MOVING
from .host import Call, Target
from .state import is_restarting

HANG_CHECK = 60.0  # seconds after which we look whether systemctl still has something to wait for
_LAST_WORD = 20.0  # seconds that a systemctl without any job left has to end
_SETTLE_TIMEOUT = 90.0  # seconds for a unit that has no limit of its own
_EXEC_TIMEOUT = 10.0  # seconds
# For these systemd counts a service as started before its program is executed; systemd.service(5), Type=.
_STARTED_BEFORE_EXEC = ("simple", "idle")
# What systemctl says of a job that did not end well (systemd's src/shared/bus-wait-for-jobs.c, releases 247 to 262).
_COMPLAINT = re.compile(
    r"(?:Job|A dependency job|Assertion failed on job|Queued job) for (?P<one>\S+?)"
    r"(?: (?:failed|canceled|timed out|was)[^.]*|\.$)"
    r"|(?:Unit |Operation on or unit type of )(?P<two>\S+) (?:was started|not supported|cannot)[^.]*"
    r"|(?P<three>\S+) is not active, cannot reload"
)


class Limits(t.NamedTuple):
    """What ``health`` asks of one unit."""

    timeout: float = 0.0  # seconds; 0: wait as long as systemd itself waits
    stable: float = 0.0  # seconds
    probes: t.Sequence[t.Mapping[str, t.Any]] = ()


def has_job(state: t.Mapping[str, str]) -> bool:
    """Whether a job of the unit waits or runs."""
    return state.get("Job", "0") not in ("", "0")


def is_pending(state: t.Mapping[str, str]) -> bool:
    """Whether a unit has a job, or is on its way from one state to another."""
    return has_job(state) or state.get("ActiveState") in MOVING


def wait_for_jobs(
    host: Target, words: t.Sequence[str], limits: t.Mapping[str, Limits], begun: float
) -> tuple[int, str, list[str]]:
    """Run a systemctl call that waits for its jobs, no longer than the units' own limits.

    :param words: what systemctl is called with, for example ``("start", "--", "a.service")``.
    :param limits: by unit; a unit without a time limit is waited for as long as systemd does.
    :param begun: moment of ``host.monotonic()`` at which the clock of the limits started.
    :returns: exit status (-1 when not waited for to the end), output, and the units whose time is up.
    :raises SystemdError: when systemctl hangs although no job is left.
    """
    due = {unit: begun + limit.timeout for unit, limit in limits.items() if limit.timeout}
    with host.start_call(*words) as call:
        while True:
            now = host.monotonic()
            ended = call.wait(min([*due.values(), now + HANG_CHECK]) - now)
            if ended:
                return (*ended, [])
            states = host.show(limits, ("ActiveState", "Job"))
            if not any(is_pending(states.get(unit, {})) for unit in limits):
                return (*_last_word(call, words), [])
            over = [unit for unit, end in due.items() if end <= host.monotonic()]
            late = [unit for unit in over if is_pending(states.get(unit, {}))]
            if late:
                return -1, "", late
            due = {unit: end for unit, end in due.items() if unit not in over}


def _last_word(call: Call, words: t.Sequence[str]) -> tuple[int, str]:
    """The end of a systemctl whose jobs are done: it is due at once."""
    ended = call.wait(_LAST_WORD)
    if ended is None:
        raise SystemdError(f"systemctl {' '.join(words[:4])} does not end, although no job of its units is left")
    return ended


def settle(host: Target, limits: t.Mapping[str, Limits], begun: float) -> dict[str, dict[str, str]]:
    """Ask until no unit has a job or is on its way any more, or its time is up; returns their states."""
    states = host.show(limits)
    end_of_exec = host.monotonic() + _EXEC_TIMEOUT
    pause = 0.02
    while True:
        now = host.monotonic()
        waiting = [
            unit
            for unit, limit in limits.items()
            if (
                is_pending(states.get(unit, {}))
                and not is_restarting(states.get(unit, {}))
                and now < begun + (limit.timeout or _SETTLE_TIMEOUT)
            )
            or (now < end_of_exec and _awaits_exec(host, states.get(unit, {})))
        ]
        if not waiting:
            return states
        host.sleep(pause)
        pause = min(pause * 2, 0.5)
        states.update(host.show(waiting))


def _awaits_exec(host: Target, state: t.Mapping[str, str]) -> bool:
    """Whether a service counts as active, and its program still has to be executed, or has ended unseen."""
    pid = state.get("MainPID", "0")
    is_early = state.get("ActiveState") == "active" and state.get("Type") in _STARTED_BEFORE_EXEC
    return is_early and pid not in ("", "0") and not host.is_executed(pid)


def job_complaints(out: str) -> dict[str, str]:
    """Which jobs failed, in what ``systemctl start`` prints: ``{unit: sentence}``."""
    found = {}
    for line in out.split("\n"):
        match = _COMPLAINT.match(line)
        if match:
            unit = match.group("one") or match.group("two") or match.group("three")
            found[unit] = f"systemd says: {match.group(0)}"
    return found

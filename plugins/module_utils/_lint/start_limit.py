# SPDX-License-Identifier: GPL-3.0-or-later

"""When systemd gives up on a service that keeps failing: the arithmetic of Restart= and StartLimit*=.

Source: systemd.unit(5), StartLimitIntervalSec=; systemd.service(5), Restart=, RestartSec=, RestartSteps= and
RestartMaxDelaySec= (254). systemd counts starts in a window that the first of them opens. The start after the
``burst`` th one is refused when it comes before the window is over; a start that comes later opens a new window.
"""

from __future__ import annotations

import typing as t

from .._model import Setting, Unit
from .._syntax.effective import last_setting
from .._syntax.names import unit_type
from .._values.timespans import INFINITY, parse_span

SECOND = 1_000_000  # all times here are whole microseconds, as in systemd; None is infinity
DEFAULT_RESTART = SECOND // 10
DEFAULT_INTERVAL = 10 * SECOND
DEFAULT_BURST = 5
STEPS_SINCE = 254  # release that brought RestartSteps= and RestartMaxDelaySec=

# systemd lets a timer fire up to 250 ms late, and a start takes a moment: how much longer a round may be than written
SLACK_PER_RESTART = SECOND * 35 // 100

# table of systemd.service(5), Restart=: the ways to end after which each value restarts
RESTARTS_AFTER = {
    "no": frozenset(),
    "always": frozenset(("success", "exit-code", "signal", "timeout", "watchdog")),
    "on-success": frozenset(("success",)),
    "on-failure": frozenset(("exit-code", "signal", "timeout", "watchdog")),
    "on-abnormal": frozenset(("signal", "timeout", "watchdog")),
    "on-abort": frozenset(("signal",)),
    "on-watchdog": frozenset(("watchdog",)),
}


class Policy(t.NamedTuple):
    """How a service is restarted. Times are microseconds, None is infinity."""

    restart: str = "no"
    delay: int | None = DEFAULT_RESTART  # RestartSec=
    steps: int = 0  # RestartSteps=
    max_delay: int | None = None  # RestartMaxDelaySec=
    burst: int = DEFAULT_BURST  # StartLimitBurst=
    interval: int | None = DEFAULT_INTERVAL  # StartLimitIntervalSec=


class StartLimit(t.NamedTuple):
    """What becomes of a service whose program always fails."""

    gives_up: bool  # systemd ends with result start-limit-hit and does not try again
    starts: int  # starts until then; 0 when it goes on without end
    seconds: float  # from the first start to the refused one; infinity when there is none
    certain: bool  # False when the lateness of systemd's timers decides it


def start_limit_verdict(policy: Policy, run_seconds: float = 0.0, failure: str = "exit-code") -> StartLimit:
    """Whether systemd gives up on a program that fails each time ``run_seconds`` after its start.

    :param failure: how it ends: ``exit-code``, ``signal``, ``timeout`` or ``watchdog``.
    """
    if failure not in RESTARTS_AFTER.get(policy.restart, frozenset()):
        return StartLimit(False, 1, float("inf"), True)
    if policy.burst == 0 or policy.interval == 0:
        return StartLimit(False, 0, float("inf"), True)
    delays = [restart_delay(policy, number) for number in range(1, policy.burst + 1)]
    if any(delay is None for delay in delays):
        return StartLimit(False, 0, float("inf"), True)
    elapsed = sum(delay for delay in delays if delay is not None) + policy.burst * round(run_seconds * SECOND)
    # delays never become shorter, so a limit that the first window escapes is never hit later
    if policy.interval is not None and elapsed >= policy.interval:
        return StartLimit(False, 0, float("inf"), True)
    certain = policy.interval is None or elapsed + policy.burst * SLACK_PER_RESTART < policy.interval
    return StartLimit(True, policy.burst, elapsed / SECOND, certain)


def restart_delay(policy: Policy, number: int) -> int | None:
    """Microseconds that systemd waits before the ``number`` th restart, counted from 1; None when it never comes."""
    first, longest = policy.delay, policy.max_delay
    if longest is not None and (first is None or first > longest):
        first = longest  # systemd lowers RestartSec= to it, with RestartSteps= or without
    if number <= 1 or not policy.steps or not first or longest is None:
        return first
    if number > policy.steps:
        return longest
    return int(first * (longest / first) ** ((number - 1) / policy.steps))


class Settings(t.NamedTuple):
    """The policy of a unit and the assignments it comes from; None where systemd's default holds."""

    policy: Policy
    restart: Setting | None
    delay: Setting | None
    burst: Setting | None
    interval: Setting | None


def settings_of(unit: Unit, release: int) -> Settings:
    """Read the policy of a unit; values that systemd cannot read count as unset, as they do for systemd."""
    found = _readable(unit)
    if release < STEPS_SINCE:
        found.pop("RestartSteps", None)
        found.pop("RestartMaxDelaySec", None)
    restart = last_setting(unit, "Service", "Restart") if unit_type(unit.name) == "service" else None
    delay, burst, interval = (found.get(key) for key in ("RestartSec", "StartLimitBurst", "StartLimitInterval"))
    policy = Policy(
        restart=restart.value if restart is not None and restart.value in RESTARTS_AFTER else "no",
        delay=_span(delay, DEFAULT_RESTART),
        steps=int(found["RestartSteps"].value) if "RestartSteps" in found else 0,
        max_delay=_span(found.get("RestartMaxDelaySec"), None),
        burst=int(burst.value) if burst is not None else DEFAULT_BURST,
        interval=_span(interval, DEFAULT_INTERVAL),
    )
    return Settings(policy, restart, delay, burst, interval)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("not a count")
    return int(text)


# directive: how it is read, and whether it stands in [Service] alone
_READERS: dict[str, tuple[t.Callable[[str], int], bool]] = {
    "RestartSec": (parse_span, True),
    "RestartSteps": (_count, True),
    "RestartMaxDelaySec": (parse_span, True),
    "StartLimitBurst": (_count, False),
    "StartLimitIntervalSec": (parse_span, False),
    "StartLimitInterval": (parse_span, False),
}


def _readable(unit: Unit) -> dict[str, Setting]:
    """Directive -> the last assignment of it that can be read; both names of the interval are one directive."""
    own_section = unit_type(unit.name).capitalize()
    found = {}
    for setting in unit.settings:
        if setting.directive not in _READERS:
            continue
        reader, of_service = _READERS[setting.directive]
        # the names of before 230 stand in the section of the type too; whichever stands last wins
        older = own_section if setting.directive != "StartLimitIntervalSec" else "Unit"
        if setting.section not in (("Service",) if of_service else ("Unit", older)):
            continue
        try:
            reader(setting.value)
        except ValueError:
            continue
        found[setting.directive.replace("IntervalSec", "Interval")] = setting
    return found


def _span(setting: Setting | None, default: int | None) -> int | None:
    if setting is None:
        return default
    parsed = parse_span(setting.value)
    return None if parsed >= INFINITY else parsed


def arithmetic(policy: Policy) -> str:
    """The sum that decides, as text: ``5 x 100ms = 500ms, within 10s``."""
    delays = [restart_delay(policy, number) for number in range(1, policy.burst + 1)]
    shown = [format_span(delay) for delay in delays]
    total = None if None in delays else sum(delay for delay in delays if delay is not None)
    if len(set(shown)) <= 1:
        terms = f"{policy.burst} x {shown[0] if shown else '0'}"
    else:
        terms = " + ".join(shown if len(shown) <= 6 else [*shown[:4], "...", shown[-1]])
    relation = "within" if total is not None and (policy.interval is None or total < policy.interval) else "not within"
    return f"{terms} = {format_span(total)}, {relation} {format_span(policy.interval)}"


def format_span(microseconds: int | None) -> str:
    """A time span as systemd writes it, to the millisecond: ``1min 30s``, ``250ms``."""
    if microseconds is None:
        return "infinity"
    if microseconds < SECOND:
        return f"{microseconds / 1000:g}ms" if microseconds else "0"
    minutes, rest = divmod(microseconds, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h"] if hours else []
    parts += [f"{minutes}min"] if minutes else []
    parts += [f"{round(rest / SECOND, 3):g}s"] if rest else []
    return " ".join(parts)

# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint rules for restarts: storms, what happens when the start limit is hit, and the arithmetic of that limit.

Source: systemd.unit(5), StartLimitIntervalSec=; systemd.service(5), Restart=, RestartSec=, RestartSteps= and
RestartMaxDelaySec= (254). systemd counts starts in a window that the first of them opens. The start after the
``burst`` th one is refused when it comes before the window is over; a start that comes later opens a new window.
"""

from __future__ import annotations

import typing as t

from .._model import INFO, WARNING, Setting, Unit
from .._syntax.effective import is_set, last_setting
from .._syntax.names import unit_type
from .._values.numbers import INFINITY, parse_span
from .core import Context, Diagnostic, RuleTable, service_type

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


RULES = RuleTable()

_REBOOTS = ("reboot", "reboot-force", "reboot-immediate", "kexec", "kexec-force", "soft-reboot", "soft-reboot-force")


@RULES.rule("start-limit-gives-up", WARNING, "Restart")
def start_limit_gives_up(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Restart= is set, and systemd stops trying for good after a few failures."""
    found = settings_of(unit, context.release)
    policy = found.policy
    failure = _failure(policy)
    if not failure:
        return
    verdict = start_limit_verdict(policy, failure=failure)
    if not verdict.gives_up:
        return
    # who wrote a limit, or asked for restarts at once, has thought of it; and a service that says when it is up (or
    # sits on a console) fails in sight of whoever starts it, unless it asks for pauses to outlast an outage
    chosen = found.burst is not None or found.interval is not None or (found.delay is not None and policy.delay == 0)
    in_sight = found.delay is None and service_type(unit) not in ("simple", "exec", "oneshot")
    when = "after" if verdict.certain else "if restarts come on time, after"
    yield Diagnostic(
        f"Restart={policy.restart} does not keep it up: {when} {verdict.starts} failures in "
        f"{format_span(round(verdict.seconds * SECOND))} systemd gives up for good "
        f'("Start request repeated too quickly"): {arithmetic(policy)}',
        _ways_out(policy, context.release),
        found.restart,
        INFO if chosen or in_sight or not verdict.certain else "",
    )


def _failure(policy: Policy) -> str:
    for failure in ("exit-code", "signal", "watchdog"):
        if failure in RESTARTS_AFTER[policy.restart]:
            return failure
    return ""


def _ways_out(policy: Policy, release: int) -> str:
    never = "StartLimitIntervalSec=0 in [Unit] never gives up"
    if policy.delay is not None and policy.delay < SECOND:
        never += " (with RestartSec=1s or more, or it is a restart storm)"
    if policy.interval is None:
        wider = "a finite StartLimitIntervalSec= in [Unit] starts the count anew"
    else:
        wider = f"RestartSec={_just_over(policy.interval, policy.burst)} or more spreads the retries over the interval"
    steps = " or let the pauses grow (RestartSteps=, RestartMaxDelaySec=)" if release >= STEPS_SINCE else ""
    return f"{never}; {wider}{steps}; a larger StartLimitBurst= allows for more failures before it gives up"


def _just_over(interval: int, burst: int) -> str:
    # whole seconds that make burst x delay at least the interval
    return format_span(max(1, -(-interval // (burst * SECOND))) * SECOND)


@RULES.rule("restart-storm", WARNING, "Restart")
def restart_storm(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """No start limit ends the restarts, and there is hardly a pause between them."""
    found = settings_of(unit, context.release)
    policy = found.policy
    failure = _failure(policy)
    if not failure or start_limit_verdict(policy, failure=failure).gives_up:
        return
    longest = restart_delay(policy, policy.steps + 1)
    if longest is None or longest >= SECOND:
        return
    limit = "there is no start limit" if 0 in (policy.burst, policy.interval) else "the start limit is never reached"
    yield Diagnostic(
        f"a program that fails is restarted without end, every {format_span(longest)} or so: {limit} and "
        f"RestartSec is {format_span(policy.delay)}",
        "set RestartSec=1s or more"
        + (", or RestartSteps= with RestartMaxDelaySec=" if context.release >= STEPS_SINCE else ""),
        found.delay or found.interval or found.burst or found.restart,
    )


@RULES.rule("start-limit-action-unreachable", WARNING, "StartLimitAction")
def start_limit_action_unreachable(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """StartLimitAction= is set, and the start limit is never hit."""
    action = _action(unit)
    if action is None:
        return
    found = settings_of(unit, context.release)
    policy = found.policy
    if policy.burst == 0 or policy.interval == 0:
        off = "StartLimitBurst=0" if policy.burst == 0 else "StartLimitIntervalSec=0"
        yield Diagnostic(
            f"StartLimitAction={action.value} never happens: {off} switches the start limit off",
            f"remove {off}, or use FailureAction= to act on the first failure",
            action,
        )
        return
    if unit_type(unit.name) != "service":
        return
    failure = _failure(policy)
    if not failure:
        yield Diagnostic(
            f"StartLimitAction={action.value} happens only after {policy.burst} starts by hand within "
            f"{format_span(policy.interval)}: Restart= is not set, so nothing restarts the service",
            "set Restart=on-failure, or use FailureAction= to act on the first failure",
            action,
            INFO,
        )
    elif not start_limit_verdict(policy, failure=failure).gives_up:
        yield Diagnostic(
            f"StartLimitAction={action.value} never happens: {arithmetic(policy)}",
            f"raise StartLimitIntervalSec= above {_needed_interval(policy)}, or shorten RestartSec=",
            action,
        )


def _needed_interval(policy: Policy) -> str:
    delays = [restart_delay(policy, number) for number in range(1, policy.burst + 1)]
    return format_span(None if None in delays else sum(delay for delay in delays if delay is not None))


def _action(unit: Unit) -> Setting | None:
    found = last_setting(unit, "Unit", "StartLimitAction") or last_setting(unit, "Service", "StartLimitAction")
    return found if found is not None and found.value != "none" else None


@RULES.rule("start-limit-reboot-loop", WARNING, "StartLimitAction")
def start_limit_reboot_loop(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A unit that starts at boot reboots the host when it fails a few times."""
    action = _action(unit)
    if action is None or action.value not in _REBOOTS:
        return
    policy = settings_of(unit, context.release).policy
    failure = _failure(policy)
    verdict = start_limit_verdict(policy, failure=failure or "exit-code")
    at_boot = is_set(unit, "Install", ("WantedBy", "RequiredBy", "UpheldBy")) or unit.name in context.enabled
    if failure and verdict.gives_up and at_boot:
        yield Diagnostic(
            f"a fault that is still there after the reboot makes a reboot loop: {verdict.starts} failures in "
            f"{format_span(round(verdict.seconds * SECOND))} mean StartLimitAction={action.value}, and the unit "
            "starts again at boot",
            "leave StartLimitAction= out and use OnFailure= to raise an alarm, or start the unit by a timer "
            "some minutes after boot so that the host stays reachable",
            action,
        )

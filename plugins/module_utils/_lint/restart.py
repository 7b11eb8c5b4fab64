# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint rules for restarts: the start limit, storms, and what happens when the limit is hit."""

from __future__ import annotations

import typing as t

from .._model import INFO, WARNING, Unit
from .._syntax.effective import is_set, last_setting
from .._syntax.names import unit_type
from .core import Context, Diagnostic, RuleTable, service_type
from .start_limit import (
    RESTARTS_AFTER,
    SECOND,
    Policy,
    arithmetic,
    format_span,
    restart_delay,
    settings_of,
    start_limit_verdict,
)

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
    steps = " or let the pauses grow (RestartSteps=, RestartMaxDelaySec=)" if release >= 254 else ""
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
        "set RestartSec=1s or more" + (", or RestartSteps= with RestartMaxDelaySec=" if context.release >= 254 else ""),
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


def _action(unit: Unit) -> t.Any:
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

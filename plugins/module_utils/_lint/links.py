# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint rules for dependencies: missing ordering, units left down, cycles, systemctl in Exec lines."""

from __future__ import annotations

import re
import typing as t

from .._graph.edges import STOPPED_WITH, UNIT_DIRECTIVES
from .._model import INFO, WARNING, Setting, Unit
from .._syntax.effective import unit_names_in, value_of
from .._syntax.names import IN_UNIT_NAMES, expand_specifiers, unit_type
from .._syntax.words import raw_words
from .core import Context, Diagnostic, RuleTable, exec_commands, service_type

RULES = RuleTable()

_SYSTEMCTL = re.compile(
    r"(?:^|[\s;&|(])(?:\S*/)?systemctl\s+(?P<options>(?:-\S+\s+)*)"
    r"(?P<verb>(?:try-)?reload-or-restart|(?:try-)?restart|condrestart|start|stop|reload)\s+(?P<rest>[^;&|)]*)"
)


@RULES.rule("systemctl-in-exec", WARNING, lines_only=True)
def systemctl_in_exec(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """An Exec line calls systemctl to start, stop, restart or reload units."""
    for found in exec_commands(unit):
        text = found.shell_text or " ".join([found.program, *found.command.argv[1:]])
        for match in _SYSTEMCTL.finditer(text):
            others = [word.strip("'\"") for word in match.group("rest").split() if not word.startswith("-")]
            if not others or others[0] in (unit.name, unit.name.rpartition(".")[0]):
                others = others or ["the other unit"]
            remark = _systemctl_remark(unit, context.release, found.setting, match.group("verb"), others[0])
            # a oneshot service that hands a start over to systemd and does not wait for it blocks nobody
            hands_over = "--no-block" in match.group("options") and match.group("verb") == "start"
            lesser = hands_over and found.setting.directive == "ExecStart" and service_type(unit) == "oneshot"
            yield remark._replace(severity=INFO if lesser else "")


def _systemctl_remark(unit: Unit, release: int, setting: Setting, verb: str, other: str) -> Diagnostic:
    directive = setting.directive
    other = other if "." in other or " " in other else other + ".service"
    me = unit.name
    stops = directive in ("ExecStop", "ExecStopPost", "ExecStopPre")
    if other == me:
        what = "a unit that tells systemd what to do with itself runs into its own job and hangs or is killed half way"
        remedy = "Restart= and RestartSec= restart it, RuntimeMaxSec= restarts it now and then"
    elif verb == "stop" and stops:
        what = f"{directive} runs on 'systemctl restart {me}' too: that stops {other}, and nothing starts it again"
        ties = f"PartOf={me} in {other} stops and restarts it together with {me}"
        if release >= 249:
            ties += f", or PropagatesStopTo={other} here stops it alone"
        remedy = (
            f"{ties}; Wants={other} here starts it; BindsTo={me} with After={me} in {other} stops it on a crash too"
        )
    elif verb == "start" and stops:
        what = f"{other} is started while {me} goes down, on every stop and on every restart, and at shutdown too"
        remedy = f"OnFailure={other}" + (f" or OnSuccess={other}" if release >= 249 else "")
        remedy += " starts it when this unit has ended; Conflicts= lets one of the two run at a time"
    elif verb == "stop":
        what = f"{other} is stopped by a job that this start must wait for, and it may be started again meanwhile"
        remedy = f"Conflicts={other} stops it whenever this unit starts; add After={other} to wait until it is down"
    elif verb == "start":
        what = (
            f"the start of {me} waits for a job that it queued itself: it hangs until its timeout when {other} is "
            f"ordered after {me}, and neither stop nor failure of one reaches the other"
        )
        upholds = f", Upholds={other} keeps it up" if release >= 249 else ""
        remedy = f"Wants={other} with After= or Before= starts it, Requires= or BindsTo= where it must run{upholds}"
    elif verb == "reload":
        what = f"a failed reload of {other} fails {directive} of {me}, and systemd does not know of the dependency"
        remedy = f"PropagatesReloadTo={other} passes a reload on"
    else:
        what = f"every run of {directive} restarts {other} without systemd knowing, at shutdown too"
        remedy = f"PartOf={me} in {other} restarts it with {me}; Upholds={other} here (since 249) keeps it running"
    return Diagnostic(f"{directive} calls 'systemctl {verb} {other}': {what}", remedy, setting)


def _ordered(context: Context, one: str, other: str) -> bool:
    return context.graph.has("After", one, other) or context.graph.has("After", other, one)


def dependencies(unit: Unit, *directives: str) -> t.Iterator[tuple[str, str, Setting]]:
    """``(directive, other unit, assignment)`` of each unit that the directives of ``[Unit]`` name, but for itself."""
    for directive in directives:
        for name, setting in unit_names_in(unit, "Unit", directive):
            if name and name != unit.name:
                yield directive, name, setting


@RULES.rule("requires-without-after", WARNING, "Requires")
def requires_without_after(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Requires= without After= starts both units at the same time."""
    early = any(setting.directive == "DefaultDependencies" for setting in unit.settings)
    for _directive, other, setting in dependencies(unit, "Requires"):
        kind = unit_type(other)
        if kind in ("service", "socket", "mount", "automount") and not _ordered(context, unit.name, other):
            yield Diagnostic(
                f"Requires={other} sets no order: both start at the same time, so {unit.name} may be up before "
                f"{other}, and stays up when the start of {other} fails",
                f"add After={other}",
                setting,
                # systemd hands over a socket when it is there; units of early boot have their own order
                INFO if early or kind == "socket" else "",
            )


@RULES.rule("after-without-pull-in", INFO, "After")
def after_without_pull_in(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """After= names a service that nothing starts."""
    pulls = {
        name for _d, name, _s in dependencies(unit, "Requires", "Requisite", "Wants", "BindsTo", "Upholds", "PartOf")
    }
    for _directive, other, setting in dependencies(unit, "After"):
        if unit_type(other) != "service" or other in pulls or other not in context.units:
            continue
        graph = context.graph
        if any(graph.sources(kind, other) for kind in ("Requires", "Wants", "BindsTo", "Upholds", "Triggers")):
            continue
        yield Diagnostic(
            f"After={other} orders the two, it does not start {other}, and nothing else in this set does",
            f"add Wants={other} (or Requires=), or give {other} an [Install] section and enable it",
            setting,
        )


@RULES.rule("bindsto-without-after", WARNING, "BindsTo")
def bindsto_without_after(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """BindsTo= without After= ignores the state of the other unit while this one starts."""
    for _directive, other, setting in dependencies(unit, "BindsTo"):
        if unit_type(other) != "device" and not _ordered(context, unit.name, other):
            yield Diagnostic(
                f"BindsTo={other} without After={other}: both start at the same time, and {unit.name} is not stopped "
                f"when {other} fails to come up, only when it goes down later",
                f"add After={other}",
                setting,
            )


@RULES.rule("dependent-stays-down", WARNING, *STOPPED_WITH)
def dependent_stays_down(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The other unit takes this one down, and no start of it brings this one back."""
    graph = context.graph
    if graph.sources("Triggers", unit.name) or graph.sources("Upholds", unit.name):
        return
    # a unit that this one requires starts it only in a loop
    looked_for = unit.name in graph.knot or any(s.directive in ("Requisite", "PartOf") for s in unit.settings)
    bringers = graph.brought_back_by(unit.name) if looked_for else set()
    for directive, other, setting in dependencies(unit, *STOPPED_WITH):
        main = context.unit(other)
        if main is None or other in bringers or unit_type(other) != "service":
            continue
        what = f"'systemctl stop {other}' stops {unit.name} too, and 'systemctl start {other}' does not start it again"
        crash = directive == "BindsTo" and value_of(main, "Service", "Restart", "no") != "no"
        if crash:
            what = f"when {other} dies, {unit.name} is stopped; {other} restarts by itself, {unit.name} stays down"
        keep = f"Upholds={unit.name} (keeps it up) or " if context.release >= 249 else ""
        yield Diagnostic(
            f"{directive}={other}: {what}",
            f"put {keep}Wants={unit.name} into {other}, or WantedBy={other} into [Install] of {unit.name}",
            setting,
            "" if crash and service_type(unit) != "oneshot" else INFO,
        )


@RULES.rule("conflicts-with-required", WARNING, "Conflicts")
def conflicts_with_required(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The unit pulls in a unit that it excludes with Conflicts=."""
    needs = frozenset(context.graph.comes_back_with(unit.name))
    directly = {name for _d, name, _s in dependencies(unit, "Requires", "BindsTo", "Wants", "Upholds", "Requisite")}
    for _directive, other, setting in dependencies(unit, "Conflicts"):
        if other not in needs:
            continue
        how = "pulls it in as well" if other in directly else "pulls it in through the units it wants"
        yield Diagnostic(
            f"Conflicts={other}, and {unit.name} {how}: with Requires= or BindsTo= systemd refuses the start, "
            f"with Wants= it leaves {other} stopped",
            f"remove either Conflicts={other} or the dependency on it",
            setting,
        )


@RULES.rule("ordering-cycle", WARNING)
def ordering_cycle(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Units wait for each other in a cycle: systemd starts none of them, or leaves one out."""
    for cycle in context.cycles:
        own = [name for name in cycle.units if name in context.units]
        if not own or unit.name != own[0]:
            continue  # one finding a cycle, at its first unit of the set
        position = cycle.units.index(unit.name)
        before, after = cycle.units[position - 1], cycle.units[(position + 1) % len(cycle.units)]
        chain = " -> ".join([*cycle.units, cycle.units[0]])
        if cycle.outcome == "refused":
            what = f'systemd refuses to start {cycle.anchor} ("Transaction order is cyclic")'
        else:
            who = " or ".join(cycle.candidates)
            what = f"when {cycle.anchor} starts, systemd leaves out {who} to break the cycle, at boot without a message"
        yield Diagnostic(
            f"ordering cycle {chain} (each starts before the next): {what}",
            f"remove one order of the cycle, for example the one between {before} and {unit.name} or that with {after}",
            _order_setting(unit, before, after),
        )


def _order_setting(unit: Unit, before: str, after: str) -> Setting | None:
    for directive, other in (("After", before), ("Before", after)):
        for name, setting in unit_names_in(unit, "Unit", directive):
            if name == other:
                return setting
    return None


@RULES.rule("self-dependency", WARNING, lines_only=True)
def self_dependency(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The unit depends on itself."""
    for setting in unit.settings:
        if setting.section != "Unit" or setting.directive not in UNIT_DIRECTIVES:
            continue
        for word in raw_words(setting.value):
            if expand_specifiers(word, unit.name, IN_UNIT_NAMES) == unit.name:
                yield Diagnostic(
                    f"{setting.directive}={unit.name} names the unit itself, and systemd drops it",
                    f"name the unit that was meant, or remove {unit.name} from the line",
                    setting,
                )

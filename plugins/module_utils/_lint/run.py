# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint: what systemd will not say of a unit that it accepts. One row of RULES and one function per rule.

docs/rules.md explains each.
"""

from __future__ import annotations

import datetime
import typing as t

from .._graph import build as _graph
from .._model import INFO, SEVERITIES, WARNING, Finding, Unit
from .._syntax.lines import read_unit
from .._syntax.names import template_of
from .._syntax.text import UnitSyntaxError
from . import install as _lint_install
from . import links as _lint_links
from . import restart as _lint_restart
from . import startup as _lint_startup
from . import values as _lint_values
from .core import Context, HostFacts, Remark, Rule

_STAYS_DOWN = ("BindsTo", "Requires", "Requisite", "PartOf")
_LIMIT_ACTION = ("StartLimitAction",)
_CAPABILITIES = ("CapabilityBoundingSet", "AmbientCapabilities")

# Those that say nothing without facts of the host stand in _lint_host.py.
RULES = (
    Rule("start-limit-gives-up", WARNING, _lint_restart.start_limit_gives_up, ("Restart",)),
    Rule("restart-storm", WARNING, _lint_restart.restart_storm, ("Restart",)),
    Rule("start-limit-action-unreachable", WARNING, _lint_restart.start_limit_action_unreachable, _LIMIT_ACTION),
    Rule("start-limit-reboot-loop", WARNING, _lint_restart.start_limit_reboot_loop, _LIMIT_ACTION),
    Rule("systemctl-in-exec", WARNING, _lint_links.systemctl_in_exec, lines_only=True),
    Rule("requires-without-after", WARNING, _lint_links.requires_without_after, ("Requires",)),
    Rule("after-without-pull-in", INFO, _lint_links.after_without_pull_in, ("After",)),
    Rule("bindsto-without-after", WARNING, _lint_links.bindsto_without_after, ("BindsTo",)),
    Rule("dependent-stays-down", WARNING, _lint_links.dependent_stays_down, _STAYS_DOWN),
    Rule("conflicts-with-required", WARNING, _lint_links.conflicts_with_required, ("Conflicts",)),
    Rule("ordering-cycle", WARNING, _lint_links.ordering_cycle),
    Rule("self-dependency", WARNING, _lint_links.self_dependency, lines_only=True),
    Rule("network-online-not-pulled-in", WARNING, _lint_startup.network_online_not_pulled_in, ("After",)),
    Rule("network-target-is-not-online", INFO, _lint_startup.network_target_is_not_online, ("After",)),
    Rule("oneshot-restart", WARNING, _lint_startup.oneshot_restart, ("Restart",)),
    Rule("oneshot-without-remain-after-exit", WARNING, _lint_startup.oneshot_without_remain_after_exit),
    Rule("forking-without-pidfile", INFO, _lint_startup.forking_without_pidfile, ("Type",)),
    Rule("pidfile-under-var-run", INFO, _lint_startup.pidfile_under_var_run, ("PIDFile",), lines_only=True),
    Rule("type-simple-hides-exec-failure", INFO, _lint_startup.type_simple_hides_exec_failure, ("ExecStart",)),
    Rule("dbus-without-busname", WARNING, _lint_startup.dbus_without_busname, ("Type",)),
    Rule("notify-access", WARNING, _lint_startup.notify_access, ("Type",)),
    Rule("shell-syntax-in-exec", WARNING, _lint_startup.shell_syntax_in_exec, lines_only=True),
    Rule("specifier-in-date-format", WARNING, _lint_startup.specifier_in_date_format, lines_only=True),
    Rule("daemonises-itself", WARNING, _lint_startup.daemonises_itself, ("ExecStart",)),
    Rule("sudo-or-su-in-exec", WARNING, _lint_startup.sudo_or_su_in_exec, lines_only=True),
    Rule("inline-comment-in-value", WARNING, _lint_startup.inline_comment_in_value, lines_only=True),
    Rule("secret-in-environment", WARNING, _lint_values.secret_in_environment, ("Environment",), lines_only=True),
    Rule("unknown-capability", WARNING, _lint_values.unknown_capability, _CAPABILITIES, lines_only=True),
    Rule("empties-capability-set", WARNING, _lint_values.empties_capability_set, _CAPABILITIES, lines_only=True),
    Rule("bad-condition-value", WARNING, _lint_values.bad_condition_value, lines_only=True),
    Rule("condition-never-true-here", WARNING, _lint_values.condition_never_true_here, lines_only=True),
    Rule("enabled-without-install", WARNING, _lint_install.enabled_without_install),
    Rule("install-target-unknown", WARNING, _lint_install.install_target_unknown, lines_only=True),
    Rule("timer-service-enabled-too", WARNING, _lint_install.timer_service_enabled_too),
    Rule("calendar-never-elapses", WARNING, _lint_install.calendar_never_elapses, ("OnCalendar",), lines_only=True),
    Rule("timer-persistent-surprise", WARNING, _lint_install.timer_persistent_surprise, ("Persistent",)),
    Rule("drop-in-resets-nothing", WARNING, _lint_install.drop_in_resets_nothing, lines_only=True),
    Rule("masked-by-empty-file", WARNING, _lint_install.masked_by_empty_file),
    Rule("kill-mode-none", WARNING, _lint_install.kill_mode_none, ("KillMode",), lines_only=True),
    Rule("legacy-directive", INFO, _lint_install.legacy_directive, lines_only=True),
    Rule("cgroup-v1-directive", WARNING, _lint_install.cgroup_v1_directive, lines_only=True),
)


def lint(
    units: t.Sequence[Unit],
    release: int,
    facts: HostFacts | None = None,
    enabled: t.Collection[str] = (),
    today: datetime.date | None = None,
    more: t.Sequence[Rule] = (),
) -> list[Finding]:
    """Findings of all rules about a set of units, in the order of the units, then of the rules.

    :arg units: fragments and drop-ins of the set; several of one name are read together, in the order given.
    :arg release: systemd release of the target.
    :arg facts: what the target says.
    :arg enabled: names of the units that the caller is about to enable.
    :arg today: the date to judge calendar expressions on; default is this day.
    :arg more: rules beside ``RULES``: ``_lint_host.RULES`` where there are facts.
    """
    whole = _graph.merge(units)
    fragments = {unit.name for unit in units if not unit.dropin}
    judged = dict(whole)
    for name in set(whole) - fragments:
        base = _host_fragment(name, facts)
        if base is None:
            # what a drop-in's unit says elsewhere is unknown: only its own lines can be judged
            judged[name] = Unit(name, whole[name].settings, _dropin_of(units, name), whole[name].path)
        else:
            judged[name] = Unit(name, [*base.settings, *whole[name].settings], "", base.path)
    context = Context(judged, release, facts, enabled, today)
    rules = (*RULES, *more)
    findings: list[Finding] = []
    for name, unit in judged.items():
        found = _run(rules, unit, context)
        if name not in fragments and not unit.dropin:
            found = _news(found, rules, unit, whole[name], context)
        findings += found
    return findings


def _dropin_of(units: t.Sequence[Unit], name: str) -> str:
    return next(unit.dropin for unit in units if unit.name == name)


def _host_fragment(name: str, facts: HostFacts | None) -> Unit | None:
    for candidate in (name, template_of(name)):
        text = facts.units.get(candidate) if facts is not None and candidate else None
        if text is not None:
            try:
                return Unit(name, read_unit(name, text).settings)
            except UnitSyntaxError:
                return None
    return None


def _run(rules: t.Iterable[Rule], unit: Unit, context: Context) -> list[Finding]:
    there = {setting.directive for setting in unit.settings}
    return [
        _finding(rule, unit, remark)
        for rule in rules
        if (rule.lines_only or not unit.dropin) and not (rule.directives and there.isdisjoint(rule.directives))
        for remark in rule.check(unit, context)
    ]


def _news(found: list[Finding], rules: t.Iterable[Rule], unit: Unit, dropins: Unit, context: Context) -> list[Finding]:
    """The findings that the drop-ins brought: what the host's own unit has wrong already is not ours to say."""
    own = len(unit.settings) - len(dropins.settings)
    before = Context({**context.units, unit.name: Unit(unit.name, unit.settings[:own])}, context.release, context.facts,
                     context.enabled, context.today)  # fmt: skip
    old = {(f.rule, f.message) for f in _run(rules, before.units[unit.name], before)}
    return [finding for finding in found if (finding.rule, finding.message) not in old]


def _finding(rule: Rule, unit: Unit, remark: Remark) -> Finding:
    setting = remark.setting
    return Finding(
        rule=rule.id,
        severity=remark.severity if remark.severity in SEVERITIES else rule.severity,
        unit=unit.name,
        message=remark.message,
        hint=remark.hint,
        path=setting.path if setting is not None and setting.path else unit.path,
        line=setting.line if setting is not None else 0,
        section=setting.section if setting is not None else "",
        directive=setting.directive if setting is not None else "",
        value=setting.value if setting is not None else "",
        source="lint",
    )

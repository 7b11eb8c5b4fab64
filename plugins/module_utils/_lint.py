# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Lint: what systemd will not say of a unit that it accepts. One row of RULES and one function per rule.

docs/rules.md has a section for each rule: what happens, why, an example, the fix.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils import (
    _graph,
    _graph_edges,
    _lint_host,
    _lint_install,
    _lint_links,
    _lint_restart,
    _lint_startup,
    _start_limit,
    _syntax,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint_core import (
    Context,
    HostFacts,
    PathFact,
    Questions,
    Remark,
    Rule,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import INFO, SEVERITIES, WARNING, Finding, Unit

__all__ = ["RULES", "HostFacts", "PathFact", "Questions", "lint", "looks_secret", "needed", "start_limit_verdict"]

start_limit_verdict = _start_limit.start_limit_verdict
looks_secret = _lint_host.looks_secret

RULES = (
    Rule("start-limit-gives-up", WARNING, _lint_restart.start_limit_gives_up),
    Rule("restart-storm", WARNING, _lint_restart.restart_storm),
    Rule("start-limit-action-unreachable", WARNING, _lint_restart.start_limit_action_unreachable),
    Rule("start-limit-reboot-loop", WARNING, _lint_restart.start_limit_reboot_loop),
    Rule("systemctl-in-exec", WARNING, _lint_links.systemctl_in_exec, lines_only=True),
    Rule("requires-without-after", WARNING, _lint_links.requires_without_after),
    Rule("after-without-pull-in", INFO, _lint_links.after_without_pull_in),
    Rule("bindsto-without-after", WARNING, _lint_links.bindsto_without_after),
    Rule("dependent-stays-down", WARNING, _lint_links.dependent_stays_down),
    Rule("conflicts-with-required", WARNING, _lint_links.conflicts_with_required),
    Rule("ordering-cycle", WARNING, _lint_links.ordering_cycle),
    Rule("missing-unit-referenced", WARNING, _lint_links.missing_unit_referenced, lines_only=True),
    Rule("self-dependency", WARNING, _lint_links.self_dependency, lines_only=True),
    Rule("network-online-not-pulled-in", WARNING, _lint_startup.network_online_not_pulled_in),
    Rule("network-target-is-not-online", INFO, _lint_startup.network_target_is_not_online),
    Rule("oneshot-restart", WARNING, _lint_startup.oneshot_restart),
    Rule("oneshot-without-remain-after-exit", WARNING, _lint_startup.oneshot_without_remain_after_exit),
    Rule("forking-without-pidfile", INFO, _lint_startup.forking_without_pidfile),
    Rule("pidfile-under-var-run", INFO, _lint_startup.pidfile_under_var_run, lines_only=True),
    Rule("type-simple-hides-exec-failure", INFO, _lint_startup.type_simple_hides_exec_failure),
    Rule("dbus-without-busname", WARNING, _lint_startup.dbus_without_busname),
    Rule("notify-access", WARNING, _lint_startup.notify_access),
    Rule("shell-syntax-in-exec", WARNING, _lint_startup.shell_syntax_in_exec, lines_only=True),
    Rule("exec-not-found", WARNING, _lint_host.exec_not_found),
    Rule("specifier-in-date-format", WARNING, _lint_startup.specifier_in_date_format, lines_only=True),
    Rule("daemonises-itself", WARNING, _lint_startup.daemonises_itself),
    Rule("sudo-or-su-in-exec", WARNING, _lint_startup.sudo_or_su_in_exec, lines_only=True),
    Rule("inline-comment-in-value", WARNING, _lint_startup.inline_comment_in_value, lines_only=True),
    Rule("user-missing", WARNING, _lint_host.user_missing),
    Rule("group-missing", WARNING, _lint_host.group_missing),
    Rule("working-directory-missing", WARNING, _lint_host.working_directory_missing),
    Rule("environment-file-missing", WARNING, _lint_host.environment_file_missing, lines_only=True),
    Rule("world-readable-secret", WARNING, _lint_host.world_readable_secret, lines_only=True),
    Rule("secret-in-environment", WARNING, _lint_host.secret_in_environment, lines_only=True),
    Rule("unknown-capability", WARNING, _lint_host.unknown_capability, lines_only=True),
    Rule("empties-capability-set", WARNING, _lint_host.empties_capability_set, lines_only=True),
    Rule("bad-condition-value", WARNING, _lint_host.bad_condition_value, lines_only=True),
    Rule("condition-never-true-here", WARNING, _lint_host.condition_never_true_here, lines_only=True),
    Rule("enabled-without-install", WARNING, _lint_install.enabled_without_install),
    Rule("install-target-unknown", WARNING, _lint_install.install_target_unknown, lines_only=True),
    Rule("timer-without-service", WARNING, _lint_install.timer_without_service),
    Rule("timer-service-enabled-too", WARNING, _lint_install.timer_service_enabled_too),
    Rule("socket-without-service", WARNING, _lint_install.socket_without_service),
    Rule("path-without-service", WARNING, _lint_install.path_without_service),
    Rule("calendar-never-elapses", WARNING, _lint_install.calendar_never_elapses, lines_only=True),
    Rule("timer-persistent-surprise", WARNING, _lint_install.timer_persistent_surprise),
    Rule("drop-in-for-missing-unit", WARNING, _lint_install.drop_in_for_missing_unit, lines_only=True),
    Rule("drop-in-resets-nothing", WARNING, _lint_install.drop_in_resets_nothing, lines_only=True),
    Rule("masked-by-empty-file", WARNING, _lint_install.masked_by_empty_file),
    Rule("kill-mode-none", WARNING, _lint_install.kill_mode_none, lines_only=True),
    Rule("legacy-directive", INFO, _lint_install.legacy_directive, lines_only=True),
    Rule("cgroup-v1-directive", WARNING, _lint_install.cgroup_v1_directive, lines_only=True),
)


def lint(
    units: t.Sequence[Unit],
    release: int,
    facts: HostFacts | None = None,
    enabled: t.Collection[str] = (),
    today: datetime.date | None = None,
) -> list[Finding]:
    """Findings of all rules about a set of units, in the order of the units, then of the rules.

    :arg units: fragments and drop-ins of the set; several of one name are read together, in the order given.
    :arg release: systemd release of the target.
    :arg facts: what the target says; without it the rules about the host find nothing.
    :arg enabled: names of the units that the caller is about to enable.
    :arg today: the date to judge calendar expressions on; default is this day.
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
    findings: list[Finding] = []
    for name, unit in judged.items():
        rules = [rule for rule in RULES if rule.lines_only or not unit.dropin]
        found = _run(rules, unit, context)
        if name not in fragments and not unit.dropin:
            found = _news(found, unit, whole[name], context)
        findings += found
    return findings


def _dropin_of(units: t.Sequence[Unit], name: str) -> str:
    return next(unit.dropin for unit in units if unit.name == name)


def _host_fragment(name: str, facts: HostFacts | None) -> Unit | None:
    for candidate in (name, _syntax.template_of(name)):
        text = facts.units.get(candidate) if facts is not None and candidate else None
        if text is not None:
            try:
                return Unit(name, _syntax.read_unit(name, text).settings)
            except _syntax.UnitSyntaxError:
                return None
    return None


def _run(rules: t.Iterable[Rule], unit: Unit, context: Context) -> list[Finding]:
    return [_finding(rule, unit, remark) for rule in rules for remark in rule.check(unit, context)]


def _news(found: list[Finding], unit: Unit, dropins: Unit, context: Context) -> list[Finding]:
    """The findings that the drop-ins brought: what the host's own unit has wrong already is not ours to say."""
    own = len(unit.settings) - len(dropins.settings)
    before = Context({**context.units, unit.name: Unit(unit.name, unit.settings[:own])}, context.release, context.facts,
                     context.enabled, context.today)  # fmt: skip
    old = {(f.rule, f.message) for f in _run(RULES, before.units[unit.name], before)}
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


def needed(units: t.Sequence[Unit]) -> Questions:
    """What the rules want to know of the host about these units, so that one query can ask for it all."""
    merged = _graph.merge(units)
    asked = [_lint_host.needed(unit) for unit in merged.values()]
    names: set[str] = set()
    for unit in merged.values():
        names.add(unit.name)
        names.add(_graph_edges.triggered(unit))
        for edge in _graph_edges.declared(unit, installed=True):
            names.update((edge.source, edge.target))
    names.update([_syntax.template_of(name) for name in names])
    return Questions(
        users=_union(question.users for question in asked),
        groups=_union(question.groups for question in asked),
        paths=_union(question.paths for question in asked),
        programs=_union(question.programs for question in asked),
        environment_files=_union(question.environment_files for question in asked),
        units=_union([[name for name in names if name and "%" not in name and "." in name]]),
        machine=_union(question.machine for question in asked),
    )


def _union(lists: t.Iterable[t.Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({item for items in lists for item in items}))

# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint rules about [Install], timers, drop-ins, and directives past their time."""

from __future__ import annotations

import datetime
import typing as t

from .._graph import edges as _graph_edges
from .._graph import view as _view
from .._model import INFO, Setting, Unit
from .._values.calendar import parse_calendar
from . import core as _lint_core
from . import tables as _lint_tables
from .core import Context, Remark


def enabled_without_install(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """The unit shall be enabled and has nothing to enable."""
    if unit.name in context.enabled and not _view.has(unit, "Install", _lint_core.INSTALL):
        yield Remark(
            "'systemctl enable' does nothing: the unit has no [Install] section, so nothing starts it at boot",
            "add [Install] with WantedBy=multi-user.target (timers.target for a timer, sockets.target for a socket), or "
            "leave 'enabled' out",
        )


def install_target_unknown(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """The unit is enabled for something that never starts."""
    for directive in ("WantedBy", "RequiredBy", "UpheldBy"):
        for name, setting in _view.names(unit, "Install", directive):
            if context.unit(name) is not None or name in _lint_tables.TARGETS or "%" in name:
                continue
            near = _lint_tables.nearest_target(name)
            if _view.kind(name) not in _UNIT_TYPES:
                what = f"'{name}' is no unit name, and systemctl enable refuses it"
            elif context.absent(name) or (context.facts is None and near):
                what = f"there is no {name}: the unit counts as enabled and is never started"
            else:
                continue
            yield Remark(f"{directive}={name}: {what}", f"write {near or 'multi-user.target'}", setting)


_UNIT_TYPES = frozenset("service socket target device mount automount swap timer path slice scope".split())


_BOOT_TARGETS = ("multi-user.target", "graphical.target", "default.target", "basic.target", "sysinit.target")


def timer_service_enabled_too(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """The service of a timer is wanted at boot as well."""
    if _view.kind(unit.name) != "timer":
        return
    service = context.units.get(_graph_edges.triggered(unit))
    if service is None:
        return
    for name, setting in _view.names(service, "Install", "WantedBy"):
        if name in _BOOT_TARGETS:
            yield Remark(
                f"{service.name} is started by {unit.name} and, once enabled, at each boot too (WantedBy={name})",
                f"remove [Install] from {service.name}: enabling the timer is enough",
                setting,
            )


def calendar_never_elapses(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """OnCalendar= with a date that does not come."""
    now = datetime.datetime.combine(context.today, datetime.time())
    for setting in _view.every(unit, "Timer", "OnCalendar"):
        try:
            spec = parse_calendar(setting.value)
        except ValueError:
            continue  # validation says so
        if spec.next_elapse(now) is None:
            yield Remark(
                f"OnCalendar={setting.value} never comes again after {context.today.isoformat()}: systemd takes it without "
                "a word and the timer does nothing",
                "check year, month and day (systemd-analyze calendar shows the next time); *-*~01 is the last day of a "
                "month",
                setting,
            )


def timer_persistent_surprise(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """Persistent= that does nothing, or that fires at once."""
    setting = _view.last(unit, "Timer", "Persistent")
    if setting is None or not _view.truth(unit, "Timer", "Persistent", False):
        return
    if not _view.every(unit, "Timer", "OnCalendar"):
        yield Remark(
            "Persistent= has no effect: it makes up for missed times of OnCalendar=, and this timer has none",
            "use OnCalendar=, or remove Persistent=",
            setting,
        )
        return
    yield Remark(
        "Persistent=true starts the job at once when the timer is started after a time that was missed, for example at "
        "boot after a night switched off",
        "add RandomizedDelaySec= to spread such starts, or leave Persistent= out where a late run does harm",
        setting,
        INFO,
    )


_ADDS_UP = {"service": ("ExecStart",), "timer": ("OnCalendar",), "socket": ("ListenStream", "ListenDatagram")}


def drop_in_resets_nothing(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """A second ExecStart= is one more, not another one."""
    kind = _view.kind(unit.name)
    for directive in _ADDS_UP.get(kind, ()):
        section = kind.capitalize()
        rows = [s for s in unit.settings if (s.section, s.directive) == (section, directive)]
        for earlier, setting in zip([None, *rows], rows):
            # only the first line of a file can have forgotten to clear what other files say
            starts_file = earlier is None or earlier.path != setting.path
            if (
                not setting.value
                or (earlier is not None and not earlier.value)
                or not (starts_file and _of_dropin(setting))
            ):
                continue
            if earlier is None and not unit.dropin:
                continue
            if directive == "ExecStart" and _oneshot(unit, context):
                continue
            yield _adds_up(directive, unit, setting)


def _of_dropin(setting: Setting) -> bool:
    return setting.path.endswith(".conf") or not setting.path


def _oneshot(unit: Unit, context: Context) -> bool:
    if _view.value(unit, "Service", "Type"):
        return _view.value(unit, "Service", "Type") == "oneshot"
    whole = context.unit(unit.name)
    return whole is not None and _lint_core.service_type(whole) == "oneshot"


def _adds_up(directive: str, unit: Unit, setting: Setting) -> Remark:
    if directive == "ExecStart":
        what = "systemd then sees two and refuses the unit"
    else:
        what = f"{unit.name} has both then"
    return Remark(
        f"{directive}= in a drop-in adds to the one of the unit, it does not replace it: {what}",
        f"put an empty {directive}= on the line before",
        setting,
        "" if directive == "ExecStart" else INFO,
    )


def masked_by_empty_file(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """systemd takes an empty unit file for a mask."""
    if unit.dropin or unit.settings or unit.problems:
        return
    fact = context.facts.paths.get(unit.path) if context.facts is not None and unit.path else None
    if fact is not None and fact.size > 0 and _view.kind(unit.name) == "target":
        return
    yield Remark(
        f"the unit has no setting at all: systemd takes an empty file for a mask, and {unit.name} cannot be started by "
        "anybody",
        "write the unit, remove the file, or mask it on purpose (masked: true)",
    )


def kill_mode_none(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """KillMode=none leaves processes behind."""
    section = _lint_core.exec_section(unit)
    setting = _view.last(unit, section, "KillMode") if section else None
    if setting is not None and setting.value == "none":
        yield Remark(
            "KillMode=none: a stop leaves every process running, outside of systemd's sight, and a restart runs the "
            "program twice; systemd calls the value deprecated",
            "use KillMode=mixed (signal to the main process first) or leave it out; ExecStop= may say how to stop cleanly",
            setting,
        )


def legacy_directive(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """An old name that systemd still reads."""
    for setting in unit.settings:
        successor = _lint_tables.LEGACY.get(setting.directive, "")
        if setting.directive in _lint_tables.MOVED_TO_UNIT and setting.section != "Unit":
            successor = f"{setting.directive}= in [Unit]"
        value = _lint_tables.LEGACY_VALUES.get((setting.directive, setting.value))
        if value:
            successor = f"{setting.directive}={value}"
        if successor:
            old = f"{setting.directive}={setting.value}" if value else f"{setting.directive}= in [{setting.section}]"
            yield Remark(f"{old} is an old form that systemd keeps for old units only", f"write {successor}", setting)


def cgroup_v1_directive(unit: Unit, context: Context) -> t.Iterator[Remark]:
    """A limit of the old control group hierarchy."""
    for setting in unit.settings:
        successor = _lint_tables.CGROUP_V1.get(setting.directive)
        if successor is None:
            continue
        what = "has no effect any more" if context.release >= 258 else "belongs to control groups v1 and is deprecated"
        yield Remark(
            f"{setting.directive}= {what} (systemd {context.release})",
            f"write {successor}",
            setting,
        )

# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is there and what is wanted in; ordered steps with a reason each out. Pure: it reads and runs nothing."""

from __future__ import annotations

import posixpath
import typing as t

from .. import _catalog
from .._model import MISSING, UNIT_MODE, Change, File, Setting
from .._syntax import effective as _meaning
from .._syntax import header as _header
from .._syntax.lines import read_unit
from .._syntax.names import instance_name, is_template, split_unit_name, template_of
from .._syntax.specifiers import IN_UNIT_NAMES, expand_specifiers, has_other_specifiers
from .._syntax.text import (
    UnitSyntaxError,
    from_bytes,
    to_bytes,
)

RUNNING = frozenset(("active", "activating", "reloading", "refreshing", "deactivating"))
MASK_TARGET = "/dev/null"

# Reverse dependencies along which a stop travels (systemd.unit(5): Requires=, BindsTo=, PartOf=, Requisite=,
# PropagatesStopTo=). A restart travels along all but the last.
STOP_FOLLOWERS = ("RequiredBy", "BoundBy", "ConsistsOf", "RequisiteOf", "PropagatesStopTo")
_DECLARED_STOP = ("Requires", "BindsTo", "PartOf", "Requisite", "StopPropagatedFrom")

# What runs at stop time and belongs to the old definition: with a change of one of these next to a change that
# restarts, the unit is stopped before its files are replaced.
_STOP_TIME = frozenset(
    "ExecStop ExecStopPost KillMode KillSignal RestartKillSignal FinalKillSignal SendSIGHUP SendSIGKILL"
    " RuntimeDirectory RuntimeDirectoryPreserve RemoveOnStop Where PIDFile Type".split()
)
_INSTALL_SUFFIXES = {"WantedBy": ".wants", "RequiredBy": ".requires", "UpheldBy": ".upholds", "Alias": ""}


class Step(t.NamedTuple):
    """One thing that a plan does, and why."""

    action: str  # write, remove, enable, restart, ...: the names that the modules document
    unit: str  # empty for daemon-reload
    reason: str


class PlanError(Exception):
    """The wanted state cannot be reached; the message says which option to change."""


class Want:
    """One declared item: a unit or one drop-in of it, with what shall hold for the unit.

    :ivar text: the file's whole text, or None when the item declares no file.
    :ivar by_meaning: compare with the present file by what systemd reads (``sections``), not byte for byte.
    :ivar follow: ``auto``, ``restart``, ``reload`` or ``none``: the option ``on_change``.
    :ivar triggers: list of ``(path, reload)``.
    :ivar position: place in the declared list, for messages.
    :ivar reason: why the state is wanted.
    """

    __slots__ = (
        "by_meaning",
        "dropin",
        "enabled",
        "follow",
        "health",
        "instances",
        "masked",
        "name",
        "path",
        "position",
        "reason",
        "state",
        "text",
        "triggers",
    )

    def __init__(
        self,
        name: str,
        path: str,
        dropin: str = "",
        text: str | None = None,
        by_meaning: bool = True,
        state: str = "present",
        enabled: bool | None = None,
        masked: bool | None = None,
        instances: t.Sequence[str] = (),
        follow: str = "auto",
        triggers: t.Sequence[tuple[str, bool]] = (),
        health: t.Mapping[str, t.Any] | None = None,
        position: int = 0,
        reason: str = "",
    ) -> None:
        self.name = name
        self.path = path
        self.dropin = dropin
        self.text = text
        self.by_meaning = by_meaning
        self.state = state
        self.enabled = enabled
        self.masked = masked
        self.instances = list(instances)
        self.follow = follow
        self.triggers = list(triggers)
        self.health = health
        self.position = position
        self.reason = reason or f"state: {state}"

    def instance_names(self) -> list[str]:
        """The units that the declared instances of a template are."""
        return [instance_name(self.name, instance) for instance in self.instances]


class Now:
    """The host as it was read.

    :ivar folder: the folder in which our unit files stand.
    :ivar files: ``{path: File}`` for every declared path, drop-in neighbour and effective fragment.
    :ivar links: ``{path below folder: target}``: every symlink in the folder and its .wants, .requires, .upholds.
    :ivar live: ``{unit: {property: value}}`` as ``systemctl show`` prints them, by every name a unit is known by.
    :ivar instances: ``{template: [names of its loaded instances]}``.
    :ivar trigger_sums: ``{path: checksum, empty when the file is missing}``.
    :ivar seen_sums: ``{unit: {path: checksum}}`` of the last run that looked, from our own record.
    :ivar uid: who owns the unit files (:ivar gid: and their group).
    """

    __slots__ = (
        "_links_by_unit",
        "files",
        "folder",
        "gid",
        "instances",
        "links",
        "live",
        "seen_sums",
        "trigger_sums",
        "uid",
    )

    def __init__(
        self,
        folder: str,
        files: dict[str, File] | None = None,
        links: dict[str, str] | None = None,
        live: dict[str, dict[str, str]] | None = None,
        instances: dict[str, list[str]] | None = None,
        trigger_sums: dict[str, str] | None = None,
        seen_sums: dict[str, dict[str, str]] | None = None,
        uid: int = 0,
        gid: int = 0,
    ) -> None:
        self.folder = folder
        self.uid = uid
        self.gid = gid
        self.files = files or {}
        self.links = links or {}
        self._links_by_unit: dict[str, set[str]] | None = None
        self.live = live or {}
        self.instances = instances or {}
        self.trigger_sums = trigger_sums or {}
        self.seen_sums = seen_sums or {}

    def links_of(self, unit: str) -> set[str]:
        """The links that enable a unit."""
        if self._links_by_unit is None:
            self._links_by_unit = {}
            for link, target in self.links.items():
                for name in enabled_by(link, target):
                    self._links_by_unit.setdefault(name, set()).add(link)
        return self._links_by_unit.get(unit, set())

    def active(self, unit: str) -> bool:
        return self.live.get(unit, {}).get("ActiveState") in RUNNING


class Plan:
    """What to do, in the order in which it is done. Every mapping is ``{unit: reason}``.

    ``cycle`` units are stopped before and started after the files change; ``restart`` units are restarted after it.
    ``carried`` units are taken along by systemd itself and have to run again in the end. ``dragged`` units go down
    for good with one that is stopped. ``held`` names the units of running timers whose schedule changes, which shall
    not start just because of that: ``{timer: unit}``. ``sums`` are the checksums of triggers, for the record.
    """

    def __init__(self) -> None:
        self.stop: dict[str, str] = {}
        self.cycle: dict[str, str] = {}
        self.changes: list[Change] = []
        self.disable: dict[str, str] = {}
        self.enable: dict[str, str] = {}
        self.reenable: dict[str, str] = {}
        self.daemon_reload = ""
        self.reset: dict[str, str] = {}
        self.restart: dict[str, str] = {}
        self.start: dict[str, str] = {}
        self.reload: dict[str, str] = {}
        self.carried: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.dragged: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self.health: dict[str, t.Mapping[str, t.Any]] = {}
        self.sums: dict[str, dict[str, str]] = {}
        self.link_names: set[str] = set()
        self.linger: bool | None = None
        self.manager_unit = ""
        self.warnings: list[str] = []

    def steps(self) -> list[Step]:
        """Every step in order, for the result; the same in check mode and in the real run."""
        steps = []
        if self.linger is not None:
            verb = "enable" if self.linger else "disable"
            steps.append(Step(verb, self.manager_unit, f"linger: {str(self.linger).lower()}"))
        steps += [Step("stop", unit, why) for unit, why in self.stop.items()]
        steps += [Step("stop", unit, why) for unit, why in self.dragged.items()]
        # Before the files change: what to disable may stand in the [Install] section that goes.
        steps += [Step("disable", unit, why) for unit, why in self.disable.items()]
        steps += [Step(change.action, change.unit, change.reason) for change in self.changes]
        for action in ("reenable", "enable"):
            steps += [Step(action, unit, why) for unit, why in getattr(self, action).items()]
        if self.daemon_reload:
            steps.append(Step("daemon-reload", "", self.daemon_reload))
        steps += [Step("reset-failed", unit, why) for unit, why in self.reset.items()]
        for group in (self.cycle, self.restart, self.carried):
            steps += [Step("restart", unit, why) for unit, why in group.items()]
        steps += [Step("start", unit, why) for unit, why in self.start.items()]
        steps += [Step("reload", unit, why) for unit, why in self.reload.items()]
        steps += [Step("none", unit, why) for unit, why in self.kept.items()]
        return steps

    def changed(self) -> bool:
        return any(step.action != "none" for step in self.steps())

    def needs_manager(self) -> bool:
        """Whether the manager must run for it; files alone do not need it."""
        groups = (
            self.stop,
            self.cycle,
            self.disable,
            self.reenable,
            self.enable,
            self.reset,
            self.restart,
            self.reload,
        )
        return bool(self.daemon_reload or self.start or any(groups))

    def acted_on(self) -> list[str]:
        """The units whose run state the plan touches and that shall run afterwards."""
        return list(dict.fromkeys([*self.cycle, *self.restart, *self.carried, *self.start, *self.reload]))

    def touched(self) -> list[str]:
        """Every unit the plan speaks of."""
        names = [*self.stop, *self.dragged, *(change.unit for change in self.changes), *self.disable, *self.enable]
        return list(dict.fromkeys([*names, *self.reenable, *self.reset, *self.acted_on()]))


def to_prune(files: t.Mapping[str, File], folder: str, set_name: str) -> list[Want]:
    """The items that remove the files of a set; ``files`` are those that the set no longer declares."""
    wanted = []
    for path, file in sorted(files.items()):
        if not is_ours(file, set_name):
            continue
        parent, base = posixpath.split(path)
        dropin = base[: -len(".conf")] if parent != folder else ""
        name = posixpath.basename(parent)[: -len(".d")] if dropin else base
        reason = f"set {set_name} no longer declares it"
        wanted.append(Want(name, path, dropin, state="absent", reason=reason))
    return wanted


def make_plan(now: Now, wanted: t.Sequence[Want], live_manager: bool = True) -> Plan:
    """The steps that lead from *now* to *wanted*.

    :param live_manager: False for files alone (another root): no reload, no start, no stop.
    :raises PlanError: when an option asks for what systemd cannot do.
    """
    plan = Plan()
    groups: dict[str, list[Want]] = {}
    for want in wanted:
        groups.setdefault(want.name, []).append(want)
    for name, items in groups.items():
        _UnitPlan(plan, now, name, items, live_manager).add()
    if live_manager:
        _keep_sockets_working(plan, now, groups)
        _add_followers(plan, now, groups)
        _reset_failed(plan, now)
        _decide_reload(plan, now, groups)
    return plan


def merged_after(plan: Plan, now: Now, name: str, items: list[Want]) -> list[Setting] | None:
    """The settings of a whole unit as they will be once the plan is carried out; None when its fragment is not known."""
    unit = _UnitPlan(plan, now, name, items, True)
    own = posixpath.join(now.folder, name)
    if own not in {change.path for change in plan.changes} and now.files.get(unit._fragment(), MISSING).kind != "file":
        return None
    return unit._merged(after=True)


class _UnitPlan:
    """The steps of one unit: its fragment, its drop-ins, its enablement, its run state."""

    def __init__(self, plan: Plan, now: Now, name: str, items: list[Want], live_manager: bool) -> None:
        self.plan = plan
        self.now = now
        self.name = name
        self.items = items
        self.live_manager = live_manager
        self.whole = [item for item in items if not item.dropin]
        self.is_template = is_template(name)
        self.instances = list(dict.fromkeys(instance for item in items for instance in item.instances))
        self.state = _one_of(items, "state", "present")
        self.enabled = _one_of(items, "enabled", None)
        self.masked = _one_of(items, "masked", None)
        self.follow = _one_of(items, "follow", "auto")
        self.absent = any(item.state == "absent" for item in self.whole)

    def add(self) -> None:
        self._check()
        before = self._merged(after=False) if self._needs_settings() else []
        for item in self.items:
            self._add_file(item)
        self._add_mask()
        after = self._merged(after=True) if any(change.unit == self.name for change in self.plan.changes) else before
        changed = [] if self.absent or after is before else _changed(before, after)
        self._add_enablement(before, after)
        if self.live_manager:
            self._add_run_state(changed, after)
        for item in self.items:
            if item.health is not None:
                for unit in self._targets():
                    self.plan.health[unit] = item.health

    # What the unit is, before and after

    def _fragment(self) -> str:
        """The path systemd loads the unit from now, or would load it from."""
        own = posixpath.join(self.now.folder, self.name)
        if self.now.files.get(own, MISSING).kind == "file":
            return own
        for unit in [self.name, *self._loaded(), *self._targets()]:
            path = self.now.live.get(unit, {}).get("FragmentPath", "")
            if path and path != own:
                return path
        return own

    def _needs_settings(self) -> bool:
        """Reading every unit of a large set costs time, and an unchanged set needs little of it."""
        return self.enabled is not None or any(self._differs(item) for item in self.items)

    def _differs(self, item: Want) -> bool:
        before = self.now.files.get(item.path, MISSING)
        return item.state == "absent" or (item.text is not None and before.data != to_bytes(item.text))

    def _merged(self, after: bool) -> list[Setting]:
        """The unit's settings as systemd merges them: the fragment, then the drop-ins by file name."""
        own = posixpath.join(self.now.folder, self.name)
        changes = {change.path: change.after for change in self.plan.changes} if after else {}
        fragment = self._fragment()
        if own in changes:
            if changes[own].kind == "file":
                fragment = own
            elif fragment == own:
                fragment = ""
        folders = [f"{own}.d/", *(f"{posixpath.join(self.now.folder, unit)}.d/" for unit in self._loaded())]
        dropins = {path for path in self.now.files if path.startswith(tuple(folders)) and path.endswith(".conf")}
        for unit in [self.name, *self._loaded()]:
            dropins.update(self.now.live.get(unit, {}).get("DropInPaths", "").split())
        dropins.update(path for path in changes if path.startswith(tuple(folders)))
        settings: list[Setting] = []
        for path in [fragment, *sorted(dropins, key=lambda path: (posixpath.basename(path), path))]:
            file = changes.get(path, self.now.files.get(path, MISSING))
            if file.kind == "file":
                settings += read_settings(self.name, file.data, path)
        return settings

    def _loaded(self) -> list[str]:
        return self.now.instances.get(self.name, []) if self.is_template else []

    def _targets(self) -> list[str]:
        """The units that state and enabled speak of: the unit itself, or the declared instances of a template."""
        if self.is_template:
            return list(dict.fromkeys(unit for item in self.items for unit in item.instance_names()))
        return [self.name]

    # Contradictions

    def _check(self) -> None:
        if self.masked and self.state in ("started", "restarted", "reloaded"):
            raise PlanError(
                f"{self.name}: masked: true and state: {self.state} cannot both hold; a masked unit cannot run"
            )
        if self.is_template and not self.instances and self.state in ("started", "stopped", "restarted", "reloaded"):
            raise PlanError(f"{self.name}: state: {self.state} needs instances: a template itself cannot run")
        own = self.now.files.get(posixpath.join(self.now.folder, self.name), MISSING)
        is_mask = own.kind == "link" and own.target == MASK_TARGET
        wants_run = self.state in ("started", "restarted", "reloaded")
        wants_text = any(item.text is not None for item in self.whole)
        if is_mask and self.masked is None and (wants_run or wants_text):
            raise PlanError(f"{self.name} is masked: set masked: false to unmask it, or leave it out of this task")
        if self.masked and wants_text:
            raise PlanError(
                f"{self.name}: masked: true with sections or content: systemd masks a unit by a link in the very place"
                f" of its file {own and posixpath.join(self.now.folder, self.name)}. Leave out the text to mask it, or"
                " use state: stopped with enabled: false"
            )
        if self.masked and own.kind == "file" and not self.absent:
            raise PlanError(
                f"{self.name}: masked: true, but {posixpath.join(self.now.folder, self.name)} is a real file, and the mask"
                " would have to take its place. Remove it first with state: absent, or use state: stopped with"
                " enabled: false"
            )
        self._check_exists()

    def _check_exists(self) -> None:
        """Say clearly when an item without text speaks of a unit that is not there."""
        if not self.live_manager or self.absent or any(item.text is not None for item in self.whole):
            return
        if self.state == "present" and not self.enabled:
            return
        for unit in self._targets():
            if self.now.live.get(unit, {}).get("LoadState", "not-found") == "not-found":
                raise PlanError(
                    f"{unit}: there is no such unit on this host, and the task declares no text for it; give sections or"
                    " content, install the package that brings it, or correct the name"
                )

    # Files

    def _add_file(self, item: Want) -> None:
        before = self.now.files.get(item.path, MISSING)
        if item.text is not None or item.state == "absent":
            self._refuse_foreign_kinds(item, before)
        if item.state == "absent":
            if before.kind == "file" or (before.kind == "link" and before.target == MASK_TARGET and not item.dropin):
                self._change(item.path, before, MISSING, "remove", item.reason)
            if not item.dropin:
                self._remove_own_dropins(item)
            return
        if item.text is None:
            return
        after = File("file", to_bytes(item.text), "", UNIT_MODE, self.now.uid, self.now.gid)
        if before.kind != "file":
            self._change(item.path, before, after, "write", "the file does not exist")
            return
        reason = _text_difference(item, before.data, after.data)
        if not reason and (before.mode != UNIT_MODE or before.uid != self.now.uid):
            reason = f"its mode is {before.mode:04o} and its owner {before.uid} instead of {UNIT_MODE:04o} and {self.now.uid}"
            after = after._replace(data=before.data)
        if reason:
            self._change(item.path, before, after, "write", reason)

    def _refuse_foreign_kinds(self, item: Want, before: File) -> None:
        """A link or a folder in the place of a unit file is not ours to follow or to replace."""
        option = "dropin" if item.dropin else "name"
        if before.kind == "link" and (before.target != MASK_TARGET or item.dropin):
            raise PlanError(
                f"{option}: {item.path} is a link to {before.target}, and files are never written or removed through a link;"
                " name the unit it points to, or remove the link first (systemctl disable removes it)"
            )
        if before.kind == "other":
            raise PlanError(f"{option}: {item.path} is no regular file; move it away first")

    def _remove_own_dropins(self, item: Want) -> None:
        """A removed unit takes along the drop-ins that carry our header; others are left and named."""
        folder = f"{posixpath.join(self.now.folder, item.name)}.d/"
        declared = {other.path for other in self.items}
        for path, file in sorted(self.now.files.items()):
            if not path.startswith(folder) or path in declared or file.kind != "file":
                continue
            if is_ours(file):
                self._change(path, file, MISSING, "remove", f"{item.reason} of {item.name}")
            else:
                self.plan.warnings.append(f"{path} was not written by this collection and is left in place")

    def _add_mask(self) -> None:
        path = posixpath.join(self.now.folder, self.name)
        own = self.now.files.get(path, MISSING)
        is_mask = own.kind == "link" and own.target == MASK_TARGET
        if self.masked and not is_mask:
            self._change(path, own, File("link", target=MASK_TARGET), "mask", "masked: true")
        if self.masked is False:
            written = any(change.path == path for change in self.plan.changes)
            if is_mask and not written:
                self._change(path, own, MISSING, "unmask", "masked: false")
            elif is_mask:
                # The write below takes the link's place in one rename; only the report needs the step.
                self.plan.changes.insert(0, Change(self.name, "", own, own, "unmask", "masked: false"))
            for other in self._runtime_masks():
                self._change(other, self.now.files[other], MISSING, "unmask", "masked: false")

    def _runtime_masks(self) -> list[str]:
        """Masks of this unit in the folder that we do not write to (``systemctl mask --runtime``)."""
        own = posixpath.join(self.now.folder, self.name)
        return [
            path
            for path, file in self.now.files.items()
            if posixpath.basename(path) == self.name
            and path != own
            and file == file._replace(target=MASK_TARGET)
            and file.kind == "link"
        ]

    def _change(self, path: str, before: File, after: File, action: str, reason: str) -> None:
        self.plan.changes.append(Change(self.name, path, before, after, action, reason))

    # Enablement

    def _add_enablement(self, before: list[Setting], after: list[Setting]) -> None:
        units = self._targets() or [self.name]
        self.plan.link_names.update(
            name
            for s in [*before, *after]
            if (s.section, s.directive) == ("Install", "Also")
            for name in s.value.split()
        )
        if self.absent:
            names = [self.name, *self._loaded(), *units]
            if _present_links(self.now, names):
                self.plan.disable[self.name] = self.whole[0].reason
            return
        for unit in units:
            present = _present_links(self.now, [unit])
            old, new = install_links(unit, before), install_links(unit, after)
            if self.enabled is False:
                if present:
                    self.plan.disable[unit] = "enabled: false"
            elif self.enabled:
                self._enable(unit, present, new, after)
            elif present and old != new:
                self.plan.reenable[unit] = "[Install] changed"

    def _enable(self, unit: str, present: set[str], new: set[str] | None, after: list[Setting]) -> None:
        state = self.now.live.get(unit, {}).get("UnitFileState", "")
        also = [setting for setting in after if setting.section == "Install" and setting.directive == "Also"]
        if new is None or (not new and also):  # beyond what links alone can tell
            if state in ("", "disabled", "bad") and not present:
                self.plan.enable[unit] = "enabled: true"
        elif not new:
            if state in ("", "static", "disabled", "bad") and not present:
                self.plan.warnings.append(
                    f"{unit}: enabled: true has no effect, for the unit has no [Install] section; add e.g."
                    " Install: {WantedBy: multi-user.target}"
                )
        elif not present:
            self.plan.enable[unit] = "enabled: true"
        elif present - new or new - present:
            self.plan.reenable[unit] = "its links differ from what [Install] says"

    # Run state

    def _add_run_state(self, changed: list[tuple[str, str]], after: list[Setting]) -> None:
        targets = self._targets()
        follow = list(dict.fromkeys([*targets, *self._loaded()]))
        if self.absent:
            for unit in follow or [self.name]:
                if self.now.active(unit):
                    self.plan.stop[unit] = self.whole[0].reason
                if self.now.live.get(unit, {}).get("ActiveState") == "failed" or unit in self.plan.stop:
                    self.plan.reset[unit] = "the unit is removed"
            return
        for unit in follow:
            if not self.now.active(unit):
                if unit in targets and self.state in ("started", "restarted", "reloaded"):
                    self.plan.start[unit] = f"state: {self.state}"
            elif self.state == "stopped" and unit in targets:
                self.plan.stop[unit] = "state: stopped"
            elif self.state == "restarted" and unit in targets:
                self._restart(unit, changed, "state: restarted")
            elif _crash_looping(self.now.live.get(unit, {})) and self.state == "started":
                self.plan.restart[unit] = "state: started; it is waiting to be restarted after a failure"
            else:
                self._follow_change(unit, changed, after)
                if unit.endswith(".timer") and any(section == "Timer" for section, _directive in changed):
                    self._follow_schedule(unit, after)
                if self.state == "reloaded" and unit in targets and not self._is_planned(unit):
                    self.plan.reload[unit] = "state: reloaded"

    def _is_planned(self, unit: str) -> bool:
        return any(unit in group for group in (self.plan.restart, self.plan.cycle, self.plan.reload))

    def _restart(self, unit: str, changed: list[tuple[str, str]], reason: str) -> None:
        if any(directive in _STOP_TIME for _section, directive in changed):
            self.plan.cycle[unit] = reason
        else:
            self.plan.restart[unit] = reason

    def _follow_change(self, unit: str, changed: list[tuple[str, str]], after: list[Setting]) -> None:
        """Do to a running unit what the changed directives and triggers need, and no more."""
        needs = _needs(changed)
        restart = needs.get("restart", [])
        light = needs.get("none", []) + needs.get("daemon-reload", [])
        reload_for: list[str] = needs.get("reload", [])
        for path, reload in self._changed_triggers():
            (reload_for if reload else restart).append(path)
        if self.follow == "restart" and (light or reload_for):
            restart = restart + reload_for + light
        elif self.follow == "reload" and (restart or reload_for):
            restart, reload_for = [], restart + reload_for
        if self.follow == "none":
            if restart or reload_for:
                self.plan.kept[unit] = (
                    f"on_change: none; {_listed(restart + reload_for)} takes effect at its next start"
                )
        elif restart:
            self._restart(unit, changed, f"{_listed(restart)} changed")
        elif reload_for and _can_reload(self.now.live.get(unit, {}), after):
            self.plan.reload[unit] = f"{_listed(reload_for)} changed"
        elif reload_for:
            self._restart(unit, changed, f"{_listed(reload_for)} changed, and the unit has no ExecReload=")
        elif light:
            self.plan.kept[unit] = f"runs on: a change of {_listed(light)} needs no restart"

    def _follow_schedule(self, timer: str, after: list[Setting]) -> None:
        """What a changed schedule needs besides."""
        self.plan.held[timer] = _started_by(timer, after)
        if self.now.live.get(timer, {}).get("SubState") == "elapsed" and self.follow != "none":
            self.plan.kept.pop(timer, None)
            self.plan.restart.setdefault(
                timer, "its schedule had ended, and systemd looks at a new one only when it is started"
            )

    def _changed_triggers(self) -> list[tuple[str, bool]]:
        seen = self.now.seen_sums.get(self.name, {})
        found = []
        for path, reload in (trigger for item in self.items for trigger in item.triggers):
            checksum = self.now.trigger_sums.get(path, "")
            self.plan.sums.setdefault(self.name, {})[path] = checksum
            if path in seen and seen[path] != checksum:
                found.append((path, reload))
        return found


# Pieces


def _one_of(items: list[Want], option: str, default: t.Any) -> t.Any:
    """The one value that the items of a unit give for an option; they may not contradict each other."""
    given = {}
    for item in items:
        value = getattr(item, option)
        if value != default and not (option == "state" and value == "absent" and item.dropin):
            given.setdefault(value, item.position)
    if len(given) > 1:
        (one, first), (two, second) = list(given.items())[:2]
        name = "on_change" if option == "follow" else option
        raise PlanError(
            f"{items[0].name}: {name} is {str(one).lower()} in units[{first}] and {str(two).lower()} in units[{second}];"
            " say the same in both, or say it once"
        )
    return next(iter(given), default)


def read_settings(unit: str, data: bytes, path: str = "") -> list[Setting]:
    """The settings in a text; of one that systemd cannot read at all, none."""
    try:
        return read_unit(unit, data, path).settings
    except UnitSyntaxError:
        return []


def is_ours(file: File, set_name: str | None = None) -> bool:
    """Whether a file carries our header, and if asked that of one set."""
    managed, name = _header.read_header(from_bytes(file.data))
    return managed and (set_name is None or name == set_name)


def _changed(before: t.Sequence[Setting], after: t.Sequence[Setting], dropin: bool = False) -> list[tuple[str, str]]:
    return [(section, directive) for section, directive, _old, _new in _meaning.changed_settings(before, after, dropin)]


def _text_difference(item: Want, before: bytes, after: bytes) -> str:
    """Why the present text must be replaced; empty when it may stay."""
    if before == after:
        return ""
    old, new = read_settings(item.name, before), read_settings(item.name, after)
    changed = _changed(old, new, bool(item.dropin))
    if changed:
        return f"{_listed([directive for _section, directive in changed])} changed"
    if not item.by_meaning or _foreign_names(old) != _foreign_names(new):
        return "only comments, order or spacing changed"
    was, now = (_header.read_header(from_bytes(data)) for data in (before, after))
    # A file that was there before us may stay as it is, unless the name of the set must be on it.
    return "" if was == now or not (was[0] or now[1]) else "the header that says whose file it is changed"


def _foreign_names(settings: t.Sequence[Setting]) -> list[tuple[str, str, str]]:
    """``X-`` settings: nothing to systemd, and yet declared."""
    return sorted(s[:3] for s in settings if s.section.startswith("X-") or s.directive.startswith("X-"))


def _listed(names: t.Sequence[str], most: int = 4) -> str:
    """``a, b and 3 more``, without doubles."""
    names = list(dict.fromkeys(names))
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most} more"
    return ", ".join(names)


def _needs(changed: t.Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The changed directives by what they need: none, daemon-reload, reload, restart (from the catalogue)."""
    needs: dict[str, list[str]] = {}
    for section, directive in changed:
        if section == "Install" or section.startswith("X-") or directive.startswith("X-"):
            continue
        known = _catalog.get(section, directive)
        needs.setdefault(known.effect if known else "restart", []).append(directive.rstrip("*"))
    return needs


def _started_by(timer: str, settings: t.Sequence[Setting]) -> str:
    """The unit that a timer starts (systemd.timer(5), Unit=)."""
    given = [s.value for s in settings if (s.section, s.directive) == ("Timer", "Unit") and s.value]
    return expand_specifiers(given[-1] if given else "%N.service", timer, IN_UNIT_NAMES)


def _can_reload(live: t.Mapping[str, str], after: t.Sequence[Setting]) -> bool:
    if any(s.directive == "ExecReload" and s.value or s.value == "notify-reload" for s in after):
        return True
    return not after and live.get("CanReload") == "yes"


def _crash_looping(live: t.Mapping[str, str]) -> bool:
    return live.get("ActiveState") == "activating" and live.get("SubState", "").startswith("auto-restart")


def install_links(unit: str, settings: t.Sequence[Setting]) -> set[str] | None:
    """The links, relative to the unit folder, that ``systemctl enable`` makes for a unit (systemd.unit(5), [Install]).

    None when a specifier is used that only systemd can resolve.
    """
    values: dict[str, list[str]] = {}
    for setting in settings:
        if setting.section == "Install":
            if setting.value:
                values.setdefault(setting.directive, []).extend(setting.value.split())
            else:
                values.pop(setting.directive, None)
    if is_template(unit):
        default = values.get("DefaultInstance")
        if default:
            unit = instance_name(unit, expand_specifiers(default[-1], unit, IN_UNIT_NAMES))
        else:
            values = {"Alias": values.get("Alias", [])}
    links = set()
    for directive, folder in _INSTALL_SUFFIXES.items():
        for value in values.get(directive, []):
            if has_other_specifiers(value, IN_UNIT_NAMES):
                return None
            other = expand_specifiers(value, unit, IN_UNIT_NAMES)
            links.add(f"{other}{folder}/{unit}" if folder else other)
    return links - {unit}


def enabled_by(link: str, target: str) -> set[str]:
    """The names of the units that a link in the unit folder enables: by their own name, or as an alias of them.

    :param link: path of the link below the unit folder.
    """
    if target == MASK_TARGET:
        return set()
    base = posixpath.basename(link)
    if "/" not in link:
        unit = posixpath.basename(target)
        instance = split_unit_name(base).instance
        return {unit, instance_name(unit, instance)} if instance else {unit}
    return {base, template_of(base) or base}


def enables(link: str, target: str, names: t.Iterable[str]) -> bool:
    """Whether a link in the unit folder enables one of the units."""
    return not enabled_by(link, target).isdisjoint(names)


def _present_links(now: Now, names: t.Sequence[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        found |= now.links_of(name)
    return found


def _keep_sockets_working(plan: Plan, now: Now, groups: t.Mapping[str, list[Want]]) -> None:
    """A socket can only be bound while its service is down: take the service down and up with it.

    systemd refuses to start a socket whose service runs ("Socket service already active").
    """
    for socket in [*plan.restart, *plan.cycle, *plan.start]:
        if not socket.endswith(".socket"):
            continue
        starts = socket in plan.start
        services = _services_of(socket, now, groups)
        running = [service for service in services if now.active(service) and service not in plan.stop]
        if not running:
            continue
        if not starts:
            plan.cycle[socket] = plan.restart.pop(socket, "") or plan.cycle[socket]
        for service in running:
            plan.restart.pop(service, None)
            plan.reload.pop(service, None)
            plan.kept.pop(service, None)
            plan.cycle[service] = f"its socket {socket} is {'started' if starts else 'restarted'}"


def _services_of(socket: str, now: Now, groups: t.Mapping[str, list[Want]]) -> list[str]:
    live = now.live.get(socket, {}).get("Triggers", "").split()
    for item in groups.get(socket, []):
        for setting in read_settings(socket, to_bytes(item.text or "")):
            if (setting.section, setting.directive) == ("Socket", "Service") and setting.value:
                return [setting.value]
    return live or [socket[: -len(".socket")] + ".service"]


def _add_followers(plan: Plan, now: Now, groups: t.Mapping[str, list[Want]]) -> None:
    """Add who is dragged along by a stop or restart: the blast radius.

    A restart job takes followers along and systemd brings them back; after a stop and start, or a stop for good,
    nobody does. So followers of a stopped-and-started unit join it, and followers of a stopped one are named.
    """
    declared = _declared_followers(groups)

    def followers(unit: str) -> list[str]:
        live = now.live.get(unit, {})
        names = [name for key in STOP_FOLLOWERS for name in live.get(key, "").split()]
        return [name for name in dict.fromkeys([*names, *declared.get(unit, [])]) if now.active(name)]

    for unit, source in _closure(plan.stop, followers):
        if unit in plan.stop:
            continue
        for group in (plan.restart, plan.carried, plan.reload, plan.kept):
            group.pop(unit, None)
        if source in plan.cycle or _runs_without(unit, source, plan, groups):
            plan.cycle.setdefault(unit, f"it depended on {source}, which is stopped")
        else:
            plan.cycle.pop(unit, None)
            plan.dragged[unit] = f"it depends on {source}, which is stopped"
    for unit, source in _closure(plan.cycle, followers):
        if unit not in plan.stop and unit not in plan.dragged:
            for group in (plan.restart, plan.reload, plan.kept):
                group.pop(unit, None)
            plan.cycle[unit] = f"it depends on {source}, which is restarted"
    for unit, source in _closure(plan.restart, followers):
        if unit in plan.stop or unit in plan.dragged or unit in plan.cycle:
            continue
        reason = plan.restart.pop(unit, "") or f"it depends on {source}, which is restarted"
        plan.reload.pop(unit, None)
        plan.kept.pop(unit, None)
        plan.carried[unit] = reason


def _runs_without(unit: str, stopped: str, plan: Plan, groups: t.Mapping[str, list[Want]]) -> bool:
    """Whether a unit that goes down with another one shall run all the same: so the task says, or its new text."""
    items = [
        *groups.get(unit, []),
        *(item for item in groups.get(template_of(unit), []) if unit in item.instance_names()),
    ]
    if any(item.state in ("started", "restarted", "reloaded") for item in items):
        return True
    names = {item.name for item in items if item.text and not item.dropin}
    rewritten = names & {change.unit for change in plan.changes}
    return bool(rewritten) and names.isdisjoint(_declared_followers(groups).get(stopped, []))


def _closure(roots: t.Mapping[str, str], followers: t.Callable[[str], list[str]]) -> list[tuple[str, str]]:
    """Every unit that follows a root, directly or not, with the one it follows; roots that follow roots too."""
    found: dict[str, str] = {}
    queue = list(roots)
    done = set()
    while queue:
        unit = queue.pop(0)
        if unit in done:
            continue
        done.add(unit)
        for follower in followers(unit):
            if follower not in found and follower != unit:
                found[follower] = unit
                queue.append(follower)
    return [(unit, source) for unit, source in found.items() if not _only_in_circle(unit, source, roots, found)]


def _only_in_circle(unit: str, source: str, roots: t.Mapping[str, str], found: t.Mapping[str, str]) -> bool:
    """True for a root that would be carried by units that only move because of it (two units PartOf each other)."""
    if unit not in roots:
        return False
    while source in found and source not in roots:
        source = found[source]
    return source == unit or (source in found and list(roots).index(unit) < list(roots).index(source))


def _declared_followers(groups: t.Mapping[str, list[Want]]) -> dict[str, list[str]]:
    """Who the declared texts say follows whom, for what the running manager has not loaded yet."""
    followers: dict[str, list[str]] = {}
    for name, items in groups.items():
        for item in items:
            if not item.text or not any(key in item.text for key in _DECLARED_STOP):
                continue
            for setting in read_settings(name, to_bytes(item.text)):
                if setting.section == "Unit" and setting.directive in _DECLARED_STOP:
                    for other in setting.value.split():
                        followers.setdefault(other, []).append(name)
    return followers


def _reset_failed(plan: Plan, now: Now) -> None:
    """A failed unit may have used up its start limit, which would refuse the start that we ask for."""
    for unit in [*plan.start, *plan.restart]:
        if now.live.get(unit, {}).get("ActiveState") == "failed" or _crash_looping(now.live.get(unit, {})):
            plan.reset[unit] = "it had failed; clear that and its start limit"


def _decide_reload(plan: Plan, now: Now, groups: t.Mapping[str, list[Want]]) -> None:
    files = [change for change in plan.changes if change.path]
    if files:
        plan.daemon_reload = f"{len(files)} file{'s' if len(files) > 1 else ''} changed"
        return
    if plan.enable or plan.reenable or plan.disable:
        plan.daemon_reload = "enablement changed"
        return
    stale = [
        name
        for name in groups
        for unit in [name, *now.instances.get(name, [])]
        if now.live.get(unit, {}).get("NeedDaemonReload") == "yes"
    ]
    if stale:
        plan.daemon_reload = f"{_listed(stale)} changed on disk since systemd read it"

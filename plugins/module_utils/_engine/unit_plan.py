# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of one unit: its fragment and drop-ins, its mask, its enablement, its run state. No I/O."""

from __future__ import annotations

import posixpath
import typing as t

from .. import _catalog
from .._graph.edges import triggered
from .._model import MISSING, UNIT_MODE, Change, File, Setting, Unit
from .._syntax.diff import changed_settings
from .._syntax.effective import is_set, value_of
from .._syntax.header import read_header
from .._syntax.lines import read_unit
from .._syntax.names import is_template
from .._syntax.text import UnitSyntaxError, from_bytes, to_bytes
from .desired import WANTS_RUN, DesiredUnit, PlanError, agreed, is_ours
from .links import MASK_TARGET, install_links
from .plan import Plan
from .state import HostState

# What runs at stop time and belongs to the old definition: with a change of one of these next to a change that
# restarts, the unit is stopped before its files are replaced.
_STOP_TIME = frozenset(
    (
        "ExecStop",
        "ExecStopPost",
        "FinalKillSignal",
        "KillMode",
        "KillSignal",
        "PIDFile",
        "RemoveOnStop",
        "RestartKillSignal",
        "RuntimeDirectory",
        "RuntimeDirectoryPreserve",
        "SendSIGHUP",
        "SendSIGKILL",
        "Type",
        "Where",
    )
)
_Changed = list[tuple[str, str]]  # (section, directive)


class UnitPlan:
    """The steps of one unit.

    :param items: the declared items that speak of it: the unit itself, its drop-ins, or both.
    """

    def __init__(self, plan: Plan, state: HostState, name: str, items: list[DesiredUnit], live_manager: bool) -> None:
        self.plan = plan
        self.now = state
        self.name = name
        self.items = items
        self.live_manager = live_manager
        self.own_path = posixpath.join(state.folder, name)
        self.whole = [item for item in items if not item.dropin]
        self.is_template = is_template(name)
        self.state = agreed(items, "state", "present")
        self.enabled = agreed(items, "enabled", None)
        self.masked = agreed(items, "masked", None)
        self.on_change = agreed(items, "on_change", "auto")
        self.absent = any(item.state == "absent" for item in self.whole)

    def add(self) -> None:
        """Add the steps to the plan.

        :raises PlanError: for what cannot be.
        """
        self._check()
        before = self.merged(after=False) if self._needs_settings() else []
        for item in self.items:
            self._add_file(item)
        self._add_mask()
        after = self.merged(after=True) if any(change.unit == self.name for change in self.plan.changes) else before
        changed = [] if self.absent or after is before else _changed(before, after)
        self._add_enablement(before, after)
        if self.live_manager:
            self._add_run_state(changed, after)
        for item in self.items:
            if item.health is not None:
                self.plan.health.update(dict.fromkeys(self._targets(), item.health))

    # What the unit is, before and after

    def fragment(self) -> str:
        """The path systemd loads the unit from now, or would load it from."""
        if self.now.files.get(self.own_path, MISSING).kind == "file":
            return self.own_path
        for unit in [self.name, *self._loaded(), *self._targets()]:
            path = self.now.value(unit, "FragmentPath")
            if path and path != self.own_path:
                return path
        return self.own_path

    def merged(self, after: bool) -> list[Setting]:
        """The unit's settings as systemd merges them: the fragment, then the drop-ins by file name."""
        changes = {change.path: change.after for change in self.plan.changes} if after else {}
        fragment = self.fragment()
        if self.own_path in changes:
            if changes[self.own_path].kind == "file":
                fragment = self.own_path
            elif fragment == self.own_path:
                fragment = ""
        units = [self.name, *self._loaded()]
        folders = tuple(f"{posixpath.join(self.now.folder, unit)}.d/" for unit in units)
        dropins = {path for path in changes if path.startswith(folders) and path.endswith(".conf")}
        for unit in units:
            dropins.update(self.now.dropins_of(unit))
            dropins.update(self.now.value(unit, "DropInPaths").split())
        settings: list[Setting] = []
        for path in [fragment, *sorted(dropins, key=lambda path: (posixpath.basename(path), path))]:
            file = changes.get(path, self.now.files.get(path, MISSING))
            if file.kind == "file":
                settings += read_settings(self.name, file.data, path)
        return settings

    def _needs_settings(self) -> bool:
        """Reading every unit of a large set costs time, and an unchanged set needs little of it."""
        return self.enabled is not None or any(self._differs(item) for item in self.items)

    def _differs(self, item: DesiredUnit) -> bool:
        before = self.now.files.get(item.path, MISSING)
        return item.state == "absent" or (item.text is not None and before.data != to_bytes(item.text))

    def _loaded(self) -> list[str]:
        """The loaded instances of a template."""
        return self.now.instances.get(self.name, []) if self.is_template else []

    def _targets(self) -> list[str]:
        """The units that state and enabled speak of: the unit itself, or the declared instances of a template."""
        if self.is_template:
            return list(dict.fromkeys(unit for item in self.items for unit in item.instance_names()))
        return [self.name]

    # Contradictions

    def _check(self) -> None:
        if self.is_template and not self._targets() and self.state in (*WANTS_RUN, "stopped"):
            raise PlanError(f"{self.name}: state: {self.state} needs instances: a template itself cannot run")
        own = self.now.files.get(self.own_path, MISSING)
        wants_text = any(item.text is not None for item in self.whole)
        if self.masked:
            self._check_masked(own, wants_text)
        elif _is_mask(own) and self.masked is None and (wants_text or self.state in WANTS_RUN):
            raise PlanError(f"{self.name} is masked: set masked: false to unmask it, or leave it out of this task")
        self._check_exists()

    def _check_masked(self, own: File, wants_text: bool) -> None:
        if self.state in WANTS_RUN:
            raise PlanError(
                f"{self.name}: masked: true and state: {self.state} cannot both hold; a masked unit cannot run"
            )
        if wants_text:
            raise PlanError(
                f"{self.name}: masked: true with sections or content: systemd masks a unit by a link in the very place"
                f" of its file {self.own_path}. Leave out the text to mask it, or use state: stopped with"
                " enabled: false"
            )
        if own.kind == "file" and not self.absent:
            raise PlanError(
                f"{self.name}: masked: true, but {self.own_path} is a real file, and the mask would have to take its"
                " place. Remove it first with state: absent, or use state: stopped with enabled: false"
            )

    def _check_exists(self) -> None:
        """Say clearly when an item without text speaks of a unit that is not there."""
        if not self.live_manager or self.absent or any(item.text is not None for item in self.whole):
            return
        if self.state == "present" and not self.enabled:
            return
        for unit in self._targets():
            if self.now.live.get(unit, {}).get("LoadState", "not-found") == "not-found":
                raise PlanError(
                    f"{unit}: there is no such unit on this host, and the task declares no text for it; give sections"
                    " or content, install the package that brings it, or correct the name"
                )

    # Files

    def _add_file(self, item: DesiredUnit) -> None:
        before = self.now.files.get(item.path, MISSING)
        if item.text is not None or item.state == "absent":
            _refuse_foreign_kinds(item, before)
        if item.state == "absent":
            self._remove(item, before)
        elif item.text is not None:
            self._write(item, item.text, before)

    def _remove(self, item: DesiredUnit, before: File) -> None:
        if before.kind == "file" or (_is_mask(before) and not item.dropin):
            self._change(item.path, before, MISSING, "remove", item.reason)
        if not item.dropin:
            self._remove_own_dropins(item)

    def _write(self, item: DesiredUnit, text: str, before: File) -> None:
        after = File("file", to_bytes(text), "", UNIT_MODE, self.now.uid, self.now.gid)
        if before.kind != "file":
            self._change(item.path, before, after, "write", "the file does not exist")
            return
        reason = _text_difference(item, before.data, after.data)
        if not reason and (before.mode != UNIT_MODE or before.uid != self.now.uid):
            reason = (
                f"its mode is {before.mode:04o} and its owner {before.uid} instead of {UNIT_MODE:04o} and"
                f" {self.now.uid}"
            )
            after = after._replace(data=before.data)
        if reason:
            self._change(item.path, before, after, "write", reason)

    def _remove_own_dropins(self, item: DesiredUnit) -> None:
        """A removed unit takes along the drop-ins that carry our header; others are left and named."""
        declared = {other.path for other in self.items}
        for path in sorted(self.now.dropins_of(self.name)):
            file = self.now.files[path]
            if path in declared or file.kind != "file":
                continue
            if is_ours(file):
                self._change(path, file, MISSING, "remove", f"{item.reason} of {item.name}")
            else:
                self.plan.warnings.append(f"{path} was not written by this collection and is left in place")

    def _add_mask(self) -> None:
        own = self.now.files.get(self.own_path, MISSING)
        if self.masked and not _is_mask(own):
            self._change(self.own_path, own, File("link", target=MASK_TARGET), "mask", "masked: true")
        if self.masked is False:
            written = any(change.path == self.own_path for change in self.plan.changes)
            if _is_mask(own) and not written:
                self._change(self.own_path, own, MISSING, "unmask", "masked: false")
            elif _is_mask(own):
                # The write below takes the link's place in one rename; only the report needs the step.
                self.plan.changes.insert(0, Change(self.name, "", own, own, "unmask", "masked: false"))
            for path, file in self.now.files.items():
                # Masks in the folder that we do not write to (``systemctl mask --runtime``).
                if path != self.own_path and posixpath.basename(path) == self.name and _is_mask(file):
                    self._change(path, file, MISSING, "unmask", "masked: false")

    def _change(self, path: str, before: File, after: File, action: str, reason: str) -> None:
        self.plan.changes.append(Change(self.name, path, before, after, action, reason))

    # Enablement

    def _add_enablement(self, before: list[Setting], after: list[Setting]) -> None:
        units = self._targets() or [self.name]
        self.plan.link_names.update(
            name for setting in [*before, *after] if _is_also(setting) for name in setting.value.split()
        )
        if self.absent:
            if self.now.links_of(self.name, *self._loaded(), *units):
                self.plan.disable[self.name] = self.whole[0].reason
            return
        for unit in units:
            present = self.now.links_of(unit)
            if self.enabled:
                self._enable(unit, present, after)
            elif present and self.enabled is False:
                self.plan.disable[unit] = "enabled: false"
            elif present and install_links(unit, before) != install_links(unit, after):
                self.plan.reenable[unit] = "[Install] changed"

    def _enable(self, unit: str, present: set[str], after: list[Setting]) -> None:
        state = self.now.value(unit, "UnitFileState")
        new = install_links(unit, after)
        if new is None or (not new and any(map(_is_also, after))):  # beyond what links alone can tell
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
        elif present != new:
            self.plan.reenable[unit] = "its links differ from what [Install] says"

    # Run state

    def _add_run_state(self, changed: _Changed, after: list[Setting]) -> None:
        targets = self._targets()
        units = list(dict.fromkeys([*targets, *self._loaded()]))
        if self.absent:
            self._stop_for_good(units or [self.name])
            return
        for unit in units:
            state = self.state if unit in targets else "present"
            if self.now.active(unit):
                self._change_running(unit, state, changed, after)
            elif state in WANTS_RUN:
                self.plan.start[unit] = f"state: {state}"

    def _stop_for_good(self, units: t.Sequence[str]) -> None:
        for unit in units:
            if self.now.active(unit):
                self.plan.stop[unit] = self.whole[0].reason
            if self.now.value(unit, "ActiveState") == "failed" or unit in self.plan.stop:
                self.plan.reset[unit] = "the unit is removed"

    def _change_running(self, unit: str, state: str, changed: _Changed, after: list[Setting]) -> None:
        """What a unit that runs needs, for the state that is declared of it and for what changed."""
        if state == "stopped":
            self.plan.stop[unit] = "state: stopped"
        elif state == "restarted":
            self._restart(unit, changed, "state: restarted")
        elif state == "started" and self.now.crash_looping(unit):
            self.plan.restart[unit] = "state: started; it is waiting to be restarted after a failure"
        else:
            self._follow_change(unit, changed, after)
            if unit.endswith(".timer") and any(section == "Timer" for section, _directive in changed):
                self._follow_schedule(unit, after)
            if state == "reloaded" and not self.plan.is_restarted(unit):
                self.plan.reload[unit] = "state: reloaded"

    def _restart(self, unit: str, changed: _Changed, reason: str) -> None:
        if any(directive in _STOP_TIME for _section, directive in changed):
            self.plan.stop_start[unit] = reason
        else:
            self.plan.restart[unit] = reason

    def _follow_change(self, unit: str, changed: _Changed, after: list[Setting]) -> None:
        """Do to a running unit what the changed directives and triggers need, and no more."""
        restart, reload, light = self._needs(changed)
        if self.on_change == "none":
            if restart or reload:
                self.plan.left_running[unit] = (
                    f"on_change: none; {listed(restart + reload)} takes effect at its next start"
                )
        elif restart:
            self._restart(unit, changed, f"{listed(restart)} changed")
        elif reload and _can_reload(self.now.live.get(unit, {}), after):
            self.plan.reload[unit] = f"{listed(reload)} changed"
        elif reload:
            self._restart(unit, changed, f"{listed(reload)} changed, and the unit has no ExecReload=")
        elif light:
            self.plan.left_running[unit] = f"runs on: a change of {listed(light)} needs no restart"

    def _needs(self, changed: _Changed) -> tuple[list[str], list[str], list[str]]:
        """What changed (directives, files of triggers) by what it needs: a restart, a reload, nothing of either."""
        needs = _effects(changed)
        restart, reload = needs.get("restart", []), needs.get("reload", [])
        light = needs.get("none", []) + needs.get("daemon-reload", [])
        for path, only_reload in self._changed_triggers():
            (reload if only_reload else restart).append(path)
        if self.on_change == "restart":
            return restart + reload + light, [], []
        if self.on_change == "reload":
            return [], restart + reload, light
        return restart, reload, light

    def _follow_schedule(self, timer: str, after: list[Setting]) -> None:
        """What a changed schedule needs besides."""
        self.plan.held_timers[timer] = triggered(Unit(timer, after))
        if self.now.value(timer, "SubState") == "elapsed" and self.on_change != "none":
            self.plan.left_running.pop(timer, None)
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


def read_settings(unit: str, data: bytes, path: str = "") -> list[Setting]:
    """The settings in a text; of one that systemd cannot read at all, none."""
    try:
        return read_unit(unit, data, path).settings
    except UnitSyntaxError:
        return []


def listed(names: t.Sequence[str], most: int = 4) -> str:
    """``a, b and 3 more``, without doubles."""
    names = list(dict.fromkeys(names))
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most} more"
    return ", ".join(names)


def _is_mask(file: File) -> bool:
    return file.kind == "link" and file.target == MASK_TARGET


def _is_also(setting: Setting) -> bool:
    return (setting.section, setting.directive) == ("Install", "Also")


def _refuse_foreign_kinds(item: DesiredUnit, before: File) -> None:
    """A link or a folder in the place of a unit file is not ours to follow or to replace."""
    option = "dropin" if item.dropin else "name"
    if before.kind == "link" and (item.dropin or not _is_mask(before)):
        raise PlanError(
            f"{option}: {item.path} is a link to {before.target}, and files are never written or removed through a"
            " link; name the unit it points to, or remove the link first (systemctl disable removes it)"
        )
    if before.kind == "other":
        raise PlanError(f"{option}: {item.path} is not a regular file; move it away first")


def _changed(before: t.Sequence[Setting], after: t.Sequence[Setting], dropin: bool = False) -> _Changed:
    return [(section, directive) for section, directive, _old, _new in changed_settings(before, after, dropin)]


def _text_difference(item: DesiredUnit, before: bytes, after: bytes) -> str:
    """Why the present text must be replaced; empty when it may stay."""
    if before == after:
        return ""
    old, new = read_settings(item.name, before), read_settings(item.name, after)
    changed = _changed(old, new, bool(item.dropin))
    if changed:
        return f"{listed([directive for _section, directive in changed])} changed"
    if not item.by_meaning or _extensions(old) != _extensions(new):
        return "only comments, order or spacing changed"
    was, now = (read_header(from_bytes(data)) for data in (before, after))
    # A file that was there before us may stay as it is, unless the name of the set must be on it.
    return "" if was == now or not (was[0] or now[1]) else "the header that says whose file it is changed"


def _extensions(settings: t.Sequence[Setting]) -> list[tuple[str, str, str]]:
    """``X-`` settings: nothing to systemd, and yet declared."""
    return sorted(s[:3] for s in settings if s.section.startswith("X-") or s.directive.startswith("X-"))


def _effects(changed: _Changed) -> dict[str, list[str]]:
    """The changed directives by what they need: none, daemon-reload, reload, restart (from the catalogue)."""
    needs: dict[str, list[str]] = {}
    for section, directive in changed:
        if section == "Install" or section.startswith("X-") or directive.startswith("X-"):
            continue
        known = _catalog.get(section, directive)
        needs.setdefault(known.effect if known else "restart", []).append(directive.rstrip("*"))
    return needs


def _can_reload(live: t.Mapping[str, str], after: t.Sequence[Setting]) -> bool:
    unit = Unit("", after)
    if is_set(unit, "Service", ["ExecReload"]) or value_of(unit, "Service", "Type") == "notify-reload":
        return True
    return not after and live.get("CanReload") == "yes"

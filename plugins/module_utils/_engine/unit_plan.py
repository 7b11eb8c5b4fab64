# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of one declared unit: its fragment and drop-ins, its mask, its enablement. No I/O."""

from __future__ import annotations

import functools
import posixpath
import typing as t

from .._graph.edges import spread
from .._model import MISSING, UNIT_MODE, WANTS_RUN, Change, File, Setting
from .._syntax.header import read_header
from .._syntax.names import is_template
from .._syntax.words import from_bytes, raw_words, to_bytes
from .desired import Declared, DesiredUnit, PlanError, agreed, is_ours
from .links import MASK_TARGET, aliases, install_links, is_mask
from .plan import Plan
from .sources import Sources, changed_directives, read_settings
from .state import HostState

_ETC = "/etc/systemd/system"
_BEFORE_ETC = (".control", "/transient", "/generator.early")  # ends of folders that are read first; systemd.unit(5)


class UnitPlan:
    """The steps of one name: a unit or a template."""

    def __init__(self, plan: Plan, state: HostState, declared: Declared, name: str) -> None:
        self.plan = plan
        self.now = state
        self.declared = declared
        self.name = name
        self.items = declared.groups[name]
        self.own_path = posixpath.join(state.folder, name)
        self.whole = [item for item in self.items if not item.dropin]
        self.state = agreed(self.items, "state", "present")
        self.enabled = agreed(self.items, "enabled", None)
        self.masked = agreed(self.items, "masked", None)
        self.absent = any(item.removes for item in self.whole)

    def add_files(self, live_manager: bool) -> None:
        """Add what changes files and masks.

        :raises PlanError: for what cannot be.
        """
        self._check()
        if live_manager:
            self._check_exists()
        for item in self.items:
            self._add_file(item)
        self._add_mask()

    # Contradictions

    def _check(self) -> None:
        if is_template(self.name) and not self.declared.units_of(self.name) and self.state in (*WANTS_RUN, "stopped"):
            raise PlanError(f"{self.name}: state: {self.state} needs instances: a template itself cannot run")
        own = self.now.files.get(self.own_path, MISSING)
        wants_text = any(item.text is not None for item in self.whole)
        if self.masked:
            self._check_masked(own, wants_text)
        elif self.masked is None and (wants_text or self.enabled or self.state in WANTS_RUN) and self._is_masked(own):
            raise PlanError(f"{self.name} is masked: set masked: false to unmask it, or leave it out of this task")
        if wants_text:
            self._check_hidden()

    def _check_hidden(self) -> None:
        """Refuse a file that systemd would pass over for one of that name in a folder before ours."""
        path = self.now.value(self.name, "FragmentPath")
        folder, name = posixpath.split(path)
        hides = folder.endswith(_BEFORE_ETC) or (self.now.folder.startswith("/run/") and folder == _ETC)
        if hides and name == self.name:
            raise PlanError(
                f"{self.name}: systemd reads {path} in place of {self.own_path}; remove it first (what systemd-run"
                " made goes when it is stopped)"
            )

    def _is_masked(self, own: File) -> bool:
        return is_mask(own) or (own.kind == "missing" and self.now.value(self.name, "LoadState") == "masked")

    def _check_masked(self, own: File, wants_text: bool) -> None:
        if self.state in WANTS_RUN or self.enabled:
            other = f"state: {self.state}" if self.state in WANTS_RUN else "enabled: true"
            raise PlanError(f"{self.name}: masked: true and {other} cannot both hold")
        if wants_text:
            raise PlanError(
                f"{self.name}: masked: true with sections or content: a mask is a link in the place of {self.own_path};"
                " leave out the text, or use state: stopped with enabled: false"
            )
        if own.kind == "file" and not self.absent:
            raise PlanError(
                f"{self.name}: masked: true, but {self.own_path} is a real file; remove it first with state: absent,"
                " or use state: stopped with enabled: false"
            )

    def _check_exists(self) -> None:
        """Say clearly when an item without text speaks of a unit that is not there."""
        if self.absent or any(item.text is not None for item in self.whole):
            return
        if self.state in ("present", "absent") and not self.enabled:
            return
        for unit in self.declared.units_of(self.name):
            if any(item.text is not None and not item.dropin for item in self.declared.of_template(unit)):
                continue
            load_state = self.now.value(unit, "LoadState")
            # Below a mask there may be nothing; that shows once it is gone.
            nothing = load_state == "masked" and not self.now.value(unit, "FragmentPath")
            if (nothing and self.masked is False and self.enabled) or load_state in ("", "not-found"):
                raise PlanError(
                    f"{unit}: there is no such unit on this host, and the task declares no text for it; give sections"
                    " or content, install the package that brings it, or correct the name"
                )

    # Files

    def _add_file(self, item: DesiredUnit) -> None:
        before = self.now.files.get(item.path, MISSING)
        if item.text is not None or item.removes:
            _refuse_foreign_kinds(item, before)
        if item.removes:
            self._remove(item, before)
        elif item.text is not None:
            self._write(item, item.text, before)

    def _remove(self, item: DesiredUnit, before: File) -> None:
        if before.kind == "file" or (is_mask(before) and not item.dropin):
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
        """A removed unit takes along the drop-ins that we wrote; others, and those of another set, are named."""
        declared = {other.path for other in self.items}
        for path in sorted(self.now.dropins_of(self.name)):
            file = self.now.files[path]
            if path in declared or file.kind != "file":
                continue
            ours = is_ours(file) or from_bytes(file.data) == self.now.deployed.get(path)
            if ours and not self._other_set(file) and (not item.pruned_of or is_ours(file, item.pruned_of)):
                self._change(path, file, MISSING, "remove", f"{item.reason} of {item.name}")
            else:
                whose = "is not of this set" if ours else "was not written by this collection"
                self.plan.warnings.append(f"{path} {whose} and is left in place")

    def _add_mask(self) -> None:
        own = self.now.files.get(self.own_path, MISSING)
        if self.masked and not is_mask(own):
            self._change(self.own_path, own, File("link", target=MASK_TARGET), "mask", "masked: true")
        if self.masked is False:
            written = any(change.path == self.own_path for change in self.plan.changes)
            if is_mask(own) and not written:
                self._change(self.own_path, own, MISSING, "unmask", "masked: false")
            elif is_mask(own):
                # The write below takes the link's place in one rename; only the report needs the step.
                self.plan.changes.insert(0, Change(self.name, "", own, own, "unmask", "masked: false"))
            for path, file in self.now.files.items():
                # Masks in the folder that we do not write to (``systemctl mask --runtime``).
                if path != self.own_path and posixpath.basename(path) == self.name and is_mask(file):
                    self._change(path, file, MISSING, "unmask", "masked: false")

    def _other_set(self, file: File) -> str:
        """The set of a file, if not ours."""
        name = read_header(from_bytes(file.data))[1]
        return name if self.now.set_name not in ("", name) else ""

    def _change(self, path: str, before: File, after: File, action: str, reason: str) -> None:
        other = self._other_set(before)
        if other:
            raise PlanError(
                f"{path} is of set {other}, not of set {self.now.set_name}; use another name, or remove its line"
                f" '# Set: {other}' to hand it over"
            )
        self.plan.changes.append(Change(self.name, path, before, after, action, reason))

    # Enablement

    def add_enablement(self, sources: Sources) -> None:
        """Add what changes the links of [Install].

        :param sources: of all files of the plan.
        """
        units = self.declared.units_of(self.name) or [self.name]
        if self.absent:
            self._note_also(sources.settings(self.name, False))
            present = self.now.links_of(self.name, *self.now.instances.get(self.name, ()), *units)
            if present:
                self._disable(self.name, present, self.whole[0].reason)
            return
        if is_template(self.name):
            units = list(dict.fromkeys([*units, *self.now.enabled_instances(self.name)]))
        for unit in units:
            enabled = self.declared.enabled(unit)
            if removal_of(unit, self.declared, sources):
                continue  # its links go with its template
            if enabled is not None or any(section == "Install" for section, _directive in sources.changed(unit)):
                self._add_links(unit, enabled, sources)

    def _add_links(self, declared: str, enabled: bool | None, sources: Sources) -> None:
        unit = self._own_name(declared)
        present = self.now.links_of(unit)
        before, after = sources.settings(declared, False), sources.settings(declared, True)
        self._note_also([*before, *after])
        if enabled:
            self._enable(unit, present, before or self._deployed(), after)
            if unit in self.plan.enable or unit in self.plan.reenable:
                self._check_aliases(unit, after, sources)
        elif present and enabled is False:
            self._disable(unit, present, self._reason(declared))
        elif present and install_links(unit, before) != install_links(unit, after):
            self.plan.reenable[unit] = "[Install] changed"

    def _deployed(self) -> list[Setting]:
        """The settings of the unit file as we wrote it: what made the links that a file removed by hand leaves."""
        return read_settings(self.name, self.now.deployed.get(self.own_path, "").encode())

    def _disable(self, unit: str, present: t.Iterable[str], reason: str) -> None:
        if not is_mask(self.now.files.get(self.own_path, MISSING)):
            self.plan.disable[unit] = reason
            return
        # systemctl disable leaves the links of a masked unit alone, from release 252 on at the latest.
        for link in sorted(present):
            was = File("link", target=self.now.links[link])
            self._change(f"{self.now.folder}/{link}", was, MISSING, "disable", reason)

    def _check_aliases(self, unit: str, settings: list[Setting], sources: Sources) -> None:
        """Refuse an alias in whose place another unit has its file, as systemctl does.

        :raises PlanError: with both.
        """
        for alias in aliases(unit, settings):
            path = f"{self.now.folder}/{alias}"
            if sources.fragment(alias, after=True) == path:
                raise PlanError(
                    f"{unit}: enabled: true cannot make the link for Alias={alias}, for {path} is a file; leave out"
                    " the alias, or remove that unit"
                )

    def _own_name(self, unit: str) -> str:
        """The name that systemctl enables a unit by; it refuses an alias."""
        if any(item.text is not None for item in self.whole):
            return unit
        return self.now.value(unit, "Id") or unit

    def _reason(self, unit: str) -> str:
        return "enabled: false" if self.declared.value(unit, "enabled", None) is False else "state: absent"

    def _note_also(self, settings: t.Iterable[Setting]) -> None:
        self.plan.link_names.update(also_of(settings))

    def _enable(self, unit: str, present: set[str], before: list[Setting], after: list[Setting]) -> None:
        state = self.now.value(unit, "UnitFileState")
        new = install_links(unit, after)
        also = also_of(after)
        if new is None or (not new and also):  # beyond what links alone can tell
            enabled = present or self.now.links_of(*also)
            if state in ("", "disabled", "bad", "indirect") and not enabled:
                self.plan.enable[unit] = "enabled: true"
        elif not new and is_template(unit) and any(setting.section == "Install" for setting in after):
            self.plan.warnings.append(
                f"{unit}: enabled: true has no effect on a template alone; list its instances, or give its [Install]"
                " section DefaultInstance="
            )
        elif not new:
            self._warn_without_install(unit, state, present)
            if present and install_links(unit, before):
                self.plan.disable[unit] = "its [Install] section is gone"
        elif not present:
            self.plan.enable[unit] = "enabled: true"
        elif present != new:
            self.plan.reenable[unit] = "its links differ from what [Install] says"

    def _warn_without_install(self, unit: str, state: str, present: set[str]) -> None:
        if state == "generated":
            self.plan.warnings.append(
                f"{unit}: enabled: true has no effect, because a generator makes the unit from another file, for"
                " example a script in /etc/init.d or a line of /etc/fstab; change that file"
            )
        elif state in ("", "static", "disabled", "bad", "linked", "linked-runtime") and not present:
            self.plan.warnings.append(
                f"{unit}: enabled: true has no effect, because the unit has no [Install] section; add e.g."
                " Install: {WantedBy: multi-user.target}"
            )


def add_also(plan: Plan, state: HostState, declared: Declared, sources: Sources) -> None:
    """Add the units that systemctl enables and disables along with others, because of ``Also=``.

    :raises PlanError: when one of them shall not be enabled.
    """
    for group, after in ((plan.disable, False), (plan.reenable, True), (plan.enable, True)):
        following = functools.partial(_enabled_with, sources, after)
        for unit, source in spread(list(group), following).items():
            if unit in group:
                continue
            wanted, present = declared.enabled(unit), state.links_of(unit)
            if after and wanted is False:
                raise PlanError(
                    f"{unit}: enabled: false contradicts Also={unit} of {source}, which is enabled; leave one out"
                )
            if after and (install_links(unit, sources.settings(unit, after=True)) or present) != present:
                plan.enable.setdefault(unit, f"Also= of {source}")
            elif present and not after and wanted:
                plan.enable[unit] = f"enabled: true; Also= of {source} has it disabled"
            elif present and not after:
                group[unit] = f"Also= of {source}"


def _enabled_with(sources: Sources, after: bool, unit: str) -> list[str]:
    return also_of(sources.settings(unit, after))


def also_of(settings: t.Iterable[Setting]) -> list[str]:
    """The units that ``Also=`` names."""
    return [name for setting in settings if setting[:2] == ("Install", "Also") for name in raw_words(setting.value)]


def removal_of(unit: str, declared: Declared, sources: Sources) -> DesiredUnit | None:
    """The item that removes the file a unit is made from: its own, or that of its template."""
    items = [*declared.groups.get(unit, []), *declared.of_template(unit)]
    removing = [item for item in items if item.removes and not item.dropin]
    if not removing or (removing[0].name != unit and sources.fragment(unit, after=True)):
        return None
    return removing[0]


def listed(names: t.Sequence[str]) -> str:
    """``a, b, c, d and 3 more``, without doubles."""
    names = list(dict.fromkeys(names))
    if len(names) > 4:
        return ", ".join(names[:4]) + f" and {len(names) - 4} more"
    return ", ".join(names)


def _refuse_foreign_kinds(item: DesiredUnit, before: File) -> None:
    """A link or a folder in the place of a unit file is not ours to follow or to replace."""
    option = "dropin" if item.dropin else "name"
    if before.kind == "link" and (item.dropin or not is_mask(before)):
        raise PlanError(
            f"{option}: {item.path} is a link to {before.target}, and no file is written or removed through a link;"
            " name the unit it points to, or remove the link first (systemctl disable)"
        )
    if before.kind == "other":
        raise PlanError(f"{option}: {item.path} is not a regular file; move it away first")


def _text_difference(item: DesiredUnit, before: bytes, after: bytes) -> str:
    """Why the present text must be replaced; empty when it may stay."""
    if before == after:
        return ""
    old, new = read_settings(item.name, before), read_settings(item.name, after)
    changed = changed_directives(old, new, bool(item.dropin))
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

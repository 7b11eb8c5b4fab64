# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that each unit needs to run as declared, decided once for each unit, instances included. No I/O."""

from __future__ import annotations

import re
import typing as t

from .. import _catalog
from .._graph.edges import declared as edges_of
from .._graph.edges import flag, triggered
from .._model import WANTS_RUN, Setting, Unit
from .._syntax.effective import is_set, value_of
from .._syntax.names import is_template, unit_type
from .desired import Declared, DesiredUnit, PlanError, agreed
from .file_plan import changed_files
from .plan import Plan
from .sources import Changed, Sources
from .state import HostState, is_restarting
from .unit_plan import listed, removal_of

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

# What a reload hands to a running service with RefreshOnReload=credentials; systemd.service(5), as of release 262.
_CREDENTIALS = (
    "ImportCredential",
    "LoadCredential",
    "LoadCredentialEncrypted",
    "SetCredential",
    "SetCredentialEncrypted",
)

# Units whose restart cuts off sessions, or services that have done nothing to deserve it. NixOS restarts none of them.
_VITAL = re.compile(
    r"(dbus|dbus-broker|systemd-logind|systemd-journald|systemd-networkd|display-manager|gdm|gdm3|sddm|lightdm"
    r"|(user|user-runtime-dir|getty|serial-getty|container-getty|autovt)@.*|console-getty)\.service\Z"
)


def add_run_states(plan: Plan, state: HostState, declared: Declared, sources: Sources) -> None:
    """Add the steps of every unit that is declared, and of every loaded instance of a declared template.

    :raises PlanError: when an option asks for what systemd cannot do.
    """
    units: dict[str, None] = {}
    for name in declared.groups:
        units.update(dict.fromkeys(declared.units_of(name)))
        if is_template(name):
            units.update(dict.fromkeys(state.instances.get(name, ())))
    for unit in units:
        _RunState(plan, state, declared, sources, unit).add()


class _RunState:
    """One unit that can run, with everything that is declared of it: by its own name, and by its template."""

    def __init__(self, plan: Plan, state: HostState, declared: Declared, sources: Sources, unit: str) -> None:
        self.plan = plan
        self.now = state
        self.declared = declared
        self.sources = sources
        self.unit = unit
        self.own = declared.groups.get(unit, [])
        self.items = [*self.own, *declared.of_template(unit)]
        self.on_change = agreed(self.items, "on_change", "auto", unit)
        self.changed = sources.changed(unit)
        self.lesser = self._lesser_effects() if self.changed else {}

    def add(self) -> None:
        unit, active = self.unit, self.now.value(self.unit, "ActiveState")
        state = self.declared.value(unit, "state", "present")
        self._add_health()
        changed_triggers = self._changed_triggers()
        removal = removal_of(unit, self.declared, self.sources)
        if state == "reloaded" and not removal:
            self._check_reload()
        if removal:
            self._stop_for_good(removal, state)
        elif state in WANTS_RUN and (not self.now.active(unit) or active == "deactivating"):
            self.plan.start[unit] = f"state: {state}"
        elif self.now.active(unit) and state in ("stopped", "absent"):
            self.plan.stop[unit] = f"state: {state}"
        elif self.now.active(unit) and active != "deactivating":
            self._change_running(state, changed_triggers)
        if removal or state != "present":
            self._check_manual("absent" if removal else state)
        runs = unit in self.plan.start or self.plan.is_restarted(unit)
        if runs:
            self._check_descriptors()
        if runs and not self.own and self.now.value(unit, "LoadState") == "masked":
            raise PlanError(f"{unit} is masked: unmask it, or take it out of instances")

    def _check_descriptors(self) -> None:
        """Tell of what the new program cannot get, and the old one neither, should it come back."""
        kept, most = self.now.value(self.unit, "NFileDescriptorStore") or "0", "0"
        for setting in self._after():
            if setting.directive == "FileDescriptorStoreMax":
                most = setting.value or "0"
        if ("Service", "FileDescriptorStoreMax") in self.changed and most.isdigit() and int(kept) > int(most):
            self.plan.warnings.append(
                f"{self.unit} loses file descriptors that systemd keeps for it, and no way back brings them again:"
                f" FileDescriptorStoreMax={most}, and it has stored {kept}"
            )

    def _add_health(self) -> None:
        for item in self.items:
            if item.health is not None:
                self.plan.health[self.unit] = item.health

    # What goes

    def _stop_for_good(self, removal: DesiredUnit, state: str) -> None:
        unit = self.unit
        if state in WANTS_RUN:
            raise PlanError(f"{unit}: state: {state} cannot hold, because {removal.name} is removed ({removal.reason})")
        if self.now.active(unit):
            self.plan.stop[unit] = removal.reason
        if self.now.value(unit, "ActiveState") == "failed" or unit in self.plan.stop:
            self.plan.reset[unit] = removal.reason

    # What runs

    def _change_running(self, state: str, changed_triggers: list[tuple[str, bool]]) -> None:
        """What a unit that runs needs, for the state that is declared of it and for what changed."""
        unit = self.unit
        if state == "restarted":
            self._restart("state: restarted")
        elif state == "started" and self.now.crash_looping(unit):
            self.plan.restart[unit] = "state: started; it is waiting to be restarted after a failure"
        else:
            self._follow_change(changed_triggers)
            if unit.endswith(".timer") and any(section == "Timer" for section, _directive in self.changed):
                self._follow_schedule()
            if state == "started" and self._is_coming_up() and not self.plan.is_restarted(unit):
                self.plan.start[unit] = "state: started; it has not come up yet"
            if state == "reloaded" and not self.plan.is_restarted(unit):
                self._reload("state: reloaded")
            self._check_bound()

    def _after(self) -> list[Setting]:
        return self.sources.settings(self.unit, after=True)

    def _restart(self, reason: str) -> None:
        changed = any(key in _STOP_TIME and key not in self.lesser for _section, key in self.changed)
        if changed and self._allows("RefuseManualStop", "CanStop", at_once=True):
            self.plan.stop_start[self.unit] = reason
        else:
            self.plan.restart[self.unit] = reason

    def _reload(self, reason: str) -> None:
        """Reload the unit, unless systemd would stop it after that, for nothing in it keeps it up."""
        loaded = self.now.value(self.unit, "RemainAfterExit") == "yes"
        after = self._after()
        is_kept = flag(Unit(self.unit, after), "Service", "RemainAfterExit", False) if after else loaded
        if self.now.value(self.unit, "SubState") == "exited" and not is_kept:
            self._restart(f"{reason}; it has no process, and without RemainAfterExit=yes a reload would end it")
        else:
            self.plan.reload[self.unit] = reason

    def _follow_change(self, changed_triggers: list[tuple[str, bool]]) -> None:
        """Do to a running unit what the changed directives and triggers need, and no more."""
        restart, reload, light = self._needs(changed_triggers)
        left = self._why_left(restart) if restart and self.on_change != "none" else ""
        if self.on_change == "none":
            if restart or reload:
                self.plan.left_running[self.unit] = (
                    f"on_change: none; {listed(restart + reload)} takes effect at its next start"
                )
        elif left:
            self.plan.left_running[self.unit] = left
        elif restart:
            self._restart(f"{listed(restart)} changed")
        elif reload and self._can_reload():
            self._reload(f"{listed(reload)} changed")
        elif reload:
            self._restart(f"{listed(reload)} changed, and the unit has no ExecReload=")
        elif light:
            self.plan.left_running[self.unit] = f"runs on: a change of {listed(light)} needs no restart"

    def _why_left(self, changed: list[str]) -> str:
        """Why a running unit is not restarted though a change needs it; empty when it is."""
        takes_effect = f"{listed(changed)} takes effect"
        if self.unit == self.now.own_unit:
            return self._left(f"this run is a process of it; {takes_effect} when it starts the next time")
        if not self._allows("RefuseManualStart", "CanStart") or not self._allows("RefuseManualStop", "CanStop"):
            why = f"systemd refuses to restart it by name; {takes_effect} when it starts the next time"
        elif self.on_change == "restart":
            return ""
        elif self._is_at_work():
            why = f"its job runs, and a restart would kill it and run it again; {takes_effect} at its next start"
        elif any(self.now.value(socket, "Accept") == "yes" for socket in self._sockets()):
            return f"it serves a connection, which a restart would cut; {takes_effect} with the next connection"
        elif _VITAL.match(self.unit):
            why = f"a restart would end sessions or other services; {takes_effect} after a reboot, or with on_change:"
            why += " restart"
        else:
            return ""
        return self._left(why)

    def _left(self, why: str) -> str:
        self.plan.warnings.append(f"{self.unit} is not restarted: {why}")
        return why

    def _is_coming_up(self) -> bool:
        """Whether a start is under way, of which nobody knows yet how it ends."""
        return self.now.value(self.unit, "ActiveState") == "activating" and not (
            self._is_at_work() or is_restarting(self.now.live[self.unit])
        )

    def _is_at_work(self) -> bool:
        """Whether a oneshot is in the middle of its job."""
        return (self.now.value(self.unit, "Type"), self.now.value(self.unit, "ActiveState")) == (
            "oneshot",
            "activating",
        )

    def _sockets(self) -> list[str]:
        return self.now.value(self.unit, "TriggeredBy").split()

    def _allows(self, directive: str, live: str, at_once: bool = False) -> bool:
        """Whether systemd starts or stops the unit by its name, by its new text, or else as it is loaded.

        :param at_once: before the files change.
        """
        is_loaded = self.now.value(self.unit, live) and self.now.value(self.unit, "LoadState") == "loaded"
        if (self.changed and not at_once) or not is_loaded:
            return not flag(Unit(self.unit, self._after()), "Unit", directive, False)
        return self.now.value(self.unit, live) == "yes"

    def _check_reload(self) -> None:
        """Refuse at once what would fail in the next run.

        :raises PlanError: when systemd cannot reload the unit.
        """
        if not self._can_reload():
            raise PlanError(
                f"{self.unit}: state: reloaded: systemd cannot reload it, because it has no ExecReload=; use state:"
                " restarted, or give it one"
            )

    def _check_manual(self, state: str) -> None:
        """Say what systemd would refuse.

        :raises PlanError: with the option to change.
        """
        for group, directive, live in (
            (self.plan.start, "RefuseManualStart", "CanStart"),
            (self.plan.restart, "RefuseManualStart", "CanStart"),
            (self.plan.stop, "RefuseManualStop", "CanStop"),
            (self.plan.restart, "RefuseManualStop", "CanStop"),
        ):
            # What is restarted in each run must not be refused in the second one, when it runs.
            asked = self.unit in group or (state == "restarted" and group is self.plan.restart)
            if asked and not self._allows(directive, live, group is self.plan.stop):
                raise PlanError(
                    f"{self.unit}: state: {state}: systemd refuses that by the unit's name ({directive}=true, or it may"
                    " never be); leave state out, or change the unit that requires it"
                )

    def _needs(self, changed_triggers: list[tuple[str, bool]]) -> tuple[list[str], list[str], list[str]]:
        """What changed (directives, files, triggers) by what it needs: a restart, a reload, nothing of either."""
        needs = _effects(self.changed, self.lesser)
        files: dict[str, list[str]] = {"none": []}
        for item in self.items:
            for path, need in changed_files(item, self.plan.files):
                files.setdefault(need, []).append(path)
        restart = needs.get("restart", []) + files.get("restart", [])
        reload = needs.get("reload", []) + files.get("reload", [])
        light = needs.get("none", []) + needs.get("daemon-reload", [])
        if self._bound_in_vain():
            light.remove("BindsTo")
            restart.append("BindsTo")
        for path, only_reload in changed_triggers:
            (reload if only_reload else restart).append(path)
        if self.on_change == "restart":
            return restart + reload + light, [], files["none"]
        if self.on_change == "reload":
            return [], restart + reload, light + files["none"]
        return restart, reload, light + files["none"]

    def _lesser_effects(self) -> dict[str, str]:
        """What some directives need of this unit, where that is less than the catalogue says."""
        before = Unit(self.unit, self.sources.settings(self.unit, after=False))
        types = {value_of(unit, "Service", "Type") for unit in (before, Unit(self.unit, self._after()))}
        lesser = {}
        if types == {"notify", "notify-reload"}:
            lesser["Type"] = "daemon-reload"  # of one that runs, it only says how it is reloaded
        refreshes = "credentials" in self.now.value(self.unit, "RefreshOnReload")
        if refreshes and ("Service", "RefreshOnReload") not in self.changed and is_set(before, "Service", _CREDENTIALS):
            lesser.update(dict.fromkeys(_CREDENTIALS, "reload"))
        return lesser

    def _bound_in_vain(self) -> str:
        """A unit that does not run, and to which this one is newly bound; empty when there is none.

        systemd stops this one when it reads that (from 252 on at once, also when the other one starts next), and a
        restart starts both.
        """
        if ("Unit", "BindsTo") not in self.changed:
            return ""
        edges = edges_of(Unit(self.unit, self._after()), False)
        return next((edge.target for edge in edges if edge.kind == "BindsTo" and not self.now.active(edge.target)), "")

    def _check_bound(self) -> None:
        """See that no unit goes down because of a new text that asks for no restart.

        :raises PlanError: when systemd would stop it, and nothing starts it again.
        """
        other, plan = self._bound_in_vain(), self.plan
        if other and not any(self.unit in group for group in (plan.restart, plan.stop_start, plan.start)):
            why = self.plan.left_running.get(self.unit) or f"on_change: {self.on_change}"
            raise PlanError(
                f"{self.unit}: [Unit] BindsTo={other}: {other} does not run, so systemd would stop {self.unit} as soon"
                f" as it reads that, and nothing would start it again ({why}); let it be restarted, or start {other}"
                " in a task before this one"
            )

    def _can_reload(self) -> bool:
        """Whether systemd can reload the unit as it will be defined."""
        after = self._after()
        if not after or unit_type(self.unit) != "service":
            return self.now.value(self.unit, "CanReload") == "yes"
        unit = Unit(self.unit, after)
        return is_set(unit, "Service", ["ExecReload"]) or value_of(unit, "Service", "Type") == "notify-reload"

    def _follow_schedule(self) -> None:
        """What a changed schedule needs besides."""
        timer = self.unit
        self.plan.held_timers[timer] = triggered(Unit(timer, self._after()))
        if self.now.value(timer, "SubState") == "elapsed" and self.on_change != "none":
            self.plan.left_running.pop(timer, None)
            self.plan.restart.setdefault(
                timer, "its schedule had ended, and systemd looks at a new one only when it is started"
            )

    def _changed_triggers(self) -> list[tuple[str, bool]]:
        """The files of triggers that changed since the last run, and whether a reload is enough for each."""
        found = []
        for item in self.items:
            seen = self.now.seen_sums.get(item.name, {})
            for path, reload in item.triggers:
                checksum = self.now.trigger_sums.get(path, "")
                self.plan.sums.setdefault(item.name, {})[path] = checksum
                if path in seen and seen[path] != checksum:
                    found.append((path, reload))
        return found


def _effects(changed: Changed, lesser: t.Mapping[str, str]) -> dict[str, list[str]]:
    """The changed directives by what they need: none, daemon-reload, reload, restart (from the catalogue).

    :param lesser: what some need in place of that.
    """
    needs: dict[str, list[str]] = {}
    for section, directive in changed:
        if section == "Install" or section.startswith("X-") or directive.startswith("X-"):
            continue
        known = _catalog.get(section, directive)
        effect = lesser.get(directive) or (known.effect if known else "restart")
        needs.setdefault(effect, []).append(directive.rstrip("*"))
    return needs

# SPDX-License-Identifier: GPL-3.0-or-later

"""One task of ``unit`` or ``units``: read, plan, check, carry out, tell."""

from __future__ import annotations

import functools
import os
import typing as t

from .._engine.accounts import Accounts, keep_owners, keep_used, plan_accounts
from .._engine.closing import Closing, close, closing_of, read_note, write_note, write_record
from .._engine.contents import Contents
from .._engine.desired import DesiredUnit, to_prune
from .._engine.generations import Generations, files_of_others
from .._engine.host import Host
from .._engine.plan import Plan
from .._engine.planner import make_plan
from .._engine.read_state import fragment_paths, read_state
from .._engine.state import HostState
from .._engine.store import Store
from .._engine.swap import plan_with_swaps
from .._host.manager import Manager
from .._host.systemd import SystemdError
from .._syntax.names import is_template
from .desired import Item, announced_triggers, desired_units
from .options import Sent, check_set_options
from .record import Record, drift_by_unit, dropped_instances, record_after, trigger_sums
from .result import States, describe_plan, describe_units, kept_down, places_of, unmoved

if t.TYPE_CHECKING:
    from .files import TaskFiles


class FindingsError(Exception):
    """The units are not fit for this host; the message has a line for each finding."""


class Task:
    """One task: from declared items to a result.

    :param params: values of ``set_options``.
    :param listed: whether messages name the place in the list ``units``.
    :param diff_mode: whether contents of files are shown.
    :param sent: what the controller adds.
    :ivar result: what the module returns, filled as the task goes on, so that a failure returns what is known.
    :ivar warnings: list of str, for Ansible to show.
    """

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        items: t.Sequence[Item],
        listed: bool,
        check_mode: bool,
        diff_mode: bool = False,
        sent: Sent | None = None,
    ) -> None:
        self.params = params
        self.items = items
        self.listed = listed
        self.sent = sent or Sent()
        self.check_mode = check_mode or self.sent.call == "ask"
        self.real = not check_mode
        self.diff_mode = diff_mode
        self.warnings: list[str] = []
        self.result: dict[str, t.Any] = {"changed": False, "actions": [], "diff": [], "findings": [], "units": {}}
        self.store = Store()
        self.accounts = Accounts()
        self.drift: dict[str, list[dict[str, str]]] = {}
        self._generations: Generations | None = None

    def run(self) -> dict[str, t.Any]:
        """Do all of it.

        :returns: the result of the module.
        :raises DeclarationError, PlanError, SystemdError, FindingsError: before anything was changed.
        :raises TransactionError: when what was begun could not be carried out.
        """
        try:
            return self._run()
        except OSError as error:
            raise SystemdError(f"{error.filename or 'a file'} cannot be read: {error.strerror}") from error
        finally:
            self.store.unlock()  # some keep the process for their next task, as Mitogen does

    def _run(self) -> dict[str, t.Any]:
        params = self.params
        check_set_options(params, self.items)
        manager = Manager(params["scope"], params["user"] or "", params["runtime"], params["root"] or "")
        self.store = Store(scope=manager.scope, user=manager.user)
        host = Host(manager, Contents(self.store.path("contents"), self.sent.payload))
        desired = self._declared(host)
        with host.manager.as_owner():
            problem = host.unit_folder.problem()
        if problem:
            raise SystemdError(f"{'root' if params['root'] else 'scope'}: {problem}")
        lock_problem = self._lock()
        if self.sent.accounts and "recovered" in self.result:  # with users that were made, perhaps
            desired = self._declared(host)
        self._generations = self._generations or self._generations_of(desired)
        record = self.store.read_record()
        self.warnings += self.store.problems
        desired += [*self._to_prune(host, desired), *self._dropped(host, desired, record)]
        files = self._files(host, desired)
        state = read_state(host, desired, trigger_sums(record))
        state.set_name = params["set_name"] or ""
        if state.releases:
            from .releases import keep_what_runs, versions_in_use

            ending, keep = self._set_that_ends(desired), params["keep_generations"]
            state.versions_in_use = versions_in_use(self.store, desired, self._generations, keep, ending)
            keep_what_runs(state, desired)
        state.deployed = {path: entry["text"] for path, entry in record.items() if entry.get("text") is not None}
        self.drift = drift_by_unit(state, desired, record)
        plan = self._plan(host, state, desired, files)
        self._check(plan, host, state, desired)
        if plan.files and files:
            files.refuse_unwritable(plan)
            files.validate(plan)
        if plan.changed() and lock_problem:
            raise SystemdError(lock_problem)
        self.result["units"] = self._carry_out(plan, host, state, desired, record, files)
        return self.result

    def _declared(self, host: Host) -> list[DesiredUnit]:
        """What the task declares, with the files and releases that the units bring along."""
        desired = desired_units(self.items, host.folder, self.params["set_name"], self.listed)
        own = self._generations_of(desired)
        own_set = own.set_name if own else ""
        if self.sent.accounts:
            self.accounts = plan_accounts(self.sent.accounts)
        if any(item["files"] or item["swap"] for item in self.items) or any(self.sent.files):
            from .files import add_files

            add_files(desired, self.items, self.sent, host, self.accounts, self.listed)
        if any(item["release"] for item in self.items):
            from .releases import add_releases

            removes = any(unit.removes for unit in desired)
            others = files_of_others(self.store, own_set) if removes else ()
            add_releases(desired, self.items, self.sent, self.params, host, self.listed, others)
        if own:
            self._leave_to_others(desired, own_set)
        return desired

    def _leave_to_others(self, desired: t.Sequence[DesiredUnit], own_set: str) -> None:
        """Do not remove what a unit of another set has. A unit that was handed over is of ours, whatever set had it."""
        gone = [(unit, file) for unit in desired for file in unit.files if file.kind == "missing" and not file.left]
        gone = [(unit, file) for unit, file in gone if not file.of_release and os.path.lexists(file.path)]
        others = files_of_others(self.store, own_set) if gone else {}
        names = {unit.name for unit in desired}
        for unit, file in gone:
            if file.path in others and others[file.path]["unit"] not in names:
                unit.files.remove(file)
                self.warnings.append(f"{file.path} stays: set {others[file.path]['set']} has it, too")

    def _files(self, host: Host, desired: t.Sequence[DesiredUnit]) -> TaskFiles | None:
        """The files of the task; None when no unit has any."""
        if not any(unit.files for unit in desired):
            return None
        from .files import TaskFiles

        return TaskFiles(host, self.sent, self.real)

    def _lock(self) -> str:
        """Keep other runs out and undo what a killed one left; returns why that is impossible, if it is."""
        if not self.real or (self.check_mode and not self.store.has_intent()):
            self.warnings += filter(None, [self.waiting()])
            return ""
        try:
            self.store.lock()
        except OSError as error:
            return (
                f"{self.store.folder}: {error.strerror}; the lock and the snapshot that a rollback needs have to be"
                " written there. Make room, or make the folder writable"
            )
        if self.store.has_intent():
            from .._engine.execute import recover

            recovered = recover(self.store)
            self._say_recovered(recovered)
        for run_id in self.store.guards():  # of a run that was killed before its guard was at work, or after its end
            from .._engine.confirm import Guard

            Guard(self.store, run_id).disarm()
        note = read_note(self.store)
        if note:
            self._say_recovered(note)
            write_note("", self.store)
        return ""

    def waiting(self) -> str:
        """What the real run does first, and check mode does not."""
        if self.real or not self.store.has_intent():
            return ""
        return (
            "a run on this host was interrupted; the next run without check mode first undoes it, or is refused while"
            " that waits for its confirmation"
        )

    def _say_recovered(self, words: str) -> None:
        self.result["recovered"] = words
        self.warnings.append(words)

    def _to_prune(self, host: Host, desired: t.Sequence[DesiredUnit]) -> list[DesiredUnit]:
        """What carries the name of this set and is no longer declared."""
        if not self.params["prune"]:
            return []
        declared = {unit.path for unit in desired}
        with host.manager.as_owner():
            paths = [path for path in host.unit_folder.list_unit_files() if path not in declared]
            files = {path: host.unit_folder.read_file(path) for path in paths}
        pruned = to_prune(files, host.folder, self.params["set_name"])
        if self._items_before:
            from .._engine.committed import prune_files, prune_without_file

            declared_now = [*desired, *pruned]
            pruned += prune_without_file(
                self._items_before,
                declared_now,
                self.params["set_name"],
                lambda name: any(map(os.path.lexists, fragment_paths(host, name))),
            )
            pruned += prune_files(self._items_before, declared_now, self.params["set_name"], self._files_of_others)
        return pruned

    def _dropped(self, host: Host, desired: t.Sequence[DesiredUnit], record: Record) -> list[DesiredUnit]:
        """The instances that the last run listed and this one does not: pruned, or spoken of."""
        found = []
        for template, name in dropped_instances(record, desired):
            if self.params["prune"]:
                path, place = f"{host.folder}/{name}", template.position
                set_name = self.params["set_name"]
                found.append(
                    DesiredUnit(name, path, state="stopped", enabled=False, position=place, pruned_of=set_name)
                )
            else:
                self.warnings.append(
                    f"{name}: the last run listed this instance, and {template.name} no longer lists it; it is left as"
                    " it is. prune: true stops and disables such instances"
                )
        return found

    def _plan(self, host: Host, state: HostState, desired: t.Sequence[DesiredUnit], files: TaskFiles | None) -> Plan:
        if self.check_mode:
            state.trigger_sums.update(announced_triggers(self.items))
        make = plan_with_swaps if any(unit.swap for unit in desired) else make_plan
        plan = make(state, desired, host.has_manager)
        if self.params["rolling"]:
            from .._engine.rolling import add_rolling

            add_rolling(plan, desired, self.params["rolling"])
        going = [change.path for change in plan.files if change.after.kind == "missing"]
        going += [step.release.path for step in plan.releases.values() if step.release.gone]
        declared = [file.path for unit in desired for file in unit.files]
        self.warnings += keep_owners(self.accounts, declared, going)
        self.warnings += keep_used(self.accounts, (host.folder, host.manager.other_folder), plan.changes)
        plan.accounts = self.accounts
        if files:
            files.prepare(plan, state, desired, self.diff_mode or self.real)
        linger = self.params["linger"]
        if linger is not None and host.lingers() != linger:
            plan.linger = linger
            plan.manager_unit = host.manager.manager_unit()
        if plan.needs_manager() and not plan.linger and not host.manager_answers():
            host.wait_for_manager(0)
        self.warnings += plan.warnings
        self.result.update(describe_plan(plan))
        if files and plan.files:
            self._add_diffs(files, plan)
        return plan

    def _add_diffs(self, files: TaskFiles, plan: Plan) -> None:
        """Add the differences of files to the result. What any set holds as a secret is none that is shown."""
        from .._engine.committed import shared_files

        own = {file["path"]: file for item in self._items_before for file in item["files"]}
        others = self._files_of_others()
        self.warnings += shared_files(plan.files, others)
        self.result["diff"] = files.diffs(plan, self.diff_mode, {**others, **own}) + self.result["diff"]

    def _check(self, plan: Plan, host: Host, state: HostState, desired: t.Sequence[DesiredUnit]) -> None:
        """Stop before anything is written when it cannot be, or when a text that changes is not fit for this host.

        :raises FindingsError: with every finding that is severe enough.
        """
        with host.manager.as_owner():
            problem = host.unit_folder.place_problem(change.path for change in plan.changes if change.path)
        if problem:
            raise SystemdError(problem)
        if not any(change.action == "write" for change in plan.changes):
            return
        # Only now: an unchanged run needs none of the grammar, the rules and the catalogue's details.
        from .._lint.judge import refusal, unknown_rules
        from .review import review, warnings

        self.warnings += unknown_rules(self.params["ignore"])
        findings = review(plan, host.manager, state, desired, self.params)
        self.result["findings"] = [finding._asdict() for finding in findings]
        problem = refusal(findings, self.params["fail_on"])
        if problem:
            raise FindingsError(f"nothing was written: {problem}")
        self.warnings += warnings(findings)

    def _carry_out(
        self,
        plan: Plan,
        host: Host,
        state: HostState,
        desired: t.Sequence[DesiredUnit],
        record: Record,
        files: TaskFiles | None,
    ) -> dict[str, dict[str, t.Any]]:
        """Make the changes; returns the state of every declared unit after them, or in check mode before them."""
        confirm = self.params["confirm"]
        new_record = None if self.check_mode else record_after(record, plan, state, desired, self.params)
        if self.check_mode or not plan.changed():
            if confirm:
                self.result["confirm"] = {"state": "would be armed" if plan.changed() else "not needed"}
            if self._is_another_set(desired):
                closing = closing_of(plan, self._generation_after(plan, state, desired), new_record)
                self.warnings += close(closing, self.store, host)
                host.contents.keep_only(self.store.digests())
            else:
                self.warnings += write_record(new_record, self.store)
            return self._units(host, desired, state.live)
        # A run that changes nothing needs none of it.
        from .._engine.execute import run
        from .._engine.snapshot import take_snapshot

        closing = closing_of(plan, self._generation_after(plan, state, desired), new_record)
        try:
            if files:
                files.keep(plan)
            before = self._items_before if confirm or plan.rolling or plan.swaps else ()
            plan.old_health = {item["name"]: item["health"] for item in before if item["health"]}
            snapshot = take_snapshot(plan, host, state.live, state.links)
            if confirm:
                states = self._run_revocably(plan, host, snapshot, closing)
            else:
                states = run(plan, host, self.store, snapshot, self.params["rollback"])
                self.warnings += close(closing, self.store, host)
        finally:
            if not self.store.has_intent() and host.contents.exist():
                host.contents.keep_only(self.store.digests())
        self.warnings += kept_down(plan, state, states)
        if plan.linger is not False:  # else the manager is gone, and whatever it ran
            try:
                return self._units(host, desired, {**unmoved(plan, host, state), **states})
            except SystemdError as error:  # not to know is no reason to fail
                self.warnings.append(f"everything was done, but the state of all units cannot be told: {error}")
        return describe_units(places_of(host.folder, desired), states, self.drift)

    def _run_revocably(self, plan: Plan, host: Host, snapshot: dict[str, t.Any], closing: Closing) -> States:
        """Carry out a plan, and leave it to the controller to confirm that it can still reach the host."""
        from .._engine.confirm import run_revocably

        within = self.params["confirm"]["within"]
        states, command = run_revocably(plan, host, self.store, snapshot, within, closing)
        self.result["confirm"] = {"state": "waiting", "within": within}
        self.result["_confirm"] = {"command": command, "within": within}
        return states

    def _generation_after(
        self, plan: Plan, state: HostState, desired: t.Sequence[DesiredUnit]
    ) -> dict[str, t.Any] | None:
        """The state of the set that the plan leads to, as ``closing_of`` takes it; None when it stays as it is."""
        generations, keep = self._generations, self.params["keep_generations"]
        if generations is None:
            return None
        from .._engine.committed import items_after

        items = items_after(self._items_left(desired), plan, state, desired)
        if items == self._items_before and keep:
            return None
        return {
            "set": generations.set_name,
            "items": items,
            "accounts": list(self.sent.accounts),
            "actions": self.result["actions"],
            "keep": keep,
        }

    def _is_another_set(self, desired: t.Sequence[DesiredUnit]) -> bool:
        """Whether the generations are others after a run that changes nothing: none are kept any more, or files that
        stood there already are of the set from now on.
        """
        if self.check_mode or self.store.has_intent():
            return False
        if not self.params["keep_generations"]:
            return bool(self._items_before)
        files = [file for unit in desired for file in unit.files]
        declared = {file.path for file in files if file.kind != "missing"}
        if any(file.left for file in files):
            return True
        return bool(declared) and not declared <= {f["path"] for item in self._items_before for f in item["files"]}

    def _generations_of(self, desired: t.Sequence[DesiredUnit]) -> Generations | None:
        """The generations of the set; None for what is not one, and for an image."""
        names = {unit.name for unit in desired}
        name = self.params["set_name"] or (names.pop() if len(names) == 1 else "")
        return Generations(self.store, name) if name and not self.params["root"] else None

    def _files_of_others(self) -> dict[str, dict[str, t.Any]]:
        """The files of every other set. Each call reads all generations: only for a run that changes files."""
        return files_of_others(self.store, self._generations.set_name) if self._generations else {}

    @functools.cached_property
    def _items_before(self) -> list[dict[str, t.Any]]:
        """The items of the present generation, read once."""
        return self._generations.items() if self._generations else []

    def _set_that_ends(self, desired: t.Sequence[DesiredUnit]) -> str:
        """Name of the set when nothing of it is left, and so no generation; else empty."""
        from .._engine.committed import is_over

        generations = self._generations
        return generations.set_name if generations and is_over(self._items_left(desired), desired) else ""

    def _items_left(self, desired: t.Sequence[DesiredUnit]) -> list[t.Mapping[str, t.Any]]:
        from .._engine.committed import left_of

        return left_of(self._items_before, desired, self.params["prune"], os.path.lexists)

    def _units(self, host: Host, desired: t.Sequence[DesiredUnit], states: States) -> dict[str, dict[str, t.Any]]:
        """The state of every declared unit; what is not in ``states`` is asked for."""
        places = places_of(host.folder, desired)
        unknown = [name for name in places if not is_template(name) and name not in states]
        if unknown and not self.check_mode and host.has_manager:
            states = {**states, **host.show(unknown)}
        return describe_units(places, states, self.drift)

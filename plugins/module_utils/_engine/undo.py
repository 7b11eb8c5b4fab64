# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts back the state that a plan has changed."""

from __future__ import annotations

import errno
import posixpath
import typing as t

from .._graph.edges import STOP_PROPERTIES, may_move
from .._host.manager import RELOAD_TIMEOUT
from .._host.show import States
from .._host.systemd import SystemdError
from .._model import DOWN, MISSING, RUNNING, UP_OR_STARTING, Change, File
from .._syntax.names import template_of
from .accounts import Account, Accounts, keep_owners, remove_empty_folders
from .accounts import remove as remove_accounts
from .files import from_json
from .health import judge
from .host import Target
from .jobs import Limits, has_job
from .links import enables
from .release_plan import CURRENT, RELEASES
from .snapshot import Snapshot, mark, old_limits, unit_before
from .state import keeps_descriptors
from .store import TransactionError
from .timer_hold import daemon_reload

_SWITCH_TIMEOUT = 60.0  # seconds
_CONFLICTS = ("Conflicts", "ConflictedBy")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def undo(snapshot: Snapshot, host: Target, later: bool = False) -> tuple[list[str], bool]:
    """Put back files, links, masks and run state as the snapshot holds them.

    It may be run again, also halfway through: it compares with what is there and changes only what differs.

    :param later: by a later run, which leaves alone what was changed since.
    :returns: what could not be undone, in words, and whether files are among it that only the snapshot holds.
    :raises SystemdError: when systemd does not answer.
    :raises OSError: when there was no room for a file; everything else is back.
    """
    return _Undo(snapshot, host, later).run()


class _Undo:
    def __init__(self, snapshot: Snapshot, host: Target, later: bool) -> None:
        self.snapshot = snapshot
        self.host = host
        self.left_over: list[str] = []
        self.stuck: dict[str, OSError] = {}  # why a path cannot be put back
        self.files = dict(map(from_json, snapshot["files"]))
        self.entries = {entry["path"]: entry for entry in snapshot["files"]}
        self.rolling: list[list[str]] = []
        self.rolled: set[str] = set()
        self.moved: list[str] = []
        # A reboot has emptied the folder.
        self.is_gone = snapshot["runtime"] and snapshot["boot"] != host.boot_id()
        kept = self._units_changed_since() if later and not self.is_gone else set()
        self.left_alone = bool(kept)
        # Where the requests go to the new unit, the old one has to be up before that one goes.
        swaps = snapshot["swaps"] if snapshot.get("switched") else ()
        self.swaps = [swap for swap in swaps if swap["old"] and template_of(swap["new"]) not in kept]
        self.names = [unit for unit in snapshot["names"] if kept.isdisjoint((unit, template_of(unit)))]
        own = host.own_unit()  # an earlier start of this very unit may have begun what is undone
        self.before: dict[str, t.Mapping[str, t.Any]] = {
            unit: before
            for unit, before in snapshot["units"].items()
            if kept.isdisjoint((unit, template_of(unit))) and unit != own
        }

    def _units_changed_since(self) -> set[str]:
        """The units whose unit files are neither as before the run nor as it left them: somebody has repaired them."""
        units = set()
        for path, before in list(self.files.items()):
            now = self._read(path)
            after = self.entries[path].get("after") or mark(now)
            if path not in self.stuck and mark(now) not in (mark(before), after):
                if now.kind == "directory" and now.kind not in (before.kind, after.partition(" ")[0]):
                    self.stuck[path] = OSError(errno.EISDIR, "Is a directory", path)
                    continue
                if self._place(path):  # perhaps the new program has written it: that must not keep the old one away
                    self.left_over.append(f"{path} has been changed since; it is as before that run again")
                    continue
                del self.files[path]
                folder, name = posixpath.split(path)
                named = posixpath.basename(folder)[: -len(".d")] if folder.endswith(".d") else name
                units.add(self.entries[path].get("unit") or named)
                self.left_over.append(f"{path} has been changed since; it and what its unit does stay as they are")
        together = {entry["unit"] for entry in self.entries.values() if entry.get("place")} & units
        for path in list(self.files):
            if self.entries[path].get("unit") in together:  # program, configuration and unit are of one version
                del self.files[path]
        return units

    def _place(self, path: str) -> str:
        """The option that declares a file; empty for a unit file."""
        return str(self.entries[path].get("place", ""))

    def _read(self, path: str) -> File:
        """What stands at a path; where that cannot be told, what shall stand there, and no more is done about it."""
        try:
            return self.host.read_place(path) if self._place(path) else self.host.read_file(path)
        except NotADirectoryError as error:
            above = error.filename
            if above in self.files and mark(self._read(above)) == self.entries[above].get("after"):
                return MISSING  # the run put a file in the place of the folder, which comes back
            if self.files[path] != MISSING:
                self.stuck[path] = error
        except OSError as error:
            self.stuck[path] = error
        return self.files[path]

    def run(self) -> tuple[list[str], bool]:
        host = self.host
        alive = host.has_manager and host.manager_answers()
        if alive:
            self._stop_what_moved()
        else:
            self.swaps = []
        if not self.rolled:
            self._discard_versions()  # before the other files: they may need its room
        changed = self._restore_files()
        if not self.rolled:
            self._remove_accounts()
        if alive:
            if changed or self.snapshot["daemon_reload"]:
                daemon_reload(host, self.snapshot.get("held", {}))
            self._restore_run_state()
            self._roll_back()
            if self.snapshot["linger"] is False and host.lingers():
                host.set_linger(False)
        if self.rolled:  # until now some ran the version that goes
            self._discard_versions()
            self._remove_accounts()
        for error in filter(_has_no_room, self.stuck.values()):
            raise error
        return [_told(path, error) for path, error in self.stuck.items()] + self.left_over, bool(self.stuck)

    def _remove_accounts(self) -> None:
        """Remove the users and groups that the run made, unless units that may need them stay as they are."""
        made = [Account(**entry) for entry in self.snapshot.get("accounts", ())]
        if self.left_alone:
            self.left_over += [f"{reason}, and stays" for reason in Accounts(made).reasons_to_make()]
        else:
            remove_empty_folders(made)
            going = Accounts(removed=made[::-1])
            self.left_over += keep_owners(going, (), ())  # what a unit stored meanwhile stays
            self.left_over += remove_accounts(going.removed, self.host.run)

    # Run state

    def _stop_what_moved(self) -> None:
        """Stop the units that run and did not, or that were started anew since the snapshot."""
        states = self.host.show(self.before, ("ActiveState", "InvocationID", "Type", "NFileDescriptorStore"))
        moved, running = self.moved, []
        for unit, before in self.before.items():
            state = states.get(unit, {})
            active = state.get("ActiveState") in RUNNING
            started = state.get("InvocationID", "") not in ("", before["invocation"])
            if not started and (not active or before["active"] in RUNNING):
                continue
            moved.append(unit)
            if state.get("Type") == "oneshot" and unit in self.names:  # to have told of a failure is no difference
                self.left_over.append(f"{unit} is a oneshot that ran; what it did cannot be undone")
            if active:
                running.append(unit)
        # What was restarted in turn goes back in turn; the last group first, for a unit of it may be sick.
        groups = [*reversed(self.snapshot.get("rolling", ()))]
        in_turn = {unit for group in groups for unit in group}
        ran = [unit for unit in running if unit not in in_turn and self.before[unit]["active"] in RUNNING]
        groups.append([unit for unit in ran if keeps_descriptors(states[unit])])  # a stop would lose those
        self.rolling = [[unit for unit in group if unit in moved] for group in groups]
        self.rolled = {unit for group in self.rolling for unit in group if unit in running}
        self.rolled.update(swap["new"] for swap in self.swaps if swap["new"] in running)
        going = [unit for unit in running if unit not in self.rolled]
        self._note_taken_along(going)
        self._attempt("stop", going)

    def _note_taken_along(self, going: t.Sequence[str]) -> None:
        """Note as what it was before what a stop takes along, and of which the run knew nothing."""
        self.before.update({unit: unit_before(state) for unit, state in self._taken_along(going).items()})

    def _taken_along(self, going: t.Sequence[str]) -> States:
        """The running units that a stop of others takes along, and of which the run knew nothing."""
        found: States = {}
        asked = list(going)
        while asked:
            states = self.host.show(asked, ("ActiveState", "InvocationID", "Type", *STOP_PROPERTIES))
            along = {unit: states[unit] for unit in asked if states.get(unit, {}).get("ActiveState") in RUNNING}
            found.update({unit: state for unit, state in along.items() if unit not in self.before})
            asked = sorted(_named(along.values(), STOP_PROPERTIES) - set(found) - set(self.before))
        return found

    def _roll_back(self) -> None:
        """Restart in turn what runs the new version by now; what did not come up has been started already."""
        for group in filter(None, self.rolling):
            begun = self.host.monotonic()
            units = [unit for unit in group if unit in self.rolled]
            if units:
                reset_failed(self.host, units)
                self._attempt("restart", units)
            failures = judge(self.host, {unit: self._old_limits(unit) for unit in group}, begun, {}, {}, begun)[1]
            self.left_over += [f"{failure.unit} has its old version back: {failure.why}" for failure in failures]

    def _switch_back(self) -> None:
        """Send the requests back to the old units, which run by now, and stop the new ones."""
        for swap in self.swaps:
            begun = self.host.monotonic()
            failures = judge(self.host, {swap["old"]: old_limits(self.snapshot, swap["old"])}, begun, {}, {}, begun)[1]
            self.left_over += [f"{failure.unit} serves again: {failure.why}" for failure in failures]
            self._put_back(self._file_changes([path for path in self.files if path == swap["link"]]))
            try:
                switch(self.host, swap["back"])
            except SystemdError as error:
                self.left_over.append(f"the requests may still go to {swap['new']}: {error}")
            self.host.sleep(swap["drain"])
            self._attempt("stop", [swap["new"]])

    def _old_limits(self, unit: str) -> Limits:
        limits = old_limits(self.snapshot, unit)
        return limits._replace(stable=max(limits.stable, self.snapshot["min_healthy_time"]))

    def _restore_run_state(self) -> None:
        """Start what ran before, and reload what was reloaded."""
        states = self.host.show(self.before, ("ActiveState", "Job", "Triggers", *_CONFLICTS))
        # A socket, a path or Upholds= may have started them again, as they were defined before the files were back.
        risen = [unit for unit in self.moved if self._has_risen(unit, states.get(unit, {}))]
        start = [unit for unit in self.before if self._has_to_start(unit, states.get(unit, {})) and unit not in risen]
        blocking = self._blocking_services(start, states)
        self._attempt("stop", blocking)
        self.rolled.difference_update(blocking)
        risen = [unit for unit in risen if unit not in blocking]
        start = sorted([*start, *blocking], key=lambda unit: not unit.endswith(".socket"))
        failed = [unit for unit in self.before if self._failed_since(unit, states.get(unit, {}))]
        if failed or start or risen:
            # Also forgets the starts so far, which systemd counts: this one must not be the one too many.
            reset_failed(self.host, dict.fromkeys([*failed, *risen, *start]))
        # A program that never says that it is reloaded is not to be reloaded once more.
        stuck = [unit for unit in self.snapshot["reloads"] if _is_stuck(states.get(unit, {}))]
        self._note_taken_along(_conflicting([*risen, *stuck, *start], states))
        self._attempt("restart", [*risen, *stuck])
        self._attempt("start", [unit for unit in start if unit not in stuck])
        self._attempt("reload", [unit for unit in self.snapshot["reloads"] if unit not in start + stuck])
        self._switch_back()
        self._compare()

    def _compare(self) -> None:
        """Name what is not as it was; what something has started again meanwhile is stopped once more."""
        wrong = self._differing()
        self._attempt("stop", [unit for unit, ran in wrong.items() if not ran])
        # What conflicts can run side by side, where it was defined so later; the start of one has stopped the other.
        down = [unit for unit, ran in wrong.items() if ran]
        states = self.host.show(down, _CONFLICTS) if down else {}
        beside = [unit for unit in down if any(self._ran(other) for other in _conflicting([unit], states))]
        self._attempt("start", beside, "--job-mode=ignore-dependencies")
        for unit, ran in self._differing().items() if wrong else ():
            told = "ran before and could not be started again" if ran else "did not run before, and something starts it"
            self.left_over.append(f"{unit} {told}")

    def _differing(self) -> dict[str, bool]:
        """The units that run and did not, or the other way round, with whether they did."""
        found = {}
        for unit, state in self.host.show(self.before, ("ActiveState", "Job")).items():
            before = self.before.get(unit)
            if before and not (before["active"] == "deactivating" or self._is_half_done(before)):
                ran = before["active"] in UP_OR_STARTING
                if ran != (state.get("ActiveState") in UP_OR_STARTING):
                    found[unit] = ran
        return found

    def _ran(self, unit: str) -> bool:
        return unit in self.before and self.before[unit]["active"] in RUNNING

    def _has_to_start(self, unit: str, state: t.Mapping[str, str]) -> bool:
        """Whether a unit ran before and is not sure to run now.

        What a systemctl that was killed has asked for may still be to come: a start takes the place of that job.
        """
        before = self.before[unit]
        sure = state.get("ActiveState") in UP_OR_STARTING and not has_job(state)
        return before["active"] in RUNNING and not sure and not self._is_half_done(before)

    def _has_risen(self, unit: str, state: t.Mapping[str, str]) -> bool:
        """Whether a unit that we stopped, or that had failed, runs all the same or is about to."""
        before = self.before[unit]
        if unit in self.rolled or before["active"] not in RUNNING or self._is_half_done(before):
            return False
        return state.get("ActiveState", "inactive") not in DOWN or has_job(state)

    def _is_half_done(self, before: t.Mapping[str, t.Any]) -> bool:
        """Whether a oneshot was at work: to start it once more would be to do it twice."""
        return bool(before["oneshot"]) and before["active"] == "activating"

    def _failed_since(self, unit: str, state: t.Mapping[str, str]) -> bool:
        return state.get("ActiveState") == "failed" and self.before[unit]["active"] != "failed"

    def _blocking_services(self, start: t.Sequence[str], states: States) -> list[str]:
        """The running services of sockets that have to start: a socket does not start while its service runs."""
        triggered = {
            service
            for unit in start
            if unit.endswith(".socket")
            for service in states.get(unit, {}).get("Triggers", "").split()
        }
        ran = [unit for unit, before in self.before.items() if before["active"] in RUNNING]
        return [unit for unit in ran if unit in triggered and unit not in start]

    def _attempt(self, verb: str, units: t.Sequence[str], *options: str) -> None:
        """A job while putting things back: one unit that refuses shall not keep the others from it."""
        if units:
            self.host.attempt(*options, verb, "--", *units, timeout=RELOAD_TIMEOUT)

    # Files

    def _discard_versions(self) -> None:
        """Remove the versions of programs that were made, once ``current`` leads to none of them."""
        versions = {f"{path}/{CURRENT}": (path, version) for path, version in self.snapshot.get("versions", ())}
        links = [link for link in versions if link in self.files]
        self._put_back(self._file_changes(links))
        for link in links:
            path, version = versions[link]
            if _has_no_room(self.stuck.get(link)):
                self.host.spoil_version(path, version)  # it makes room for a link
                del self.stuck[link]
                self._put_back(self._file_changes([link]))
            if self._read(link).target == f"{RELEASES}/{version}" or link in self.stuck:
                continue
            try:
                self.host.discard_version(path, version)
            except (OSError, TransactionError) as error:
                self.left_over.append(f"{path}: version {version} cannot be removed: {error}")

    def _restore_files(self) -> bool:
        """Bring files and links back to what the snapshot holds; True when any of the manager's differed."""
        if self.is_gone:
            return False
        late = [swap["link"] for swap in self.swaps]
        changes = self._file_changes([path for path in self.files if path not in late])
        try:
            changes += self._link_changes(self.entries)
        except OSError as error:
            self.stuck[self.host.folder] = error
        self._put_back(changes)
        return any(not change.place for change in changes)

    def _file_changes(self, paths: t.Iterable[str]) -> list[Change]:
        now = {path: self._read(path) for path in paths}
        return [
            Change("", path, there, self.files[path], "", "", self._place(path))
            for path, there in now.items()
            if there != self.files[path]
        ]

    def _put_back(self, changes: t.Sequence[Change]) -> None:
        token = self.snapshot["id"]
        self.host.clean_folders([*self.entries, *(change.path for change in changes)], token)
        try:
            self.host.change_files(changes, token)
        except OSError:  # one of them: the others shall be back
            for change in sorted(changes, key=_one_by_one):
                try:
                    self.host.change_files([change], token)
                except OSError as error:
                    self.stuck[change.path] = error
        for change in changes:
            if change.place and change.path not in self.stuck and self._read(change.path) != change.after:
                self.left_over.append(f"{change.path} {_why_not_back(change.after)}")

    def _link_changes(self, files: t.Container[str]) -> list[Change]:
        """What brings the links of the snapshot's units back, but for those that are among its files."""
        host, snapshot = self.host, self.snapshot
        before = {
            f"{host.folder}/{link}": target
            for link, target in snapshot["links"].items()
            if enables(link, target, self.names)
        }
        now = {
            f"{host.folder}/{link}": target
            for link, target in host.list_links().items()
            if enables(link, target, self.names)
        }
        differing = [
            path for path in sorted({*before, *now}) if path not in files and before.get(path) != now.get(path)
        ]
        return [
            Change("", path, MISSING, File("link", target=before[path]) if path in before else MISSING, "", "")
            for path in differing
        ]


def _one_by_one(change: Change) -> tuple[int, int]:
    """Folders are made first; what goes makes room for what is written."""
    depth = change.path.count("/")
    return {"directory": (0, depth), "missing": (1, -depth)}.get(change.after.kind, (2, 0))


def _conflicting(units: t.Iterable[str], states: States) -> list[str]:
    """The units that the start of some stops."""
    return sorted(_named((states.get(unit, {}) for unit in units), _CONFLICTS))


def _named(states: t.Iterable[t.Mapping[str, str]], keys: t.Sequence[str]) -> set[str]:
    """The units that properties of others name, and that may move."""
    lists = [state.get(key, "") for state in states for key in keys]
    return {name for words in lists for name in words.split() if may_move(name)}


def _is_stuck(state: t.Mapping[str, str]) -> bool:
    """Whether a reload of a unit is still under way."""
    return state.get("ActiveState") in ("reloading", "refreshing") and has_job(state)


def _has_no_room(error: OSError | None) -> bool:
    return error is not None and error.errno in NO_ROOM


def _told(path: str, error: OSError) -> str:
    where = f"{error.filename}: " if error.filename not in (None, path) else ""
    return (
        f"{path} is not as it was: {where}{error.strerror}. Move away what is in its place, then deploy or roll back"
        " again"
    )


def _why_not_back(file: File) -> str:
    if file.kind == "missing":
        return "was made by this task and stays, because something else stands in it by now"
    if file.kind == "other":
        return "is gone: a FIFO, a socket or a device cannot be put back"
    return "has its content back, but not its owner, mode or attributes"


def switch(host: Target, command: t.Sequence[str]) -> None:
    """Run the command of a swap.

    :raises SystemdError: when it fails, with what it said.
    """
    reply = host.run(command, _SWITCH_TIMEOUT) if command else None
    if reply and reply.code != 0:
        raise SystemdError(f"swap: {command[0]} ended with exit status {reply.code}: {reply.words()[-2000:]}")


def reset_failed(host: Target, units: t.Iterable[str]) -> None:
    """Clear the failed state of units; one that systemd does not hold in memory any more has none.

    :raises SystemdError: when that fails.
    """
    reply = host.attempt("reset-failed", "--", *units)
    if reply.code != 0 and "not loaded" not in reply.err:
        raise SystemdError(f"systemctl reset-failed: {reply.words()}")

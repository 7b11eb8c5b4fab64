# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to hold after each step of a history. Pure: it compares replies of the module with what was seen.

Five groups: ``agreement`` (check mode, second run, changed), ``told`` (what is reported is what happened, to every unit
of the host), ``back`` (a rollback is one), ``needless`` (nothing restarted without need, nothing left on an old
definition), ``manners`` (no traceback, a message, an end).
"""

from __future__ import annotations

import posixpath
import typing as t

from property.unsteady import declared_units, ending, units_of, unsteady
from property.world import LINKS, RELEASE, RELEASED

UP = ("active", "activating", "reloading", "refreshing")
STARTS = ("start", "restart")
MOVES = ("start", "stop", "restart", "reload", "reset-failed")
FILES = ("write", "remove", "mask", "unmask", "enable", "reenable", "disable")
LONGEST_SECONDS = 60.0

Seen = t.Mapping[str, t.Any]
Actions = t.Sequence[t.Mapping[str, str]]


class Violation(AssertionError):
    """Something that has to hold does not."""

    def __init__(self, group: str, text: str) -> None:
        super().__init__(f"{group}: {text}")
        self.group = group


class Step(t.NamedTuple):
    """One application of a declaration, and what was seen around it."""

    items: t.Sequence[t.Mapping[str, t.Any]]
    before: Seen
    predicted: t.Any  # reply of check mode
    after_check: Seen  # empty when nobody looked
    real: t.Any
    after: Seen
    again: t.Any  # None when the real run failed
    after_again: Seen
    gone: t.Collection[str]  # units that the set had, and declares no more
    known: t.Sequence[t.Mapping[str, t.Any]]  # all items that are or were just declared
    sick: bool  # programs that fail now and then do
    full: bool  # no file can be made in the folder of units
    fired: t.Container[str]  # names of items whose trigger changed since they were applied
    disturbed: bool  # something happened since the items were last applied with success
    light: bool  # nothing but descriptions or the order of keys changed since then
    left: t.Container[tuple[str, str]]  # see ``runs_left``, of all tasks before

    def moving(self) -> set[str]:
        """The units that move by themselves, because their program or another one ends."""
        return unsteady(self.known, self.sick) | ending(self.known, self.sick)


def runs_left(
    result: t.Mapping[str, t.Any], items: t.Iterable[t.Mapping[str, t.Any]], seen: Seen
) -> set[tuple[str, str]]:
    """Each unit that a task leaves with an old program until its next start, and its InvocationID."""
    reloads = {unit for item in items if item.get("on_change") == "reload" for unit in units_of(item)}
    units = [
        action["unit"]
        for action in result["actions"]
        if "takes effect" in action["reason"] or (action["action"] == "reload" and action["unit"] in reloads)
    ]
    return {(unit, _state_of(seen, unit).get("InvocationID", "")) for unit in units}


def judge(step: Step) -> None:
    """Raise Violation for the first thing that does not hold."""
    for name in ("predicted", "real", "again"):
        reply = getattr(step, name)
        if reply is not None:
            _manners(name, reply)
    if step.after["intents"]:
        raise Violation("manners", f"the run left its intent behind: {step.after['intents']}")
    if step.after_check:
        _same(step, step.before, step.after_check, "check mode moved")
    if step.real.result.get("failed"):
        _failure(step)
        return
    if step.predicted.result.get("failed"):
        raise Violation("agreement", f"check mode fails, the real run does not: {step.predicted.result['msg']}")
    _agreement(step)
    _told_files(step)
    _told_units(step)
    _reported(step)
    for item in step.items:
        _declared(item, step)
    for unit in step.gone:
        _gone(unit, step)
    _needless(step)


# --- manners ------------------------------------------------------------------------------------------------------


def _manners(name: str, reply: t.Any) -> None:
    text = reply.out + reply.err
    if "Traceback (most recent" in text or "Traceback" in str(reply.result.get("msg", "")):
        raise Violation("manners", f"{name} run: traceback\n{text[-3000:]}")
    if reply.code == -1:
        raise Violation("manners", f"{name} run: not over after {reply.seconds:.0f} s")
    if not reply.result:
        raise Violation("manners", f"{name} run: no result, exit status {reply.code}: {text[-2000:]}")
    if reply.result.get("failed") and not reply.result.get("msg"):
        raise Violation("manners", f"{name} run: failed without a message: {reply.result}")
    if reply.seconds > LONGEST_SECONDS:
        raise Violation("manners", f"{name} run: took {reply.seconds:.0f} s")


# --- failures -----------------------------------------------------------------------------------------------------


def _failure(step: Step) -> None:
    real = step.real.result
    moved = {action["unit"] for action in real.get("actions", ())} if "rolled_back" in real else ()
    differences = list(_differences(step, step.before, step.after, moved))
    if step.predicted.result.get("failed"):
        if differences:
            raise Violation("back", f"refused ({real['msg']}), and yet {'; '.join(differences)}")
        return
    if "rolled_back" not in real:
        # A unit whose program ends was up in check mode, and may be down by now.
        if not ((step.full and not differences) or any(unit in real["msg"] for unit in step.moving())):
            raise Violation("agreement", f"check mode passes, and the real run is refused: {real['msg']}")
        return
    _foretold(step.predicted.result, real)
    for failure in real.get("failed_units", ()):
        if _has_no_reason_to_fail(failure["unit"], step):
            raise Violation("needless", f"{failure['unit']} has no reason to fail, and did: {real['msg']}")
    if not real["rolled_back"]:
        return
    if real.get("not_undone"):
        raise Violation("back", f"rolled_back is true beside not_undone: {real['not_undone']}")
    if differences:
        raise Violation("back", f"rolled_back is true, and {'; '.join(differences)}. {real['msg']}")


def _has_no_reason_to_fail(unit: str, step: Step) -> bool:
    """Whether a unit has a program that runs on, and nothing that it could fail with."""
    items = [item for item in step.known if unit in units_of(item)]
    tied = {key for item in items for key in item.get("sections", {}).get("Unit", {})} & set(LINKS)
    sick = step.sick and any("health" in item for item in items)
    moving = step.moving()
    if len({"files" in item for item in items if not item.get("dropin")}) > 1:
        return False  # what the program reads is pruned, and its unit stays
    return bool(items) and not (tied or sick or unit in moving or any(map(reload_fails, items)))


def _differences(step: Step, before: Seen, after: Seen, moved: t.Container[str] = ()) -> t.Iterator[str]:
    """In words: files, links and units that are not as before; units that move by themselves are left out.

    :param moved: units that were moved and are back: they may run by another invocation.
    """
    left_out = step.moving()
    for path in sorted({*before["files"], *after["files"]}):
        was, now = before["files"].get(path), after["files"].get(path)
        if was != now:
            yield f"{path} was {_file_words(was)} and is {_file_words(now)}"
    for manager in sorted({*before["units"], *after["units"]}):
        olds, news = before["units"].get(manager, {}), after["units"].get(manager, {})
        for unit in sorted({*olds, *news}):
            was, now = olds.get(unit, {}), news.get(unit, {})
            if (unit, was.get("InvocationID")) in step.left:  # it ran an older program than its files say
                was = {**was, "Command": now.get("Command", "")}
            words = _moved(was, now, unit not in moved)
            if words and unit not in left_out:
                yield f"{unit} {words}"


def _file_words(entry: t.Sequence[t.Any] | None) -> str:
    if entry is None:
        return "missing"
    return " ".join(map(str, entry[:3])) + (f" {entry[3]}" if len(entry) > 3 and entry[3].startswith("->") else "")


def _moved(was: t.Mapping[str, str], now: t.Mapping[str, str], invocations: bool) -> str:
    """How a unit moved, in words; empty when it did not."""
    if _restarted_by_systemd(was, now):
        return ""
    old, new = _activity(was), _activity(now)
    if old != new and {old, new} != {"inactive", "failed"}:
        return f"was {old} and is {new}"
    if was.get("Command", "") != now.get("Command", "") and new == "active":
        return f"ran {was.get('Command')!r} and runs {now.get('Command')!r}"
    one, other = was.get("InvocationID", ""), now.get("InvocationID", "")
    if invocations and one != other and other:
        return f"has run anew, and is {new}"
    return ""


def _restarted_by_systemd(was: t.Mapping[str, str], now: t.Mapping[str, str]) -> bool:
    """A service with Restart= that ended moves by itself."""
    waits = any(state.get("SubState", "").startswith("auto-restart") for state in (was, now))
    return waits or now.get("NRestarts", "0") not in ("0", was.get("NRestarts", "0"))


def _activity(state: t.Mapping[str, str]) -> str:
    active = state.get("ActiveState", "inactive")
    return "active" if active in UP else active


def _same(step: Step, before: Seen, after: Seen, what: str) -> None:
    differences = list(_differences(step, before, after))
    if differences:
        raise Violation("agreement", f"{what} something: {'; '.join(differences)}")


# --- agreement ----------------------------------------------------------------------------------------------------


def _agreement(step: Step) -> None:
    predicted, real, again = step.predicted.result, step.real.result, step.again.result
    _foretold(predicted, real)
    if predicted["diff"] != real["diff"]:
        raise Violation("agreement", f"check mode showed {predicted['diff']}, done was {real['diff']}")
    moving = [action for action in real["actions"] if action["action"] != "none"]
    if bool(moving) != bool(real["changed"]):
        raise Violation("agreement", f"changed is {real['changed']} with the actions {_short(real['actions'])}")
    if again.get("failed"):
        failed = {failure["unit"] for failure in again.get("failed_units", ())}
        if _reloads_in_vain(step) or failed & step.moving():
            return
        raise Violation("agreement", f"a second run fails: {again['msg']}")
    done = [action for action in again["actions"] if action["action"] != "none"]
    if _runs_each_time(step):
        done = [action for action in done if action["action"] not in MOVES]
    elif not done:
        _same(step, step.after, step.after_again, "a second run moved")
    if done:
        raise Violation("agreement", f"a second run does {_short(again['actions'])}")


def _foretold(predicted: t.Mapping[str, t.Any], real: t.Mapping[str, t.Any]) -> None:
    if _short(predicted["actions"]) != _short(real["actions"]):
        raise Violation(
            "agreement", f"check mode said {_short(predicted['actions'])}, done was {_short(real['actions'])}"
        )


def _reloads_in_vain(step: Step) -> bool:
    """Whether a run has to fail now that the unit runs: its reload does."""
    return any(item.get("state") == "reloaded" and reload_fails(item) for item in step.items)


def reload_fails(item: t.Mapping[str, t.Any]) -> bool:
    """Whether the command that reloads the item's unit always fails."""
    return item.get("sections", {}).get("Service", {}).get("ExecReload") == "/bin/false"


def _runs_each_time(step: Step) -> bool:
    """Whether a second run has to start something: by its state, or since what was started has ended."""
    for item in step.items:
        if item.get("state") in ("restarted", "reloaded"):
            return True
        if item.get("state") == "started" and any(unit in step.moving() for unit in units_of(item)):
            return True
    return False


def _short(actions: Actions) -> list[str]:
    return [f"{action['action']} {action['unit']}".strip() for action in actions]


# --- told ---------------------------------------------------------------------------------------------------------


def _told_files(step: Step) -> None:
    """Every file and link that changed belongs to a unit that an action on files names."""
    named = {action["unit"] for action in step.real.result["actions"] if action["action"] in FILES}
    for path in sorted({*step.before["files"], *step.after["files"]}):
        was, now = step.before["files"].get(path), step.after["files"].get(path)
        if was != now and not _units_of(path, was, now) & named:
            raise Violation(
                "told",
                f"{path} was {_file_words(was)} and is {_file_words(now)}, and no action says so: {sorted(named)}",
            )


def _units_of(path: str, *entries: t.Sequence[t.Any] | None) -> set[str]:
    """The units that a path may belong to: by its name, by its drop-in folder, by what a link leads to."""
    folder, base = posixpath.split(path)
    found = {RELEASED} if path.startswith(f"{RELEASE}/") else {base}
    if folder.endswith(".d"):
        found = {posixpath.basename(folder)[: -len(".d")]}
    for entry in entries:
        if entry and len(entry) > 3 and str(entry[3]).startswith("-> "):
            found.add(posixpath.basename(entry[3][3:]))
    for name in list(found):
        stem, _dot, suffix = name.rpartition(".")
        if "@" in stem:
            found.add(f"{stem.partition('@')[0]}@.{suffix}")
    return found


def _told_units(step: Step) -> None:
    """Every unit of the host that moved is named by an action, and every action has moved its unit."""
    actions = step.real.result["actions"]
    named = {action["unit"] for action in actions if action["action"] in MOVES}
    left_out, ends = unsteady(step.known, step.sick), ending(step.known, step.sick)
    for manager, olds in step.before["units"].items():
        news = step.after["units"].get(manager, {})
        for unit in sorted({*olds, *news}):
            words = _moved(olds.get(unit, {}), news.get(unit, {}), True)
            aliases = {unit, *news.get(unit, {}).get("Names", "").split(), *olds.get(unit, {}).get("Names", "").split()}
            # A program that ends may have been at its end when it was looked at before.
            over = unit in ends and _activity(news.get(unit, {})) != "active"
            if words and not over and not aliases & (named | left_out):
                raise Violation("told", f"{unit} {words}, and no action says so: {_short(actions)}")
    for action in actions:
        if action["action"] in ("restart", "start", "stop") and action["unit"] not in left_out:
            _happened(action, step)


def _happened(action: t.Mapping[str, str], step: Step) -> None:
    unit, verb = action["unit"], action["action"]
    was, now = (_state_of(seen, unit) for seen in (step.before, step.after))
    later = [a["action"] for a in step.real.result["actions"] if a["unit"] == unit and a["action"] in STARTS]
    if verb == "stop" and not later and _activity(now) == "active":
        raise Violation("told", f"stop {unit} is reported, and it is active")
    if verb in STARTS and now.get("InvocationID", "") == was.get("InvocationID", "") and was.get("InvocationID"):
        raise Violation("told", f"{verb} {unit} is reported, and its invocation is the one from before")


def _state_of(seen: Seen, unit: str) -> t.Mapping[str, str]:
    for units in seen["units"].values():
        for state in units.values():
            if unit == state["Id"] or unit in state.get("Names", "").split():
                return t.cast("t.Mapping[str, str]", state)
    return {}


def _reported(step: Step) -> None:
    """What the reply says of the units is what is there."""
    for unit, told in step.real.result.get("units", {}).items():
        state = _state_of(step.after, unit)
        if "@." in unit or unit in step.moving() or not state:
            continue
        if _activity({"ActiveState": told.get("active_state") or "inactive"}) != _activity(state):
            raise Violation("told", f"{unit} is reported {told.get('active_state')} and is {state['ActiveState']}")


# --- declared -----------------------------------------------------------------------------------------------------


def _declared(item: t.Mapping[str, t.Any], step: Step) -> None:
    """The host is as the item declares."""
    name = item["name"]
    if item.get("dropin"):
        return
    left_out = step.moving()
    for unit in declared_units(item):
        if "@." in unit:
            continue
        state = _state_of(step.after, unit)
        if item.get("state") == "started" and _activity(state) != "active" and unit not in left_out:
            raise Violation("told", f"{unit} is declared started, the run succeeded, and it is {_activity(state)}")
        if item.get("state") in ("stopped", "absent") and _activity(state) == "active":
            raise Violation("told", f"{unit} is declared {item['state']}, the run succeeded, and it is active")
        if reload_fails(item) and _named(step, "reload", unit) and not _has_dropins(name, step):
            raise Violation("told", f"{unit} is reloaded, its reload must fail, and the run succeeded")
        if item.get("masked") and state and state.get("LoadState") != "masked":
            raise Violation("told", f"{unit} is declared masked, and it is {state.get('LoadState')}")
        # Releases 247 and 252 say so for ever of a masked unit with drop-ins, which they do not read.
        if state.get("NeedDaemonReload") == "yes" and state.get("LoadState") != "masked":
            raise Violation("needless", f"{unit} runs by a definition that is older than its file")
        _enabled(item, unit, state, step)


def _gone(unit: str, step: Step) -> None:
    """Nothing is left of a unit that the set declares no more; an instance with a file of its own is somebody's."""
    if "@" in unit and f"/etc/systemd/system/{unit}" in step.after["files"]:
        return
    if _activity(_state_of(step.after, unit)) == "active":
        raise Violation("told", f"{unit} is declared no more, the run succeeded, and it is active")
    left = [path for path in step.after["files"] if path.endswith((f".wants/{unit}", f".requires/{unit}"))]
    if left:
        raise Violation("told", f"{unit} is declared no more, the run succeeded, and left are {left}")


def _named(step: Step, action: str, unit: str) -> bool:
    return any(done["action"] == action and done["unit"] == unit for done in step.real.result["actions"])


def _enabled(item: t.Mapping[str, t.Any], unit: str, state: t.Mapping[str, str], step: Step) -> None:
    now = state.get("UnitFileState", "")
    links = {
        posixpath.basename(posixpath.dirname(path))
        for path in step.after["files"]
        if path.startswith(("/etc/", "/home/")) and path.endswith((f".wants/{unit}", f".requires/{unit}"))
    }
    if item.get("enabled") is False and (links or now in ("enabled", "enabled-runtime")):
        raise Violation("told", f"{unit} is declared not enabled, and it is {now} by {sorted(links)}")
    if not item.get("enabled") or "sections" not in item or _has_dropins(item["name"], step):
        return
    install = item["sections"].get("Install", {})
    endings = (("WantedBy", ".wants"), ("RequiredBy", ".requires"))
    wanted = {install[directive] + ending for directive, ending in endings if directive in install}
    if links != wanted and not state.get("UnitFileState") == "masked":
        raise Violation(
            "told", f"{unit} is declared enabled for {sorted(wanted)}, and its links are in {sorted(links)}"
        )


def _has_dropins(name: str, step: Step) -> bool:
    """Whether more than the item's own text defines the unit: drop-ins, or the file of an instance."""
    units = {name, *(unit for item in step.items if item["name"] == name for unit in units_of(item))}
    paths = step.after["files"]
    return any(
        f"/{unit}.d/" in path or (unit != name and path == f"/etc/systemd/system/{unit}")
        for unit in units
        for path in paths
    )


# --- needless -----------------------------------------------------------------------------------------------------


def _needless(step: Step) -> None:
    actions = step.real.result["actions"]
    # What another task has taken down meanwhile is started again, and takes others down.
    starts = any(a["action"] == "start" for a in actions)
    # A reboot starts what is enabled, also where the task says that it shall be stopped.
    stopped = {unit for item in step.items if item.get("state") == "stopped" for unit in units_of(item)}
    moves = [a for a in actions if a["action"] == "restart" or (a["action"] == "stop" and not starts)]
    moves = [a for a in moves if a["unit"] not in stopped]
    if step.light and not step.disturbed and moves and not _runs_each_time(step):
        raise Violation("needless", f"nothing changed but words, and yet {_short(moves)}")
    for item in step.items:
        _follows_trigger(item, step)
        command = _command(item)
        state = _state_of(step.after, item["name"])
        follows = item.get("on_change", "auto") in ("auto", "restart") and not item.get("dropin") and not _refuses(item)
        # By the drop-in of the world that overrides ExecStart=.
        overridden = state.get("Command", "").endswith("20000")
        runs = state.get("ActiveState") == "active" and state.get("MainPID", "0") != "0"
        follows = follows and (item["name"], state.get("InvocationID")) not in step.left
        if command and follows and runs and not overridden and state["Command"] != command:
            raise Violation("needless", f"{item['name']} runs {state['Command']!r} and is declared {command!r}")


def _command(item: t.Mapping[str, t.Any]) -> str:
    """The command line of an item's program, which may read a part of it; empty when that is not known."""
    command = item.get("sections", {}).get("Service", {}).get("ExecStart", "")
    if "/bin/sleep $$(cat " in command:
        read = [*(file["content"] for file in item.get("files", ())), item.get("release", {}).get("version", "")]
        return f"/bin/sleep {read[0].strip()}"
    return command if isinstance(command, str) and command.startswith("/bin/sleep ") else ""


def _refuses(item: t.Mapping[str, t.Any]) -> bool:
    """Whether systemd may not restart the unit by its name."""
    return bool({"RefuseManualStart", "RefuseManualStop"} & set(item.get("sections", {}).get("Unit", {})))


def _follows_trigger(item: t.Mapping[str, t.Any], step: Step) -> None:
    """A unit that ran is restarted or reloaded when its trigger has changed."""
    if item["name"] not in step.fired or not item.get("triggers") or item.get("on_change") == "none":
        return
    for unit in units_of(item):
        ran, runs = (_activity(_state_of(seen, unit)) == "active" for seen in (step.before, step.after))
        moved = any(_named(step, action, unit) for action in ("restart", "reload", "start", "stop"))
        if ran and runs and not _refuses(item) and not moved and unit not in unsteady(step.known, step.sick):
            raise Violation("needless", f"the trigger of {unit} has changed, and it runs on as before")

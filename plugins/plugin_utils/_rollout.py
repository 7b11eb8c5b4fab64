# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What playbook ``rollout`` decides: batches, what is next, who is sick, what has to be reverted, the table.

A *rollout* is a mapping that fits into a JSON file, its journal: ``{format, id, set, course, why, settings, batches,
hosts: {name: {batch, before, now, state, done, why, stuck}}}``. ``before`` and ``now`` are generations of the set, 0
for none and None for unknown; ``done`` says that the new version is there and healthy, ``stuck`` why a revert failed.
Each function takes one and returns the next, which is written down before anything is done.

What comes from hosts is data: of the wrong type, it counts as nothing; texts are cut.
"""

from __future__ import annotations

import json
import re
import typing as t

FORMAT = 1
Rollout = dict[str, t.Any]
# What a rollout does next.
GOING, PAUSED, STOPPED, REVERTING, REVERTED, DONE = "going", "paused", "stopped", "reverting", "reverted", "done"
# Where a host is.
NEW, BACK, UNTOUCHED, UNKNOWN, CHANGING = "new", "reverted", "untouched", "unknown", "changing"
ASKED_FOR = "asked for"
_MAX_TEXT = 500
_MAX_COMPARED = 3  # hosts
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class RolloutError(ValueError):
    """The rollout cannot be done as it is declared; nothing has been touched."""


# --- before any host is touched -----------------------------------------------------------------------------------


def settings(given: t.Mapping[str, t.Any], hosts: t.Sequence[str]) -> dict[str, t.Any]:
    """The variables of the playbook without their prefix, of the right types.

    :param given: ``id set canary max_parallel min_healthy_time healthy_deadline auto_revert pause confirm``, as the
        user gave them; on the command line all are texts. ``confirm`` is 0 for none.
    :raises RolloutError: for the first that is wrong.
    """
    if not hosts:
        raise RolloutError("rollout_hosts: no host matches")
    if not _ID.match(str(given["id"])):
        raise RolloutError(
            f"rollout_id: {given['id']!r} has to begin with a letter or digit, and to consist of at most 64 letters,"
            " digits, '.', '_' and '-'"
        )
    if not given["set"]:
        raise RolloutError("rollout_set: name the set that is deployed, for example 'service-shop'")
    found = {
        "id": str(given["id"]),
        "set": str(given["set"]),
        "canary": _count("canary", given["canary"], len(hosts), least=0),
        "max_parallel": _count("max_parallel", given["max_parallel"], len(hosts), least=1),
        **{name: _seconds(name, given[name]) for name in ("min_healthy_time", "healthy_deadline", "confirm")},
        **{name: _truth(name, given[name]) for name in ("auto_revert", "pause")},
    }
    if found["canary"] > len(hosts):
        raise RolloutError(f"rollout_canary: {found['canary']} hosts are more than there are ({len(hosts)})")
    if found["healthy_deadline"] < found["min_healthy_time"]:
        raise RolloutError(
            f"rollout_healthy_deadline: {found['healthy_deadline']:g} s are less than rollout_min_healthy_time"
            f" ({found['min_healthy_time']:g} s)"
        )
    return found


def _count(name: str, value: t.Any, total: int, least: int) -> int:
    text = str(value).strip()
    match = re.fullmatch(r"([0-9]{1,6})(%?)", text)
    if not match or isinstance(value, bool) or int(match[1]) < least or (match[2] and int(match[1]) > 100):
        raise RolloutError(f"rollout_{name}: {text!r} is neither a number of hosts from {least} on nor a percentage")
    if not match[2]:
        return int(match[1])
    number = int(match[1]) * total // 100
    if number == 0:
        raise RolloutError(f"rollout_{name}: {text} of the hosts ({total}) come to none; write a number")
    return number


def _seconds(name: str, value: t.Any) -> float:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text):
        raise RolloutError(f"rollout_{name}: {text!r} is not a number of seconds")
    return float(text)


def _truth(name: str, value: t.Any) -> bool:
    try:
        return _WORDS[str(value).strip().lower()]
    except KeyError:
        raise RolloutError(f"rollout_{name}: {value!r} is neither true nor false") from None


def plan(chosen: t.Mapping[str, t.Any], hosts: t.Sequence[str], journal: str = "") -> Rollout:
    """A new rollout, or the one of a journal, which goes on.

    :param chosen: see ``settings``.
    :param journal: text of the journal of this id; empty when there is none.
    :raises RolloutError: when the journal is of other hosts or of another set, or its rollout was reverted.
    """
    if not journal:
        entry = {"batch": 0, "before": None, "now": None, "state": UNTOUCHED, "done": False, "why": "", "stuck": ""}
        fresh = {name: dict(entry) for name in hosts}
        rollout = {"format": FORMAT, "id": chosen["id"], "set": chosen["set"], "course": GOING, "why": ""}
        return {**rollout, "settings": dict(chosen), "batches": [], "hosts": fresh}
    rollout = read(journal, chosen["id"])
    if rollout["set"] != chosen["set"]:
        raise RolloutError(
            f"rollout_set: rollout {rollout['id']} is of set {rollout['set']!r}; take another rollout_id"
        )
    others = sorted(set(rollout["hosts"]) ^ set(hosts))
    if others:
        raise RolloutError(f"rollout_hosts: rollout {rollout['id']} is of other hosts, see {_some(others)}")
    if rollout["course"] == REVERTED:
        raise RolloutError(f"rollout_id: rollout {rollout['id']} has been reverted; take another id")
    if rollout["course"] == REVERTING:
        return rollout
    return {**rollout, "settings": dict(chosen), "course": GOING, "why": ""}


def revert(journal: str, file: str) -> Rollout:
    """The rollout of a journal, which is to be reverted.

    :param journal: its text; empty when there is none.
    :param file: where it stands.
    :raises RolloutError: when it cannot be read, or was reverted before.
    """
    rollout = read(journal, file)
    if rollout["course"] == REVERTED:
        raise RolloutError(f"rollout_id: rollout {rollout['id']} has been reverted")
    return {**rollout, "course": REVERTING, "why": ASKED_FOR}


def read(journal: str, name: str) -> Rollout:
    """The rollout of a journal.

    :raises RolloutError: with the name of the journal, when it is not one.
    """
    if not journal:
        raise RolloutError(f"rollout_id: there is no journal {name}; correct rollout_id or rollout_folder")
    try:
        return parse(journal)
    except ValueError as error:
        raise RolloutError(f"rollout_id: {name}: {error}") from None


def parse(journal: str) -> Rollout:
    """The rollout of a journal.

    :raises ValueError: when it is not one.
    """
    try:
        rollout = json.loads(journal)
        if rollout["format"] != FORMAT or not isinstance(rollout["hosts"], dict):
            raise ValueError(f"its format is {rollout['format']!r}")
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"the journal cannot be read: {error}") from None
    return t.cast("Rollout", rollout)


def found(rollout: Rollout, reads: t.Mapping[str, t.Any]) -> Rollout:
    """The rollout with the generation that each host is in, and with the batches of this run.

    A host that cannot be read is left out of them. A host that an earlier run has begun keeps what it was in before.

    :param reads: what ``unit_info`` returned of each host.
    :raises RolloutError: when no host can be read; when one that is still to do could not be reverted.
    """
    hosts = {}
    for name, host in rollout["hosts"].items():
        now = generation(reads.get(name), rollout["set"])
        host = {**host, "now": now}
        if now is None:
            host["state"] = UNTOUCHED if host["state"] == UNTOUCHED else UNKNOWN
            host["why"] = f"not read before the rollout: {problem_of(reads.get(name))}"
        elif host["state"] == UNTOUCHED:
            host.update(before=now, why="")
        hosts[name] = host
    if all(host["now"] is None for host in hosts.values()):
        raise RolloutError(
            f"rollout_hosts: no host can be read; {next(iter(hosts))}: {next(iter(hosts.values()))['why']}"
        )
    todo = [name for name, host in hosts.items() if host["now"] is not None and not host["done"]]
    todo = todo if rollout["course"] == GOING else []
    lost = [name for name in todo if not hosts[name]["before"]]
    if lost and rollout["settings"]["auto_revert"]:
        raise RolloutError(
            f"rollout_auto_revert: {_some(lost)} could not be reverted, since set {rollout['set']!r} has no generation"
            " there; deploy it there first, or set rollout_auto_revert to false"
        )
    canary = 0 if any(host["done"] for host in hosts.values()) else rollout["settings"]["canary"]
    batches = _batches(todo, canary, rollout["settings"]["max_parallel"])
    course = DONE if rollout["course"] == GOING and not batches else rollout["course"]
    return {**rollout, "course": course, "hosts": hosts, "batches": batches}


def _batches(hosts: list[str], canary: int, size: int) -> list[list[str]]:
    rest = hosts[canary:]
    batches = [hosts[:canary], *(rest[start : start + size] for start in range(0, len(rest), size))]
    return [batch for batch in batches if batch]


# --- on the way ---------------------------------------------------------------------------------------------------


def begin(rollout: Rollout, batch: t.Sequence[str]) -> Rollout:
    """The rollout just before a batch of hosts is changed."""
    number = 1 + max((host["batch"] for host in rollout["hosts"].values()), default=0)
    changes = {name: {**rollout["hosts"][name], "batch": number, "state": CHANGING, "why": ""} for name in batch}
    return {**rollout, "hosts": {**rollout["hosts"], **changes}}


def pause(rollout: Rollout, answer: t.Any) -> Rollout:
    """The rollout after the question whether to go on; without a terminal there is no answer.

    :param answer: ``yes``, ``revert``, or anything else to stop here.
    """
    word = str(answer or "").strip().lower()
    if word in ("yes", "y"):
        return rollout
    if word == "revert":
        return {**rollout, "course": REVERTING, "why": ASKED_FOR}
    return {**rollout, "course": PAUSED, "why": f"rollout_id={rollout['id']} goes on"}


def end(
    rollout: Rollout, reads: t.Mapping[str, t.Any], problems: t.Mapping[str, t.Any], check_mode: bool = False
) -> Rollout:
    """The rollout after a batch.

    :param reads: what ``unit_info`` returned of each of its hosts.
    :param problems: what failed on each of them; empty when nothing did.
    """
    hosts, sick = dict(rollout["hosts"]), []
    for name, answer in reads.items():
        hosts[name] = host = _ended(hosts[name], generation(answer, rollout["set"]), _problem(answer, problems[name]))
        if not host["done"]:
            sick.append(f"{name}: {host['why']}")
        if check_mode:
            host.update(state=UNTOUCHED, batch=0)
    if not sick:
        is_last = rollout["batches"][-1:] == [list(reads)]
        return {**rollout, "hosts": hosts, "course": DONE if is_last else GOING}
    course = REVERTING if rollout["settings"]["auto_revert"] and not check_mode else STOPPED
    return {**rollout, "hosts": hosts, "course": course, "why": sick[0]}


def _ended(host: t.Mapping[str, t.Any], now: int | None, problem: str) -> dict[str, t.Any]:
    if now is None:
        return {**host, "now": now, "state": UNKNOWN, "why": problem}
    state = BACK if problem and now == host["before"] else NEW
    why = problem or ("nothing had to be changed" if now == host["before"] else "")
    return {**host, "now": now, "state": state, "done": not problem, "why": why}


def _problem(answer: t.Any, problem: t.Any) -> str:
    is_read = isinstance(answer, dict) and isinstance(answer.get("generations"), dict)
    return _cut(problem) or ("" if is_read else problem_of(answer))


def to_revert(rollout: Rollout) -> dict[str, int]:
    """The hosts that this rollout has begun to change, with the generation that each was in before."""
    hosts = rollout["hosts"].items()
    return {name: host["before"] for name, host in hosts if host["batch"] and host["before"]}


def finish(rollout: Rollout, reads: t.Mapping[str, t.Any], problems: t.Mapping[str, t.Any]) -> Rollout:
    """The rollout at its end, with what every host is in now.

    :param reads: what ``unit_info`` returned of each host.
    :param problems: what failed in the revert of each; empty when nothing did.
    """
    is_reverting = rollout["course"] == REVERTING
    hosts = dict(rollout["hosts"])
    for name in (name for name in reads if hosts[name]["batch"]):
        now = generation(reads[name], rollout["set"])
        if now is None:
            why = hosts[name]["why"] or _problem(reads[name], problems[name])
            hosts[name] = {**hosts[name], "now": now, "state": UNKNOWN, "why": why}
        elif is_reverting:
            hosts[name] = _reverted(hosts[name], now, _cut(problems[name]))
        else:
            hosts[name] = {**hosts[name], "now": now}
    is_back = is_reverting and not any(host["state"] in (NEW, UNKNOWN) for host in hosts.values())
    return {**rollout, "hosts": hosts, "course": REVERTED if is_back else rollout["course"]}


def _reverted(host: t.Mapping[str, t.Any], now: int, problem: str) -> dict[str, t.Any]:
    if not host["before"] or now != host["before"]:
        problem = problem or ("it is in another generation" if host["before"] else "the set had no generation before")
        return {**host, "now": now, "state": NEW, "stuck": problem}
    was_never_changed = host["state"] == NEW and host["now"] == now
    why = host["why"] or "the rollout was reverted"
    return {
        **host,
        "now": now,
        "state": UNTOUCHED if was_never_changed else BACK,
        "done": False,
        "why": why,
        "stuck": "",
    }


# --- the health of a host -----------------------------------------------------------------------------------------


def watched(answer: t.Any, set_name: str) -> list[str]:
    """Names of the units of the set in its current generation, as ``unit_info`` takes them.

    :param answer: what ``unit_info`` returned with ``what: generations``.
    """
    current = _current(answer, set_name)
    units = current.get("units") if current else None
    names = [name for name in units if isinstance(name, str)] if isinstance(units, list) else []
    return [name.replace("@.", "@*.") for name in names]


def unchanged(rollout: Rollout) -> list[str]:
    """A few hosts that this rollout has not changed yet, to compare with."""
    hosts = rollout["hosts"].items()
    return [name for name, host in hosts if host["state"] == UNTOUCHED and host["now"] is not None][:_MAX_COMPARED]


def verdict(begun: t.Any, ended: t.Any, others: t.Sequence[t.Any] = ()) -> dict[str, str]:
    """What a host's units say after they were watched for a while.

    :param begun: what ``unit_info`` returned with ``what: state`` at the beginning; ``ended`` at the end.
    :param others: what it returned of hosts that are not changed. What has failed there is not held against the host.
    :returns: ``{word, why}``; the word is ``healthy``, ``sick``, or ``unsteady``, which may still become healthy.
    """
    before, after = _states(begun), _states(ended)
    if not isinstance(ended, dict) or not isinstance(ended.get("units"), dict):
        return {"word": "sick", "why": problem_of(ended)}
    unsteady = ""
    failed = {name for each in others for name, state in _states(each).items() if state.get("active_state") == "failed"}
    for name, state in after.items():
        if name in failed:
            continue
        old = before.get(name, {})
        if state.get("active_state") == "failed":
            return {"word": "sick", "why": f"{name} has failed ({_cut(state.get('result'))})"}
        restarts = _number(state.get("n_restarts")) - _number(old.get("n_restarts"))
        if restarts > 0:
            unsteady = f"{name} was restarted {restarts} times while it was watched"
        elif old.get("active_state") == "active" and state.get("active_state") in ("activating", "deactivating"):
            unsteady = f"{name} is {state['active_state']} again"
    return {"word": "unsteady" if unsteady else "healthy", "why": unsteady}


def _states(answer: t.Any) -> dict[str, dict[str, t.Any]]:
    units = answer.get("units") if isinstance(answer, dict) else None
    found = units.items() if isinstance(units, dict) else ()
    return {
        _cut(name): unit["state"]
        for name, unit in found
        if isinstance(unit, dict) and isinstance(unit.get("state"), dict)
    }


# --- what hosts tell ----------------------------------------------------------------------------------------------


def generation(answer: t.Any, set_name: str) -> int | None:
    """The generation that a host is in: 0 when it has none of the set, None when it did not say."""
    if not isinstance(answer, dict) or not isinstance(answer.get("generations"), dict):
        return None
    return _number((_current(answer, set_name) or {}).get("number"))


def _current(answer: t.Any, set_name: str) -> dict[str, t.Any] | None:
    sets = answer.get("generations") if isinstance(answer, dict) else None
    kept = sets.get(set_name) if isinstance(sets, dict) else None
    told = [each for each in kept if isinstance(each, dict)] if isinstance(kept, list) else []
    return next((each for each in told if each.get("current") is True), None)


def problem_of(answer: t.Any) -> str:
    """Why a host did not answer."""
    if isinstance(answer, dict) and answer.get("unreachable"):
        return f"unreachable: {_cut(answer.get('msg'))}"
    return _cut(answer.get("msg") if isinstance(answer, dict) else "") or "no answer"


def _number(value: t.Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _cut(value: t.Any) -> str:
    """A text of one line; ``str`` also takes away what marks it as a template's."""
    text = " ".join(str(value).split()) if value else ""
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."


def _some(names: t.Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# --- the end ------------------------------------------------------------------------------------------------------


def table(rollout: Rollout) -> list[str]:
    """The lines of the table: host, generation before and now, state, why."""
    rows = [("HOST", "BEFORE", "NOW", "STATE", "WHY"), *rows_of(rollout["hosts"])]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join([*map(str.ljust, row, widths), row[4]]).rstrip() for row in rows]


def rows_of(hosts: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[tuple[str, ...]]:
    """The rows of the table, for the hosts of a rollout."""
    return [
        (name, _shown(host["before"]), _shown(host["now"]), host["state"], why_of(host)) for name, host in hosts.items()
    ]


def why_of(host: t.Mapping[str, t.Any]) -> str:
    """Why a host is where it is."""
    return "; ".join(filter(None, (host["why"], f"not reverted: {host['stuck']}" if host["stuck"] else "")))


def _shown(number: int | None) -> str:
    return "?" if number is None else str(number) if number else "-"


def summary(rollout: Rollout) -> str:
    """One sentence about the whole rollout."""
    states = [host["state"] for host in rollout["hosts"].values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    why = f" ({rollout['why']})" if rollout["why"] else ""
    return f"rollout {rollout['id']} of {rollout['set']}: {rollout['course']}{why}; hosts: {counts}"


def is_as_asked(rollout: Rollout) -> bool:
    """Whether the run has ended as its user asked for: every host new, the pause, or the revert that was asked for."""
    if rollout["course"] == DONE:
        return all(host["now"] is not None for host in rollout["hosts"].values())
    return rollout["course"] == PAUSED or (rollout["course"] == REVERTED and rollout["why"] == ASKED_FOR)


STEPS: dict[str, t.Callable[..., t.Any]] = {
    step.__name__: step
    for step in (
        settings,
        plan,
        revert,
        found,
        begin,
        pause,
        end,
        to_revert,
        finish,
        watched,
        unchanged,
        verdict,
        table,
        summary,
        is_as_asked,
    )
}

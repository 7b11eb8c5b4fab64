# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is worth a look on each host -> the same thing on many hosts as one group, in the order of what to do first."""

from __future__ import annotations

import datetime
import math
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.confirm import UNIT_PREFIX
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report_fixes as fixes

START_LIMIT_RULE = "start-limit-gives-up"
HOURS = 24  # of restarts that are counted, before the time of the report
# What to do first stands first; a finding goes by its severity.
_ORDER = (
    "failed",
    "crash-looping",
    "error",
    "start-limit",
    "unconfirmed",
    "drift",
    "reload",
    "failed-jobs",
    "warning",
    "restarted",
    "collision",
    "info",
)
_FACTS = ("exposure", "timer", "deployment", "queue")  # nothing that comes and goes


class Same(t.NamedTuple):
    """What is equal on all hosts of a group.

    :ivar kind: ``failed``, ``crash-looping``, ``restarted``, ``start-limit``, ``finding``, ``drift``, ``reload``,
        ``unconfirmed``, ``collision``, ``failed-jobs``, ``exposure``, ``timer``, ``deployment`` or ``queue``.
    :ivar level: ``error``, ``warning`` or ``info``.
    :ivar unit: its name; for a collision the names of all its timers, for a deployment those of all units of its set.
    :ivar name: what tells it from others of this kind and unit, also in an earlier report: a rule, a path, a schedule;
        for a deployment its set, for jobs their queue.
    :ivar title: what it is, in words.
    :ivar hint: what to do, in words.
    :ivar notes: further lines.
    :ivar fix: text to copy.
    :ivar value: the exposure, 0.0 to 10.0; the number of a generation; how many jobs wait.
    """

    kind: str
    level: str
    unit: str
    name: str
    title: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    fix: str = ""
    value: float | None = None


class Item(t.NamedTuple):
    """One thing on one host.

    :ivar detail: what differs from host to host: journal lines, the place of a finding, next and last run of a timer,
        when and by whom something was deployed.
    :ivar restarts: times in ISO 8601.
    """

    same: Same
    detail: str = ""
    restarts: t.Sequence[str] = ()


def items(host: t.Mapping[str, t.Any]) -> t.Iterator[Item]:
    """Everything worth a look on one host of a report."""
    for unit in host["units"]:
        for look in (_state, _reload, _unconfirmed, _drift, _exposure, _timer):
            yield from look(unit)
    for set_name, generations in host["generations"].items():
        yield from _deployments(set_name, generations)
    for queue in host.get("queues") or ():  # an earlier report may have none
        yield from _jobs(queue)
    yield from _collisions(host["units"])
    yield from map(_finding, host["findings"])


def _state(unit: t.Mapping[str, t.Any]) -> t.Iterator[Item]:
    restarts = unit.get("restarts") or []
    kind = "failed" if unit["failed"] else "crash-looping" if unit["crash_looping"] else "restarted" if restarts else ""
    if not kind:
        return
    active, sub = unit["active_state"], unit["sub_state"]
    words = [f"{active} ({sub})" if sub not in ("", active) else active]
    if kind == "restarted":
        words = ["Restart= started it again"]
    elif unit["result"] not in ("", "success"):
        words.append(f"result {unit['result']}")
    if unit["exit_code"] or unit["exit_status"]:
        words.append(f"{unit['exit_code'] or ''} {unit['exit_status']}".strip())
    falls = f"Stops with it: {', '.join(unit['falls_with'])}" if unit["falls_with"] else ""
    notes = tuple(text for text in (unit["description"], falls) if text)
    lines = [f"{line['time']} {line['priority']} {line['message']}" for line in unit["journal"]]
    if unit["n_restarts"]:
        lines.insert(0, f"restarts since its start: {unit['n_restarts']}")
    level = "info" if kind == "restarted" else "error"
    same = Same(kind, level, unit["name"], "", ", ".join(words), "", notes, fixes.restart(unit["name"]))
    yield Item(same, "\n".join(lines), restarts)


def _reload(unit: t.Mapping[str, t.Any]) -> t.Iterator[Item]:
    if unit["need_daemon_reload"]:
        title = "its files changed after systemd read them"
        yield Item(Same("reload", "warning", unit["name"], "", title, fix=fixes.reload(unit["name"])))


def _unconfirmed(unit: t.Mapping[str, t.Any]) -> t.Iterator[Item]:
    name = unit["name"]
    if name.startswith(UNIT_PREFIX) and name.endswith(".service") and unit["active_state"] == "active":
        title = "a deployment waits for its confirmation; without it the host puts the old state back"
        yield Item(Same("unconfirmed", "warning", name, "", title))


def _drift(unit: t.Mapping[str, t.Any]) -> t.Iterator[Item]:
    for entry in unit["drift"] or ():
        path = entry.get("path") or ""
        title = ": ".join(text for text in (entry["what"], entry.get("message")) if text)
        notes = tuple(text for text in (path, entry.get("diff")) if text)
        name = f"{entry['what']} {path}"
        yield Item(Same("drift", "warning", unit["name"], name, title, "", notes, fixes.deploy(unit["name"])))


def _exposure(unit: t.Mapping[str, t.Any]) -> t.Iterator[Item]:
    score = unit["exposure"]
    if score is not None:
        points = unit["exposure_points"][:6]
        notes = tuple(f"{p['setting']} {p['exposure']}: {p.get('description') or ''}" for p in points)
        level = "error" if score >= 7.5 else "warning" if score >= 5 else "info"
        fix = fixes.confine(unit["name"], tuple(point["setting"] for point in points))
        yield Item(Same("exposure", level, unit["name"], "", unit["exposure_level"], "", notes, fix, score))


def _timer(unit: t.Mapping[str, t.Any]) -> t.Iterator[Item]:
    timer = unit["timer"]
    if timer:
        schedule = ", ".join(f"{s['directive']}={s['value']}" for s in timer.get("settings") or ())
        times = f"{timer.get('next_elapse') or '-'} {timer.get('last_trigger') or '-'}"
        yield Item(Same("timer", "info", unit["name"], schedule, schedule or "no schedule"), times)


def _deployments(set_name: str, generations: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[Item]:
    """The generations of a set; the host went back from those that are later than the current one."""
    current = next((kept["number"] for kept in generations if kept["current"]), math.inf)
    for kept in generations:
        number = kept["number"]
        title = "current" if number == current else "reverted" if number > current else "earlier"
        did = [f"{a['action']} {a['unit'] or ''}".strip() + f": {a['reason'] or ''}" for a in kept["actions"] or ()]
        lists = (did, [f"file {path}" for path in kept["files"] or ()])
        notes = tuple("\n".join(lines) for lines in lists if lines)
        level = "warning" if title == "reverted" else "info"
        same = Same("deployment", level, " ".join(kept["units"] or ()), set_name, title, "", notes, "", number)
        yield Item(same, " ".join(filter(None, (kept["time"], kept["by"] and f"by {kept['by']}"))))


def _jobs(queue: t.Mapping[str, t.Any]) -> t.Iterator[Item]:
    """What waits in a queue of workers, and what has failed; a number is None when nobody can tell."""
    numbers = {what: queue[what] for what in ("waiting", "running", "delayed", "failed") if queue[what] is not None}
    title = ", ".join(f"{number:,} {what}" for what, number in numbers.items())
    yield Item(Same("queue", "info", queue["unit"], queue["name"], title, value=queue["waiting"]))
    if queue["failed"]:
        title = f"{queue['failed']:,} jobs of queue {queue['name']} have failed and were set aside"
        yield Item(Same("failed-jobs", "warning", queue["unit"], queue["name"], title))


def _collisions(units: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[Item]:
    """Timers of a host that elapse in the same minute; at least one is not of a package."""
    minutes: dict[str, list[t.Mapping[str, t.Any]]] = {}
    for unit in units:
        at = (unit["timer"] or {}).get("next_elapse")
        if at:
            minutes.setdefault(at[:16], []).append(unit)
    for minute, timers in minutes.items():
        if len(timers) > 1 and any(unit["origin"] in ("administrator", "runtime") for unit in timers):
            names = sorted(unit["name"] for unit in timers)
            title = f"{len(names)} timers elapse at {minute[11:]} UTC"
            yield Item(Same("collision", "info", " ".join(names), "", title, fix=fixes.spread(tuple(names))), minute)


def _finding(finding: t.Mapping[str, t.Any]) -> Item:
    rule, path = finding.get("rule") or "", finding.get("path") or ""
    level = finding.get("severity")
    same = Same(
        "start-limit" if rule == START_LIMIT_RULE else "finding",
        level if level in ("error", "warning") else "info",
        finding.get("unit") or path,
        rule,
        finding.get("message") or "",
        finding.get("hint") or "",
        fix=fixes.obey(rule),
    )
    line = finding.get("line")
    return Item(same, f"{path}:{line}" if path and line else path)


# --- groups and comparison --------------------------------------------------------------------------------------------


Identity = tuple[str, str, str]
Known = dict[str, dict[Identity, Item]]  # by host


def known(hosts: t.Iterable[t.Mapping[str, t.Any]]) -> Known:
    """What an earlier report knows of each host that answered.

    :raises KeyError, TypeError, ValueError, AttributeError: when these are not the hosts of a report.
    """
    return {host["host"]: _by_identity(map(_sound, items(host))) for host in hosts if host["units"]}


def _sound(item: Item) -> Item:
    texts = [*item.same[:6], *item.same.notes, item.same.fix, item.detail, *item.restarts]
    if not all(isinstance(text, str) for text in texts) or not isinstance(item.same.value, (int, float, type(None))):
        raise ValueError(f"{item.same.kind} of {item.same.unit} has a value of another type")
    return item


def group(hosts: t.Iterable[t.Mapping[str, t.Any]], generated: str, earlier: Known | None) -> list[dict[str, t.Any]]:
    """The groups, what to do first in front.

    :param hosts: those of the report.
    :param generated: its time, in ISO 8601.
    :param earlier: what to compare with; only hosts that answered both times are.
    :returns: the fields of ``Same``, ``since`` (``new``, ``still``, ``gone`` or empty), ``hosts``: ``[{host, detail}]``
        and ``restarts``: their number in each of the last ``HOURS`` hours, empty when there are none.
    """
    groups: dict[tuple[str, Same], dict[str, t.Any]] = {}
    for host in hosts:
        now = list(items(host))
        old = (earlier or {}).get(host["host"]) if host["units"] else None
        for item in now:
            compared = old is not None and item.same.kind not in _FACTS
            _add(
                groups,
                ("still" if _identity(item) in old else "new") if compared else "",
                host["host"],
                item,
                generated,
            )
        there = _by_identity(now)
        for identity, item in (old or {}).items():
            if identity not in there and item.same.kind not in _FACTS:
                _add(groups, "gone", host["host"], item, generated)
    return sorted(groups.values(), key=_rank)


def _by_identity(found: t.Iterable[Item]) -> dict[Identity, Item]:
    return {_identity(item): item for item in found}


def _identity(item: Item) -> Identity:
    """What makes an item of an earlier report the same: not its words, which may differ a little each time."""
    return (item.same.kind, item.same.unit, item.same.name)


def _add(groups: dict[tuple[str, Same], dict[str, t.Any]], since: str, host: str, item: Item, generated: str) -> None:
    entry = groups.setdefault((since, item.same), {**item.same._asdict(), "since": since, "hosts": [], "restarts": []})
    entry["hosts"].append({"host": host, "detail": item.detail})
    for hour in _hours_ago(item.restarts, generated):
        entry["restarts"] = entry["restarts"] or [0] * HOURS
        entry["restarts"][HOURS - 1 - hour] += 1


def _hours_ago(times: t.Iterable[str], generated: str) -> t.Iterator[int]:
    """Whole hours before the report; what is older, or no time at all, is left out."""
    for text in times:
        try:
            hour = int((_time(generated) - _time(text)).total_seconds() // 3600)
        except (ValueError, OverflowError):
            continue
        if 0 <= hour < HOURS:
            yield hour


def _time(text: str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def _rank(entry: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    word = entry["level"] if entry["kind"] == "finding" else entry["kind"]
    order = _ORDER.index(word) if word in _ORDER else len(_ORDER)
    return (
        entry["since"] == "gone",
        order,
        entry["since"] != "new",
        -(entry["value"] or 0),
        -len(entry["hosts"]),
        entry["unit"],
        entry["name"],
        entry["title"],
    )

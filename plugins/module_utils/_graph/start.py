# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd's start transaction would say of a set of dependencies: which jobs, which ordering cycle.

Source: systemd's documentation of transactions in systemd(1), "Concepts", and the behaviour of releases 247 to 262.
A job *matters* when requirement dependencies alone lead from the unit that is started to it. In an ordering cycle
systemd deletes a job that does not matter; where every job of a cycle matters it refuses the whole transaction.
"""

from __future__ import annotations

import itertools
import typing as t

from .edges import find_cycle
from .graph import Adjacency

START = "start"
STOP = "stop"
VERIFY = "verify-active"

OK = "ok"  # every job can run
BROKEN = "broken"  # systemd deletes at least one job to break an ordering cycle
REFUSED = "refused"  # nothing is started

_PULLS = (  # kind, job for the other unit, does that job matter
    ("Requires", START, True),
    ("BindsTo", START, True),
    ("Wants", START, False),
    ("Upholds", START, False),
    ("Requisite", VERIFY, True),
    ("Conflicts", STOP, True),
)
_MOST_CHOICES = 64  # of the ways to order units that have both a start and a stop job

Job = tuple[str, str]  # unit, type


class Moves(t.NamedTuple):
    """What a start moves besides the unit itself: ``{unit: (kind of dependency, the unit that it comes from)}``."""

    started: dict[str, tuple[str, str]]
    stopped: dict[str, tuple[str, str]]


class Verdict(t.NamedTuple):
    """What becomes of ``systemctl start`` of one unit while everything else is stopped."""

    outcome: str  # OK, BROKEN or REFUSED
    reason: str  # "", "cycle" or "conflict"
    cycle: tuple[str, ...]  # one ordering cycle, each unit ordered after the one before it; empty without
    candidates: tuple[str, ...]  # units of that cycle whose job systemd may delete; which one it takes is chance
    certain: bool  # False when systemd's own answer depends on the order in which it happens to look


class _Jobs:
    """The jobs of one transaction and which job pulled in which."""

    def __init__(self, anchor: Job) -> None:
        self.anchor = anchor
        self.pulled: dict[Job, dict[Job, bool]] = {anchor: {}}  # job -> job it pulled in -> does the link matter
        self.pulled_by: dict[Job, set[Job]] = {anchor: set()}

    def link(self, by: Job, job: Job, matters: bool) -> bool:
        """Record that ``by`` pulls in ``job``; True when the job is new."""
        new = job not in self.pulled
        self.pulled.setdefault(job, {})
        self.pulled[by][job] = self.pulled[by].get(job, False) or matters
        self.pulled_by.setdefault(job, set()).add(by)
        return new

    def delete(self, job: Job, with_dependents: bool) -> None:
        """Delete a job and, when asked, those that need it."""
        for other in self.pulled.pop(job):
            self.pulled_by[other].discard(job)
        for by in self.pulled_by.pop(job):
            matters = self.pulled[by].pop(job)
            if matters and with_dependents and by in self.pulled:
                self.delete(by, True)

    def idle(self, hidden: t.Container[Job] = ()) -> list[Job]:
        """Jobs that nothing pulls in any more."""
        return [job for job, by in self.pulled_by.items() if not by and job != self.anchor and job not in hidden]

    def collect_garbage(self, hidden: t.Container[Job] = ()) -> None:
        """Delete jobs that are or become idle."""
        while idle := self.idle(hidden):
            for job in idle:
                if job in self.pulled:
                    self.delete(job, True)

    def mattering(self) -> set[Job]:
        """Jobs that links which matter lead to from the anchor."""
        seen = {self.anchor}
        todo = [self.anchor]
        while todo:
            for job, matters in self.pulled[todo.pop()].items():
                if matters and job not in seen:
                    seen.add(job)
                    todo.append(job)
        return seen

    def types(self) -> dict[str, set[str]]:
        """Unit -> types of its jobs."""
        result: dict[str, set[str]] = {}
        for name, job_type in self.pulled:
            result.setdefault(name, set()).add(job_type)
        return result


def _collect(adjacency: Adjacency, anchor: str, runs: t.Callable[[str], bool] | None = None) -> _Jobs:
    """The jobs that a start brings; those that have nothing to do for what ``runs`` says lead no further."""
    jobs = _Jobs((anchor, START))
    todo = [jobs.anchor]
    while todo:
        job = todo.pop()
        for other, matters in _pulled_in(adjacency, job):
            if jobs.link(job, other, matters) and (runs is None or runs(other[0]) == (other[1] == STOP)):
                todo.append(other)
    return jobs


def moves(adjacency: Adjacency, anchor: str, runs: t.Callable[[str], bool]) -> Moves:
    """What ``systemctl start`` or ``restart`` of a unit starts and stops besides it.

    Source: ``transaction_activate`` and ``delete_one_unmergeable_job`` in systemd's src/core/transaction.c.

    :param runs: whether a unit is up: what runs is not started, and what does not is not stopped.
    """
    jobs = _collect(adjacency, anchor, runs)
    mattering = jobs.mattering()
    _drop_redundant(jobs, runs)
    if not _resolve(jobs, mattering):
        return Moves({}, {})  # systemd refuses it
    _drop_redundant(jobs, runs)
    found = Moves({}, {})
    for name, job_type in sorted(jobs.pulled):
        by = min(jobs.pulled_by[name, job_type], default=None)
        if by and name != anchor and job_type in (START, STOP):
            group = found.started if job_type == START else found.stopped
            group[name] = _kind(adjacency, by, (name, job_type)), by[0]
    return found


def _drop_redundant(jobs: _Jobs, runs: t.Callable[[str], bool]) -> None:
    """Delete the jobs of units that are already what all their jobs ask for, and what these alone have pulled in."""
    for name, types in jobs.types().items():
        idle = {START, VERIFY} if runs(name) else {STOP, VERIFY}
        if types <= idle and name != jobs.anchor[0]:
            for job_type in types:
                jobs.delete((name, job_type), False)
    jobs.collect_garbage()


def _resolve(jobs: _Jobs, mattering: set[Job]) -> bool:
    """Give up the start or the stop of each unit that has both; False when one is left where both matter."""
    for name in jobs.types():
        if {(name, START), (name, STOP)} <= jobs.pulled.keys():
            lost = _weaker(jobs, name, mattering)
            if lost:
                jobs.delete(lost, True)
    jobs.collect_garbage()
    return not any({START, STOP} <= types for types in jobs.types().values())


def _weaker(jobs: _Jobs, name: str, mattering: set[Job]) -> Job | None:
    """Which of the start and the stop of a unit systemd gives up; None when both matter."""
    start_job, stop_job = (name, START), (name, STOP)
    if start_job in mattering:
        return None if stop_job in mattering else stop_job
    conflicted = stop_job in mattering or any(by[1] == START for by in jobs.pulled_by[stop_job])
    return start_job if conflicted else stop_job


def _kind(adjacency: Adjacency, by: Job, job: Job) -> str:
    """The dependency along which a job has pulled in another one."""
    for kind, job_type, _matters in _PULLS:
        if by[1] == START and job_type == job[1] and job[0] in adjacency.targets(kind, by[0]):
            return kind
    return "Conflicts" if by[1] == START else ""


def _pulled_in(adjacency: Adjacency, job: Job) -> list[tuple[Job, bool]]:
    name, job_type = job
    found: list[tuple[Job, bool]] = []
    if job_type == START:
        for kind, other_type, matters in _PULLS:
            found += [((other, other_type), matters) for other in adjacency.targets(kind, name)]
        found += [((other, STOP), False) for other in adjacency.sources("Conflicts", name)]
    elif job_type == STOP:
        found += [((other, STOP), True) for other in adjacency.stopped_with(name)]
    return found


def start(adjacency: Adjacency, anchor: str) -> Verdict:
    """What ``systemctl start`` of ``anchor`` would do while all units of the set are stopped."""
    jobs = _collect(adjacency, anchor)
    mattering = jobs.mattering()
    # a stop of what does not run is redundant, unless the unit has another job as well
    for name, types in jobs.types().items():
        if types == {STOP}:
            jobs.delete((name, STOP), False)
    # An idle job is overlooked when systemd has added another one of the unit later.
    left = jobs.types()
    hidden = [job for job in jobs.idle() if len(left[job[0]]) > 1 and job[0] != anchor]
    verdicts = _verdicts(adjacency, jobs, mattering, hidden) if hidden else []
    verdicts = _verdicts(adjacency, jobs, mattering, ()) + verdicts
    same = len({verdict[:2] for verdict in verdicts}) == 1 and len(verdicts) < _MOST_CHOICES
    # systemd refuses what it cannot solve, unless what it happens to solve before takes that away
    lucky = verdicts[0].reason == "conflict" and _resolve(jobs, mattering)
    return verdicts[0]._replace(certain=same and not lucky)


def _verdicts(adjacency: Adjacency, jobs: _Jobs, mattering: set[Job], hidden: t.Container[Job]) -> list[Verdict]:
    jobs.collect_garbage(hidden)
    matter = {name for name, _type in jobs.pulled.keys() & mattering}
    return [_judge(_order(adjacency, chosen), jobs, mattering, matter) for chosen in _choices(jobs.types())]


def _choices(types: t.Mapping[str, set[str]]) -> list[dict[str, str]]:
    """Unit -> type of its job that systemd added last and orders it by; the first choice prefers starts."""
    plain = {name: START if START in have else min(have) for name, have in types.items()}
    torn = sorted(name for name, have in types.items() if STOP in have and len(have) > 1)
    ways = itertools.islice(itertools.product((False, True), repeat=len(torn)), _MOST_CHOICES)
    return [{**plain, **{name: STOP for name, stop in zip(torn, way) if stop}} for way in ways]


def _order(adjacency: Adjacency, chosen: t.Mapping[str, str]) -> dict[str, list[str]]:
    """Unit -> units whose jobs run after its own."""
    result: dict[str, list[str]] = {name: [] for name in chosen}
    for name, job_type in chosen.items():
        for earlier in adjacency.targets("After", name):
            if earlier in chosen and earlier != name:
                # whatever the order of start, a unit is stopped before the other one is started
                first, then = (name, earlier) if job_type == STOP else (earlier, name)
                result[first].append(then)
    return result


def _judge(order: dict[str, list[str]], jobs: _Jobs, mattering: set[Job], matter: set[str]) -> Verdict:
    cycle = find_cycle(order)
    hard = find_cycle({name: [o for o in others if o in matter] for name, others in order.items() if name in matter})
    if hard:
        return Verdict(REFUSED, "cycle", hard, (), True)
    for name, types in jobs.types().items():
        both = {(name, job_type) for job_type in types} & mattering
        if (name, STOP) in both and len(both) > 1:
            return Verdict(REFUSED, "conflict", (name,), (), True)
    if cycle:
        candidates = tuple(name for name in cycle if name not in matter)
        return Verdict(BROKEN, "cycle", cycle, candidates, True)
    return Verdict(OK, "", (), (), True)

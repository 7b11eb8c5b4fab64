# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state machine: random histories of declarations and accidents on a real host, each step judged."""

from __future__ import annotations

import functools
import typing as t

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from property import accidents, changes, world
from property.host import Host, Lost
from property.judge import Step, Violation, judge, runs_left
from property.story import playbook
from property.unsteady import declared_units

SET_NAME = "property"
MOST_LOST = 5
Key = tuple[str, str]
Declared = dict[Key, world.Item]


def key_of(item: world.Item) -> Key:
    return item["name"], item.get("dropin", "")


def in_scope(items: t.Iterable[world.Item], name: str) -> list[world.Item]:
    """The items of the manager to which a unit belongs: those of a task are of one."""
    return [item for item in items if world.is_users(item["name"]) == world.is_users(name)]


def _is_whole(item: world.Item) -> bool:
    """Whether an item is all of its unit: no drop-in, and not only a state or a mask of what others define."""
    return "sections" in item and "dropin" not in item


def as_kept(item: world.Item) -> world.Item:
    """An item as a generation has it: what is done once is not done again."""
    return {**item, "state": "started"} if item.get("state") in ("restarted", "reloaded") else item


def _guarded(step: t.Callable[..., None]) -> t.Callable[..., None]:
    """A rule that ends the history without a verdict when the machine fails, and does nothing after its end."""

    @functools.wraps(step)
    def guarded(history: History, **drawn: t.Any) -> None:
        if history.over:
            return
        try:
            step(history, **drawn)
        except Lost as lost:
            history.lost.append(str(lost))
            if len(history.lost) > MOST_LOST:
                raise
            hypothesis.reject()
        except Violation as violation:
            text = playbook(history.steps, history.host.release, str(violation))
            if history.survey is None:
                raise Violation(violation.group, text) from None
            history.survey.append(text)
            history.over = True

    return guarded


Task = t.Callable[["History"], None]


def _task(does: t.Callable[..., None], **drawn: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Task]:
    """Something that is done to a history with what is drawn."""
    return st.fixed_dictionaries(drawn).map(lambda given: lambda history: does(history, **given))


_choice = st.integers(0, 99)
_whole = world.weighted((2, False), (1, True))
tasks = world.mixed(
    (4, _task(lambda history, **given: history.add(**given), items=world.declarations, whole=_whole)),
    (
        9,
        _task(
            lambda history, **given: history.change(**given),
            choice=_choice,
            kinds=changes.kinds,
            number=world.numbers,
            whole=_whole,
        ),
    ),
    (2, _task(lambda history, **given: history.withdraw(**given), choice=_choice, prune=st.booleans())),
    (1, _task(lambda history, **given: history.go_back(**given), choice=_choice)),
)


class History(RuleBasedStateMachine):
    """One history: a few units to begin with, then tasks, before each of which something may happen.

    Class attributes are set by who runs it.

    :ivar lost: what the machine failed with, for each history that it ended.
    :ivar survey: a list takes every violation and lets the run go on; None ends it with the first one.
    """

    host: Host
    lost: t.ClassVar[list[str]] = []
    survey: list[str] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.declared: Declared = {}
        self.applied: Declared = {}
        self.in_set: set[Key] = set()  # what was applied as a part of the set, which alone prunes and goes back
        self.generations: dict[int, Declared] = {}  # what the set had in each
        self.steps: list[dict[str, t.Any]] = []
        self.disturbed: set[Key] = set()  # items since whose last application something happened
        self.sick = False
        self.full = False  # the disk is
        self.fired: set[Key] = set()  # items whose trigger changed since they were applied
        self.left: set[tuple[str, str]] = set()  # see ``runs_left``
        self.seen: dict[str, t.Any] = {}  # the host as the last step left it
        self.over = False

    @initialize(first=st.tuples(*(world.services([name]) for name in world.SERVICES[:2]), world.declarations))
    @_guarded
    def begin(self, first: tuple[list[world.Item], ...]) -> None:
        self.host.clean()
        self.happen([accidents.MAKE_VENDOR])
        for items in first:
            self.add(items, False)

    # hypothesis leaves rules out of a history at random, and few of them alone lead anywhere: so there is one rule.
    @rule(task=tasks, before=accidents.between)
    @_guarded
    def perform(self, task: Task, before: list[str]) -> None:
        self.happen(before)
        self.full = accidents.FILL_UP in before
        task(self)
        if self.full:
            self.happen([accidents.MAKE_ROOM])
            self.full = False

    def add(self, items: list[world.Item], whole: bool) -> None:
        """Declare new items, or others in the place of those with the same name."""
        for item in items:
            self.declared[key_of(item)] = item
        self.apply(items, whole)

    def change(self, choice: int, kinds: tuple[str, ...], number: int, whole: bool) -> None:
        """Let one item become another one."""
        for key in self.pick(choice):
            old = self.declared[key]
            self.declared[key] = changes.changed(old, kinds, number)
            self.apply([self.declared[key]], whole, changes.is_light(old, self.declared[key]))

    def withdraw(self, choice: int, prune: bool) -> None:
        """Declare a unit no more: by what the set leaves out, or by ``state: absent``."""
        for name, _dropin in self.pick(choice):
            gone = [self.declared.pop(key) for key in list(self.declared) if key[0] == name]
            self.fired = {key for key in self.fired if key[0] != name}
            rest = in_scope(self.declared.values(), name)
            if prune and rest and self.in_set.issuperset(map(key_of, gone)):
                self.apply(rest, True)
            elif any(not item.get("dropin") for item in gone):
                self.apply([{"name": name, "state": "absent"}], False)

    def go_back(self, choice: int) -> None:
        """Bring the set back to some generation; where there is none yet, make one of all that is declared."""
        numbers = sorted(self.generations)[-4:]
        if not numbers:
            for key in self.pick(choice):
                self.apply([self.declared[key]], True)
            return
        number = numbers[choice % len(numbers)]
        target = {key: as_kept(item) for key, item in self.generations[number].items()}
        others = {key: item for key, item in self.declared.items() if world.is_users(key[0]) or key not in self.in_set}
        self.declared = {**others, **target}
        self.call("rollback", {"set_name": SET_NAME, "to": str(number)}, list(target.values()))

    def pick(self, choice: int) -> list[Key]:
        """One of the keys of what is declared, most often that of a service; none when nothing is."""
        often = (*world.SERVICES, world.TEMPLATE)
        keys = [key for key in sorted(self.declared) for _time in range(3 if key[0] in often else 1)]
        return keys[choice % len(keys) :][:1] if keys else []

    def left_out(self, items: list[world.Item]) -> set[str]:
        """The units that the set had, and has no more with these items."""
        had = in_scope((self.applied[key] for key in self.in_set), items[0]["name"])
        units = {unit for item in had if _is_whole(item) for unit in declared_units(item)}
        return units - {unit for item in items for unit in declared_units(item)}

    def note_set(self, items: list[world.Item], whole: bool) -> None:
        """Note which items are of the set after a task."""
        if whole:
            users = world.is_users(items[0]["name"])
            self.in_set = {key for key in self.in_set if world.is_users(key[0]) != users}
            self.in_set |= set(map(key_of, items))
        else:
            self.in_set -= set(map(key_of, items))

    # In between

    def happen(self, scripts: list[str]) -> None:
        for script in scripts:
            if script == accidents.REBOOT:
                self.steps.append({"reboot": True})
                self.host.reboot()
                self.sick = False
            else:
                self.steps.append({"shell": script})
                self.host.shell(script)
            self.sick = script == accidents.FALL_SICK or (self.sick and script != accidents.GET_WELL)
            if script == accidents.FIRE:
                self.fired |= {key for key, item in self.applied.items() if item.get("triggers")}
            self.disturbed |= self.applied.keys()
            self.seen = {}

    # One application

    def apply(self, items: list[world.Item], whole: bool, light: bool = False) -> None:
        """Declare items, or with *whole* everything of their manager."""
        name = items[0]["name"]
        # It costs half of the time of a run, and has tests of its own.
        verify = len(self.steps) % 5 == 0
        arguments: dict[str, t.Any] = {"units": items, "fail_on": "never", **({} if verify else {"verify": False})}
        if whole:
            arguments.update(units=in_scope(self.declared.values(), name), set_name=SET_NAME, prune=True)
        if world.is_users(name):
            arguments.update(scope="user", user=world.USER)
        succeeded = self.call("units", arguments, arguments["units"], light)
        if succeeded and whole and not world.is_users(name):
            # A run that changes nothing makes none.
            kept = {key_of(item): item for item in arguments["units"]}
            self.generations.setdefault(self.seen["generation"], kept)

    def call(self, module: str, arguments: dict[str, t.Any], items: list[world.Item], light: bool = False) -> bool:
        """Call a module as check mode, in earnest and again, and judge it; returns whether it succeeded."""
        self.steps.append({module: arguments})
        whole = "set_name" in arguments
        host, before = self.host, self.seen or self.host.look()
        known = [*self.applied.values(), *self.declared.values(), *items]
        predicted = host.call(module, arguments, check=True)
        # Each look costs as much as a run: what check mode moved also shows in what the real run did and did not say.
        after_check = host.look() if len(self.steps) % 4 == 0 else {}
        real = host.call(module, arguments)
        after = host.look()
        failed = bool(real.result.get("failed"))
        # A machine whose tasks are mostly refused tests little.
        host.outcomes["refused" if predicted.result.get("failed") else "failed" if failed else "succeeded"] += 1
        again = None if failed else host.call(module, arguments)
        self.seen = after_again = after if failed else host.look()
        judge(
            Step(
                items,
                before,
                predicted,
                after_check,
                real,
                after,
                again,
                after_again,
                self.left_out(items) if whole else (),
                known,
                self.sick,
                self.full,
                {name for name, _dropin in self.fired},
                failed or not self.disturbed.isdisjoint(map(key_of, items)),
                light,
                self.left,
            )
        )
        if failed:
            # The host is as it was; so is what is declared.
            self.declared = dict(self.applied)
        else:
            self.left |= runs_left(real.result, items, after)
            self.applied = dict(self.declared)
            self.note_set(items, whole)
            self.in_set &= self.applied.keys()
            self.fired -= {key_of(item) for item in items}
            self.disturbed -= set(map(key_of, items))
        return not failed

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state machine: random histories of declarations and accidents on a real host, each step judged."""

from __future__ import annotations

import functools
import typing as t

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from property import world
from property.host import Host, Lost
from property.judge import Step, Violation, judge
from property.story import playbook

SET_NAME = "property"
MOST_LOST = 5
Key = tuple[str, str]


def key_of(item: world.Item) -> Key:
    return item["name"], item.get("dropin", "")


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


class History(RuleBasedStateMachine):
    """One history. Class attributes are set by who runs it.

    :ivar lost: what the machine failed with, for each history that it ended.
    :ivar survey: a list takes every violation and lets the run go on; None ends it with the first one.
    """

    host: Host
    reboots = False
    lost: t.ClassVar[list[str]] = []
    survey: list[str] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.declared: dict[Key, world.Item] = {}
        self.applied: dict[Key, world.Item] = {}
        self.steps: list[dict[str, t.Any]] = []
        self.disturbed = True
        self.sick = False
        self.fired: set[Key] = set()  # items whose trigger changed since they were applied
        self.seen: dict[str, t.Any] = {}  # the host as the last step left it
        self.over = False

    @initialize()
    @_guarded
    def clean_host(self) -> None:
        self.host.clean()
        self.host.shell(world.MAKE_VENDOR)
        self.steps.append({"shell": world.MAKE_VENDOR})

    # Declarations

    @rule(items=world.declarations, whole=st.booleans())
    @_guarded
    def declare(self, items: list[world.Item], whole: bool) -> None:
        """New items, or others in the place of those with the same name."""
        for item in items:
            self.declared[key_of(item)] = item
        self.apply(list(self.declared.values()) if whole else items, whole)

    @precondition(lambda self: self.declared)
    @rule(choice=st.integers(0, 99), kind=world.changes, number=world.numbers, whole=st.booleans())
    @_guarded
    def change(self, choice: int, kind: str, number: int, whole: bool) -> None:
        key = self.pick(choice)
        self.declared[key] = world.changed(self.declared[key], kind, number)
        light = kind in ("description", "order")
        self.apply(list(self.declared.values()) if whole else [self.declared[key]], whole, light)

    @precondition(lambda self: self.declared)
    @rule(choice=st.integers(0, 99), prune=st.booleans())
    @_guarded
    def withdraw(self, choice: int, prune: bool) -> None:
        """Declare a unit no more: by what the set leaves out, or by ``state: absent``."""
        name = self.pick(choice)[0]
        gone = [self.declared.pop(key) for key in list(self.declared) if key[0] == name]
        self.fired = {key for key in self.fired if key[0] != name}
        absent = [{"name": name, "state": "absent"}] if any(not item.get("dropin") for item in gone) else []
        if prune and self.declared:
            self.apply(list(self.declared.values()), True)
        elif absent:
            self.apply(absent, False)

    @precondition(lambda self: self.declared)
    @rule()
    @_guarded
    def again(self) -> None:
        self.apply(list(self.declared.values()), True, light=True)

    def pick(self, choice: int) -> Key:
        return sorted(self.declared)[choice % len(self.declared)]

    # In between

    @rule(script=world.accidents)
    @_guarded
    def meanwhile(self, script: str) -> None:
        self.steps.append({"shell": script})
        self.host.shell(script)
        self.sick = script == world.FALL_SICK or (self.sick and script != world.GET_WELL)
        if script == world.FIRE:
            self.fired |= {key for key, item in self.applied.items() if item.get("triggers")}
        self.disturbed = True
        self.seen = {}

    @precondition(lambda self: self.reboots and self.declared)
    @rule()
    @_guarded
    def reboot(self) -> None:
        self.steps.append({"reboot": True})
        self.host.reboot()
        self.sick, self.disturbed = False, True
        self.seen = {}

    # One application

    def apply(self, items: list[world.Item], whole: bool, light: bool = False) -> None:
        arguments = {
            "units": items,
            "fail_on": "never",
            "set_name": SET_NAME if whole else None,
            "prune": whole,
            # It costs half of the time of a run, and has tests of its own.
            "verify": None if len(self.steps) % 5 == 0 else False,
        }
        arguments = {name: value for name, value in arguments.items() if value is not None}
        self.steps.append({"units": arguments})
        host, before = self.host, self.seen or self.host.look()
        known = [*self.applied.values(), *self.declared.values(), *items]
        predicted = host.units(arguments, check=True)
        # Each look costs as much as a run: what check mode moved also shows in what the real run did and did not say.
        after_check = host.look() if len(self.steps) % 4 == 0 else {}
        real = host.units(arguments)
        after = host.look()
        failed = bool(real.result.get("failed"))
        again = None if failed else host.units(arguments)
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
                known,
                self.sick,
                {name for name, _dropin in self.fired},
                self.disturbed or failed,
                light,
            )
        )
        if failed:
            # The host is as it was; so is what is declared.
            self.declared = dict(self.applied)
        else:
            self.applied = dict(self.declared)
            self.fired -= {key_of(item) for item in items}
            self.disturbed = False

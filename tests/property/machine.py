# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state machine: random histories of declarations and accidents on a real host, each step judged."""

from __future__ import annotations

import typing as t

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from property import world
from property.host import Host
from property.judge import Step, Violation, judge
from property.story import playbook

SET_NAME = "property"
Key = tuple[str, str]


def key_of(item: world.Item) -> Key:
    return item["name"], item.get("dropin", "")


class History(RuleBasedStateMachine):
    """One history. Class attribute ``host`` is set by who runs it."""

    host: Host
    reboots = False

    def __init__(self) -> None:
        super().__init__()
        self.declared: dict[Key, world.Item] = {}
        self.applied: dict[Key, world.Item] = {}
        self.steps: list[dict[str, t.Any]] = []
        self.disturbed = True

    @initialize()
    def clean_host(self) -> None:
        self.host.clean()

    # Declarations

    @rule(items=world.declarations, whole=st.booleans())
    def declare(self, items: list[world.Item], whole: bool) -> None:
        """New items, or others in the place of those with the same name."""
        for item in items:
            self.declared[key_of(item)] = item
        self.apply(list(self.declared.values()) if whole else items, whole)

    @precondition(lambda self: self.declared)
    @rule(choice=st.integers(0, 99), kind=world.changes, number=world.numbers, whole=st.booleans())
    def change(self, choice: int, kind: str, number: int, whole: bool) -> None:
        key = self.pick(choice)
        self.declared[key] = world.changed(self.declared[key], kind, number)
        light = kind in ("description", "order")
        self.apply(list(self.declared.values()) if whole else [self.declared[key]], whole, light)

    @precondition(lambda self: self.declared)
    @rule(choice=st.integers(0, 99), prune=st.booleans())
    def withdraw(self, choice: int, prune: bool) -> None:
        """Declare a unit no more: by what the set leaves out, or by ``state: absent``."""
        name = self.pick(choice)[0]
        gone = [self.declared.pop(key) for key in list(self.declared) if key[0] == name]
        absent = [{"name": name, "state": "absent"}] if any(not item.get("dropin") for item in gone) else []
        if prune and self.declared:
            self.apply(list(self.declared.values()), True)
        elif absent:
            self.apply(absent, False)

    @precondition(lambda self: self.declared)
    @rule()
    def again(self) -> None:
        self.apply(list(self.declared.values()), True, light=True)

    def pick(self, choice: int) -> Key:
        return sorted(self.declared)[choice % len(self.declared)]

    # In between

    @rule(script=world.accidents)
    def meanwhile(self, script: str) -> None:
        self.host.shell(script)
        self.steps.append({"shell": script})
        self.disturbed = True

    @precondition(lambda self: self.reboots and self.declared)
    @rule()
    def reboot(self) -> None:
        self.host.reboot()
        self.steps.append({"reboot": True})
        self.disturbed = True

    # One application

    def apply(self, items: list[world.Item], whole: bool, light: bool = False) -> None:
        arguments = {
            "units": items,
            "fail_on": "never",
            "set_name": SET_NAME if whole else None,
            "prune": whole,
        }
        arguments = {name: value for name, value in arguments.items() if value is not None}
        self.steps.append({"units": arguments})
        host, before = self.host, self.host.look()
        predicted = host.units(arguments, check=True)
        after_check = host.look()
        real = host.units(arguments)
        after = host.look()
        failed = bool(real.result.get("failed"))
        again = None if failed else host.units(arguments)
        after_again = after if failed else host.look()
        step = Step(
            items, before, predicted, after_check, real, after, again, after_again, self.disturbed or failed, light
        )
        try:
            judge(step)
        except Violation as violation:
            raise Violation(violation.group, playbook(self.steps, self.host.release, str(violation))) from None
        if failed:
            # The host is as it was; so is what is declared.
            self.declared = dict(self.applied)
        else:
            self.applied = dict(self.declared)
            self.disturbed = False

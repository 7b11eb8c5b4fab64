# SPDX-License-Identifier: GPL-3.0-or-later

"""``rollback`` as Ansible runs it: a task whose declaration is a generation of a set."""

from __future__ import annotations

import contextlib
import gc
import os
import posixpath
import typing as t

from .._engine.accounts import ids_again, plan_accounts
from .._engine.committed import desired_again
from .._engine.contents import Contents
from .._engine.desired import DesiredUnit
from .._engine.generations import Generations, files_of_others
from .._engine.host import Host
from .._engine.plan import Plan
from .._engine.state import HostState
from .options import DeclarationError, confirm_option, health_option, rolling_option, set_options
from .task import Task
from .unit import Module, run_task


def argument_spec() -> dict[str, t.Any]:
    """The options of ``rollback`` as AnsibleModule takes them."""
    return {
        "set_name": {"type": "str", "required": True},
        "to": {"type": "str", "default": "previous"},
        "health": health_option(),
        "confirm": confirm_option(),
        "rolling": rolling_option(),
        "scope": {"type": "str", "choices": ["system", "user", "global"], "default": "system"},
        "user": {"type": "str"},
    }


def run_rollback() -> None:
    """The module ``rollback``."""
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    gc.disable()  # as in unit
    try:
        run_task(module, Rollback(module.params, module.check_mode, module._diff))
    finally:
        gc.enable()


class Rollback(Task):
    """The way to an earlier generation, or to a later one."""

    def __init__(self, options: t.Mapping[str, t.Any], check_mode: bool, diff_mode: bool) -> None:
        params = {name: spec.get("default") for name, spec in set_options().items()}
        # What is gone back to has been found good once, by the rules and the systemd of its day. Instances that it does
        # not list go.
        params.update(verify=False, fail_on="never", keep_generations=0, prune=True)
        params.update({name: options[name] for name in ("set_name", "scope", "user", "confirm", "rolling")})
        super().__init__(params, [], False, check_mode, diff_mode)
        self.to = options["to"]
        self.health = options["health"]
        self.number = 0
        self._locked: str | None = None

    def _lock(self) -> str:
        if self._locked is None:
            self._locked = super()._lock()
        return self._locked

    def _declared(self, host: Host) -> list[DesiredUnit]:
        self._lock()  # before the generations are read
        self._generations = generations = Generations(self.store, self.params["set_name"])
        current = generations.current()
        try:
            self.number = self._chosen(generations)
            generation = generations.read(self.number)
            others = files_of_others(self.store, self.params["set_name"])
            desired = desired_again(generation["items"], generations.items(), others, self.number, self.health)
            self._add_accounts(desired, generation.get("accounts", ()))
        except ValueError as error:
            raise DeclarationError([f"to: {error}"]) from None
        except (LookupError, TypeError, AttributeError) as error:
            raise DeclarationError([f"to: generation {self.number} is malformed ({error!r})"]) from None
        self.warnings += [
            f"{file.path} stays as it is: set {others[file.path]['set']} has it, too"
            for file in (file for unit in desired for file in unit.files)
            if file.left and file.path in others
        ]
        self._check_contents(host.contents, desired)
        self.result["generation"] = {"from": current, "to": self.number}
        return desired

    def _add_accounts(self, desired: t.Sequence[DesiredUnit], entries: t.Sequence[t.Mapping[str, t.Any]]) -> None:
        """Have the users made that are gone since, and their files belong to them. A user of today stays."""
        self.accounts = plan_accounts(entries)
        uids, gids = ids_again(entries, self.accounts)
        for unit in desired:
            unit.files = [
                file._replace(uid=uids.get(file.uid, file.uid), gid=gids.get(file.gid, file.gid)) for file in unit.files
            ]

    def _to_prune(self, host: Host, desired: t.Sequence[DesiredUnit]) -> list[DesiredUnit]:
        """Nothing more: the generations say what goes."""
        return []

    def _chosen(self, generations: Generations) -> int:
        if self.to.isdigit():
            return int(self.to)
        if self.to != "previous":
            raise ValueError(f"{self.to!r} is neither 'previous' nor the number of a generation")
        previous = _previous(generations)
        if not previous:
            kept = ", ".join(map(str, generations.numbers())) or "none"
            raise ValueError(f"set {generations.set_name} has no earlier generation on this host; kept: {kept}")
        return previous

    def _check_contents(self, contents: Contents, desired: t.Sequence[DesiredUnit]) -> None:
        for file in (file for unit in desired for file in unit.files):
            path = posixpath.dirname(file.path)
            if file.of_release and not os.path.isdir(f"{path}/{file.target}"):
                version = posixpath.basename(file.target)
                raise DeclarationError([f"to: version {version} of {path}, of generation {self.number}, is gone"])
            if file.kind == "file" and not contents.kept(file.digest):
                raise DeclarationError(
                    [f"to: the content that {file.path} has in generation {self.number} is gone from {contents.folder}"]
                )

    def _generation_after(
        self, plan: Plan, state: HostState, desired: t.Sequence[DesiredUnit]
    ) -> dict[str, t.Any] | None:
        return {"set": self.params["set_name"], "current": self.number}


def _previous(generations: Generations) -> int:
    """The number of the one that the host was in before the present one was deployed; 0 for none that is kept.

    What somebody went back from is not among them: it was no good.
    """
    numbers, current = generations.numbers(), generations.current()
    with contextlib.suppress(ValueError):
        follows = generations.read(current).get("follows")
        if follows is not None:
            return int(follows) if follows in numbers else 0
    return max((number for number in numbers if number < current), default=0)  # it says nothing of that

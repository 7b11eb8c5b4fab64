# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done, in order, each step with its reason. No I/O."""

from __future__ import annotations

import typing as t

from .._model import Change
from .accounts import Accounts

if t.TYPE_CHECKING:
    from .release_plan import ReleaseStep


class Step(t.NamedTuple):
    """One thing that a plan does, and why."""

    action: str  # write, remove, enable, restart, ...: the names that the modules document
    unit: str  # empty for daemon-reload
    reason: str


class Swap(t.NamedTuple):
    """One instance of a template that serves in the place of another one.

    :ivar old: the one that served; empty when none did.
    :ivar link: path of the link that leads to what belongs to the instance that serves; empty for none.
    :ivar command: what sends the requests to ``new``; ``back`` to the one that served.
    :ivar drain: seconds from then on until ``old`` is stopped.
    """

    new: str
    old: str
    link: str
    command: t.Sequence[str]
    back: t.Sequence[str]
    drain: float


class Plan:
    """What to do, in the order in which it is done. Every mapping is ``{unit: reason}``.

    :ivar stop_start: stopped before the files change and started after that.
    :ivar restart: restarted after the files changed.
    :ivar restarted_with: units that systemd restarts with another one, and that have to run again in the end.
    :ivar stopped_with: units that go down for good with one that is stopped.
    :ivar reloaded_with: units that systemd reloads with another one.
    :ivar started_with: units that systemd starts because of one that is started; nobody waits for them.
    :ivar displaced: units that systemd stops because of one that is started.
    :ivar left_running: running units with a change that takes effect later or needs nothing.
    :ivar changes: those of unit files; ``files``: those of all other files, which are nothing to the manager.
    :ivar dangerous: the units that may do something to the host, such as a reboot, when they end; see ``no_reboot``.
    :ivar lasting: the services that fail the transaction when they have ended after their restart.
    :ivar followers: the units that systemd may start because of one that the plan starts: when it fails or ends, or
        when it is a path, a socket or a timer.
    :ivar releases: ``{(unit, path): the versions that are made and removed for it}``.
    :ivar held_timers: ``{timer: unit}``: the units of running timers whose schedule changes, which shall not start
        just because of that.
    :ivar rolling: the units of ``restart`` that are restarted in turn, in groups; each is up for ``min_healthy_time``
        seconds before the next one.
    :ivar swaps: carried out when everything is up; after them, ``retired`` are stopped.
    :ivar health: ``{unit: option health}``; ``old_health``: the same of the units before the plan.
    :ivar sums: ``{unit: {path: checksum}}`` of triggers, for the record.
    :ivar accounts: users and groups to make first, or to remove in the end.
    :ivar link_names: units that are enabled or disabled through ``Also=``.
    """

    def __init__(self) -> None:
        self.stop: dict[str, str] = {}
        self.stop_start: dict[str, str] = {}
        self.changes: list[Change] = []
        self.files: list[Change] = []
        self.releases: dict[tuple[str, str], ReleaseStep] = {}
        self.disable: dict[str, str] = {}
        self.enable: dict[str, str] = {}
        self.reenable: dict[str, str] = {}
        self.daemon_reload = ""
        self.reset: dict[str, str] = {}
        self.restart: dict[str, str] = {}
        self.start: dict[str, str] = {}
        self.reload: dict[str, str] = {}
        self.restarted_with: dict[str, str] = {}
        self.reloaded_with: dict[str, str] = {}
        self.left_running: dict[str, str] = {}
        self.stopped_with: dict[str, str] = {}
        self.started_with: dict[str, str] = {}
        self.displaced: dict[str, str] = {}
        self.dangerous: dict[str, list[str]] = {}
        self.lasting: list[str] = []
        self.followers: list[str] = []
        self.held_timers: dict[str, str] = {}
        self.rolling: list[list[str]] = []
        self.min_healthy_time = 0.0
        self.swaps: list[Swap] = []
        self.retired: dict[str, str] = {}
        self.health: dict[str, t.Mapping[str, t.Any]] = {}
        self.old_health: dict[str, t.Mapping[str, t.Any]] = {}
        self.sums: dict[str, dict[str, str]] = {}
        self.link_names: set[str] = set()
        self.linger: bool | None = None
        self.accounts = Accounts()
        self.manager_unit = ""
        self.warnings: list[str] = []

    def steps(self) -> list[Step]:
        """Every step in order, for the result; the same in check mode and in the real run."""
        steps = []
        if self.linger is not None:
            verb = "enable" if self.linger else "disable"
            steps.append(Step(verb, self.manager_unit, f"linger: {str(self.linger).lower()}"))
        steps += [Step("write", "", reason) for reason in self.accounts.reasons_to_make()]
        steps += _steps("stop", self.stop, self.stopped_with)
        # Before the files change: what to disable may stand in the [Install] section that goes.
        steps += _steps("disable", self.disable)
        late = self.late()
        early = [change for change in (*self.files, *self.changes) if change not in late]
        steps += [Step(change.action, change.unit, change.reason) for change in early]
        steps += _steps("reenable", self.reenable)
        steps += _steps("enable", self.enable)
        if self.daemon_reload:
            steps.append(Step("daemon-reload", "", self.daemon_reload))
        steps += _steps("reset-failed", self.reset)
        steps += _steps("stop", self.displaced)
        steps += _steps("restart", self.stop_start, self.restart, self.restarted_with)
        steps += _steps("start", self.start, self.started_with)
        steps += _steps("reload", self.reload, self.reloaded_with)
        steps += [Step(change.action, change.unit, change.reason) for change in late]
        steps += [Step("switch", swap.new, "swap: it serves from now on") for swap in self.swaps]
        steps += _steps("stop", self.retired)
        for (unit, _path), release in self.releases.items():
            steps += [Step("remove", unit, reason) for reason in release.removed.values()]
        steps += [Step("remove", "", reason) for reason in self.accounts.reasons_to_remove()]
        steps += _steps("none", self.left_running)
        return steps

    def changed(self) -> bool:
        """Whether anything is done at all."""
        return any(step.action != "none" for step in self.steps())

    def needs_manager(self) -> bool:
        """Whether the manager must run for it; files alone do not need it."""
        groups = (
            self.stop,
            self.stop_start,
            self.disable,
            self.reenable,
            self.enable,
            self.reset,
            self.restart,
            self.start,
            self.reload,
        )
        return bool(self.daemon_reload or any(groups))

    def acted_on(self) -> list[str]:
        """The units whose run state the plan touches and that shall run afterwards."""
        groups = (self.stop_start, self.restart, self.restarted_with, self.start, self.reload, self.reloaded_with)
        return list(dict.fromkeys(unit for group in groups for unit in group))

    def restarted(self) -> list[str]:
        """The units that ran before and get a new invocation, with those that systemd restarts with them."""
        return [*self.restart, *self.stop_start, *self.restarted_with]

    def written(self) -> list[Change]:
        """Every change on the disk. The one without a path is only for the report."""
        return [*self.files, *(change for change in self.changes if change.path)]

    def late(self) -> list[Change]:
        """The links that are changed when what they lead to is up."""
        links = [swap.link for swap in self.swaps]
        return [change for change in self.files if change.path in links]

    def touched(self) -> list[str]:
        """Every unit the plan speaks of."""
        moved = [*self.stop, *self.retired, *self.stopped_with, *self.displaced, *self.started_with]
        names = [*moved, *(change.unit for change in self.changes), *self.disable]
        return list(dict.fromkeys([*names, *self.enable, *self.reenable, *self.reset, *self.acted_on()]))

    def is_restarted(self, unit: str) -> bool:
        """Whether the plan itself starts a unit anew, or reloads it."""
        return any(unit in group for group in (self.restart, self.stop_start, self.reload))

    def take_out(self, unit: str, *groups: dict[str, str]) -> str:
        """Remove a unit from groups; returns the first reason it stood there for."""
        reasons = [group.pop(unit, "") for group in groups]
        return next(filter(None, reasons), "")


def _steps(action: str, *groups: t.Mapping[str, str]) -> list[Step]:
    return [Step(action, unit, reason) for group in groups for unit, reason in group.items()]

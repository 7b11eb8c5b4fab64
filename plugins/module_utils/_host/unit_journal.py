# SPDX-License-Identifier: GPL-3.0-or-later

"""What the journal holds of one unit since a moment. No I/O."""

from __future__ import annotations

import typing as t

from .journal import Entry, message_of, number_of, parse_entries

_READ_FOR_EACH_LINE = 20  # entries that are read for each line that is wanted: many may be of other processes


class UnitQuery(t.NamedTuple):
    """Which entries of the journal are about a unit, also those that journald could not assign to it.

    A process that has ended when journald reads its line has no unit and no invocation any more; the child of the
    manager is in init.scope until it is moved. Such entries are known by invocation or by PID.
    """

    unit: str
    since: float  # seconds of CLOCK_MONOTONIC in this boot
    invocation: str = ""
    pids: tuple[str, ...] = ()  # of the unit's processes
    uid: int | None = None  # whose manager it is; None for the system's

    def argv(self, now: float, monotonic: float, lines: int) -> list[str]:
        """The call of journalctl.

        :param now: ``time.time()`` and :param monotonic: ``time.monotonic()`` at this moment.
        :param lines: how many lines ``lines_of`` is to be asked for.
        """
        user, owner = ("", "0") if self.uid is None else ("USER_", str(self.uid))
        by_manager = ([], ["_UID=0"]) if self.uid is None else ([f"_UID={owner}"], [f"_UID={owner}"])
        matches = [
            [*by_manager[0], f"_SYSTEMD_{user}UNIT={self.unit}"],
            [*by_manager[1], f"{user}UNIT={self.unit}"],
        ]
        if self.invocation:
            matches.append([*by_manager[0], f"_SYSTEMD_INVOCATION_ID={self.invocation}"])
            matches.append([*by_manager[1], f"{user}INVOCATION_ID={self.invocation}"])
        if self.pids:
            matches.append([*by_manager[0], *(f"_PID={pid}" for pid in self.pids)])
        fields = ["MESSAGE", "SYSLOG_IDENTIFIER", "_PID", f"_SYSTEMD_{user}UNIT", f"{user}UNIT"]
        fields += ["_SYSTEMD_INVOCATION_ID", f"{user}INVOCATION_ID"]
        return [
            "journalctl",
            "--quiet",
            "--no-pager",
            "--output=json",
            f"--lines={lines * _READ_FOR_EACH_LINE}",
            f"--since=@{now - (monotonic - self.since) - 1.0:.6f}",
            f"--output-fields={','.join(fields)}",
            *(word for number, match in enumerate(matches) for word in ([*(["+"] if number else []), *match])),
        ]

    def lines_of(self, text: str, lines: int) -> list[str]:
        """The newest lines in the output of the call: what the unit's processes said, then what systemd said of it."""
        own: list[str] = []
        by_manager: list[str] = []
        for entry in parse_entries(text):
            if self._matches(entry):
                shown = [line for line in message_of(entry).split("\n") if line.strip()]
                (by_manager if self._is_of_manager(entry) else own).extend(shown)
        tail = by_manager[-max(lines - len(own), lines // 4, 1) :]
        return [*own[max(0, len(own) - (lines - len(tail))) :], *tail]

    def _matches(self, entry: Entry) -> bool:
        if number_of(entry, "__MONOTONIC_TIMESTAMP") < self.since * 1e6:
            return False
        user = "" if self.uid is None else "USER_"
        named = {entry.get(f"_SYSTEMD_{user}UNIT"), entry.get(f"{user}UNIT")}
        ids = {entry.get("_SYSTEMD_INVOCATION_ID"), entry.get(f"{user}INVOCATION_ID")}
        if self.unit in named or (self.invocation and self.invocation in ids):
            return True
        # A PID may have been another unit's before: such an entry names that unit.
        return entry.get("_PID") in self.pids and named <= {None, "init.scope"}

    def _is_of_manager(self, entry: Entry) -> bool:
        return entry.get("SYSLOG_IDENTIFIER") == "systemd" and entry.get("_PID") not in self.pids

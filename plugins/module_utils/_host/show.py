# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the state of units: the parser of ``systemctl show``, and who asks one manager."""

from __future__ import annotations

import typing as t

from .manager import Manager

States = dict[str, dict[str, str]]  # by each name of a unit: {property: value}
_MANY_UNITS = 50  # from so many on a second systemctl is worth its start
PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "CanReload",
    "CanStart",
    "CanStop",
    "Accept",
    "InvocationID",
    "InactiveExitTimestampMonotonic",
    "Job",
    "MainPID",
    "NRestarts",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "Type",
    "RemainAfterExit",
    "NFileDescriptorStore",
    "RefreshOnReload",
    "ConditionResult",
    "ConditionTimestampMonotonic",
    "LoadError",
    "TriggeredBy",
    "Triggers",
    "RequiredBy",
    "BoundBy",
    "ConsistsOf",
    "RequisiteOf",
    "PropagatesStopTo",
    "PropagatesReloadTo",
    "Requires",
    "Requisite",
    "BindsTo",
    "Wants",
    "Upholds",
    "UpheldBy",
    "Conflicts",
    "ConflictedBy",
)


class StateReader:
    """Asks one manager for the run state of its units."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def show(self, names: t.Iterable[str], properties: t.Sequence[str] = PROPERTIES) -> States:
        """State of units under the asked name and the unit's own.

        Names may be patterns such as ``worker@*.service``, which match loaded units only. Templates have no state
        and may not be asked for. Of a property that is printed more than once the last value counts.

        :raises SystemdError: when the manager does not answer.
        """
        return self.begin(names, properties)()

    def begin(self, names: t.Iterable[str], properties: t.Sequence[str] = PROPERTIES) -> t.Callable[[], States]:
        """Start what ``show`` does; the function returned waits for it and returns the states.

        Many units are asked for by two calls side by side, because systemctl takes as long to read as the manager to
        tell.
        """
        names = list(dict.fromkeys(names))
        wanted = tuple(dict.fromkeys(("Id", "Names", *properties)))
        words = ("show", f"--property={','.join(wanted)}", "--")
        middle = len(names) // 2 if len(names) >= _MANY_UNITS else 0
        calls = [self._manager.begin(*words, *part) for part in (names[:middle], names[middle:]) if part]

        def states() -> States:
            found: States = {}
            for call in calls:
                for unit, values in parse_show(call(), wanted).items():
                    state = {name: printed[-1] for name, printed in values.items()}
                    for name in [unit, *state.get("Names", "").split()]:
                        if name:
                            found[name] = state
            return found

        return states

    def activity(self, names: t.Sequence[str]) -> dict[str, tuple[str, str]]:
        """Active state and sub-state of the units that are loaded: ``{name: (state, sub-state)}``.

        A hundredth of the work of ``show``, which makes the manager tell all properties, whatever it is asked for.
        """
        if not names:
            return {}
        found = {}
        out = self._manager.ask("list-units", "--all", "--full", "--plain", "--no-legend", "--", *names)
        for line in out.split("\n"):
            words = line.split(None, 4)
            if len(words) >= 4:
                found[words[0]] = (words[2], words[3])
        return found


def parse_show(text: str, properties: t.Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Output of ``systemctl show --property=...`` -> ``{Id: {property: [value, ...]}}``.

    A property that is printed once for each of its items has several values. A line that does not start with the name
    of an asked property goes on the value before it, because a command line may hold a line break.

    :param properties: the names that were asked for, Id among them.
    """
    names = frozenset(properties)
    units: dict[str, dict[str, list[str]]] = {}
    block: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in [*text.split("\n"), ""]:
        name, equals, value = line.partition("=")
        if equals and name in names:
            last = block.setdefault(name, [])
            last.append(value)
        elif line:
            if last:
                last[-1] += "\n" + line
        elif "Id" in block:
            units[block["Id"][0]] = before = block
            block = {}
        elif before:  # the empty line stood inside a value of the unit before
            for other, values in block.items():
                before.setdefault(other, []).extend(values)
            block = {}
    return units

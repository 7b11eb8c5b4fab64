# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd's programs say about units: state, dependencies, exposure, journal; one call of each for all units."""

from __future__ import annotations

import fnmatch
import time
import typing as t

from .._graph.edges import SHOW_PROPERTIES
from .._graph.graph import Graph
from .._graph.live import from_show
from .._model import WARNING, Finding
from .._syntax.names import is_template
from .._syntax.words import shorten
from .journal_lines import JOURNAL_FIELDS, iso_time, told_by_unit
from .manager import Manager
from .properties import (
    GRAPH_PROPERTIES,
    STATE_PROPERTIES,
    listen_items,
    result_key,
    split_list,
    timer_items,
    typed_property,
)
from .security import parse_security
from .show import parse_show
from .systemd import Reply, SystemdError

_MAX_JOURNAL_ENTRIES = 20000  # one call reads at most so many of the newest entries
_JOURNAL_BY_UNIT = 60  # for more units the newest entries of the whole journal are read and sorted here
_ANALYZE_TIMEOUT = 300.0  # seconds

Properties = dict[str, list[str]]


class RuntimeInfo:
    """The answers of one manager. ``ask_state`` starts asking; whoever needs an answer waits for it.

    :ivar findings: programs that did not answer.
    """

    def __init__(self, systemd: Manager) -> None:
        self._systemd = systemd
        self._properties: list[str] = []
        self._state_call: t.Callable[[], Reply] | None = None
        self._security_call: t.Callable[[], Reply] | None = None
        self._journal_call: t.Callable[[], Reply] | None = None
        self._units: dict[str, Properties] | None = None
        self._names: dict[str, Properties] = {}
        self._wanted: frozenset[str] = frozenset()
        self._security: dict[str, dict[str, t.Any]] | None = None
        self._journal: dict[str, dict[str, list[t.Any]]] | None = None
        self._journal_lines = 0
        self._graph: Graph | None = None
        self._clocks = (time.time(), time.monotonic())
        self.findings: list[Finding] = []

    # systemctl show

    def ask_state(self, names: t.Sequence[str], globs: t.Sequence[str], what: t.Container[str]) -> None:
        """Ask for the properties of the named units, and of those loaded ones that a glob matches."""
        if not self._systemd.has_manager:
            return
        self._properties = list(STATE_PROPERTIES)
        patterns = [*globs]
        if "dependencies" in what:
            self._properties += [p for p in GRAPH_PROPERTIES if p not in self._properties]
            patterns = ["*"]  # who falls with a unit can only be told from all units that are loaded
        asked = [name for name in names if not is_template(name)] + patterns
        if asked and (globs or any(aspect in what for aspect in ("state", "dependencies", "drift"))):
            options = ["--timestamp=us+utc", "--property=" + ",".join(self._properties)]
            self._state_call = self._systemd.runner.begin(
                self._systemd.systemctl("show", *options, "--", *asked), _ANALYZE_TIMEOUT
            )

    def _shown(self) -> dict[str, Properties]:
        if self._units is None:
            self._units = {}
            if self._state_call is not None:
                reply = self._state_call()
                if reply.code != 0 and not reply.out.strip():
                    raise SystemdError(f"systemctl show: {reply.words()}")
                self._units = parse_show(reply.out, self._properties)
                self._clocks = (time.time(), time.monotonic())
            for unit_id, properties in self._units.items():
                for name in [unit_id, *typed_property("Names", properties.get("Names", ()))]:
                    self._names[name] = properties
        return self._units

    def matching(self, globs: t.Sequence[str]) -> list[str]:
        """Loaded units of which a name matches a glob, by their own name."""
        found = []
        for unit_id, properties in self._shown().items() if globs else ():
            if properties.get("LoadState") != ["not-found"]:
                names = [unit_id, *typed_property("Names", properties.get("Names", ()))]
                if any(fnmatch.filter(names, pattern) for pattern in globs):
                    found.append(unit_id)
        return found

    def properties(self, name: str) -> Properties:
        """The properties of a unit under any of its names, as text; empty when systemd was not asked for it."""
        self._shown()
        return self._names.get(name, {})

    def state(self, name: str) -> dict[str, t.Any] | None:
        """The live state with typed values; None for what has none, such as a template."""
        shown = self.properties(name)
        if not shown:
            return None
        names = [p for p in STATE_PROPERTIES if p in shown]
        state = {result_key(p): typed_property(p, shown[p]) for p in names}
        if name.endswith(".timer"):
            state["timer"] = self._timer(shown)
        if name.endswith(".socket"):
            state["listen"] = listen_items(shown.get("Listen", ()))
        for internal in ("timers_calendar", "timers_monotonic"):
            state.pop(internal, None)
        return state

    def _timer(self, shown: Properties) -> dict[str, t.Any]:
        """When it elapses next, when it did last, and by which settings. A monotonic time is told as time of day."""
        times = [typed_property("NextElapseUSecRealtime", shown.get("NextElapseUSecRealtime", ()))]
        span = typed_property("NextElapseUSecMonotonic", shown.get("NextElapseUSecMonotonic", ()))
        if isinstance(span, (int, float)) and span:
            now, monotonic = self._clocks
            times.append(iso_time(now + span - monotonic))
        settings = [*shown.get("TimersCalendar", ()), *shown.get("TimersMonotonic", ())]
        return {
            "next_elapse": min((time for time in times if time), default=None),
            "last_trigger": typed_property("LastTriggerUSec", shown.get("LastTriggerUSec", ())),
            "settings": [{"directive": item.directive, "value": item.value} for item in timer_items(settings)],
        }

    def dependencies(self, name: str) -> dict[str, t.Any] | None:
        """Dependencies both ways and who falls with it; None for what has none, such as a template."""
        shown = self.properties(name)
        if not shown:
            return None
        if self._graph is None:
            wanted = frozenset(GRAPH_PROPERTIES)
            self._graph = from_show(
                {
                    unit: {p: " ".join(split_list(v[-1])) for p, v in found.items() if p in wanted}
                    for unit, found in self._shown().items()
                }
            )
        unit_id = shown["Id"][0]
        result: dict[str, t.Any] = {}
        for name_of in SHOW_PROPERTIES:
            others = typed_property(name_of, shown.get(name_of, ()))
            if others:
                result[result_key(name_of)] = sorted(others)
        return {**result, **_falls_with(unit_id, self._graph)}

    # systemd-analyze security and journalctl

    def ask_rest(self, names: t.Sequence[str], what: t.Container[str], journal_lines: int) -> None:
        """Ask for exposure and journal of these units."""
        self._wanted = frozenset(names)
        services = [n for n in names if n.endswith(".service") and not is_template(n) and self._is_loaded(n)]
        if "security" in what and services and self._systemd.has_manager:
            scope = ["--user"] if self._systemd.scope == "user" else []
            argv = ["systemd-analyze", *scope, "--no-pager", "security", "--", *services]
            self._security_call = self._systemd.runner.begin(argv, _ANALYZE_TIMEOUT)
        if "journal" in what and names and self._systemd.has_manager:
            self._journal_lines = journal_lines
            self._journal_call = self._systemd.runner.begin(self._journalctl(names), _ANALYZE_TIMEOUT)

    def _is_loaded(self, name: str) -> bool:
        shown = self.properties(name)
        return not shown or shown.get("LoadState") == ["loaded"]

    def _journalctl(self, names: t.Sequence[str]) -> list[str]:
        entries = min(_MAX_JOURNAL_ENTRIES, max(200, 20 * self._journal_lines * len(names)))
        argv = ["journalctl", "--no-pager", "--quiet", "--output=json", "--reverse", f"--lines={entries}"]
        argv.append("--output-fields=" + ",".join(JOURNAL_FIELDS))
        if self._systemd.scope == "user" and self._systemd.account is not None:
            argv.append(f"_UID={self._systemd.account.pw_uid}")
        elif len(names) <= _JOURNAL_BY_UNIT:
            argv += ["--unit=" + name for name in names]
        return argv

    def security(self, name: str) -> dict[str, t.Any] | None:
        """``{exposure, level, points}``; None for what is no loaded service."""
        if self._security is None:
            self._security = {}
            if self._security_call is not None:
                reply = self._security_call()
                self._security = parse_security(reply.out)
                if not self._security:
                    self._complain("systemd-analyze security", reply)
        shown = self.properties(name)
        return self._security.get(shown["Id"][0] if shown else name)

    def journal(self, name: str) -> dict[str, list[t.Any]]:
        """``journal`` and ``restarts``, see ``told_by_unit``."""
        if self._journal is None:
            self._journal = {}
            if self._journal_call is not None:
                reply = self._journal_call()
                if reply.code != 0 and not reply.out:
                    self._complain("journalctl", reply)
                self._journal = told_by_unit(reply.out, self._wanted, self._journal_lines)
        return self._journal.get(name, {"journal": [], "restarts": []})

    def _complain(self, program: str, reply: Reply) -> None:
        words = shorten(reply.words(), 500)
        self.findings.append(Finding("no-answer", WARNING, "", f"{program}: {words}", source="read"))


def _falls_with(name: str, graph: Graph) -> dict[str, t.Any]:
    return {
        "falls_with": list(graph.falls_with(name, "stop")),
        "falls_on_crash": list(graph.falls_with(name, "crash")),
    }


def dependencies_of(name: str, graph: Graph) -> dict[str, t.Any]:
    """Dependencies both ways and who falls with a unit, of a graph that was made from files."""
    result: dict[str, t.Any] = {}
    for key, (kind, inverse) in SHOW_PROPERTIES.items():
        others = graph.sources(kind, name) if inverse else graph.targets(kind, name)
        if others:
            result[result_key(key)] = sorted(others)
    return {**result, **_falls_with(name, graph)}

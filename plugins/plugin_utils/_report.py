# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the hosts of an inventory told -> one report for the fleet, and the compact form that the HTML page carries."""

from __future__ import annotations

import hashlib
import itertools
import json
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.state import is_restarting
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.draw import dot, draw, mermaid
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.edges import DEFAULT, Edge
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.graph import Graph
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report_input

FORMAT = 1  # of the JSON report
CRASH_LOOP_RESTARTS = 3  # restarts by systemd itself, since the unit was started by a job
START_LIMIT_RULE = "start-limit-gives-up"
_MAX_DRAWN = 120  # units in one drawing; dot needs seconds for more, and nobody can read it
_MAX_EDGES = 50_000  # of one host that are looked at
_MAX_ARROWS = 1000  # in one drawing
_SEVERITIES = ("error", "warning", "info")
_TO = {
    "requires": "Requires",
    "requisite": "Requisite",
    "wants": "Wants",
    "binds_to": "BindsTo",
    "part_of": "PartOf",
    "upholds": "Upholds",
    "after": "After",
    "on_failure": "OnFailure",
    "on_success": "OnSuccess",
    "triggers": "Triggers",
    "propagates_stop_to": "PropagatesStopTo",
}
_FROM = {
    "required_by": "Requires",
    "requisite_of": "Requisite",
    "bound_by": "BindsTo",
    "consists_of": "PartOf",
    "upheld_by": "Upholds",
    "stop_propagated_from": "PropagatesStopTo",
}
# units that nearly every other one depends on by default
_COMMON = frozenset(
    [
        "sysinit.target",
        "basic.target",
        "shutdown.target",
        "umount.target",
        "-.mount",
        "system.slice",
        "-.slice",
        "multi-user.target",
        "graphical.target",
        "local-fs.target",
        "sockets.target",
        "timers.target",
        "paths.target",
        "swap.target",
        "slices.target",
        "tmp.mount",
        "systemd-journald.socket",
        "systemd-remount-fs.service",
        "time-set.target",
        "time-sync.target",
        "user.slice",
        "network.target",
        "systemd-tmpfiles-setup.service",
        "remote-fs.target",
        "remote-fs-pre.target",
        "local-fs-pre.target",
        "init.scope",
    ]
)


class Told(t.NamedTuple):
    """What one host told: results of ``unit_info`` and ``unit_lint``, or why it could not be asked."""

    host: str
    info: t.Mapping[str, t.Any]
    lint: t.Mapping[str, t.Any]
    problem: str = ""


def build(told: t.Iterable[Told], generated: str) -> dict[str, t.Any]:
    """The report: ``{format, generated, summary, hosts: [...], graphs: {id: {dot, mermaid, hosts}}}``.

    :param generated: time in ISO 8601.
    """
    graphs: dict[str, dict[str, t.Any]] = {}
    hosts = [_host(item, graphs) for item in sorted(told, key=lambda item: item.host)]
    return {
        "format": FORMAT,
        "generated": generated,
        "summary": _summary(hosts),
        "hosts": hosts,
        "graphs": graphs,
    }


def _host(told: Told, graphs: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    answer = _report_input.read(told.info, told.lint)
    units = [u for u in answer.units if u["exists"] and u["id"] in (None, u["name"])]
    findings = sorted(
        answer.findings, key=lambda f: (_rank(f), f["unit"] or "", f["path"] or "", f["line"] or 0, f["rule"] or "")
    )
    graph = _drawing(units)
    if graph is not None:
        graphs.setdefault(graph["id"], {k: graph[k] for k in ("dot", "mermaid")} | {"hosts": []})["hosts"].append(
            told.host
        )
    return {
        "host": told.host,
        "problem": _report_input.problem_text(told.problem, answer.problem),
        "systemd": answer.systemd_version,
        "units": [_unit(unit) for unit in sorted(units, key=lambda u: u["name"])],
        "findings": findings,
        "graph": graph["id"] if graph else None,
    }


def _rank(finding: t.Mapping[str, t.Any]) -> int:
    severity = finding.get("severity")
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _unit(unit: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    state = unit.get("state") or {}
    security = unit.get("security") or {}
    dependencies = unit.get("dependencies") or {}
    failed = state.get("active_state") == "failed"
    restarting = is_restarting({"SubState": state.get("sub_state") or ""})
    looping = restarting or (state.get("n_restarts") or 0) >= CRASH_LOOP_RESTARTS
    return {
        "name": unit["name"],
        "description": state.get("description") or "",
        "origin": unit.get("origin") or "",
        "path": state.get("fragment_path") or "",
        "load_state": state.get("load_state") or "",
        "active_state": state.get("active_state") or "",
        "sub_state": state.get("sub_state") or "",
        "unit_file_state": state.get("unit_file_state") or "",
        "failed": failed,
        "crash_looping": bool(looping and state.get("active_state") != "inactive"),
        "result": state.get("result") or "",
        "exit_code": state.get("exec_main_code"),
        "exit_status": state.get("exec_main_status"),
        "n_restarts": state.get("n_restarts") or 0,
        "need_daemon_reload": bool(state.get("need_daemon_reload")),
        "exposure": security.get("exposure"),
        "exposure_level": security.get("level") or "",
        "exposure_points": security.get("points") or [],
        "timer": state.get("timer"),
        "listen": state.get("listen") or [],
        "drift": unit.get("drift"),
        "falls_with": dependencies.get("falls_with") or [],
        "journal": (unit.get("journal") or []) if failed or looping else [],
    }


def _summary(hosts: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    return {"hosts": len(hosts), "not_asked": sum(bool(h["problem"]) for h in hosts), **_sums(map(counts, hosts))}


def counts(host: t.Mapping[str, t.Any]) -> dict[str, int]:
    """The numbers of one host."""
    units, findings = host["units"], host["findings"]
    return {
        "units": len(units),
        "failed": sum(u["failed"] for u in units),
        "crash_looping": sum(u["crash_looping"] for u in units),
        "start_limit": sum(f.get("rule") == START_LIMIT_RULE for f in findings),
        "errors": sum(f.get("severity") == "error" for f in findings),
        "warnings": sum(f.get("severity") == "warning" for f in findings),
        "need_daemon_reload": sum(u["need_daemon_reload"] for u in units),
        "drift": sum(bool(u["drift"]) for u in units),
        "managed": sum(u["drift"] is not None for u in units),
    }


def _sums(rows: t.Iterable[t.Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in rows:
        for key, number in row.items():
            total[key] = total.get(key, 0) + number
    return total


# ------------------------------------------------------------------------------------------------------------ graph


def _drawing(units: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any] | None:
    """DOT and Mermaid text of what somebody put on the host, with its neighbours; hosts that are alike share one."""
    chosen = [u for u in units if u.get("origin") in ("administrator", "runtime") and u.get("dependencies")]
    declared = {u["name"] for u in chosen}
    edges = list(itertools.islice(_edges(chosen[:_MAX_DRAWN]), _MAX_EDGES))
    if not edges:
        return None
    # an order alone is worth an arrow only between units that are drawn for another reason
    tied = declared | {n for e in edges if e.kind != "After" and e.origin != DEFAULT for n in (e.source, e.target)}
    edges = [e for e in edges if e.kind != "After" or {e.source, e.target} <= tied]
    if len(edges) > _MAX_ARROWS:  # those between the units that are drawn in any case say most
        edges.sort(key=lambda e: not {e.source, e.target} <= declared)
        del edges[_MAX_ARROWS:]
    drawing = draw(Graph(sorted(declared)[:_MAX_DRAWN], edges))
    text = dot(drawing)
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:12], "dot": text, "mermaid": mermaid(drawing)}


def _edges(units: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[Edge]:
    for unit in units:
        for key, kind in _TO.items():
            yield from (_edge(kind, unit["name"], other) for other in unit["dependencies"].get(key) or ())
        for key, kind in _FROM.items():
            yield from (_edge(kind, other, unit["name"]) for other in unit["dependencies"].get(key) or ())


def _edge(kind: str, source: str, target: str) -> Edge:
    common = source in _COMMON or target in _COMMON or target.endswith(".slice")
    return Edge(kind, source, target, DEFAULT if common else "declared")


# ------------------------------------------------------------------------------------------------------------- page


class _Table:
    """Texts by number, so that each stands in the page once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: t.Any) -> int:
        text = "" if text is None else str(text)
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]


UNIT_COLUMNS = [
    "host",
    "name",
    "description",
    "origin",
    "active",
    "sub",
    "enabled",
    "flags",
    "result",
    "status",
    "restarts",
    "exposure",
    "level",
    "points",
    "next",
    "last",
    "settings",
    "falls",
    "drift",
    "journal",
]
FINDING_COLUMNS = ["host", "rule", "severity", "unit", "path", "line", "directive", "message", "hint"]
_FAILED, _LOOPING, _RELOAD, _MANAGED = 1, 2, 4, 8


def page_data(report: t.Mapping[str, t.Any], drawings: t.Mapping[str, str]) -> str:
    """The report as compact JSON that can stand inside of a ``script`` element.

    :param drawings: graph id -> SVG text, for the graphs that were drawn.
    """
    table = _Table()
    n = table.number
    units, findings = [], []
    for number, host in enumerate(report["hosts"]):
        units += [_unit_row(number, unit, n) for unit in host["units"]]
        for f in host["findings"]:
            place = [n(f.get(k)) for k in ("rule", "severity", "unit", "path")]
            rest = [n(f.get(k)) for k in ("directive", "message", "hint")]
            findings.append([number, *place, f.get("line") or 0, *rest])
    data = {
        "generated": report["generated"],
        "hosts": [
            {"name": h["host"], "problem": h["problem"], "systemd": h["systemd"], "graph": h["graph"], **counts(h)}
            for h in report["hosts"]
        ],
        "graphs": {
            key: {"svg": drawings.get(key, ""), "mermaid": graph["mermaid"], "hosts": graph["hosts"]}
            for key, graph in report["graphs"].items()
        },
        "texts": table.texts,
        "unitColumns": UNIT_COLUMNS,
        "units": units,
        "findingColumns": FINDING_COLUMNS,
        "findings": findings,
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    # nothing in a text may end the script element, start a comment in it, or break a line of JavaScript
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _unit_row(host: int, unit: t.Mapping[str, t.Any], n: t.Callable[[t.Any], int]) -> list[t.Any]:
    flags = (
        _FAILED * unit["failed"]
        + _LOOPING * unit["crash_looping"]
        + _RELOAD * unit["need_daemon_reload"]
        + _MANAGED * (unit["drift"] is not None)
    )
    timer = unit["timer"] or {}
    status = (
        "" if not unit["exit_status"] and not unit["exit_code"] else f"{unit['exit_code'] or ''} {unit['exit_status']}"
    )
    return [
        host,
        *(n(unit[key]) for key in ("name", "description", "origin", "active_state", "sub_state", "unit_file_state")),
        flags,
        n(unit["result"]),
        n(status.strip()),
        unit["n_restarts"],
        unit["exposure"],
        n(unit["exposure_level"]),
        [[n(p["setting"]), p["exposure"], n(p["description"])] for p in unit["exposure_points"][:4]],
        n(timer.get("next_elapse")),
        n(timer.get("last_trigger")),
        [n(f"{s['directive']}={s['value']}") for s in timer.get("settings") or ()],
        [n(name) for name in unit["falls_with"]],
        [[n(d["what"]), n(d["path"]), n(d["message"]), n(d["diff"])] for d in unit["drift"] or ()],
        [[n(line["time"]), n(line["priority"]), n(line["message"])] for line in unit["journal"]],
    ]

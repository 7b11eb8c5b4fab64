# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the hosts of an inventory told -> one report for the fleet."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.state import is_restarting
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report_graph, _report_groups, _report_input
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._report_rollouts import Journal, read_rollouts

FORMAT = 1  # of the JSON report
CRASH_LOOP_RESTARTS = 3  # restarts by systemd itself, since the unit was started by a job
_SEVERITIES = ("error", "warning", "info")


class Told(t.NamedTuple):
    """What one host told: results of ``unit_info`` and ``unit_lint``, or why it could not be asked.

    :ivar workers: the template of its workers, and ``worker_status`` of role worker; None when jobs were not counted.
    """

    host: str
    info: t.Mapping[str, t.Any]
    lint: t.Mapping[str, t.Any]
    problem: str = ""
    workers: tuple[str, t.Any] | None = None


def build(
    told: t.Iterable[Told], generated: str, earlier: str | None = None, journals: t.Iterable[Journal] = ()
) -> dict[str, t.Any]:
    """The report of a fleet.

    :param generated: time in ISO 8601.
    :param earlier: JSON text of another report, to compare with.
    :param journals: those of rollouts, the latest first.
    :returns: ``{format, generated, summary, hosts: [...], groups: [...], rollouts: [...],
        graphs: {id: {dot, mermaid, hosts}}, compared}``; see ``_report_groups.group`` and
        ``_report_rollouts.read_rollouts``. ``compared`` is null, or the time of the earlier report (``with``)
        and how many things on hosts are ``new``, ``still`` there and ``gone``.
    :raises ValueError: when ``earlier`` is not a report, or one of another format.
    """
    graphs: dict[str, dict[str, t.Any]] = {}
    compared_with, known = ("", None) if earlier is None else _earlier(earlier)
    hosts = [_host(item, graphs) for item in sorted(told, key=lambda item: item.host)]
    groups = _report_groups.group(hosts, generated, known)
    return {
        "format": FORMAT,
        "generated": generated,
        "summary": _summary(hosts),
        "compared": None if known is None else {"with": compared_with, **_compared(groups)},
        "hosts": hosts,
        "groups": groups,
        "rollouts": read_rollouts(journals, hosts),
        "graphs": graphs,
    }


def _earlier(text: str) -> tuple[str, _report_groups.Known]:
    """The time of an earlier report, and what it knows."""
    if not text.strip():
        raise ValueError("the earlier report is empty")
    try:
        report = json.loads(text)
    except RecursionError:
        raise ValueError("the earlier report is damaged: lists within lists without end") from None
    except ValueError as error:
        raise ValueError(f"the earlier report is not JSON: {error}") from None
    if not isinstance(report, t.Mapping) or "format" not in report:
        raise ValueError("the earlier report is not a JSON report of the playbook audit")
    if report["format"] != FORMAT:
        raise ValueError(f"the earlier report has format {report['format']!r}, and this release reads format {FORMAT}")
    try:
        return str(report["generated"]), _report_groups.known(report["hosts"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the earlier report is damaged: {error!r}") from None


def _compared(groups: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, int]:
    numbers = dict.fromkeys(("new", "still", "gone"), 0)
    for entry in groups:
        if entry["since"]:
            numbers[entry["since"]] += len(entry["hosts"])
    return numbers


def _host(told: Told, graphs: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    template, status = told.workers or ("", None)
    answer = _report_input.read(told.info, told.lint, status)
    units = [u for u in answer.units if u["exists"] and u["id"] in (None, u["name"])]
    findings = sorted(
        answer.findings, key=lambda f: (_rank(f), f["unit"] or "", f["path"] or "", f["line"] or 0, f["rule"] or "")
    )
    graph = _report_graph.drawing(units)
    if graph is not None:
        graphs.setdefault(graph["id"], {k: graph[k] for k in ("dot", "mermaid")} | {"hosts": []})["hosts"].append(
            told.host
        )
    host = {
        "host": told.host,
        "problem": _report_input.problem_text(told.problem or _silence(told.info), answer.problem),
        "systemd": answer.systemd_version,
        "units": [_unit(unit) for unit in sorted(units, key=lambda u: u["name"])],
        "generations": answer.generations,
        "queues": [{"unit": template, **queue} for queue in answer.queues],
        "findings": findings,
        "graph": graph["id"] if graph else None,
    }
    return {**host, "counts": counts(host)}


def _silence(info: t.Any) -> str:
    return "" if isinstance(info, t.Mapping) and info.get("units") is not None else "unit_info returned no units"


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
        "restarts": unit.get("restarts") or [],
    }


def _summary(hosts: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    return {
        "hosts": len(hosts),
        "not_asked": sum(bool(h["problem"]) for h in hosts),
        **_sums(h["counts"] for h in hosts),
    }


def counts(host: t.Mapping[str, t.Any]) -> dict[str, int]:
    """The numbers of one host."""
    units, findings = host["units"], host["findings"]
    return {
        "units": len(units),
        "failed": sum(u["failed"] for u in units),
        "crash_looping": sum(u["crash_looping"] for u in units),
        "start_limit": sum(f.get("rule") == _report_groups.START_LIMIT_RULE for f in findings),
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

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The journals of rollouts -> the rollouts of the audit report. Their texts come from hosts, and are limited too."""

from __future__ import annotations

import typing as t

from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _report_fixes
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._report_input import (
    LINE,
    NAME,
    HostReader,
    TooLarge,
    fields,
    mapping_of,
    number,
)
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._rollout import REVERTED, parse, rows_of

_HOST = fields(required=("state",), before=number, now=number, state=NAME, why=LINE, stuck=LINE)
_ROLLOUT = fields(
    required=("id", "set", "course", "hosts"), id=NAME, set=NAME, course=NAME, why=LINE, hosts=mapping_of(_HOST)
)
_MAX_UNITS = 500  # of a set; a host can make up as many as it likes
_COLUMNS = ("host", "before", "now", "state", "why")


class Journal(t.NamedTuple):
    """The file of one rollout, with the time of its last change in ISO 8601."""

    name: str
    time: str
    text: str


def read_rollouts(journals: t.Iterable[Journal], hosts: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The rollouts that have to do with a host of the report, and the journals that cannot be read.

    :param hosts: those of the report.
    :returns: ``[{id, set, unit, course, why, time, problem, fix, hosts: [{host, before, now, state, why}]}]``; ``unit``
        has the names of the units of the set. Generations are texts, as the table of a rollout shows them.
    """
    here = {host["host"] for host in hosts}
    units: dict[str, set[str]] = {}
    for host in hosts:
        for set_name, generations in host["generations"].items():
            units.setdefault(set_name, set()).update(*(kept["units"] or () for kept in generations))
    rollouts = [_rollout(journal) for journal in journals]
    return [
        {**rollout, "unit": " ".join(sorted(units.get(rollout["set"], ()))[:_MAX_UNITS])}
        for rollout in rollouts
        if rollout["problem"] or not here.isdisjoint(row["host"] for row in rollout["hosts"])
    ]


def _rollout(journal: Journal) -> dict[str, t.Any]:
    reader, found = HostReader(), None
    try:
        found = _ROLLOUT(reader, parse(journal.text), "the journal")
        problem = "; ".join(reader.problems)
    except ValueError as error:
        problem = str(error)
    except TooLarge:
        problem = "the journal is too large"
    if found is None:
        nothing = dict.fromkeys(("set", "course", "why", "fix"), "")
        return {**nothing, "id": journal.name, "time": journal.time, "problem": problem, "hosts": []}
    rows = [dict(zip(_COLUMNS, row)) for row in rows_of(found["hosts"])]
    fix = "" if found["course"] == REVERTED else _report_fixes.revert(found["id"])
    why = found["why"] or ""
    return {**found, "why": why, "time": journal.time, "problem": problem, "fix": fix, "hosts": rows}

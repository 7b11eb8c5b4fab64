# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The audit report -> the compact form that its HTML page carries."""

from __future__ import annotations

import collections
import json
import typing as t

from ..module_utils._model import UP_OR_STARTING

_MAX_NAMES = 5000  # of units in the small pictures of hosts; a host can make up as many as it likes
GROUP_COLUMNS = (
    "kind",
    "level",
    "unit",
    "name",
    "title",
    "hint",
    "notes",
    "fix",
    "value",
    "since",
    "hosts",
    "details",
    "restarts",
)


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


def page_data(report: t.Mapping[str, t.Any], drawings: t.Mapping[str, str]) -> str:
    """The report as compact JSON that can stand inside of a ``script`` element.

    :param drawings: graph id -> SVG text, for the graphs that were drawn.
    """
    table = _Table()
    names = _unit_names(report["hosts"])
    numbers = {host["host"]: number for number, host in enumerate(report["hosts"])}
    data = {
        "generated": report["generated"],
        "compared": report["compared"],
        "unitNames": [table.number(name) for name in names],
        "hosts": [
            {
                "name": h["host"],
                "problem": h["problem"],
                "graph": h["graph"],
                "states": _states(h, names),
                **h["counts"],
            }
            for h in report["hosts"]
        ],
        "graphs": {
            key: {"svg": drawings.get(key, ""), "mermaid": graph["mermaid"], "hosts": graph["hosts"]}
            for key, graph in report["graphs"].items()
        },
        "groupColumns": GROUP_COLUMNS,
        "groups": [_row(entry, numbers, table.number) for entry in report["groups"]],
        "rollouts": [_rollout(rollout, table.number) for rollout in report["rollouts"]],
        "texts": table.texts,
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    # nothing in a text may end the script element, start a comment in it, or break a line of JavaScript
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _row(entry: t.Mapping[str, t.Any], hosts: t.Mapping[str, int], n: t.Callable[[t.Any], int]) -> list[t.Any]:
    """The values of a group in the order of ``GROUP_COLUMNS``; one detail stands for all hosts when it is the same."""
    details = [n(host["detail"]) for host in entry["hosts"]]
    return [
        *(n(entry[key]) for key in ("kind", "level", "unit", "name", "title", "hint")),
        [n(note) for note in entry["notes"]],
        n(entry["fix"]),
        entry["value"],
        n(entry["since"]),
        [hosts[host["host"]] for host in entry["hosts"]],
        details if len(set(details)) > 1 else details[:1],
        entry["restarts"],
    ]


def _rollout(rollout: t.Mapping[str, t.Any], n: t.Callable[[t.Any], int]) -> dict[str, t.Any]:
    """A rollout with texts by number; its hosts are the rows of the table."""
    texts = {key: n(value) for key, value in rollout.items() if key != "hosts"}
    return {**texts, "hosts": [[n(value) for value in host.values()] for host in rollout["hosts"]]}


def _unit_names(hosts: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """The units of all hosts in order; of too many those that most hosts have."""
    count = collections.Counter(unit["name"] for host in hosts for unit in host["units"])
    return sorted(name for name, _hosts in count.most_common(_MAX_NAMES))


def _states(host: t.Mapping[str, t.Any], names: t.Iterable[str]) -> str:
    """One letter for each unit of the fleet: (f)ailed, crash-(l)ooping, (a)ctive, (i)nactive, or a dot for none."""
    letters = {
        unit["name"]: "f"
        if unit["failed"]
        else "l"
        if unit["crash_looping"]
        else "a"
        if unit["active_state"] in UP_OR_STARTING
        else "i"
        for unit in host["units"]
    }
    return "".join(letters.get(name, ".") for name in names)

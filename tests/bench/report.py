# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From figures to docs/bench.md and docs/bench.svg."""

from __future__ import annotations

import statistics
import typing as t
from pathlib import Path

from bench import plot

Figures = t.Mapping[str, t.Any]
PAYLOAD = {"unit": 185, "unit_info": 90, "unit_lint": 115}  # kB of ours, as promised

_HEAD = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
# How fast it is

Written by `make bench`, which measures all of this anew. The seconds are those of one machine; the ratios are what
counts.
"""
_SETS = """Seconds, medians. A run is a whole `ansible-playbook` process with one task, `units`. It is compared with
`ping`, also a whole process, plus a bare shell script in the container, by its own clock, that does the same and no
more: files into place, one reload, one `enable`, one `start`, one `show` (first run); one `show` (unchanged); one
file, reload, restart, `show` (one changed).
"""
_EMPTY = """*Empty* is a module that does nothing: Ansible packs and sends the same files for it, it takes the same
options and returns a result of the same size. That much is Ansible's own. *Loaded* also loads the files that ours
loads before it looks at the host; what that adds is Python's, which compiles them anew in each run. Their columns in
the table of limits have what is measured of our module for them in its place.
"""
_LOOPS = """Seconds, medians. *Loop*: `template` over all units, then `systemd_service` over all units. *Role*: the
way linux-system-roles.systemd works: `service_facts`, `copy` over all files, one reload, then a loop of
`systemd_service` for each state that units shall have. A figure with a star is extrapolated from 50 units, because
the run would take over ten minutes; 300 units were run once (`units` more often).
"""
_LINT = "500 units of 20 directives. Seconds, medians; *on the host* is the module's process without the way there.\n"
_COMMAND = """Seconds, medians. The command `unitcraft` without Ansible; `systemd-analyze verify` of the same 500 units.
*Installed* is the wheel, *one file* the archive, which Python compiles at each start; *python* is an empty program.
"""
_COUNTS = "Reloads by PID 1's own log; memory is the peak of the module's process in MiB.\n"
_SERVICES = """Seconds, medians. 50 services of two files, a secret and a unit each, by role `services`; *loop*: `copy`
over all files, then `systemd_service` over all services, once. Version 0.1 took 26 s for 10 of them when nothing
changed.
"""
_RELEASES = """A release of 200 MB in 20,000 files that cannot be compressed, read for the first time. Seconds, medians;
*tar* goes the way that the playbook goes, until all is on the disk; *copy* is extrapolated from 100 files. Memory is
that of the biggest process.
"""


class Line(t.NamedTuple):
    """One promise: what, the measured figure, the limit, and whether the limit is a lower one.

    :ivar empty: the same figure of a module that does nothing, or None when it was not measured.
    :ivar loaded: the same of one that only loads what ours loads before it looks at the host.
    """

    what: str
    figure: float
    limit: float
    at_least: bool = False
    unit: str = ""
    empty: float | None = None
    loaded: float | None = None

    @property
    def missed(self) -> bool:
        return self.figure < self.limit if self.at_least else self.figure > self.limit

    @property
    def text(self) -> str:
        return f"{self.what}: {number(self.figure)}{self.unit}, {self.promise}"

    @property
    def promise(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {number(self.limit)}{self.unit}"


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def middle(times: t.Mapping[str, t.Sequence[float]], *names: str) -> float:
    """The sum of the medians."""
    return sum(statistics.median(times[name]) for name in names)


def ratio(times: t.Mapping[str, t.Sequence[float]], what: str, *over: str) -> float:
    return middle(times, what) / middle(times, *over)


def seconds(times: t.Mapping[str, t.Sequence[float]], *names: str) -> str:
    return f"{middle(times, *names):.2f}"


def limits(found: Figures) -> list[Line]:
    """Every promise that these figures can be held against."""
    promises = (
        ("sets", _set_limits),
        ("loops", _loop_limits),
        ("counts", _count_limits),
        ("one", _one_limits),
        ("info", _info_limits),
        ("lint", _lint_limits),
        ("command", _command_limits),
        ("services", _services_limits),
        ("releases", _releases_limits),
        ("payload", _payload_limits),
    )
    return [line for name, function in promises if name in found for line in function(found)]


def _set_limits(found: Figures) -> t.Iterator[Line]:
    size, times = max(found["sets"].items(), key=lambda item: int(item[0]))
    floor = number(middle(times, "ping", "script changed") / middle(times, "ping", "query"))
    yield Line(f"first run of {size} units, to the limit", ratio(times, "first", "ping", "script first"), 1.6)
    yield Line(
        f"unchanged run of {size} units, to ping and one query",
        ratio(times, "unchanged", "ping", "query"),
        1.3,
        **{kind: _with_query(times, kind) for kind in ("empty", "loaded")},
    )
    yield Line(f"one changed of {size} units, to the limit", ratio(times, "changed", "ping", "script changed"), 1.5)
    # The other way to read that promise; what a bare script needs is then the least that can be had.
    yield Line(
        f"the same, to ping and one query (ping and a bare script: {floor})",
        ratio(times, "changed", "ping", "query"),
        1.5,
    )


def _loop_limits(found: Figures) -> t.Iterator[Line]:
    for size, times_as_fast in (("50", 50), ("300", 100)):
        times = _loop_times(found, size)
        for kind in ("first", "unchanged") if size in found["loops"] else ():
            name, *_others = (name for name in times if name.startswith(f"loop {kind}"))
            what = f"loop of {size} units to ours, {kind} run"
            least = _least(found["sets"]["100"], middle(times, name)) if size == "50" and "sets" in found else {}
            yield Line(what, ratio(times, name, f"units {kind}"), times_as_fast, True, **least)


def _count_limits(found: Figures) -> t.Iterator[Line]:
    counts = found["counts"]
    memory = max(run["memory_kib"] for run in counts.values()) / 1024
    yield Line("daemon-reloads in the first run of 300 units", counts["first"]["reloads"], 1)
    yield Line("daemon-reloads in the unchanged run", counts["unchanged"]["reloads"], 0)
    yield Line("memory of the module at 300 units, the most of three runs", memory, 60, unit=" MiB")


def _one_limits(found: Figures) -> t.Iterator[Line]:
    one = found["one"]
    yield Line("unit with nothing to do, to ping", ratio(one, "unit", "ping"), 1.25, **_least(one, over="ping"))


def _info_limits(found: Figures) -> t.Iterator[Line]:
    figure = ratio(found["info"], "unit_info", "ping", "show")
    yield Line("unit_info of 300 units, to ping and one systemctl show", figure, 1.5)


def _lint_limits(found: Figures) -> t.Iterator[Line]:
    judged = found["lint"]
    what = "unit_lint of 500 units on the host, to one systemd-analyze verify"
    yield Line(what, ratio(judged, "unit_lint", "verify"), 1.0, **_least(judged, over="verify"))


def _command_limits(found: Figures) -> t.Iterator[Line]:
    times = found["command"]
    figure = ratio(times, "lint installed", "verify")
    yield Line("unitcraft lint of 500 units, to one systemd-analyze verify", figure, 1.0)
    yield Line("start of the command unitcraft", 1000 * middle(times, "start installed"), 150, unit=" ms")


def _services_limits(found: Figures) -> t.Iterator[Line]:
    times = found["services"]
    most = (8 * middle(times, "ping") + middle(times, "script")) / middle(times, "ping")
    yield Line("50 services by role, first run, to ping; 8 and a bare script", ratio(times, "first", "ping"), most)
    yield Line("50 services by role, unchanged run, to ping", ratio(times, "unchanged", "ping"), 6)


def _releases_limits(found: Figures) -> t.Iterator[Line]:
    times, memory = found["releases"]["times"], found["releases"]["memory_kib"]
    yield Line("release of 200 MB in 20,000 files, first run, to tar", ratio(times, "first", "tar"), 1.5)
    least = _least(found["sets"]["1"], over="ping") if "sets" in found else {}
    yield Line("the same, unchanged run, to ping", ratio(times, "unchanged", "ping"), 1.5, **least)
    yield Line("the same, memory on the host", max(memory["host"]) / 1024, 100, unit=" MiB")
    yield Line("the same, memory on the controller", max(memory["controller"]) / 1024, 100, unit=" MiB")


def _payload_limits(found: Figures) -> t.Iterator[Line]:
    for module, most in PAYLOAD.items():
        yield Line(f"what {module} sends of ours", found["payload"][module]["own"] / 1000, most, unit=" kB")


def _least(times: Figures, loop: float = 0, over: str = "") -> dict[str, float]:
    """The figure of the modules that do nothing: of a loop to them, or theirs over another one."""
    kinds = [kind for kind in ("empty", "loaded") if kind in times]
    return {kind: ratio(times, kind, over) if over else loop / middle(times, kind) for kind in kinds}


def _with_query(times: Figures, kind: str) -> float | None:
    """The figure of an unchanged run for a module that does nothing, and one query, which any such run needs."""
    return middle(times, kind, "query") / middle(times, "ping", "query") if kind in times else None


def _loop_times(found: Figures, size: str) -> Figures:
    """The times of the loops; ours of the largest set are those of the sets, which were run more than once."""
    ours = found.get("sets", {}).get(size, {}) if size == "300" else {}
    return {
        **found.get("loops", {}).get(size, {}),
        **{f"units {kind}": ours[kind] for kind in ("first", "unchanged") if kind in ours},
    }


def table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    line = "| " + " | ".join(head) + " |"
    rule = "| " + " | ".join("---" for _column in head) + " |"
    return "\n".join([line, rule, *("| " + " | ".join(row) + " |" for row in rows)])


def tables(found: Figures) -> str:
    """All that was measured, as Markdown."""
    parts = [_limits_table(found)]
    sections = (
        ("sets", _sets),
        ("loops", _loops),
        ("hosts", _hosts),
        ("one", _one),
        ("info", _info),
        ("lint", _lint),
        ("command", _command),
        ("counts", _counts),
        ("services", _services),
        ("releases", _releases),
        ("payload", _payload),
    )
    for name, function in sections:
        if name in found:
            parts.append(function(found if function is _loops else found[name]))
    return "\n\n".join(parts)


def _limits_table(found: Figures) -> str:
    lines = limits(found)
    head = ["what", "measured", "limit", "kept"]
    rows = [
        [line.what, number(line.figure) + line.unit, line.promise, "**no**" if line.missed else "yes"] for line in lines
    ]
    text = ""
    if any(line.empty is not None for line in lines):
        head += ["*empty*", "*loaded*"]
        text = f"{_EMPTY}\n"
        for line, row in zip(lines, rows):
            row += ["" if figure is None else number(figure) for figure in (line.empty, line.loaded)]
    return f"## Limits\n\n{text}" + table(head, rows)


def _sets(sets: Figures) -> str:
    rows = []
    for size, times in sets.items():
        rows.append(
            [
                size,
                seconds(times, "ping"),
                seconds(times, "ping", "script first"),
                seconds(times, "first"),
                number(ratio(times, "first", "ping", "script first")),
                seconds(times, "ping", "query"),
                seconds(times, "unchanged"),
                number(ratio(times, "unchanged", "ping", "query")),
                seconds(times, "ping", "script changed"),
                seconds(times, "changed"),
                number(ratio(times, "changed", "ping", "script changed")),
                number(ratio(times, "changed", "ping", "query")),
            ]
        )
    head = [
        "units",
        "ping",
        "ping + script",
        "first run",
        "ratio",
        "ping + query",
        "unchanged",
        "ratio",
        "ping + script",
        "one changed",
        "ratio",
        "ratio to ping + query",
    ]
    return f"## One task for a whole set\n\n{_SETS}\n{table(head, rows)}{_own_of_sets(sets)}"


def _own_of_sets(sets: Figures) -> str:
    """What of an unchanged run is Ansible's and Python's own."""
    rows = []
    for size, times in sets.items():
        if "empty" in times:
            floor = middle(times, "empty", "query")
            rows.append(
                [
                    size,
                    seconds(times, "ping"),
                    seconds(times, "empty"),
                    seconds(times, "loaded"),
                    seconds(times, "unchanged"),
                    number(floor / middle(times, "ping", "query")),
                    number(middle(times, "unchanged") / floor),
                ]
            )
    if not rows:
        return ""
    head = [
        "units",
        "ping",
        "*empty*",
        "*loaded*",
        "unchanged",
        "empty + query to ping + query",
        "ours to empty + query",
    ]
    return "\n\n" + table(head, rows)


def _loops(found: Figures) -> str:
    rows = []
    for size in found["loops"]:
        times = _loop_times(found, size)
        for kind in ("first", "unchanged", "changed"):
            if f"units {kind}" not in times:
                continue
            row = [size, kind, seconds(times, f"units {kind}")]
            for way in ("loop", "role"):
                name = next(name for name in times if name.startswith(f"{way} {kind}"))
                mark = "*" if "extrapolated" in name else ""
                row += [seconds(times, name) + mark, number(ratio(times, name, f"units {kind}")) + mark]
            rows.append(row)
    remark = f"\n\n{found['remark']}" if "remark" in found else ""
    head = ["units", "run", "`units`", "loop", "times", "role", "times"]
    return f"## Other ways of working\n\n{_LOOPS}\n{table(head, rows)}{remark}"


def _hosts(hosts: Figures) -> str:
    rows = [
        [
            count,
            seconds(times, "ping"),
            seconds(times, "first"),
            number(ratio(times, "first", "ping")),
            seconds(times, "unchanged"),
            number(ratio(times, "unchanged", "ping")),
        ]
        for count, times in hosts.items()
    ]
    return (
        "## Several hosts at once\n\nSeconds, medians; 10 units on each host, all hosts on the same machine.\n\n"
        + table(["hosts", "ping", "first run", "ratio", "unchanged", "ratio"], rows)
    )


def _one(times: Figures) -> str:
    head = ["ping", "`unit`, unchanged", "ratio of medians", "ratio of minima"]
    row = [
        seconds(times, "ping"),
        seconds(times, "unit"),
        number(ratio(times, "unit", "ping")),
        number(min(times["unit"]) / min(times["ping"])),
    ]
    if "empty" in times:
        head += ["*empty*", "*loaded*", "empty to ping", "ours to empty"]
        row += [seconds(times, "empty"), seconds(times, "loaded"), number(ratio(times, "empty", "ping"))]
        row.append(number(ratio(times, "unit", "empty")))
    return "## One unit\n\n" + table(head, [row])


def _info(times: Figures) -> str:
    return "## Looking\n\n300 units, definition and state of each. Seconds, medians.\n\n" + table(
        [
            "ping",
            "`systemctl show`",
            "the same with the properties that `units` asks for",
            "`unit_info`",
            "ratio to ping and show",
        ],
        [
            [
                seconds(times, "ping"),
                seconds(times, "show"),
                seconds(times, "query"),
                seconds(times, "unit_info"),
                number(ratio(times, "unit_info", "ping", "show")),
            ]
        ],
    )


def _lint(times: Figures) -> str:
    head = ["`systemd-analyze verify`", "`unit_lint` on the host", "ratio", "ratio of minima", "the whole play", "ping"]
    row = [
        seconds(times, "verify"),
        seconds(times, "unit_lint"),
        number(ratio(times, "unit_lint", "verify")),
        number(min(times["unit_lint"]) / min(times["verify"])),
        seconds(times, "play"),
        seconds(times, "ping"),
    ]
    if "empty" in times:
        head += ["*empty* on the host", "*loaded* on the host"]
        row += [seconds(times, "empty"), seconds(times, "loaded")]
    return f"## Lint\n\n{_LINT}\n" + table(head, [row])


def _command(times: Figures) -> str:
    names = ("verify", "lint installed", "lint one file", "start installed", "start one file", "start python")
    row = [f"{middle(times, name):.3f}" if name.startswith("start") else seconds(times, name) for name in names]
    return f"## Command\n\n{_COMMAND}\n" + table(names, [row])


def _counts(counts: Figures) -> str:
    rows = [
        [
            kind,
            str(run["reloads"]),
            str(run["calls"]),
            f"{run['memory_kib'] / 1024:.1f}",
            "; ".join(f"`{call}`" for call in run["programs"]),
        ]
        for kind, run in counts.items()
    ]
    head = ["run", "daemon-reloads", "programs started", "memory", "which"]
    return f"## What 300 units ask of the host\n\n{_COUNTS}\n{table(head, rows)}"


def _services(times: Figures) -> str:
    head = ["ping", "bare script", "first run", "unchanged", "loop, first run", "loop, unchanged"]
    row = [seconds(times, name) for name in ("ping", "script", "first", "unchanged", "loop first", "loop unchanged")]
    return f"## Fifty services with their files\n\n{_SERVICES}\n{table(head, [row])}"


def _releases(found: Figures) -> str:
    times, memory = found["times"], found["memory_kib"]
    names = ["ping", "tar", "first", "unchanged", "copy (extrapolated)"]
    head = [*names, "host, MiB", "controller, MiB", "controller with ping, MiB"]
    sizes = [f"{max(memory[name]) / 1024:.0f}" for name in ("host", "controller", "controller, ping")]
    return f"## A big program\n\n{_RELEASES}\n" + table(head, [[*(seconds(times, name) for name in names), *sizes]])


def _payload(modules: Figures) -> str:
    rows = [[f"`{name}`", str(sizes["own"]), str(sizes["all"])] for name, sizes in modules.items()]
    files = sorted({file for sizes in modules.values() for file in sizes["files"]} - {f"{name}.py" for name in modules})
    by_file = [
        [f"`{file}`", *(str(sizes["files"].get(file, "")) for sizes in modules.values())]
        for file in sorted(files, key=lambda file: -max(sizes["files"].get(file, 0) for sizes in modules.values()))
    ]
    return (
        "## What is sent to a host\n\nBytes in the archive that Ansible packs for a module.\n\n"
        + table(["module", "of ours", "with Ansible's"], rows)
        + "\n\n"
        + table(["file", *(f"`{name}`" for name in modules)], by_file)
    )


def write(found: Figures, docs: Path) -> None:
    """Write the page and its plot."""
    about = (
        f"systemd {found['systemd'].split()[1]}, ansible-core {found['ansible']}, Python {found['python']}; containers"
        f" on one machine with {found['processors']} processors, {found['date']}, in {found['minutes']:.0f} minutes;\n"
        f"{found['rounds']} rounds, in which all that is compared takes turns. Load of the machine between the"
        f" measurements (1, 5, 15 minutes): {'; '.join(found['load'])}."
    )
    page = f"{_HEAD}\n{about}\n\n![Seconds by number of units](bench.svg)\n\n{tables(found)}\n"
    (docs / "bench.md").write_text(page)
    (docs / "bench.svg").write_text(plot.draw(_curves(found)))


def _curves(found: Figures) -> list[plot.Panel]:
    panels = []
    for title, kind, script in (("first run", "first", "script first"), ("unchanged run", "unchanged", "query")):
        sets = {int(size): times for size, times in found["sets"].items()}
        loops = {int(size): times for size, times in found["loops"].items()}
        curves = [
            plot.Curve(
                "ping + script" if kind == "first" else "ping + query",
                {n: middle(times, "ping", script) for n, times in sets.items()},
                "limit",
            ),
            plot.Curve("units", {n: middle(times, kind) for n, times in sets.items()}, "ours"),
        ]
        for way, label in (("role", "role way"), ("loop", "loop")):
            points = {}
            for size, times in loops.items():
                name = next((name for name in times if name.startswith(f"{way} {kind}")), None)
                if name:
                    points[size] = middle(times, name)
            curves.append(plot.Curve(label, points, way))
        panels.append(plot.Panel(title, curves))
    return panels

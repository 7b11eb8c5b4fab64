#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the bookkeeping of a rollout costs the controller: its decisions and its journal, for simulated hosts.

The hosts are rolled out in ten batches and in batches of one host, and then reverted. Printed are processor time, the
peak of memory, and the size of the journal. With --playbook the playbooks themselves run as well, over hosts that are
files: processor time and the largest process of Ansible.

Ends with 1 when one host costs much more where there are many of them.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import tracemalloc
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible" / "collections"), str(ROOT / "tests" / "unit" / "playbooks")]

from ansible.plugins.filter.core import to_nice_json
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _rollout
from controller import Controller

HOSTS = (100, 250, 500)
ROUNDS = 3
GROWTH = 2.0  # of what one host costs, from the fewest hosts to the most
GIVEN = {"id": "x", "set": "shop", "canary": 1, "min_healthy_time": 10, "healthy_deadline": 300, "confirm": 0}


class Course:
    """A rollout and its revert, as the playbooks go through it.

    :ivar notes: how often the journal was written.
    :ivar journal: its text.
    """

    def __init__(self, count: int, max_parallel: str) -> None:
        self.now = dict.fromkeys((f"web{number:04}.example.com" for number in range(count)), 6)
        self.given = {**GIVEN, "max_parallel": max_parallel, "auto_revert": True, "pause": False}
        self.notes = 0
        self.journal = ""

    def run(self) -> None:
        names = [*self.now]
        rollout = self._note(
            _rollout.found(_rollout.plan(_rollout.settings(self.given, names), names), self._reads(names))
        )
        for batch in rollout["batches"]:
            rollout = self._note(_rollout.begin(rollout, batch))
            self.now.update(dict.fromkeys(batch, 7))
            rollout = self._note(_rollout.end(rollout, self._reads(batch), dict.fromkeys(batch, "")))
        rollout = self._note(_rollout.revert(self.journal, "a.json"))
        self.now.update(_rollout.to_revert(rollout))
        rollout = self._note(_rollout.finish(rollout, self._reads(names), dict.fromkeys(names, "")))
        assert len(_rollout.table(rollout)) == len(names) + 1
        assert rollout["course"] == _rollout.REVERTED

    def _reads(self, names: t.Iterable[str]) -> dict[str, t.Any]:
        units = ["shop.service", "shop.socket"]
        kept = {now: [{"number": n, "current": n == now, "units": units} for n in range(3, 8)] for now in (6, 7)}
        return {name: {"generations": {"shop": kept[self.now[name]]}} for name in names}

    def _note(self, rollout: _rollout.Rollout) -> _rollout.Rollout:
        self.notes += 1
        self.journal = to_nice_json(rollout)
        return rollout


def bookkeeping(count: int, max_parallel: str) -> float:
    """Print what one rollout costs; returns the time for each host and writing of the journal, in seconds."""
    times = []
    for _round in range(ROUNDS):
        course, begun = Course(count, max_parallel), time.process_time()
        course.run()
        times.append(time.process_time() - begun)
    tracemalloc.start()
    course = Course(count, max_parallel)
    course.run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    each = min(times) / course.notes
    print(
        f"{count:5} hosts, batches of {max_parallel:>3}: {min(times):7.3f} s, {course.notes:4} writings of the journal"
        f" ({len(course.journal) / 1000:.0f} kB), {each * 1000:.2f} ms each; memory {peak / 1e6:.2f} MB",
        flush=True,
    )
    return each / count


def playbook(count: int) -> float:
    """Print what the playbooks rollout and rollback cost; returns the time for each host, in seconds."""
    total = 0.0
    with tempfile.TemporaryDirectory(prefix="unitcraft-cost-") as folder:
        controller = Controller(Path(folder), [f"web{number:04}" for number in range(count)])
        for book in ("rollout", "rollback"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = controller.play(book, rollout_max_parallel="10%")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode:
                sys.exit(done.stdout[-4000:] + done.stderr[-4000:])
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            total += spent
            largest = after.ru_maxrss / 1000  # so far: the numbers of hosts grow
            each = spent / count * 1000
            print(f"{count:5} hosts, {book:8}: {spent:7.1f} s, {each:.0f} ms a host; {largest:.0f} MB", flush=True)
    return total / count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", nargs="+", type=int, default=HOSTS)
    parser.add_argument("--playbook", action="store_true", help="run the playbooks as well")
    options = parser.parse_args()
    counts = sorted(options.hosts)
    costs = [[bookkeeping(count, size) for count in counts] for size in ("10%", "1")]
    if options.playbook:
        costs.append([playbook(count) for count in counts])
    return 1 if any(cost[-1] > GROWTH * cost[0] for cost in costs) else 0


if __name__ == "__main__":
    sys.exit(main())

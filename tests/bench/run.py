#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the collection against the least that can be done, and against other ways of working. Runs in the sandbox.

run.py                      measure all and print the tables
run.py --record             and write docs/bench.md, docs/bench.svg and tests/bench/record.json
run.py --only sets counts   some measurements only
run.py --again              the tables and files of the record, without measuring
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench import cases, deployed, report
from bench.clock import CHECKOUT, BenchError, load
from lab import containers

GROUPS = {**cases.GROUPS, "services": deployed.services, "releases": deployed.releases}
RECORD = Path(__file__).with_name("record.json")
FOLDER = CHECKOUT / ".cache" / "bench"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} load {load()}: {text}", flush=True)


def measure(options: argparse.Namespace) -> dict:
    """The figures of all chosen measurements, with what they were measured on."""
    begun = time.time()
    bench = cases.Bench(FOLDER, options.release, options.rounds, say)
    found: dict = {"load": [load()]}
    try:
        version = containers.run(bench.host, ["systemctl", "--version"]).stdout.splitlines()[0]
        for name in options.only or GROUPS:
            found[name] = GROUPS[name](bench)
            found["load"].append(load())
            (FOLDER / "last.json").write_text(json.dumps(found, indent=1) + "\n")
    finally:
        containers.stop(*bench.hosts)
    from ansible.release import __version__ as ansible_version

    found.update(
        systemd=version,
        ansible=ansible_version,
        python=platform.python_version(),
        processors=os.cpu_count(),
        date=time.strftime("%Y-%m-%d", time.gmtime(begun)),
        minutes=round((time.time() - begun) / 60, 1),
        rounds=options.rounds,
    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), metavar="MEASUREMENT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--release", default="252")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    if options.record and options.only:
        parser.error("--record is for all measurements, made in one run")
    try:
        found = json.loads(RECORD.read_text()) if options.again else measure(options)
    except (BenchError, containers.ContainerError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "last.json").write_text(json.dumps(found, indent=1) + "\n")
    print(report.tables(found))
    if options.record:
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
    if options.record or options.again:
        report.write(found, CHECKOUT / "docs")
    missed = [line for line in report.limits(found) if line.missed]
    print("\n".join(f"missed: {line.text}" for line in missed) or "every limit is kept")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

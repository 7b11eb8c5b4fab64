#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put defects of version 0.1 back, one at a time, and see that the state machine finds them.

Run inside the sandbox:

    tests/lab/sandbox.py run -- tests/property/mutations.py [--release 257] [--count 100] [--seed 1] [NUMBER...]

The defects stand in mutations.yml as a text of the engine and what it becomes. Each is tried in a copy of the checkout,
after a control without any: what it violates is no proof. Ends with 1 when fewer than --least are found.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEFECTS = Path(__file__).with_name("mutations.yml")
COPIED = ("plugins", "tests", ".ansible")


class Tried(t.NamedTuple):
    """What came of one defect."""

    number: str
    defect: str
    found: bool
    words: str


def mutated(text: str, change: t.Mapping[str, str]) -> str:
    """The text of a file with the defect in it.

    :raises ValueError: unless the old text stands in it once.
    """
    if text.count(change["old"]) != 1:
        raise ValueError(f"{change['file']} does not hold this text exactly once, write it anew:\n{change['old']}")
    return text.replace(change["old"], change["new"])


def attempt(entry: t.Mapping[str, t.Any], options: argparse.Namespace) -> Tried:
    """Run the histories in a copy with the defect."""
    with tempfile.TemporaryDirectory(prefix="unitcraft-mutation-") as scratch:
        for folder in COPIED:
            shutil.copytree(ROOT / folder, Path(scratch, folder), symlinks=True)
        for change in entry["changes"]:
            path = Path(scratch, "plugins/module_utils", change["file"])
            path.write_text(mutated(path.read_text(encoding="utf-8"), change), encoding="utf-8")
        words = ["--no-shrink", f"--count={options.count}", f"--steps={options.steps}", f"--seed={options.seed}"]
        words.append(f"--name=mutation-{entry['number']}")
        program = Path(scratch, "tests/property/run.py")
        done = subprocess.run(
            [sys.executable, program, *words, options.release], capture_output=True, text=True, check=False
        )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"defect {entry['number']}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    lines = done.stdout.strip().split("\n")
    told = [after for line, after in zip(lines, lines[1:]) if line.startswith("--- ")]
    words_found = f"{told[0] if told else 'no violation'} ({lines[-1].partition('; ')[2].partition(' (')[0]})"
    return Tried(str(entry["number"]), entry["defect"], done.returncode == 1, words_found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="these defects alone")
    parser.add_argument("--release", default="257")
    parser.add_argument("--count", type=int, default=100, help="histories for each defect")
    parser.add_argument("--steps", type=int, default=20, help="steps of a history")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at the same time")
    parser.add_argument("--least", type=int, default=8, help="how many have to be found")
    options = parser.parse_args()
    defects = yaml.safe_load(DEFECTS.read_text(encoding="utf-8"))
    chosen = [entry for entry in defects if not options.numbers or str(entry["number"]) in options.numbers]
    control = {"number": "none", "defect": "control", "changes": []}
    tried = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for ended in pool.map(lambda entry: attempt(entry, options), [control, *chosen]):
            print(
                f"{ended.number}. {ended.defect}: {'found' if ended.found else 'not found'}: {ended.words}", flush=True
            )
            tried.append(ended)
    if tried[0].found:
        print("the control violates something: mend that first")
        return 1
    found = sum(ended.found for ended in tried)
    print(f"{found} of {len(chosen)} defects found within {options.count} histories each")
    return 0 if found >= min(options.least, len(chosen)) else 1


if __name__ == "__main__":
    sys.exit(main())

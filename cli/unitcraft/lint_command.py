# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``unitcraft lint``: checks unit files for one or several releases of systemd."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Collection, Sequence

from . import _catalog, baseline, formats
from ._lint import judge
from ._model import Finding
from .errors import FOUND, InputError
from .found import Found, Report, merge
from .unit_files import read_files


def run(options: argparse.Namespace) -> int:
    """Check, print, and say by the exit status whether something counts."""
    gc.disable()  # nothing here leaves cycles of any size, and it saves a tenth of the time
    if not options.paths:
        raise InputError("no path given; name unit files or folders, or - for standard input")
    releases = read_releases(options.systemd)
    for words in judge.unknown_rules(options.ignore):
        print(f"unitcraft lint: --{words}", file=sys.stderr)
    files = judge.pending_files(read_files(options.paths, options.name or ""))
    scope = "user" if options.user else "system"
    found = merge((release, _check(files, release, scope, options.ignore)) for release in releases)
    if options.baseline:
        found = _without_known(found, options.baseline)
    if options.write_baseline:
        baseline.write(options.write_baseline, found)
    report = Report(found, [file.path or file.unit for file in files], releases, options.fail_on)
    sys.stdout.write(formats.FORMATS[options.format](report))
    return FOUND if report.failed() and not options.write_baseline else 0


def read_releases(text: str | None) -> list[int]:
    """The releases that --systemd names.

    :raises InputError: for one that the catalogue does not cover.
    """
    oldest, last = judge.OLDEST_RELEASE, _catalog.LAST_RELEASE
    if text is None:
        return [last]
    releases = []
    for word in text.split(","):
        number = word.strip().lstrip("v")
        if not number.isascii() or not number.isdigit() or not oldest <= int(number) <= last:
            raise InputError(f"--systemd: '{word.strip()}' is not a release from {oldest} to {last}; write 247,252")
        releases.append(int(number))
    return sorted(set(releases))


def _check(files: Sequence[judge.PendingFile], release: int, scope: str, ignored: Collection[str]) -> list[Finding]:
    return judge.ignored(judge.check(files, judge.Target(release, scope=scope)), ignored)


def _without_known(found: Sequence[Found], path: str) -> list[Found]:
    old = baseline.read(path)
    unknown = sorted(old.rules() - judge.rule_ids())
    if unknown:
        names = ", ".join(unknown)
        print(f"unitcraft lint: {path}: no such rule: {names}; write the baseline anew", file=sys.stderr)
    left, gone = old.subtract(found)
    if gone:
        print(f"unitcraft lint: {path}: {gone} of its findings are gone; write the baseline anew", file=sys.stderr)
    return left

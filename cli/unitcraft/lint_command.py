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
from ._host.unit_files import unit_sets
from ._lint import judge
from ._model import Finding
from .errors import FOUND, InputError
from .found import Found, Report, merge
from .shown import say
from .unit_files import read_files


def run(options: argparse.Namespace) -> int:
    """Check, print, and say by the exit status whether something counts."""
    gc.disable()  # nothing here leaves cycles of any size, and it saves a tenth of the time
    if not options.paths:
        raise InputError("no path given; name unit files or folders, or - for standard input")
    releases = read_releases(options.systemd)
    for words in judge.unknown_rules(options.ignore):
        say("lint", f"--{words}")
    sets = [judge.pending_files(files) for files in unit_sets(read_files(options.paths, options.name or ""))]
    scope = "user" if options.user else "system"
    found = merge((release, _check(sets, release, scope, options.ignore)) for release in releases)
    checked = [file.path or file.unit for files in sets for file in files]
    left = _without_known(found, checked, options.baseline) if options.baseline else found
    if options.write_baseline:
        baseline.write(options.write_baseline, found)
    report = Report(left, checked, releases, options.fail_on)
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


def _check(
    sets: Sequence[Sequence[judge.PendingFile]], release: int, scope: str, ignored: Collection[str]
) -> list[Finding]:
    target = judge.Target(release, scope=scope)
    return judge.ignored([finding for files in sets for finding in judge.check(files, target)], ignored)


def _without_known(found: Sequence[Found], checked: Sequence[str], path: str) -> list[Found]:
    old = baseline.read(path)
    unknown = sorted(old.rules() - judge.rule_ids())
    if unknown:
        names = ", ".join(unknown)
        say("lint", f"{path}: no such rule: {names}; write the baseline anew")
    left, gone = old.subtract(found, checked)
    if gone:
        say("lint", f"{path}: {gone} of its findings are gone; write the baseline anew")
    return left

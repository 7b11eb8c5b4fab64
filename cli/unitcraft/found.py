# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of several releases of systemd as one list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ._model import SEVERITIES, Finding


class Found(NamedTuple):
    """One finding, and the releases that it is about."""

    finding: Finding
    releases: tuple[int, ...]

    @property
    def file(self) -> str:
        """The file it is in; the unit, where that came from standard input."""
        return self.finding.path or self.finding.unit


class Report(NamedTuple):
    """What a run of the linter has to say.

    :ivar counted: severity of --fail-on, or ``never``.
    """

    found: Sequence[Found]
    checked: Sequence[str]
    releases: Sequence[int]
    counted: str

    def counts(self, found: Found) -> bool:
        """Whether a finding is severe enough to fail."""
        return self.counted != "never" and rank(found.finding) <= SEVERITIES.index(self.counted)

    def failed(self) -> bool:
        """Whether any is."""
        return any(map(self.counts, self.found))


def rank(finding: Finding) -> int:
    """0 for the severest."""
    return SEVERITIES.index(finding.severity)


def merge(by_release: Iterable[tuple[int, Sequence[Finding]]]) -> list[Found]:
    """One entry for each finding, by file, line and severity."""
    releases: dict[Finding, list[int]] = {}
    for release, findings in by_release:
        for finding in findings:
            about = releases.setdefault(finding, [])
            if about[-1:] != [release]:  # the same words twice on one release are one finding
                about.append(release)
    found = [Found(finding, tuple(about)) for finding, about in releases.items()]
    return sorted(found, key=lambda each: (each.file, each.finding.line, rank(each.finding), each.finding.rule))

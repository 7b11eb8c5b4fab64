# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our verdicts on the recorded value cases against those of four real systemds."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from oracle import agreement


@pytest.fixture(scope="module")
def scores() -> dict[int, agreement.Score]:
    return agreement.compare(agreement.read(agreement.RECORDED))


@pytest.mark.parametrize("release", agreement.RELEASES)
def test_agreement(scores: dict[int, agreement.Score], release: int) -> None:
    score = scores[release]
    assert score.counts["all"] > 22_000
    assert score.share("all right", "all") >= 99.9
    assert score.share("typed right", "typed") >= 99.8
    assert score.share("false alarms", "taken") <= 0.05
    assert score.share("unknown right", "unknown") == 100


def test_values_that_nobody_wrote_by_hand() -> None:
    asked = pathlib.Path(agreement.__file__).parent / "recorded_random.txt"
    scores = agreement.compare(agreement.read(asked))
    assert {release: (score.counts["all"], score.wrong) for release, score in scores.items()} == {
        release: (5000, []) for release in (247, 252, 257, 262)
    }


def test_every_disagreement_has_a_reason(scores: dict[int, agreement.Score]) -> None:
    wrong: t.Iterable[agreement.Outcome] = (wrong for score in scores.values() for wrong in score.wrong)
    assert {one.key for one in wrong} == agreement.known_disagreements()

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sample of effective.py: the typed values of unit_info against the real systemd of the four images."""

from __future__ import annotations

import typing as t

import pytest
from lab import containers
from oracle import agreement, effective

COUNT = 200


@pytest.fixture(scope="module")
def asked() -> t.Iterator[dict[int, effective.Asked]]:
    hosts = effective.start(agreement.RELEASES)
    yield {one.release: one for one in effective.ask_all(hosts, COUNT, seed=7)}
    containers.stop(*(host.name for host in hosts))


@pytest.mark.parametrize("release", agreement.RELEASES)
def test_enough_settings_were_asked(asked: dict[int, effective.Asked], release: int) -> None:
    assert len(asked[release].outcomes) == COUNT


@pytest.mark.parametrize("release", agreement.RELEASES)
def test_values_are_those_of_systemctl_show(asked: dict[int, effective.Asked], release: int) -> None:
    assert [one for one in asked[release].outcomes if not (one.equal or one.reason)] == []


@pytest.mark.parametrize("release", agreement.RELEASES)
def test_most_values_need_no_exception(asked: dict[int, effective.Asked], release: int) -> None:
    assert sum(one.equal for one in asked[release].outcomes) > 0.8 * COUNT

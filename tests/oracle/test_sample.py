# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sample of ask.py, and the catalogue's tables, against the real systemd of the four images."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import systemd as _systemd
from catalog import dumps
from lab import containers
from oracle import agreement, ask

RELEASES = agreement.RELEASES


@pytest.fixture(scope="module")
def hosts() -> t.Iterator[dict[int, ask.Host]]:
    started = ask.start()
    yield {host.release: host for host in started}
    for host in started:
        containers.stop(host.name)


@pytest.fixture(scope="module")
def scores(hosts: dict[int, ask.Host]) -> dict[int, agreement.Score]:
    return agreement.compare(ask.ask_all(list(hosts.values()), ask.new_cases(400, 7)))


@pytest.mark.parametrize("release", RELEASES)
def test_values_that_were_never_recorded(scores: dict[int, agreement.Score], release: int) -> None:
    assert scores[release].counts["all"] == 400
    assert not scores[release].wrong


@pytest.mark.parametrize("release", RELEASES)
def test_directives_of_the_image_are_those_of_the_tables(hosts: dict[int, ask.Host], release: int) -> None:
    code, text = ask.run(hosts[release], ["/lib/systemd/systemd", "--dump-configuration-items"])
    assert (code, _systemd.parse_directive_dump(text)) == (0, dumps.recorded(release))


@pytest.mark.parametrize("release", RELEASES)
def test_no_error_about_a_shipped_unit_of_which_systemd_says_nothing(hosts: dict[int, ask.Host], release: int) -> None:
    assert ask.shipped(hosts[release]) == []

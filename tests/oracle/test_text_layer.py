# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sample of text_layer.py: argument lists, environments, credentials and shipped files against a real systemd."""

from __future__ import annotations

import typing as t

import pytest
from lab import containers
from oracle import text_layer


@pytest.fixture(scope="module")
def container() -> t.Iterator[str]:
    name = containers.start("262", "text")
    yield name
    containers.stop(name)


def test_shipped_files(container: str) -> None:
    assert text_layer.check_shipped_files(container) == 0


@pytest.mark.parametrize(
    "check", [text_layer.check_arguments, text_layer.check_environments, text_layer.check_credentials]
)
def test_bytes_arrive(container: str, check: t.Callable[[str, int, int], int]) -> None:
    assert check(container, 50, 2) == 0

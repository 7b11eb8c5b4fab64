# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few deployments of `make deployments` for each release, always the same ones."""

from __future__ import annotations

import pytest
from faults.deployments import Shop

KINDS = [
    "does not start",
    "killed",
    "validate refuses the configuration",
    "healthy",
    "the disk is full",
    "killed",
    "prepare fails",
    "healthy",
]


@pytest.fixture
def shop(target, tmp_path):
    shop = Shop(target, f"gate-{target.name}", tmp_path)
    yield shop
    shop.close()


def test_never_a_mix(shop):
    shop.run(KINDS)
    assert shop.counts["killed"] == KINDS.count("killed")

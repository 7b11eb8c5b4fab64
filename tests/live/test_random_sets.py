# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One set of `make property` for each release, always the same ones."""

from __future__ import annotations

from live import random_sets


def test_one_random_set(target):
    release = target.name[-3:]
    assert random_sets.Host(release, target).sequence(f"gate-{release}") == random_sets.CHANGES + 2

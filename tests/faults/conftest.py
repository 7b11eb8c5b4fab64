# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers are those of the engine's tests: one for each release. Choose some with RELEASES="252 262"."""

from __future__ import annotations

import pytest
from live.conftest import clean, target  # noqa: F401  # pylint: disable=unused-import  # pytest finds fixtures here


@pytest.fixture
def no_wrapper_left(target):  # noqa: F811  a fixture is a parameter of the same name
    yield
    target.sh("systemctl unmask redis-server; rm -rf /run/killed-systemctl /opt/t-bin", check=False)

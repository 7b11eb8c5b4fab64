# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role ``worker`` computes: the cases of cases/plugin_utils/worker."""

from __future__ import annotations

import pytest
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _worker
from case_files import load


@pytest.mark.parametrize("case", load("plugin_utils/worker/last_words"))
def test_last_words_of_a_program(case):
    said = _worker.last_words(case["lines"], case.get("url", ""))
    assert said == case["says"]


@pytest.mark.parametrize("case", load("plugin_utils/worker/environment"))
def test_environment_as_words(case):
    assert _worker.environment_words(case["environment"]) == case["words"]

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed anywhere: every file is whole, and the next run ends in exactly the wanted state.

A set goes from an old to a new version and back; each run on the way is killed before its k-th system call that changes
a file, starts a process or sends a message, for k = 1, 2, 3 ..., by strace. Nothing in the module knows of it.
"""

from __future__ import annotations

import pytest
from faults.job import run_loop


def test_module(target, no_wrapper_left):
    found = run_loop(target, "kill")
    assert found["recovered"] > found["faults"] / 10


@pytest.mark.parametrize("verb", ["show", "stop", "enable", "reenable", "disable", "daemon-reload", "restart", "start"])
def test_systemctl(target, no_wrapper_left, verb):
    """One call is killed, the module lives on: it puts everything back by itself."""
    run_loop(target, "kill", verb)

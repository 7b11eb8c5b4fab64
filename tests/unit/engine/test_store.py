# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of the folder of our own on a host."""

from __future__ import annotations

import os

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import store as _store


def test_a_held_lock_names_its_holder(tmp_path):
    holder, waiting = _store.Store(str(tmp_path)), _store.Store(str(tmp_path))
    holder.lock()
    try:
        with pytest.raises(_store.TransactionError) as refused:
            waiting.lock(timeout=0.1)
    finally:
        holder.unlock()
        waiting.unlock()
    message = str(refused.value)
    assert f"holds {tmp_path}/lock" in message
    assert f": pid {os.getpid()}, " in message
    assert ", since 2" in message
    assert "Wait for it to end, or end it" in message
    waiting.lock(timeout=0.1)  # free again
    waiting.unlock()

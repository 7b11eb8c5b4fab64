# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task with -v says before it falls silent."""

from __future__ import annotations

import pytest
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._send import waits

PREPARED = {"path": "/opt/a", "prepare": [["make"], ["make", "install"]]}
CASES = [
    ({"name": "a"}, []),
    ({"name": "a", "health": {}}, ["a: after a change it has to be healthy within 30 s, and for 0 s"]),
    (
        {"name": "a", "health": {"timeout": "60", "stable": 5}},
        ["a: after a change it has to be healthy within 60 s, and for 5 s"],
    ),
    ({"name": "a", "release": PREPARED}, ["/opt/a: a new version is prepared by 2 programs, each within 900 s"]),
    ({"name": "a", "health": 1, "release": {"prepare": "make"}}, []),
    ({"name": "a", "health": {"timeout": "soon"}}, ["a: after a change it has to be healthy within 30 s, and for 0 s"]),
]


@pytest.mark.parametrize(("item", "texts"), CASES)
def test_waits(item, texts):
    assert list(waits([item])) == texts

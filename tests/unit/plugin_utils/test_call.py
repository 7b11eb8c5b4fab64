# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host answers is data: Ansible gets nothing of it to act on."""

from __future__ import annotations

import types

import pytest
from ansible_collections.unitcraft.systemd.plugins.action import rollback, unit, unit_info, unit_lint, units

LIE = {"ansible_facts": {"adopt_file": "/x"}, "add_host": {}, "add_group": "x", "ansible_stats": {}, "changed": False}


@pytest.mark.parametrize("plugin", [rollback, unit, unit_info, unit_lint, units], ids=lambda plugin: plugin.__name__)
@pytest.mark.parametrize("interpreter", ["", "/usr/bin/python3"])
def test_what_ansible_would_act_on_is_left_out(plugin, interpreter, monkeypatch):
    action = object.__new__(plugin.ActionModule)
    action._task = types.SimpleNamespace(async_val=0, args={})
    action._discovered_interpreter_key = "discovered_interpreter_python" if interpreter else None
    action._discovered_interpreter = interpreter
    lie = {**LIE, "ansible_facts": {**LIE["ansible_facts"], "discovered_interpreter_python": "/bin/evil"}}
    monkeypatch.setattr(action, "_execute_module", lambda **_arguments: lie, raising=False)
    told = action.work({}, {})
    facts = {"ansible_facts": {"discovered_interpreter_python": interpreter}} if interpreter else {}
    assert told == {"changed": False, **facts}

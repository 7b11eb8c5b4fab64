# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules leave behind in a process that runs more than one of them, as Mitogen's does."""

from __future__ import annotations

import gc

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import unit as _unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import unit_lint as _unit_lint
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.options import Sent, set_options, unit_options


class Module:
    """A module that is given nothing it could work on."""

    check_mode = True
    _diff = False
    sent = Sent()

    def __init__(self, **_specification):
        self.params = {name: spec.get("default") for name, spec in {**unit_options(), **set_options()}.items()}
        self.params.update(name="a/b", paths=[], units=[])

    def fail_json(self, **_result):
        raise SystemExit(1)


@pytest.mark.parametrize(("module", "run"), [(_unit, _unit.run_unit), (_unit_lint, _unit_lint.run_unit_lint)])
def test_garbage_is_collected_again_after_the_task(module, run, monkeypatch):
    """Attack 15."""
    monkeypatch.setattr(module, "Module" if module is _unit else "AnsibleModule", Module)
    with pytest.raises(SystemExit):
        run()
    assert gc.isenabled()

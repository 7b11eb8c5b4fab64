# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks of ``unit`` on an unpacked image, where no systemd is needed."""

from __future__ import annotations

import sys
import types

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import store
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.desired import PlanError
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.systemd import SystemdError
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.options import (
    DeclarationError,
    set_options,
    unit_options,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.task import Task
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit import run_task


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes a task for this process; a lock that is held already is an error at once."""
    monkeypatch.setattr(store, "STATE_FOLDER", str(tmp_path / "state"))
    monkeypatch.setattr(store.Store.lock, "__defaults__", (0.0,))
    root = tmp_path / "root"
    (root / "etc/systemd/system").mkdir(parents=True)
    (root / "usr/lib/systemd").mkdir(parents=True)
    (root / "usr/lib/systemd/libsystemd-shared-252.so").touch()

    def make_task(ignore=(), **options):
        params = {name: spec.get("default") for name, spec in set_options().items()}
        item = {name: spec.get("default") for name, spec in unit_options().items()}
        item.update({"name": "a", "content": "[Service]\nExecStart=/bin/a\n", **options})
        return Task({**params, "root": str(root), "ignore": ignore}, [item], False, False)

    return make_task


@pytest.fixture
def run(make):
    return lambda **options: make(**options).run()


def test_a_second_task_of_the_same_process_does_not_wait_for_the_first(run):
    run()
    assert run()["changed"] is False


def test_instances_of_a_template(run):
    assert run(name="a@.service", instances=["b", "c-1"])["changed"] is True


def test_an_instance_that_no_unit_can_be_of(run):
    with pytest.raises(DeclarationError, match=r"instances: 'b c' of a@.service: .*; the filter unit_escape"):
        run(name="a@.service", instances=["b c"])


def test_neither_does_one_after_a_failure(run):
    with pytest.raises(PlanError):
        run(masked=True)
    assert run()["changed"] is True


def test_a_probe_that_can_never_be_answered_is_refused(run):
    with pytest.raises(DeclarationError, match=r"a.service: health: probes\[0\]: tcp: 'localhost' is not host:port"):
        run(health={"probes": [{"tcp": "localhost"}]})


def test_a_misspelt_rule_to_ignore_is_told_with_the_finding_that_it_did_not_leave_out(make):
    told = []
    module = types.SimpleNamespace(warn=told.append, fail_json=lambda **_result: sys.exit(1))
    with pytest.raises(SystemExit):
        run_task(module, make(content="[Service]\nExecStart=/bin/a\nRestartSecs=1\n", ignore=["unknown-directiv"]))
    assert told == ["ignore: there is no rule 'unknown-directiv'; write unknown-directive"]


def test_a_file_that_cannot_be_read_is_named(run, monkeypatch):
    """Attack 3: a user may take the rights on a folder away."""
    error = PermissionError(13, "Permission denied", "/x")
    monkeypatch.setattr(Task, "_run", lambda _self: (none for none in ()).throw(error))
    with pytest.raises(SystemdError, match="/x cannot be read: Permission denied"):
        run()

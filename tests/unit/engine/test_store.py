# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of our own on a host: lock, intent and record."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import store as _store
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.execute import recover


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


# Attack 3 and defect 18: no user, and no file of ours, holds up the runs for others.

INTENT = {
    "format": _store.FORMAT,
    "id": "0",
    "boot": "",
    "begun": 0,
    "scope": "system",
    "user": "",
    "runtime": False,
    "root": "",
    "files": [],
    "names": ["a.service"],
    "links": {},
    "units": {},
    "reloads": [],
    "daemon_reload": False,
    "linger": None,
}
OWNERS = [("system", ""), ("global", ""), ("user", "alice"), ("user", "bob")]


def test_each_scope_and_user_has_its_own_files(tmp_path):
    """Attack 3."""
    paths = {_store.Store(str(tmp_path), *owner).path("intent.json") for owner in OWNERS}
    assert len(paths) == len(OWNERS)


def test_the_lock_of_a_user_holds_up_no_other(tmp_path):
    """Attack 3."""
    holder, other = _store.Store(str(tmp_path), "user", "alice"), _store.Store(str(tmp_path))
    holder.lock()
    other.lock(timeout=0.0)
    other.unlock()
    holder.unlock()


def test_a_record_tells_of_its_own_scope_only(tmp_path):
    """Version 0.1 kept the entries of all scopes in one file."""
    store = _store.Store(str(tmp_path))
    mine, others = {"unit": "a.service", "scope": "system"}, {"unit": "a.service", "scope": "user", "user": "alice"}
    store.write_record({"/a": mine, "/b": others})
    assert store.read_record() == {"/a": mine}


NO_RECORDS = ["", "{", "[]", '{"format": 1, "files": []}', '{"format": 1, "files": {"/a": 1}}', '{"format": 2}']


@pytest.mark.parametrize(
    "text", [*NO_RECORDS, '{"format": 1, "files": {"/a": {"unit": "a", "sums": [1]}}}', "[" * 9999]
)
def test_what_is_no_record_is_told_and_set_aside(text, tmp_path):
    """Defect 18."""
    (tmp_path / "deployed.json").write_text(text, "latin-1")
    store = _store.Store(str(tmp_path))
    store.lock()
    record = store.read_record()
    store.unlock()
    kept = next(tmp_path.glob("deployed-set-aside-*.json"))
    assert (record, kept.read_text("latin-1")) == ({}, text)
    assert f"It is kept as {kept}" in store.problems[0]


def test_what_is_no_record_stays_in_check_mode(tmp_path):
    (tmp_path / "deployed.json").write_text("")
    store = _store.Store(str(tmp_path))
    assert store.read_record() == {}
    assert (tmp_path / "deployed.json").exists()
    assert "deployed.json is not a record of ours: it is not JSON. Drift" in store.problems[0]


NO_INTENTS = {
    "empty": "",
    "cut off": "{",
    "a list": "[]",
    "of another program": "{}",
    "of another format": json.dumps({**INTENT, "format": 99}),
    "without units": json.dumps({**INTENT, "units": None}),
    "with a strange file": json.dumps({**INTENT, "files": [{"path": "/a"}]}),
    "deep": "[" * 9999,
}


@pytest.mark.parametrize("text", NO_INTENTS.values(), ids=NO_INTENTS)
def test_what_is_no_intent_is_told_and_set_aside(text, tmp_path):
    """Defect 18."""
    (tmp_path / "intent.json").write_text(text)
    store = _store.Store(str(tmp_path))
    message = recover(store)
    kept = next(tmp_path.glob("intent-set-aside-*.json"))
    assert " was interrupted, and what it began cannot be undone: the snapshot is malformed (" in message
    assert f"the snapshot is kept as {kept}" in message
    assert not store.has_intent()


def test_the_intent_of_a_deleted_user_is_set_aside(tmp_path):
    """Defect 18."""
    store = _store.Store(str(tmp_path), "user", "no-such-user")
    store.write_intent({**INTENT, "scope": "user", "user": "no-such-user"})
    assert "cannot be undone: user: there is no user 'no-such-user'" in recover(store)
    assert not store.has_intent()


def test_units_whose_owner_led_them_elsewhere_are_set_aside(tmp_path):
    """Attack 3."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/systemd").symlink_to(tmp_path)
    store = _store.Store(str(tmp_path))
    store.write_intent({**INTENT, "root": str(tmp_path)})
    assert "etc/systemd is a link to" in recover(store)
    assert not store.has_intent()

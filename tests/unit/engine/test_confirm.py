# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard of a deployment that has to be confirmed: which end it comes to, by what stands in the intent."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import confirm
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.execute import recover
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.store import Store, TransactionError

SNAPSHOT = {
    "format": 1,
    "id": "00000001",
    "boot": "",
    "begun": 0.0,
    "scope": "system",
    "user": "",
    "runtime": False,
    "root": "",
    "files": [],
    "names": ["a.service"],
    "links": {},
    "units": {},
}
CLOSING = {"generation": None, "versions": [], "accounts": [], "record": None}


def intent(until=None, **more):
    waits = {} if until is None else {"until": time.time() + until, "token": "right", "closing": CLOSING}
    return {**SNAPSHOT, "confirm": {"within": 60.0, "health": {}, **waits}, **more}


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path))


@pytest.fixture
def guard(store, monkeypatch):
    """A guard that forgets the intent in place of an undo, which needs a host."""
    reverted = []

    def undo(_guard, found):
        reverted.append(found["id"])
        store.forget_intent()

    monkeypatch.setattr(confirm.Guard, "_revert", undo)
    guard = confirm.Guard(store, SNAPSHOT["id"])
    guard.reverted = reverted
    return guard


@pytest.mark.parametrize(
    ("found", "reverts"),
    [
        pytest.param(None, 0, id="confirmed"),
        pytest.param(intent(id="00000002"), 0, id="another deployment has begun"),
        pytest.param(intent(), 1, id="the module was killed"),
        pytest.param(intent(-5), 1, id="the time was up before a boot"),
        pytest.param(intent(0.01), 1, id="the time is up in a moment"),
    ],
)
def test_the_end_of_a_guard(store, guard, found, reverts):
    if found:
        store.write_intent(found)
    guard.watch()
    assert len(guard.reverted) == reverts


def test_an_intent_that_is_not_ours_is_left_to_the_next_run(store, guard, tmp_path):
    (tmp_path / "intent.json").write_text("{")
    guard.watch()
    assert guard.reverted == []


def test_a_clock_that_was_put_back_makes_nobody_wait_longer(store, guard):
    store.write_intent({**intent(9999), "confirm": {**intent(9999)["confirm"], "within": 0.01}})
    guard.watch()
    assert guard.reverted == [SNAPSHOT["id"]]


@pytest.mark.parametrize(("token", "status"), [("right", 0), ("wrong", 2)])
def test_only_the_token_confirms(store, guard, token, status):
    store.write_intent(intent(60))
    assert guard.confirm(token) == status
    assert store.has_intent() is bool(status)


def test_what_is_killed_cannot_be_confirmed(store, guard):
    store.write_intent(intent())
    assert guard.confirm("right") == 2


def ask_again(guard):
    answer = subprocess.run([*guard.command, "right"], capture_output=True, text=True, check=False)
    return answer.returncode, answer.stdout


def test_who_confirms_again_gets_the_same_answer(store, guard):
    """The first one may be lost with the connection."""
    store.write_intent(intent(60))
    assert guard.confirm("right") == 0
    assert ask_again(guard) == (0, "[]\n")
    assert store.guards() == [SNAPSHOT["id"]]  # the next run removes it


def test_another_run_is_refused_while_one_waits(store):
    store.write_intent(intent(60))
    with pytest.raises(TransactionError, match=r"the deployment of a\.service .* waits for its confirmation"):
        recover(store)


def test_another_run_undoes_what_no_guard_has_undone(store, monkeypatch):
    store.write_intent({**intent(-61), "root": "/nonexistent/root"})
    assert "was not confirmed within 60 s" in recover(store)


def test_the_copy_runs_without_ansible(store, tmp_path):
    """The archive ends at once, and in peace, when there is nothing to guard."""
    archive = tmp_path / "guard.zip"
    main = confirm._MAIN.format(folder=store.folder, scope="system", user="", id=SNAPSHOT["id"])
    archive.write_bytes(confirm._engine(main))
    done = subprocess.run([sys.executable, "-I", archive], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_copy_confirms(store, tmp_path):
    store.write_intent(intent(60))
    archive = tmp_path / "guard.zip"
    main = confirm._MAIN.format(folder=store.folder, scope="system", user="", id=SNAPSHOT["id"])
    archive.write_bytes(confirm._engine(main))
    done = subprocess.run([sys.executable, "-I", archive, "right"], capture_output=True, text=True, check=False)
    assert (json.loads(done.stdout), done.stderr, store.has_intent()) == ([], "", False)


def test_a_loader_that_has_no_text_is_an_error(monkeypatch):
    name = confirm.__name__.replace("confirm", "kept_in_memory")
    monkeypatch.setitem(sys.modules, name, type(sys)(name))
    with pytest.raises(OSError, match="keeps the modules in memory"):
        confirm._engine("")

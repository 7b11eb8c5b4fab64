# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``release``: what is refused before anything is done, each mistake with its place."""

from __future__ import annotations

import contextlib
import types

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.desired import DesiredFile, DesiredUnit
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.options import (
    DeclarationError,
    Sent,
    release_options,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.releases import add_releases
from case_files import load


def declared(case):
    """The mistakes of a case, and its units."""
    defaults = {name: spec.get("default") for name, spec in release_options().items()}
    found = {"digest": "a" * 64, "packed": False, **case.get("found", {})}
    items = [{"release": {**defaults, "path": "/opt/a", "src": "a.tar", **release}} for release in case["releases"]]
    sent = Sent(releases=[found] * len(items))
    states = case.get("states", ["present"] * len(items))
    units = [DesiredUnit(f"{n}.service", "/x", state=state, position=n) for n, state in enumerate(states)]
    units[0].files = [DesiredFile(f"files[{n}]", path, "file") for n, path in enumerate(case.get("files", ()))]
    units[0].files += [DesiredFile("absent", path, "missing") for path in case.get("removed", ())]
    params = {"scope": "system", "root": None, **case.get("params", {})}
    root = (params["root"] or "").rstrip("/")
    folder = f"{root}/etc/systemd/system"
    manager = types.SimpleNamespace(as_owner=contextlib.nullcontext, root=root, folder=folder)
    host = types.SimpleNamespace(manager=manager, root=root, scope=params["scope"])
    try:
        add_releases(units, items, sent, params, host, True)
    except DeclarationError as error:
        return str(error), units
    return "", units


@pytest.mark.parametrize("case", load("modules/release_options"))
def test_mistakes(case):
    mistakes, _units = declared(case)
    assert bool(mistakes) is ("says" in case)
    assert [part for part in case.get("says", ()) if part not in mistakes] == []


def test_the_link_is_among_the_files():
    _mistakes, units = declared({"releases": [{"version": "1"}]})
    assert units[0].files == [
        DesiredFile("units[0].release", "/opt/a/current", "link", target="releases/1", of_release=True),
    ]


def test_remote_src(tmp_path):
    (tmp_path / "program").write_text("x")
    _mistakes, units = declared({"releases": [{"src": None, "remote_src": str(tmp_path)}], "found": {}})
    assert (units[0].release.source, len(units[0].release.digest)) == (str(tmp_path), 64)


def test_a_release_goes_with_its_unit():
    _mistakes, units = declared({"releases": [{"version": "1"}], "states": ["absent"]})
    assert units[0].release.gone
    assert units[0].files == [DesiredFile("units[0].release", "/opt/a/current", "missing", of_release=True)]


def test_a_release_stays_for_another_unit():
    _mistakes, units = declared({"releases": [{}, {}], "states": ["absent", "present"]})
    assert (units[0].release, units[0].files) == (None, [])
    assert units[1].files[0].kind == "link"

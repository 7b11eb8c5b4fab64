# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue against what four real systemds list, and against its own sources."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from catalog import dumps

TABLES = pathlib.Path(__file__).parents[2] / "catalog"
RELEASES = (247, 252, 257, 262)
HIDDEN = frozenset(
    (
        *("CPUAccounting", "CPUShares", "StartupCPUShares", "MemoryLimit", "NetClass", "Capabilities"),
        *("BlockIOAccounting", "BlockIOWeight", "StartupBlockIOWeight", "BlockIODeviceWeight"),
        *("BlockIOReadBandwidth", "BlockIOWriteBandwidth", "DefaultMemoryLow", "DefaultMemoryMin"),
        *("DefaultStartupMemoryLow", "IgnoreOnSnapshot", "SysVStartPriority", "BusPolicy"),
    )
)


@pytest.mark.parametrize("release", RELEASES)
def test_pairs_equal_the_dump_of_the_real_systemd(release: int) -> None:
    status = {pair: _catalog.get(*pair, release).status for pair in _catalog.pairs(release)}
    accepted = {pair for pair, known in status.items() if known != "removed"}
    assert accepted == dumps.recorded(release)


@pytest.mark.parametrize(("release", "total"), [(247, 1089), (252, 1204), (257, 1341), (262, 1468)])
def test_ignored_names_are_the_hidden_ones(release: int, total: int) -> None:
    pairs = _catalog.pairs(release)
    removed = {name for section, name in pairs if _catalog.get(section, name, release).status == "removed"}
    assert len(pairs) == len(set(pairs)) == total
    assert removed <= HIDDEN
    assert release != 262 or removed == HIDDEN


def test_generated_file_is_what_the_tables_give() -> None:
    script = [sys.executable, str(TABLES / "generate.py"), "--check"]
    assert subprocess.run(script, check=False).returncode == 0, "run tests/catalog/generate.py"


def test_small_and_fast() -> None:
    path = pathlib.Path(_catalog.__file__)
    assert path.stat().st_size <= 25_000
    code = compile(path.read_text(), str(path), "exec")
    # 2 ms of processor time on an idle machine; caches that others use at the same time make it more, never ten times.
    best = min(load_time(code) for _round in range(30))
    assert best < 0.02, f"loading takes {best * 1000:.1f} ms"


def load_time(code: object) -> float:
    scope = {"__name__": "catalogue"}
    start = time.process_time()
    exec(code, scope)  # noqa: S102  our own file, compiled
    scope["get"]("Service", "ExecStart")
    return time.process_time() - start


def test_history_of_a_parser() -> None:
    assert _catalog.get("Service", "CPUShares", 257).parser == "cpu_shares"
    assert _catalog.get("Service", "CPUShares", 257)[6:8] == ("deprecated", "Service.CPUWeight")
    assert _catalog.get("Service", "CPUShares", 262).status == "removed"
    assert _catalog.get("Unit", "StartLimitIntervalSec").since == 230
    assert _catalog.get("Service", "StartLimitIntervalSec") is None
    assert _catalog.get("Service", "ManagedOOMMemoryPressureLimitPercent", 247).until == 247


NAMES = [(section, name) for section in {one for one, _name in _catalog.pairs(262)} for name in _catalog.names(section)]


def test_every_successor_exists() -> None:
    successors = {_catalog.get(*pair, 257).successor for pair in NAMES} - {""}
    assert [one for one in sorted(successors) if _catalog.get(*one.split(".")) is None] == []


def test_every_name_knows_its_sections() -> None:
    assert [(section, name) for section, name in NAMES if section not in _catalog.sections_of(name)] == []

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files make up a unit: the cases of cases/unitfiles."""

from __future__ import annotations

import pathlib
import posixpath

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import unit_path as _unitfiles

SEARCH_PATH = (
    "/etc/systemd/system.control",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)
CASES = [
    case
    for path in sorted((pathlib.Path(__file__).parents[1] / "cases" / "host" / "unitfiles").glob("*.yml"))
    for case in yaml.safe_load(path.read_text())
]


def listing(files):
    """The listing that a host with these files would give."""
    found = {}
    for path, what in files.items():
        folder, name = posixpath.split(path)
        found.setdefault(folder, {})[name] = entry(folder, what)
        parent, subfolder = posixpath.split(folder)
        if subfolder.endswith((".d", ".wants", ".requires")):
            found.setdefault(parent, {})[subfolder] = _unitfiles.Entry(_unitfiles.FOLDER)
    return found


def entry(folder, what):
    if isinstance(what, str):
        return _unitfiles.Entry(_unitfiles.FILE, empty=not what)
    target = posixpath.normpath(posixpath.join(folder, what["link"]))
    return _unitfiles.Entry(_unitfiles.LINK, target=target, empty=target == "/dev/null")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_find(case):
    files = _unitfiles.UnitFiles(SEARCH_PATH, listing(case["files"]), case.get("resolved"))
    if "error" in case:
        with pytest.raises(ValueError, match=case["error"]):
            files.find(case["find"])
        return
    found = files.find(case["find"])._asdict()
    wanted = case["want"]
    assert {key: list(found[key]) if isinstance(wanted[key], list) else found[key] for key in wanted} == wanted


def test_names_and_folder_dependencies():
    files = _unitfiles.UnitFiles(
        SEARCH_PATH,
        listing(
            {
                "/etc/systemd/system/a.service": "[Unit]",
                "/etc/systemd/system/README": "text",
                "/etc/systemd/system/x.target.wants/a.service": {"link": "/etc/systemd/system/a.service"},
                "/usr/lib/systemd/system/x.target.wants/b.service": {"link": "../b.service"},
                "/usr/lib/systemd/system/x.target.wants/README": "text",
            }
        ),
    )
    assert files.names() == ["a.service"]
    assert files.linked_from("wants") == {"x.target": ["a.service", "b.service"]}
    assert files.linked_from("requires") == {}

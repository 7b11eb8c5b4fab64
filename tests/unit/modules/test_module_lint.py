# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import unit_lint as _module_lint
from case_files import load

RELEASE = 262


def options(params: dict[str, t.Any], folder: str) -> dict[str, t.Any]:
    """All options of the module as AnsibleModule would hand them over."""
    spec = _module_lint.argument_spec()
    given = {name: option.get("default") for name, option in spec.items()}
    given.update({"systemd_version": RELEASE, **params})
    given["paths"] = [path.replace("FOLDER", folder) for path in given["paths"]]
    suboptions = dict.fromkeys(spec["units"]["options"])
    given["units"] = [{**suboptions, **unit} for unit in given["units"]]
    return given


def write(folder: pathlib.Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        kind, _colon, rest = text.partition(":")
        if kind == "link":
            path.symlink_to(rest)
        else:
            path.write_bytes(bytes.fromhex(rest) if kind == "bytes" else text.encode())


@pytest.mark.parametrize("case", load("modules/lint"))
def test_unit_lint(case: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    write(tmp_path, case.get("files", {}))
    params = options(case.get("params", {}), str(tmp_path))
    if "error" in case:
        with pytest.raises(_module_lint.LintError) as raised:
            _module_lint.lint(params)
        for part in case["error"]:
            assert part.replace("FOLDER", str(tmp_path)) in str(raised.value)
        return
    result = _module_lint.lint(params)
    found = [
        [finding["unit"], finding["rule"], finding["line"]]
        for finding in result["findings"]
        if finding["severity"] != "info"
    ]
    assert sorted(found) == case["expect"]
    if "checked" in case:
        assert sorted(result["checked"]) == [name.replace("FOLDER", str(tmp_path)) for name in case["checked"]]
    assert result["changed"] is False
    assert result["systemd_version"] == params["systemd_version"]

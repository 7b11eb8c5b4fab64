#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible packs for a module and sends to the host: taken from the wrapper it builds itself.

payload.py                 print what each module sends, as JSON
payload.py --write         make what is sent now the white list, ``payload.yml``
"""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import sys
import typing as t
import zipfile
from pathlib import Path

import yaml

MODULES = ("unit", "units", "unit_info", "unit_lint", "rollback")
WHITE_LIST = Path(__file__).with_name("payload.yml")
CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = "unitcraft.systemd"


def measure() -> dict[str, dict[str, t.Any]]:
    """``{module: {own: bytes, all: bytes, files: {file: bytes}}}``; packed sizes, *own* without Ansible's own part."""
    # Ansible reads it when it is first imported.
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(CHECKOUT / ".ansible" / "collections")
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()
    return {module: _sizes(archive(f"{COLLECTION}.{module}")) for module in MODULES}


def archive(module: str) -> zipfile.ZipFile:
    """The archive that is sent for a module."""
    from ansible.executor.module_common import modify_module
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import module_loader
    from ansible.template import Templar

    found = module_loader.find_plugin_with_context(module)
    variables = {"ansible_python_interpreter": "/usr/bin/python3"}
    made: t.Any = modify_module(
        module_name=module,
        module_path=found.plugin_resolved_path,
        module_args={},
        templar=Templar(loader=DataLoader()),
        task_vars=variables,
        module_compression="ZIP_DEFLATED",
    )
    wrapper = made.b_module_data if hasattr(made, "b_module_data") else made[0]
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(_longest_text(wrapper))))


def _longest_text(wrapper: bytes) -> str:
    """The archive is by far the longest string in the wrapper."""
    texts = [
        node.value
        for node in ast.walk(ast.parse(wrapper))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return max(texts, key=len)


def _sizes(packed: zipfile.ZipFile) -> dict[str, t.Any]:
    own = {
        entry.filename.rpartition("/plugins/")[2].removeprefix("module_utils/"): entry.compress_size
        for entry in packed.infolist()
        if "ansible_collections" in entry.filename and entry.file_size
    }
    return {
        "own": sum(own.values()),
        "all": sum(entry.compress_size for entry in packed.infolist()),
        "files": dict(sorted(own.items(), key=lambda item: -item[1])),
    }


def white_list() -> dict[str, dict[str, t.Any]]:
    """``{module: {most: bytes of ours, files: [path]}}`` as ``payload.yml`` has it."""
    return yaml.safe_load(WHITE_LIST.read_text())


def write_white_list(measured: dict[str, dict[str, t.Any]]) -> None:
    """Replace the files of the white list by what is sent now; the limits stay."""
    limits = {module: entry["most"] for module, entry in white_list().items()}
    head = "".join(line for line in WHITE_LIST.read_text().splitlines(True) if line.startswith("#"))
    content = {
        module: {"most": limits[module], "files": sorted(sizes["files"])}
        for module, sizes in measured.items()
        if module in limits
    }
    WHITE_LIST.write_text(head + yaml.safe_dump(content, sort_keys=False))


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write_white_list(measure())
    else:
        print(json.dumps(measure()))

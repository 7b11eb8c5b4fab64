# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run our own code inside a test container, without Ansible in between."""

from __future__ import annotations

import io
import json
import pathlib
import tarfile
import typing as t

from lab import containers

UTILS = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
_PLACE = "/opt/ours/ansible_collections/unitcraft/systemd/plugins/module_utils"


def install(name: str) -> None:
    """Put plugins/module_utils into the container ``name``; call once for each container."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(UTILS.rglob("*.py")):
            archive.add(path, str(path.relative_to(UTILS)))
    containers.run(name, ["mkdir", "-p", _PLACE])
    containers.run(name, ["tar", "-x", "-C", _PLACE], data=packed.getvalue())


def call(name: str, program: str, given: t.Any = None) -> t.Any:
    """Run Python text in the container. It finds ``given`` and ``utils`` (the package), and sets ``answer``."""
    text = (
        "import json, sys\n"
        "sys.path.insert(0, '/opt/ours')\n"
        "import ansible_collections.unitcraft.systemd.plugins.module_utils as utils\n"
        "given = json.load(sys.stdin)\n" + program + "\njson.dump(answer, sys.stdout)\n"
    )
    done = containers.run(name, ["python3", "-c", text], data=json.dumps(given))
    return json.loads(done.stdout)

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the modules as they are in a systemd container, without an Ansible run around each call.

The collection and Ansible's module_utils are copied into the container once; a call then is one Python process with the
module's arguments, as Ansible's own wrapper starts it.
"""

from __future__ import annotations

import io
import json
import pathlib
import tarfile
import typing as t

import ansible.module_utils
from images import containers

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = "/opt/unitcraft-test"
_COLLECTION = "ansible_collections/unitcraft/systemd/plugins"
_START = f"""\
import json, runpy, sys
sys.path.insert(0, {LIBRARY!r})
sys.argv = ["unitcraft-test"]
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({{"ANSIBLE_MODULE_ARGS": json.load(open(sys.stdin.fileno()))}}).encode()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module("ansible_collections.unitcraft.systemd.plugins.modules.@NAME@", run_name="__main__")
"""


def _library() -> bytes:
    """The code that a module needs, as a tar archive."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        utils = pathlib.Path(ansible.module_utils.__file__).parent
        own = [(ROOT / "plugins" / part, f"{_COLLECTION}/{part}") for part in ("modules", "module_utils")]
        for folder, place in ((utils, "ansible/module_utils"), *own):
            for path in sorted(folder.rglob("*.py")):
                archive.add(path, f"{place}/{path.relative_to(folder)}")
        for empty in ("ansible/__init__.py", "ansible/release.py"):
            text = b"__version__ = 'test'\n"
            entry = tarfile.TarInfo(empty)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return data.getvalue()


class Target:
    """One container with the collection in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sh(f"rm -rf {LIBRARY}; mkdir -p {LIBRARY}")
        containers.run(name, ["tar", "-xf", "-", "-C", LIBRARY], data=_library())
        for module in ("unit", "units"):
            containers.write_file(name, f"{LIBRARY}/run_{module}.py", _START.replace("@NAME@", module))

    def sh(self, script: str, check: bool = True) -> str:
        """Output of a shell script in the container, without the last line end."""
        return containers.run(self.name, ["sh", "-c", script], check=check).stdout.rstrip("\n")

    def write(self, path: str, content: str, mode: str = "0644") -> None:
        containers.write_file(self.name, path, content, mode)

    def show(self, unit: str, name: str) -> str:
        return self.sh(f"systemctl show --property={name} --value '{unit}'")

    def command(self, module: str) -> list[str]:
        """The module as a command that reads its arguments as JSON from standard input."""
        return ["python3", f"{LIBRARY}/run_{module}.py"]

    def module(self, module: str, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        """What a module returns, failed or not."""
        data = json.dumps({**arguments, "_ansible_check_mode": check, "_ansible_version": "2.21"})
        done = containers.run(self.name, self.command(module), data=data, check=False)
        try:
            result = json.loads(done.stdout)
            # Newer releases of ansible-core wrap a warning in its history.
            warnings = result.get("warnings", [])
            result["warnings"] = [w if isinstance(w, str) else w["event"]["msg"] for w in warnings]
            return result
        except ValueError:
            raise AssertionError(f"{module} did not end with a result:\n{done.stdout}{done.stderr}") from None

    def unit(self, name: str, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        return self.module("unit", check, name=name, **arguments)

    def units(self, units: list[dict[str, t.Any]], check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        return self.module("units", check, units=units, **arguments)


def said(result: t.Mapping[str, t.Any]) -> list[str]:
    """The actions of a result as short words: ``restart a.service``."""
    return [f"{action['action']} {action['unit']}".strip() for action in result["actions"]]

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the modules as they are in a systemd container, without an Ansible run around each call.

The collection and Ansible's module_utils are copied into the container once. One process in the container runs all
commands and modules: see agent.py.
"""

from __future__ import annotations

import io
import json
import os
import pathlib
import subprocess
import tarfile
import time
import typing as t

import ansible.module_utils
from lab import containers
from live import agent

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Those of another version, for `make red`.
PLUGINS = pathlib.Path(os.environ.get("UNITCRAFT_PLUGINS", ROOT / "plugins"))
PATIENCE = float(os.environ.get("UNITCRAFT_PATIENCE", 300))  # seconds; a loaded machine takes its time
AGENT = pathlib.Path(__file__).with_name("agent.py")
LIBRARY = "/opt/unitcraft-test"
_COLLECTION = "ansible_collections/unitcraft/systemd/plugins"
START = f"""\
import json, runpy, sys
sys.path.insert(0, {LIBRARY!r})
sys.argv = ["unitcraft-test"]
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({{"ANSIBLE_MODULE_ARGS": json.load(open(sys.stdin.fileno()))}}).encode()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module("@MODULE@", run_name="__main__")
"""

# A daemon-reload runs each of them, which takes half of its time; a test that needs one lets it run.
MASK_GENERATORS = """
mkdir -p /etc/systemd/system-generators
cd /usr/lib/systemd/system-generators 2>/dev/null || cd /lib/systemd/system-generators
for each in *; do ln -sf /dev/null /etc/systemd/system-generators/$each; done
"""


class Ended(t.NamedTuple):
    code: int
    out: str
    err: str


def _library() -> bytes:
    """The code that a module needs, as a tar archive."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        utils = pathlib.Path(ansible.module_utils.__file__).parent
        own = [(PLUGINS / part, f"{_COLLECTION}/{part}") for part in ("modules", "module_utils")]
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
        self.agent: subprocess.Popen[str] | None = None
        unpack = f"rm -rf {LIBRARY}; mkdir -p {LIBRARY}; tar -xf - -C {LIBRARY}"
        containers.run(name, ["sh", "-c", f"{unpack}\n{MASK_GENERATORS}"], data=_library())
        containers.write_file(name, f"{LIBRARY}/agent.py", AGENT.read_text(encoding="utf-8"))
        for module in agent.MODULES:
            start = START.replace("@MODULE@", f"{agent.PLUGINS}.modules.{module}")
            containers.write_file(name, f"{LIBRARY}/run_{module}.py", start)

    def run(self, argv: list[str], data: str | None = None) -> Ended:
        """Run a command in the container as root."""
        return self._ask({"argv": argv, "module": "", "data": data})

    def _ask(self, ask: dict[str, t.Any]) -> Ended:
        if self.agent is None or self.agent.poll() is not None:
            program = ["python3", f"{LIBRARY}/agent.py"]
            command = ["podman", "exec", "--interactive", containers.full_name(self.name), *program]
            self.agent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.agent.stdin.write(json.dumps(ask) + "\n")
        self.agent.stdin.flush()
        line = self.agent.stdout.readline()
        if not line:
            self.close()
            raise AssertionError(f"the container ended while it ran {ask}")
        return Ended(*json.loads(line))

    def close(self) -> None:
        """End the process in the container; the next command starts another one."""
        if self.agent is not None:
            self.agent.kill()
            self.agent.communicate()
            self.agent = None

    def reboot(self) -> None:
        self.close()
        containers.reboot(self.name)

    def sh(self, script: str, check: bool = True) -> str:
        """Output of a shell script in the container, without the last line end."""
        ended = self.run(["sh", "-c", script])
        if check and ended.code != 0:
            raise AssertionError(f"exit status {ended.code} of {script}\n{ended.out}{ended.err}")
        return ended.out.rstrip("\n")

    def wait_for(self, script: str, seconds: float = PATIENCE) -> None:
        """Wait until a shell script succeeds. For what happens on its own."""
        end = time.monotonic() + seconds
        while self.run(["sh", "-c", script]).code != 0:
            assert time.monotonic() < end, f"after {seconds:.0f} s still not true: {script}"
            time.sleep(0.1)

    def wait_for_command(self, words: str, *units: str) -> None:
        """Wait until the main process of each unit is a command with these words.

        A start of Type=simple is done before the program is there.
        """
        pid = "$(systemctl show --property=MainPID --value $unit)"
        one = f"tr '\\0' ' ' < /proc/{pid}/cmdline | grep -q '{words}' || exit 1"
        self.wait_for(f"for unit in {' '.join(units)}; do {one}; done")

    def write(self, path: str, content: str, mode: str = "0644") -> None:
        ended = self.run(["install", "-D", "-m", mode, "/dev/stdin", path], content)
        assert ended.code == 0, ended.err

    def show(self, unit: str, name: str) -> str:
        return self.sh(f"systemctl show --property={name} --value '{unit}'")

    def command(self, module: str) -> list[str]:
        """The module as a command of its own that reads its arguments as JSON from standard input."""
        return ["python3", f"{LIBRARY}/run_{module}.py"]

    def module(self, module: str, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        """What a module returns, failed or not."""
        data = json.dumps({**arguments, "_ansible_check_mode": check, "_ansible_version": "2.21"})
        return self.result(self._ask({"argv": [], "module": module, "data": data, "seconds": 4 * PATIENCE}))

    @staticmethod
    def result(ended: Ended) -> dict[str, t.Any]:
        """What a module printed."""
        try:
            result = json.loads(ended.out)
            # Newer releases of ansible-core wrap a warning in its history.
            warnings = result.get("warnings", [])
            result["warnings"] = [w if isinstance(w, str) else w["event"]["msg"] for w in warnings]
            return result
        except ValueError:
            raise AssertionError(f"the module did not end with a result:\n{ended.out}{ended.err}") from None

    def unit(self, name: str, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        return self.module("unit", check, name=name, **arguments)

    def units(self, units: list[dict[str, t.Any]], check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        return self.module("units", check, units=units, **arguments)


def said(result: t.Mapping[str, t.Any]) -> list[str]:
    """The actions of a result as short words: ``restart a.service``."""
    return [f"{action['action']} {action['unit']}".strip() for action in result["actions"]]

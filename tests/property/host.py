# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of a history: one systemd container with the agent in it, and what can be asked of it."""

from __future__ import annotations

import collections
import json
import pathlib
import subprocess
import time
import types
import typing as t

from ansible_collections.unitcraft.systemd.plugins.plugin_utils._find import Finder
from lab import containers
from live import target as live_target
from live.deploying import payload_of
from property.world import FILES, RELEASE, SOURCES, SYSTEMCTL_OF_USER, USER, VERSIONS

AGENT = pathlib.Path(__file__).with_name("agent.py")
PAYLOAD = "/run/m-payload"
# The longest that a module call may take: its own limits for health and jobs are far below.
MODULE_SECONDS = 90.0
# A container that got no processor for so long has not shown how long a call takes.
STALL_SECONDS = 3.0

PREPARE = f"""
useradd --create-home {USER} && loginctl enable-linger {USER}
for version in {" ".join(VERSIONS)}; do mkdir -p {SOURCES}/$version; echo $version > {SOURCES}/$version/number; done
"""
WAIT_FOR_USER = f"until {SYSTEMCTL_OF_USER} is-system-running 2>&1 | grep -Eq 'running|degraded'; do sleep 0.1; done"
CLEAN = f"""
cd /
umount -q /etc/systemd/system
find /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /etc/systemd/user \\
    \\( -name 'm-*' -o -name 'run-mmnt.mount' \\) -prune -exec rm -rf {{}} +
rm -rf /home/{USER}/.config/systemd /etc/systemd/system-preset
for systemctl in systemctl "{SYSTEMCTL_OF_USER}"; do
    $systemctl daemon-reload  # by its definition, a unit may refuse to be stopped, and come back when it is killed
    $systemctl kill -s KILL 'm-*' 2>/dev/null
    $systemctl stop 'm-*' run-mmnt.mount 2>/dev/null
    $systemctl reset-failed
done
rm -rf /run/m-* /run/mmnt {FILES} {RELEASE} /var/lib/unitcraft
"""


class Lost(Exception):
    """The container or the machine failed, not what is tested: the history says nothing."""


class Reply(t.NamedTuple):
    """What a module call ended with. ``result`` is empty when it printed no JSON object."""

    code: int
    result: dict[str, t.Any]
    out: str
    err: str
    seconds: float


class Host:
    """One container. It starts when it is first asked, and again when it was lost.

    :ivar seconds: how long each kind of question took altogether; ``asked`` is how often it was put.
    :ivar outcomes: how often a task succeeded, failed, or was refused.
    """

    def __init__(self, release: str, name: str) -> None:
        self.release = release
        self.name = name
        self.agent: subprocess.Popen[str] | None = None
        self.seconds: collections.Counter[str] = collections.Counter()
        self.asked: collections.Counter[str] = collections.Counter()
        self.outcomes: collections.Counter[str] = collections.Counter()

    def ask(self, verb: str, label: str = "", **given: t.Any) -> t.Any:
        """One question to the agent; ``label`` is what its time is counted as.

        :raises Lost: when the container or its agent ended.
        """
        begun = time.monotonic()
        try:
            agent = self.agent or self.start()
            assert agent.stdin
            assert agent.stdout
            agent.stdin.write(json.dumps({"verb": verb, **given}) + "\n")
            agent.stdin.flush()
            answer = json.loads(agent.stdout.readline())
        except (OSError, ValueError, containers.ContainerError) as error:
            self.stop()
            raise Lost(f"the container was lost when it was asked to {label or verb}: {error}") from error
        self.seconds[label or verb] += time.monotonic() - begun
        self.asked[label or verb] += 1
        return answer

    def start(self) -> subprocess.Popen[str]:
        if self.name not in containers.running():
            containers.stop(self.name)
            containers.start(self.release, self.name)
            live_target.Target(self.name).close()  # puts the collection there
            containers.write_file(self.name, "/opt/property/agent.py", AGENT.read_text(encoding="utf-8"))
            containers.run(self.name, ["sh", "-c", PREPARE + WAIT_FOR_USER])
        argv = ["podman", "exec", "--interactive", containers.full_name(self.name)]
        argv += ["python3", "/opt/property/agent.py", live_target.LIBRARY]
        self.agent = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.agent.stdout
        if json.loads(self.agent.stdout.readline()) != "ready":
            raise ValueError("the agent did not start")
        return self.agent

    def stop(self) -> None:
        """Remove the container."""
        self.hang_up()
        containers.stop(self.name)

    def hang_up(self) -> None:
        """End the agent; the container runs on."""
        if self.agent:
            self.agent.kill()
            self.agent.communicate()
            self.agent = None

    def reboot(self) -> None:
        """As a machine would, also when some unit fails then; raises Lost when it does not come up again."""
        self.hang_up()
        try:
            containers.reboot(self.name, healthy=False)
            containers.run(self.name, ["sh", "-c", WAIT_FOR_USER])
        except containers.ContainerError as error:
            self.stop()
            raise Lost(str(error)) from error

    def shell(self, script: str) -> str:
        """Output of a script, whatever it ended with."""
        return self.ask("shell", script=script)["out"]

    def look(self) -> dict[str, t.Any]:
        return self.ask("look", users=[USER])

    def call(self, module: str, arguments: t.Mapping[str, t.Any], check: bool = False) -> Reply:
        """Call a module as its action plugin does."""
        given = {**self._with_files(arguments), "_ansible_check_mode": check, "_ansible_diff": True}
        given["_ansible_version"] = "2.21"
        label = "check mode" if check else "real run"
        ended = self.ask("module", label, module=module, arguments=given, seconds=MODULE_SECONDS)
        if ended["seconds"] > MODULE_SECONDS / 2 and ended["stalled"] > STALL_SECONDS:
            self.stop()
            raise Lost(f"the machine stood still for {ended['stalled']:.0f} s while a module ran")
        try:
            result = json.loads(ended["out"])
        except ValueError:
            result = {}
        return Reply(ended["code"], result, ended["out"], ended["err"], ended["seconds"])

    def _with_files(self, arguments: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
        """The arguments with the files of all units found, and their contents sent."""
        units = arguments.get("units", ())
        if not any("files" in item for item in units):
            return arguments
        with Finder(types.SimpleNamespace(_loader=None), {}) as finder:
            files = [finder.entries(f"units[{n}].", item.get("files", [])) for n, item in enumerate(units)]
            self.shell(f"echo {payload_of(finder.sources)} | base64 -d > {PAYLOAD}")
        sent = {"files": files, "secret_digests": finder.secret_digests, "payload": PAYLOAD}
        items = [{**item, "files": []} if "files" in item else item for item in units]
        return {**arguments, "units": items, "_sent": sent}

    def clean(self) -> None:
        """As if no history had been there."""
        self.ask("shell", "clean", script=CLEAN)

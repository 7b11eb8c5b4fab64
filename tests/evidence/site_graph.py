#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy site.yml on a host and draw what it has brought, with our own filter and Graphviz: docs/site.svg.

tests/lab/sandbox.py run python3 tests/evidence/site_graph.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.filter.unit_graph import unit_graph
from lab import containers
from lab.playbook import play

HOST, RELEASE = "graph", "257"
GROUPS = ("rot13", "worker", "linked")


def deploy() -> None:
    """Run site.yml with the host in all groups."""
    hosts = containers.inventory({HOST: RELEASE})["systemd_hosts"]
    play(dict.fromkeys(GROUPS, hosts), ROOT / "playbooks/site.yml")


def on_host(*command: str) -> list[str]:
    return containers.run(HOST, list(command)).stdout.splitlines()


def units() -> list[dict[str, str]]:
    """Every unit with our header, in it or in a drop-in, as items of the filter; a template as its instances."""
    own = {line.rpartition("/")[2] for line in on_host("grep", "-rl", "unitcraft.systemd", "/etc/systemd/system")}
    dropins = {
        line.split("/")[-2].removesuffix(".d") for line in on_host("find", "/etc/systemd/system", "-path", "*.d/*.conf")
    }
    names = {name for name in own if not name.endswith(".conf")} | dropins
    instances = [line.split()[0] for line in on_host("systemctl", "list-units", "--plain", "--no-legend", "*@*")]
    for template in [name for name in names if "@." in name]:
        names.remove(template)
        names.update(each for each in instances if each.partition("@")[0] == template.partition("@")[0])
    items = []
    for name in sorted(names):
        paths = on_host("systemctl", "show", "--value", "--property=FragmentPath", "--property=DropInPaths", name)
        enabled = containers.run(HOST, ["systemctl", "is-enabled", name], check=False).returncode == 0
        for path in " ".join(paths).split():
            content = containers.run(HOST, ["cat", path]).stdout
            # The filter draws every unit as if it were enabled.
            content = content if enabled else content.partition("[Install]")[0]
            dropin = Path(path).stem if path.endswith(".conf") else ""
            items.append(
                {
                    "name": name,
                    "content": content.replace("%i", name.partition("@")[2].partition(".")[0]),
                    "dropin": dropin,
                }
            )
    return items


def main() -> int:
    containers.start(RELEASE, HOST)
    containers.run(HOST, ["mount", "--make-rshared", "/"])
    deploy()
    dot = unit_graph(units())
    drawn = subprocess.run(["dot", "-Tsvg"], input=dot, text=True, capture_output=True, check=True).stdout
    (ROOT / "docs/site.svg").write_text(drawn, encoding="utf-8")
    print(dot)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploy the site playbook to a systemd container and write its audit page: site.py PAGE.html. Runs in the sandbox."""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import containers
from lab.playbook import environment, play
from tools.toolchain import CHECKOUT

RELEASES = ("262",)
WORKER = {"worker_software": "rq", "worker_app": "jobs"}  # in the inventory, so that the audit counts its jobs


def main() -> int:
    page = pathlib.Path(sys.argv[1]).resolve()
    page.parent.mkdir(parents=True, exist_ok=True)
    hosts = containers.inventory({containers.start(release, f"report{release}"): release for release in RELEASES})
    for name in hosts["systemd_hosts"]["hosts"]:
        containers.keep_compiled(name)
    groups = dict.fromkeys(("rot13", "linked", "worker"), hosts["systemd_hosts"])  # of site.yml
    groups["worker"] = {**groups["worker"], "vars": {**groups["worker"]["vars"], **WORKER}}
    configured = environment(ANSIBLE_CONFIG=str(CHECKOUT / "playbooks" / "ansible.cfg"))
    play(groups, "unitcraft.systemd.site", env=configured)
    play(groups, "unitcraft.systemd.audit", "--extra-vars", json.dumps({"audit_dest": str(page)}), env=configured)
    return 0


if __name__ == "__main__":
    sys.exit(main())

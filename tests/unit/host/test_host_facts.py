# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

from ansible_collections.unitcraft.systemd.plugins.module_utils._host import facts as _host_facts
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.manager import Manager
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.core import Questions

FILES = {
    "usr/bin/tool": (0o755, ""),
    "usr/bin/data": (0o644, ""),
    "etc/passwd": (0o644, "root:x:0:0::/root:/bin/sh\nworker:x:900:900::/:/bin/false\n"),
    "etc/group": (0o644, "root:x:0:\n"),
    "etc/worker/a.env": (0o644, "DB_PASSWORD='x1'\nLEVEL=3\n"),
    "etc/worker/b.env": (0o600, "DB_PASSWORD=x2\n"),
    "etc/systemd/system/a.service": (0o644, "[Unit]\nAfter=b.service\n[Service]\nExecStart=/usr/bin/tool\n"),
    "etc/systemd/system/b.service": (0o644, "[Service]\nExecStart=/usr/bin/tool\n"),
}


def test_facts_of_an_image(tmp_path: pathlib.Path) -> None:
    """What the rules ask is answered below the root alone; what was not asked is not looked up."""
    for name, (mode, text) in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
    questions = Questions(
        users=("worker", "nobody-here", "4711"),
        groups=("root", "worker"),
        paths=("/usr/bin/tool", "/usr/bin", "/usr/bin/none"),
        programs=("tool", "data", "none"),
        environment_files=("/etc/worker/*.env", "/etc/worker/none"),
        units=("a.service", "none.service"),
        machine=("architecture", "virtualization"),
    )
    facts = _host_facts.host_facts(Manager(root=str(tmp_path)), questions)
    assert facts.users == {"worker": True, "nobody-here": False, "4711": True}
    assert facts.groups == {"root": True, "worker": False}
    assert {path: fact.kind for path, fact in facts.paths.items()} == {
        "/usr/bin/tool": "file",
        "/usr/bin": "directory",
        "/usr/bin/none": "missing",
    }
    assert facts.programs == {"tool": True, "data": False, "none": False}
    # Only what everybody may read is worth a word about its secrets.
    assert [(path, fact.secrets) for path, fact in facts.environment_files["/etc/worker/*.env"]] == [
        ("/etc/worker/a.env", ("DB_PASSWORD",)),
        ("/etc/worker/b.env", ()),
    ]
    assert facts.environment_files["/etc/worker/none"] == []
    assert {name: text is not None for name, text in facts.units.items()} == {
        "a.service": True,
        "b.service": True,
        "none.service": False,
    }
    assert (facts.architecture, facts.virtualization) == ("", "")

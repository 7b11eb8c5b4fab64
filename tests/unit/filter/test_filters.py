# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from case_files import load

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLUGINS = "ansible_collections.unitcraft.systemd.plugins.filter"
NAMES = (
    "to_unit",
    "from_unit",
    "exec_quote",
    "unit_escape",
    "unit_unescape",
    "unit_graph",
    "__private.linked_units",
    "__private.service_units",
)


GRAPH = """\
flowchart LR
  %% red: ordering cycle; thick: a stop passes from one to the other; dashed box: not in this set
  u0{{"a.target"}}
  u1{{"b.target"}}
  u0 -.->|"After"| u1
  classDef outside stroke-dasharray: 4 4
  class u1 outside
"""


def _filter(name: str) -> t.Callable[..., t.Any]:
    folder, _dot, short = name.rpartition(".")
    module = importlib.import_module(f"{PLUGINS}.{folder}.own" if folder else f"{PLUGINS}.{name}")
    filters = module.FilterModule().filters()
    assert folder or list(filters) == [name]
    return filters[short]


@pytest.mark.parametrize("case", load("filter/filters"))
def test_filter(case: dict[str, t.Any]) -> None:
    function = _filter(case["filter"])
    options = case.get("options", {})
    if "error" in case:
        with pytest.raises(AnsibleFilterError) as caught:
            function(case["input"], **options)
        assert case["error"] in str(caught.value)
        assert "." in case["filter"] or str(caught.value).startswith(f"{case['filter']}: ")
    else:
        assert function(case["input"], **options) == case["output"]


def test_every_filter_has_a_case() -> None:
    assert {case.values[0]["filter"] for case in load("filter/filters")} == set(NAMES)


def test_in_a_template(tmp_path: pathlib.Path) -> None:
    """Ansible finds the filters by their full names; one call tries all."""
    expressions = {
        "to_unit": "{'Service': {'ExecStart': [['/bin/a', 'b c']]}} | unitcraft.systemd.to_unit",
        "from_unit": "'[Unit]\nAfter=a b\n' | unitcraft.systemd.from_unit",
        "exec_quote": "['/bin/a', '$x'] | unitcraft.systemd.exec_quote(prefix='-')",
        "unit_escape": "'/a b' | unitcraft.systemd.unit_escape(path=true, suffix='mount')",
        "unit_unescape": "'a-b' | unitcraft.systemd.unit_unescape",
        "unit_graph": "{'a.target': '[Unit]\nAfter=b.target\n'} | unitcraft.systemd.unit_graph(format='mermaid')",
        "__private.linked_units": "([{'chain': ['a', 'b']}]"
        " | unitcraft.systemd.__private.linked_units(release=252)).units | map(attribute='name')",
        "__private.service_units": "({'a': {'command': ['/a'], 'schedule': 'daily'}}"
        " | unitcraft.systemd.__private.service_units).units | map(attribute='name')",
    }
    assert set(expressions) == set(NAMES)
    task = {"ansible.builtin.debug": {"msg": {name: f"{{{{ {text} }}}}" for name, text in expressions.items()}}}
    play = tmp_path / "play.json"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    environment = dict(
        os.environ,
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".ansible" / "collections"),
        ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
    )
    call = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", str(play)]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.partition("=>")[2])["msg"] == {
        "to_unit": '[Service]\nExecStart=/bin/a "b c"\n',
        "from_unit": {"Unit": {"After": ["a", "b"]}},
        "exec_quote": "-/bin/a $$x",
        "unit_escape": "a\\x20b.mount",
        "unit_unescape": "a/b",
        "unit_graph": GRAPH,
        "__private.linked_units": ["a.service", "b.service"],
        "__private.service_units": ["a.service", "a.timer"],
    }

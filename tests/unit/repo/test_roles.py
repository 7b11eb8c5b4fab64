# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say of their variables is what they do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).parents[3] / "roles").iterdir() if (path / "meta").is_dir())


def load(role, path):
    return yaml.safe_load((role / path).read_text(encoding="utf-8"))


def options(role):
    return load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request):
    return request.param


def test_there_are_roles():
    assert {"rot13", "service"} <= {role.name for role in ROLES}


def test_documented_defaults_are_the_defaults(role):
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert documented == load(role, "defaults/main.yml")


def test_a_variable_without_default_is_required(role):
    required = {name for name, option in options(role).items() if option.get("required", False)}
    assert required == {name for name, option in options(role).items() if "default" not in option}


def test_every_variable_is_described(role):
    assert [name for name, option in options(role).items() if not (option["type"] and option["description"])] == []


def test_every_variable_has_the_prefix_of_its_role(role):
    assert [name for name in options(role) if not f"{name}_".startswith(f"{role.name}_")] == []


def test_every_variable_is_used(role):
    files = [path for folder in ("tasks", "vars", "templates") for path in (role / folder).rglob("*") if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    unused = [name for name in options(role) if not re.search(rf"\b{name}\b", text)]
    assert not unused


def test_every_role_has_what_a_collection_needs(role):
    assert (role / "README.md").is_file()
    assert load(role, "meta/main.yml")["galaxy_info"]["description"]


# --- secrets ----------------------------------------------------------------------------------------------------------

SECRETS = re.compile(
    r"\b(?:service_secrets|worker_broker_url|worker_secrets|__worker_redis_password|__worker_(?:\w+_)?url)\b"
)
# Arguments of a task that do not reach a result: which names a task is for, and whether it runs.
HARMLESS = {"when", "register", "name", "loop_control", "vars"}
# These get no secret as an argument: they test it, or pass it on by name.
WITHOUT_RESULT = {"ansible.builtin.assert", "ansible.builtin.include_tasks", "ansible.builtin.include_role"}


def tasks_with_secrets(role):
    """[(file, task)] whose arguments, or whose template, hold a secret."""
    found = []
    for path in sorted((role / "tasks").glob("*.yml")):
        for task in load(role, f"tasks/{path.name}"):
            arguments = {key: value for key, value in task.items() if key not in HARMLESS}
            text = json.dumps(arguments)
            for module in arguments:
                if module == "ansible.builtin.template":
                    text += template_text(role, arguments[module]["src"])
            if SECRETS.search(text) and not WITHOUT_RESULT & arguments.keys():
                found.append((path.name, task))
    return found


def template_text(role, name):
    path = role / "templates" / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def test_no_secret_is_shown_by_diff(role):
    shown = [f"{name}: {task['name']}" for name, task in tasks_with_secrets(role) if not task.get("no_log")]
    assert not shown


@pytest.mark.parametrize(("name", "number"), [("service", 0), ("services", 0), ("worker", 1)])
def test_the_tasks_with_secrets_are_known(name, number):
    assert len(tasks_with_secrets(ROLES[0].parent / name)) == number


# --- licences ---------------------------------------------------------------------------------------------------------

ROOT = ROLES[0].parents[1]
FILES = [path for folder in ("roles", "playbooks") for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.suffix not in (".md", ".pyc")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_file_names_its_licence(path):
    assert "GPL-3.0-or-later" in path.read_text(encoding="utf-8")[:500]

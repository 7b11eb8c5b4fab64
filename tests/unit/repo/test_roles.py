# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say of their variables is what they do."""

from __future__ import annotations

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
    for name, option in options(role).items():
        assert ("default" in option) != option.get("required", False), name


def test_every_variable_is_described_and_has_the_prefix_of_its_role(role):
    for name, option in options(role).items():
        assert name.startswith(f"{role.name}_")
        assert option["type"]
        assert option["description"]


def test_every_variable_is_used(role):
    files = [path for folder in ("tasks", "vars", "templates") for path in (role / folder).rglob("*") if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    unused = [name for name in options(role) if not re.search(rf"\b{name}\b", text)]
    assert not unused


def test_every_role_has_what_a_collection_needs(role):
    assert (role / "README.md").is_file()
    assert load(role, "meta/main.yml")["galaxy_info"]["description"]

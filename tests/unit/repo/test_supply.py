# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests and the workflows bring in from elsewhere is named by its content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tools import toolchain

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = sorted((ROOT / "tests").glob("requirements-*.txt"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def requirements(path):
    """The requirements, each with its continuation lines."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return " ".join(line.rstrip("\\") if line.endswith("\\") else line + "\n" for line in lines).splitlines()


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: f"security-low-{path.stem}")
def test_every_requirement_has_a_version_and_hashes(path):
    pinned = re.compile(r"\s*[A-Za-z0-9._-]+==\S+(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert [line for line in requirements(path) if not pinned.fullmatch(line)] == []


def test_pip_is_told_to_ask_for_hashes():
    assert "--require-hashes" in toolchain.install_command(Path("/venv"), Path("/requirements"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: f"security-low-{path.stem}")
def test_every_action_is_a_commit_with_its_release_beside_it(path):
    used = re.findall(r"uses: *(.*)", path.read_text())
    pinned = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v[0-9.]+")
    assert [action for action in used if not pinned.fullmatch(action)] == []


@pytest.mark.parametrize("name", ["test", "importer"])
@pytest.mark.parametrize(("python", "core"), toolchain.CORES.items())
def test_each_python_has_its_release_of_ansible_core(name, python, core):
    assert f"\nansible-core=={core}." in toolchain.requirements_file(name, python).read_text()


def test_the_workflow_runs_every_release_of_ansible_core():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    found = {(run["python"], run["core"]) for run in workflow["jobs"]["test"]["strategy"]["matrix"]["include"]}
    assert found == {(f"{major}.{minor}", core) for (major, minor), core in toolchain.CORES.items()}

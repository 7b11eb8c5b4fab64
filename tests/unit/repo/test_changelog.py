# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changelog names all that the collection brings; `antsibull-changelog lint` looks at its form only."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml
from case_files import load
from tools.release import numbers, with_version_added

ROOT = pathlib.Path(__file__).resolve().parents[3]
TEXT = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]


def documented(path: pathlib.Path) -> str:
    """The short description of a module or filter, without markup."""
    source = path.read_text(encoding="utf-8")
    return next(line.partition(": ")[2] for line in source.splitlines() if line.startswith("short_description: "))


def is_released(path: pathlib.Path) -> bool:
    """Whether a plugin or role came with this version or before; a newer one is announced with its release."""
    added = re.search(r"^ *version_added: ([0-9.]+)$", path.read_text(encoding="utf-8"), re.MULTILINE)[1]
    return numbers(added) <= numbers(VERSION)


def releases() -> list[dict[str, t.Any]]:
    text = (ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text)["releases"].values())


def announced(*keys: str) -> dict[str, str]:
    """{name: description} of what the releases brought, of one kind."""
    found = {}
    for release in releases():
        entries = release
        for key in keys:
            entries = entries.get(key, {})
        found.update({entry["name"]: entry["description"] for entry in entries})
    return found


def removed() -> str:
    """What the changelog and its fragments say about removed features."""
    sections = [release.get("changes", {}) for release in releases()]
    fragments = (ROOT / "changelogs" / "fragments").glob("*.yml")
    sections += [yaml.safe_load(path.read_text(encoding="utf-8")) for path in fragments]
    return "\n".join(entry for section in sections for entry in section.get("removed_features", []))


@pytest.mark.parametrize(("folder", "keys"), [("modules", ["modules"]), ("filter", ["plugins", "filter"])])
def test_every_plugin_is_announced_with_its_description(folder, keys):
    paths = list(filter(is_released, sorted((ROOT / "plugins" / folder).glob("[!_]*.py"))))
    assert paths
    there = {path.stem: documented(path) for path in paths}
    named = announced(*keys)
    assert {name: named.get(name) for name in there} == there
    assert [name for name in named if name not in there and name not in removed()] == []


def test_every_role_is_announced_with_its_description():
    specs = filter(is_released, ROOT.glob("roles/*/meta/argument_specs.yml"))
    assert announced("objects", "role") == {
        path.parts[-3]: yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["short_description"]
        for path in specs
    }


def test_every_playbook_is_announced():
    fragments = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in ROOT.glob("changelogs/fragments/*.yml")]
    new = {entry["name"] for fragment in fragments for entry in fragment.get("add object.playbook", ())}
    assert {*announced("objects", "playbook"), *new} == {path.stem for path in ROOT.glob("playbooks/*.yml")}


def test_no_kind_of_plugin_is_forgotten():
    own = {"action", "modules", "filter", "module_utils", "plugin_utils", "doc_fragments"}
    assert {path.name for path in (ROOT / "plugins").iterdir() if any(path.rglob("*.py"))} == own


@pytest.mark.parametrize(
    "keys", [["modules"], ["plugins", "filter"], ["objects", "role"], ["objects", "playbook"]], ids="/".join
)
def test_the_text_says_what_the_data_says(keys):
    missing = [
        line
        for line in (f"- unitcraft.systemd.{name} - {about}\n" for name, about in announced(*keys).items())
        if line not in TEXT
    ]
    assert not missing


@pytest.mark.parametrize("case", load("repo/release"))
def test_a_release_gives_its_version_to_what_is_new(case):
    assert with_version_added(case["text"], "0.1.0", "1.0.0") == case["becomes"]

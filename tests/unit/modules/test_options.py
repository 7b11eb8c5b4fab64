# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``unit`` documents of itself, ``units`` documents of each item; the two texts stand in different files."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.doc_fragments import _health, _unit
from ansible_collections.unitcraft.systemd.plugins.modules import units

OF_UNIT = {
    name: option
    for fragment in (_unit, _health)
    for name, option in yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"].items()
}
OF_ITEM = yaml.safe_load(units.DOCUMENTATION)["options"]["units"]["suboptions"]


def words(option: t.Any) -> t.Any:
    """The documentation of an option, with references to other options made alike."""
    if isinstance(option, dict):
        return {key: words(value) for key, value in option.items()}
    if isinstance(option, list):
        return [words(value) for value in option]
    return option.replace("O(units[].", "O(").replace("\n", " ") if isinstance(option, str) else option


@pytest.mark.parametrize("name", sorted(set(OF_UNIT) & set(OF_ITEM)))
def test_the_same_words(name: str) -> None:
    assert words(OF_ITEM[name]) == words(OF_UNIT[name])

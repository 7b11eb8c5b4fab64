# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases as data: each YAML file below tests/unit/cases is a list of mappings."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

CASES = pathlib.Path(__file__).parent / "cases"


def load(name: str) -> list[t.Any]:
    """The cases of one file as pytest parameters.

    :param name: path below ``cases`` without ``.yml``, for example ``syntax/parse``.
    """
    cases = yaml.safe_load((CASES / f"{name}.yml").read_text(encoding="utf-8"))
    return [pytest.param(case, id=str(case.get("name", number))) for number, case in enumerate(cases, 1)]

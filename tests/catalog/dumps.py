# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The (section, directive) pairs that a systemd lists, as recorded in dumps.txt."""

from __future__ import annotations

import pathlib

RECORDED = pathlib.Path(__file__).parent / "dumps.txt"


def recorded(release: int) -> set[tuple[str, str]]:
    found, section = set(), ""
    for line in RECORDED.read_text().splitlines():
        if line.startswith("["):
            section = line[1:-1]
        elif not line.startswith("#"):
            releases, names = line.split(":")
            if str(release) in releases.split():
                found.update((section, name) for name in names.split())
    return found

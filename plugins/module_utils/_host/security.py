# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``systemd-analyze security`` prints -> scores and the checks behind them."""

from __future__ import annotations

import re
import typing as t

_CHECK = re.compile(r"(\S)?\s+([A-Z]\w*=\S*(?:/\w+=\S*)?)\s+(\S.*?)(?:\s+(\d+\.\d+))?\s*\Z")
_OVERALL = re.compile(r"\S+ Overall exposure level for (\S+): (\d+(?:\.\d+)?) (\w+)")


def parse_security(text: str, worst: int = 8) -> dict[str, dict[str, t.Any]]:
    """Output of ``systemd-analyze security UNIT...`` -> ``{unit: {exposure, level, points}}``.

    ``exposure``: 0.0 to 10.0; ``level``: systemd's own word, in lower case; ``points``: the settings that cost most,
    as ``{setting, exposure, description}``, the worst first.
    """
    units: dict[str, dict[str, t.Any]] = {}
    points: list[dict[str, t.Any]] = []
    for line in text.split("\n"):
        overall = _OVERALL.match(line)
        if overall:
            points.sort(key=lambda point: (-point["exposure"], point["setting"]))
            units[overall.group(1)] = {
                "exposure": float(overall.group(2)),
                "level": overall.group(3).lower(),
                "points": points[:worst],
            }
            points = []
            continue
        check = _CHECK.match(line)
        if check and check.group(4):
            points.append({"setting": check.group(2), "exposure": float(check.group(4)), "description": check.group(3)})
    return units

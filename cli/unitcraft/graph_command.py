# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``unitcraft graph``: the dependencies of unit files as text for Graphviz or Mermaid."""

from __future__ import annotations

import argparse
import sys

from ._graph.build import build
from ._graph.draw import dot, draw, mermaid
from .unit_files import read_units


def run(options: argparse.Namespace) -> int:
    """Print the drawing."""
    # The fragment of a unit before its drop-ins, and those by their names.
    files = sorted(read_units(options.paths), key=lambda each: (bool(each[0].dropin), each[0].dropin))
    drawing = draw(build([unit for _file, unit in files]), options.everything)
    sys.stdout.write({"dot": dot, "mermaid": mermaid}[options.format](drawing))
    return 0

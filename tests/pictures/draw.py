#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw into docs/images what runs.py left in FOLDER: draw.py FOLDER.

The terminal is drawn as SVG; the audit page is as a browser shows it. FOLDER also gets pictures of README and site.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing as t
from xml.sax.saxutils import escape

from markdown_it import MarkdownIt

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from report import check

from pictures.runs import COLUMNS

HERE = pathlib.Path(__file__).resolve().parent
_COLOUR = re.compile(r"\x1b\[([\d;]*)m")
_REPEATED = re.compile(r"^(?:\x1b\[[\d;]*m)*Origin: .*?(?=^PLAY RECAP)", re.DOTALL | re.MULTILINE)
# SGR parameters of ECMA-48, as a terminal with a dark background shows them.
COLOURS = {
    "31": "#ff8a80",
    "32": "#8fd694",
    "33": "#e8c46a",
    "34": "#8ab4f8",
    "35": "#d7a6f0",
    "36": "#7fd4d4",
    "90": "#8b949e",
}
PLAIN, PROMPT, BACKGROUND = "#d6dae0", "#ffffff", "#14171b"
WIDTH, HEIGHT, MARGIN = 8, 18, 16  # of a character, of a line, around all


def spans(line: str) -> t.Iterator[tuple[str, str]]:
    """A line of a terminal -> (colour, text)."""
    colour = PROMPT if line.startswith("$ ") else PLAIN
    for number, part in enumerate(_COLOUR.split(line)):
        if number % 2:
            colour = next((COLOURS[code] for code in part.split(";") if code in COLOURS), PLAIN)
        elif part:
            yield colour, part


def wrapped(line: str) -> t.Iterator[list[tuple[str, str]]]:
    """The rows that a terminal of COLUMNS characters makes of a line."""
    row: list[tuple[str, str]] = []
    left = COLUMNS
    for colour, text in spans(line):
        while len(text) > left:
            yield [*row, (colour, text[:left])]
            row, text, left = [], text[left:], COLUMNS
        row.append((colour, text))
        left -= len(text)
    yield row


def shortened(text: str) -> str:
    """A run without what Ansible repeats as data after its message; a row of dots says how much that is."""
    dots = "\x1b[90m⋮ {} lines: the same as data\x1b[0m\n\n"
    return _REPEATED.sub(lambda match: dots.format(match[0].strip().count("\n") + 1), text)


def svg(text: str) -> str:
    """A terminal with this text."""
    rows = [row for line in text.rstrip().split("\n") for row in wrapped(line.expandtabs().rstrip())]
    width, height = COLUMNS * WIDTH + 2 * MARGIN, len(rows) * HEIGHT + 2 * MARGIN
    drawn = []
    for number, row in enumerate(rows):
        column = 0
        for colour, part in row:
            x, y = MARGIN + column * WIDTH, MARGIN + number * HEIGHT + HEIGHT - 5
            place = f'x="{x}" y="{y}" textLength="{len(part) * WIDTH}"'
            drawn.append(f'<text {place} fill="{colour}" xml:space="preserve">{escape(part)}</text>')
            column += len(part)
    font = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
            "<!-- Written by make pictures from the output of a real run. -->",
            f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
            f'<g font-family="{font}" font-size="13">',
            *drawn,
            "</g></svg>\n",
        ]
    )


def readme() -> str:
    """The README as a page, about as GitHub shows it."""
    root = check.fleet.ROOT
    page = MarkdownIt("commonmark").enable("table").render((root / "README.md").read_text())
    style = (
        "body {font: 16px sans-serif; max-width: 900px; margin: 2em auto} img {max-width: 100%} pre {background: #eee}"
    )
    return f'<!DOCTYPE html><base href="{root.as_uri()}/"><style>{style}</style>{page}'


def main() -> int:
    folder = pathlib.Path(sys.argv[1]).resolve()
    (check.PICTURES / "rollback.svg").write_text(svg(shortened((folder / "rollback.txt").read_text())))
    browser = next(path for path in map(shutil.which, check.BROWSERS) if path)
    check.install_packages()
    variables = {**os.environ, "NODE_FOLDER": str(check.CACHE), "CHROMIUM": browser}
    page = folder / "fleet.html"
    shots = [
        f"{page}# {check.PICTURES / 'audit.png'} light",
        f"{page}# {check.PICTURES / 'audit-night.png'} dark",
    ]
    # The drawn terminal, the README and the site as pictures to look at; they are not kept.
    (folder / "readme.html").write_text(readme())
    site = check.fleet.ROOT / ".cache" / "docs" / "html" / "index.html"
    shots += [
        f"{check.PICTURES / 'rollback.svg'} {folder / 'rollback.png'} light",
        f"{folder / 'readme.html'} {folder / 'readme.png'} light whole",
        f"{site} {folder / 'site.png'} light whole",
        f"{site} {folder / 'site-night.png'} dark",
    ]
    command = ["node", str(HERE / "shoot.mjs"), *shots]
    return subprocess.run(command, env=variables, check=False, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())

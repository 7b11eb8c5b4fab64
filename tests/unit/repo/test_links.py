# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links of the documentation lead somewhere, and messages that it explains exist. No network."""

from __future__ import annotations

import functools
import pathlib
import re
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
OWN = "https://github.com/unitcraft/unitcraft.systemd/blob/main/"
GUIDES = ROOT / "docs" / "docsite" / "rst"
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("roles/*/README.md"),
    *ROOT.glob("cli/*.md"),
    *GUIDES.glob("*.rst"),
    ROOT / "docs" / "docsite" / "links.yml",
]
_MARKDOWN_LINK = re.compile(r"\]\(([^()\s]+)\)")
_ADDRESS = re.compile(re.escape(OWN) + r"[\w./#-]*")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def links(page: pathlib.Path) -> t.Iterator[tuple[pathlib.Path, str]]:
    """Files of this repository that a page links to, with the anchor."""
    text = page.read_text(encoding="utf-8")
    targets = [(ROOT, address[len(OWN) :]) for address in _ADDRESS.findall(text)]
    if page.suffix == ".md":
        targets += [
            (page.parent, target) for target in _MARKDOWN_LINK.findall(_CODE.sub("", text)) if ":" not in target
        ]
    for folder, target in targets:
        path, _hash, anchor = target.partition("#")
        yield (folder / path if path else page), anchor


@functools.cache
def anchors(page: pathlib.Path) -> set[str]:
    """Anchors that GitHub makes of the headings of a Markdown page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = [
        f"{path}#{anchor}"
        for path, anchor in links(page)
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path))
    ]
    assert not broken


def test_links_are_found():
    assert sum(1 for page in PAGES for _link in links(page)) > 30


def test_every_guide_is_in_the_table_of_contents():
    sections = yaml.safe_load((GUIDES.parent / "extra-docs.yml").read_text(encoding="utf-8"))["sections"]
    assert sorted(name for section in sections for name in section["toctree"]) == sorted(
        p.stem for p in GUIDES.glob("*.rst")
    )


@functools.cache
def source() -> str:
    """All code, with texts that are written in several parts put together, and what is filled in left out."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("plugins/**/*.py")))
    return re.sub(r"\{[^{}\n]*\}", "", re.sub(r'"\s*\n\s*f?"', "", text))


MESSAGES = re.findall(r"^``(.+)``$", (GUIDES / "troubleshooting.rst").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_has_the_message(message):
    parts = [part.strip() for part in message.split("...")]
    assert re.search(r"[^\n]*?".join(map(re.escape, filter(None, parts))), source())

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""unit_info below a root: no systemd runs there, files alone speak. Bad files become findings with their path."""

from __future__ import annotations

import os
import pathlib
import re

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.store import Store
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.manager import Manager
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import info as _info

ETC = "/etc/systemd/system"
VENDOR = "/usr/lib/systemd/system"
GOOD = (
    "[Unit]\nDescription=good\n\n[Service]\nExecStart=/bin/true\nRestartSec=1min\n\n"
    "[Install]\nWantedBy=multi-user.target\n"
)


@pytest.fixture
def root(tmp_path):
    for folder in (ETC, VENDOR):
        (tmp_path / folder.strip("/")).mkdir(parents=True)
    write(tmp_path, VENDOR + "/good.service", GOOD)
    return tmp_path


def write(root, path, text):
    place = root / path.strip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, bytes):
        place.write_bytes(text)
    else:
        place.write_text(text)


def ask(root, *names, what=("definition", "files", "state", "dependencies")):
    return _info.ask(Manager(root=str(root)), _info.Question(tuple(names), frozenset(what)))


def rules(answer):
    return [(finding.rule, finding.path) for finding in answer.findings]


def test_definition_with_origins(root):
    write(root, ETC + "/good.service.d/10-x.conf", "[Service]\n# slower\nRestartSec=2min\n")
    unit = ask(root, "good.service").units["good.service"]
    value = unit["definition"]["sections"]["Service"]["RestartSec"]
    assert value == {
        "value": 120,
        "set_by": [{"text": "2min", "path": ETC + "/good.service.d/10-x.conf", "line": 3}],
        "overrode": [{"text": "1min", "path": VENDOR + "/good.service", "line": 6}],
        "ignored": [],
    }
    assert [file["path"] for file in unit["files"]] == [VENDOR + "/good.service", ETC + "/good.service.d/10-x.conf"]
    assert unit["files"][0]["content"] == GOOD
    assert (unit["origin"], unit["shape"], unit["exists"]) == ("vendor", "unit", True)


def test_enablement_is_told_by_links(root):
    assert ask(root, "good.service").units["good.service"]["state"]["unit_file_state"] == "disabled"
    wants = root / ETC.strip("/") / "multi-user.target.wants"
    wants.mkdir()
    (wants / "good.service").symlink_to(VENDOR + "/good.service")
    assert ask(root, "good.service").units["good.service"]["state"]["unit_file_state"] == "enabled"


def test_a_link_is_resolved_inside_the_root(root):
    write(root, "/srv/app/real.service", GOOD)
    (root / ETC.strip("/") / "app.service").symlink_to("/srv/app/real.service")
    (root / ETC.strip("/") / "alias.service").symlink_to(VENDOR + "/good.service")
    units = ask(root, "*").units
    assert units["app.service"]["files"][0]["content"] == GOOD
    assert units["alias.service"]["id"] == "good.service"


def test_masked_template_and_missing(root):
    (root / ETC.strip("/") / "masked.service").symlink_to("/dev/null")
    write(root, VENDOR + "/w@.service", GOOD)
    units = ask(root, "masked.service", "w@.service", "w@3.service", "ghost.service").units
    assert units["masked.service"]["masked"] is True
    assert units["masked.service"]["state"]["load_state"] == "masked"
    assert units["w@.service"]["shape"] == "template"
    assert units["w@3.service"]["definition"]["fragment"] == VENDOR + "/w@.service"
    assert units["ghost.service"]["exists"] is False
    assert units["ghost.service"]["definition"] is None


def test_dependencies_from_files(root):
    write(root, VENDOR + "/main.service", "[Service]\nExecStart=/bin/true\n")
    write(
        root,
        VENDOR + "/part.service",
        "[Unit]\nBindsTo=main.service\nAfter=main.service\nJoinsNamespaceOf=main.service\n[Service]\nExecStart=/bin/true\n",
    )
    assert ask(root, "part.service").units["part.service"]["dependencies"]["joins_namespace_of"] == ["main.service"]
    dependencies = ask(root, "main.service").units["main.service"]["dependencies"]
    assert dependencies["bound_by"] == ["part.service"]
    assert dependencies["falls_with"] == ["part.service"]
    assert dependencies["falls_on_crash"] == ["part.service"]


def test_a_glob_matches_files(root):
    write(root, VENDOR + "/good.timer", "[Timer]\nOnCalendar=daily\n")
    assert sorted(ask(root, "*.timer").units) == ["good.timer"]
    assert ask(root, "nothing-*").units == {}


BAD = {
    "broken encoding": ("syntax", b"[Unit]\nDescription=\xff\xfe\n", "not valid UTF-8"),
    "a NUL byte": ("syntax", b"[Unit]\nDescription=a\0b\n", "NUL"),
    "five megabytes": (
        "unreadable-file",
        b"[Unit]\n" + b"#" * 79 + b"\n" + (b"# " + b"x" * 77 + b"\n") * 66000,
        "bytes",
    ),
    "a line of 2 MiB": ("syntax", b"[Unit]\nDescription=" + b"x" * (2 << 20) + b"\n", "longer than 1 MiB"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_a_finding_and_the_rest_is_complete(root, name):
    rule, data, words = BAD[name]
    write(root, ETC + "/bad.service", data)
    answer = ask(root, "*")
    assert rules(answer) == [(rule, ETC + "/bad.service")]
    assert words in answer.findings[0].message
    assert answer.findings[0].unit == "bad.service"
    assert answer.units["good.service"]["definition"]["sections"]["Unit"]["Description"]["value"] == "good"
    assert "bad.service" in answer.units


def test_links_that_lead_nowhere(root):
    folder = root / ETC.strip("/")
    (folder / "loop.service").symlink_to("/srv/loop")
    (root / "srv").mkdir()
    (root / "srv" / "loop").symlink_to("/srv/loop2")
    (root / "srv" / "loop2").symlink_to("/srv/loop")
    (folder / "dangling.service").symlink_to("/srv/gone.service")
    answer = ask(root, "*")
    found = {finding.path: finding for finding in answer.findings}
    assert "leads in a circle" in found[ETC + "/loop.service"].message
    assert "/srv/gone.service, which does not exist" in found[ETC + "/dangling.service"].message
    assert answer.units["good.service"]["definition"]


def test_a_folder_that_cannot_be_read(root, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith(ETC):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    answer = ask(root, "*")
    assert rules(answer) == [("unreadable-folder", ETC)]
    assert "become" in answer.findings[0].hint
    assert answer.units["good.service"]["definition"]


def test_a_file_that_disappears_while_we_read(root, monkeypatch):
    write(root, ETC + "/brief.service", GOOD)
    opened = os.open

    def gone(path, *rest, **options):
        if str(path).endswith("brief.service"):
            os.unlink(path)
        return opened(path, *rest, **options)

    monkeypatch.setattr(os, "open", gone)
    answer = ask(root, "*")
    assert rules(answer) == [("vanished-file", ETC + "/brief.service")]
    assert answer.units["good.service"]["definition"]


def test_a_fifo_in_place_of_a_drop_in_does_not_hang(root):
    folder = root / ETC.strip("/") / "good.service.d"
    folder.mkdir()
    os.mkfifo(folder / "x.conf")
    answer = ask(root, "good.service")
    assert rules(answer) == [("unreadable-file", ETC + "/good.service.d/x.conf")]


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("rot13", "rot13.service"),
        ("rot13.service", "rot13.service"),
        ("worker@1", "worker@1.service"),
        ("a.b", "a.b.service"),
        ("*", "*"),
        ("*.timer", "*.timer"),
        ("ssh*", "ssh*"),
        ("x.[st]*", "x.[st]*"),
    ],
)
def test_full_name(name, want):
    assert _info.full_name(name) == want


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.service", ".service", "a b.service", "", "x" * 300, "a\nb"])
def test_what_is_no_name(name):
    with pytest.raises(ValueError, match="is neither a unit name"):
        _info.full_name(name)


def test_every_rule_of_reading_is_documented():
    here = pathlib.Path(__file__).resolve().parents[3]
    text = "".join(
        (here / "plugins/module_utils" / name).read_text() for name in ("_host/reader.py", "_host/runtime.py")
    )
    used = set(re.findall(r'"((?:unreadable|broken|vanished|no)-[a-z]+)"', text))
    documented = (here / "docs/rules.md").read_text().partition("## What could not be read")[2]
    assert used == set(re.findall(r"^### `([a-z-]+)`", documented, re.MULTILINE))


def test_a_record_that_is_not_ours_is_told(tmp_path, monkeypatch):
    (tmp_path / "deployed-global.json").write_text("[]")
    monkeypatch.setattr(_info, "Store", lambda **options: Store(str(tmp_path), **options))
    answer = _info.ask(Manager("global"), _info.Question(("t-none.service",), frozenset(["drift"])))
    assert rules(answer) == [("unreadable-file", str(tmp_path / "deployed-global.json"))]

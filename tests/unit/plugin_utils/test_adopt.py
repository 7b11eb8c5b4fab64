# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declarations made from texts on a host: the cases of cases/adopt, what is declared at all, and the proof."""

from __future__ import annotations

import pathlib
import textwrap

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _adopt

CASES = yaml.safe_load(
    (pathlib.Path(__file__).parents[1] / "cases" / "plugin_utils" / "adopt" / "write.yml").read_text()
)


class Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def load(text):
    return yaml.load(text, Loader=Loader)["systemd_units"]  # noqa: S506  a SafeLoader with a tag more


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_write(case):
    text = _adopt.write([_adopt.Item("a.service", "", case["text"], {})])
    body = textwrap.dedent(text.partition("- name: a.service\n")[2])
    if case["text"].endswith("\n"):
        assert body == case["yaml"]
    assert load(text)[0].get("content", case["text"]) == case["text"]


def unit(name, *files, **more):
    told = {
        "name": name,
        "id": name,
        "exists": True,
        "origin": "administrator",
        "shape": "unit",
        "masked": False,
        "files": [{"path": path, "content": content} for path, content in files],
        "state": {"unit_file_state": "enabled", "active_state": "active"},
    }
    return {name: {**told, **more}}


OWN = ("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/a\nRestartSec=1\n")
CONF = ("/etc/systemd/system/a.service.d/x.conf", "# slower\n[Service]\n# why\nRestartSec=9\n")
VENDOR = ("/usr/lib/systemd/system/a.service", "[Service]\nExecStart=/bin/v\n")


def names(items):
    return [(item.name, item.dropin, item.options) for item in items]


def test_drop_ins_are_kept():
    items = _adopt.declare(unit("a.service", OWN, CONF))
    assert names(items) == [("a.service", "", {"enabled": True, "state": "started"}), ("a.service", "x", {})]


def test_drop_ins_are_folded():
    units = unit("a.service", OWN, CONF)
    items = _adopt.declare(units, "fold")
    assert names(items)[1] == ("a.service", "x", {"state": "absent"})
    assert items[0].text == "[Service]\nExecStart=/bin/a\n# why\nRestartSec=9\n"
    assert _adopt.differences(units, load(_adopt.write(items)), "fold") == []


def test_of_a_vendor_unit_only_the_administrators_part():
    units = unit("a.service", VENDOR, CONF)
    assert names(_adopt.declare(units)) == [("a.service", "x", {})]
    assert [item.text for item in _adopt.declare(units, vendor=True)] == [VENDOR[1], CONF[1]]


def test_what_is_left_out():
    assert _adopt.declare(unit("a.service", OWN, origin="transient")) == []
    assert _adopt.declare(unit("a.service", OWN, origin="generated")) == []
    assert _adopt.declare(unit("alias.service", OWN, id="a.service")) == []
    assert (
        _adopt.declare(unit("w@1.service", ("/etc/systemd/system/w@.service", "[Service]\n"), shape="instance")) == []
    )
    other = ("/etc/systemd/system/service.d/all.conf", "[Service]\n")
    assert names(_adopt.declare(unit("a.service", OWN, other))) == [
        ("a.service", "", {"enabled": True, "state": "started"})
    ]


def test_masks():
    mask = ("/etc/systemd/system/a.service", "")
    assert names(_adopt.declare(unit("a.service", mask, masked=True))) == [("a.service", "", {"masked": True})]
    assert _adopt.declare(unit("a.service", ("/usr/lib/systemd/system/a.service", ""), masked=True)) == []


def test_a_file_that_was_not_read():
    with pytest.raises(ValueError, match=r"a\.service: /etc/x/a\.service could not be read"):
        _adopt.declare(unit("a.service", ("/etc/x/a.service", None)))


def test_differences_are_told():
    units = unit("a.service", OWN, CONF)
    good = load(_adopt.write(_adopt.declare(units)))
    assert _adopt.differences(units, good) == []
    assert _adopt.differences(units, good[:1]) == ["a.service drop-in x is not declared"]
    changed = [{**good[0], "sections": {"Service": {"ExecStart": "/bin/b"}}}, good[1]]
    assert _adopt.differences(units, changed) == ["a.service is declared with another meaning"]
    assert _adopt.differences(units, [{**good[0], "enabled": False}, good[1]]) == [
        "a.service is declared in another state"
    ]
    assert _adopt.differences(units, [*good, {"name": "b.service"}]) == ["b.service is declared and not on the host"]


# --- what a host writes stays data ----------------------------------------------------------------------------------

# NEL, LS and PS end a line of YAML 1.1; the others make YAML that no loader reads.
STRANGE = ["\x85", "\u2028", "\u2029", "\x1b", "\x0b", "\x0c", "\x7f", "\ufeff", "\u202e"]
EVIL = "ansible_python_interpreter: \"{{ lookup('pipe', 'id') }}\""
PLACES = {
    "head": "# {}\n\n[Service]\nExecStart=/bin/a\n",
    "section": "# {}\n[Service]\nExecStart=/bin/a\n",
    "directive": "[Service]\n# {}\nExecStart=/bin/a\n",
    "end": "[Service]\nExecStart=/bin/a\n# {}\n",
    "continued": "[Service]\nExecStart=/bin/a \\\n# {}\n b\n",
    "value": "[Unit]\nDescription={}\n[Service]\nExecStart=/bin/a\n",
    "name": "[Service]\nExecStart=/bin/a\nX-{}=1\n",
    "section name": "[X-{}]\nA=1\n[Service]\nExecStart=/bin/a\n",
}


def root_keys(text):
    return [key.value for key, _value in yaml.compose(text, Loader=Loader).value]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("char", STRANGE, ids=ascii)
def test_no_text_of_a_unit_adds_a_variable(char, place):
    source = PLACES[place].format(f"end of file{char}{EVIL}")
    text = _adopt.write([_adopt.Item("a.service", "", source, {})])
    assert root_keys(text) == ["systemd_units"]
    assert _adopt.differences(unit("a.service", (OWN[0], source), state={}), load(text)) == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("char", [chr(0xDCFF), chr(0xD800), "\0"], ids=ascii)
def test_a_unit_that_is_not_text_is_refused(char, place):
    source = PLACES[place].format(char)
    with pytest.raises(_adopt.AdoptError, match=r"a\.service: the file is not plain UTF-8 text"):
        _adopt.write([_adopt.Item("a.service", "", source, {})])


@pytest.mark.parametrize(
    "line",
    [
        "evil: 1",
        "systemd_units: []",
        "  - name: b.service",
        '    state: "{{ evil }}"',
        "- [",
        "--- {}",
        "# \u2028evil: 1",
    ],
)
def test_a_declaration_that_holds_more_is_not_written(line, monkeypatch):
    monkeypatch.setattr(_adopt, "_item", lambda _item: ["- name: a.service"])
    item = _adopt.Item("a.service", "", "", {})
    assert _adopt.write([item])
    monkeypatch.setattr(_adopt, "_item", lambda _item: ["- name: a.service\n" + line])
    with pytest.raises(_adopt.AdoptError, match="declaration"):
        _adopt.write([item])

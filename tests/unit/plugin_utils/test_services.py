# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared services -> items of ``units`` and packages: the cases of cases/services."""

from __future__ import annotations

import copy
import pathlib

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils import _model
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.render import render, settings_from_mapping
from ansible_collections.unitcraft.systemd.plugins.module_utils._values.validate import validate
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _services
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._service_keys import KEYS, ServiceError
from case_files import load

RELEASE = 257
ROLE = pathlib.Path(__file__).parents[3] / "roles" / "service"


def items_of(case):
    given = {"command": ["/usr/bin/app"], **case["given"]}
    return _services.apply({"app": given}, case.get("release", RELEASE))["units"]


def part(whole, wanted):
    """What *whole* has of the keys of *wanted*, within mappings too."""
    if isinstance(wanted, dict) and isinstance(whole, dict):
        return {key: part(whole.get(key), value) for key, value in wanted.items()}
    return whole


@pytest.mark.parametrize("case", load("plugin_utils/services/units"))
def test_unit_of_a_service(case):
    service = items_of(case)[0]
    assert part(service["sections"], case.get("sections", {})) == case.get("sections", {})
    assert part(service, case.get("item", {})) == case.get("item", {})
    there = {name for section in service["sections"].values() for name in section}
    assert there.isdisjoint(case.get("lacks", []))


@pytest.mark.parametrize("kind", ["timer", "socket"])
@pytest.mark.parametrize("case", load("plugin_utils/services/units"))
def test_what_starts_a_service(case, kind):
    found = [item for item in items_of(case) if item["name"].endswith(f".{kind}")]
    assert [item["sections"] for item in found] == ([case[kind]] if kind in case else [])
    assert all(part(item, case[f"{kind}_item"]) == case[f"{kind}_item"] for item in found)


@pytest.mark.parametrize("case", load("plugin_utils/services/units"))
def test_units_are_good_on_their_release(case):
    release = case.get("release", RELEASE) or RELEASE
    texts = {item["name"]: render(settings_from_mapping(item["name"], item["sections"])) for item in items_of(case)}
    found = [one for name, text in texts.items() for one in validate(read_unit(name, text, name), release).findings]
    assert [finding.message for finding in found if finding.severity == _model.ERROR] == []


@pytest.mark.parametrize("case", load("plugin_utils/services/files"))
def test_files_of_a_service(case):
    item = next(item for item in items_of(case) if item["name"] == "app.service")
    assert item["files"] == case["files"]


@pytest.mark.parametrize("case", load("plugin_utils/services/sets"))
def test_set_of_services(case):
    answer = _services.apply(case["services"], case.get("release", RELEASE))
    items = answer.pop("units")
    answer["items"] = [[item["name"], [entry["path"] for entry in item.get("files", [])]] for item in items]
    answer["accounts"] = [item["_account"] for item in items if "_account" in item]
    expected = {key: value for key, value in case.items() if key in answer}
    assert {key: answer[key] for key in expected} == expected


@pytest.mark.parametrize("case", load("plugin_utils/services/refused"))
def test_mistake_is_told(case):
    with pytest.raises(ServiceError) as caught:
        _services.apply(case["services"], case.get("release", RELEASE), case.get("prefix", ""))
    assert case["error"] in str(caught.value)
    assert "told-to-nobody" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("mail:x:8:8:mail:/var/mail:/usr/sbin/nologin", ["mail"]),
        ("games:x:61183:", ["games"]),
        ("worker:!*:61184:61184:Dynamic User:/:/usr/sbin/nologin", []),
        ("worker:!*:65519:", []),
        ("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin", ["nobody"]),
    ],
)
def test_accounts_that_systemd_has_not_allocated(line, names):
    assert _services.static_accounts([line]) == names


def test_what_is_declared_stays_as_it_is():
    declared = {"a": {"command": ["/a"], "files": [{"dest": "/f", "src": "f"}], "sections": {"Service": {"Nice": 1}}}}
    before = copy.deepcopy(declared)
    _services.apply(declared)
    assert declared == before


def test_keys_are_the_variables_of_the_role():
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert {f"service_{key}" for key in KEYS} | {"service_name"} == set(defaults)


def test_role_passes_every_key_on():
    passed = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__service_keys"]
    assert passed == {key: f"{{{{ service_{key} }}}}" for key in KEYS}

# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that can mean nothing are refused when they are declared, with the place in the list and what to write."""

from __future__ import annotations

import math

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.desired import desired_units
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.options import (
    DeclarationError,
    check_set_options,
    set_options,
    unit_options,
)

DEFAULTS = {name: option.get("default") for name, option in unit_options().items()}
SET_DEFAULTS = {name: option.get("default") for name, option in set_options().items()}
GOOD = {**DEFAULTS, "name": "a", "content": "[Service]\nExecStart=/bin/a\n"}

ITEMS = [
    ({"health": {"timeout": 0}}, "health: timeout: 0 is not a time; write seconds, more than 0"),
    ({"health": {"timeout": -1.0}}, "health: timeout: -1.0 is not a time"),
    ({"health": {"timeout": math.inf}}, "health: timeout: inf is not a time"),
    ({"health": {"timeout": math.nan}}, "health: timeout: nan is not a time"),
    ({"health": {"stable": -1.0}}, "health: stable: -1.0 is not a time; write seconds, 0 or more"),
    ({"health": {"probes": [{"tcp": ":1", "status": 200}]}}, "probes[0]: status: a tcp probe takes none"),
    ({"health": {"probes": [{"http": "http://a/", "status": 99}]}}, "status: 99 is not a status of HTTP"),
    ({"health": {"probes": [{"http": "http://a/", "send": "x"}]}}, "send: a http probe takes none"),
    ({"health": {"probes": [{"log": "x", "expect": "x"}]}}, "expect: a log probe takes none; leave it out, or use tcp"),
    ({"health": {"probes": [{"tcp": ":1"}, {"log": "("}]}}, "probes[1]: log: '(' is not a regular expression"),
    ({"triggers": ["/a\0b"]}, "triggers: '/a\\x00b' of a.service: write the absolute path of a file"),
]


@pytest.mark.parametrize(("options", "words"), ITEMS, ids=[case[1] for case in ITEMS])
def test_an_item_is_refused_with_its_place(options, words):
    with pytest.raises(DeclarationError) as raised:
        desired_units([GOOD, {**GOOD, "name": "a", "dropin": "x", **options}], "/etc/systemd/system", None)
    assert raised.value.messages[0].startswith("units[1]: ")
    assert words in raised.value.messages[0]


def test_all_mistakes_are_told_at_once():
    wrong = {**GOOD, "health": {"timeout": 0, "stable": -1.0, "probes": [{"tcp": "x"}]}}
    with pytest.raises(DeclarationError) as raised:
        desired_units([wrong, {**wrong, "name": "b"}], "/etc/systemd/system", None)
    assert len(raised.value.messages) == 6


SETS = [
    ({"max_exposure": 10.5}, "max_exposure: 10.5 is not a score"),
    ({"max_exposure": -1.0}, "max_exposure: -1.0 is not a score"),
    ({"max_exposure": math.nan}, "max_exposure: nan is not a score"),
    ({"root": "images/a"}, "root: images/a is not an absolute path"),
]


@pytest.mark.parametrize(("options", "words"), SETS, ids=[case[1] for case in SETS])
def test_an_option_of_the_set_is_refused(options, words):
    with pytest.raises(DeclarationError, match=words):
        check_set_options({**SET_DEFAULTS, **options})


PROBES = [
    {"tcp": ":1", "send": "x", "expect": "y"},
    {"udp": ":1", "send": "x"},
    {"socket": "/run/x", "expect": "x"},
    {"http": "http://a/", "status": 404, "expect": "x"},
    {"command": ["true"], "expect": ""},
    {"log": "ready"},
]


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: next(iter(probe)))
def test_what_probes_may_take(probe):
    assert desired_units([{**GOOD, "health": {"timeout": 0.5, "stable": 0, "probes": [probe]}}], "/e", None)


def test_what_instances_may_be():
    item = {**GOOD, "name": "a@", "instances": ["1", "x-y", "a\\x2db"]}
    assert desired_units([item], "/e", None)[0].instances == ["1", "x-y", "a\\x2db"]


def test_an_instance_that_makes_no_name_is_refused():
    with pytest.raises(DeclarationError) as refused:
        desired_units([{**GOOD, "name": "a@", "instances": ["a b"]}], "/e", None)
    assert "instances: 'a b' of a@.service: " in str(refused.value)

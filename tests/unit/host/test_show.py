# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that systemd's programs print -> values: the cases of cases/show, and what is cut up by line."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import security as _security
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.journal_lines import told_by_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.properties import (
    listen_items,
    result_key,
    timer_items,
    typed_property,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.show import parse_show
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.result import describe_units

CASES = yaml.safe_load((pathlib.Path(__file__).parents[1] / "cases" / "host" / "show" / "values.yml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['property']}={case['text']}")
def test_typed(case):
    got = typed_property(case["property"], [case["text"]])
    assert (got, type(got)) == (case["want"], type(case["want"]))


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("StartLimitIntervalUSec", "start_limit_interval_seconds"),
        ("NextElapseUSecRealtime", "next_elapse_realtime"),
        ("CPUUsageNSec", "cpu_usage_seconds"),
        ("MainPID", "main_pid"),
        ("NRestarts", "n_restarts"),
        ("DropInPaths", "dropin_paths"),
        ("LastTriggerUSec", "last_trigger"),
    ],
)
def test_key(name, want):
    assert result_key(name) == want


def test_blocks_of_units_whatever_the_order():
    text = "ActiveState=active\nId=a.service\n\nId=b.service\nActiveState=failed\n"
    units = parse_show(text, ["Id", "ActiveState"])
    assert {name: unit["ActiveState"] for name, unit in units.items()} == {
        "a.service": ["active"],
        "b.service": ["failed"],
    }


def test_a_property_that_stands_on_several_lines():
    text = "Listen=/a (Stream)\nListen=/b (FIFO)\nId=a.socket\n"
    assert parse_show(text, ["Id", "Listen"])["a.socket"]["Listen"] == ["/a (Stream)", "/b (FIFO)"]


def test_a_value_with_line_breaks_and_an_empty_line():
    text = "Id=a.service\nExecStart={ argv[]=sh -c one\n\ntwo=2 ; }\nType=simple\n\nId=b.service\nType=exec\n"
    units = parse_show(text, ["Id", "ExecStart", "Type"])
    assert units["a.service"]["ExecStart"][0].startswith("{ argv[]=sh -c one")
    assert units["a.service"]["Type"] == ["simple"]
    assert units["b.service"] == {"Id": ["b.service"], "Type": ["exec"]}


def test_timer_and_listen_items():
    items = timer_items(
        [
            "{ OnCalendar=*-*-* 06:00:00 ; next_elapse=Sat 2026-11-21 06:00:00 UTC }",
            "{ OnBootUSec=15min ; next_elapse=15min }",
        ]
    )
    assert [(i.directive, i.value) for i in items] == [("OnCalendar", "*-*-* 06:00:00"), ("OnBootSec", "15min")]
    assert listen_items(["[::]:80 (Stream)", "/run/a b (FIFO)"]) == [
        {"address": "[::]:80", "type": "stream"},
        {"address": "/run/a b", "type": "fifo"},
    ]


SECURITY = """\
  NAME                              DESCRIPTION                                 EXPOSURE
\u2717 PrivateNetwork=                   Service has access to the host's network         0.5
\u2713 User=/DynamicUser=                Service runs under a static non-root user
\u2717 CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP) Service may change UID/GID identities 0.3
  DeviceAllow=                      Service has no device ACL
\u2717 UMask=                            Files created by service are world-readable      0.1

\u2192 Overall exposure level for a.service: 4.1 OK :-)

\u2192 Overall exposure level for b.service: 9.6 UNSAFE :-(
"""


def test_security():
    units = _security.parse_security(SECURITY, worst=2)
    assert units["b.service"] == {"exposure": 9.6, "level": "unsafe", "points": []}
    assert units["a.service"]["exposure"] == 4.1
    assert [(p["setting"], p["exposure"]) for p in units["a.service"]["points"]] == [
        ("PrivateNetwork=", 0.5),
        ("CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP)", 0.3),
    ]
    assert units["a.service"]["points"][0]["description"] == "Service has access to the host's network"


def test_journal():
    rows = [
        {
            "_SYSTEMD_UNIT": "a.service",
            "MESSAGE": "third",
            "PRIORITY": "3",
            "__REALTIME_TIMESTAMP": "3000000",
            "_PID": "7",
        },
        {"_SYSTEMD_UNIT": "init.scope", "UNIT": "a.service", "MESSAGE": "second", "__REALTIME_TIMESTAMP": "2000000"},
        {"_SYSTEMD_UNIT": "b.service", "MESSAGE": [104, 255, 105], "__REALTIME_TIMESTAMP": "1500000"},
        {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "first", "__REALTIME_TIMESTAMP": "1000000"},
        {"_SYSTEMD_UNIT": "other.service", "MESSAGE": "not asked for"},
        {"_SYSTEMD_UNIT": "b.service", "MESSAGE": None},
    ]
    text = "\n".join(json.dumps(row) for row in rows) + '\n{"cut off'
    told = told_by_unit(text, {"a.service", "b.service"}, 2)
    found = {unit: entry["journal"] for unit, entry in told.items()}
    assert [line["message"] for line in found["a.service"]] == ["second", "third"]
    assert found["a.service"][1] == {
        "time": "1970-01-01T00:00:03.000000Z",
        "priority": "err",
        "identifier": "",
        "pid": 7,
        "message": "third",
    }
    assert [line["message"] for line in found["b.service"]] == ["", "h\ufffdi"]
    assert "other.service" not in found


def test_restarts_in_the_journal():
    scheduled = {"MESSAGE_ID": "5eb03494b6584870a536b337290809b3"}
    entries = [
        {"UNIT": "a.service", "__REALTIME_TIMESTAMP": "3000000", **scheduled},
        {"UNIT": "a.service", "__REALTIME_TIMESTAMP": "2500000", "MESSAGE_ID": "0" * 32},
        {"USER_UNIT": "b.service", "__REALTIME_TIMESTAMP": "2000000", **scheduled},
        {"UNIT": "a.service", "__REALTIME_TIMESTAMP": "1000000", **scheduled},
    ]
    text = "\n".join(json.dumps(entry) for entry in entries)
    assert {unit: told["restarts"] for unit, told in told_by_unit(text, {"a.service", "b.service"}, 1).items()} == {
        "a.service": ["1970-01-01T00:00:01.000000Z", "1970-01-01T00:00:03.000000Z"],
        "b.service": ["1970-01-01T00:00:02.000000Z"],
    }


LINE_ENDS = [chr(code) for code in (0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)]


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
def test_a_status_text_adds_no_property(end):
    """Attack 7: these end a line for Python; for systemd only a line feed does."""
    shown = parse_show(f"Id=a.service\nStatusText=fine{end}MainPID=abc\n", ("Id", "StatusText", "MainPID"))
    assert "MainPID" not in shown["a.service"]


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
def test_a_line_of_security_ends_with_a_line_feed_alone(end):
    """Attack 7."""
    forged = "\u2192 Overall exposure level for b.service: 0.1 SAFE"
    text = f"\u2192 Overall exposure level for a.service: 4.1 OK {end}{forged}\n"
    assert list(_security.parse_security(text)) == ["a.service"]


@pytest.mark.parametrize("text", ["abc", "-1", "", "\u0661", "\u00b2", "9" * 5000], ids=lambda text: ascii(text)[:10])
def test_what_is_not_a_number_ends_no_task(text):
    """Attack 7."""
    states = {"a.service": {"MainPID": text, "NRestarts": text}}
    entry = describe_units({"a.service": "/a"}, states, {})["a.service"]
    assert (entry["main_pid"], entry["n_restarts"]) == (0, 0)

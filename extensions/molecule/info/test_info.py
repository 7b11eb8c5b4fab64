# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What adopt.yml and audit.yml wrote about hosts with hand-written units."""

from __future__ import annotations

import json
import os
import pathlib

FOLDER = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


def hostname(host):
    return host.check_output("cat /proc/sys/kernel/hostname")


def told(host):
    report = json.loads((FOLDER / "audit.json").read_text())
    name = hostname(host)
    return next(item for item in report["hosts"] if item["host"] == name)


def test_adopted_file_keeps_comments_and_state(host):
    text = (FOLDER / f"adopted-{hostname(host)}.yml").read_text()
    for line in ("# Written in a hurry.", "# it needs the network", "dropin: 10-slow", "# slower", "state: started"):
        assert line in text


def test_folded_file_has_one_unit(host):
    text = (FOLDER / f"folded-{hostname(host)}.yml").read_text()
    assert "RestartSec: 90" in text
    assert "state: absent" in text


def test_nothing_was_changed_by_looking(host):
    assert host.run("systemctl is-active hand.service").stdout.strip() == "active"
    assert host.file("/etc/systemd/system/hand.service.d/10-slow.conf").exists


def test_report_knows_the_start_limit(host):
    rules = [finding["rule"] for finding in told(host)["findings"] if finding["unit"] == "crash.service"]
    assert "start-limit-gives-up" in rules


def test_report_knows_every_unit(host, release):
    units = {unit["name"]: unit for unit in told(host)["units"]}
    assert len(units) > 100
    assert units["hand.service"]["exposure"] > 5
    assert units["hand-job@x.timer"]["timer"]["settings"]
    assert str(told(host)["systemd"]) >= str(release)


def test_report_tells_what_was_changed_by_hand(host):
    units = {unit["name"]: unit for unit in told(host)["units"]}
    assert [drift["what"] for drift in units["managed.service"]["drift"]] == [
        "changed",
        "added",
        "enablement",
        "run-state",
    ]
    assert units["hand.service"]["drift"] is None


def test_page_stands_alone():
    text = (FOLDER / "audit.html").read_text()
    assert "hand.service" in text
    assert '<link rel="stylesheet"' not in text

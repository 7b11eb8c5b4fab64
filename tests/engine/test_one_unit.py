# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module unit does to one unit on real systemd."""

from __future__ import annotations

from engine.target import said

SLEEP = {"ExecStart": [["/bin/sleep", "infinity"]], "Restart": "always"}


def test_first_run_second_run_and_check_mode(target):
    wanted = {"sections": {"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}}, "state": "started", "enabled": True}
    predicted = target.unit("t-a", check=True, **wanted)
    assert target.sh("ls /etc/systemd/system/t-a.service 2>/dev/null || echo none") == "none"
    first = target.unit("t-a", **wanted)
    assert first["changed"] and predicted["actions"] == first["actions"] and predicted["diff"] == first["diff"]
    assert said(first) == ["write t-a.service", "enable t-a.service", "daemon-reload", "start t-a.service"]
    assert first["units"]["t-a.service"]["active_state"] == "active"
    assert first["units"]["t-a.service"]["unit_file_state"] == "enabled"
    assert target.sh("stat -c '%a %u %g' /etc/systemd/system/t-a.service") == "644 0 0"
    second = target.unit("t-a", **wanted)
    assert not second["changed"] and not second["actions"]
    assert target.sh("ls -A /var/lib/unitcraft; stat -c %a /var/lib/unitcraft").split() == ["deployed.json", "lock", "700"]


def test_what_changes_decides_what_happens(target):
    first = target.unit("t-a", sections={"Service": SLEEP}, state="started")
    pid = first["units"]["t-a.service"]["main_pid"]
    light = target.unit("t-a", sections={"Unit": {"Description": "x"}, "Service": {**SLEEP, "RestartSec": 7}})
    assert light["units"]["t-a.service"]["main_pid"] == pid and "none t-a.service" in said(light)
    assert target.show("t-a", "RestartUSec") == "7s"
    heavy = target.unit("t-a", sections={"Unit": {"Description": "x"}, "Service": {**SLEEP, "ExecStart": "/bin/sleep 9999"}})
    assert said(heavy)[-1] == "restart t-a.service" and heavy["units"]["t-a.service"]["main_pid"] != pid


def test_removed_without_a_trace(target):
    target.unit("t-a", sections={"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}}, state="started", enabled=True)
    target.unit("t-a", dropin="10-x", sections={"Service": {"RestartSec": 3}})
    gone = target.unit("t-a", state="absent")
    assert gone["changed"]
    assert target.sh("find /etc/systemd /run/systemd/system -name 't-a*'") == ""
    assert target.show("t-a", "LoadState") == "not-found"
    assert not target.unit("t-a", state="absent")["changed"]


def test_drop_in_for_a_unit_of_the_distribution(target):
    before = target.show("systemd-journald", "MainPID")
    done = target.unit("systemd-journald", dropin="t-10", sections={"Unit": {"Documentation": "https://example.org/"}})
    assert said(done) == ["write systemd-journald.service", "daemon-reload", "none systemd-journald.service"]
    assert target.sh("ls /etc/systemd/system/systemd-journald.service.d") == "t-10.conf"
    assert target.show("systemd-journald", "MainPID") == before
    assert target.unit("systemd-journald", dropin="t-10", state="absent")["changed"]
    assert target.sh("ls -d /etc/systemd/system/systemd-journald.service.d 2>/dev/null", check=False) == ""


def test_masks(target):
    masked = target.unit("t-m", masked=True)
    assert said(masked) == ["mask t-m.service", "daemon-reload"]
    assert target.sh("readlink /etc/systemd/system/t-m.service") == "/dev/null"
    assert not target.unit("t-m", masked=True)["changed"]
    written = target.unit("t-m", masked=False, sections={"Service": SLEEP}, state="started")
    assert said(written)[:2] == ["unmask t-m.service", "write t-m.service"]
    assert target.show("t-m", "ActiveState") == "active"
    refused = target.unit("t-m", masked=True)
    assert refused["failed"] and "real file" in refused["msg"]


def test_enablement_of_aliases_static_and_indirect_units(target):
    text = {"Service": SLEEP, "Install": {"Alias": "t-other.service", "WantedBy": "multi-user.target"}}
    assert target.unit("t-a", sections=text, enabled=True)["changed"]
    assert not target.unit("t-a", sections=text, enabled=True)["changed"]
    text["Install"]["Alias"] = "t-new.service"
    assert "reenable t-a.service" in said(target.unit("t-a", sections=text))
    assert target.sh("cd /etc/systemd/system; ls -d t-new.service t-other.service 2>/dev/null", check=False) == "t-new.service"
    assert "disable t-a.service" in said(target.unit("t-a", enabled=False))
    static = target.unit("t-s", sections={"Service": SLEEP}, enabled=True)
    assert "enable t-s.service" not in said(static) and any("no [Install]" in w for w in static.get("warnings", []))
    also = {"Service": SLEEP, "Install": {"Also": "t-s2.service"}}
    target.unit("t-s2", sections={"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}})
    target.unit("t-i", sections=also, enabled=True)
    assert not target.unit("t-i", sections=also, enabled=True)["changed"]


def test_timer_moves_without_firing(target):
    job = {"name": "t-j.service", "sections": {"Service": {"Type": "oneshot", "ExecStart": "/bin/touch /run/t-fired"}}}

    def timer(when):
        return {"name": "t-j.timer", "sections": {"Timer": {"OnCalendar": when, "Persistent": True}}, "state": "started"}

    target.units([job, timer("*-*-* 03:00")], ignore=["timer-persistent-surprise"])
    moved = target.units([job, timer("*-*-* 04:00")], ignore=["timer-persistent-surprise"])
    assert said(moved) == ["write t-j.timer", "daemon-reload", "none t-j.timer"]
    assert "04:00" in target.sh("systemctl list-timers --no-pager t-j.timer") and target.show("t-j.timer", "ActiveState") == "active"
    assert target.sh("ls /run/t-fired 2>/dev/null", check=False) == ""


def test_triggers(target):
    target.write("/run/t-conf", "one")
    wanted = {"sections": {"Service": {**SLEEP, "ExecReload": "/bin/touch /run/t-reloaded"}}, "state": "started"}
    target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)
    assert not target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)["changed"]
    target.write("/run/t-light", "x")
    light = target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)
    assert said(light) == ["reload t-a.service"] and target.sh("ls /run/t-reloaded") == "/run/t-reloaded"
    target.write("/run/t-conf", "two")
    heavy = target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)
    assert said(heavy) == ["restart t-a.service"]
    assert not target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)["changed"]


def test_template_and_instances(target):
    def wanted(seconds):
        return {
            "sections": {"Service": {"ExecStart": f"/bin/sleep {seconds}%i"}, "Install": {"WantedBy": "multi-user.target"}},
            "instances": ["1", "2"],
            "state": "started",
            "enabled": True,
        }

    first = target.unit("t-w@.service", **wanted(1000))
    assert first["units"]["t-w@1.service"]["active_state"] == "active" and first["units"]["t-w@2.service"]["main_pid"]
    target.sh("systemctl start t-w@7")
    assert not target.unit("t-w@.service", **wanted(1000))["changed"]
    assert said(target.unit("t-w@.service", **wanted(2000)))[2:] == [f"restart t-w@{i}.service" for i in (1, 2, 7)]
    target.unit("t-w@.service", state="absent")
    assert target.sh("systemctl list-units --all --no-legend --plain 't-w@*'; find /etc/systemd -name 't-w@*'") == ""


def test_runtime_folder(target):
    target.unit("t-r", sections={"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}}, runtime=True, enabled=True, state="started")
    assert target.show("t-r", "FragmentPath") == "/run/systemd/system/t-r.service"
    assert target.show("t-r", "UnitFileState") == "enabled-runtime"
    target.unit("t-r", state="absent", runtime=True)
    assert target.sh("find /run/systemd/system /etc/systemd -name 't-r*'") == ""

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module unit does to one unit on real systemd."""

from __future__ import annotations

import pytest
from live.target import said

SLEEP = {"ExecStart": [["/bin/sleep", "infinity"]], "Restart": "always"}


def test_first_run_second_run_and_check_mode(target):
    wanted = {
        "sections": {"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}},
        "state": "started",
        "enabled": True,
    }
    predicted = target.unit("t-a", check=True, **wanted)
    assert target.sh("ls /etc/systemd/system/t-a.service 2>/dev/null || echo none") == "none"
    first = target.unit("t-a", **wanted)
    assert first["changed"]
    assert predicted["actions"] == first["actions"]
    assert predicted["diff"] == first["diff"]
    assert said(first) == ["write t-a.service", "enable t-a.service", "daemon-reload", "start t-a.service"]
    assert first["units"]["t-a.service"]["active_state"] == "active"
    assert first["units"]["t-a.service"]["unit_file_state"] == "enabled"
    assert target.sh("stat -c '%a %u %g' /etc/systemd/system/t-a.service") == "644 0 0"
    second = target.unit("t-a", **wanted)
    assert not second["changed"]
    assert not second["actions"]
    assert target.sh("ls -A /var/lib/unitcraft; stat -c %a /var/lib/unitcraft").split() == [
        "deployed.json",
        "generations",
        "lock",
        "700",
    ]


FOLLOWED = [
    ({"Unit": {"Description": "x"}}, ["none t-a.service"]),
    ({"Unit": {"OnFailure": "t-b.service"}}, ["none t-a.service"]),
    ({"Service": {"RestartSec": 7}}, ["none t-a.service"]),
    ({"Service": {"Restart": "on-failure"}}, ["none t-a.service"]),
    ({"Service": {"TimeoutStopSec": 5}}, ["none t-a.service"]),
    ({"Service": {"ExecReload": "/bin/true"}}, ["none t-a.service"]),
    ({"Service": {"ExecStop": "/bin/true"}}, ["none t-a.service"]),
    ({"Service": {"MemoryMax": "300M"}}, ["none t-a.service"]),
    ({"Install": {"WantedBy": "multi-user.target"}}, []),
    ({"Service": {"ExecStart": "/bin/sleep 9999"}}, ["restart t-a.service"]),
    ({"Service": {"Environment": {"A": "1"}}}, ["restart t-a.service"]),
    ({"Service": {"Nice": 3}}, ["restart t-a.service"]),
    ({"Service": {"LimitNOFILE": 2048}}, ["restart t-a.service"]),
    ({"Service": {"PrivateTmp": True}}, ["restart t-a.service"]),
    ({"Service": {"ExecStop": "/bin/sleep 0", "UMask": "0077"}}, ["restart t-a.service"]),
]


@pytest.mark.parametrize(
    ("change", "steps"),
    FOLLOWED,
    ids=[f"{section}: {list(text)}" for change, _unused in FOLLOWED for section, text in change.items()],
)
def test_what_changes_decides_what_happens(target, change, steps):
    before = target.unit("t-a", sections={"Service": SLEEP}, state="started")["units"]["t-a.service"]["main_pid"]
    text = {
        section: {**({"Service": SLEEP}.get(section, {})), **change.get(section, {})}
        for section in ("Service", *change)
    }
    result = target.unit("t-a", sections=text, verify=False)
    assert said(result) == ["write t-a.service", "daemon-reload", *steps]
    assert (target.show("t-a", "MainPID") != str(before)) is ("restart t-a.service" in steps)


@pytest.mark.parametrize(
    ("directive", "value", "name", "shown"),
    [("RestartSec", 7, "RestartUSec", "7s"), ("MemoryMax", "300M", "MemoryMax", str(300 << 20))],
)
def test_what_needs_no_restart_holds_all_the_same(target, directive, value, name, shown):
    target.unit("t-a", sections={"Service": SLEEP}, state="started")
    target.unit("t-a", sections={"Service": {**SLEEP, directive: value}}, verify=False)
    assert target.show("t-a", name) == shown


def test_comments_and_order_restart_nothing(target):
    content = "# one\n[Unit]\nDescription=x\n\n[Service]\nExecStart=/bin/sleep 1000\nRestartSec=5\n"
    other = "[Service]\nRestartSec=5\n# two\nExecStart=/bin/sleep 1000\n\n[Unit]\nDescription=x\n"
    pid = target.unit("t-a", content=content, state="started")["units"]["t-a.service"]["main_pid"]
    result = target.unit("t-a", content=other)
    assert result["changed"]
    assert said(result) == ["write t-a.service", "daemon-reload"]
    sections = {"Unit": {"Description": "x"}, "Service": {"ExecStart": "/bin/sleep 1000", "RestartSec": 5}}
    assert not target.unit("t-a", sections=sections)["changed"]
    reversed_sections = {name: dict(reversed(text.items())) for name, text in reversed(sections.items())}
    assert not target.unit("t-a", sections=reversed_sections)["changed"]
    assert target.show("t-a", "MainPID") == str(pid)
    assert target.sh("cat /etc/systemd/system/t-a.service") + "\n" == other


def test_removed_without_a_trace(target):
    target.unit(
        "t-a", sections={"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}}, state="started", enabled=True
    )
    target.unit("t-a", dropin="10-x", sections={"Service": {"RestartSec": 3}})
    gone = target.unit("t-a", state="absent")
    assert gone["changed"]
    assert target.sh("find /etc/systemd /run/systemd/system -name 't-a*'") == ""
    assert target.show("t-a", "LoadState") == "not-found"
    assert not target.unit("t-a", state="absent")["changed"]


def test_a_dropin_is_not_judged_beside_the_one_it_replaces(target):
    target.write("/etc/systemd/system/t-a.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    for condition in ("/etc/t-none", "!/etc/t-none"):
        done = target.unit("t-a", dropin="t-10", sections={"Unit": {"ConditionPathExists": condition}})
        assert not done.get("failed"), done
    assert [finding["message"] for finding in done["findings"] if finding["severity"] != "info"] == []


@pytest.mark.parametrize("setting", [{"WorkingDirectory": "/t-none"}, {"RootDirectory": "/mnt"}], ids=str)
def test_a_program_that_cannot_be_executed_is_no_success(target, setting):
    """With Type=simple systemd has called it started by then."""
    for _time in range(3):
        done = target.unit("t-a", sections={"Service": {**SLEEP, **setting}}, state="started")
        assert (done.get("failed"), done.get("rolled_back")) == (True, True), done


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
    assert refused["failed"]
    assert "real file" in refused["msg"]


def test_enablement_of_aliases_static_and_indirect_units(target):
    text = {"Service": SLEEP, "Install": {"Alias": "t-other.service", "WantedBy": "multi-user.target"}}
    assert target.unit("t-a", sections=text, enabled=True)["changed"]
    assert not target.unit("t-a", sections=text, enabled=True)["changed"]
    text["Install"]["Alias"] = "t-new.service"
    assert "reenable t-a.service" in said(target.unit("t-a", sections=text))
    assert (
        target.sh("cd /etc/systemd/system; ls -d t-new.service t-other.service 2>/dev/null", check=False)
        == "t-new.service"
    )
    assert "disable t-a.service" in said(target.unit("t-a", enabled=False))
    static = target.unit("t-s", sections={"Service": SLEEP}, enabled=True)
    assert "enable t-s.service" not in said(static)
    assert any("no [Install]" in w for w in static.get("warnings", []))
    also = {"Service": SLEEP, "Install": {"Also": "t-s2.service"}}
    target.unit("t-s2", sections={"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}})
    target.unit("t-i", sections=also, enabled=True)
    assert not target.unit("t-i", sections=also, enabled=True)["changed"]


JOB = {"name": "t-j.service", "sections": {"Service": {"Type": "oneshot", "ExecStart": "/bin/touch /run/t-fired"}}}


def timer(**schedule):
    return {"name": "t-j.timer", "sections": {"Timer": {"AccuracySec": "1us", **schedule}}, "state": "started"}


def has_fired(target):
    """Whether the job has run, once a timer that falls due now has fired: PID 1 fires timers in their order."""
    target.sh("systemd-run --quiet --on-active=0 --timer-property=AccuracySec=1us touch /run/t-due")
    target.wait_for("rm /run/t-due")
    return target.show("t-j.service", "InactiveExitTimestampMonotonic") != "0"


def test_timer_moves_without_firing(target):
    target.units([JOB, timer(OnCalendar="*-*-* 03:00", Persistent=True)], ignore=["timer-persistent-surprise"])
    moved = target.units([JOB, timer(OnCalendar="*-*-* 04:00", Persistent=True)], ignore=["timer-persistent-surprise"])
    assert said(moved) == ["write t-j.timer", "daemon-reload", "none t-j.timer"]
    assert "04:00" in target.sh("systemctl list-timers --no-pager t-j.timer")
    assert target.show("t-j.timer", "ActiveState") == "active"
    assert not has_fired(target)


# Times that have passed since the timer was started; @ is two seconds after that.
def test_what_a_killed_run_held_back_starts_again(target):
    target.units([JOB, timer(OnCalendar="2099-01-01")])
    held = "--no-block --unit=unitcraft-hold-1 --property=Type=oneshot --property=Before=t-j.service"
    target.sh(f"systemd-run --quiet --collect {held} sleep 300")
    assert not target.units([JOB, timer(OnCalendar="2099-01-02")]).get("failed")
    assert target.sh("systemctl start t-j.service && systemctl list-units --plain --no-legend 'unitcraft-hold-*'") == ""


PASSED = [{"OnCalendar": "@"}, {"OnBootSec": "1s"}]


@pytest.mark.parametrize("schedule", PASSED, ids=lambda schedule: next(iter(schedule)))
@pytest.mark.parametrize("collection", [True, False], ids=["changed by the module", "changed by hand"])
def test_timer_that_gains_a_time_in_the_past(target, schedule, collection):
    """PID 1 itself starts the job at once; the module does not let it."""
    if not collection and "OnCalendar" in schedule and target.name.endswith("247"):
        pytest.skip("247 reckons the time of day from now on")
    target.units([JOB, timer(OnCalendar="2099-01-01")])
    at = target.sh("date -d '2 seconds' '+%F %T'")
    target.wait_for(f"test $(date +%s) -gt $(date -d '{at}' +%s)")
    name, value = next(iter(schedule.items()))
    new = timer(
        **{
            "OnCalendar": ["2099-01-01"],
            name: [*(["2099-01-01"] if name == "OnCalendar" else []), value.replace("@", at)],
        }
    )
    if collection:
        result = target.units([JOB, new])
        assert not result.get("failed"), result["msg"]
        assert said(result) == ["write t-j.timer", "daemon-reload", "none t-j.timer"]
        target.sh("systemctl daemon-reload")
        assert not has_fired(target)
        assert target.show("t-j.timer", "SubState") == "waiting"
        assert target.show("t-j.timer", "NextElapseUSecRealtime")
        assert target.sh("systemctl list-units --all --no-legend 'unitcraft-*'") == ""
        assert "t-j.timer" in target.sh("systemctl list-timers --no-legend t-j.timer")
        target.sh("systemctl start t-j.service; ls /run/t-fired")
    else:
        target.sh(f"echo '{name}={value.replace('@', at)}' >> /etc/systemd/system/t-j.timer; systemctl daemon-reload")
        target.wait_for("ls /run/t-fired")


def test_timer_that_had_nothing_more_to_wait_for(target):
    """PID 1 looks at the new schedule of such a timer only when it starts again; that may not fire it either."""
    target.units([JOB, timer(OnCalendar="2001-01-01")], fail_on="never")
    assert target.show("t-j.timer", "SubState") == "elapsed"
    moved = target.units([JOB, timer(OnCalendar="*-*-* 04:00", OnBootSec="1s")])
    assert not moved.get("failed"), moved["msg"]
    assert said(moved) == ["write t-j.timer", "daemon-reload", "restart t-j.timer"]
    assert "04:00" in target.sh("systemctl list-timers --no-pager t-j.timer")
    assert target.show("t-j.timer", "SubState") == "waiting"
    assert not has_fired(target)


def test_triggers(target):
    target.write("/run/t-conf", "one")
    wanted = {"sections": {"Service": {**SLEEP, "ExecReload": "/bin/touch /run/t-reloaded"}}, "state": "started"}
    target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)
    assert not target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)[
        "changed"
    ]
    target.write("/run/t-light", "x")
    light = target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)
    assert said(light) == ["reload t-a.service"]
    assert target.sh("ls /run/t-reloaded") == "/run/t-reloaded"
    announced = [{"path": "/run/t-conf", "changed": True}, {"path": "/run/t-light", "reload": True}]
    assert said(target.unit("t-a", check=True, triggers=announced, **wanted)) == ["restart t-a.service"]
    assert not target.unit("t-a", triggers=announced, **wanted)["changed"]
    target.write("/run/t-conf", "two")
    heavy = target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)
    assert said(heavy) == ["restart t-a.service"]
    assert not target.unit("t-a", triggers=["/run/t-conf", {"path": "/run/t-light", "reload": True}], **wanted)[
        "changed"
    ]


def test_template_and_instances(target):
    def wanted(seconds):
        return {
            "sections": {
                "Service": {"ExecStart": f"/bin/sleep {seconds}%i"},
                "Install": {"WantedBy": "multi-user.target"},
            },
            "instances": ["1", "2"],
            "state": "started",
            "enabled": True,
        }

    first = target.unit("t-w@.service", **wanted(1000))
    assert first["units"]["t-w@1.service"]["active_state"] == "active"
    assert first["units"]["t-w@2.service"]["main_pid"]
    target.sh("systemctl start t-w@7")
    assert not target.unit("t-w@.service", **wanted(1000))["changed"]
    assert said(target.unit("t-w@.service", **wanted(2000)))[2:] == [f"restart t-w@{i}.service" for i in (1, 2, 7)]
    target.unit("t-w@.service", state="absent")
    assert target.sh("systemctl list-units --all --no-legend --plain 't-w@*'; find /etc/systemd -name 't-w@*'") == ""


def test_runtime_folder(target):
    target.unit(
        "t-r",
        sections={"Service": SLEEP, "Install": {"WantedBy": "multi-user.target"}},
        runtime=True,
        enabled=True,
        state="started",
    )
    assert target.show("t-r", "FragmentPath") == "/run/systemd/system/t-r.service"
    assert target.show("t-r", "UnitFileState") == "enabled-runtime"
    target.unit("t-r", state="absent", runtime=True)
    assert target.sh("find /run/systemd/system /etc/systemd -name 't-r*'") == ""

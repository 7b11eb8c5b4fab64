# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories in which systemd moved units that version 0.1 did not speak of."""

from __future__ import annotations

import pytest
from live.target import said

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"
FAILS = "[Service]\nType=oneshot\nExecStart=/bin/false\n"
DIES = "[Service]\nType=notify\nExecStart=/bin/false\n"


def declare(target, **texts):
    """Units t-NAME.service with these texts, not started."""
    target.units([{"name": f"t-{name}.service", "content": text} for name, text in texts.items()])


def active(target, *units):
    return [target.show(unit, "ActiveState") for unit in units]


@pytest.fixture
def upholds(target):
    """Upholds= is new in release 249."""
    if "Upholds=" not in target.sh("systemctl show --property=Upholds multi-user.target"):
        pytest.skip("this systemd does not know Upholds=")


# A start


@pytest.mark.parametrize("check", [True, False])
def test_what_a_start_brings_up_is_told(target, check):
    declare(target, a="[Unit]\nWants=t-b.service\n" + SLEEP, b="[Unit]\nRequires=t-c.service\n" + SLEEP, c=SLEEP)
    result = target.unit("t-a", check=check, state="started")
    assert said(result) == ["start t-a.service", "start t-b.service", "start t-c.service"]


@pytest.mark.parametrize("check", [True, False])
def test_what_a_start_takes_down_is_told(target, check):
    declare(target, a="[Unit]\nConflicts=t-b.service\n" + SLEEP, b=SLEEP, c="[Unit]\nRequires=t-b.service\n" + SLEEP)
    target.sh("systemctl start t-c")
    target.wait_for("systemctl is-active t-b")
    result = target.unit("t-a", check=check, state="started")
    assert said(result) == ["stop t-b.service", "stop t-c.service", "start t-a.service"]


def test_what_a_start_moves_in_fact(target):
    declare(target, a="[Unit]\nConflicts=t-b.service\nWants=t-c.service\n" + SLEEP, b=SLEEP, c=SLEEP)
    target.sh("systemctl start t-b")
    target.unit("t-a", state="started")
    target.wait_for("systemctl is-active t-c")
    assert active(target, "t-a", "t-b", "t-c") == ["active", "inactive", "active"]


def test_a_failure_brings_back_what_the_start_took_down(target):
    declare(target, b=SLEEP)
    target.sh("systemctl start t-b")
    content = "[Unit]\nConflicts=t-b.service\nAfter=t-b.service\n" + FAILS
    result = target.unit("t-a", content=content, state="started")
    assert active(target, "t-b") == ["active"]
    assert [words for words in result.get("not_undone", []) if "t-b.service" in words] == []


def test_a_failure_takes_down_what_the_start_brought_up(target):
    declare(target, b=SLEEP)
    content = "[Unit]\nRequires=t-b.service\nAfter=t-b.service\n" + FAILS
    target.unit("t-a", content=content, state="started")
    assert active(target, "t-b") == ["inactive"]


# A stop


@pytest.mark.parametrize("check", [True, False])
def test_a_stop_of_what_another_one_upholds_is_refused(target, upholds, check):
    declare(target, a="[Unit]\nUpholds=t-b.service\n" + SLEEP, b=SLEEP)
    target.sh("systemctl start t-a")
    target.wait_for("systemctl is-active t-b")
    assert (
        "t-a.service, which runs after this task, upholds it" in target.unit("t-b", check=check, state="stopped")["msg"]
    )


def test_what_was_upheld_until_this_task_stays_down(target, upholds):
    declare(target, a="[Unit]\nUpholds=t-b.service\n" + SLEEP, b=SLEEP)
    target.sh("systemctl start t-a")
    target.wait_for("systemctl is-active t-b")
    result = target.units([{"name": "t-a", "content": SLEEP}, {"name": "t-b", "state": "absent"}])
    assert "stop t-b.service" in said(result)
    assert active(target, "t-a", "t-b") == ["active", "inactive"]


def test_what_is_started_again_while_it_is_down_runs_its_new_version(target, upholds):
    """Version 0.1 started what ran already, with its old definition, and reported a restart."""
    text = "[Service]\nExecStart=/bin/sleep {}\nExecStop=/bin/sh -c 'exit {}'\n"
    declare(target, a="[Unit]\nUpholds=t-b.service\n" + SLEEP, b=text.format(1000, 0))
    target.sh("systemctl start t-a")
    target.wait_for("systemctl is-active t-b")
    target.unit("t-b", content=text.format(2000, 1))
    target.wait_for_command("/bin/sleep 2000", "t-b")


def test_what_is_upheld_starts_with_the_reload(target, upholds):
    declare(target, a=SLEEP, b=SLEEP)
    target.unit("t-a", state="started")
    result = target.unit("t-a", content="[Unit]\nUpholds=t-b.service\n" + SLEEP)
    assert "start t-b.service" in said(result)
    target.wait_for("systemctl is-active t-b")


def test_what_is_newly_bound_to_a_unit_that_is_down_runs_on(target):
    declare(target, a=SLEEP, b=SLEEP)
    target.unit("t-a", state="started")
    result = target.unit("t-a", content="[Unit]\nBindsTo=t-b.service\nAfter=t-b.service\n" + SLEEP)
    assert said(result)[-2:] == ["restart t-a.service", "start t-b.service"]
    assert active(target, "t-a", "t-b") == ["active", "active"]


def test_what_is_newly_bound_to_a_unit_that_starts_with_it_runs_on(target):
    """From 252 on, systemd stops it in the daemon-reload, before the other one starts."""
    declare(target, a=SLEEP)
    target.unit("t-a", state="started")
    units = [
        {"name": "t-a.service", "content": "[Unit]\nBindsTo=t-b.service\n" + SLEEP, "state": "started"},
        {"name": "t-b.service", "content": SLEEP, "state": "started"},
    ]
    assert said(target.units(units))[-2:] == ["restart t-a.service", "start t-b.service"]
    assert active(target, "t-a", "t-b") == ["active", "active"]
    assert not target.units(units)["changed"]


@pytest.mark.parametrize("on_change", ["none", "reload"])
def test_what_shall_not_be_restarted_is_not_bound_to_a_unit_that_is_down(target, on_change):
    """Otherwise systemd stops it, and the task would end as a success."""
    sleep = SLEEP + "ExecReload=/bin/true\n"
    declare(target, a=sleep, b=SLEEP)
    target.unit("t-a", state="started")
    bound = "[Unit]\nBindsTo=t-b.service\n" + sleep
    result = target.unit("t-a", content=bound, on_change=on_change)
    assert "t-b.service does not run, so systemd would stop t-a.service" in result["msg"]
    assert active(target, "t-a", "t-b") == ["active", "inactive"]
    assert "BindsTo" not in target.sh("systemctl cat t-a")


def test_what_a_unit_needs_and_conflicts_with_is_refused(target):
    declare(target, a=SLEEP)
    both = "[Unit]\nBindsTo=t-a.service\nConflicts=t-a.service\n" + SLEEP
    result = target.unit("t-b", content=both, state="started")
    assert "t-b.service in units[0] can never start: BindsTo=t-a.service" in result["msg"]


def test_a_restart_of_what_only_passes_on_its_stop(target, upholds):
    """StopPropagatedFrom= is as new as Upholds=. The follower was left to systemd, which does not restart it."""
    follower = "[Unit]\nStopPropagatedFrom=t-a.service\n[Service]\nExecStart=/bin/sleep {}\n"
    declare(target, a="[Service]\nExecStart=/bin/sleep 1000\n", b=follower.format(1000))
    target.sh("systemctl start t-a t-b")
    units = [
        {"name": "t-a.service", "content": "[Service]\nExecStart=/bin/sleep 2000\n"},
        {"name": "t-b.service", "content": follower.format(2000)},
    ]
    assert said(target.units(units))[-2:] == ["restart t-a.service", "restart t-b.service"]
    target.wait_for_command("/bin/sleep 2000", "t-a", "t-b")


# Also=


def test_what_is_disabled_along_is_told(target):
    units = [
        {"name": "t-a.service", "content": SLEEP + INSTALL + "Also=t-b.service\n", "enabled": True},
        {"name": "t-b.service", "content": SLEEP + INSTALL},
    ]
    target.units(units)
    assert said(target.unit("t-a", enabled=False)) == ["disable t-a.service", "disable t-b.service", "daemon-reload"]


def test_what_shall_be_enabled_stays_so(target):
    units = [
        {"name": "t-a.service", "content": SLEEP + INSTALL + "Also=t-b.service\n", "enabled": True},
        {"name": "t-b.service", "content": SLEEP + INSTALL, "enabled": True},
    ]
    target.units(units)
    target.units([{**units[0], "enabled": False}, units[1]])
    assert [target.show(unit, "UnitFileState") for unit in ("t-a", "t-b")] == ["disabled", "enabled"]


# Refused in the second run


@pytest.mark.parametrize("check", [True, False])
def test_a_restart_that_systemd_would_refuse_the_next_time(target, check):
    content = "[Unit]\nRefuseManualStop=true\n" + SLEEP
    result = target.unit("t-a", check=check, content=content, state="restarted")
    assert "RefuseManualStop=true" in result["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_a_reload_that_the_unit_does_not_have_while_it_is_down(target, check):
    assert "it has no ExecReload=" in target.unit("t-a", check=check, content=SLEEP, state="reloaded")["msg"]


# Releases 247 and 252 say for ever of a unit that they do not read that its files have changed.


def test_a_masked_unit_with_a_dropin_is_not_reloaded_in_each_run(target):
    target.write("/usr/lib/systemd/system/t-v.service", SLEEP)
    target.sh("systemctl daemon-reload")
    wanted = [
        {"name": "t-v.service", "masked": True},
        {"name": "t-v.service", "dropin": "10-x", "sections": {"Unit": {"Description": "x"}}},
    ]
    try:
        target.units(wanted)
        assert said(target.units(wanted)) == []
    finally:
        target.sh("rm /usr/lib/systemd/system/t-v.service")


# A fight without an end was planned without an end.


@pytest.mark.parametrize("check", [True, False])
def test_units_that_uphold_and_stop_each_other(target, upholds, check):
    fights = "[Unit]\nConflicts=t-a.service\nAfter=t-a.service\n" + SLEEP
    declare(target, a="[Unit]\nUpholds=t-b.service\n" + SLEEP, b=fights, c=SLEEP)
    target.unit("t-c", state="started")
    result = target.unit("t-c", check=check, content="[Unit]\nUpholds=t-a.service\n" + SLEEP)
    assert "start t-b.service" in said(result), result


def test_a_reload_that_is_passed_on_is_told_and_judged(target):
    """The action of the other one was nowhere, and it could die of its reload."""
    reloads = "[Service]\nType=exec\nExecStart=/bin/sleep infinity\nExecReload="
    source = f"[Unit]\nPropagatesReloadTo=t-b.service\n{reloads}/bin/true\n"
    units = [("t-a", source), ("t-b", reloads + "/bin/sh -c 'rm /run/t-dies && kill -9 $MAINPID || true'\n")]
    wanted = [{"name": f"{name}.service", "content": text, "state": "started"} for name, text in units]
    target.units(wanted)
    asked = target.unit("t-a", state="reloaded", check=True)
    result = target.unit("t-a", state="reloaded")
    assert asked["actions"] == result["actions"]
    assert ["reload", "t-b.service"] in [[step["action"], step["unit"]] for step in result["actions"]]
    target.sh("touch /run/t-dies")
    failed = target.unit("t-a", state="reloaded", health={"stable": 1})
    assert failed["failed_units"][0]["unit"] == "t-b.service", failed
    assert failed["rolled_back"] is True
    assert target.show("t-b.service", "ActiveState") == "active"


def test_what_a_new_path_has_started_goes_with_it(target):
    """The path went with the rollback, and what it had started ran on."""
    path = "[Path]\nPathExists=/etc/passwd\nUnit=t-w.service\n"
    target.units([{"name": "t-w.service", "content": SLEEP}])
    wanted = [
        {"name": "t-p.path", "content": path, "state": "started"},
        {
            "name": "t-a.service",
            "content": SLEEP,
            "state": "started",
            "health": {"timeout": 1, "probes": [{"tcp": "127.0.0.1:9"}]},
        },
    ]
    failed = target.units(wanted)
    assert failed["rolled_back"] is True, failed
    assert target.show("t-w.service", "ActiveState") == "inactive"


def test_links_that_stood_there_before_their_unit(target):
    """Systemd follows them as soon as the unit is there, and nothing said so."""
    text = SLEEP + "[Install]\nRequiredBy=t-z.target\n"
    target.unit("t-a", content=text, state="stopped", enabled=True)
    wanted = {"content": "[Unit]\nDescription=Z\n", "state": "started"}
    asked = target.unit("t-z.target", check=True, **wanted)
    result = target.unit("t-z.target", **wanted)
    assert "start t-a.service" in said(result)
    assert said(asked) == said(result)
    assert target.show("t-a", "ActiveState") == "active"


def test_what_a_rollback_takes_along_runs_again(target):
    """The stop of a unit that the task had started and enabled took down the target that required it by then."""
    text = SLEEP + "[Install]\nRequiredBy=t-z.target\n"
    target.unit("t-z.target", content="[Unit]\nDescription=Z\n", state="started")
    target.unit("t-b", content=text, state="stopped", enabled=False)
    wanted = [
        {"name": "t-b.service", "content": text, "state": "started", "enabled": True},
        {"name": "t-a.service", "content": DIES, "state": "started"},
    ]
    failed = target.units(wanted)
    assert failed["rolled_back"] is True, failed
    states = [target.show(unit, "ActiveState") for unit in ("t-b.service", "t-z.target")]
    assert states == ["inactive", "active"]


def test_a_rollback_among_units_that_conflict_and_run_side_by_side(target):
    """The start that brings one back stopped the other, of which the run knew nothing."""
    declare(target, a=SLEEP, b=SLEEP, c=SLEEP)
    target.sh("systemctl start t-a t-b t-c")
    target.unit("t-c", content="[Unit]\nConflicts=t-a.service\n" + SLEEP, on_change="none")
    failed = target.unit("t-b", state="started", content="[Unit]\nConflicts=t-c.service\n" + DIES)
    assert failed["rolled_back"] is True, failed
    assert active(target, "t-a", "t-b", "t-c") == ["active", "active", "active"]


@pytest.mark.parametrize("check", [True, False])
def test_a_start_that_stops_what_another_unit_upholds(target, upholds, check):
    """The stop was told, and the unit that is upheld ran on beside the one that conflicts with it."""
    declare(target, a=SLEEP, b="[Unit]\nUpholds=t-a.service\n" + SLEEP)
    target.sh("systemctl start t-b t-a")
    refused = target.unit("t-c", check=check, state="started", content="[Unit]\nConflicts=t-a.service\n" + SLEEP)
    assert refused["failed"]
    assert "t-c.service: state: started cannot hold, because the start of t-a.service stops it" in refused["msg"]


def test_what_stops_with_a_declared_unit_that_a_start_takes_down(target):
    """A unit that was declared and unchanged was no way to those that hang on it."""
    content = "[Unit]\nConflicts=t-a.service\n" + SLEEP
    declare(target, a=SLEEP, b=content, c="[Unit]\nPartOf=t-b.service\n" + SLEEP)
    target.sh("systemctl start t-b t-c")
    result = target.units([{"name": "t-a.service", "state": "started"}, {"name": "t-b.service", "content": content}])
    assert said(result) == ["stop t-b.service", "stop t-c.service", "start t-a.service"]
    assert active(target, "t-a", "t-b", "t-c") == ["active", "inactive", "inactive"]


def test_a_restart_that_stops_what_would_stop_it(target, upholds):
    """Nothing told of the stop; releases before 256 refuse the restart."""
    declare(target, a=SLEEP, b=SLEEP)
    target.sh("systemctl start t-a t-b")
    content = "[Unit]\nConflicts=t-a.service\nStopPropagatedFrom=t-a.service\n[Service]\nExecStart=/bin/sleep 99\n"
    result = target.unit("t-b", state="started", content=content)
    refused = result.get("rolled_back", False)
    assert said(result)[-1] == "restart t-b.service"
    assert ("stop t-a.service" in said(result)) is not refused
    assert active(target, "t-a", "t-b") == ["active" if refused else "inactive", "active"]


def test_a_stop_by_a_conflict_that_is_passed_on(target, upholds):
    """From release 256 on it is not: the stop of the third was told, and it ran on."""
    declare(target, a=SLEEP, b=SLEEP, c=f"[Unit]\nStopPropagatedFrom=t-b.service\n{SLEEP}")
    target.sh("systemctl start t-a t-b t-c")
    result = target.unit(
        "t-a", state="started", content="[Unit]\nConflicts=t-b.service\n[Service]\nExecStart=/bin/sleep 99\n"
    )
    states = active(target, "t-a", "t-b", "t-c")
    assert states[:2] == ["active", "inactive"]
    assert ("stop t-c.service" in said(result)) is (states[2] == "inactive")


def test_a_restart_takes_along_what_requires_it_by_a_new_link(target):
    """Only the links that were there counted."""
    target.unit("t-a", content=SLEEP, state="started")
    target.unit("t-z.target", content="[Unit]\nDescription=z\n", state="started")
    content = "[Service]\nExecStart=/bin/sleep 99\n[Install]\nRequiredBy=t-z.target\n"
    result = target.unit("t-a", content=content, enabled=True, state="started")
    assert said(result)[-2:] == ["restart t-a.service", "restart t-z.target"]


@pytest.mark.parametrize("check", [True, False])
def test_a_template_whose_instance_may_not_be_stopped(target, check):
    """Check mode promised a stop that systemd refuses."""
    target.unit("t-w@", content="[Unit]\nRefuseManualStop=true\n" + SLEEP)
    target.sh("systemctl start t-w@2")
    refused = target.unit("t-w@", check=check, state="absent")
    assert refused["failed"]
    assert "t-w@2.service: state: absent: systemd refuses that by the unit's name" in refused["msg"]
    target.sh("systemctl kill t-w@2")


def test_an_upheld_unit_that_gets_what_it_requires(target, upholds):
    """Systemd had not been able to start it, tried again after the reload, and nothing said so."""
    needs, upheld = "[Unit]\nRequires=t-a.service\n" + SLEEP, "[Unit]\nUpholds=t-b.service\n" + SLEEP
    wanted = [{"name": "t-b.service", "content": needs}, {"name": "t-c.service", "content": upheld, "state": "started"}]
    first = target.units(wanted, verify=False, fail_on="never")
    assert "start t-c.service" in said(first)
    if target.show("t-b", "ActiveState") == "active":
        pytest.skip("this systemd starts what is upheld without what it requires")
    result = target.unit("t-a", content=SLEEP, state="started")
    assert said(result)[-2:] == ["start t-a.service", "start t-b.service"]
    target.wait_for("systemctl is-active t-b")

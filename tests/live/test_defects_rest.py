# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories in which version 0.1 missed a restart, removed or kept the wrong thing, or said what is not so."""

from __future__ import annotations

import json

import pytest
from live.target import said

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"
TEMPLATE = {"name": "t-w@.service", "content": SLEEP + INSTALL}


@pytest.fixture
def users(target):
    names = ("t-ann", "t-bob")
    for number, name in enumerate(names):
        target.sh(f"useradd --create-home --uid {1710 + number} {name}")
    yield names
    for number, name in enumerate(names):
        target.sh(f"loginctl disable-linger {name}; systemctl stop user@{1710 + number}", check=False)
        target.wait_for(f"userdel --force --remove {name} 2>/dev/null || ! id {name} 2>/dev/null")


# Triggers


@pytest.mark.parametrize("text", [{"content": SLEEP}, {}], ids=["with the text", "without it"])
def test_triggers_of_two_tasks_for_one_unit(target, text):
    target.unit("t-a", content=SLEEP, state="started")
    for name in ("one", "two"):
        target.write(f"/run/t-{name}", "1")
        target.unit("t-a", triggers=[f"/run/t-{name}"], **text)
    for name in ("one", "two"):
        target.write(f"/run/t-{name}", "2")
        assert said(target.unit("t-a", triggers=[f"/run/t-{name}"], **text)) == ["restart t-a.service"]


def test_a_trigger_of_the_units_of_two_users(target, users):
    wanted = {"content": SLEEP, "state": "started", "scope": "user", "linger": True, "triggers": ["/run/t-shared"]}
    target.write("/run/t-shared", "1")
    for user in users:
        target.unit("t-u", user=user, **wanted)
    target.write("/run/t-shared", "2")
    for user in users:
        assert said(target.unit("t-u", user=user, **wanted)) == ["restart t-u.service"]


def test_a_task_without_the_text_keeps_what_is_known_of_it(target):
    target.unit("t-a", content=SLEEP, enabled=False)
    target.unit("t-a", state="stopped")
    target.sh("echo '# by hand' >> /etc/systemd/system/t-a.service; systemctl daemon-reload")
    drift = target.unit("t-a", state="stopped")["units"]["t-a.service"]["drift"]
    assert [found["what"] for found in drift] == ["changed"]


# What goes and what stays


def test_prune_leaves_the_drop_ins_of_another_set(target):
    target.units([{"name": "t-a.service", "content": SLEEP}], set_name="one")
    target.units([{"name": "t-a.service", "dropin": "20-two", "content": "[Service]\nNice=2\n"}], set_name="two")
    result = target.units([{"name": "t-z.service", "content": SLEEP}], set_name="one", prune=True)
    assert "remove t-a.service" in said(result)
    assert target.sh("ls /etc/systemd/system/t-a.service.d") == "20-two.conf"
    assert any("20-two.conf is not of this set and is left in place" in warning for warning in result["warnings"])


def test_a_drop_in_from_content_is_ours(target):
    dropin = {"name": "t-a.service", "dropin": "10-a", "content": "[Service]\nNice=3\n"}
    target.units([{"name": "t-a.service", "content": SLEEP}, dropin])
    assert target.unit("t-a", state="absent")["warnings"] == []
    assert target.sh("ls /etc/systemd/system | grep ^t-", check=False) == ""


def test_a_drop_in_that_was_changed_by_hand_is_left(target):
    target.units(
        [
            {"name": "t-a.service", "content": SLEEP},
            {"name": "t-a.service", "dropin": "1", "content": "[Service]\nNice=3\n"},
        ]
    )
    target.sh("echo >> /etc/systemd/system/t-a.service.d/1.conf")
    assert "was not written by this collection" in target.unit("t-a", state="absent")["warnings"][0]


def test_a_unit_is_pruned_whose_file_was_removed_by_hand(target):
    """Prune went by files alone, and the program ran on."""
    options = {"set_name": "s", "prune": True}
    units = [{"name": f"t-{name}.service", "content": SLEEP, "state": "started"} for name in "ab"]
    target.units(units, **options)
    target.sh("rm /etc/systemd/system/t-b.service; systemctl daemon-reload")
    asked = target.units(units[:1], check=True, **options)
    result = target.units(units[:1], **options)
    assert said(asked) == said(result)
    assert "stop t-b.service" in said(result)
    assert target.show("t-b.service", "ActiveState") == "inactive"
    assert not target.units(units[:1], **options)["changed"]


def test_links_go_whose_file_was_removed_by_hand(target):
    """They stayed, and enabled a unit whose new text has no [Install]."""
    target.unit("t-a", content=f"{SLEEP}[Install]\nWantedBy=multi-user.target\n", enabled=True)
    target.sh("rm /etc/systemd/system/t-a.service; systemctl daemon-reload")
    result = target.unit("t-a", content=SLEEP, enabled=True)
    assert "disable t-a.service" in said(result)
    assert target.sh("find /etc/systemd/system -name t-a.service") == "/etc/systemd/system/t-a.service"
    assert not target.unit("t-a", content=SLEEP, enabled=True)["changed"]


def test_an_instance_that_is_listed_no_more_is_pruned(target):
    wanted = {**TEMPLATE, "state": "started", "enabled": True}
    options = {"set_name": "s", "prune": True}
    target.units([{**wanted, "instances": ["1", "2"]}], **options)
    result = target.units([{**wanted, "instances": ["1"]}], **options)
    assert said(result) == ["stop t-w@2.service", "disable t-w@2.service", "daemon-reload"]
    assert said(target.units([{**wanted, "instances": ["1"]}], **options)) == []


def test_an_instance_that_is_listed_no_more_is_spoken_of(target):
    wanted = {**TEMPLATE, "state": "started"}
    target.units([{**wanted, "instances": ["1", "2"]}])
    result = target.units([{**wanted, "instances": ["1"]}])
    assert any("t-w@2.service: the last run listed this instance" in warning for warning in result["warnings"])


# A job at work, and the run itself


def test_a_job_that_runs_is_not_killed(target):
    text = "[Service]\nType=oneshot\nExecStart=/bin/sleep {}\n"
    target.unit("t-a", content=text.format(1000))
    target.sh("systemctl start --no-block t-a")
    target.wait_for("test $(systemctl show --property=MainPID --value t-a) != 0")
    pid = target.show("t-a", "MainPID")
    result = target.unit("t-a", content=text.format(2000))
    assert said(result) == ["write t-a.service", "daemon-reload", "none t-a.service"]
    assert target.show("t-a", "MainPID") == pid


def run_within(target, own, arguments, **options):
    """What a run of `unit` says that is a process of the unit t-a."""
    target.write("/run/t-args", json.dumps({**arguments, "_ansible_check_mode": False}))
    target.write(
        "/run/t-job", f"#!/bin/sh\n{' '.join(target.command('unit'))} < /run/t-args > /run/t-out 2>&1\n", "0755"
    )
    target.write("/etc/systemd/system/t-a.service", own)
    target.sh("rm -f /run/t-out; systemctl daemon-reload; systemctl start t-a; true", check=False)
    target.wait_for("grep -q '}' /run/t-out", **options)
    return json.loads(target.sh("cat /run/t-out"))


OWN = "[Service]\nType=oneshot\nExecStart=/run/t-job\n"


@pytest.mark.parametrize("on_change", ["auto", "restart"])
def test_a_run_that_changes_its_own_unit(target, on_change):
    """A pull by a timer: version 0.1 killed itself in the middle, and the unit could not run any more."""
    changed = OWN + "Nice=1\nExecStart=/bin/true\n"
    result = run_within(target, OWN, {"name": "t-a", "content": changed, "on_change": on_change})
    assert [step["action"] for step in result["actions"]] == ["write", "daemon-reload", "none"]
    assert "this run is a process of it" in json.dumps(result["warnings"])
    assert "Nice=1" in target.sh("cat /etc/systemd/system/t-a.service")
    assert target.sh("ls /var/lib/unitcraft/intent.json 2>/dev/null", check=False) == ""


@pytest.mark.parametrize("state", ["stopped", "restarted", "absent"])
def test_a_run_does_not_end_itself(target, state):
    result = run_within(target, OWN, {"name": "t-a", "state": state})
    assert "this run is a process of it and would end itself" in result["msg"]


def test_what_an_earlier_start_of_the_unit_began_does_not_stop_it(target):
    intent = {
        "format": 1,
        "id": "0",
        "boot": target.sh("cat /proc/sys/kernel/random/boot_id"),
        "begun": 1,
        "scope": "system",
    }
    intent.update(user="", runtime=False, root="", files=[], names=["t-a.service"], links={}, reloads=[], linger=None)
    intent.update(
        daemon_reload=False, units={"t-a.service": {"active": "inactive", "invocation": "0", "oneshot": True}}
    )
    target.sh("mkdir -p -m 700 /var/lib/unitcraft")
    target.write("/var/lib/unitcraft/intent.json", json.dumps(intent))
    result = run_within(target, OWN, {"name": "t-b", "content": SLEEP})
    assert "was undone first" in result["recovered"]


# Health


def test_a_line_that_a_finished_job_has_written(target):
    text = "[Service]\nType=oneshot\nExecStart=/bin/echo all done\n"
    health = {"timeout": 60, "probes": [{"log": "all done"}]}
    assert "msg" not in target.unit("t-a", content=text, state="started", health=health)


def test_a_crash_ends_the_wait_for_the_probes_of_others(target):
    crashes = {"content": "[Service]\nExecStart=/bin/sh -c 'sleep 2; exit 3'\n", "health": {"stable": 100}}
    waits = {"content": SLEEP, "health": {"timeout": 600, "probes": [{"tcp": "127.0.0.1:1"}]}}
    units = [{"name": "t-a", "state": "started", **crashes}, {"name": "t-b", "state": "started", **waits}]
    result = target.units(units, fail_on="never")
    assert "t-a.service: it came up and did not stay up" in result["msg"]
    assert [failure["unit"] for failure in result["failed_units"]] == ["t-a.service"]


def test_the_health_of_a_template_counts_for_every_instance_that_restarts(target):
    target.units([TEMPLATE])
    target.sh("systemctl start t-w@2")
    content = "[Service]\nExecStart=/bin/sh -c 'sleep 1; exit 4'\n"
    result = target.units([{**TEMPLATE, "content": content, "health": {"stable": 60}}], fail_on="never")
    assert [failure["unit"] for failure in result["failed_units"]] == ["t-w@2.service"]


@pytest.mark.parametrize("directive", ["ExecStartPre", "ExecStartPost"])
def test_the_command_that_failed_is_named(target, directive):
    text = (
        f"[Service]\nType=exec\n{directive}=-/bin/false\n{directive}=/bin/sh -c 'exit 7'\nExecStart=/bin/sleep 1000\n"
    )
    result = target.unit("t-a", content=text, state="started", fail_on="never")
    assert f"{directive}=/bin/sh -c exit 7 ended with exit status 7" in result["msg"]


def test_a_mount_that_is_in_use(target):
    name, text = "run-t\\x2dm.mount", "[Mount]\nWhat=tmpfs\nWhere=/run/t-m\nType=tmpfs\n"
    target.unit(name, content=text, state="started")
    target.sh("cd /run/t-m; sleep 1000 >/dev/null 2>&1 & echo $! > /run/t-pid")
    try:
        result = target.unit(name, state="absent")
    finally:
        target.sh("kill $(cat /run/t-pid)")
        target.unit(name, state="absent")
    assert "busy" in result["msg"]
    assert [failure["unit"] for failure in result["failed_units"]] == [name]


# The host


@pytest.mark.parametrize("action", ["StartLimitAction", "FailureAction", "SuccessAction"])
def test_a_version_that_ends_does_not_reboot_the_host(target, action):
    limit = f"[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=600\n{action}=reboot-force\n"
    text = limit + "[Service]\nRestart={}\nRestartSec=100ms\nExecStart={}\n"
    restart = "always" if action == "StartLimitAction" else "no"
    good = text.format(restart, "/bin/sleep 1000")
    target.unit("t-a", content=good, state="started", fail_on="never")
    manager = target.sh("stat -c %Y /proc/1; cat /proc/1/stat | cut -d' ' -f22")
    bad = text.format(restart, "/bin/true" if action == "SuccessAction" else "/bin/false")
    result = target.unit("t-a", content=bad, health={"stable": 5}, fail_on="never", verify=False)
    assert result["rolled_back"], result
    target.wait_for_command("sleep 1000", "t-a")
    assert target.sh("stat -c %Y /proc/1; cat /proc/1/stat | cut -d' ' -f22") == manager
    assert target.show("t-a", action) == "reboot-force"
    assert target.sh("find /run/systemd/system -name '*unitcraft*'") == ""
    target.unit("t-a", content=good.replace("reboot-force", "none"))  # its stop is a success, too


def test_what_the_host_does_after_failures_holds_once_the_deployment_is_over(target):
    text = "[Unit]\nStartLimitAction=reboot-force\n[Service]\nExecStart=/bin/sleep {}\n"
    for seconds in (1000, 2000):
        target.unit("t-a", content=text.format(seconds), state="started", fail_on="never")
        assert target.show("t-a", "StartLimitAction") == "reboot-force"
        assert target.show("t-a", "NeedDaemonReload") == "no"
        assert target.sh("find /run/systemd/system -name '*unitcraft*'") == ""


def test_a_line_of_the_program_does_not_keep_a_log_probe_busy(target):
    """The expression ran on that line for ever, with the transaction open and the lock held."""
    text = f"[Service]\nType=exec\nExecStart=/bin/sh -c 'echo {'a' * 60}!; exec sleep 1000'\n"
    failed = target.unit("t-a", content=text, state="started", health={"timeout": 2, "probes": [{"log": "^(a+)+$"}]})
    assert "probe log" in failed["msg"], failed  # it never came to its end
    assert failed["rolled_back"] is True


# What is said


def test_what_somebody_changed_and_systemd_had_not_read_is_told(target):
    """Our daemon-reload loaded it, the service ran on with its old command, and no later run said so."""
    target.unit("t-a", content="[Service]\nExecStart=/bin/sleep 1000\n", state="started")
    dropin = "/etc/systemd/system/t-a.service.d/admin.conf"
    target.write(dropin, "[Service]\nNice=5\n")
    target.sh("systemctl daemon-reload; touch -d '2020-01-01' " + dropin + "; systemctl daemon-reload")
    target.write(dropin, "[Service]\nExecStart=\nExecStart=/bin/sleep 2000\n")
    result = target.unit("t-a", content="[Service]\nExecStart=/bin/sleep 1000\n", state="started")
    steps = [step for step in result["actions"] if step["action"] == "none"]
    assert [step["unit"] for step in steps] == ["t-a.service"], result["actions"]
    assert "somebody changed its files" in steps[0]["reason"]


ENDS = {
    "a condition": "[Unit]\nConditionPathExists=/run/t-nothing\n" + SLEEP,
    "a job": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "a program that ends": "[Service]\nExecStart=/bin/true\n",
}


@pytest.mark.parametrize("text", ENDS.values(), ids=list(ENDS))
def test_what_has_ended_is_started_in_each_run(target, text):
    """As documented: nobody can tell whether it shall run once more."""
    target.unit("t-a", content=text, state="started", fail_on="never")
    target.wait_for("test $(systemctl show --property=ActiveState --value t-a) = inactive")
    assert said(target.unit("t-a", content=text, state="started", fail_on="never")) == ["start t-a.service"]


@pytest.mark.parametrize("install", [INSTALL, ""], ids=["with [Install]", "without"])
def test_a_linked_unit_is_enabled(target, install):
    target.write("/opt/t-l.service", SLEEP + install)
    target.sh("systemctl link /opt/t-l.service")
    result = target.unit("t-l", enabled=True)
    if install:
        assert said(result) == ["enable t-l.service", "daemon-reload"]
        assert target.show("t-l", "UnitFileState") == "enabled"
        assert said(target.unit("t-l", enabled=False)) == ["disable t-l.service", "daemon-reload"]
    else:
        assert "the unit has no [Install] section" in result["warnings"][0]


def test_a_unit_of_a_script_in_init_d(target):
    info = "# Provides: t-sysv\n# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n"
    target.write("/etc/init.d/t-sysv", f"#!/bin/sh\n### BEGIN INIT INFO\n{info}### END INIT INFO\nexit 0\n", "0755")
    masked = "/etc/systemd/system-generators/systemd-sysv-generator"
    target.sh(f"rm -f {masked}; systemctl daemon-reload")
    try:
        if target.show("t-sysv", "LoadState") != "loaded":
            pytest.skip("this systemd reads no scripts")
        assert "a generator makes the unit" in target.unit("t-sysv", enabled=True)["warnings"][0]
    finally:
        target.sh(f"rm /etc/init.d/t-sysv; ln -s /dev/null {masked}; systemctl daemon-reload")


def test_instances_that_are_not_listed_follow_a_changed_install_section(target):
    wanted = {**TEMPLATE, "instances": ["1"], "enabled": True}
    target.units([wanted])
    target.sh("systemctl enable t-w@2")
    target.units([{**wanted, "content": SLEEP + "[Install]\nWantedBy=graphical.target\n"}])
    assert target.sh("cd /etc/systemd/system; ls graphical.target.wants").split() == ["t-w@1.service", "t-w@2.service"]
    target.sh("systemctl disable t-w@2")


def test_a_template_alone_cannot_be_enabled(target):
    result = target.units([{**TEMPLATE, "enabled": True}])
    assert "list its instances, or give its [Install] section DefaultInstance=" in result["warnings"][0]


def test_a_template_and_the_drop_in_of_an_instance_are_new(target):
    dropin = {"name": "t-w@1.service", "dropin": "10-a", "content": "[Service]\nNice=3\n"}
    found = target.units([TEMPLATE, dropin], check=True)["findings"]
    assert [finding for finding in found if finding["rule"] == "drop-in-for-missing-unit"] == []


def test_the_manager_of_a_user_goes_with_the_last_unit(target, users):
    wanted = {"scope": "user", "user": users[0]}
    target.unit("t-u", content=SLEEP, state="started", linger=True, **wanted)
    assert target.unit("t-u", state="absent", linger=False, **wanted)["warnings"] == []


def test_a_mapping_as_content(target):
    result = target.unit("t-a", content={"Service": {"ExecStart": "/bin/true"}})
    assert "content is a mapping, and the file's whole text is wanted; give a mapping as sections" in result["msg"]


def test_enabled_until_the_next_boot_is_no_drift(target):
    wanted = {"content": SLEEP + INSTALL, "runtime": True, "enabled": True}
    target.unit("t-r", **wanted)
    assert target.unit("t-r", **wanted)["units"]["t-r.service"]["drift"] == []


def test_a_task_that_does_not_run_as_root(target, users):
    target.write("/run/t-args", json.dumps({"name": "t-a", "content": SLEEP}))
    out = target.sh(f"su {users[0]} -c '{' '.join(target.command('unit'))} < /run/t-args'", check=False)
    assert "use become: true" in json.loads(out)["msg"]

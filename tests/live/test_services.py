# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the roles ask of ``units`` beyond its public options: users, old secrets, encrypted secrets."""

from __future__ import annotations

import json

import pytest
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _linked, _services
from live.deploying import deploy
from live.target import LIBRARY

SHOW = "mkdir -p /run/t-app; { env; cat $CREDENTIALS_DIRECTORY/*; } > /run/t-app/given 2>/dev/null; exec sleep infinity"
NEVER_READY = {"command": ["/bin/sleep", "infinity"], "type": "notify", "health": {"timeout": 600}}


@pytest.fixture(autouse=True)
def clean_services(target):
    target.sh("mount --make-rshared /")  # LoadCredential= needs it, and a container does not have it
    yield
    target.sh(
        "systemctl stop 't-*' 2>/dev/null; userdel t-app; groupdel t-app; groupdel t-readers;"
        " rm -rf /opt/t-* /etc/t-* /run/t-* /var/lib/t-* /t-data",
        check=False,
    )


@pytest.fixture
def release(target):
    return int(target.sh("systemctl --version").split()[1].partition(".")[0])


def apply(target, service, check=False, release=257, **more):
    """What the role does for one service t-app."""
    answer = _services.apply({"t-app": service}, release)
    return deploy(target, answer["units"], check, set_name="t", prune=True, **more)


def app(**more):
    return {
        "command": ["/bin/sleep", "infinity"],
        "directories": [{"path": "/opt/t-app", "owner": "t-app"}],
        "files": [{"path": "/opt/t-app/notes", "content": "x\n", "owner": "t-app", "group": "t-readers"}],
        "group": "t-readers",
        **more,
    }


def accounts(target):
    return target.sh("getent passwd t-app | cut -d: -f1,5-7; getent group t-app t-readers | cut -d: -f1; true").split(
        "\n"
    )


MADE = ["t-app:Service t-app (unitcraft.systemd with group t-readers):/nonexistent:/usr/sbin/nologin", "t-readers"]


def test_user_and_its_files_are_made_together(target):
    result = apply(target, app())
    assert not result.get("failed"), result.get("msg", result)
    assert accounts(target) == MADE
    assert target.sh("stat -c %U:%G /opt/t-app /opt/t-app/notes").split() == ["t-app:root", "t-app:t-readers"]
    assert target.sh("ps -o user= -C sleep | grep t-app") == "t-app"
    assert [finding for finding in result["findings"] if finding["severity"] != "info"] == []


def test_second_run_changes_nothing(target):
    apply(target, app())
    result = apply(target, app())
    assert (result["changed"], result["actions"], result["calls"]) == (False, [], 1)


def test_check_mode_foretells_a_first_installation(target):
    foretold = apply(target, app(), check=True, _ansible_diff=True)
    assert accounts(target) == [""]
    done = apply(target, app(), _ansible_diff=True)
    assert [foretold[key] for key in ("changed", "actions", "diff")] == [
        done[key] for key in ("changed", "actions", "diff")
    ]


def test_first_installation_that_fails_leaves_nothing(target):
    result = apply(target, app(command=["/bin/false"], health={"stable": 1}))
    assert result["failed"]
    assert result["rolled_back"] is True
    assert accounts(target) == [""]
    assert target.sh("ls -d /opt/t-app /etc/systemd/system/t-app.service 2>/dev/null; true") == ""


def test_first_installation_that_fails_takes_its_empty_folders_along(target):
    sick = {"command": ["/bin/false"], "health": {"stable": 1}, "directories": [], "files": [], "group": ""}
    result = apply(target, app(**sick, state_directories=["t-app", "t-app/below"]))
    assert (result["rolled_back"], accounts(target)) == (True, [""])
    assert target.sh("ls -d /var/lib/t-app 2>/dev/null; true") == ""


def test_first_installation_that_fails_keeps_the_user_of_what_it_stored(target):
    """Else the next user would get its number, and the data."""
    writes = ["/bin/sh", "-c", "touch /var/lib/t-app/data; exit 1"]
    sick = {"command": writes, "health": {"stable": 1}, "directories": [], "files": [], "group": ""}
    result = apply(target, app(**sick, state_directories=["t-app"]))
    assert result["not_undone"] == ["user t-app stays: /var/lib/t-app is of it; remove that first"]
    assert target.sh("stat -c %U /var/lib/t-app") == "t-app"
    well = {**sick, "command": ["/bin/sleep", "infinity"]}
    assert not apply(target, app(**well, state_directories=["t-app"])).get("failed")


def test_existing_user_is_never_changed(target):
    target.sh("useradd --system --comment Ann --shell /bin/sh t-app")
    before = target.sh("getent passwd t-app; getent shadow t-app; getent group t-app")
    apply(target, app(group=""))
    result = apply(target, {**app(group=""), "state": "absent"})
    assert not result.get("failed"), result.get("msg", result)
    assert target.sh("getent passwd t-app; getent shadow t-app; getent group t-app") == before


def test_absent_leaves_nothing(target):
    apply(target, app(schedule="daily", secrets={"A": "x"}))
    result = apply(target, {**app(secrets={"A": "x"}), "state": "absent"})
    assert not result.get("failed"), result.get("msg", result)
    assert accounts(target) == [""]
    assert target.sh("ls -d /opt/t-app /etc/t-app* /etc/systemd/system/t-app* 2>/dev/null; true") == ""
    assert not apply(target, {**app(secrets={"A": "x"}), "state": "absent"})["changed"]


@pytest.mark.parametrize(
    "more", [{"state_directories": ["t-app"]}, {"directories": [{"path": "/t-data/x", "owner": "t-app"}]}]
)
def test_a_user_stays_as_long_as_its_data(target, more):
    folder = "/var/lib/t-app" if "state_directories" in more else "/t-data/x"
    service = app(group="", files=[], **{"directories": [], **more})
    apply(target, service)
    target.sh(f"install -o t-app /dev/null {folder}/data")
    for check in (True, False, False):
        result = apply(target, {**service, "state": "absent"}, check=check)
        assert not result.get("failed"), result.get("msg", result)
        assert any(f"user t-app stays: {folder} is of it" in warning for warning in result["warnings"])
        assert not any("user t-app" in action["reason"] for action in result["actions"])
    assert not result["changed"]
    assert target.sh(f"stat -c %U {folder}/data") == "t-app"
    target.sh(f"rm -r {folder}")
    result = apply(target, {**service, "state": "absent"})
    assert accounts(target) == [""], result["warnings"]


def test_a_user_of_several_units_goes_with_the_last_one(target):
    """Whichever of them made it, and whoever wrote the others."""
    service = {"command": ["/bin/sleep", "infinity"], "user": "t-app"}
    absent = {**service, "state": "absent"}

    def apply_two(service):
        return deploy(target, _services.apply({"t-two": service}, 257)["units"], set_name="t2", prune=True)

    apply(target, service)
    assert not apply_two(service).get("failed")
    target.write("/etc/systemd/system/t-foreign.service", "[Service]\nExecStart=/bin/true\nUser=t-app\n")
    for remove in (lambda: apply(target, absent), lambda: apply_two(absent)):
        result = remove()
        assert not result.get("failed"), result.get("msg", result)
        assert any("user t-app stays: /etc/systemd/system/t-" in warning for warning in result["warnings"])
        assert not remove()["changed"]
    target.sh("rm /etc/systemd/system/t-foreign.service")
    assert [action["reason"] for action in apply_two(absent)["actions"]] == [
        "user t-app was made for a service that goes"
    ]
    assert accounts(target) == [""]


def test_user_of_a_killed_run_is_removed_by_the_next(target):
    answer = _services.apply({"t-app": app(**NEVER_READY)})
    arguments = {"units": answer["units"], "_sent": {"accounts": [item.pop("_account") for item in answer["units"]]}}
    for item in arguments["units"]:
        item.pop("files")
    target.write("/run/t-arguments", json.dumps({**arguments, "_ansible_version": "2.21"}))
    target.sh(f"python3 {LIBRARY}/run_units.py < /run/t-arguments > /dev/null 2>&1 & echo $! > /run/t-pid")
    target.wait_for("systemctl is-active t-app | grep -q activating")
    target.sh("kill -9 $(cat /run/t-pid)")
    assert accounts(target)[0]
    result = target.units(
        [{"name": "t-other.service", "state": "present", "content": "[Service]\nExecStart=/bin/true\n"}]
    )
    assert "undone" in result["recovered"]
    assert accounts(target) == [""]


FORMS = [
    ({"secrets": {"KEY": "a", "WORD": "b"}}, ["f 600 /etc/t-app.secrets"]),
    (
        {"secrets": {"key": "a", "word": "b"}, "secrets_as": "credentials"},
        ["d 700 /etc/t-app.secrets", "f 600 /etc/t-app.secrets/key", "f 600 /etc/t-app.secrets/word"],
    ),
    (
        {"secrets": {"word": "b"}, "secrets_as": "credentials"},
        ["d 700 /etc/t-app.secrets", "f 600 /etc/t-app.secrets/word"],
    ),
    ({"secrets": {"WORD": "b"}}, ["f 600 /etc/t-app.secrets"]),
    ({}, [""]),
    (
        {"secrets": {"word": "b"}, "secrets_as": "credentials"},
        ["d 700 /etc/t-app.secrets", "f 600 /etc/t-app.secrets/word"],
    ),
    ({}, [""]),
]


def list_secrets(target):
    return target.sh("find /etc -path '/etc/t-app.secrets*' -printf '%y %m %p\\n' | sort").split("\n")


def test_secrets_change_their_form(target):
    for form, there in FORMS:
        result = apply(target, app(**form))
        assert not result.get("failed"), result.get("msg", result)
        assert list_secrets(target) == there
        assert not apply(target, app(**form))["changed"]


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 0), (1, 2), (1, 4), (0, 4)])
def test_old_secrets_come_back(target, before, after):
    apply(target, app(**FORMS[before][0]))
    there = target.sh("find /etc/t-app.secrets -type f -exec sha256sum {} +")
    result = apply(target, app(**FORMS[after][0], command=["/bin/false"], health={"stable": 1}))
    assert result["rolled_back"] is True
    assert "not_undone" not in result
    assert list_secrets(target) == FORMS[before][1]
    assert target.sh("find /etc/t-app.secrets -type f -exec sha256sum {} +") == there


# --- back ---


def apply_with_other(target, service):
    """The same in a set that goes on without the service."""
    other = {"name": "t-other.service", "content": "[Service]\nExecStart=/bin/true\n"}
    items = _services.apply({"t-app": service}, 257)["units"]
    result = deploy(target, [*items, other], set_name="t", prune=True)
    assert not result.get("failed"), result.get("msg", result)


def test_rollback_brings_back_a_user_with_its_files(target):
    apply_with_other(target, app())
    uid = target.sh("id -u t-app")
    apply_with_other(target, {**app(), "state": "absent"})
    assert accounts(target) == [""]
    target.sh(f"useradd --system --uid {uid} --user-group --no-create-home t-thief")
    result = target.module("rollback", set_name="t")
    try:
        assert not result.get("failed"), result.get("msg", result)
        assert target.sh("stat -c %U:%G /opt/t-app /opt/t-app/notes").split() == ["t-app:root", "t-app:t-readers"]
        assert target.sh("ps -o user= -C sleep | grep t-app") == "t-app"
    finally:
        target.sh("userdel t-thief", check=False)


def test_rollback_of_an_encrypted_secret(target, release):
    if release < 250:
        pytest.skip("systemd-creds came with 250")
    for secret in ("one", "two"):
        apply(target, sealed(secret))
        target.wait_for(f"grep -q {secret} /run/t-app/given")
    result = target.module("rollback", set_name="t")
    assert not result.get("failed"), result.get("msg", result)
    target.wait_for("grep -q one /run/t-app/given")


# --- releases ---


def test_release_of_a_service_comes_and_goes(target, tmp_path):
    (tmp_path / "serve").write_text("#!/bin/sh\nexec sleep infinity\n")
    (tmp_path / "serve").chmod(0o755)
    service = {"command": ["/opt/t-app/current/serve"], "release": {"src": str(tmp_path), "version": "1"}}
    result = apply(target, service)
    assert not result.get("failed"), result.get("msg", result)
    assert target.sh("readlink /opt/t-app/current; systemctl is-active t-app").split() == ["releases/1", "active"]
    foretold = apply(target, {**service, "state": "absent"}, check=True)
    result = apply(target, {**service, "state": "absent"})
    assert not result.get("failed"), result.get("msg", result)
    assert (foretold["actions"], result["archives"]) == (result["actions"], 0)
    assert target.sh("ls -d /opt/t-app 2>/dev/null; true") == ""
    assert not apply(target, {**service, "state": "absent"})["changed"]


def test_a_release_of_two_sets_goes_with_the_last_one(target, tmp_path):
    (tmp_path / "serve").write_text("#!/bin/sh\nexec sleep infinity\n")
    (tmp_path / "serve").chmod(0o755)
    release = {"src": str(tmp_path), "version": "1", "path": "/opt/t-app"}
    service = {"command": ["/opt/t-app/current/serve"], "release": release}

    def apply_two(**more):
        return deploy(target, _services.apply({"t-two": {**service, **more}}, 257)["units"], set_name="t2", prune=True)

    apply(target, service)
    assert not apply_two().get("failed")
    assert not apply(target, {**service, "state": "absent"}).get("failed")
    assert target.sh("systemctl restart t-two && readlink /opt/t-app/current").split() == ["releases/1"]
    assert not apply_two(state="absent").get("failed")
    assert target.sh("ls -d /opt/t-app 2>/dev/null; true") == ""


def test_release_stays_for_a_rollback_of_the_others(target, tmp_path):
    (tmp_path / "serve").write_text("#!/bin/sh\nexec sleep infinity\n")
    (tmp_path / "serve").chmod(0o755)
    service = {"command": ["/opt/t-app/current/serve"], "release": {"src": str(tmp_path), "version": "1"}}
    for state in ("started", "absent"):
        apply_with_other(target, {**service, "state": state})
    assert target.sh("ls /opt/t-app") == "releases"
    result = target.module("rollback", set_name="t")
    assert not result.get("failed"), result.get("msg", result)
    assert target.sh("readlink /opt/t-app/current; systemctl is-active t-app").split() == ["releases/1", "active"]


def test_versions_stay_while_a_service_may_run_from_them(target, tmp_path):
    (tmp_path / "serve").write_text("#!/bin/sh\nexec sleep infinity\n")
    (tmp_path / "serve").chmod(0o755)

    def versions_after(*numbers):
        for version in numbers:
            release = {"path": "/opt/t-app", "src": str(tmp_path), "version": version, "keep": 1}
            service = {"ExecStart": "/opt/t-app/current/serve", "WorkingDirectory": "/opt/t-app/current"}
            unit = {"name": "t-app.service", "state": "started", "on_change": "none", "release": release}
            result = deploy(target, [{**unit, "sections": {"Service": service}}], keep_generations=0)
            assert not result.get("failed"), result.get("msg", result)
        return target.sh("ls /opt/t-app/releases").split()

    assert versions_after("1", "2", "3", "4") == ["1", "2", "3", "4"]
    assert target.sh("readlink /proc/$(systemctl show --property=MainPID --value t-app)/cwd").endswith("/releases/1")
    target.sh("systemctl restart t-app")
    assert versions_after("5") == ["4", "5"]


# --- encrypted -------------------------------------------------------------------------------------------------------


def sealed(secret):
    return {
        "command": ["/bin/sh", "-c", SHOW],
        "user": "root",
        "hardening": "none",
        "secrets": {"token": secret},
        "secrets_as": "encrypted",
    }


def test_encrypted_secret_reaches_the_service_and_is_nowhere_else(target, release):
    if release < 250:
        pytest.skip("systemd-creds came with 250")
    result = apply(target, sealed("told-to-nobody"))
    assert not result.get("failed"), result.get("msg", result)
    target.wait_for("grep -q told-to-nobody /run/t-app/given")
    assert target.sh("grep -rl told-to-nobody /etc /var/lib /tmp /var/tmp 2>/dev/null; true") == ""
    assert "told-to-nobody" not in json.dumps(result)


def test_encrypted_secret_is_encrypted_once(target, release):
    if release < 250:
        pytest.skip("systemd-creds came with 250")
    apply(target, sealed("one"))
    before = target.sh("sha256sum /etc/t-app.secrets/token")
    result = apply(target, sealed("one"))
    assert (result["changed"], result["actions"], result["calls"]) == (False, [], 1)
    assert target.sh("sha256sum /etc/t-app.secrets/token") == before


def test_another_encrypted_secret_restarts_the_service(target, release):
    if release < 250:
        pytest.skip("systemd-creds came with 250")
    apply(target, sealed("one"))
    foretold = apply(target, sealed("two"), check=True)
    done = apply(target, sealed("two"))
    assert [action["action"] for action in done["actions"]] == ["write", "restart"]
    assert foretold["actions"] == done["actions"]
    target.wait_for("grep -q two /run/t-app/given")


def test_plain_credentials_become_encrypted(target, release):
    if release < 250:
        pytest.skip("systemd-creds came with 250")
    apply(target, {**sealed("told-to-nobody"), "secrets_as": "credentials"})
    result = apply(target, sealed("told-to-nobody"))
    assert not result.get("failed"), result.get("msg", result)
    assert target.sh("grep -l told-to-nobody /etc/t-app.secrets/token; true") == ""


def test_secrets_of_the_environment_become_encrypted(target, release):
    if release < 250:
        pytest.skip("systemd-creds came with 250")
    apply(target, {**sealed("one"), "secrets_as": "environment"})
    before = list_secrets(target)
    sick = apply(target, {**sealed("one"), "command": ["/bin/false"], "health": {"stable": 1}})
    assert sick["rolled_back"] is True
    assert list_secrets(target) == before
    foretold = apply(target, sealed("one"), check=True)
    result = apply(target, sealed("one"))
    assert not result.get("failed"), result.get("msg", result)
    assert foretold["actions"] == result["actions"]
    assert list_secrets(target) == ["d 700 /etc/t-app.secrets", "f 600 /etc/t-app.secrets/token"]
    target.wait_for("grep -q one /run/t-app/given")
    assert not apply(target, sealed("one"))["changed"]


def test_what_another_host_has_encrypted_is_encrypted_again(target, release):
    if release < 250:
        pytest.skip("systemd-creds came with 250")
    apply(target, sealed("one"))
    target.sh("mv /var/lib/systemd/credential.secret /var/lib/systemd/credential.old 2>/dev/null; true")
    result = apply(target, sealed("one"))
    assert result["changed"], result
    target.wait_for("systemctl is-active --quiet t-app")


def test_release_without_systemd_creds_is_told(target, release):
    if release >= 250:
        pytest.skip("systemd-creds is there")
    result = apply(target, sealed("one"))
    assert "systemd-creds is not installed" in result["msg"]
    assert list_secrets(target) == [""]


def workers(target_name="t-one.target", instances=("1", "2")):
    unit = {"Description": "x"}
    return [
        {
            "name": "t-w@.service",
            "sections": {
                "Unit": {"PartOf": target_name},
                "Service": {"ExecStart": "/bin/sleep infinity"},
                "Install": {"WantedBy": target_name},
            },
            "instances": list(instances),
            "state": "started",
            "enabled": True,
        },
        {
            "name": target_name,
            "sections": {"Unit": unit, "Install": {"WantedBy": "multi-user.target"}},
            "state": "started",
            "enabled": True,
        },
    ]


@pytest.mark.parametrize(
    "by_hand", ["stop t-w@1", "disable t-w@1", "disable --now t-w@1", "kill -s KILL t-w@1", "stop t-one.target"]
)
def test_what_was_done_to_an_instance_by_hand_is_undone(target, by_hand):
    options = {"set_name": "t", "prune": True, "rolling": {"max_parallel": 1}}
    assert not target.units(workers(), **options).get("failed")
    target.sh(f"systemctl {by_hand}; sleep 1")
    foretold = target.units(workers(), check=True, **options)
    result = target.units(workers(), **options)
    assert result["changed"]
    assert foretold["actions"] == result["actions"]
    assert target.sh("systemctl is-active t-w@1 t-w@2 t-one.target; systemctl is-enabled t-w@1").split() == [
        "active"
    ] * 3 + ["enabled"]


@pytest.mark.parametrize("keep_up", [False, True])
def test_linked_services_where_a_condition_is_not_met(target, release, keep_up):
    sleepers = [
        {"name": name, "content": "[Service]\nExecStart=/bin/sleep infinity\n"} for name in ("t-main", "t-follower")
    ]
    target.units(sleepers)
    item = {
        "main": "t-main",
        "followers": ["t-follower"],
        "conditions": {"ConditionPathExists": "/run/t-wanted"},
        "keep_up": keep_up,
    }
    links = _linked.read([item], release)
    wanted = {"units": _linked.units(links, "t", "started", {}), "ignore": links.ignore}
    for _again in range(2):
        result = target.units(wanted["units"], set_name="linked-t", prune=True, ignore=wanted["ignore"])
        assert not result.get("failed"), result["msg"]
    assert target.sh("systemctl is-active t-main t-follower", check=False).split() == ["inactive"] * 2
    target.sh("touch /run/t-wanted")
    result = target.units(wanted["units"], set_name="linked-t", prune=True, ignore=wanted["ignore"])
    assert not result.get("failed"), result["msg"]
    assert target.sh("systemctl is-active t-main t-follower", check=False).split() == ["active"] * 2

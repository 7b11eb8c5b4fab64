# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs get exactly what role service was told to give them, as seen by the programs themselves."""

from __future__ import annotations

import json

import pytest


def given(host, path):
    """What the program at the other end wrote down (shared/app.py)."""
    return json.loads(host.file(path).content_string)


def test_check_mode_predicted_what_was_done(actions):
    predicted, done = actions("app")
    own = [step["action"] for step in done if step["unit"] == "app.service" and step["action"] != "write"]
    assert own == ["enable", "start"]
    assert {
        "user app does not exist",
        "/opt/app/lib/app.py: it does not exist",
        "/etc/app.conf: it does not exist",
        "/etc/app.secrets: it does not exist",
        "the file does not exist",
    } <= {step["reason"] for step in done}
    assert predicted == done


def test_arguments_arrive_as_they_are(host):
    assert given(host, "/var/lib/app/given.json")["arguments"] == ["100%", "$HOME and ${HOME}", 'a "b" \\c', ""]


def test_environment_and_secrets_arrive_as_they_are(host):
    environment = given(host, "/var/lib/app/given.json")["environment"]
    assert environment["PLAIN"] == "some words"
    assert environment["ODD"] == '100% of "$HOME" \\ is odd'
    assert environment["API_KEY"] == 'k$y with "quotes", `ticks`, a \\ and 5%'
    assert environment["LINES"] == "one\ntwo"


def test_secrets_are_for_root_only(host):
    secrets = host.file("/etc/app.secrets")
    assert (secrets.user, secrets.group, secrets.mode) == ("root", "root", 0o600)
    folder = host.file("/etc/vault-keys")
    assert (folder.user, folder.mode) == ("root", 0o700)
    assert host.file("/etc/vault-keys/token").mode == 0o600
    assert not host.file("/etc/vault.secrets").exists


@pytest.mark.parametrize("told", ["systemctl cat app", "systemctl show app", "journalctl --no-pager"])
def test_secrets_are_nowhere_else(host, told):
    assert "`ticks`" not in host.check_output(told)


def test_supplementary_groups(host):
    wanted = {host.group("adm").gid, host.group("games").gid}
    assert wanted <= set(given(host, "/var/lib/app/given.json")["groups"])


def test_capabilities(host):
    properties = host.service("app").systemd_properties
    assert (properties["CapabilityBoundingSet"], properties["AmbientCapabilities"]) == ("cap_net_bind_service",) * 2


def test_relations_to_other_units(host):
    properties = host.service("app").systemd_properties
    assert "local-fs.target" in properties["Requires"].split()
    assert {"network.target", "local-fs.target"} <= set(properties["After"].split())
    assert "network.target" in properties["Wants"].split()
    assert (
        host.check_output("find /etc/systemd/system -path '*.wants/app.service'")
        == "/etc/systemd/system/graphical.target.wants/app.service"
    )


def test_start_limit(host):
    properties = host.service("app").systemd_properties
    assert (properties["StartLimitIntervalUSec"], properties["StartLimitBurst"]) == ("5s", "7")
    assert host.service("vault").systemd_properties["StartLimitIntervalUSec"] == "0"


def test_user_and_group_are_those_asked_for(host):
    user = host.user("app")
    assert (user.group, user.shell, user.home) == ("app-readers", "/usr/sbin/nologin", "/nonexistent")
    assert given(host, "/var/lib/app/given.json")["identity"] == [user.uid, host.group("app-readers").gid]
    assert given(host, "/var/lib/tick/given.json")["identity"][0] == host.user("games").uid


@pytest.mark.parametrize("path", ["/var/lib/app", "/var/cache/app", "/var/log/app", "/run/app"])
def test_data_directories_belong_to_the_user(host, path):
    folder = host.file(path)
    assert folder.is_directory
    assert (folder.user, folder.group) == ("app", "app-readers")


def test_files_have_their_owner_mode_and_content(host, release):
    config = host.file("/etc/app.conf")
    assert (config.user, config.group, config.mode) == ("root", "app-readers", 0o640)
    assert config.content_string == f"release = {release}\n"
    assert host.file("/opt/app/lib/app.py").mode == 0o644


def test_sections_win_over_the_profile(host):
    properties = host.service("app").systemd_properties
    assert properties["KeyringMode"] == "private"
    assert "KeyringMode" not in host.check_output("systemctl cat app")
    assert properties["Nice"] == "5"
    assert properties["ProtectSystem"] == "strict"


def test_working_directory(host):
    assert given(host, "/var/lib/app/given.json")["directory"] == "/opt/app"


def test_credentials_reach_a_dynamic_user(host):
    vault = given(host, "/var/lib/vault/given.json")
    assert vault["credentials"] == {"token": 'T$ "0" %n', "lines": "one\ntwo\n"}
    assert vault["identity"][0] >= 61184  # the range of systemd's dynamic users
    assert not host.user("vault").exists or host.service("vault").is_running


def test_timer_runs_its_job(host, wait_for):
    assert host.service("tick.timer").is_enabled
    assert host.run("systemctl is-enabled tick.service").stdout.strip() == "static"
    wait_for(lambda: host.file("/var/lib/tick/given.json").exists)
    assert given(host, "/var/lib/tick/given.json")["arguments"] == ["--once"]
    assert host.service("tick").systemd_properties["Type"] == "oneshot"


def test_calendar_timer_waits_for_its_hour(host):
    assert host.service("nightly.timer").is_running
    assert not host.service("nightly.timer").is_enabled
    assert "03:00:00" in host.service("nightly.timer").systemd_properties["NextElapseUSecRealtime"]
    assert host.service("nightly.timer").systemd_properties["Persistent"] == "yes"
    assert host.service("nightly").systemd_properties["ExecMainStartTimestampMonotonic"] == "0"


@pytest.mark.parametrize("name", ["ann", "bob"])
def test_instances_know_their_name(host, name):
    instance = host.service(f"crew@{name}")
    assert instance.is_running
    assert instance.is_enabled
    assert given(host, f"/var/lib/crew-{name}/given.json")["arguments"] == [name, "100%"]


def test_secret_that_the_host_encrypts_reaches_the_service(host):
    assert given(host, "/var/lib/sealed/given.json")["credentials"] == {"token": "sealed-from-all"}


def test_secret_that_the_host_encrypts_does_not_stand_on_it(host, release):
    if release < 250:
        pytest.skip("systemd encrypts credentials from 250 on")
    assert "sealed-from-all" not in host.file("/etc/sealed.secrets/token").content_string

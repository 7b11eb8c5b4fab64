# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linked services start and stop together, whatever happened to them in story.yml; those of the article do not."""

from __future__ import annotations

import json

import pytest

UP, DOWN = "active", "inactive"


@pytest.fixture(scope="module")
def story(host):
    """What files/story.py has seen on the host."""
    return json.loads(host.file("/root/story.json").content_string)


def test_the_proxy_passes_on_to_the_web_server(story):
    assert story["at_first"] == {"state": [UP, UP], "web": 200}


def test_the_distributions_units_are_untouched(host):
    for package, unit in (("haproxy", "haproxy"), ("apache2", "apache2")):
        assert host.run("dpkg --verify %s", package).stdout.count(".service") == 0
        assert not host.file(f"/etc/systemd/system/{unit}.service").exists
        assert host.file(f"/etc/systemd/system/{unit}.service.d/50-linked.conf").is_file


def test_stop_of_main_stops_the_follower(story):
    assert story["stop"]["state"] == [DOWN, DOWN]


def test_start_of_main_starts_the_follower(story):
    assert story["main_killed_for_good"]["started_again"] == [UP, UP]


def test_restart_of_main_restarts_both(story):
    assert story["restart"] == {"state": [UP, UP], "follower_is_another": True}


def test_main_killed_for_good_stops_the_follower(story):
    assert story["main_killed_for_good"]["killed"] == [DOWN, DOWN]


def test_main_killed_and_restarted_by_itself_leaves_both_running(story):
    assert story["main_killed"] == {"state": [UP, UP], "is_another": [True, True], "web": 200}


def test_follower_killed_leaves_main_alone_and_comes_back(story):
    assert story["follower_killed"] == {"state": [UP, UP], "is_another": [False, True], "web": 200}


def test_follower_can_be_restarted_and_stopped_alone(story):
    assert story["follower_restarted"] == {"state": [UP, UP], "main_is_the_same": True}
    assert story["follower_stopped"] == {"state": [UP, DOWN], "main_is_the_same": True}


def test_start_of_the_follower_starts_main(story):
    assert story["follower_started"] == [UP, UP]


def test_reboot_starts_both_in_order(host, story):
    rebooted = story["rebooted"]
    assert (rebooted["state"], rebooted["web"]) == ([UP, UP], 200)
    main, follower = rebooted["times"]
    assert 0 < main["ActiveEnter"] <= follower["InactiveExit"]
    # The follower starts because main does, not by itself.
    assert host.run("systemctl is-enabled haproxy apache2").stdout.split() == ["enabled", "disabled"]


def test_restart_in_the_articles_way_leaves_the_web_server_down(story):
    assert story["article"] == {"started": [UP, UP], "restarted": [UP, DOWN]}


def test_chain(story):
    small = story["small"]
    assert small["all"] == [UP] * 6
    assert small["c_killed"] == [UP, UP, DOWN]
    assert small["a_started"] == [UP] * 4


def test_keep_up(host, release, story):
    assert story["small"]["d_killed"] == [UP]


def test_stop_by_command_only(story):
    """Service d goes on when a is killed and stops when a is stopped; b and c stop in both cases."""
    assert story["small"]["a_killed"] == [DOWN, DOWN, DOWN, UP, True]
    assert story["small"]["a_stopped"] == [DOWN] * 4


def test_main_stops_with_its_follower(story):
    assert story["small"]["f_killed"] == [DOWN, DOWN]


def test_exclusion_works_both_ways(story):
    assert story["small"]["g_started"] == [DOWN, DOWN, UP]
    assert story["small"]["e_started"] == [UP, UP, DOWN]


def test_condition(story):
    assert story["small"]["e_refused"] == [DOWN, DOWN]


def test_absent_takes_the_links_back_and_no_others(host):
    assert not host.check_output("find /etc/systemd/system -name '50-small.conf'")
    assert host.check_output("find /etc/systemd/system -name '50-linked.conf'")
    assert host.file("/etc/systemd/system/small-a.service").exists

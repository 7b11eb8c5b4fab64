# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No job is lost, whatever happened to the workers in story.yml."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def story(host):
    """What files/story.py has seen on the host."""
    return json.loads(host.file("/root/story.json").content_string)


def instances(number):
    return [f"worker@{index}.service" for index in range(1, number + 1)]


def jobs(times_done):
    return sum(times_done.values())


def test_jobs_of_killed_workers_are_done_all_the_same(story):
    killed = story["killed"]
    assert "0" not in killed["times_done"]
    assert jobs(killed["times_done"]) == 240
    assert (killed["counts"]["dead"], killed["counts"]["jobs"]) == (0, 0)


def test_stopping_lets_the_job_in_hand_end_and_begins_no_other(story):
    stopped = story["stopped"]
    assert stopped["still_at_work"] == 1
    assert stopped["times_done"] == {"1": 1}
    assert stopped["running"] == []
    assert stopped["ready"] == 1


def test_starting_the_target_starts_the_workers(story):
    assert set(story["stopped"]["running_again"]) <= set(instances(4))
    assert story["stopped"]["running_again"]


def test_a_job_that_fails_is_set_aside_with_what_went_wrong(story):
    assert story["failed"]["id"] == "bad"
    assert "as asked" in story["failed"]["error"]


def test_the_timer_puts_its_job_in(host, story):
    assert story["periodic"] == "x"
    assert host.service("worker-tidy.timer").is_enabled
    assert "03:00:00" in host.service("worker-tidy.timer").systemd_properties["NextElapseUSecRealtime"]


def test_fewer_workers_and_then_more_lose_nothing(story):
    assert story["fewer"]["running"] == instances(1)
    assert story["more"]["running"] == instances(8)
    assert "0" not in story["more"]["times_done"]
    assert jobs(story["more"]["times_done"]) == 240


def test_jobs_and_workers_outlive_a_reboot(story):
    assert story["rebooted"]["running"] == instances(8)
    assert story["rebooted"]["times_done"] == {"1": 20}
    assert story["rebooted"]["counts"]["jobs"] == 0


def test_the_password_of_redis_is_for_root_only(host):
    url = host.file("/etc/unitcraft-worker/worker/redis-url")
    assert (url.user, url.group, url.mode) == ("root", "root", 0o600)
    password = url.content_string.split(":")[2].partition("@")[0]
    assert len(password) == 40
    assert password not in host.check_output("systemctl show worker@1 redis-server@worker")
    assert host.run("runuser -u nobody -- redis-cli -p 6390 ping").stdout.startswith("NOAUTH")


def test_workers_are_hardened(host, release):
    if release < 252:
        pytest.skip("247 has no --threshold=")
    host.check_output("systemd-analyze security --no-pager --threshold=30 worker@1.service")


def test_workers_have_a_user_of_their_own(host, release):
    identity = host.check_output("ps -o user= -p $(systemctl show --property=MainPID --value worker@1)")
    # Without nss-systemd a user of systemd's making has no name.
    assert identity.strip() == "worker" or (release < 257 and int(identity) >= 61184)

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No job is lost, whatever happened to the workers in story.yml."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def story(host):
    """What worker_story.py has seen on the host."""
    return json.loads(host.file("/root/story.json").content_string)


def instances(number):
    return [f"worker@{index}.service" for index in range(1, number + 1)]


def test_stopping_lets_the_job_in_hand_end_and_begins_no_other(story):
    stopped = story["stopped"]
    assert (stopped["times_done"], stopped["left"]) == ({"1": 1}, 1)


def test_starting_the_target_starts_the_workers(story):
    assert story["stopped"]["after"] == {"1": 1}
    assert story["stopped"]["running"] == instances(4)


def test_a_job_that_fails_is_set_aside_and_the_others_go_on(story):
    assert story["failed"] == {"failed": 1, "bad": {"0": 1}, "good": {"1": 5}}


def test_a_worker_restarts_on_a_host_that_was_renamed(story):
    assert story["renamed"] == "running"


def test_the_job_of_a_killed_worker_is_done_all_the_same(story, release):
    if release == 247:
        pytest.skip("its RQ has nothing for the job of a killed worker")
    assert story["killed"]["times_done"] == {"1": 1}


def test_a_killed_redis_has_lost_no_job(story, release):
    if release == 247:
        pytest.skip("its Redis is not that of the role")
    assert (story["killed"]["kept"], story["killed"]["kept_done"]) == (50, {"1": 50})


def test_the_timer_adds_its_job(host, story, release):
    if release == 247:
        pytest.skip("the role adds no job of a software that it does not know")
    assert story["periodic"] == "x"
    assert host.service("worker-tidy.timer").is_enabled
    assert "03:00:00" in host.service("worker-tidy.timer").systemd_properties["NextElapseUSecRealtime"]


def test_fewer_workers_and_then_more_lose_nothing(story):
    assert story["fewer"] == instances(1)
    assert story["more"] == {"running": instances(8), "times_done": {"1": 100}}


def test_the_status_counts_what_waits(host, release):
    if release == 247:
        pytest.skip("the role cannot count jobs of a software that it does not know")
    status = json.loads(host.file("/root/status.json").content_string)
    assert [queue["waiting"] for name, queue in status["queues"].items() if name != "failed"] == [20]


def test_jobs_and_workers_outlive_a_reboot(story):
    assert story["rebooted"]["running"] == instances(8)
    assert story["rebooted"]["times_done"] == {"1": 20}


def test_the_password_of_redis_is_for_root_only(host, release):
    if release == 247:
        pytest.skip("its Redis is not that of the role")
    secrets = host.file("/etc/worker.secrets")
    assert (secrets.user, secrets.mode) == ("root", 0o600)
    password = secrets.content_string.split("redis://worker:")[1].partition("@")[0]
    assert len(password) == 40
    assert password not in host.check_output("systemctl show worker@1 worker-redis")
    assert host.run("runuser -u nobody -- redis-cli -p 6390 ping").stdout.startswith("NOAUTH")
    assert "NOPERM" in host.run(f"redis-cli -p 6390 --user worker --pass {password} FLUSHALL").stdout


def test_workers_are_hardened(host, release):
    if release < 252:
        pytest.skip("247 has no --threshold=")
    host.check_output("systemd-analyze security --no-pager --threshold=30 worker@1.service")


def test_workers_have_a_user_of_their_own(host, release):
    identity = host.check_output("ps -o user= -p $(systemctl show --property=MainPID --value worker@1)")
    # Without nss-systemd a user of systemd's making has no name.
    assert identity.strip() == "worker" or (release != 257 and int(identity) >= 61184)

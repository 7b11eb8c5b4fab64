# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Committed states stay on the host, and ``rollback`` goes back to them and forward again."""

from __future__ import annotations

import json

import pytest
from live.deploying import ASK, LIST, deploy, echo

SET = {"set_name": "t-shop", "prune": True}


@pytest.fixture(autouse=True)
def clean_files(target):
    yield
    target.sh("systemctl stop 't-*' 2>/dev/null; rm -rf /etc/t-* /var/lib/t-* /run/t-*", check=False)


def version(number):
    """Each version has a unit, a link, a folder and a file that the others have not."""
    own = {"own": {"path": f"/opt/t-echo/only{number}/file", "content": str(number), "mode": f"06{number % 8}0"}}
    timer = {
        "name": f"t-only{number}.timer",
        "sections": {
            "Timer": {"OnCalendar": "yearly", "Unit": "t-echo.service"},
            "Install": {"WantedBy": "timers.target"},
        },
        "state": "started",
        "enabled": number % 2 == 1,
    }
    return [echo(str(number), files=own), timer]


def state(target):
    units = target.sh("systemctl list-units --all --plain --no-legend 't-*' | sed 's/  */ /g' | cut -d' ' -f1,3,4")
    links = target.sh("cd /etc/systemd/system; find . -name 't-*' -type l | sort")
    return target.sh(LIST), units, links, target.sh(ASK)


def rolled_back(target, **options):
    """What a rollback of the set said, after check mode said the same, and the state that it led to."""
    foretold = target.module("rollback", True, set_name="t-shop", **options)
    result = target.module("rollback", set_name="t-shop", **options)
    assert not result.get("failed"), result.get("msg", result)
    assert [foretold[key] for key in ("actions", "diff")] == [result[key] for key in ("actions", "diff")]
    return result["generation"], state(target)


@pytest.fixture
def states(target):
    """``{version: state}`` of the six that were deployed one after the other."""

    def deployed(number):
        result = deploy(target, version(number), **SET)
        assert not result.get("failed"), result.get("msg", result)
        return state(target)

    return {number: deployed(number) for number in range(1, 7)}


def test_five_generations_are_kept(target, states):
    told = target.module("unit_info", name=["t-echo.service"], what=["generations"])["generations"]["t-shop"]
    assert [(generation["number"], generation["current"]) for generation in told] == [
        (2, False),
        (3, False),
        (4, False),
        (5, False),
        (6, True),
    ]
    assert told[-1]["by"] == "root"
    assert "t-echo.service" in told[-1]["units"]


def test_back_to_the_oldest_and_forward_again(target, states):
    wanted = [({"from": number + 1, "to": number}, states[number]) for number in (5, 4, 3, 2)]
    assert [rolled_back(target) for _step in wanted] == wanted
    assert "no earlier generation" in target.module("rollback", set_name="t-shop")["msg"]
    numbers = (6, 3, 5)
    assert [rolled_back(target, to=str(number))[1] for number in numbers] == [states[number] for number in numbers]
    again = target.module("rollback", set_name="t-shop", to="5")
    assert (again["changed"], again["actions"]) == (False, [])


def test_no_diff_shows_a_secret_that_goes(target):
    deploy(target, [echo("1")])
    gone = echo("1", files={"secret": {"path": "/etc/t-echo/secret", "content": "SECRET=public"}})
    del gone["files"][2]["secret"]
    results = [deploy(target, [gone], _ansible_diff=True)]
    results.append(target.module("rollback", set_name="t-echo.service", _ansible_diff=True))
    without = {"name": "t-echo.service", "files": [{"path": "/etc/t-echo/secret", "state": "absent"}]}
    results.append(deploy(target, [without], check=True, _ansible_diff=True))
    assert [result["changed"] for result in results] == [True, True, True]
    assert "secret1" not in json.dumps(results)


def test_instances_come_and_go_with_their_generation(target):
    listed = {1: ["1"], 2: ["1", "2"], 3: ["2"], 4: ["1", "2"], 5: []}
    for instances in listed.values():
        sections = {"Service": {"ExecStart": "/bin/sleep 1000%i"}, "Install": {"WantedBy": "multi-user.target"}}
        unit = {"name": "t-w@.service", "sections": sections, "instances": instances}
        run_state = {"state": "started", "enabled": True} if instances else {}
        result = deploy(target, [{**unit, **run_state}], **SET)
        assert not result.get("failed"), result.get("msg", result)
    for number in (1, 2, 3, 4, 5):
        result = target.module("rollback", set_name="t-shop", to=str(number))
        assert not result.get("failed"), result.get("msg", result)
        running = target.sh("systemctl list-units --plain --no-legend 't-w@*' | cut -d' ' -f1").split()
        assert running == [f"t-w@{instance}.service" for instance in listed[number]]
        links = target.sh("ls /etc/systemd/system/multi-user.target.wants | grep t-w@", check=False).split()
        assert links == running


def test_an_unchanged_run_keeps_no_generation(target):
    for _run in range(2):
        deploy(target, [echo("1")], **SET)
    assert target.sh("ls /var/lib/unitcraft/generations/t-shop") == "1.json\ncurrent"


def test_a_sick_version_is_no_generation(target):
    deploy(target, [echo("1")])
    assert deploy(target, [echo("2", "sys.exit(1)")])["rolled_back"]
    assert target.sh("ls /var/lib/unitcraft/generations/t-echo.service") == "1.json\ncurrent"


def test_back_from_a_version_that_crash_loops(target):
    deploy(target, [echo("1")])
    good = state(target)
    sick = echo("2", "sys.exit(1)", health=None)
    sick["sections"]["Service"].update(Type="simple", Restart="always", RestartSec="100ms")
    sick["sections"]["Unit"]["StartLimitIntervalSec"] = 0
    deploy(target, [sick], rollback=False)
    deploy(target, [{**sick, "state": "present"}], rollback=False)
    result = target.module("rollback", set_name="t-echo.service", to="1")
    assert not result.get("failed"), result.get("msg", result)
    assert state(target) == good


def test_a_generation_that_is_not_healthy_leaves_the_present_one(target):
    for number in "12":
        deploy(target, [echo(number)])
    before = state(target)
    health = {"timeout": 3, "probes": [{"command": ["false"]}]}
    result = target.module("rollback", set_name="t-echo.service", health=health)
    assert result["failed"]
    assert result["rolled_back"], result
    assert state(target) == before
    told = target.module("unit_info", name=["t-echo.service"], what=["generations"])["generations"]
    assert [generation["current"] for generation in told["t-echo.service"]] == [False, True]


def test_secrets_of_generations_are_for_root_alone(target):
    deploy(target, [echo("1")])
    modes = target.sh("find /var/lib/unitcraft -printf '%m %u\\n' | sort -u").split("\n")
    assert modes == ["600 root", "700 root"]
    assert "secret1" not in target.sh("cat /var/lib/unitcraft/generations/*/*")


def test_contents_of_generations_that_went_are_gone(target):
    for number in range(1, 4):
        deploy(target, [echo(str(number))], keep_generations=1)
    assert target.sh("ls /var/lib/unitcraft/generations/t-echo.service") == "3.json\ncurrent"
    assert len(target.sh("ls /var/lib/unitcraft/contents").split("\n")) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"set_name": "t-none"}, "to: set t-none has no earlier generation on this host; kept: none"),
        ({"set_name": "t-echo.service", "to": "7"}, "to: set t-echo.service has no generation 7 on this host; kept: 1"),
        ({"set_name": "t-echo.service", "to": "last"}, "to: 'last' is neither 'previous' nor the number"),
        ({"set_name": "../../../etc"}, "has no earlier generation on this host"),
    ],
)
def test_bad_input(target, options, words):
    deploy(target, [echo("1")])
    result = target.module("rollback", **options)
    assert result["failed"]
    assert words in result["msg"]


def test_a_content_that_is_gone_is_named(target):
    for number in "12":
        deploy(target, [echo(number)])
    target.sh("rm /var/lib/unitcraft/contents/*")
    result = target.module("rollback", set_name="t-echo.service")
    assert result["failed"]
    assert "is gone from /var/lib/unitcraft/contents" in result["msg"]


# What goes, goes for good


OURS = "find /var/lib/unitcraft -type f | sort"


def test_a_set_that_goes_takes_its_secrets_along(target):
    for number in (1, 2):
        deploy(target, version(number), **SET)
    foretold = deploy(target, [], check=True, _ansible_diff=True, **SET)
    result = deploy(target, [], _ansible_diff=True, **SET)
    assert not result.get("failed"), result.get("msg", result)
    assert (foretold["actions"], foretold["diff"]) == (result["actions"], result["diff"])
    assert "secret2" not in json.dumps(result)
    assert target.sh(OURS).split() == ["/var/lib/unitcraft/deployed.json", "/var/lib/unitcraft/lock"]
    assert target.sh("ls /etc/t-echo/secret 2>/dev/null; true") == ""


def test_a_unit_that_goes_takes_its_generations_along(target):
    deploy(target, [echo("1")])
    result = target.unit("t-echo", state="absent")
    assert not result.get("failed"), result.get("msg", result)
    assert target.sh(OURS).split() == ["/var/lib/unitcraft/deployed.json", "/var/lib/unitcraft/lock"]


def test_the_rest_of_a_set_can_still_go_back(target):
    deploy(target, version(1), **SET)
    before = state(target)
    result = deploy(target, [version(1)[1]], **SET)
    assert not result.get("failed"), result.get("msg", result)
    result = target.module("rollback", set_name="t-shop")
    assert not result.get("failed"), result.get("msg", result)
    assert state(target) == before


@pytest.mark.parametrize("prune", [True, False], ids=["whole", "part"])
def test_what_another_task_removed_is_in_no_later_generation(target, prune):
    deploy(target, version(1), **SET)
    target.unit("t-only1.timer", state="absent")
    for number in ("2", "3"):
        deploy(target, [echo(number)], set_name="t-shop", prune=prune)
    _numbers, (_files, units, *_rest) = rolled_back(target)
    assert "t-only1.timer" not in units


@pytest.mark.parametrize("version", ["1", "2"], ids=["unchanged", "changed"])
def test_no_generations_are_kept_any_more(target, version):
    deploy(target, [echo("1")])
    result = deploy(target, [echo(version)], keep_generations=0)
    assert result["changed"] == (version == "2")
    assert target.sh(OURS).split() == ["/var/lib/unitcraft/deployed.json", "/var/lib/unitcraft/lock"]


@pytest.mark.parametrize("name", [".", ".."])
def test_a_set_named_as_a_folder_above_has_a_folder_of_its_own(target, name):
    deploy(target, [echo("1")], set_name=name)
    deploy(target, [echo("2")], set_name=name)
    result = target.module("rollback", set_name=name)
    assert not result.get("failed"), result.get("msg", result)
    assert target.sh(ASK) == "1 configuration 1 secret1"
    deploy(target, [echo("3")], set_name=name, keep_generations=0)
    assert target.sh(OURS).split() == ["/var/lib/unitcraft/deployed.json", "/var/lib/unitcraft/lock"]


def test_a_file_that_another_set_has_too_stays(target):
    shared = {"shared": {"path": "/etc/t-echo/shared", "content": "of both"}}
    timer = {"name": "t-other.timer", "sections": {"Timer": {"OnCalendar": "yearly", "Unit": "t-echo.service"}}}
    deploy(target, [{**timer, "files": [shared["shared"]]}], set_name="t-other")
    for files in ({}, shared):
        deploy(target, [echo("1", files=files)], **SET)
    rolled_back(target)
    for files in (shared, {}):
        result = deploy(target, [echo("1", files=files)], **SET)
        assert not result.get("failed"), result.get("msg", result)
    assert target.sh("cat /etc/t-echo/shared") == "of both"
    deploy(target, [timer], set_name="t-other", prune=True)
    assert target.sh("ls /etc/t-echo") == "conf\nsecret"


LOOK = "cd /etc/t-echo; stat -c '%n %F %a %U %G' taken dir link; cat taken; readlink link"


def test_what_somebody_else_had_put_there_comes_back(target):
    """A later generation took it over; the way back gives it back."""
    deploy(target, [echo("1")], **SET)
    target.sh(
        "cd /etc/t-echo; echo theirs > taken; chmod 604 taken; chown daemon:mail taken; mkdir -m 700 dir; ln -s x link"
    )
    before = target.sh(LOOK)
    taken = {
        "taken": {"path": "/etc/t-echo/taken", "content": "ours", "mode": "0640", "owner": "root", "group": "root"},
        "dir": {"path": "/etc/t-echo/dir", "directory": True, "mode": "0755"},
        "link": {"path": "/etc/t-echo/link", "link": "y"},
        "new": {"path": "/etc/t-echo/new", "content": "ours"},
    }
    deploy(target, [echo("1", files=taken)], **SET)
    deploy(target, [echo("2", files=taken)], **SET)
    assert target.sh("cat /etc/t-echo/taken; readlink /etc/t-echo/link") == "oursy"
    rolled_back(target)
    assert target.sh("cat /etc/t-echo/taken") == "ours"
    rolled_back(target, to="1")
    assert target.sh(LOOK) == before
    assert target.sh("test -e /etc/t-echo/new || echo gone") == "gone"
    rolled_back(target, to="3")
    assert target.sh("cat /etc/t-echo/taken") == "ours"
    rolled_back(target, to="1")
    assert target.sh(LOOK) == before


def test_what_a_set_had_already_is_not_taken_over(target):
    """A file that moves from one unit of the set to another one goes with the set."""
    shared = {"shared": {"path": "/etc/t-echo/shared", "content": "x"}}
    timer = {"name": "t-other.timer", "sections": {"Timer": {"OnCalendar": "yearly", "Unit": "t-echo.service"}}}
    deploy(target, [echo("1")], **SET)
    deploy(target, [echo("1", files=shared)], **SET)
    deploy(target, [echo("1"), {**timer, "files": [shared["shared"]]}], **SET)
    rolled_back(target, to="1")
    assert target.sh("ls /etc/t-echo") == "conf\nsecret"


def test_previous_is_what_the_present_one_followed(target):
    """Version 2 was taken back; after version 3, too, the one before is version 1."""
    for number in ("1", "2"):
        deploy(target, [echo(number)], **SET)
    assert rolled_back(target)[0] == {"from": 2, "to": 1}
    deploy(target, [echo("3")], **SET)
    generation, _state = rolled_back(target)
    assert generation == {"from": 3, "to": 1}
    assert target.sh(ASK) == "1 configuration 1 secret1"
    told = target.module("unit_info", name=["t-echo.service"], what=["generations"])["generations"]["t-shop"]
    assert [(each["number"], each["follows"]) for each in told] == [(1, 0), (2, 1), (3, 1)]


def test_what_the_present_one_followed_is_kept(target):
    for number in ("1", "2", "3"):
        deploy(target, [echo(number)], keep_generations=3, **SET)
    rolled_back(target, to="1")
    for number in ("4", "5"):
        deploy(target, [echo(number)], keep_generations=2, **SET)
        assert target.sh("ls /var/lib/unitcraft/generations/t-shop | wc -l") == "3"
    assert rolled_back(target)[0] == {"from": 5, "to": 4}


def test_a_foreign_file_that_a_set_removed_comes_back(target):
    before = "printf 'theirs' > /etc/t-echo/old; chmod 604 /etc/t-echo/old; ln -s x /etc/t-echo/former"
    deploy(target, [echo("1")], **SET)
    target.sh(f"{before}; mkdir /etc/t-echo/dir; echo x > /etc/t-echo/dir/x")
    look = "stat -c '%n %F %a %N' /etc/t-echo/*; cat /etc/t-echo/old"
    seen = target.sh(look)
    gone = {name: {"path": f"/etc/t-echo/{name}", "state": "absent"} for name in ("old", "former")}
    assert deploy(target, [echo("1", files=gone)], **SET)["changed"]
    assert not deploy(target, [echo("1", files=gone)], **SET)["changed"]
    deploy(target, [echo("2", files=gone)], **SET)
    deploy(target, [echo("3")], **SET)  # it removes nothing any more
    rolled_back(target, to="2")
    assert target.sh("ls /etc/t-echo") == "conf\ndir\nsecret"
    assert rolled_back(target)[0] == {"from": 2, "to": 1}
    assert target.sh(look) == seen
    rolled_back(target, to="4")
    target.sh("echo new > /etc/t-echo/old")  # by hand, and nobody's
    deploy(target, [echo("4")], **SET)
    assert rolled_back(target)[0] == {"from": 5, "to": 4}
    assert target.sh("cat /etc/t-echo/old") == "new"


def test_a_folder_that_a_set_removed_is_a_generation(target):
    target.sh("mkdir -p /etc/t-echo/dir; echo x > /etc/t-echo/dir/x")
    gone = {"dir": {"path": "/etc/t-echo/dir", "state": "absent"}}
    for number in ("1", "2"):
        deploy(target, [echo(number)], **SET)
    deploy(target, [echo("2", files=gone)], **SET)
    assert rolled_back(target)[0] == {"from": 3, "to": 2}
    assert target.sh(ASK) == "2 configuration 2 secret2"


@pytest.fixture
def with_a_secret(target):
    """The set t-other has a file with a secret."""
    timer = {"name": "t-other.timer", "sections": {"Timer": {"OnCalendar": "yearly", "Unit": "t-echo.service"}}}
    deploy(target, [echo("1")], **SET)
    deploy(target, [{**timer, "files": [{"path": "/etc/t-token", "secret": "HUNTER9\n"}]}], set_name="t-other")
    return timer


TAKES_OVER = {"token": {"path": "/etc/t-token", "content": "public\n", "mode": "0644"}}


def test_no_diff_shows_the_secret_of_another_set(target, with_a_secret):
    for check in (True, False):
        result = deploy(target, [echo("1", files=TAKES_OVER)], check=check, _ansible_diff=True, **SET)
        assert "/etc/t-token" in str(result["diff"])
        assert "HUNTER9" not in str(result)
        assert "/etc/t-token: set t-other declares it, too, and otherwise" in str(result["warnings"])


def test_no_diff_shows_what_only_root_may_read(target):
    deploy(target, [echo("1")], **SET)
    target.sh("echo HUNTER9 | install -m 600 /dev/stdin /etc/t-token")
    assert "HUNTER9" not in str(deploy(target, [echo("1", files=TAKES_OVER)], _ansible_diff=True, **SET))


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_file_of_another_set_is_not_removed(target, with_a_secret, state):
    gone = {"path": "/etc/t-token", "state": "absent"}
    removed = {"name": "t-echo.service", "state": "absent", "files": [gone]}
    item = removed if state == "absent" else echo("1", files={"gone": gone})
    for check in (True, False):
        result = deploy(target, [item], check=check, **SET)
        assert not result.get("failed"), result.get("msg", result)
        assert "/etc/t-token stays: set t-other has it, too" in result["warnings"]
    assert target.sh("cat /etc/t-token") == "HUNTER9"
    assert not deploy(target, [item], **SET)["changed"]
    assert deploy(target, [{**with_a_secret, "files": [gone]}], set_name="t-other")["changed"]
    assert target.sh("ls /etc/t-token 2>/dev/null; true") == ""


def test_the_file_of_another_set_is_given_back(target, with_a_secret):
    deploy(target, [echo("1", files=TAKES_OVER)], **SET)
    assert target.sh("cat /etc/t-token") == "public"
    rolled_back(target)
    assert target.sh("cat /etc/t-token; stat -c %a /etc/t-token") == "HUNTER9\n600"


def test_a_file_that_another_set_has_otherwise_is_spoken_of(target, with_a_secret):
    deploy(target, [echo("1", files=TAKES_OVER)], **SET)
    timer = {**with_a_secret, "files": [{"path": "/etc/t-token", "secret": "HUNTER10\n"}]}
    deploy(target, [timer], set_name="t-other")
    result = target.module("rollback", set_name="t-shop")
    assert "/etc/t-token stays as it is: set t-other has it, too" in str(result["warnings"])
    assert target.sh("cat /etc/t-token") == "HUNTER10"

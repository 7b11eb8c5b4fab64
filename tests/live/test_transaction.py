# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health, rollback, the lock, and what a killed run leaves."""

from __future__ import annotations

import json
import signal

import pytest
from live.target import said

NAMES = [f"t-{letter}" for letter in "abcdefghij"]


def items(exec_start="/bin/sleep 1000", **culprit):
    """Ten services; one of them, t-e, is a special one."""
    wanted = [
        {
            "name": name,
            "sections": {
                "Service": {"ExecStart": exec_start, "Restart": "no"},
                "Install": {"WantedBy": "multi-user.target"},
            },
            "state": "started",
            "enabled": True,
        }
        for name in NAMES
    ]
    service = wanted[4]["sections"]["Service"]
    service.update(culprit.pop("service", {}))
    wanted[4].update(culprit)
    return wanted


BROKEN = {
    "crashes at start": (
        {"service": {"ExecStart": "/bin/sh -c 'echo no luck; exit 3'"}, "health": {"stable": 60}},
        ["exit status 3", "no luck"],
    ),
    "crashes after two seconds": (
        {"service": {"ExecStart": "/bin/sh -c 'sleep 2; echo bye; exit 4'"}, "health": {"stable": 60}},
        ["exit status 4", "bye"],
    ),
    "never gets ready": (
        {"service": {"ExecStart": "/bin/sleep 500", "Type": "notify"}, "health": {"timeout": 3}},
        ["did not get ready within 3 s"],
    ),
    "does not answer": (
        {
            "service": {"ExecStart": "/bin/sleep 500"},
            "health": {"timeout": 30, "probes": [{"udp": "127.0.0.1:9", "send": "x", "expect": "y"}]},
        },
        ["probe udp 127.0.0.1:9"],
    ),
    "program not found": (
        {"service": {"ExecStart": "/bin/sh /x", "RootDirectory": "/run/t-nothing"}, "health": {"stable": 60}},
        ["exit status"],
    ),
    "no such user": ({"service": {"User": "t-nobody"}, "health": {"stable": 60}}, ["217/USER"]),
    "no such path": ({"service": {"BindPaths": "/run/t-nothing"}, "health": {"stable": 60}}, ["226/NAMESPACE"]),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_all_run_their_old_version_again(target, broken):
    assert not target.units(items()).get("failed")
    files = target.sh("cd /etc/systemd/system; cat t-*; ls -l */t-*")
    culprit, words = BROKEN[broken]
    result = target.units(items("/bin/sleep 2000", **culprit), verify=False, fail_on="never")
    assert result["failed"]
    assert result["rolled_back"]
    assert not result["changed"]
    assert [failure["unit"] for failure in result["failed_units"]] == ["t-e.service"]
    assert [word for word in ["t-e.service", *words] if word not in result["msg"]] == []
    assert result["failed_units"][0]["log"]
    assert target.sh("cd /etc/systemd/system; cat t-*; ls -l */t-*") == files
    assert target.sh(f"systemctl is-active {' '.join(NAMES)}").split() == ["active"] * 10
    target.wait_for_command("sleep 1000", *NAMES)
    assert target.sh("systemctl --failed --no-legend --plain") == ""
    assert not target.units(items())["changed"]


def item(name, command="/bin/sleep 1000", **more):
    text = {"Service": {"ExecStart": command}, "Install": {"WantedBy": "multi-user.target"}}
    return {"name": name, "sections": text, **more}


def test_modes_owners_links_masks_and_states_are_put_back(target):
    def picture():
        return target.sh(
            "cd /etc/systemd/system; find . -name 't-*' -printf '%p %y %m %u %g %l\\n' | sort;"
            " cat t-a.service t-x.service t-a.service.d/*;"
            " systemctl show -p Id,ActiveState,UnitFileState,LoadState t-a t-m t-s t-d t-x t-r",
            check=False,
        )

    assert not target.units(
        [
            item("t-a", state="started", enabled=True),
            {"name": "t-a", "dropin": "10-t", "sections": {"Service": {"RestartSec": 3}}},
            item("t-s", enabled=True),
            item("t-d"),
            item("t-x", state="started", enabled=True),
            item("t-r", state="started"),
        ]
    ).get("failed")
    target.sh(
        "cd /etc/systemd/system; chmod 640 t-a.service; chown nobody t-a.service;"
        " ln -s /dev/null t-m.service; systemctl daemon-reload"
    )
    before = picture()
    culprit = item("t-e", "/bin/false", state="started", health={"stable": 60})
    result = target.units(
        [
            item("t-a", "/bin/sleep 2000", enabled=False),
            {"name": "t-a", "dropin": "10-t", "state": "absent"},
            item("t-m", masked=False, state="started", enabled=True),
            item("t-s", state="started", enabled=False),
            item("t-d", enabled=True),
            {"name": "t-x", "state": "absent"},
            {"name": "t-r", "state": "stopped"},
            culprit,
        ],
        fail_on="never",
        verify=False,
    )
    assert result["failed"]
    assert result["rolled_back"]
    assert not result.get("not_undone")
    assert picture() == before
    target.wait_for_command("sleep 1000", "t-a", "t-x", "t-r")


def test_a_unit_that_dies_while_another_one_is_asked_is_named(target):
    # It is the probe of the other one that kills it.
    probe = {"command": ["/bin/sh", "-c", "systemctl kill --signal=KILL t-a.service; exit 1"]}
    asked = item("t-b", state="started", health={"timeout": 5, "probes": [probe]})
    result = target.units([item("t-a", state="started"), asked], verify=False, fail_on="never")
    assert [failure["unit"] for failure in result["failed_units"]] == ["t-b.service", "t-a.service"]
    assert "t-a.service: its process was killed by SIGKILL" in result["msg"]


def test_what_was_not_there_before_is_gone_again(target):
    result = target.units(
        items("/bin/sleep 2000", service={"ExecStart": "/bin/false"}, health={"stable": 60}),
        fail_on="never",
        verify=False,
    )
    assert result["failed"]
    assert result["rolled_back"]
    assert target.sh("find /etc/systemd -name 't-*'") == ""
    # systemd forgets a unit when it has nothing else to do.
    target.wait_for("test -z \"$(systemctl list-units --all --no-legend --plain 't-*')\"")


def test_instances_of_a_template_run_their_old_version_again(target):
    def wanted(command, **more):
        text = {"Service": {"ExecStart": command}, "Install": {"WantedBy": "multi-user.target"}}
        return {
            "name": "t-w@.service",
            "sections": text,
            "instances": ["1", "2"],
            "state": "started",
            "enabled": True,
            **more,
        }

    assert not target.units([wanted("/bin/sleep 100%i")]).get("failed")
    result = target.units([wanted("/bin/sh -c 'exit %i'", health={"stable": 60})], fail_on="never")
    assert result["rolled_back"]
    assert result["failed_units"]
    assert target.sh("systemctl is-active t-w@1 t-w@2").split() == ["active", "active"]
    target.wait_for_command("sleep 100", "t-w@1", "t-w@2")


def test_systemctl_that_hangs(target):
    """It is noticed by its jobs, which are none."""
    script = '#!/bin/sh\ncase "$*" in *\' start \'*) exec sleep 1000;; esac\nPATH=/usr/bin:/bin exec systemctl "$@"\n'
    target.write("/opt/t-bin/systemctl", script, "0755")
    data = json.dumps(
        {
            "name": "t-a",
            "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}},
            "state": "started",
            "health": {"timeout": 3},
        }
    )
    out = target.sh(f"printf %s '{data}' | PATH=/opt/t-bin:$PATH {' '.join(target.command('unit'))}", check=False)
    result = json.loads(out)
    assert result["failed"]
    assert "does not end" in result["msg"]
    assert result["rolled_back"]
    assert target.sh("find /etc/systemd -name 't-*'") == ""


def test_rollback_false_leaves_it_and_says_so(target):
    target.unit("t-a", sections={"Service": {"ExecStart": "/bin/sleep 1000"}}, state="started")
    result = target.unit(
        "t-a", sections={"Service": {"ExecStart": "/bin/false"}}, health={"stable": 60}, rollback=False
    )
    assert result["failed"]
    assert result["rolled_back"] is False
    assert result["changed"]
    assert "false" in target.sh("cat /etc/systemd/system/t-a.service")


def test_a_oneshot_that_ran_is_named(target):
    wanted = [
        {
            "name": "t-a",
            "sections": {"Service": {"Type": "oneshot", "RemainAfterExit": True, "ExecStart": "/bin/true"}},
            "state": "started",
        },
        {
            "name": "t-b",
            "sections": {"Unit": {"After": "t-a.service"}, "Service": {"Type": "exec", "ExecStart": "/bin/false"}},
            "state": "started",
            "health": {"stable": 60},
        },
    ]
    result = target.units(wanted, verify=False, fail_on="never")
    assert result["rolled_back"] is False
    assert any("t-a.service is a oneshot that ran" in words for words in result["not_undone"])


def test_probes_that_answer(target):
    server = (
        "import socket, sys, os\n"
        "udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('127.0.0.1', 9911))\n"
        "unix = socket.socket(socket.AF_UNIX); unix.bind('/run/t-unix'); unix.listen()\n"
        "tcp = socket.create_server(('127.0.0.1', 9912))\n"
        "print('ready to serve', flush=True)\n"
        "while True:\n    data, peer = udp.recvfrom(99); udp.sendto(data.upper(), peer)\n"
    )
    target.write("/opt/t-server.py", server)
    target.sh("rm -f /run/t-unix")
    target.write(
        "/opt/t-http.py",
        "import http.server as h\nh.HTTPServer(('127.0.0.1', 9913), h.SimpleHTTPRequestHandler).serve_forever()\n",
    )
    probes = [
        {"udp": "127.0.0.1:9911", "send": "hello", "expect": "HELLO"},
        {"tcp": "127.0.0.1:9912"},
        {"socket": "/run/t-unix"},
        {"command": ["test", "-S", "/run/t-unix"]},
        {"log": "ready to [s]erve"},
    ]
    wanted = [
        {
            "name": "t-a",
            "sections": {"Service": {"ExecStart": "/usr/bin/python3 /opt/t-server.py"}},
            "state": "started",
            "health": {"timeout": 120, "stable": 1, "probes": probes},
        },
        {
            "name": "t-b",
            "sections": {"Service": {"ExecStart": "/usr/bin/python3 /opt/t-http.py", "WorkingDirectory": "/run"}},
            "state": "started",
            "health": {"timeout": 120, "probes": [{"http": "http://127.0.0.1:9913/", "status": 200}]},
        },
    ]
    result = target.units(wanted)
    assert not result.get("failed"), result["msg"]
    wanted[0]["health"]["probes"] = [{"udp": "127.0.0.1:9911", "send": "hello", "expect": "hello"}]
    wanted[0]["health"]["timeout"] = 20
    wanted[0]["state"] = "restarted"
    target.sh("rm -f /run/t-unix")
    wanted[0]["sections"]["Service"]["ExecStartPre"] = "/bin/rm -f /run/t-unix"
    wrong = target.units(wanted)
    assert "answered 'HELLO' instead of 'hello'" in wrong["msg"]


def test_a_second_run_waits_for_the_first(target):
    """The lock is held by somebody until /run/t-go is there."""
    target.sh(
        "mkdir -p /var/lib/unitcraft; chmod 700 /var/lib/unitcraft; exec 9>/var/lib/unitcraft/lock; flock 9;"
        " (while ! test -e /run/t-go; do sleep 0.1; done) & true"
    )
    data = json.dumps({"name": "t-a", "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}}})
    seen = target.sh(
        f"printf %s '{data}' > /run/t-args; {' '.join(target.command('unit'))} < /run/t-args > /run/t-out &"
        " until ls -l /proc/$!/fd | grep -q unitcraft/lock; do sleep 0.1; done;"
        " ls /etc/systemd/system/t-a.service 2>&1; touch /run/t-go; wait",
        check=False,
    )
    assert "No such file" in seen
    assert json.loads(target.sh("cat /run/t-out"))["changed"]


def test_no_room_for_the_snapshot(target):
    target.unit("t-a", sections={"Service": {"ExecStart": "/bin/sleep 1000"}}, state="started")
    target.sh(
        "mount -t tmpfs -o size=4k,mode=700 t /var/lib/unitcraft && head -c 9000 /dev/zero > /var/lib/unitcraft/full",
        check=False,
    )
    try:
        result = target.unit("t-a", sections={"Service": {"ExecStart": "/bin/sleep 2000"}})
    finally:
        target.sh("umount /var/lib/unitcraft")
    assert result["failed"]
    assert "/var/lib/unitcraft" in result["msg"]
    assert "nothing was changed" in result["msg"]
    assert "1000" in target.sh("cat /etc/systemd/system/t-a.service")


def test_no_room_for_the_units(target):
    old = [{"name": n, "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}}, "state": "started"} for n in NAMES]
    target.sh(
        "mkdir -p /run/systemd/system; mount -t tmpfs -o size=64k t /run/systemd/system && systemctl daemon-reload"
    )
    try:
        assert not target.units(old, runtime=True).get("failed")
        target.sh("head -c 60000 /dev/zero > /run/systemd/system/full; true", check=False)
        target.sh("cat /dev/zero > /run/systemd/system/full2", check=False)
        new = [
            {"name": n, "sections": {"Unit": {"Description": "x" * 3000}, "Service": {"ExecStart": "/bin/sleep 2000"}}}
            for n in NAMES
        ]
        result = target.units(new, runtime=True)
        assert result["failed"]
        assert "No space left" in result["msg"]
        assert result["rolled_back"]
        assert target.sh("cat /run/systemd/system/t-*.service | grep -c 'sleep 1000'") == "10"
        assert target.sh("ls -A /run/systemd/system | grep unitcraft", check=False) == ""
    finally:
        target.sh("systemctl stop 't-*'; umount /run/systemd/system; systemctl daemon-reload")


BROKEN_SYSTEMCTL = """\
#!/bin/sh
case "$*" in *" enable "*) echo broken >&2; exit 1;; esac
PATH=/usr/bin:/bin exec systemctl "$@"
"""


def test_systemctl_that_fails(target):
    """Enabling fails: what was written before it goes."""
    target.write("/opt/t-bin/systemctl", BROKEN_SYSTEMCTL, "0755")
    text = {"Service": {"ExecStart": "/bin/sleep 1000"}, "Install": {"WantedBy": "multi-user.target"}}
    try:
        data = json.dumps({"name": "t-a", "sections": text, "enabled": True})
        command = " ".join(target.command("unit"))
        out = target.sh(f"printf %s '{data}' | PATH=/opt/t-bin:$PATH {command}", check=False)
    finally:
        target.sh("rm -r /opt/t-bin")
    result = json.loads(out)
    assert result["failed"]
    assert "broken" in result["msg"]
    assert result["rolled_back"]
    assert target.sh("find /etc/systemd -name 't-*'") == ""


def test_systemctl_that_fails_when_all_is_done(target):
    """Only the state of the units that did not move is asked for by then: every declared unit is told of."""
    worker = {
        "name": "t-w@",
        "instances": ["1"],
        "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}},
        "state": "started",
    }
    assert not target.units([*items()[:2], worker]).get("failed")
    target.write("/opt/t-bin/systemctl", BROKEN_SYSTEMCTL.replace(" enable ", " list-units "), "0755")
    try:
        data = json.dumps({"units": [items("/bin/sleep 2000")[0], items()[1], worker]})
        result = target.result(target.run(["env", "PATH=/opt/t-bin:/usr/bin:/bin", *target.command("units")], data))
    finally:
        target.sh("rm -r /opt/t-bin")
    assert not result.get("failed"), result
    assert said(result) == ["write t-a.service", "daemon-reload", "restart t-a.service"], result
    assert any("cannot be told" in warning for warning in result["warnings"])
    told = {
        name: (unit["path"].rpartition("/")[2], unit["active_state"], unit["drift"])
        for name, unit in result["units"].items()
    }
    assert told == {
        "t-a.service": ("t-a.service", "active", []),
        "t-b.service": ("t-b.service", "", []),
        "t-w@.service": ("t-w@.service", "", []),
        "t-w@1.service": ("t-w@.service", "", None),
    }


KILLED_WHEN = {
    "it has the lock": "grep -q pid /var/lib/unitcraft/lock",
    "the snapshot is on disk": "test -e /var/lib/unitcraft/intent.json",
    "a unit file has changed": "grep -qs 2000 /etc/systemd/system/t-a.service",
    "all unit files have changed": "grep -qs 2000 /etc/systemd/system/t-j.service",
    "the manager knows the new files": "systemctl show --property=ExecStart t-a | grep -q 2000",
    "a program runs in its new version": "pgrep -f 'sleep 2000'",
}


def was_killed(target, when):
    """Whether a run was killed after this had come true, before it had ended by itself."""
    target.write("/run/t-args", json.dumps({"units": items("/bin/sleep 2000")}))
    status = target.sh(
        f": > /var/lib/unitcraft/lock; {' '.join(target.command('units'))} < /run/t-args > /run/t-out 2>&1 & pid=$!;"
        f" until {KILLED_WHEN[when]} || ! kill -0 $pid; do :; done > /dev/null 2>&1;"
        " kill -KILL $pid; wait $pid; echo $?",
        check=False,
    )
    return status.endswith(str(128 + signal.SIGKILL))


@pytest.mark.parametrize("when", KILLED_WHEN)
def test_a_killed_run_is_undone_by_the_next_one(target, when):
    """However far it came: the next run, of whatever unit, puts the old state back before it does its own work."""
    for _attempt in range(20):
        assert not target.units(items()).get("failed")
        old = target.sh("cd /etc/systemd/system; cat t-*")
        if was_killed(target, when):
            break
    else:
        pytest.fail("each run ended before it was killed")
    intent = target.sh("ls /var/lib/unitcraft/intent.json 2>/dev/null", check=False)
    texts = [target.sh(f"cat /etc/systemd/system/{name}.service") for name in NAMES]
    assert [text for text in texts if not text.endswith("WantedBy=multi-user.target")] == []
    assert [text for text in texts if ("sleep 1000" in text) == ("sleep 2000" in text)] == []
    result = target.unit("t-z", sections={"Service": {"ExecStart": "/bin/sleep 1000"}})
    assert bool(result.get("recovered")) == bool(intent)
    if intent:
        assert target.sh("cd /etc/systemd/system; rm t-z.service; cat t-*") == old
        target.wait_for_command("sleep 1000", *NAMES)
    final = target.units(items("/bin/sleep 2000"))
    assert not final.get("failed")
    target.wait_for_command("sleep 2000", *NAMES)
    assert target.sh("ls -A /etc/systemd/system | grep unitcraft", check=False) == ""


def test_reset_and_start_limit(target):
    """A unit that used up its start limit is deployed all the same."""
    text = {
        "Unit": {"StartLimitBurst": 2, "StartLimitIntervalSec": 60},
        "Service": {"ExecStart": "/bin/false", "Restart": "always"},
    }
    target.unit("t-a", sections=text, verify=False, fail_on="never")
    target.sh("systemctl start t-a", check=False)
    target.wait_for("systemctl is-failed t-a")
    text["Service"]["ExecStart"] = "/bin/sleep 1000"
    result = target.unit("t-a", sections=text, state="started")
    assert not result.get("failed")
    assert "reset-failed t-a.service" in said(result)


PROBES_REFUSED = {
    "log": "ready (",
    "tcp": "localhost",
    "udp": "localhost:dns",
    "http": "http://127.0.0.1:abc/",
    "socket": "relative",
}


@pytest.mark.parametrize(("kind", "value"), PROBES_REFUSED.items(), ids=PROBES_REFUSED)
def test_a_probe_that_cannot_be_asked_is_refused(target, kind, value):
    result = target.unit(
        "t-a", sections={"Service": {"ExecStart": "/bin/sleep 1000"}}, health={"probes": [{kind: value}]}
    )
    assert f"health: probes[0]: {kind}: " in result["msg"]
    assert target.sh("find /etc/systemd -name 't-a*'") == ""


def test_a_server_that_answers_garbage(target):
    target.write(
        "/opt/t-garbage.py",
        "import socket\nserver = socket.create_server(('127.0.0.1', 9914))\n"
        "while True:\n    with server.accept()[0] as connection:\n        connection.sendall(b'\\0garbage')\n",
    )
    result = target.unit(
        "t-a",
        sections={"Service": {"ExecStart": "/usr/bin/python3 /opt/t-garbage.py"}},
        state="started",
        health={"timeout": 3, "probes": [{"http": "http://127.0.0.1:9914/"}]},
    )
    assert "probe http http://127.0.0.1:9914/" in result["msg"]
    assert result["rolled_back"]
    assert target.sh("find /etc/systemd -name 't-a*'") == ""


def test_the_program_s_last_words_outlive_its_restarts(target):
    """The log begins with the transaction, not with the latest start."""
    script = "test -e /run/t-once || { touch /run/t-once; echo first words; exit 3; }; exec sleep 1000"
    text = {"Service": {"ExecStart": f"/bin/sh -c '{script}'", "Restart": "always", "RestartSec": "100ms"}}
    result = target.unit("t-a", sections=text, state="started", health={"stable": 60}, fail_on="never")
    assert "first words" in result["failed_units"][0]["log"]


def test_a_message_with_a_line_separator_of_unicode(target):
    target.write("/opt/t-say.py", "print('one\\u2028two'); raise SystemExit(3)\n")
    text = {"Service": {"ExecStart": "/usr/bin/python3 -X utf8 /opt/t-say.py"}}
    result = target.unit("t-a", sections=text, state="started", health={"stable": 60}, fail_on="never")
    assert "one\u2028two" in result["failed_units"][0]["log"]

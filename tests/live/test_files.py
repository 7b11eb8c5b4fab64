# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs, configuration, secrets and links go in with the unit, and back with it."""

from __future__ import annotations

import json

import pytest
from live.deploying import ASK, LIST, deploy, echo, killed, program
from live.target import said


@pytest.fixture(autouse=True)
def clean_files(target):
    yield
    target.sh("systemctl stop 't-*' 2>/dev/null; rm -rf /etc/t-* /var/lib/t-* /run/t-*", check=False)


@pytest.fixture
def installed(target):
    """Version 1, running."""
    result = deploy(target, [echo("1")])
    assert not result.get("failed"), result
    return target


def answer(target):
    return target.sh(ASK)


def test_a_first_installation_goes_in_whole(target):
    result = deploy(target, [echo("1")])
    assert not result.get("failed"), result
    assert answer(target) == "1 configuration 1 secret1"
    assert target.sh("stat -c '%a %U' /opt/t-echo/echo.py /etc/t-echo/secret /var/lib/t-echo").split("\n") == [
        "755 root",
        "600 root",
        "750 root",
    ]
    assert [f for f in result["findings"] if f["severity"] != "info"] == []


def test_a_second_run_changes_nothing_and_asks_for_no_contents(installed):
    result = deploy(installed, [echo("1")])
    assert (result["changed"], result["actions"], result["calls"]) == (False, [], 1)


def test_an_update_restarts_and_says_which_files_changed(installed):
    result = deploy(installed, [echo("2")])
    assert not result.get("failed"), result
    reasons = [action["reason"] for action in result["actions"] if action["action"] == "restart"]
    assert "/opt/t-echo/echo.py" in reasons[0]
    assert answer(installed) == "2 configuration 2 secret2"
    assert installed.sh("readlink /opt/t-echo/current") == "releases/2"


def test_check_mode_says_what_the_run_does(installed):
    foretold = deploy(installed, [echo("2")], check=True, _ansible_diff=True)
    done = deploy(installed, [echo("2")], _ansible_diff=True)
    assert [foretold[key] for key in ("changed", "actions", "diff")] == [
        done[key] for key in ("changed", "actions", "diff")
    ]


SICK = {
    "does not start": echo("2", "sys.exit('I cannot start')"),
    "dies after a second": echo(
        "2",
        "signal.signal(signal.SIGALRM, lambda *_: os._exit(3)); signal.alarm(1)",
        health={"timeout": 30, "stable": 5, "probes": []},
    ),
    "import error": echo("2", "import nothing_of_this_name"),
    "validate refuses": echo("2", files={"conf": {"content": "XXX"}}),
    "configuration fails at run time": echo("2", files={"conf": {"content": "only fails at run time"}}),
    "probe answers wrong": echo(
        "2",
        "VERSION = 'another'",
        health={"timeout": 3, "stable": 0, "probes": [{"command": ["sh", "-c", ASK], "expect": "2 configuration"}]},
    ),
    "program is not executable": echo("2", files={"program": {"mode": "0644"}}),
    "interpreter is missing": echo("2", files={"program": {"content": "#!/nonexistent\n"}}),
    "secret is gone": echo(
        "2", files={"secret": {"path": "/etc/t-echo/other"}, "old": {"path": "/etc/t-echo/secret", "state": "absent"}}
    ),
    "folder is gone": echo(
        "2", files={"folder": {"path": "/var/lib/t-echo", "state": "absent", "directory": None, "mode": None}}
    ),
}


@pytest.mark.parametrize("way", SICK)
def test_a_sick_version_comes_back_whole(installed, way):
    before = installed.sh(LIST)
    result = deploy(installed, [SICK[way]])
    assert result.get("failed"), result
    assert installed.sh(LIST) == before
    assert answer(installed) == "1 configuration 1 secret1"
    assert result.get("rolled_back", True) is True


def test_a_program_below_a_link_of_root(target, tmp_path):
    """``/srv`` on another disk: what comes is known by the path of the link, and by the one behind it."""
    (tmp_path / "serve").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "serve").chmod(0o755)
    service = {"ExecStart": "/opt/t-link/t-app/current/serve", "EnvironmentFile": "/opt/t-link/t-env"}
    item = {
        "name": "t-link.service",
        "sections": {"Service": service},
        "state": "started",
        "release": {"path": "/opt/t-link/t-app", "src": str(tmp_path), "version": "1"},
        "files": [{"path": "/opt/t-link/t-env", "content": "A=b\n"}],
    }
    target.sh("mkdir /opt/t-disk && ln -s /opt/t-disk /opt/t-link")
    result = deploy(target, [item])
    assert not result.get("failed"), result
    assert [finding for finding in result["findings"] if finding["severity"] != "info"] == []
    assert not deploy(target, [item])["changed"]


def test_what_a_killed_version_wrote_into_its_configuration_goes_back(installed):
    before = installed.sh(LIST)
    probe = {"command": ["sh", "-c", "grep -q 2 /etc/t-echo/conf && echo more >> /etc/t-echo/conf && kill -9 $PPID"]}
    killed(installed, echo("2", health={"timeout": 30, "stable": 0, "probes": [probe]}))
    told = deploy(installed, [echo("1")])["recovered"]
    assert "/etc/t-echo/conf has been changed since; it is as before that run again" in told
    assert installed.sh(LIST) == before
    assert answer(installed) == "1 configuration 1 secret1"


def test_a_sick_first_installation_leaves_nothing(target):
    before = target.sh(LIST)
    result = deploy(target, [SICK["does not start"]])
    assert result["rolled_back"], result
    assert "I cannot start" in json.dumps(result["failed_units"])
    assert target.sh(LIST) == before
    assert result.get("not_undone", []) == []


def test_a_secret_is_shown_nowhere(installed):
    shown = [
        deploy(installed, [echo("2")], check=True, _ansible_diff=True),
        deploy(installed, [echo("2")], _ansible_diff=True),
    ]
    assert "secret2" not in json.dumps(shown)
    assert "secret2" not in installed.sh(
        "journalctl --no-pager -o export | tr -d '\\0';"
        " find /var/lib/unitcraft -type f -not -path '*/contents/*' | xargs cat"
    )


def test_contents_of_a_transaction_that_is_over_are_gone(installed):
    installed.sh("rm -r /var/lib/unitcraft/generations")
    deploy(installed, [echo("2")], keep_generations=0)
    assert installed.sh("ls /var/lib/unitcraft/contents 2>/dev/null; true") == ""


def test_owner_mode_attributes_and_acls_are_kept(installed):
    set_them = (
        "import os; p='/etc/t-echo/conf'; os.chown(p, 1, 2); os.chmod(p, 0o640); os.setxattr(p, 'user.note', b'x');"
        "os.setxattr(p, 'system.posix_acl_access', bytes.fromhex("
        "'0200000001000600ffffffff020006000300000004000400ffffffff10000600ffffffff20000000ffffffff'))"
    )
    read_them = (
        "import os; p='/etc/t-echo/conf'; i=os.stat(p);"
        "print(i.st_uid, i.st_gid, oct(i.st_mode), *((n, os.getxattr(p, n).hex()) for n in sorted(os.listxattr(p))))"
    )
    installed.sh(f'python3 -c "{set_them}"')
    before = installed.sh(f'python3 -c "{read_them}"')
    assert "user.note" in before
    assert "posix_acl" in before
    failed = deploy(installed, [SICK["does not start"]])
    assert failed["rolled_back"], failed
    assert failed.get("not_undone", []) == []
    assert installed.sh(f'python3 -c "{read_them}"') == before
    done = deploy(installed, [echo("2")])
    assert not done.get("failed"), done
    assert installed.sh(f'python3 -c "{read_them}"') == before


@pytest.mark.parametrize(("on_change", "word"), [("reload", "reload t-echo.service"), ("none", "none t-echo.service")])
def test_a_file_that_needs_no_restart(target, on_change, word):
    def version(number):
        unit = echo("1", files={"note": {"path": "/etc/t-echo/note", "content": number, "on_change": on_change}})
        unit["sections"]["Service"]["ExecReload"] = "/bin/true"
        return [unit]

    deploy(target, version("1"))
    pid = target.show("t-echo", "MainPID")
    result = deploy(target, version("2"))
    assert [step for step in said(result) if not step.startswith("write")] == [word]
    assert target.show("t-echo", "MainPID") == pid


def test_owner_and_mode_alone_restart_nothing(installed):
    result = deploy(installed, [echo("1", files={"conf": {"mode": "0640", "owner": "daemon"}})])
    assert said(result) == ["write t-echo.service"]
    assert installed.sh("stat -c '%a %U' /etc/t-echo/conf") == "640 daemon"


def test_a_trigger_follows_a_file_of_the_same_task(installed):
    other = {"name": "t-other.service", "content": "[Service]\nExecStart=/bin/sleep 1000\n", "state": "started"}
    other["triggers"] = ["/etc/t-echo/conf"]
    deploy(installed, [echo("1"), other])
    result = deploy(installed, [echo("2"), other])
    assert "restart t-other.service" in said(result)
    assert not deploy(installed, [echo("2"), other])["changed"]


def test_a_folder_that_is_removed_comes_back_with_what_is_in_it(installed):
    installed.sh("mkdir -p /opt/t-echo/data/deep; cd /opt/t-echo/data; echo x > deep/x; ln -s x deep/l; chmod 700 .")
    before = installed.sh(LIST)
    gone = {"gone": {"path": "/opt/t-echo/data", "state": "absent"}}
    failed = deploy(installed, [echo("2", "sys.exit(1)", files=gone)])
    assert failed["rolled_back"], failed
    assert installed.sh(LIST) == before
    done = deploy(installed, [echo("2", files=gone)])
    assert not done.get("failed"), done
    assert installed.sh("test -e /opt/t-echo/data || echo gone") == "gone"


DIG = "import os\nfor n in range({}): os.mkdir({!r}); os.chdir({!r})\nopen('end', 'w').write('x')"
REACHED = "import os\nfor n in range({}): os.chdir({!r})\nprint(open('end').read())"


@pytest.mark.parametrize(("depth", "name"), [(60, "n" * 100), (280, "n")], ids=["longer than a path", "very deep"])
def test_a_deep_folder_goes_and_comes_back(installed, depth, name):
    installed.run(
        ["sh", "-c", 'mkdir /opt/t-echo/data; cd /opt/t-echo/data; python3 -c "$0"', DIG.format(depth, name, name)]
    )
    gone = {"gone": {"path": "/opt/t-echo/data", "state": "absent"}}
    failed = deploy(installed, [echo("2", "sys.exit(1)", files=gone)])
    assert (failed["rolled_back"], failed.get("not_undone")) == (True, None), failed["msg"]
    reached = installed.run(["sh", "-c", 'cd /opt/t-echo/data; python3 -c "$0"', REACHED.format(depth, name)])
    assert reached.out == "x\n", reached.err
    checked = deploy(installed, [echo("2", files=gone)], check=True)
    done = deploy(installed, [echo("2", files=gone)])
    assert not done.get("failed"), done["msg"]
    assert said(checked) == said(done)
    assert installed.sh("test -e /opt/t-echo/data || echo gone") == "gone"
    assert not deploy(installed, [echo("2", files=gone)])["changed"]


def test_what_cannot_be_put_back_is_named(installed):
    installed.sh("mkdir -p /opt/t-echo/data; mkfifo /opt/t-echo/data/fifo")
    gone = {"gone": {"path": "/opt/t-echo/data", "state": "absent"}}
    failed = deploy(installed, [echo("2", "sys.exit(1)", files=gone)])
    assert failed["not_undone"] == ["/opt/t-echo/data/fifo is gone: a FIFO, a socket or a device cannot be put back"]


def test_a_mode_without_any_right_is_kept(installed):
    installed.sh("install -m 0000 /dev/null /etc/t-echo/closed")
    before = installed.sh(LIST)
    closed = {"closed": {"path": "/etc/t-echo/closed", "content": "x"}}
    failed = deploy(installed, [echo("2", "sys.exit(1)", files=closed)])
    assert failed["rolled_back"], failed
    assert installed.sh(LIST) == before
    closed["closed"]["mode"] = "0000"
    done = deploy(installed, [echo("2", files=closed)])
    assert not done.get("failed"), done
    assert installed.sh("stat -c %a /etc/t-echo/closed") == "0"
    assert not deploy(installed, [echo("2", files=closed)])["changed"]


def test_a_secret_takes_no_rights_from_the_file_of_before(target):
    target.sh(
        "mkdir -p /etc/t-echo; touch /etc/t-echo/secret; chown daemon /etc/t-echo/secret; chmod 666 /etc/t-echo/*"
    )
    result = deploy(target, [echo("1")])
    assert not result.get("failed"), result
    assert target.sh("stat -c '%a %U' /etc/t-echo/secret") == "600 root"


def test_links_that_only_root_can_have_made_are_followed(target):
    unit = echo("1", files={"pid": {"path": "/var/run/t-note", "content": "x"}})
    result = deploy(target, [unit])
    assert not result.get("failed"), result
    assert target.sh("cat /run/t-note") == "x"


def test_a_link_of_somebody_else_is_not_followed(target):
    target.sh("mkdir -p /opt/t-echo /opt/t-user; chown daemon /opt/t-user; ln -s /etc /opt/t-user/etc")
    result = deploy(target, [echo("1", files={"bad": {"path": "/opt/t-user/etc/t-bad", "content": "x"}})])
    assert result["failed"]
    assert "units[0].files[5]: path: /opt/t-user/etc is a link that others can change" in result["msg"]
    assert target.sh("test -e /etc/t-bad || echo none") == "none"


BAD = {
    "relative": ({"path": "etc/x", "content": "x"}, "'etc/x' is not an absolute path"),
    "dots": ({"path": "/etc/../x", "content": "x"}, "is not a plain path"),
    "unit folder": ({"path": "/etc/systemd/system/x.service", "content": "x"}, "is in a folder of unit files"),
    "over a link to a unit folder": ({"path": "/lib/systemd/system/x", "content": "x"}, "is in a folder of unit files"),
    "ours": ({"path": "/var/lib/unitcraft/x", "content": "x"}, "is in a folder of this collection"),
    "unit folder of systemd": (
        {"path": "/run/systemd/transient/x.service", "content": "x"},
        "is in a folder of unit files",
    ),
    "holds the unit folder": ({"path": "/etc", "state": "absent"}, "cannot be removed, for /etc/systemd/system is in"),
    "holds ours": ({"path": "/var/lib", "state": "absent"}, "cannot be removed, for /var/lib/unitcraft is in it"),
    "within a file": (
        {"path": "/etc/t-echo/conf/x", "content": "x"},
        "/etc/t-echo/conf/x is in /etc/t-echo/conf, which units[0].files[1] makes a file",
    ),
    "kernel": ({"path": "/proc/sys/x", "content": "x"}, "is in a file system of the kernel"),
    "twice": ({"path": "/etc/t-echo/conf", "content": "x"}, "is declared already, by units[0].files[1]"),
    "owner": ({"path": "/etc/t-x", "content": "x", "owner": "nobody-here"}, "owner: there is no user 'nobody-here'"),
    "folder in the place": ({"path": "/srv", "content": "x"}, "/srv is a directory, and cannot become a file"),
    "device": ({"path": "/opt/t-fifo", "content": "x"}, "is a device, a socket"),
    "validate": (
        {"path": "/etc/t-x", "content": "x", "validate": ["sh", "-c", "echo no good; exit 4", "%s"]},
        "validate: sh refuses the new content with exit status 4; nothing was changed: no good",
    ),
    "no validator": ({"path": "/etc/t-x", "content": "x", "validate": ["/nonexistent", "%s"]}, "/nonexistent"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_named_and_changes_nothing(installed, what):
    installed.sh("mkfifo /opt/t-fifo")
    before = installed.sh(LIST)
    file, words = BAD[what]
    result = deploy(installed, [echo("2", files={"bad": file})])
    assert result["failed"]
    assert not result["changed"]
    assert words in result["msg"]
    assert installed.sh(LIST) == before


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_a_path_below_a_file(installed, check):
    before = installed.sh(LIST)
    installed.sh("echo x > /opt/t-file")
    result = deploy(installed, [echo("2", files={"bad": {"path": "/opt/t-file/new/x", "content": "x"}})], check)
    assert (result["failed"], result["changed"]) == (True, False), result
    assert "units[0].files[5]: /opt/t-file/new/x: /opt/t-file is not a folder" in result["msg"]
    gone = {"bad": {"path": "/opt/t-file/x", "state": "absent"}}
    assert not deploy(installed, [echo("1", files=gone)], check).get("failed")
    installed.sh("rm /opt/t-file")
    assert installed.sh(LIST) == before


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_a_folder_that_is_mounted_read_only(installed, check):
    installed.sh("mkdir -p /opt/t-ro; mount --bind /opt/t-ro /opt/t-ro; mount -o remount,ro,bind /opt/t-ro")
    try:
        result = deploy(installed, [echo("2", files={"bad": {"path": "/opt/t-ro/new/x", "content": "x"}})], check)
    finally:
        installed.sh("umount /opt/t-ro")
    assert "units[0].files[5]: /opt/t-ro/new: /opt/t-ro cannot be written to" in result["msg"]
    assert not result["changed"]
    assert answer(installed) == "1 configuration 1 secret1"


def test_units_of_a_user_bring_files_with_the_rights_of_the_user(target):
    target.sh("id t-user 2>/dev/null || useradd --create-home t-user")
    unit = {
        "name": "t-own.service",
        "sections": {"Service": {"ExecStart": ["/bin/sleep 1000"]}},
        "files": [{"path": "/home/t-user/bin/x", "content": program("1"), "mode": "0700"}],
    }
    options = {"scope": "user", "user": "t-user", "linger": True}
    try:
        result = deploy(target, [unit], **options)
        assert not result.get("failed"), result
        assert target.sh("stat -c '%a %U' /home/t-user/bin/x /home/t-user/bin") == "700 t-user\n755 t-user"
        refused = deploy(target, [{**unit, "files": [{"path": "/etc/t-user-file", "content": "x"}]}], **options)
        assert refused["failed"]
        assert "/etc/t-user-file: /etc cannot be written to with the rights of t-user" in refused["msg"]
        given = [{**unit["files"][0], "owner": "root"}]
        refused = deploy(target, [{**unit, "files": given}], **options)
        assert "files[0]: owner: with scope: user, everything belongs to t-user; leave it out" in refused["msg"]
    finally:
        target.sh("loginctl disable-linger t-user; systemctl stop user@$(id -u t-user); userdel -r t-user", check=False)

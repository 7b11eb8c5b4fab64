# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How systemd's programs are called, and what their end comes to; no program is run."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import time
from pathlib import Path

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.exposure import exposure
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.manager import Manager
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.runtime import RuntimeInfo
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.systemd import Reply, Runner, SystemdError
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.verify import Staged, stage_files, verify

NAME = "--man.service"  # a valid name of a unit
DROPIN = [Staged(NAME, f"{NAME}.d/10-a.conf", b"[Service]\nNice=1\n")]
JUDGED = f"→ Overall exposure level for {NAME}: 9.6 UNSAFE\n"


class Programs(Runner):
    """Answers every call with one reply; ``calls`` holds their arguments."""

    def __init__(self, reply):
        super().__init__()
        self.reply = reply
        self.calls = []

    def begin(self, argv, *_more):
        self.calls.append(list(argv))
        return lambda: self.reply


def exposure_call(programs):
    exposure(programs, DROPIN, 252, 10.0)


def runtime_call(programs):
    manager = Manager()
    manager.runner = programs
    RuntimeInfo(manager).ask_rest([NAME], ["security"], 10)


def verify_call(programs):
    verify(programs, DROPIN, 252)


@pytest.mark.parametrize("call", [verify_call, exposure_call, runtime_call])
def test_a_name_that_begins_with_a_dash_is_no_option(call):
    """Attack 10."""
    programs = Programs(Reply(0, JUDGED, ""))
    call(programs)
    assert programs.calls[0][-2:] == ["--", NAME]


@pytest.mark.parametrize("errors", ["", "systemd-analyze: unrecognized option '--x'\n"])
def test_verify_that_fails_without_a_word_about_the_files_is_an_error(errors):
    """Attack 10."""
    with pytest.raises(SystemdError, match=r"systemd-analyze verify: .*(exit status 1|unrecognized option)"):
        verify_call(Programs(Reply(1, "", errors)))


def test_verify_that_fails_with_a_word_about_the_files_is_a_finding():
    findings = verify(Programs(Reply(1, "", f"<3>{NAME}: wrong\n")), DROPIN, 252)
    assert [finding.message for finding in findings] == ["wrong"]


def test_a_user_gets_nothing_of_the_environment_of_the_play(monkeypatch):
    """Attack 11: a user can read the environment of the processes that run as this user."""
    monkeypatch.setenv("CLOUD_TOKEN", "secret")
    reply = Runner("user", pwd.getpwuid(os.geteuid())).command(["env"])
    names = {line.partition("=")[0] for line in reply.out.split("\n") if line}
    assert names - {"PATH", "TZ"} == {
        *("HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
        *("LC_ALL", "SYSTEMD_PAGER", "SYSTEMD_COLORS", "SYSTEMD_URLIFY"),
    }


def test_a_user_may_read_what_is_staged_whatever_the_umask():
    """Attack list, low: verify runs as the user."""
    before = os.umask(0o077)
    try:
        with stage_files([Staged("a.service", "a.service.d/b.conf", b"")]) as stage:
            paths = [stage, f"{stage}/a.service.d", f"{stage}/a.service.d/b.conf"]
            modes = [stat.S_IMODE(os.stat(path).st_mode) for path in paths]
    finally:
        os.umask(before)
    assert modes == [0o755, 0o755, 0o644]


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_a_program_that_prints_without_end(stream):
    with pytest.raises(SystemdError, match="printed more than 4096 bytes"):
        Runner().command(["sh", "-c", f"yes{stream}"], most=4096)


def test_what_a_program_prints_within_its_limit():
    assert Runner().command(["sh", "-c", "echo one; echo two >&2; exit 3"], most=4096) == Reply(3, "one\n", "two\n")


def test_what_takes_too_long_ends_with_what_it_has_started(tmp_path):
    started = tmp_path / "started"
    end = Runner().begin(["sh", "-c", f"sleep 1000 & echo $! > {started}; wait"], timeout=0.1)
    while not (started.exists() and started.read_text().endswith("\n")):
        time.sleep(0.01)
    with pytest.raises(SystemdError, match="did not answer within"):
        end()
    child = Path(f"/proc/{started.read_text().strip()}/stat")
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while child.read_text().rpartition(")")[2].split()[0] != "Z":  # nobody may be there to collect it
            time.sleep(0.01)

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For the testinfra tests of all scenarios: fixtures, a fast way to the hosts, and what they say when a test fails."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
import testinfra.backend
from lab import containers
from testinfra.backend.podman import PodmanBackend
from xdist.scheduler import LoadScopeScheduling

ENTER = Path(containers.__file__).with_name("enter")
EVIDENCE = ("systemctl --failed --no-pager", "journalctl --no-pager --lines=60")
# No test depends on how fast a host is; one that has hung ends all the same.
PATIENCE_SECONDS = 120


class EnteredBackend(PodmanBackend):
    """Runs commands in the namespaces of a container, as the playbooks do; `podman exec` takes ten times as long."""

    NAME = "entered"

    def run(self, command, *args, **_options):
        """Run a command as root; see testinfra."""
        wanted = self.get_command(command, *args)
        result = self.run_local(f"{ENTER} exec {self.name} /bin/sh -c %s", wanted)
        result.command = self.encode(wanted)
        return result


testinfra.backend.BACKENDS[EnteredBackend.NAME] = f"{__name__}.EnteredBackend"


class ByHost(LoadScopeScheduling):
    """All tests of a host run in one process, in their order; the hosts side by side.

    Not by ``--dist loadgroup``, which pytest-xdist 3.8 does not do with pytest 9.2.
    """

    def _split_scope(self, nodeid):
        host = re.search(r"\[entered://[^]]*?-(s[0-9]+)[]-]", nodeid)
        return host[1] if host else "no host"


def pytest_xdist_make_scheduler(config, log):
    """Choose how tests are shared out."""
    return ByHost(config, log)


@pytest.fixture(scope="module")
def release(host):
    """The host's systemd release as an integer, for example 252."""
    return int(host.check_output("systemctl --version").split()[1].partition(".")[0])


@pytest.fixture(scope="module")
def actions(host):
    """Function of a service's name: the actions that check mode predicted on the empty host, and those then done.

    shared/tasks/record_actions.yml writes both.
    """
    records = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    short = host.backend.name.rpartition("-")[2]

    def recorded(name):
        return [
            json.loads((records / f"{short}.{name}.{what}.json").read_text(encoding="utf-8"))
            for what in ("predicted", "done")
        ]

    return recorded


@pytest.fixture
def wait_for():
    """Function that waits until another one says true, and returns what it said."""

    def wait(condition):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (said := condition()):
            assert time.monotonic() < deadline, f"not so within {PATIENCE_SECONDS} s"
            time.sleep(0.1)
        return said

    return wait


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and report.failed and "host" in item.funcargs:
        for command in EVIDENCE:
            report.sections.append((command, item.funcargs["host"].run(command).stdout))
    return report

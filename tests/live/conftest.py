# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One container for each release of systemd, with the collection in it.

RELEASES="252 262" chooses some. TRANSPORT=ssh, ssh-pipelining or mitogen calls the modules by Ansible over ssh, as a
user with sudo, in place of directly.
"""

from __future__ import annotations

import os

import pytest
from lab import containers
from live.target import Target
from live.transports import AnsibleTarget

RELEASES = os.environ.get("RELEASES", "247 252 257 262").split()
TRANSPORT = os.environ.get("TRANSPORT", "")
# Units of a test are called t-*; none of them is left for the next one. Most tests of what is refused leave nothing.
CLEAN = """
cd /etc/systemd/system
files=$(ls -d t-* */t-* /run/systemd/system/t-* /run/t-* /opt/t-* /var/lib/unitcraft 2>/dev/null)
units=$(systemctl list-units --all --plain --no-legend | grep -e '^t-' -e ' failed ')
test -n "$files$units" || exit
systemctl stop 't-*' 2>/dev/null
rm -rf t-* */t-* /run/systemd/system/t-* /run/t-* /opt/t-* /var/lib/unitcraft
systemctl daemon-reload
systemctl stop 't-*' 2>/dev/null  # what another one upheld has risen again
systemctl reset-failed
"""
collect_ignore = [] if TRANSPORT == "mitogen" else ["test_transports.py"]
collect_ignore += [] if TRANSPORT.startswith("ssh") else ["test_confirm_ssh.py"]


@pytest.fixture(scope="session", params=RELEASES)
def target(request):
    name = f"engine{request.param}"
    containers.start(request.param, name)
    containers.keep_compiled(name)
    target = AnsibleTarget(name, TRANSPORT) if TRANSPORT else Target(name)
    yield target
    target.close()
    if not os.environ.get("KEEP"):
        containers.stop(name)


@pytest.fixture(autouse=True)
def clean(request):
    """Undo what a test has done, see CLEAN."""
    yield
    if "target" in request.fixturenames:
        request.getfixturevalue("target").sh(CLEAN, check=False)

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops and kills linked services and records what becomes of the others, for test_linked.py.

Runs on the hosts, Python 3.9.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

STORY = Path("/root/story.json")
PATIENCE_SECONDS = 300
UP, DOWN = "active", "inactive"
NO_RESTART = Path("/run/systemd/system/haproxy.service.d/99-no-restart.conf")


def systemctl(*words, check=True):
    return subprocess.run(["systemctl", *words], check=check, capture_output=True, text=True).stdout


def prop(unit, name):
    return systemctl("show", "--value", f"--property={name}", unit).strip()


def state(*units):
    """State of each unit; one that ended badly is as down as one that was stopped."""
    return [prop(unit, "ActiveState").replace("failed", DOWN) for unit in units]


def settled(*units):
    """Whether no job runs and no unit is on its way to another state."""
    busy = {"activating", "deactivating", "reloading"}
    return not systemctl("list-jobs", "--no-legend", *units) and not busy & set(state(*units))


def wait(*units, until=None):
    """State of each unit when nothing moves any more, and a condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (settled(*units) and (until is None or until())):
        if time.monotonic() > deadline:
            raise SystemExit(systemctl("list-jobs") + systemctl("status", "--no-pager", *units, check=False))
        time.sleep(0.05)
    return state(*units)


def kill(unit):
    """Kill the main process of a unit, and return when systemd knows."""
    pid = prop(unit, "MainPID")
    os.kill(int(pid), signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while prop(unit, "MainPID") == pid and time.monotonic() < deadline:
        time.sleep(0.02)


def start_all(*units):
    """Everything up, and no start counted against the start limit."""
    systemctl("reset-failed", *units)
    systemctl("start", *units)
    wait(*units)


def run(unit):
    return prop(unit, "InvocationID")


def web():
    """Status of an answer that came through the proxy, which may need a moment to find that the web server is up."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen("http://127.0.0.1:8080/", timeout=PATIENCE_SECONDS) as answer:
                return answer.status
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def times(unit):
    return {name: int(prop(unit, f"{name}TimestampMonotonic")) for name in ("InactiveExit", "ActiveEnter")}


def command_on_main(word):
    pair = ("haproxy.service", "apache2.service")
    start_all(*pair)
    before = run(pair[1])
    systemctl(word, pair[0])
    return {"state": wait(*pair), "follower_is_another": run(pair[1]) != before}


def kill_main_for_good():
    pair = ("haproxy.service", "apache2.service")
    start_all(*pair)
    NO_RESTART.parent.mkdir(parents=True, exist_ok=True)
    NO_RESTART.write_text("[Service]\nRestart=no\n")
    systemctl("daemon-reload")
    kill(pair[0])
    seen = {"killed": wait(*pair)}
    NO_RESTART.unlink()
    systemctl("daemon-reload")
    systemctl("reset-failed", *pair)
    systemctl("start", pair[0])
    seen["started_again"] = wait(*pair)
    return seen


def kill_one(victim):
    """Kill one that restarts itself; whether each of the pair is another run afterwards."""
    pair = ("haproxy.service", "apache2.service")
    start_all(*pair)
    before = {unit: run(unit) for unit in pair}
    kill(victim)
    seen = wait(*pair, until=lambda: run(victim) != before[victim] and state(*pair) == [UP, UP])
    return {"state": seen, "is_another": [run(unit) != before[unit] for unit in pair], "web": web()}


def command_on_follower(word):
    pair = ("haproxy.service", "apache2.service")
    start_all(*pair)
    before = run(pair[0])
    systemctl(word, pair[1])
    return {"state": wait(*pair), "main_is_the_same": run(pair[0]) == before}


def start_follower_alone():
    pair = ("haproxy.service", "apache2.service")
    systemctl("stop", *pair)
    systemctl("reset-failed", *pair)
    systemctl("start", pair[1])
    return wait(*pair)


def article():
    pair = ("article-proxy.service", "article-httpd.service")
    systemctl("start", pair[0])
    seen = {"started": wait(*pair)}
    systemctl("restart", pair[0])
    seen["restarted"] = wait(*pair)
    systemctl("stop", *pair)
    systemctl("reset-failed", *pair, check=False)
    return seen


def small():
    """The other ways of linking; a unit is named by its last letter."""
    everything = [f"small-{letter}.service" for letter in "abcdef"]
    a, b, c, d, e, f = everything
    start_all(*everything)
    seen = {"all": state(*everything)}
    kill(c)
    seen["c_killed"] = wait(a, b, c)
    start_all(*everything)
    before = run(d)
    kill(d)
    seen["d_killed"] = wait(d, until=lambda: run(d) != before and state(d) == [UP])
    before = run(d)
    kill(a)
    seen["a_killed"] = [*wait(a, b, c, d), run(d) == before]
    systemctl("start", a)
    seen["a_started"] = wait(a, b, c, d)
    systemctl("stop", a)
    seen["a_stopped"] = wait(a, b, c, d)
    kill(f)
    seen["f_killed"] = wait(e, f)
    start_all(e, f)
    systemctl("start", "small-g.service")
    seen["g_started"] = wait(e, f, "small-g.service")
    systemctl("start", e)
    seen["e_started"] = wait(e, f, "small-g.service")
    systemctl("stop", e)
    Path("/run/small-e-must-not-start").touch()
    systemctl("start", e)
    seen["e_refused"] = wait(e, f)
    Path("/run/small-e-must-not-start").unlink()
    systemctl("reset-failed")
    return seen


def play():
    return {
        "at_first": {"state": state("haproxy.service", "apache2.service"), "web": web()},
        "stop": command_on_main("stop"),
        "start": command_on_main("start"),
        "restart": command_on_main("restart"),
        "main_killed_for_good": kill_main_for_good(),
        "main_killed": kill_one("haproxy.service"),
        "follower_killed": kill_one("apache2.service"),
        "follower_restarted": command_on_follower("restart"),
        "follower_stopped": command_on_follower("stop"),
        "follower_started": start_follower_alone(),
        "article": article(),
        "small": small(),
    }


def rebooted():
    pair = ("haproxy.service", "apache2.service")
    return {"rebooted": {"state": wait(*pair), "times": [times(unit) for unit in pair], "web": web()}}


if __name__ == "__main__":
    story = json.loads(STORY.read_text()) if STORY.exists() else {}
    story.update({"play": play, "rebooted": rebooted}[sys.argv[1]]())
    STORY.write_text(json.dumps(story, indent=2))

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command unitcraft, as one file, against the module unit_lint and against systemd-analyze."""

from __future__ import annotations

import io
import json
import random
import re
import tarfile

import pytest
from lab import containers
from oracle import agreement
from tools import dist

PROGRAM = "/opt/unitcraft.pyz"
BASE = "2026-11-21 10:00:00"
EVENTS = (
    *("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly"),
    *("Mon..Fri 08:00", "Sat,Sun 12:30", "Mon,Tue *-*-* 03:00", "Mon,Wed..Sun 1:2:3", "*-*~01", "*-*~03/2 4:00"),
    *("*:0/15", "*-02-29 00:00", "2027-*-1..7 18:00:30.5", "*-*-* *:*:0/7.25", "Thu *-12-1..7", "00:00:01..30/10"),
    *("*-1,4..6/2-15 0/6:30", "2012-12-12", "Mon *-*-* 03:00 UTC", "12-24..26", "23:59:59"),
)


@pytest.fixture(scope="module")
def program(target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    dist.write_archive(dist.lay_out(folder / "laid-out"), folder / dist.ARCHIVE, dist.time_of_commit())
    containers.write_file(target.name, PROGRAM, (folder / dist.ARCHIVE).read_bytes(), "0755")
    return PROGRAM


def findings(found):
    return sorted(json.dumps({**finding, "releases": None}, sort_keys=True) for finding in found)


@pytest.fixture(scope="module")
def recorded(target):
    """A folder with a unit for each value of which the verdict of systemd is known."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number, case in enumerate(agreement.read(agreement.RECORDED)):
            name, text, _line = agreement.unit_of(case, f"case-{number:05}")
            content = text.encode("utf-8", "surrogateescape")
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    containers.run(target.name, ["sh", "-c", "mkdir /opt/recorded && tar -x -C /opt/recorded"], data=data.getvalue())
    return "/opt/recorded"


@pytest.mark.parametrize("folder", ["/lib/systemd/system", "/usr/lib/systemd/user", "recorded"])
def test_units_are_judged_as_by_the_module(target, program, folder, request):
    folder = request.getfixturevalue(folder) if "/" not in folder else folder
    module = target.module("unit_lint", paths=[folder], fail_on="never")
    release = str(module["systemd_version"])
    ended = target.run([program, "lint", folder, "--systemd", release, "--format", "json", "--fail-on", "never"])
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["checked"] == module["checked"]
    assert findings(report["findings"]) == findings(module["findings"])


def random_events(count):
    """Events of systemd's grammar; not all of them are valid."""
    chosen = random.Random(5)
    days, months = ("Mon", "Tue..Thu", "Sat,Sun", "Mon,Fri..Sun"), ("*", "1", "2,3", "6..9", "1/3")
    dates, hours = ("*", "1", "13", "1..7", "28/1", "31", "5/10"), ("*", "0", "3,15", "0/6", "9..17/2")
    seconds = ("", ":0", ":0/20", ":10..40", ":59", ":1.5")
    for _number in range(count):
        day = f"{chosen.choice(days)} " if chosen.random() < 0.5 else ""
        date = f"{chosen.choice(('*', '2027', '2026..2028'))}-{chosen.choice(months)}"
        mark = chosen.choice("--~")
        time = f"{chosen.choice(hours)}:{chosen.choice(('0', '*', '30', '0/15'))}{chosen.choice(seconds)}"
        yield f"{day}{date}{mark}{chosen.choice(dates)} {time}"


def test_calendar_events_mean_what_systemd_says(target, program):
    differing = []
    for event in (*EVENTS, *random_events(60)):
        command = ["systemd-analyze", "calendar", "--iterations=3", f"--base-time={BASE}", event]
        theirs = target.run(["env", "TZ=UTC", *command])
        ours = target.run(["env", "TZ=UTC", program, "calendar", event, "--after", BASE, "--iterations", "3"])
        if theirs.code != 0:
            same = ours.code == 2
        else:
            normalised = re.search(r"Normalized form: (.*)", theirs.out).group(1)
            moments = re.findall(r"(?:Next elapse|Iter(?:ation|\.) #\d): \w+ (\S+ [0-9:]+)", theirs.out)
            said = re.findall(r"^\w{3} (\S+ [0-9:]+)", ours.out, re.MULTILINE)
            same = ours.code == 0 and ours.out.startswith(f"Normalised: {normalised}\n") and moments == said
        if not same:
            differing.append((event, theirs.out + theirs.err, ours.out + ours.err))
    assert differing == []

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""unit_info's definition against systemd itself: same files in the same order, same text, same values.

Every unit that has a file in an image, plus a set that uses every way to override, on each release. Run with -s for
the numbers.
"""

from __future__ import annotations

import collections
import signal

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.properties import split_list
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Setting
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.commands import parse_exec
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.effective import Effective
from ansible_collections.unitcraft.systemd.plugins.module_utils._values.typed import TypedValues
from lab import containers
from oracle import on_target

ASK = """
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import info as _info
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import manager as _manager
question = _info.Question(tuple(given["names"]), frozenset(given["what"]), 10)
answer = _info.ask(_manager.Manager(), question)
answer = {"units": answer.units, "findings": [f._asdict() for f in answer.findings]}
"""

OVERRIDES = {
    "/usr/lib/systemd/system/o-base.service": "[Unit]\nDescription=base\n[Service]\n"
    "ExecStart=/bin/true a\nRestartSec=7\n",
    "/usr/lib/systemd/system/o-base.service.d/50-x.conf": "[Service]\nRestartSec=8\nEnvironment=A=1\n",
    "/run/systemd/system/o-base.service.d/50-x.conf": "[Service]\nRestartSec=9\n",
    "/etc/systemd/system/o-base.service.d/10-y.conf": "[Service]\nExecStart=\nExecStart=/bin/true b\nExecStart=\n"
    "ExecStart=/bin/true c d\n",
    "/etc/systemd/system/o-.service.d/60-prefix.conf": "[Unit]\nDescription=by prefix\n",
    "/etc/systemd/system/o-base.service.d/70-mask.conf": "-> /dev/null",
    "/usr/lib/systemd/system/o-base.service.d/70-mask.conf": "[Service]\nNice=5\n",
    "/etc/systemd/system/service.d/05-all.conf": "[Service]\nLogLevelMax=info\n",
    "/etc/systemd/system/o-alias.service": "-> /usr/lib/systemd/system/o-base.service",
    "/etc/systemd/system/o-alias.service.d/80-by-alias.conf": "[Service]\nUMask=0027\n",
    "/usr/lib/systemd/system/o-w@.service": "[Service]\nExecStart=/bin/true %i\n",
    "/etc/systemd/system/o-w@.service.d/1.conf": "[Service]\nTimeoutStopSec=1min 5s\n",
    "/etc/systemd/system/o-w@7.service.d/2.conf": "[Service]\nTimeoutStopSec=2min\n",
    "/etc/systemd/system/o-@.service.d/3.conf": "[Service]\nMemoryMax=1.5G\n",
    "/etc/systemd/system/o-v@.service": "-> /usr/lib/systemd/system/o-w@.service",
    "/srv/o/linked.service": "[Service]\nExecStart=/bin/true linked\n",
    "/etc/systemd/system/o-linked.service": "-> /srv/o/linked.service",
    "/etc/systemd/system/o-masked.service": "-> /dev/null",
    "/usr/lib/systemd/system/o-masked.service": "[Service]\nExecStart=/bin/true\n",
    "/usr/lib/systemd/system/o-self.service": "[Service]\nExecStart=/bin/true self\n",
    "/etc/systemd/system/o-self.service": "-> /usr/lib/systemd/system/o-self.service",
    "/etc/systemd/system/o-reset.timer": "[Timer]\nOnCalendar=daily\nOnBootSec=5min\n"
    "OnUnitActiveSec=\nOnCalendar=weekly\n",
    "/etc/systemd/system/o-reset.service": "[Service]\nExecStart=/bin/true\n",
    "/etc/systemd/system/o-cond.service": "[Unit]\nConditionPathExists=/a\nConditionUser=root\nConditionHost=\n"
    "ConditionPathExists=/b\n[Service]\nExecStart=/bin/true\n",
    "/etc/systemd/system/o-list.socket": "[Socket]\nListenStream=/run/a\nListenFIFO=/run/f\nListenDatagram=\n"
    "ListenStream=/run/c\n",
    "/etc/systemd/system/o-list.service": "[Service]\nExecStart=/bin/true\n",
    "/etc/systemd/system/o--b.service": "[Service]\nExecStart=/bin/true\n",
    "/etc/systemd/system/o--.service.d/4.conf": "[Service]\nNice=4\n",
}
LINKED = {
    path: text[3:] for path, text in OVERRIDES.items() if text.startswith("-> /srv/")
}  # as old releases name them
# names that only exist as instances or aliases, and one that has drop-ins only
EXTRA = ("o-w@7.service", "o-w@8.service", "o-v@7.service", "o-alias.service", "o-nothing.service")


@pytest.fixture(scope="module", params=sorted(containers.SUITES))
def target(request):
    """A container with the set of overrides; gives its name and release."""
    name = "definition" + request.param
    containers.start(request.param, name)
    on_target.install(name)
    for path, text in OVERRIDES.items():
        folder = path.rpartition("/")[0]
        containers.run(name, ["mkdir", "-p", folder])
        if text.startswith("-> "):
            containers.run(name, ["ln", "-sfn", text[3:], path])
        else:
            containers.write_file(name, path, text)
    containers.run(name, ["systemctl", "daemon-reload"])
    yield name, int(request.param)
    containers.stop(name)


@pytest.fixture(scope="module")
def described(target):
    name, _release = target
    answer = on_target.call(name, ASK, {"names": ["*", *EXTRA], "what": ["definition", "files", "state"]})
    return answer["units"]


@pytest.fixture(scope="module")
def shown(target, described):
    """Every property of every unit that has a file, by any name."""
    name, _release = target
    names = [n for n, unit in described.items() if unit["shape"] != "template" and unit["definition"]]
    done = containers.run(name, ["env", "LC_ALL=C", "TZ=UTC", "systemctl", "show", "--all", "--", *names], check=False)
    units = {}
    for block in done.stdout.split("\n\n"):
        properties = collections.defaultdict(list)
        for line in block.splitlines():
            key, _equals, value = line.partition("=")
            properties[key].append(value)
        for unit in split_list(properties.get("Names", [""])[0]):
            units[unit] = properties
    return units


def by_name(described):
    return {name: unit for name, unit in described.items() if unit["shape"] != "template" and unit["definition"]}


def test_the_same_files_in_the_same_order(target, described, shown):
    _name, release = target
    wrong, count = [], 0
    for name, unit in by_name(described).items():
        properties = shown[name]
        fragment = properties["FragmentPath"][0]
        ours = unit["definition"]
        count += 1
        if properties["LoadState"] != ["loaded"]:  # newer releases do not look for drop-ins and aliases of those
            # an alias of a masked unit fails to load in some releases
            if unit["masked"] != (properties["LoadState"] in (["masked"], ["error"])):
                wrong.append((name, unit["masked"], properties["LoadState"]))
            continue
        if (
            release < 250
            and fragment
            and not fragment.startswith(("/etc/systemd", "/run/systemd", "/lib/", "/usr/lib/"))
        ):
            assert ours["fragment"], name  # older releases name the file that a linked unit leads to
        elif (ours["fragment"] or "") != fragment:
            wrong.append((name, ours["fragment"], fragment))
        if ours["dropins"] != split_list(properties["DropInPaths"][0]):
            wrong.append((name, ours["dropins"], properties["DropInPaths"]))
        if unit["id"] != properties["Id"][0]:
            wrong.append((name, unit["id"], properties["Id"]))
        if sorted({name, *unit["aliases"]}) != sorted(split_list(properties["Names"][0])):
            wrong.append((name, unit["aliases"], properties["Names"]))
    print(f"\n{release}: files, id and names of {count} units compared")
    assert not wrong, "\n".join(str(item) for item in wrong[:40])
    assert count > 150


def test_the_same_text_as_systemctl_cat(target, described, shown):
    name, release = target
    units = {n: u for n, u in by_name(described).items() if not u["masked"] and u["id"] == n}
    done = containers.run(name, ["systemctl", "cat", "--", *units], check=False)
    wrong, count = [], 0
    for unit in units.values():
        for file in unit["files"]:
            place = LINKED.get(file["path"])
            heads = [file["path"], f"{file['path']} -> {place}", place]
            count += 1
            content = file["content"].rstrip("\n")
            if content and not any(f"# {head}\n{content}" in done.stdout for head in heads):
                wrong.append(file["path"])
    print(f"\n{release}: text of {count} files compared")
    assert not wrong
    assert count > 150


# what show tells in other words than the file, or not at all
_NOT_SHOWN_ALIKE = """
    CapabilityBoundingSet AmbientCapabilities SystemCallFilter SystemCallLog SystemCallArchitectures SecureBits
    RestrictAddressFamilies RestrictNamespaces StandardInput StandardOutput StandardError DeviceAllow LoadCredential
    SocketUser LogLevelMax SyslogLevel SyslogFacility SyslogLevelPrefix IPAddressAllow IPAddressDeny Slice Sockets
    RestrictFileSystems ImportCredential SetCredential Delegate CPUQuota BindPaths BindReadOnlyPaths
    WorkingDirectory TemporaryFileSystem SuccessExitStatus RestartPreventExitStatus RestartForceExitStatus
    Unit Type What Where Options Also Alias WantedBy RequiredBy UpheldBy DefaultInstance OpenFile
    MemoryPressureWatch
"""
NOT_SHOWN_ALIKE = frozenset(_NOT_SHOWN_ALIKE.split())
NUMBERS = {  # what show prints as a number
    "EPERM": "1",
    "idle": {"IOSchedulingClass": "3", "CPUSchedulingPolicy": "5"},
}
NOT_OF_THE_FILE = frozenset(("WatchdogSec",))  # the service may change it; not set while it does not run


def property_of(directive: str) -> str:
    return directive[:-3] + "USec" if directive.endswith("Sec") else directive


def plain(item):
    """A path without slashes at its end."""
    return item.rstrip("/") or item


def signal_number(name):
    name = name if name.startswith("SIG") else "SIG" + name
    base, _plus, offset = name.partition("+")
    return getattr(signal, base) + int(offset or 0)


def comparable(directive, definition, section):
    """Whether show tells the directive in terms that can be compared."""
    known = _catalog.get(section, directive)
    return (
        known is not None
        and definition["value"] is not None
        and directive not in NOT_SHOWN_ALIKE | NOT_OF_THE_FILE
        and not directive.startswith(("Condition", "Assert"))
        and not (section == "Timer" and known.parser == "timer")  # calendar expressions are shown in their normal form
        and not any("%" in place["text"] for place in definition["set_by"])
    )


def same(directive, definition, section, properties, aliases=None):
    """True or False when show tells the directive in terms that can be compared, else None."""
    if not comparable(directive, definition, section):
        return None
    value = definition["value"]
    texts = [place["text"] for place in definition["set_by"]]
    known = _catalog.get(section, directive)
    if known.parser == "socket_listen":
        return all(any(text in shown for shown in properties["Listen"]) for text in texts)
    if known.parser == "path_spec":
        return all(f"{text} ({directive})" in properties["Paths"] for text in texts)
    key = property_of(directive)
    if key not in properties:
        return None
    shown = properties[key]
    if known.joins == "exec":
        return len(shown) == len(texts) and all(
            f"argv[]={' '.join(command.argv)} ;" in line
            for text, line in zip(texts, shown)
            for command in parse_exec(text)
        )
    if known.joins in ("words", "deps", "lines", "colons"):
        return same_list(known.joins, value, shown, aliases or {})
    return same_scalar(directive, value, section, known, shown)


def same_list(joins, value, shown, aliases):
    """Whether show lists all that the directive names."""
    ours = set(value)
    theirs = {word for line in shown for word in split_list(line)}
    if joins == "lines":
        ours = {item.lstrip("-") for item in ours}
        theirs = {line.partition(" (ignore_errors")[0] for line in shown}
    return {plain(aliases.get(item, item)) for item in ours} <= {plain(item) for item in theirs}


def same_scalar(directive, value, section, known, shown):
    """Whether show has the one value of the directive."""
    if known.parser == "signal":
        return signal_number(value) == int(shown[-1])
    if directive == "TimeoutStopSec" and value == 0:
        return shown[-1] == "infinity"  # systemd.service(5)
    if value in NUMBERS:
        number = NUMBERS[value]
        return shown[-1] == (number if isinstance(number, str) else number[directive])
    if known.parser == "mode":
        return int(value, 8) == int(shown[-1], 8)
    entry = Effective("single", known, [Setting(section, directive, shown[-1], 0)], [], [])
    return value == TypedValues().typed(entry) or str(value) == shown[-1]


def test_the_same_values_as_systemctl_show(target, described, shown):
    _name, release = target
    wrong, compared, silent = [], 0, collections.Counter()
    aliases = {name: unit["id"] for name, unit in described.items()}
    for name, unit in by_name(described).items():
        if unit["masked"] or shown[name]["LoadState"] != ["loaded"] or shown[name]["NeedDaemonReload"] != ["no"]:
            continue
        for section, directives in unit["definition"]["sections"].items():
            for directive, definition in directives.items():
                verdict = same(directive, definition, section, shown[name], aliases)
                if verdict is None:
                    silent[directive] += 1
                else:
                    compared += 1
                    if not verdict:
                        key = property_of(directive)
                        wrong.append((name, directive, definition["value"], shown[name].get(key)))
    print(f"\n{release}: {compared} values compared, {sum(silent.values())} not told by show in the same terms")
    assert not wrong, "\n".join(str(item) for item in wrong[:40])
    assert compared > 500


COUNT = """
import subprocess, sys
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import info as _info
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import manager as _manager
started = []
sys.addaudithook(lambda event, arguments: started.append(arguments[0]) if event == "subprocess.Popen" else None)
_info.ask(_manager.Manager(), _info.Question(("*",), frozenset(_info.ASPECTS), 5))
answer = [str(program) for program in started]
"""


def test_at_most_three_processes_for_all_units(target):
    started = on_target.call(target[0], COUNT)
    assert sorted(started) == ["journalctl", "systemctl", "systemd-analyze"]

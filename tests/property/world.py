# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a history is drawn from: items of module ``units``.

Every strategy gives plain data, so that a history can be printed, shrunk, and played again as a playbook. There are few
names, so that most declarations meet another one: what makes units move each other is drawn more often than a host
would have it.
"""

from __future__ import annotations

import typing as t

from hypothesis import strategies as st

SERVICES = ("m-a.service", "m-b.service", "m-c.service")
USER = "malice"
SYSTEMCTL_OF_USER = f"runuser -u {USER} -- env XDG_RUNTIME_DIR=/run/user/$(id -u {USER}) systemctl --user"
USER_SERVICES = ("m-ua.service", "m-ub.service")  # of this user's manager; all others are the system's
TEMPLATE = "m-w@.service"
INSTANCES = ("1", "2", "3")
VENDOR = "m-v.service"
RELEASED = "m-r.service"
VERSIONS = ("10001", "10002", "10003", "sick")  # of RELEASED; the host has them in SOURCES
RELEASE = "/opt/m-r"
SOURCES = "/opt/m-sources"
FILES = "/opt/m-files"  # holds a file for each service that reads one, by the name of the service
MOUNT = "run-mmnt.mount"
JOB = "m-j.service"
SICK = "/run/m-sick"  # while it is there, a flaky program fails
TRIGGER = "/run/m-trigger"
# Directives of [Unit] that tie one unit to another; Upholds= and StopPropagatedFrom= are new in 249.
LINKS = ("Requires", "BindsTo", "PartOf", "Wants", "Upholds", "Conflicts", "Requisite", "StopPropagatedFrom")
FAILS = "/bin/false"
ENDS = "/bin/sleep 0.1"

Item = dict[str, t.Any]

numbers = st.integers(10000, 10009)


def weighted(*choices: tuple[int, t.Any]) -> st.SearchStrategy[t.Any]:
    """One of some values, each as often as the number before it says."""
    return st.sampled_from([value for weight, value in choices for _time in range(weight)])


def mixed(*choices: tuple[int, st.SearchStrategy[t.Any]]) -> st.SearchStrategy[t.Any]:
    """A draw from one of some strategies; ``one_of`` takes one that it is given twice for one."""
    strategies = [strategy for weight, strategy in choices for _time in range(weight)]
    return st.integers(0, len(strategies) - 1).flatmap(strategies.__getitem__)


def is_users(name: str) -> bool:
    """Whether a unit is one of the user's manager."""
    return name in USER_SERVICES


def wanted_by(name: str) -> dict[str, str]:
    return {"WantedBy": "default.target" if is_users(name) else "multi-user.target"}


# --- services -----------------------------------------------------------------------------------------------------


def reading(path: str) -> str:
    """A program that reads a number when it starts; which one it was shows in its command line."""
    return f"/bin/sh -c 'exec /bin/sleep $$(cat {path})'"


@st.composite
def programs(draw: st.DrawFn, name: str) -> str:
    """A program that runs; fails while it is sick; reads a file; or ends, well or badly."""
    kind = draw(weighted((6, "runs"), (2, "sick"), (2, "reads"), (1, "ends")))
    if kind == "ends":
        return draw(st.sampled_from(["/bin/true", FAILS, "/bin/sh -c 'echo last words; exit 3'"]))
    number = draw(numbers)
    if kind == "sick":
        return f"/bin/sh -c 'test ! -e {SICK} || exit 4; exec /bin/sleep {number}'"
    if kind == "reads" and name in SERVICES:
        return reading(f"{FILES}/{name}")
    return f"/bin/sleep {number}"


oneshots = weighted((3, "/bin/true"), (1, FAILS), (1, "/bin/sh -c 'sleep 0.3; exit 0'"))


@st.composite
def service_sections(draw: st.DrawFn, name: str) -> dict[str, t.Any]:
    """Sections of a service: program, kind, restart policy, commands, ties to others, installation."""
    service: dict[str, t.Any] = {"Type": draw(weighted((4, "exec"), (2, "simple"), (1, "oneshot")))}
    service["ExecStart"] = draw(oneshots if service["Type"] == "oneshot" else programs(name))
    if service["Type"] == "oneshot":
        service.update(draw(st.sampled_from([{}, {"RemainAfterExit": True}])))
    else:
        service.update(draw(weighted((3, {}), (1, {"Restart": "always"}), (1, {"Restart": "on-failure"}))))
    if "Restart" in service:
        service["RestartSec"] = draw(st.sampled_from(["100ms", "300ms"]))
    service.update(draw(weighted((2, {}), (1, {"ExecReload": "/bin/true"}), (1, {"ExecReload": FAILS}))))
    unit: dict[str, t.Any] = {"Description": f"number {draw(numbers)}", **draw(ties(name))}
    unit.update(draw(weighted((3, {}), (1, {"StartLimitBurst": 3, "StartLimitIntervalSec": 600}))))
    unit.update(draw(weighted((14, {}), (1, {"RefuseManualStart": True}), (1, {"RefuseManualStop": True}))))
    return {"Unit": unit, "Service": service, **draw(installation(name))}


links = weighted((3, "Conflicts"), (3, "Upholds"), (2, "Requires"), (2, "Wants"), *((1, link) for link in LINKS))


@st.composite
def ties(draw: st.DrawFn, name: str) -> dict[str, t.Any]:
    """At most two dependencies on other units of the pool; ordered, so that there is no cycle."""
    if is_users(name):
        others = [other for other in USER_SERVICES if other < name]
    else:
        others = [other for other in SERVICES if other < name or name not in SERVICES]
        others += ["m-s.socket", "m-z.target"] if name == TEMPLATE else []
    found: dict[str, t.Any] = {}
    for _number in range(draw(st.integers(0, 2)) if others else 0):
        other = draw(st.sampled_from(others))
        found[draw(links)] = other
        if draw(st.booleans()):
            found["After"] = other
    return found


@st.composite
def installation(draw: st.DrawFn, name: str) -> dict[str, t.Any]:
    install = dict(draw(weighted((1, {}), (4, wanted_by(name)), (1, {"RequiredBy": "m-z.target"}))))
    if install and draw(weighted((4, False), (1, True))):
        install["Alias"] = f"m-alias-{name}"
    if install and name in SERVICES and draw(st.booleans()):
        install["Also"] = draw(st.sampled_from([other for other in SERVICES if other != name]))
    return {"Install": install} if install else {}


@st.composite
def run_state(draw: st.DrawFn) -> Item:
    """What of a unit's run state is declared, and how it follows changes."""
    found: Item = {}
    state = draw(weighted((7, "started"), (1, None), (1, "stopped"), (1, "restarted"), (1, "reloaded")))
    enabled = draw(weighted((3, True), (1, None), (1, False)))
    on_change = draw(weighted((6, None), (1, "restart"), (1, "reload"), (1, "none")))
    for option, value in (("state", state), ("enabled", enabled), ("on_change", on_change)):
        if value is not None:
            found[option] = value
    if draw(weighted((2, False), (1, True))):
        found["triggers"] = [draw(st.sampled_from([TRIGGER, {"path": TRIGGER, "reload": True}]))]
    if draw(weighted((5, False), (1, True))):
        found["health"] = draw(health)
    return found


health = st.fixed_dictionaries(
    {"timeout": st.just(6)},
    optional={
        "stable": st.just(0.5),
        "probes": st.sampled_from([[{"command": ["/bin/true"]}], [{"command": ["test", "!", "-e", SICK]}]]),
    },
)


@st.composite
def services(draw: st.DrawFn, names: t.Sequence[str] = SERVICES) -> list[Item]:
    name = draw(st.sampled_from(names))
    item = {"name": name, "sections": draw(service_sections(name)), **draw(run_state())}
    if FILES in item["sections"]["Service"]["ExecStart"]:
        item["files"] = [{"path": f"{FILES}/{name}", "content": f"{draw(numbers)}\n"}]
    return [item]


@st.composite
def templates(draw: st.DrawFn) -> list[Item]:
    sections = {**draw(service_sections(TEMPLATE)), "Install": wanted_by(TEMPLATE)}
    return [{"name": TEMPLATE, "sections": sections, "instances": draw(instances), **draw(run_state())}]


instances = st.lists(st.sampled_from(INSTANCES), min_size=1, max_size=2, unique=True)


@st.composite
def released(draw: st.DrawFn) -> list[Item]:
    """A service whose program comes in versions."""
    program = reading(f"{RELEASE}/current/number")
    sections = {"Service": {"Type": "exec", "ExecStart": program}, "Install": wanted_by(RELEASED)}
    version = draw(st.sampled_from(VERSIONS))
    release = {"path": RELEASE, "remote_src": f"{SOURCES}/{version}", "version": version, "keep": 2}
    item = {"name": RELEASED, "sections": sections, "release": release, "state": "started", "enabled": True}
    # A program that ends a moment after its start is up when nobody looks a second time.
    return [{**item, "health": {"timeout": 6, "stable": 0.5}}]


# --- other kinds --------------------------------------------------------------------------------------------------


@st.composite
def sockets(draw: st.DrawFn) -> list[Item]:
    accept = draw(st.integers(0, 3)) == 3
    service = "m-s@.service" if accept else "m-s.service"
    listen = {"ListenStream": f"/run/m-{draw(numbers)}.sock", **({"Accept": True} if accept else {})}
    socket: Item = {"name": "m-s.socket", "sections": {"Socket": listen, "Install": {"WantedBy": "sockets.target"}}}
    if draw(st.integers(0, 3)) == 3 and not accept:
        socket["sections"]["Install"]["Also"] = service
    body = {"Service": {"Type": "exec", "ExecStart": f"/bin/sleep {draw(numbers)}"}, "Install": wanted_by(service)}
    socket.update(state=draw(st.sampled_from(["started", "stopped"])), enabled=draw(st.booleans()))
    item: Item = {"name": service, "sections": body}
    if not accept:
        item.update(draw(st.sampled_from([{}, {"state": "started"}, {"state": "stopped"}])))
    return [socket, item]


@st.composite
def jobs(draw: st.DrawFn) -> list[Item]:
    """A oneshot job and what starts it: a timer or a path."""
    job: Item = {"name": JOB, "sections": {"Service": {"Type": "oneshot", "ExecStart": draw(oneshots)}}}
    if draw(st.booleans()):
        times = draw(
            st.sampled_from([{"OnCalendar": "*-*-* 03:00"}, {"OnCalendar": "Mon 04:00"}, {"OnUnitActiveSec": "9h"}])
        )
        starter: Item = {"name": "m-j.timer", "sections": {"Timer": times, "Install": {"WantedBy": "timers.target"}}}
    else:
        watched = draw(st.sampled_from(["/run/m-none", "/run"]))
        starter = {"name": "m-j.path", "sections": {"Path": {"PathExists": watched}, "Install": wanted_by(JOB)}}
        if watched == "/run":
            job["sections"]["Service"].update(ExecStart=ENDS, Type="exec")
            starter["sections"]["Path"] = {"PathChanged": "/run/m-none"}
    starter.update(state=draw(st.sampled_from(["started", "stopped"])), enabled=draw(st.booleans()))
    return [job, starter]


@st.composite
def mounts(draw: st.DrawFn) -> list[Item]:
    mount = {"What": "tmpfs", "Where": "/run/mmnt", "Type": "tmpfs", "Options": f"size={draw(st.integers(1, 3))}M"}
    return [{"name": MOUNT, "sections": {"Mount": mount}, "state": draw(st.sampled_from(["started", "stopped"]))}]


@st.composite
def targets(draw: st.DrawFn) -> list[Item]:
    wants = draw(st.lists(st.sampled_from(SERVICES), max_size=2, unique=True))
    unit = {"Description": f"number {draw(numbers)}", **({"Wants": wants} if wants else {})}
    return [{"name": "m-z.target", "sections": {"Unit": unit}, "state": draw(st.sampled_from(["started", "present"]))}]


@st.composite
def dropins(draw: st.DrawFn) -> list[Item]:
    name = draw(st.sampled_from([*SERVICES, TEMPLATE, "m-w@1.service", VENDOR]))
    body = draw(
        st.sampled_from(
            [
                {"Service": {"RestartSec": "3s"}},
                {"Service": {"Environment": {"M_ONE": "1"}}},
                # With its type: systemd waits for ever for the end of a oneshot.
                {"Service": {"Type": "exec", "ExecStart": ["", "/bin/sleep 20000"]}},
                {"Unit": {"Description": "by a drop-in"}},
                {"Install": {"WantedBy": "graphical.target"}},
            ]
        )
    )
    item: Item = {"name": name, "dropin": draw(st.sampled_from(["10-m-x", "50-m-x"])), "sections": body}
    if draw(st.integers(0, 4)) == 4:
        item["state"] = "absent"
    return [item]


@st.composite
def masks(draw: st.DrawFn) -> list[Item]:
    name = draw(weighted((3, VENDOR), (1, SERVICES[0])))
    rest = draw(weighted((2, {}), (1, {"enabled": False}), (1, {"state": "stopped"})))
    wanted = draw(weighted((1, {}), (1, {"enabled": True}), (2, {"enabled": True, "state": "started"})))
    return [{"name": name, **draw(st.sampled_from([{"masked": True, **rest}, {"masked": False, **wanted}]))}]


declarations = mixed(
    (6, services()),
    (3, templates()),
    (1, services(USER_SERVICES)),
    (1, released()),
    (1, sockets()),
    (1, jobs()),
    (1, mounts()),
    (1, targets()),
    (1, dropins()),
    (3, masks()),
)

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a history is drawn from: items of module ``units``, and what an administrator or an accident does in between.

Every strategy gives plain data, so that a history can be printed, shrunk, and played again as a playbook.
"""

from __future__ import annotations

import typing as t

from hypothesis import strategies as st

SERVICES = ("m-a.service", "m-b.service", "m-c.service", "m-d.service")
TEMPLATE = "m-w@.service"
INSTANCES = ("1", "2", "3")
VENDOR = "m-v.service"
MOUNT = "run-mmnt.mount"
JOB = "m-j.service"
SICK = "/run/m-sick"  # while it is there, a flaky program fails
TRIGGER = "/run/m-trigger"
# Directives of [Unit] that tie one unit to another; Upholds= and StopPropagatedFrom= are new in 249.
LINKS = ("Requires", "BindsTo", "PartOf", "Wants", "Upholds", "Conflicts", "Requisite", "StopPropagatedFrom")
WANTED_BY = {"WantedBy": "multi-user.target"}

Item = dict[str, t.Any]

numbers = st.integers(10000, 10009)


def maybe(strategy: st.SearchStrategy[t.Any], nothing: t.Any = None) -> st.SearchStrategy[t.Any]:
    return st.one_of(st.just(nothing), strategy)


# --- services -----------------------------------------------------------------------------------------------------

# What a program does, by the words of the story: runs, ends well, ends badly, crashes soon, fails while it is sick.
programs = st.one_of(
    numbers.map(lambda n: f"/bin/sleep {n}"),
    numbers.map(lambda n: f"/bin/sleep {n}"),
    numbers.map(lambda n: f"/bin/sh -c 'test ! -e {SICK} || exit 4; exec /bin/sleep {n}'"),
    numbers.map(lambda n: f"/bin/sleep {n}"),
    st.sampled_from(["/bin/true", "/bin/false", "/bin/sh -c 'echo last words; exit 3'"]),
)


@st.composite
def service_sections(draw: st.DrawFn, name: str) -> dict[str, t.Any]:
    """Sections of a service: program, kind, restart policy, commands, ties to others, installation."""
    service: dict[str, t.Any] = {"Type": draw(st.sampled_from(["exec", "simple", "oneshot"]))}
    service["ExecStart"] = draw(programs) if service["Type"] != "oneshot" else draw(oneshots)
    if service["Type"] == "oneshot" and draw(st.booleans()):
        service["RemainAfterExit"] = True
    if draw(st.booleans()) and service["Type"] != "oneshot":
        service["Restart"] = draw(st.sampled_from(["always", "on-failure"]))
        service["RestartSec"] = draw(st.sampled_from(["100ms", "300ms"]))
    reload = draw(maybe(st.sampled_from(["/bin/true", "/bin/false"])))
    if reload:
        service["ExecReload"] = reload
    unit: dict[str, t.Any] = {"Description": f"number {draw(numbers)}", **draw(ties(name))}
    unit.update(draw(st.sampled_from([{}, {}, {}, {"StartLimitBurst": 3, "StartLimitIntervalSec": 600}])))
    unit.update(draw(st.sampled_from([{}, {}, {}, {}, {"RefuseManualStart": True}, {"RefuseManualStop": True}])))
    return {"Unit": unit, "Service": service, **draw(installation(name))}


oneshots = st.sampled_from(["/bin/true", "/bin/true", "/bin/false", "/bin/sh -c 'sleep 0.3; exit 0'"])


@st.composite
def ties(draw: st.DrawFn, name: str) -> dict[str, t.Any]:
    """At most two dependencies on other units of the pool; ordered, so that there is no cycle."""
    others = [other for other in (*SERVICES, "m-s.socket", "m-z.target") if other < name or name not in SERVICES]
    others = [other for other in others if other != name]
    if not others:
        return {}
    found: dict[str, t.Any] = {}
    for _number in range(draw(st.integers(0, 2))):
        other = draw(st.sampled_from(others))
        found[draw(st.sampled_from(LINKS))] = other
        if draw(st.booleans()):
            found["After"] = other
    return found


@st.composite
def installation(draw: st.DrawFn, name: str) -> dict[str, t.Any]:
    install: dict[str, t.Any] = draw(st.sampled_from([{}, WANTED_BY, WANTED_BY, {"RequiredBy": "m-z.target"}]))
    install = dict(install)
    if install and draw(st.integers(0, 4)) == 4:
        install["Alias"] = f"m-alias-{name}"
    if install and draw(st.integers(0, 4)) == 4:
        install["Also"] = draw(st.sampled_from([other for other in SERVICES if other != name]))
    return {"Install": install} if install else {}


@st.composite
def run_state(draw: st.DrawFn) -> Item:
    found: Item = {}
    state = draw(st.sampled_from([None, "started", "started", "started", "stopped", "restarted", "reloaded"]))
    if state:
        found["state"] = state
    enabled = draw(st.sampled_from([None, True, True, False]))
    if enabled is not None:
        found["enabled"] = enabled
    on_change = draw(st.sampled_from([None, None, None, "restart", "reload", "none"]))
    if on_change:
        found["on_change"] = on_change
    if draw(st.integers(0, 3)) == 3:
        found["triggers"] = [draw(st.sampled_from([TRIGGER, {"path": TRIGGER, "reload": True}]))]
    if draw(st.integers(0, 5)) == 5:
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
def services(draw: st.DrawFn) -> list[Item]:
    name = draw(st.sampled_from(SERVICES))
    return [{"name": name, "sections": draw(service_sections(name)), **draw(run_state())}]


@st.composite
def templates(draw: st.DrawFn) -> list[Item]:
    sections = draw(service_sections(TEMPLATE))
    sections["Install"] = WANTED_BY
    state = draw(run_state())
    return [{"name": TEMPLATE, "sections": sections, "instances": draw(instances), **state}]


instances = st.lists(st.sampled_from(INSTANCES), min_size=1, max_size=2, unique=True)


# --- other kinds --------------------------------------------------------------------------------------------------


@st.composite
def sockets(draw: st.DrawFn) -> list[Item]:
    accept = draw(st.integers(0, 3)) == 3
    service = "m-s@.service" if accept else "m-s.service"
    listen = {"ListenStream": f"/run/m-{draw(numbers)}.sock", **({"Accept": True} if accept else {})}
    socket: Item = {"name": "m-s.socket", "sections": {"Socket": listen, "Install": {"WantedBy": "sockets.target"}}}
    if draw(st.integers(0, 3)) == 3 and not accept:
        socket["sections"]["Install"]["Also"] = service
    body = {"Service": {"Type": "exec", "ExecStart": f"/bin/sleep {draw(numbers)}"}, "Install": WANTED_BY}
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
        starter = {"name": "m-j.path", "sections": {"Path": {"PathExists": watched}, "Install": WANTED_BY}}
        if watched == "/run":
            job["sections"]["Service"].update(ExecStart="/bin/sleep 0.1", Type="exec")
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
    name = draw(st.sampled_from([VENDOR, VENDOR, "m-a.service"]))
    if draw(st.booleans()):
        return [{"name": name, "masked": True, **draw(st.sampled_from([{}, {"enabled": False}, {"state": "stopped"}]))}]
    extra = draw(st.sampled_from([{}, {"enabled": True}, {"enabled": True, "state": "started"}]))
    return [{"name": name, "masked": False, **extra}]


declarations = st.one_of(
    services(), services(), services(), templates(), sockets(), jobs(), mounts(), targets(), dropins(), masks()
)


# --- changes of what is declared ----------------------------------------------------------------------------------

changes = st.sampled_from(
    ["description", "command", "state", "enabled", "order", "reload", "install", "target", "tie", "tie", "both", "both"]
)


def changed(item: Item, kind: str, number: int) -> Item:
    """The item after a change; itself when that change does not fit it."""
    for one in ("state", "command") if kind == "both" else (kind,):
        item = _changed_once(item, one, number)
    return item


def _changed_once(item: Item, kind: str, number: int) -> Item:
    sections = {name: dict(body) for name, body in item.get("sections", {}).items()}
    new = {**item, "sections": sections} if sections else dict(item)
    if kind == "description" and sections:
        sections.setdefault("Unit", {})["Description"] = f"number {number}"
    elif kind == "command" and str(sections.get("Service", {}).get("ExecStart", "")).startswith("/bin/sleep"):
        sections["Service"]["ExecStart"] = f"/bin/sleep {number}"
    elif kind == "state" and item.get("state") in ("started", "stopped"):
        new["state"] = {"started": "stopped", "stopped": "started"}[item["state"]]
    elif kind == "enabled" and isinstance(item.get("enabled"), bool):
        new["enabled"] = not item["enabled"]
    elif kind == "order" and sections:
        new["sections"] = dict(reversed(sections.items()))
    elif kind == "reload" and "Service" in sections:
        sections["Service"]["ExecReload"] = "/bin/true" if number % 2 else "/bin/false"
        new["state"] = "reloaded"
    elif kind == "tie" and item["name"] in SERVICES[1:] and "Service" in sections:
        other = SERVICES[number % SERVICES.index(item["name"])]
        sections.setdefault("Unit", {})[LINKS[number % len(LINKS)]] = other
    elif kind == "install" and "Install" in sections:
        sections.pop("Install")
    elif kind == "target" and "WantedBy" in sections.get("Install", {}):
        sections["Install"]["WantedBy"] = "graphical.target"
    return new


# --- what happens in between --------------------------------------------------------------------------------------

VENDOR_TEXT = (
    "[Unit]\\nDescription=of a package\\n[Service]\\nExecStart=/bin/sleep 30000\\n"
    "[Install]\\nWantedBy=multi-user.target\\n"
)
FOREIGN = "/etc/systemd/system/{name}.d/80-m-foreign.conf"

FALL_SICK = "touch " + SICK
GET_WELL = "rm -f " + SICK
FIRE = "date +%N > " + TRIGGER
MAKE_VENDOR = "printf '" + VENDOR_TEXT + "' > /usr/lib/systemd/system/" + VENDOR + "; systemctl daemon-reload"

SCRIPTS = (
    "systemctl stop {name}",
    "systemctl start {name}",
    "systemctl restart {name}",
    "systemctl kill -s KILL {name}",
    "systemctl enable {name}",
    "systemctl disable {name}",
    "systemctl mask --runtime {name}",
    "systemctl unmask --runtime {name}",
    "systemctl reset-failed {name}",
    "chmod 600 /etc/systemd/system/{name}",
    "echo '# by hand' >> /etc/systemd/system/{name}",
    "printf '[Unit]\\nDescription=by hand\\n' >> /etc/systemd/system/{name}; systemctl daemon-reload",
    "rm -f /etc/systemd/system/{name}; systemctl daemon-reload",
    "mkdir -p /etc/systemd/system/{name}.d; printf '[Unit]\\nDescription=foreign\\n' > " + FOREIGN,
    FALL_SICK,
    GET_WELL,
    FIRE,
    FIRE,
    MAKE_VENDOR,
    f"rm -f /usr/lib/systemd/system/{VENDOR}; systemctl daemon-reload",
    "systemctl enable --now " + VENDOR,
    "systemctl daemon-reload",
    "systemctl daemon-reexec",
)

accidents = st.builds(
    lambda script, name: script.format(name=name),
    st.sampled_from(SCRIPTS),
    st.sampled_from([*SERVICES, "m-w@1.service", "m-s.socket", VENDOR, "m-j.timer"]),
)

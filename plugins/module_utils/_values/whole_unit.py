# SPDX-License-Identifier: GPL-3.0-or-later

"""Why systemd refuses a unit whose lines are all good. Source: the ``*_verify()`` functions of systemd 247 to 262."""

from __future__ import annotations

import typing as t

from .._model import ERROR, WARNING, Setting
from .._syntax.commands import parse_exec
from .._syntax.effective import effective
from .._syntax.names import unit_escape
from .numbers import parse_bool, parse_unsigned, quoted


class Fault(t.NamedTuple):
    """One thing that is wrong with a unit as a whole."""

    directive: str  # of the unit's own section
    message: str
    hint: str
    missing: bool = False  # the directive is to be added; otherwise it is the one that does harm
    severity: str = ERROR


class Loaded:
    """The settings of a unit that hold in the end.

    :ivar section: the section of the unit's own kind, for example ``Service``.
    """

    def __init__(self, name: str, section: str, release: int, scope: str, settings: t.Iterable[Setting]) -> None:
        self.name = name
        self.section = section
        self.release = release
        self.scope = scope
        self._found = effective(settings, release)

    def every(self, name: str, section: str = "") -> list[Setting]:
        """The settings of a directive that count."""
        found = self._found.get((section or self.section, name))
        return found.settings if found is not None else []

    def of_parser(self, parser: str) -> list[Setting]:
        """The settings that count of all directives that systemd reads with one parser, such as ``socket_listen``."""
        entries = [entry for entry in self._found.values() if entry.directive and entry.directive.parser == parser]
        return [setting for entry in entries for setting in entry.settings]

    def last(self, name: str, section: str = "") -> Setting | None:
        """The setting that wins."""
        found = self.every(name, section)
        return found[-1] if found else None

    def text(self, name: str, default: str = "", section: str = "") -> str:
        """The value that wins."""
        found = self.last(name, section)
        return found.value if found else default

    def flag(self, name: str) -> bool:
        """Whether a directive is a boolean that is true."""
        try:
            return parse_bool(self.text(name))
        except ValueError:
            return False

    def is_set(self, name: str) -> bool:
        """Whether a directive is set, and not to no limit."""
        return self.text(name) not in ("", "0", "infinity")

    def commands(self, name: str) -> int:
        """How many commands an Exec directive names."""
        total = 0
        for setting in self.every(name):
            try:
                total += len(parse_exec(setting.value, relax=True))
            except ValueError:
                continue
        return total


def faults(unit: Loaded) -> list[Fault]:
    """What systemd says of a unit as a whole; of services and sockets it names the first fault only."""
    if unit.section in ("Service", "Socket"):
        found = list(_service(unit) if unit.section == "Service" else _socket(unit))[:1]
        return [*found, *(_companions(unit) if unit.section == "Service" else ()), *_contexts(unit)]
    if unit.section in ("Mount", "Swap"):
        return [*(_mount(unit) if unit.section == "Mount" else _swap(unit)), *_contexts(unit)]
    others = {"Timer": _timer, "Path": _path, "Automount": _automount}
    return list(others[unit.section](unit)) if unit.section in others else []


def _service_type(unit: Loaded) -> str:
    return unit.text("Type") or (
        "dbus" if unit.text("BusName") else "simple" if unit.commands("ExecStart") else "oneshot"
    )


def _service(unit: Loaded) -> t.Iterator[Fault]:
    commands = unit.commands("ExecStart")
    kind = _service_type(unit)
    if not commands:
        action = unit.text("SuccessAction", "none", "Unit") != "none"
        write = "write ExecStart= with the program's absolute path"
        if not unit.commands("ExecStop") and not action:
            message = "the service does not have ExecStart=, ExecStop= or SuccessAction="
            yield Fault("ExecStart", message, write, True)
        if kind != "oneshot":
            message = "the service does not have ExecStart=, which only Type=oneshot may leave out"
            yield Fault("ExecStart", message, write, True)
        if not action and not unit.flag("RemainAfterExit"):
            message = "without ExecStart= a service needs RemainAfterExit=yes or SuccessAction="
            yield Fault("RemainAfterExit", message, f"{write}, or RemainAfterExit=yes", True)
    if kind == "oneshot":
        yield from _oneshot(unit)
    elif commands > 1:
        message = f"Type={kind} takes one command, and ExecStart= names {commands}"
        yield Fault("ExecStart", message, "write Type=oneshot, or an empty ExecStart= before the one that counts")
    elif kind == "dbus" and not unit.text("BusName"):
        yield Fault("BusName", "Type=dbus needs BusName=", "write the name that the service takes on the bus", True)
    elif kind == "forking" and unit.flag("PrivatePIDs"):
        yield Fault("PrivatePIDs", "Type=forking does not go with PrivatePIDs=yes", "write Type=notify or exec")


def _oneshot(unit: Loaded) -> t.Iterator[Fault]:
    restart = unit.text("Restart")
    if restart in ("always", "on-success"):
        message = f"Type=oneshot does not go with Restart={restart}"
        yield Fault("Restart", message, "write Restart=on-failure, or another Type=")
    if unit.release < 252 and unit.last("RestartForceExitStatus"):
        message = "Type=oneshot does not go with RestartForceExitStatus= before systemd 252"
        yield Fault("RestartForceExitStatus", message, "remove it")
    if unit.release >= 250 and unit.text("ExitType") == "cgroup":
        yield Fault("ExitType", "Type=oneshot does not go with ExitType=cgroup", "remove ExitType=")


def _companions(unit: Loaded) -> t.Iterator[Fault]:
    """Settings that systemd drops because another one is missing."""
    for name, partner, since in (
        ("USBFunctionDescriptors", "USBFunctionStrings", 0),
        ("USBFunctionStrings", "USBFunctionDescriptors", 0),
        ("RestartSteps", "RestartMaxDelaySec", 254),
        ("RestartMaxDelaySec", "RestartSteps", 254),
        ("RuntimeRandomizedExtraSec", "RuntimeMaxSec", 250),
    ):
        if unit.release >= since and unit.is_set(name) and not unit.is_set(partner):
            yield Fault(partner, f"systemd ignores {name}= without {partner}=", "write both or none", True, WARNING)
    if unit.is_set("RuntimeMaxSec") and _service_type(unit) == "oneshot":
        message = "RuntimeMaxSec= does nothing for Type=oneshot"
        yield Fault("RuntimeMaxSec", message, "use TimeoutStartSec=", severity=WARNING)


def _socket(unit: Loaded) -> t.Iterator[Fault]:
    ports = unit.of_parser("socket_listen")
    accept = unit.flag("Accept")
    if not ports:
        message = "the socket unit listens on nothing"
        yield Fault("ListenStream", message, "write ListenStream= (or another Listen...=)", True)
    if (accept or unit.release >= 257) and not parse_unsigned(unit.text("MaxConnections", "64")):
        yield Fault("MaxConnections", "MaxConnections=0 lets nobody in", "write a number from 1 on")
    if accept:
        yield from _accepting(unit, ports)
    elsewhere = ("ListenNetlink", "ListenMessageQueue", "ListenSpecial", "ListenUSBFunction")
    nodes = [port for port in ports if port.value.startswith("/") and port.directive not in elsewhere]
    if unit.last("Symlinks") and len(nodes) != 1:
        message = f"Symlinks= needs exactly one socket or FIFO in the file system, and there are {len(nodes)}"
        yield Fault("Symlinks", message, "remove Symlinks=, or split the unit")


def _accepting(unit: Loaded, ports: list[Setting]) -> t.Iterator[Fault]:
    if any(port.directive not in ("ListenStream", "ListenSequentialPacket") for port in ports):
        message = "Accept=yes needs sockets that take connections"
        yield Fault("Accept", message, "write Accept=no, or ListenStream=")
    if unit.text("Service"):
        message = "with Accept=yes each connection gets an instance of the template of the socket's own name"
        yield Fault("Service", message, "remove Service=")
    if unit.flag("DeferTrigger") or unit.text("DeferTrigger") == "patient":
        yield Fault("DeferTrigger", "Accept=yes does not go with DeferTrigger=", "remove one of the two")


def _timer(unit: Loaded) -> t.Iterator[Fault]:
    if not unit.of_parser("timer") and not unit.flag("OnClockChange") and not unit.flag("OnTimezoneChange"):
        hint = "write OnCalendar= or OnBootSec=, for example OnCalendar=daily"
        yield Fault("OnCalendar", "the timer does not say when to elapse", hint, True)


def _path(unit: Loaded) -> t.Iterator[Fault]:
    if not unit.of_parser("path_spec"):
        hint = "write PathExists=, PathChanged= or PathModified="
        yield Fault("PathExists", "the path unit watches nothing", hint, True)


_API_FILE_SYSTEMS = (
    "/proc /sys /dev /run /dev/shm /dev/pts /sys/kernel/security /sys/fs/smackfs /sys/fs/cgroup /sys/fs/pstore"
    " /sys/fs/bpf /sys/fs/selinux /sys/firmware/efi/efivars /dev/console /proc/kmsg /proc/sys"
)


def _simple(text: str) -> str:
    return "/" + "/".join(part for part in text.split("/") if part not in ("", ".")) if text else ""


def _mount(unit: Loaded) -> t.Iterator[Fault]:
    where = _simple(unit.text("Where"))
    yield from _same_path(unit, "Where", where)
    if where in _API_FILE_SYSTEMS.split() or where.startswith("/sys/fs/cgroup/"):
        yield Fault("Where", f"{where} is mounted by systemd itself", "choose another place")
    if not unit.text("What"):
        message = "the mount unit does not say what to mount"
        yield Fault("What", message, "write What=, for example a device", True)


def _swap(unit: Loaded) -> t.Iterator[Fault]:
    what = unit.text("What")
    if what.startswith("/"):
        yield from _same_path(unit, "What", _simple(what))
    elif what and unit.release >= 256 and not what.startswith(("UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=")):
        yield Fault("What", f"{quoted(what)} is not a path", "write an absolute path, or UUID= and the like")


def _automount(unit: Loaded) -> t.Iterator[Fault]:
    where = _simple(unit.text("Where"))
    if where == "/":
        yield Fault("Where", "the root directory cannot be mounted on demand", "choose another place")
    else:
        yield from _same_path(unit, "Where", where)
    options = {option.partition("=")[0] for option in unit.text("ExtraOptions").split(",")}
    reserved = sorted(options & {"fd", "pgrp", "minproto", "maxproto", "direct", "indirect"})
    if reserved and unit.release >= 250:
        yield Fault("ExtraOptions", f"the option '{reserved[0]}' is systemd's own", "remove it")


def _same_path(unit: Loaded, directive: str, path: str) -> t.Iterator[Fault]:
    """The unit must be named after its path."""
    if not path or "%" in path or "@" in unit.name:
        return
    try:
        wanted = unit_escape(path, path=True, suffix=unit.section.lower())
    except ValueError:
        return
    if wanted != unit.name:
        message = f"{directive}={path} needs the unit name {wanted}"
        yield Fault(directive, message, f"rename the unit, or change {directive}=")


def _contexts(unit: Loaded) -> t.Iterator[Fault]:
    """What ``unit_verify_contexts()`` refuses, and its forerunners."""
    release = unit.release
    dynamic = unit.flag("DynamicUser")
    if dynamic and release >= 256:
        if unit.scope == "user":
            yield Fault("DynamicUser", "a user's manager cannot make users", "remove DynamicUser=")
        if unit.text("WorkingDirectory").lstrip("-") == "~":
            message = "~ does not exist with DynamicUser=yes, because there is no home"
            yield Fault("WorkingDirectory", message, "write an absolute path")
    pam = unit.text("PAMName")
    mode = unit.text("KillMode") or "control-group"
    fits = ("control-group", "mixed") if unit.section == "Service" or release >= 257 else ("control-group",)
    if pam and mode not in fits:
        yield Fault("KillMode", f"PAMName= does not go with KillMode={mode}", f"write KillMode={' or '.join(fits)}")
    if release >= 257 and unit.flag("PrivatePIDs"):
        if unit.section != "Service":
            yield Fault("PrivatePIDs", "only services can have PrivatePIDs=", "remove it")
        elif pam:
            yield Fault("PAMName", "PAMName= does not go with PrivatePIDs=", "remove one of the two")
    if release >= 260 and unit.text("PrivateUsers") == "managed":
        others = [name for name in ("User", "Group", "PAMName", "DynamicUser") if unit.text(name)]
        if others and (others != ["DynamicUser"] or dynamic):
            yield Fault("PrivateUsers", f"PrivateUsers=managed does not go with {others[0]}=", "remove one")

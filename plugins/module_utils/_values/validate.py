# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A unit, as one release of systemd would judge it: what it refuses, drops or warns of, as findings.

Nothing here is opinion: what systemd loads without a word gives no finding (that is ``_lint.py``).
Source: ``config_parse()``, the directive tables and the ``*_verify()`` functions of systemd 247 to 262.
"""

from __future__ import annotations

import re
import typing as t

from .. import _catalog, _model
from .._syntax.commands import parse_exec
from .._syntax.names import unit_escape
from . import check as _values

KnownKeys = t.FrozenSet[t.Tuple[str, str]]

# What served before a directive came; only where it does about the same.
_OLDER_WAYS = {
    "ConditionVersion": "ConditionKernelVersion= tests the kernel",
    "ExecSearchPath": "write the absolute path of the program",
    "ImportCredential": "name each credential with LoadCredential=",
    "LoadCredentialEncrypted": "LoadCredential= loads one that is not encrypted",
    "MemoryZSwapMax": "MemorySwapMax= limits all swap",
    "OnSuccess": "start the other unit from ExecStopPost=",
    "PollLimitBurst": "TriggerLimitBurst= limits activations",
    "PollLimitIntervalSec": "TriggerLimitIntervalSec= limits activations",
    "PropagatesStopTo": "write PartOf= in the other unit",
    "RandomizedOffsetSec": "RandomizedDelaySec= delays each time anew",
    "ReloadSignal": "write ExecReload=/bin/kill -HUP $MAINPID",
    "RestartMaxDelaySec": "RestartSec= waits the same time before each restart",
    "RestartSteps": "RestartSec= waits the same time before each restart",
    "SetCredentialEncrypted": "SetCredential= sets one that is not encrypted",
    "StopPropagatedFrom": "PartOf= stops this unit with the other, and restarts it too",
    "UpheldBy": "WantedBy= starts the unit with the other",
    "Upholds": "Wants= starts the unit once; give it Restart=always",
    "WantsMountsFor": "RequiresMountsFor= wants the mounts to succeed",
}
_GUESSES_MAX = 100  # names to look for a near one; a file with more of them is no unit file


def validate(
    unit: _model.Unit,
    release: int,
    known: KnownKeys | None = None,
    scope: str = "system",
    complete: bool = True,
) -> list[_model.Finding]:
    """What systemd would say of a unit.

    :param release: systemd's release as an integer, for example 252.
    :param known: the keys that the target's systemd lists itself, or None to go by the catalogue.
    :param scope: "system" or "user": the manager that reads the unit.
    :param complete: the settings are the whole unit; false for a drop-in alone, which may leave out the essentials.
    :returns: findings in the order of the lines, then those about the unit as a whole.
    """
    judge = _Judge(unit, release, known, scope)
    judge.read()
    if complete and not unit.dropin:
        judge.whole()
    return judge.findings


class _Judge:
    """Collects the findings about one unit."""

    def __init__(self, unit: _model.Unit, release: int, known: KnownKeys | None, scope: str) -> None:
        self.unit = unit
        self.release = release
        self.known = known
        self.scope = scope
        self.findings: list[_model.Finding] = []
        self.kind = unit.name.rpartition(".")[2]
        self.sections = _catalog.UNIT_SECTIONS.get(self.kind, ("Unit", "Install"))
        self.view = _View()
        self.earlier: dict[str, dict[str, str]] = {}
        self.unknown_sections: set[str] = set()
        self.guesses: dict[tuple[str, str], str] = {}

    def add(
        self,
        rule: str,
        severity: str,
        message: str,
        hint: str = "",
        setting: _model.Setting | None = None,
        **more: t.Any,
    ) -> None:
        place = setting or _model.Setting(more.pop("section", ""), more.pop("directive", ""), "", more.pop("line", 0))
        self.findings.append(
            _model.Finding(
                rule,
                severity,
                self.unit.name,
                message,
                hint,
                place.path or self.unit.path,
                place.line,
                place.section,
                place.directive,
                more.pop("value", place.value),
            )
        )

    # ------------------------------------------------------------------------------------------------- line by line

    def read(self) -> None:
        for line, message in self.unit.problems:
            self._syntax(line, message)
        for setting in self.unit.settings:
            if setting.section.startswith("X-"):
                continue
            if setting.section in self.sections:
                self._setting(setting)
            elif setting.section not in self.unknown_sections:
                self.unknown_sections.add(setting.section)
                self._unknown_section(setting)
        self.findings.sort(key=lambda finding: finding.line)

    def _syntax(self, line: int, message: str) -> None:
        text, colon, hint = message.rpartition(": ")
        headless = re.match("'([^='\\s]+)\\s*=\\s*(.*)' stands before", message)
        header = re.search(r"\[(\w+)\]", hint) if headless else None
        self.add(
            "syntax",
            _model.ERROR,
            text if colon else message,
            hint if colon else "",
            line=line,
            section=header.group(1) if header else "",
            directive=headless.group(1) if headless else "",
            value=headless.group(2) if headless else "",
        )

    def _unknown_section(self, setting: _model.Setting) -> None:
        section = setting.section
        near = {name.lower(): name for name in self.sections}.get(section.lower())
        if near:
            hint = "write [%s]: case counts" % near
        else:
            hint = "a .%s unit has the sections %s; start the name with X- to keep your own" % (
                self.kind,
                ", ".join("[%s]" % name for name in self.sections),
            )
        self.add(
            "unknown-section",
            _model.ERROR,
            "systemd knows no section [%s] in a .%s unit and ignores all of it" % (section, self.kind),
            hint,
            setting._replace(directive="", value=""),
        )

    def _setting(self, setting: _model.Setting) -> None:
        section, name = setting.section, setting.directive
        directive = _catalog.get(section, name, self.release)
        if not self._is_known(section, name, directive):
            if not name.startswith("X-"):
                self._unknown(setting, directive)
            return
        if directive is None:
            return  # the target's own systemd knows it, the catalogue does not: nothing to check it by
        if directive.status == "removed":
            self._outdated(setting, directive, "removed-directive", "accepts %s= and ignores it" % name)
            return
        problem = _values.check(
            directive, setting.value, self.release, self.unit.name, self.scope, self.earlier.setdefault(section, {})
        )
        if problem is not None:
            self._bad_value(setting, directive, problem)
            return
        if directive.status == "deprecated":
            self._outdated(setting, directive, "deprecated-directive", "still takes %s=, and will not for ever" % name)
        if setting.value:
            self.earlier[section][name] = setting.value
        self.view.add(directive, setting)

    def _is_known(self, section: str, name: str, directive: _catalog.Directive | None) -> bool:
        in_time = directive is not None and directive.since <= self.release <= directive.until
        if self.known is None:
            return in_time
        if (section, name) in self.known:
            return True
        return in_time and directive is not None and directive.status == "removed"

    def _unknown(self, setting: _model.Setting, directive: _catalog.Directive | None) -> None:
        name = setting.directive
        if directive is not None and directive.since > self.release:
            message = "%s= comes with systemd %d, the target has %d, which ignores the line" % (
                name,
                directive.since,
                self.release,
            )
            older = _OLDER_WAYS.get(name) or (
                "use %s=" % name[len("Startup") :] if name.startswith("Startup") else "leave it out on this target"
            )
            self.add("too-new-directive", _model.ERROR, message, older, setting)
        elif directive is not None and directive.until < self.release:
            successor = directive.successor.partition(".")[2]
            message = "%s= is gone since systemd %d, which ignores the line" % (name, directive.until + 1)
            self.add(
                "unknown-directive", _model.ERROR, message, "use %s=" % successor if successor else "remove it", setting
            )
        elif directive is not None:
            message = "the target's systemd does not know %s= (built without it), and ignores the line" % name
            self.add("unknown-directive", _model.ERROR, message, "leave it out on this target", setting)
        else:
            self._misplaced_or_misspelt(setting)

    def _misplaced_or_misspelt(self, setting: _model.Setting) -> None:
        section, name = setting.section, setting.directive
        homes = [home for home in _catalog.sections_of(name) if self._knows(home, name)]
        homes = [home for home in homes if home in self.sections] or homes
        if homes:
            if homes[0] in self.sections:
                hint = "move it to [%s]" % homes[0]
            else:
                hint = "it belongs to %s, not to a .%s unit" % (
                    " or ".join("[%s]" % home for home in homes[:3]),
                    self.kind,
                )
            self.add(
                "wrong-section",
                _model.ERROR,
                "systemd knows no %s= in [%s] and ignores the line" % (name, section),
                hint,
                setting,
            )
            return
        near = self._nearest(section, name)
        self.add(
            "unknown-directive",
            _model.ERROR,
            "systemd knows no %s= in [%s] and ignores the line" % (_short(name), section),
            "did you mean %s?" % near if near else "start the name with X- to keep your own",
            setting,
        )

    def _knows(self, section: str, name: str) -> bool:
        directive = _catalog.get(section, name, self.release)
        return directive is not None and directive.since <= self.release <= directive.until

    def _nearest(self, section: str, name: str) -> str:
        """The known directive whose name is most like this one, as ``Name=`` or ``Name= in [Section]``."""
        key = (section, name)
        if key not in self.guesses:
            full = len(self.guesses) >= _GUESSES_MAX or len(name) > 60
            self.guesses[key] = "" if full else self._guess(section, name)
        return self.guesses[key]

    def _guess(self, section: str, name: str) -> str:
        import difflib  # noqa: PLC0415  only a misspelt name needs it

        for place in (section, *(other for other in self.sections if other != section)):
            names = {known.lower(): known for known in _catalog.names(place) if self._knows(place, known)}
            near = difflib.get_close_matches(name.lower().replace(" ", ""), names, n=1, cutoff=0.75)
            if near:
                return names[near[0]] + "=" + ("" if place == section else " in [%s]" % place)
        return ""

    def _outdated(self, setting: _model.Setting, directive: _catalog.Directive, rule: str, what: str) -> None:
        section, _dot, successor = directive.successor.partition(".")
        if successor and self._knows(section, successor):
            hint = "use %s=%s" % (successor, "" if section == setting.section else " in [%s]" % section)
        else:
            hint = "remove it"
        self.add(rule, _model.WARNING, "systemd %d %s" % (self.release, what), hint, setting)

    def _bad_value(self, setting: _model.Setting, directive: _catalog.Directive, problem: _values.Problem) -> None:
        reason, _semicolon, hint = problem.message.rpartition("; ")
        if not setting.value and not directive.empty_ok:
            reason, hint = "the value is empty, and no reset here", "leave the line out, or " + hint
        outcome = "refuses the unit" if problem.fatal else "ignores the line"
        message = "%s=%s: %s; systemd %s" % (setting.directive, _short(setting.value), reason, outcome)
        self.add("bad-value", _model.ERROR, message, hint, setting)

    # --------------------------------------------------------------------------------------------- the unit as a whole

    def whole(self) -> None:
        checks = {
            "service": self._service,
            "socket": self._socket,
            "timer": self._timer,
            "path": self._path,
            "mount": self._mount,
            "swap": self._swap,
            "automount": self._automount,
        }
        if self.kind in checks:
            checks[self.kind]()
            if self.kind in ("service", "socket", "mount", "swap"):
                self._contexts(self.sections[1])

    def missing(self, directive: str, message: str, hint: str, section: str = "", severity: str = _model.ERROR) -> None:
        self.add("missing-directive", severity, message, hint, section=section or self.sections[1], directive=directive)

    def refused(self, directive: str, message: str, hint: str, section: str = "") -> None:
        section = section or self.sections[1]
        setting = self.view.last(section, directive)
        self.add("refused-unit", _model.ERROR, message, hint, setting, section=section, directive=directive)

    def _service(self) -> None:
        view, release = self.view, self.release
        commands = view.commands("Service", "ExecStart")
        action = view.text("Unit", "SuccessAction", "none") != "none"
        service_type = view.text("Service", "Type") or (
            "dbus" if view.text("Service", "BusName") else "simple" if commands else "oneshot"
        )
        oneshot = service_type == "oneshot"
        write = "write ExecStart= with the program's absolute path"
        if not commands and not view.commands("Service", "ExecStop") and not action:
            self.missing("ExecStart", "the service has no ExecStart=, ExecStop= or SuccessAction=", write)
        elif not commands and not oneshot:
            message = "the service has no ExecStart=, which only Type=oneshot may leave out"
            self.missing("ExecStart", message, write)
        elif not commands and not action and not view.flag("Service", "RemainAfterExit"):
            message = "without ExecStart= a service needs RemainAfterExit=yes or SuccessAction="
            self.missing("RemainAfterExit", message, write + ", or RemainAfterExit=yes")
        elif commands > 1 and not oneshot:
            message = "Type=%s takes one command, and ExecStart= names %d" % (service_type, commands)
            hint = "write Type=oneshot, or an empty ExecStart= before the one that counts"
            self.refused("ExecStart", message, hint)
        elif oneshot and view.text("Service", "Restart") in ("always", "on-success"):
            message = "Type=oneshot does not go with Restart=%s" % view.text("Service", "Restart")
            self.refused("Restart", message, "write Restart=on-failure, or another Type=")
        elif oneshot and release < 252 and view.values("Service", "RestartForceExitStatus"):
            message = "Type=oneshot does not go with RestartForceExitStatus= before systemd 252"
            self.refused("RestartForceExitStatus", message, "remove it")
        elif oneshot and release >= 250 and view.text("Service", "ExitType") == "cgroup":
            self.refused("ExitType", "Type=oneshot does not go with ExitType=cgroup", "remove ExitType=")
        elif service_type == "dbus" and not view.text("Service", "BusName"):
            self.missing("BusName", "Type=dbus needs BusName=", "write the name that the service takes on the bus")
        elif service_type == "forking" and view.flag("Service", "PrivatePIDs"):
            self.refused("PrivatePIDs", "Type=forking does not go with PrivatePIDs=yes", "write Type=notify or exec")
        self._companions(oneshot)

    def _companions(self, oneshot: bool) -> None:
        """Settings that systemd drops because another one is not there."""
        view = self.view
        pairs = [
            ("USBFunctionDescriptors", "USBFunctionStrings", 0),
            ("USBFunctionStrings", "USBFunctionDescriptors", 0),
            ("RestartSteps", "RestartMaxDelaySec", 254),
            ("RestartMaxDelaySec", "RestartSteps", 254),
            ("RuntimeRandomizedExtraSec", "RuntimeMaxSec", 250),
        ]
        for name, partner, since in pairs:
            if self.release >= since and view.is_set("Service", name) and not view.is_set("Service", partner):
                message = "systemd ignores %s= without %s=" % (name, partner)
                self.missing(partner, message, "write both or none", severity=_model.WARNING)
        if oneshot and view.is_set("Service", "RuntimeMaxSec"):
            setting = view.last("Service", "RuntimeMaxSec")
            message = "RuntimeMaxSec= does nothing for Type=oneshot"
            self.add("refused-unit", _model.WARNING, message, "use TimeoutStartSec=", setting)

    def _socket(self) -> None:
        view, release = self.view, self.release
        ports = view.listens
        accept = view.flag("Socket", "Accept")
        try:
            most = int(view.text("Socket", "MaxConnections", "64"), 0)
        except ValueError:
            most = 64
        nodes = [port for port in ports if port.value.startswith("/") and port.directive not in _NO_NODE]
        if not ports:
            self.missing(
                "ListenStream", "the socket unit listens on nothing", "write ListenStream= (or another Listen...=)"
            )
        elif most == 0 and (accept or release >= 257):
            self.refused("MaxConnections", "MaxConnections=0 lets nobody in", "write a number from 1 on")
        elif accept and any(port.directive not in ("ListenStream", "ListenSequentialPacket") for port in ports):
            self.refused(
                "Accept", "Accept=yes needs sockets that take connections", "write Accept=no, or ListenStream="
            )
        elif accept and view.text("Socket", "Service"):
            message = "with Accept=yes each connection gets an instance of the template of the socket's own name"
            self.refused("Service", message, "remove Service=")
        elif accept and view.text("Socket", "DeferTrigger", "no") not in ("no", "off", "false", "0", "n", "f"):
            self.refused("DeferTrigger", "Accept=yes does not go with DeferTrigger=", "remove one of the two")
        elif view.values("Socket", "Symlinks") and len(nodes) != 1:
            message = "Symlinks= needs exactly one socket or FIFO in the file system, and there are %d" % len(nodes)
            self.refused("Symlinks", message, "remove Symlinks=, or split the unit")

    def _timer(self) -> None:
        triggers = self.view.timers or any(
            self.view.flag("Timer", name) for name in ("OnClockChange", "OnTimezoneChange")
        )
        if not triggers:
            message = "the timer says nothing of when to elapse"
            self.missing("OnCalendar", message, "write OnCalendar= or OnBootSec=, for example OnCalendar=daily")

    def _path(self) -> None:
        if not self.view.paths:
            message = "the path unit watches nothing"
            self.missing("PathExists", message, "write PathExists=, PathChanged= or PathModified=")

    def _mount(self) -> None:
        where = self.view.path("Mount", "Where")
        if where:
            self._same_path("Where", where)
            if where in _API_FILE_SYSTEMS or where.startswith("/sys/fs/cgroup/"):
                self.refused("Where", "%s is mounted by systemd itself" % where, "choose another place")
        if not self.view.text("Mount", "What"):
            self.missing("What", "the mount unit does not say what to mount", "write What=, for example a device")

    def _swap(self) -> None:
        what = self.view.text("Swap", "What")
        if what.startswith("/"):
            self._same_path("What", what)
        elif what and self.release >= 256 and not what.startswith(("UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=")):
            self.refused("What", "'%s' is no path" % _short(what), "write an absolute path, or UUID= and the like")

    def _automount(self) -> None:
        where = self.view.path("Automount", "Where")
        if where == "/":
            self.refused("Where", "the root directory cannot be mounted on demand", "choose another place")
        elif where:
            self._same_path("Where", where)
        options = {option.partition("=")[0] for option in self.view.text("Automount", "ExtraOptions").split(",")}
        reserved = sorted(options & {"fd", "pgrp", "minproto", "maxproto", "direct", "indirect"})
        if reserved and self.release >= 250:
            self.refused("ExtraOptions", "the option '%s' is systemd's own" % reserved[0], "remove it")

    def _same_path(self, directive: str, path: str) -> None:
        """The unit must be named after its path."""
        if "%" in path or "@" in self.unit.name:
            return
        try:
            wanted = unit_escape(path, path=True, suffix=self.kind)
        except ValueError:
            return
        if wanted != self.unit.name:
            message = "%s=%s needs the unit name %s" % (directive, _short(path), _short(wanted))
            self.refused(directive, message, "rename the unit, or change %s=" % directive)

    def _contexts(self, section: str) -> None:
        """What ``unit_verify_contexts()`` refuses, and its forerunners."""
        view, release = self.view, self.release
        dynamic = view.flag(section, "DynamicUser")
        if dynamic and self.scope == "user" and release >= 256:
            self.refused("DynamicUser", "a user's manager cannot make users", "remove DynamicUser=")
        if dynamic and release >= 256 and view.text(section, "WorkingDirectory").lstrip("-") == "~":
            self.refused("WorkingDirectory", "with DynamicUser=yes there is no home: ~", "write an absolute path")
        pam = view.text(section, "PAMName")
        mode = view.text(section, "KillMode") or "control-group"
        fits = ("control-group", "mixed") if section == "Service" or release >= 257 else ("control-group",)
        if pam and mode not in fits:
            message = "PAMName= does not go with KillMode=%s" % mode
            self.refused("KillMode", message, "write KillMode=%s" % " or ".join(fits))
        if release >= 257 and view.flag(section, "PrivatePIDs"):
            if section != "Service":
                self.refused("PrivatePIDs", "only services can have PrivatePIDs=", "remove it")
            elif pam:
                self.refused("PAMName", "PAMName= does not go with PrivatePIDs=", "remove one of the two")
        if release >= 260 and view.text(section, "PrivateUsers") == "managed":
            others = [name for name in ("User", "Group", "PAMName") if view.text(section, name)]
            others += ["DynamicUser"] if dynamic else []
            if others:
                self.refused("PrivateUsers", "PrivateUsers=managed does not go with %s=" % others[0], "remove one")


_NO_NODE = ("ListenNetlink", "ListenMessageQueue", "ListenSpecial", "ListenUSBFunction")
_API_FILE_SYSTEMS = frozenset(
    (
        "/proc", "/sys", "/dev", "/run", "/dev/shm", "/dev/pts", "/sys/kernel/security", "/sys/fs/smackfs",
        "/sys/fs/cgroup", "/sys/fs/pstore", "/sys/fs/bpf", "/sys/fs/selinux", "/sys/firmware/efi/efivars",
        "/dev/console", "/proc/kmsg", "/proc/sys",
    )
)  # fmt: skip


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


class _View:
    """The settings that hold in the end: later ones win, and an empty one resets a list."""

    def __init__(self) -> None:
        self.settings: dict[tuple[str, str], list[_model.Setting]] = {}
        self.listens: list[_model.Setting] = []
        self.timers: list[_model.Setting] = []
        self.paths: list[_model.Setting] = []

    def add(self, directive: _catalog.Directive, setting: _model.Setting) -> None:
        shared = {"socket_listen": self.listens, "timer": self.timers, "path_spec": self.paths}.get(directive.parser)
        if shared is not None:
            if setting.value:
                shared.append(setting)
            else:
                shared.clear()
        key = (setting.section, setting.directive)
        if not setting.value and directive.empty_ok:
            self.settings.pop(key, None)
        elif directive.joins == "single":
            self.settings[key] = [setting]
        else:
            self.settings.setdefault(key, []).append(setting)

    def values(self, section: str, name: str) -> list[str]:
        return [setting.value for setting in self.settings.get((section, name), ())]

    def last(self, section: str, name: str) -> _model.Setting | None:
        found = self.settings.get((section, name))
        return found[-1] if found else None

    def text(self, section: str, name: str, default: str = "") -> str:
        found = self.last(section, name)
        return found.value if found else default

    def flag(self, section: str, name: str) -> bool:
        try:
            return _values.parse_bool(self.text(section, name))
        except ValueError:
            return False

    def path(self, section: str, name: str) -> str:
        text = self.text(section, name)
        return "/" + "/".join(part for part in text.split("/") if part not in ("", ".")) if text else ""

    def is_set(self, section: str, name: str) -> bool:
        """Set to something that is neither nothing nor no limit."""
        return self.text(section, name) not in ("", "0", "infinity")

    def commands(self, section: str, name: str) -> int:
        """How many commands an Exec directive names."""
        total = 0
        for value in self.values(section, name):
            try:
                total += len(parse_exec(value, relax=True))
            except ValueError:
                continue
        return total

# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint rules for [Install], timers, drop-ins, and old directives."""

from __future__ import annotations

import datetime
import typing as t

from .._graph.edges import flag, triggered
from .._model import INFO, WARNING, Setting, Unit
from .._syntax.effective import effective_settings, is_set, last_setting, unit_names_in, value_of
from .._syntax.names import UNIT_TYPES, unit_type
from .._values.calendar import parse_calendar
from .core import INSTALL, Context, Diagnostic, RuleTable, exec_section, nearest, service_type

RULES = RuleTable()

# systemd.special(7): targets that every systemd host has
_TARGET_NAMES = """\
basic bluetooth boot-complete default emergency exit factory-reset final first-boot-complete getty getty-pre graphical
graphical-session graphical-session-pre halt hibernate hybrid-sleep initrd initrd-fs initrd-root-device initrd-root-fs
initrd-switch-root initrd-usr-fs integritysetup integritysetup-pre kexec local-fs local-fs-pre machines multi-user
network network-online network-pre nss-lookup nss-user-lookup paths poweroff printer reboot remote-cryptsetup
remote-fs remote-fs-pre remote-veritysetup rescue rpcbind runlevel0 runlevel1 runlevel2 runlevel3 runlevel4 runlevel5
runlevel6 shutdown sigpwr sleep slices smartcard sockets soft-reboot sound suspend suspend-then-hibernate swap sysinit
system-update system-update-pre time-set time-sync timers umount usb-gadget veritysetup veritysetup-pre cryptsetup
cryptsetup-pre ssh-access sysctl tpm2 xdg-desktop-autostart session session-slice background storage-target-mode
"""
TARGETS = frozenset(f"{name}.target" for name in _TARGET_NAMES.split())


def nearest_target(name: str) -> str:
    """The well-known target that was probably meant; empty when none is near."""
    return nearest(name if "." in name else name + ".target", TARGETS, 0.8)


# old directive (or value) of any section: what to write instead. systemd still takes them.
LEGACY = {
    "StartLimitInterval": "StartLimitIntervalSec= in [Unit]",
    "BindTo": "BindsTo=",
    "PropagateReloadTo": "PropagatesReloadTo=",
    "PropagateReloadFrom": "ReloadPropagatedFrom=",
    "OnFailureIsolate": "OnFailureJobMode=isolate",
    "IgnoreOnSnapshot": "nothing: snapshots are gone since 228",
    "PermissionsStartOnly": "a '+' before the commands that need root",
    "ReadWriteDirectories": "ReadWritePaths=",
    "ReadOnlyDirectories": "ReadOnlyPaths=",
    "InaccessibleDirectories": "InaccessiblePaths=",
    "NetClass": "nothing: it is gone since 227",
    "Capabilities": "CapabilityBoundingSet= or AmbientCapabilities=",
    "SysVStartPriority": "After= and Before=",
    "BusPolicy": "a policy file of D-Bus",
}
# in [Service] since before 229; they belong to [Unit] now
MOVED_TO_UNIT = ("StartLimitBurst", "StartLimitAction", "FailureAction", "RebootArgument")
LEGACY_VALUES = {
    ("StandardOutput", "syslog"): "journal",
    ("StandardError", "syslog"): "journal",
    ("StandardOutput", "syslog+console"): "journal+console",
    ("StandardError", "syslog+console"): "journal+console",
}


@RULES.rule("enabled-without-install", WARNING)
def enabled_without_install(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The unit is to be enabled and has no [Install] section."""
    if unit.name in context.enabled and not is_set(unit, "Install", INSTALL):
        yield Diagnostic(
            "'systemctl enable' does nothing: the unit has no [Install] section, so nothing starts it at boot",
            "add [Install] with WantedBy=multi-user.target (timers.target for a timer, sockets.target for a socket), "
            "or leave 'enabled' out",
        )


@RULES.rule("install-target-unknown", WARNING, lines_only=True)
def install_target_unknown(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The unit is enabled for a unit that does not exist."""
    for directive in ("WantedBy", "RequiredBy", "UpheldBy"):
        for name, setting in unit_names_in(unit, "Install", directive):
            if context.unit(name) is not None or name in TARGETS or "%" in name:
                continue
            near = nearest_target(name)
            if unit_type(name) not in UNIT_TYPES:
                what = f"'{name}' is not the name of a unit, and systemctl enable refuses it"
            elif context.absent(name) or (context.facts is None and near):
                what = f"there is no {name}: the unit counts as enabled and is never started"
            else:
                continue
            yield Diagnostic(f"{directive}={name}: {what}", f"write {near or 'multi-user.target'}", setting)


_BOOT_TARGETS = ("multi-user.target", "graphical.target", "default.target", "basic.target", "sysinit.target")


@RULES.rule("timer-service-enabled-too", WARNING)
def timer_service_enabled_too(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The service of a timer is enabled for boot as well."""
    if unit_type(unit.name) != "timer":
        return
    service = context.units.get(triggered(unit))
    if service is None:
        return
    for name, setting in unit_names_in(service, "Install", "WantedBy"):
        if name in _BOOT_TARGETS:
            yield Diagnostic(
                f"{service.name} is started by {unit.name} and, once enabled, at each boot too (WantedBy={name})",
                f"remove [Install] from {service.name}: enabling the timer is enough",
                setting,
            )


@RULES.rule("calendar-never-elapses", WARNING, "OnCalendar", lines_only=True)
def calendar_never_elapses(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """OnCalendar= names a date that never comes."""
    now = datetime.datetime.combine(context.today, datetime.time())
    for setting in effective_settings(unit, "Timer", "OnCalendar"):
        try:
            spec = parse_calendar(setting.value)
        except ValueError:
            continue  # validation says so
        if spec.next_elapse(now) is None:
            yield Diagnostic(
                f"OnCalendar={setting.value} never comes again after {context.today.isoformat()}: systemd accepts it "
                "without a message and the timer does nothing",
                "check year, month and day (systemd-analyze calendar shows the next time); *-*~01 is the last day of a "
                "month",
                setting,
            )


@RULES.rule("timer-persistent-surprise", WARNING, "Persistent")
def timer_persistent_surprise(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Persistent= has no effect, or starts the job at once."""
    setting = last_setting(unit, "Timer", "Persistent")
    if setting is None or not flag(unit, "Timer", "Persistent", False):
        return
    if not effective_settings(unit, "Timer", "OnCalendar"):
        yield Diagnostic(
            "Persistent= has no effect: it makes up for missed times of OnCalendar=, and this timer has none",
            "use OnCalendar=, or remove Persistent=",
            setting,
        )
        return
    yield Diagnostic(
        "Persistent=true starts the job at once when the timer is started after a time that was missed, for example at "
        "boot after a night switched off",
        "add RandomizedDelaySec= to spread such starts, or leave Persistent= out where a late run does harm",
        setting,
        INFO,
    )


_ADDS_UP = {"service": ("ExecStart",), "timer": ("OnCalendar",), "socket": ("ListenStream", "ListenDatagram")}


@RULES.rule("drop-in-resets-nothing", WARNING, lines_only=True)
def drop_in_resets_nothing(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A drop-in adds to a list of the unit without emptying it first."""
    kind = unit_type(unit.name)
    for directive in _ADDS_UP.get(kind, ()):
        section = kind.capitalize()
        rows = [s for s in unit.settings if (s.section, s.directive) == (section, directive)]
        for earlier, setting in zip([None, *rows], rows):
            # only the first line of a file can have forgotten to clear what other files say
            starts_file = earlier is None or earlier.path != setting.path
            if (
                not setting.value
                or (earlier is not None and not earlier.value)
                or not (starts_file and _of_dropin(setting))
            ):
                continue
            if earlier is None and not unit.dropin:
                continue
            if directive == "ExecStart" and _oneshot(unit, context):
                continue
            yield _adds_up(directive, unit, setting)


def _of_dropin(setting: Setting) -> bool:
    return setting.path.endswith(".conf") or not setting.path


def _oneshot(unit: Unit, context: Context) -> bool:
    if value_of(unit, "Service", "Type"):
        return value_of(unit, "Service", "Type") == "oneshot"
    whole = context.unit(unit.name)
    return whole is not None and service_type(whole) == "oneshot"


def _adds_up(directive: str, unit: Unit, setting: Setting) -> Diagnostic:
    starts = directive == "ExecStart"
    what = "systemd then sees two and refuses the unit" if starts else f"{unit.name} then has both"
    return Diagnostic(
        f"{directive}= in a drop-in adds to the one of the unit, it does not replace it: {what}",
        f"put an empty {directive}= on the line before",
        setting,
        "" if starts else INFO,
    )


@RULES.rule("masked-by-empty-file", WARNING)
def masked_by_empty_file(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """An empty unit file counts as a mask."""
    if unit.is_mask and not unit.dropin:
        yield Diagnostic(
            f"the unit has no setting at all: systemd takes an empty file for a mask, and nobody can start {unit.name}",
            "write the unit, remove the file, or mask it on purpose (masked: true)",
        )


@RULES.rule("kill-mode-none", WARNING, "KillMode", lines_only=True)
def kill_mode_none(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """KillMode=none leaves processes behind."""
    section = exec_section(unit)
    setting = last_setting(unit, section, "KillMode") if section else None
    if setting is not None and setting.value == "none":
        yield Diagnostic(
            "KillMode=none: a stop leaves every process running, outside of systemd's sight, and a restart runs the "
            "program twice; systemd calls the value deprecated",
            "use KillMode=mixed (signal to the main process first) or leave it out; ExecStop= may stop it cleanly",
            setting,
        )


@RULES.rule("legacy-directive", INFO, lines_only=True)
def legacy_directive(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The directive has an old name or place that systemd still accepts."""
    for setting in unit.settings:
        successor = LEGACY.get(setting.directive, "")
        if setting.directive in MOVED_TO_UNIT and setting.section != "Unit":
            successor = f"{setting.directive}= in [Unit]"
        value = LEGACY_VALUES.get((setting.directive, setting.value))
        if value:
            successor = f"{setting.directive}={value}"
        if successor:
            old = f"{setting.directive}={setting.value}" if value else f"{setting.directive}= in [{setting.section}]"
            yield Diagnostic(
                f"{old} is an old form that systemd accepts for old units only", f"write {successor}", setting
            )

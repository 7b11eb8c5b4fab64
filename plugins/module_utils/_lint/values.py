# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint rules for values that systemd does not check when it loads a unit: secrets, capabilities, conditions."""

from __future__ import annotations

import itertools
import re
import typing as t

from .._model import INFO, WARNING, Setting, Unit
from .._syntax.effective import all_effective, effective_settings
from .._syntax.names import expand_specifiers
from .._values.base import is_bool
from .._values.numbers import parse_bool, parse_size
from .core import Context, Diagnostic, RuleTable, assignments, exec_section, literal, nearest

RULES = RuleTable()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# capabilities(7), up to CAP_CHECKPOINT_RESTORE (Linux 5.9), the newest there is
CAPABILITIES = frozenset(
    f"CAP_{name}"
    for name in _words(
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
        "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
        "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
        "AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON "
        "BPF CHECKPOINT_RESTORE"
    )
)

_CONTAINERS = _words("openvz lxc lxc-libvirt systemd-nspawn docker podman rkt wsl proot pouch container-other")
_MACHINES = _words(
    "kvm amazon qemu bochs xen uml vmware oracle microsoft zvm parallels bhyve qnx acrn powervm apple sre google "
    "vm-other"
)
# systemd.unit(5), "Conditions and Asserts", of release 262; systemd does not report an unknown word
CONDITION_VALUES = {
    "Virtualization": _CONTAINERS | _MACHINES | {"vm", "container", "none", "private-users"},
    "Architecture": _words(
        "native arm64 arm64-be arm arm-be alpha arc arc-be cris x86-64 x86 ia64 loongarch64 m68k mips64-le mips64 "
        "mips-le mips nios2 parisc64 parisc ppc64-le ppc64 ppc ppc-le riscv32 riscv64 s390x s390 sh64 sh sparc64 "
        "sparc tilegx"
    ),
    "Security": _words("selinux apparmor tomoyo ima smack audit uefi-secureboot tpm2 cvm measured-uki measured-os"),
}


def is_comparison(kind: str, value: str) -> bool:
    """True when ConditionMemory= or ConditionCPUs= can read the value."""
    number = re.sub(r"^(?:<=|>=|<>|==|!=|<|>|=)", "", value).strip()
    if kind == "CPUs":
        return number.isascii() and number.isdigit()
    try:
        parse_size(number)
    except ValueError:
        return False
    return True


def virtualization_matches(wanted: str, found: str) -> bool:
    """Whether ConditionVirtualization=``wanted`` is met where ``systemd-detect-virt`` prints ``found``."""
    if is_bool(wanted):
        return parse_bool(wanted) == (found != "none")
    if wanted == "vm":
        return found in _MACHINES
    if wanted == "container":
        return found in _CONTAINERS
    return wanted == "private-users" or (wanted == found and found != "none")


def nearest_capability(word: str) -> str:
    """Advice for a name that is not a capability."""
    parts = re.split("[,;|]", word)
    if len(parts) > 1:
        return "separate capabilities by blanks"
    name = word.upper()
    candidate = name if name.startswith("CAP_") else "CAP_" + name
    if candidate in CAPABILITIES:
        return f"write {candidate}"
    near = nearest(candidate, CAPABILITIES) or "a name of capabilities(7), for example CAP_NET_BIND_SERVICE"
    return f"write {near}"


_EXAMPLES = {
    "ACPower": "write true or false",
    "FirstBoot": "write yes or no",
    "CPUs": "write a number, for example >=4",
    "Memory": "write a size, for example >=4G",
    "Capability": "write a name of capabilities(7), for example CAP_NET_ADMIN",
    "Architecture": "write one of systemd's names, for example x86-64 or arm64",
    "Virtualization": "write yes, no, vm, container or a name that systemd-detect-virt prints",
    "Security": "write one of selinux, apparmor, smack, audit, ima, tomoyo, uefi-secureboot, tpm2",
}
_ARCHITECTURES = {
    "x86_64": "x86-64",
    "amd64": "x86-64",
    "aarch64": "arm64",
    "i386": "x86",
    "i686": "x86",
    "armhf": "arm",
}


def condition_hint(kind: str, value: str) -> str:
    """Advice for a value that a condition does not know."""
    if kind == "Architecture" and value.lower() in _ARCHITECTURES:
        return f"write {_ARCHITECTURES[value.lower()]}"
    near = nearest(value.lower(), CONDITION_VALUES.get(kind, frozenset()))
    return f"write {near}" if near else _EXAMPLES[kind]


SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY"
    r"|SECRET_?KEY|CREDENTIALS?)(?:_\d+)?$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"|/.*|%.*|\$.*|(?:true|false|yes|no|none|null|\d{1,3})", re.IGNORECASE)
_URL_SECRET = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@", re.IGNORECASE)


def looks_secret(name: str, value: str) -> bool:
    """True when a variable's name and value look like a secret written out."""
    if name.upper() in ("PWD", "OLDPWD"):
        return False
    return bool(SECRET_NAME.search(name) and not _NO_SECRET.fullmatch(value)) or bool(_URL_SECRET.match(value))


@RULES.rule("secret-in-environment", WARNING, "Environment", lines_only=True)
def secret_in_environment(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A secret stands in the unit file."""
    section = exec_section(unit)
    for setting in effective_settings(unit, section, "Environment") if section else []:
        for name, value in assignments(setting.value):
            if looks_secret(name, value):
                yield Diagnostic(
                    f"{name} is a secret in the unit file: every user of the host can read it with 'systemctl show "
                    f"{unit.name}' and every child process inherits it",
                    "use LoadCredential= (the program reads $CREDENTIALS_DIRECTORY/...), or an EnvironmentFile= with "
                    "mode 0600",
                    setting._replace(value=setting.value.replace(value, "********") if value else setting.value),
                )
                break


def _capability_words(unit: Unit) -> t.Iterator[tuple[Setting, list[str], list[str]]]:
    section = exec_section(unit)
    for directive in ("CapabilityBoundingSet", "AmbientCapabilities"):
        for setting in effective_settings(unit, section, directive) if section else []:
            words = setting.value.lstrip("~").split()
            unknown = [word for word in words if not _is_capability(word)]
            yield setting, words, unknown


def _is_capability(word: str) -> bool:
    return word.upper() in CAPABILITIES or (word.isdigit() and int(word) < 64) or "%" in word


@RULES.rule("unknown-capability", WARNING, "CapabilityBoundingSet", "AmbientCapabilities", lines_only=True)
def unknown_capability(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A capability has an unknown name, which systemd drops without a message."""
    for setting, words, unknown in _capability_words(unit):
        if not unknown or (unknown == words and not setting.value.startswith("~")):
            continue  # when nothing is left, empties-capability-set says more
        yield Diagnostic(
            f"{setting.directive}= names no capability with '{unknown[0]}', and systemd drops it without a message",
            nearest_capability(unknown[0]),
            setting,
        )


@RULES.rule("empties-capability-set", WARNING, "CapabilityBoundingSet", "AmbientCapabilities", lines_only=True)
def empties_capability_set(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Unknown names leave the program without any capability."""
    for setting, words, unknown in _capability_words(unit):
        if words and unknown == words and not setting.value.startswith("~"):
            yield Diagnostic(
                f"none of the names in {setting.directive}={setting.value} is a capability: systemd drops them without "
                "a message, and the program has no capability at all",
                nearest_capability(unknown[0]) + f"; an intended empty set is written {setting.directive}=",
                setting,
            )


PATH_CONDITIONS = ("PathExists", "PathIsDirectory", "FileNotEmpty", "FileIsExecutable", "DirectoryNotEmpty")


def conditions(unit: Unit) -> t.Iterator[tuple[str, bool, bool, str, Setting]]:
    """``(kind, trigger, negated, value, assignment)`` of each Condition*= and Assert*= that counts."""
    for setting in itertools.chain.from_iterable(all_effective(unit).values()):
        kind = setting.directive.removeprefix("Condition").removeprefix("Assert")
        if kind in ("", setting.directive) or setting.section != "Unit":
            continue
        text = setting.value
        trigger = text.startswith("|")
        text = text[1:].lstrip() if trigger else text
        negated = text.startswith("!")
        text = text[1:].lstrip() if negated else text
        yield kind, trigger, negated, expand_specifiers(text, unit.name), setting


@RULES.rule("bad-condition-value", WARNING, lines_only=True)
def bad_condition_value(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A condition tests for a value that it does not know."""
    for kind, _trigger, negated, value, setting in conditions(unit):
        problem = _condition_problem(kind, value)
        if problem:
            always = negated and kind in ("Virtualization", "Security")
            skipped = setting.directive.startswith("Condition") and not always
            outcome = "always met" if always else "never met"
            outcome += ", so that the unit is skipped without an error" if skipped else ""
            yield Diagnostic(
                f"{problem}; systemd logs nothing when it loads the unit, and the condition is {outcome}",
                condition_hint(kind, value),
                setting,
            )


def _condition_problem(kind: str, value: str) -> str:
    if not literal(value):
        return ""
    known = CONDITION_VALUES.get(kind)
    if known is not None and value not in known and not (kind == "Virtualization" and is_bool(value)):
        return f"'{value}' is not a value that Condition{kind}= knows"
    if kind in ("ACPower", "FirstBoot") and not is_bool(value):
        return f"Condition{kind}= wants yes or no, not '{value}'"
    if kind in ("CPUs", "Memory") and not is_comparison(kind, value):
        return f"'{value}' is not a comparison that Condition{kind}= can read"
    if kind == "Capability" and not _is_capability(value):
        return f"'{value}' is not a capability"
    return ""


@RULES.rule("condition-never-true-here", WARNING, lines_only=True)
def condition_never_true_here(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Conditions exclude each other, or this host does not meet one."""
    demands: dict[tuple[str, str], bool] = {}
    for kind, trigger, negated, value, setting in conditions(unit):
        if trigger:
            continue
        if demands.setdefault((kind, value), negated) != negated:
            yield Diagnostic(
                f"{setting.directive}= is required both ways with '{value}': the unit can never start",
                "remove one of the two, or put | before both when one of them is enough",
                setting,
            )
        elif never_here(kind, negated, value, context):
            outcome = "fails" if setting.directive.startswith("Assert") else "is skipped and counts as success"
            yield Diagnostic(
                f"{setting.directive}={'!' if negated else ''}{value} is not met on this host now: a start {outcome}",
                "check the value; Assert* lets a start fail, Condition* skips it",
                setting,
                INFO,
            )


def never_here(kind: str, negated: bool, value: str, context: Context) -> bool:
    """True when the facts of the host say that the condition is not met."""
    facts = context.facts
    if facts is None:
        return False
    if kind in PATH_CONDITIONS:
        fact = facts.paths.get(value)
        return fact is not None and (fact.kind == "missing") != negated
    if kind == "Architecture" and facts.architecture and value != "native":
        return (value != facts.architecture) != negated
    if kind == "Virtualization" and facts.virtualization:
        return (not virtualization_matches(value, facts.virtualization)) != negated
    return False

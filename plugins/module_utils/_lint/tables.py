# SPDX-License-Identifier: GPL-3.0-or-later

"""Words that the lint rules know: capabilities, values of conditions, units that systemd brings, old directives."""

from __future__ import annotations

import re

from .._values.numbers import parse_bool, parse_size


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


def is_boolean(text: str) -> bool:
    """True when systemd reads the text as a boolean."""
    try:
        parse_bool(text)
    except ValueError:
        return False
    return True


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
    if is_boolean(wanted):
        return parse_bool(wanted) == (found != "none")
    if wanted == "vm":
        return found in _MACHINES
    if wanted == "container":
        return found in _CONTAINERS
    return wanted == "private-users" or (wanted == found and found != "none")


def _nearest(word: str, known: frozenset[str], likeness: float = 0.6) -> str:
    import difflib  # only a misspelt name needs it

    return next(iter(difflib.get_close_matches(word, sorted(known), 1, likeness)), "")


def nearest_capability(word: str) -> str:
    """Advice for a name that is not a capability."""
    parts = re.split("[,;|]", word)
    if len(parts) > 1:
        return "separate capabilities by blanks"
    name = word.upper()
    candidate = name if name.startswith("CAP_") else "CAP_" + name
    if candidate in CAPABILITIES:
        return f"write {candidate}"
    near = _nearest(candidate, CAPABILITIES) or "a name of capabilities(7), for example CAP_NET_BIND_SERVICE"
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
    near = _nearest(value.lower(), CONDITION_VALUES.get(kind, frozenset()))
    return f"write {near}" if near else _EXAMPLES[kind]


# systemd.special(7): targets that every systemd host has
TARGETS = frozenset(
    f"{name}.target"
    for name in _words(
        "basic bluetooth boot-complete default emergency exit factory-reset final first-boot-complete getty "
        "getty-pre graphical graphical-session graphical-session-pre halt hibernate hybrid-sleep initrd initrd-fs "
        "initrd-root-device initrd-root-fs initrd-switch-root initrd-usr-fs integritysetup integritysetup-pre kexec "
        "local-fs local-fs-pre machines multi-user network network-online network-pre nss-lookup nss-user-lookup "
        "paths poweroff printer reboot remote-cryptsetup remote-fs remote-fs-pre remote-veritysetup rescue rpcbind "
        "runlevel0 runlevel1 runlevel2 runlevel3 runlevel4 runlevel5 runlevel6 shutdown sigpwr sleep slices "
        "smartcard sockets soft-reboot sound suspend suspend-then-hibernate swap sysinit system-update "
        "system-update-pre time-set time-sync timers umount usb-gadget veritysetup veritysetup-pre cryptsetup "
        "cryptsetup-pre ssh-access sysctl tpm2 xdg-desktop-autostart session session-slice background "
        "storage-target-mode"
    )
)


def nearest_target(name: str) -> str:
    """The well-known target that was probably meant; empty when none is near."""
    return _nearest(name if "." in name else name + ".target", TARGETS, 0.8)


# old directive (or value) of any section: what to write instead. systemd still takes them.
LEGACY = {
    "StartLimitInterval": "StartLimitIntervalSec= in [Unit]",
    "BindTo": "BindsTo=",
    "RequiresOverridable": "Requires=",
    "RequisiteOverridable": "Requisite=",
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

# systemd.resource-control(5), "Deprecated options": what the old control group hierarchy had
CGROUP_V1 = {
    "CPUShares": "CPUWeight= (1 to 10000, 100 is usual; 1024 shares are weight 100)",
    "StartupCPUShares": "StartupCPUWeight=",
    "MemoryLimit": "MemoryMax=",
    "BlockIOAccounting": "IOAccounting=",
    "BlockIOWeight": "IOWeight=",
    "StartupBlockIOWeight": "StartupIOWeight=",
    "BlockIODeviceWeight": "IODeviceWeight=",
    "BlockIOReadBandwidth": "IOReadBandwidthMax=",
    "BlockIOWriteBandwidth": "IOWriteBandwidthMax=",
}

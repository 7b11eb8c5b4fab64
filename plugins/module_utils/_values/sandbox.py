# SPDX-License-Identifier: GPL-3.0-or-later

"""Grammars of what a service may use: system calls, address families, namespaces, controllers, CPUs, devices.

Source: ``load-fragment.c``, ``seccomp-util.c``, ``namespace-util.c``, ``cpu-set-util.c`` of systemd 247 to 262.
"""

from __future__ import annotations

import re

from .._syntax.words import WHITESPACE, split_words
from .base import (
    Context,
    Grammar,
    Grammars,
    each,
    empty_or,
    expand,
    first_word,
    is_bool,
    known,
    not_a,
    one_of,
    only,
    words,
)
from .identifiers import is_filename
from .numbers import UINT64_MAX, parse_integer, parse_size, parse_unsigned, quoted
from .paths import check_path, expand_path, path
from .scalars import in_range, span
from .tables import ADDRESS_FAMILIES, ERRORS, FILESYSTEM_GROUPS, SYSCALL_GROUPS, SYSCALLS

_CONTROLLERS = (
    "cpu cpuacct cpuset io blkio memory devices pids bpf-firewall bpf-devices bpf-foreign@249 bpf-socket-bind@249"
    " bpf-restrict-network-interfaces@250 bpf-bind-network-interface@260"
)
_CPU_LIMIT = 8192  # a kernel cannot have more


def _delegate(text: str, c: Context) -> None:
    only(c, "Service Scope")
    if text and not is_bool(text):
        for word in each(text):
            one_of(word, _CONTROLLERS, c.release)


def _delegate_subgroup(text: str, c: Context) -> None:
    only(c, "Service Scope")
    front, dot, _rest = text.partition(".")
    reserved = text in ("notify_on_release", "release_agent", "tasks")
    controller = dot and (front == "cgroup" or front in known(_CONTROLLERS, c.release))
    if text and (not is_filename(text) or text[0] in "_." or reserved or controller):
        raise not_a(text, "a name that a control group can have")


def _disable_controllers(text: str, c: Context) -> None:
    if not set(words(text, unquote=False)) & known(_CONTROLLERS, c.release):
        raise ValueError(f"{quoted(text)} does not name a controller")


def _namespaces(text: str, c: Context) -> None:
    if is_bool(text):
        return
    inverted = text[0] == "~"
    names = words(text[1:] if inverted else text, unquote=False)
    for word in names:
        one_of(word, "cgroup ipc net mnt pid user uts time@252", c.release)
    if c.name == "DelegateNamespaces" and "user" in names and not inverted:
        raise ValueError("the user namespace cannot be delegated")


def _address_families(text: str, c: Context) -> None:
    if text == "none" and c.release >= 249:
        return
    for word in each(text[1:] if text[0] == "~" else text):
        name = word.lower() if word.isascii() else word
        if name[:3] != "af_" or name[3:] not in known(ADDRESS_FAMILIES, c.release):
            raise not_a(word, "an address family")


def _errno(text: str, low: int = 0) -> None:
    if text.upper() not in known(ERRORS, 0):
        parse_integer(text, low, 4095)


def _syscall_filter(text: str, c: Context) -> None:
    inverted = text[:1] == "~"
    for word in each(text[1:] if inverted else text, unquote=False):
        name, colon, error = word.partition(":")
        if colon:
            if c.name == "SystemCallLog" or not name:
                raise not_a(word, "a system call")
            if error != "kill":
                _errno(error)
            if not inverted and c.release >= 248:
                raise ValueError(f"an error number goes with a list that starts with ~: {quoted(word)}")
        if name[:1] == "@":
            if name[1:] not in known(SYSCALL_GROUPS, c.release):
                raise not_a(name, "a group of system calls")
        elif name not in known(SYSCALLS, c.release):
            raise not_a(name, "a system call")


def _syscall_archs(text: str, c: Context) -> None:
    for word in each(text):
        one_of(
            word,
            "native x86 x86-64 x32 arm arm64 loongarch64@255 mips mips64 mips64-n32 mips-le mips64-le mips64-le-n32"
            " parisc@252 parisc64@252 ppc ppc64 ppc64-le riscv64 s390 s390x",
            c.release,
        )


def _syscall_errno(text: str, c: Context) -> None:
    if text != "kill":
        _errno(text, 1)


def _personality(text: str, c: Context) -> None:
    # Which ones work depends on the machine; these are known to systemd as architectures.
    one_of(
        text,
        "x86 x86-64 ppc ppc-le ppc64 ppc64-le parisc parisc64 s390 s390x sparc sparc64 mips mips-le mips64 mips64-le"
        " arm arm-be arm64 arm64-be riscv32 riscv64 loongarch64@250",
        c.release,
    )


def _filesystems(text: str, c: Context) -> None:
    for word in each(text[1:] if text[:1] == "~" else text):
        if word[:1] == "@" and word[1:] not in known(FILESYSTEM_GROUPS, c.release):
            raise not_a(word, "a group of file systems")


def _coredump_filter(text: str, c: Context) -> None:
    names = (
        "default all private-anonymous shared-anonymous private-file-backed shared-file-backed elf-headers"
        " private-huge shared-huge private-dax shared-dax"
    )
    for word in each(text, unquote=False):
        if word not in known(names, c.release):
            parse_integer(word, 0, UINT64_MAX, 16)


def _cpu_set(text: str, c: Context) -> None:
    # The release since which each of them takes specifiers.
    if c.release >= (249 if c.name == "CPUAffinity" else 258 if c.name == "NUMAMask" else 252):
        text = expand(text, c)
    for word in split_words(text, cunescape=False, separators=WHITESPACE + ","):
        low, dash, high = word.partition("-")
        first = parse_unsigned(low)
        last = parse_unsigned(high) if dash else first
        if first > last:
            raise ValueError(f"the range {quoted(word)} runs backwards")
        if last >= _CPU_LIMIT:
            raise not_a(word, "a CPU that a kernel can have")


def _except(name: str) -> Grammar:
    """A set of CPUs, or one more name."""

    def cpus(text: str, c: Context) -> None:
        if text != name:
            _cpu_set(text, c)

    return cpus


def _device_allow(text: str, c: Context) -> None:
    device, rights = first_word(text, unquote=True)
    device = expand_path(device, c)
    if not device.startswith(("block-", "char-")):
        device = check_path(device, c.release, absolute=None)
        if not re.match("(?:/dev|/run/systemd/inaccessible)(?:/|$)", device):
            raise not_a(device, "a device")
    if not set(rights) <= set("rwm"):
        raise ValueError(f"{quoted(rights)} are not rights: r, w and m will do")


def _device_value(grammar: Grammar) -> Grammar:
    """A device (or a path on it), then a value."""

    def both(text: str, c: Context) -> None:
        device, rest = first_word(text, unquote=True)
        if not rest:
            raise ValueError("a device and a value are wanted")
        path(device, c, absolute=None)
        grammar(rest, c)

    return empty_or(both)


def _io_rate(text: str, c: Context) -> None:
    if (text != "infinity" or c.name.startswith("BlockIO")) and parse_size(text, 1000) <= 0:
        raise ValueError("0 is not a limit")


def _bpf_program(text: str, c: Context) -> None:
    kind, _rest = first_word(text, ":")
    program = text.partition(":")[2].lstrip(":")
    if not program:
        raise ValueError("the path is missing")
    one_of(
        kind,
        "ingress egress sock_create sock_ops device bind4 bind6 connect4 connect6 post_bind4 post_bind6 sendmsg4"
        " sendmsg6 sysctl recvmsg4 recvmsg6 getsockopt setsockopt",
        c.release,
    )
    path(program, c)


_CPUS = "numbers and ranges, for example 0-3,5"
_DEVICE = "a device and a value, for example /dev/sda "
_NAMESPACES = "yes, no or a list, for example net mnt or ~user"

GRAMMARS: Grammars = {
    "address_families": (empty_or(_address_families), "families with blanks between, for example AF_INET AF_UNIX"),
    "allowed_cpus": (_cpu_set, _CPUS),
    "allowed_cpuset": (_cpu_set, _CPUS),
    "allowed_mems": (_cpu_set, _CPUS),
    "blockio_bandwidth": (_device_value(_io_rate), _DEVICE + "5M"),
    "blockio_device_weight": (_device_value(in_range(10, 1000)), _DEVICE + "500"),
    "bpf_foreign_program": (empty_or(_bpf_program), "type:path, for example egress:/sys/fs/bpf/filter"),
    "delegate": (_delegate, "yes, no or controllers, for example cpu memory"),
    "delegate_subgroup": (_delegate_subgroup, "a plain name, for example supervisor"),
    "device_allow": (empty_or(_device_allow), "a device and rights, for example /dev/sda rw"),
    "disable_controllers": (empty_or(_disable_controllers), "controllers, for example cpu io"),
    "exec_coredump_filter": (_coredump_filter, "names or a hexadecimal mask, for example default elf-headers"),
    "exec_cpu_affinity": (_except("numa"), _CPUS),
    "io_device_latency": (_device_value(span), _DEVICE + "25ms"),
    "io_device_weight": (_device_value(in_range(1, 10000)), _DEVICE + "200"),
    "io_limit": (_device_value(_io_rate), _DEVICE + "5M"),
    "namespace_flags": (empty_or(_namespaces), _NAMESPACES),
    "numa_mask": (_except("all"), _CPUS),
    "personality": (empty_or(_personality), "an architecture, for example x86-64"),
    "restrict_filesystems": (_filesystems, "file systems or groups, for example ext4 @basic-api"),
    "restrict_namespaces": (empty_or(_namespaces), _NAMESPACES),
    "syscall_archs": (_syscall_archs, "architectures, for example native x86"),
    "syscall_errno": (empty_or(_syscall_errno), "an error, for example EPERM, or kill"),
    "syscall_filter": (_syscall_filter, "system calls or groups, for example @system-service or ~@privileged"),
    "syscall_log": (_syscall_filter, "system calls or groups, for example @privileged"),
    "unit_cpu_set": (_cpu_set, _CPUS),
}

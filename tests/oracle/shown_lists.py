# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `systemctl show` prints of lists: in its own order, in one normal form, as a set, or as bits."""

from __future__ import annotations

import base64
import ipaddress
import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._host.properties import split_list as split
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.commands import parse_exec
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import is_template
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import numbers
from oracle.question import Question, Rule, plain_path, shown_span, simple_path


def _words(case: Question, ours: t.Any) -> bool:
    return [case.expand(word) for word in ours] == split(case.text)


def _lines(case: Question, ours: t.Any) -> bool:
    return [case.expand(word) for word in ours] in (case.shown, split(case.text))


def _colons(case: Question, ours: t.Any) -> bool:
    return [case.expand(part) for part in ours] == case.text.split(" ")


_COMMAND = re.compile(r"\{ path=(.*?) ; argv\[\]=(.*) ; (?:flags|ignore_errors)=(.*?) ; start_time=", re.DOTALL)


_FLAGS = {"-": "ignore-failure", "+": "privileged", ":": "no-env-expand", "|": "via-shell"}


def _commands(case: Question, ours: t.Any) -> bool:
    """Arguments and flags; without flags whether a failure counts."""
    found = [_COMMAND.match(line) for line in case.theirs.get(case.about + "Ex") or case.shown]
    theirs = [(match.group(2), match.group(3)) for match in found if match]
    mine = []
    for command in [command for text in ours for command in parse_exec(text)]:
        argv = " ".join(case.expand(word) for word in command.argv)
        marks = command.prefixes
        flags = {_FLAGS[mark] for mark in marks if mark in _FLAGS}
        if "!!" in marks:  # newer releases find it the same as no mark
            flags |= {"ambient"} if case.release < 258 else set()
        elif "!" in marks:
            flags.add("no-setuid")
        shell = ("-sh " if "@" in marks else "sh ") if "|" in marks else ""
        mine.append((shell + (f"{command.path} {argv}" if shell and "@" in marks else argv), flags))
    if case.about + "Ex" not in case.theirs:
        return mine and [(argv, "yes" if "ignore-failure" in flags else "no") for argv, flags in mine] == theirs
    return mine == [(argv, set(flags.split())) for argv, flags in theirs]


def _once(case: Question, ours: t.Any) -> bool:
    """Lists without order in which nothing stands twice."""
    return {case.expand(word) for word in ours} == set(split(case.text))


def _data(case: Question, ours: t.Any) -> bool:
    return b"".join(base64.b64decode(text) for text in ours) == base64.b64decode(case.text)


def _credentials(case: Question, ours: t.Any) -> bool:
    """The new name is in a property that cannot be printed; a backslash protects what follows."""
    mine = dict.fromkeys(re.sub(r"\\(.)", r"\1", case.expand(text)) for text in ours)
    return [text.partition(":")[0] for text in mine] == split(case.text)


def _paths(case: Question, ours: t.Any) -> bool:
    """Old releases keep one of equal paths."""
    return list(dict.fromkeys(simple_path(case, word) for word in ours)) == list(dict.fromkeys(split(case.text)))


def _colon_paths(case: Question, ours: t.Any) -> bool:
    return [simple_path(case, part) for part in ours] == split(case.text)


def _environment_files(case: Question, ours: t.Any) -> bool:
    mine = [
        f"{simple_path(case, text.lstrip('-'))} (ignore_errors={'yes' if text[:1] == '-' else 'no'})" for text in ours
    ]
    return mine == case.shown


def _path_specs(case: Question, ours: t.Any) -> bool:
    """The newest stands in front."""
    mine = [f"{simple_path(case, text)} ({case.directive.name})" for text in ours]
    return sorted(mine) == sorted(case.shown)


def _sockets(case: Question, ours: t.Any) -> bool:
    kind = {"ListenUSBFunction": "USBFunction"}.get(case.directive.name, case.directive.name[len("Listen") :])
    theirs = [re.match(r"(.*) \((\w+)\)\Z", line) for line in case.shown]
    if {match.group(2) for match in theirs if match} != {kind}:
        return False
    # Releases escape one or the other of what stands in the path of a socket.
    addresses = [match.group(1).replace("\\\\", "\\") for match in theirs if match]
    mine = [_address(case, text) for text in ours]
    return addresses in (mine, [re.sub("[^\0-~]+", _octal, text) for text in mine])


def _octal(found: re.Match[str]) -> str:
    return "".join(f"\\{byte:03o}" for byte in found.group().encode())


# Numbers of linux/netlink.h that have a name.
_NETLINK = (
    *("route", "1", "2", "firewall", "inet-diag", "nflog", "xfrm", "selinux", "iscsi", "audit", "fib-lookup"),
    *("connector", "netfilter", "ip6-fw", "dnrtmsg", "kobject-uevent", "generic", "17", "scsitransport", "ecryptfs"),
    "rdma",
)


def _address(case: Question, text: str) -> str:
    text = re.sub("^vsock:4294967295:", "vsock::", re.sub("^vsock-stream:", "vsock:", case.expand(text)))
    if case.directive.name == "ListenNetlink":
        family, _blank, group = text.partition(" ")
        if not family[:1].isalpha():
            number = numbers.parse_integer(family, 0, 2**31)
            family = _NETLINK[number] if number < len(_NETLINK) else str(number)
        return f"{family} {numbers.parse_integer(group or '0', 0, 2**32)}"
    if text.startswith("/"):
        is_socket = case.directive.name in ("ListenStream", "ListenDatagram", "ListenSequentialPacket")
        return text if is_socket else plain_path(text)
    try:
        return f"[::]:{numbers.parse_integer(text, 1, 65535)}"
    except ValueError:
        return text


def _timers(case: Question, ours: t.Any) -> bool:
    name = case.directive.name
    theirs = [re.match(r"\{ (\w+)=(.*) ; next_elapse=", line) for line in case.shown]
    shown = [match.group(2) for match in theirs if match]
    if name == "OnCalendar":
        return len(shown) == len(ours)  # systemd prints the normal form
    return sorted(map(shown_span, shown)) == sorted(map(numbers.parse_span, ours))


def _units(case: Question, ours: t.Any) -> bool:
    """Units: systemd fills in the instance of a template, and adds what it implies."""
    expanded = set()
    for word in ours:
        name = case.expand(word)
        if is_template(name):
            stem = case.unit.rpartition(".")[0]
            name = name.replace("@.", f"@{stem.partition('@')[2] or stem}.")
        expanded.add(name)
    expanded.discard(case.unit)
    theirs = set(split(case.text))
    implied = {name for name in theirs if name.startswith("system-ev")}  # the slice of a template's instances
    return expanded <= theirs <= expanded | implied | set(split(case.default[case.about][-1]))


def _filesystems(case: Question, ours: t.Any) -> bool:
    words = []
    for word in ours:
        front = "~" if word.startswith("~") else ""
        words += [front + name for name in sorted(_members(case, word[len(front) :]))]
    return _SIGNED(case, words)


def _mounts_for(case: Question, ours: t.Any) -> bool:
    theirs = set(split(case.text))
    mine = {simple_path(case, word) for word in ours}
    return mine <= theirs <= mine | set(split(case.default[case.about][-1]))


def _directories(case: Question, ours: t.Any) -> bool:
    """Sorted, and the links in a property of their own."""
    if case.release < 251:  # no links yet: the colon is part of the name
        return {plain_path(case.expand(word)) for word in ours} == set(split(case.text))
    parts = [case.expand(word).lstrip(":").partition(":")[0] for word in ours]
    return {plain_path(part) for part in parts} == set(split(case.text))


def _binds(case: Question, ours: t.Any) -> bool:
    mine = []
    for word in ours:
        front = "-" if word.startswith("-") else ""
        source, destination, options, *_rest = [*case.expand(word[len(front) :]).split(":"), "", ""]
        source = plain_path(source)
        mine.append(f"{front}{source}:{plain_path(destination) or source}:{options or 'rbind'}".replace(":norbind", ""))
    return mine == split(case.text) or " ".join(mine) == case.text


def _images(case: Question, ours: t.Any) -> bool:
    """`show` names the partition, which is root when only the options are given; old releases do so always."""
    mine = []
    paths = 2 if case.directive.name == "MountImages" else 1
    for word in ours:
        parts = [part for part in case.expand(word).split(":") if part]
        places = [re.match("-?", part)[0] + plain_path(part.removeprefix("-")) for part in parts[:paths]]
        mine.append(":".join([*places, *parts[paths:]]).replace(":root:", ":"))
    mine = [text for text in mine if text]
    shown = case.text.replace(":root:", ":")
    return mine == split(shown) or " ".join(mine) == shown


def _filter(case: Question, ours: t.Any) -> bool:
    """A mask, to which each assignment adds."""
    names = "private-anonymous shared-anonymous private-file-backed shared-file-backed elf-headers private-huge"
    bits = {name: 1 << bit for bit, name in enumerate((names + " shared-huge private-dax shared-dax").split())}
    bits.update(default=0x33, all=2**64 - 1)
    mask = 0
    for word in ours:
        mask |= bits[word] if word in bits else int(word, 16)
    return (mask ^ int(case.text, 16)) & 0xFFFFFFFF == 0  # old releases hold no more bits


def _bits(case: Question, ours: t.Any) -> bool:
    numbers = {"noroot": 1, "noroot-locked": 2, "no-setuid-fixup": 4, "no-setuid-fixup-locked": 8, "keep-caps": 16}
    numbers["keep-caps-locked"] = 32
    return str(sum({numbers.get(word, 0) for word in ours.split()})) == case.text


def _delegate(case: Question, ours: t.Any) -> bool:
    if isinstance(ours, bool):
        return case.text == ("yes" if ours else "no")
    return case.text == "yes" and set(ours) >= set(split(case.theirs["DelegateControllers"][-1]))


_NAMESPACES = {"cgroup": 25, "ipc": 27, "net": 30, "mnt": 17, "pid": 29, "user": 28, "uts": 26, "time": 7}


def _namespaces(case: Question, ours: t.Any) -> bool:
    """The namespaces that are allowed, by name, as yes (all are restricted) or no, or as bits."""
    # Before 258 time is not one of all, and is shown only beside others.
    every = {name for name in _NAMESPACES if name != "time" or case.release > 257}
    if case.directive.name == "DelegateNamespaces":
        every.discard("user")
    if isinstance(ours, bool):
        mine = set() if ours == (case.directive.name == "RestrictNamespaces") else every
    else:
        mine = _evaluated(ours, every)
    if case.text.isdigit():
        return int(case.text) == sum(1 << _NAMESPACES[name] for name in mine)
    if not mine & every or mine >= every:
        return case.text == ("no" if mine & every else "yes")
    return mine == set(split(case.text))


def _evaluated(words: t.Sequence[str], every: set[str]) -> set[str]:
    """The set that words make; a ~ in the first starts with everything."""
    found = set(every) if words[0].startswith("~") else set()
    for word in words:
        (found.discard if word.startswith("~") else found.add)(word.lstrip("~"))
    return found


def _temporary(case: Question, ours: t.Any) -> bool:
    mine = []
    for word in ours:
        path, _colon, options = case.expand(word).partition(":")
        mine.append(plain_path(path) + (f":{options}" if options else ""))
    return mine == split(case.text) or " ".join(mine) == case.text


def _fields(case: Question, ours: t.Any) -> bool:
    return " ".join(case.expand(word) for word in ours) == case.text


def _signed(names: t.Callable[[Question, str], str]) -> t.Callable[[Question, t.Any], bool]:
    """Words each of which adds to a set, or with ~ takes away; a ~ in the first word starts with everything."""

    def rule(case: Question, ours: t.Any) -> bool:
        words = list(ours)
        inverted = bool(words) and words[0].startswith("~")
        found: set[str] = set()
        for word in words:
            name = names(case, word.lstrip("~"))
            if word.startswith("~") == inverted and name:
                found.add(name)
            else:
                found.discard(name)
        text = case.text
        theirs = set(split(text.lstrip("~")))
        if not inverted or text.startswith("~"):
            return found == theirs and (inverted == text.startswith("~") or not text)
        return set(split(case.default["CapabilityBoundingSet"][-1])) - found == theirs

    return rule


def _since(mark: str, keeps: int, rule: Rule) -> Rule:
    """A rule for the words from the last ``mark`` on, which begins anew; the mark is among them when ``keeps`` is 1."""

    def since(case: Question, ours: t.Any) -> bool:
        return rule(case, ours[len(ours) - keeps - ours[::-1].index(mark) :] if mark in ours else ours)

    return since


def _cpus(case: Question, ours: t.Any) -> bool:
    mine = _ranges(",".join(case.expand(word) for word in ours))
    theirs = case.text.replace(" ", ",")
    if re.fullmatch("[0-9a-f]{16,}", case.text):
        bits = int.from_bytes(bytes.fromhex(case.text), "little")
        theirs = ",".join(str(bit) for bit in range(bits.bit_length()) if bits >> bit & 1)
    return mine == _ranges(theirs)


def _ranges(text: str) -> list[tuple[int, int]]:
    """First and last of each, in order, those that meet as one: a set of four thousand million fills the memory."""
    parts = [part.partition("-") for part in text.split(",") if part.partition("-")[0]]
    both = [[numbers.parse_integer(end, 0, 2**31) for end in (low, high or low)] for low, _dash, high in parts]
    found: list[tuple[int, int]] = []
    for first, last in sorted(both):
        if last < first:
            continue
        if found and first <= found[-1][1] + 1:
            first, end = found.pop()
            last = max(last, end)
        found.append((first, last))
    return found


def _networks(case: Question, ours: t.Any) -> bool:
    special = {
        "any": ["0.0.0.0/0", "::/0"],
        "localhost": ["127.0.0.0/8", "::1/128"],
        "link-local": ["169.254.0.0/16", "fe80::/64"],
        "multicast": ["224.0.0.0/4", "ff00::/8"],
    }
    mine = {ipaddress.ip_network(net, strict=False) for word in ours for net in special.get(word.lower(), [word])}
    return set(ipaddress.collapse_addresses(n for n in mine if n.version == 4)) == set(
        ipaddress.collapse_addresses(n for n in map(ipaddress.ip_network, split(case.text)) if n.version == 4)
    ) and set(ipaddress.collapse_addresses(n for n in mine if n.version == 6)) == set(
        ipaddress.collapse_addresses(n for n in map(ipaddress.ip_network, split(case.text)) if n.version == 6)
    )


def _statuses(case: Question, ours: t.Any) -> bool:
    """Exit statuses by number, signals by name."""
    names = case.facts.statuses
    mine = set()
    for word in ours:
        if word in names:
            mine.add(names[word])
        elif word[0].isalpha():
            mine.add(word[3:] if word.startswith("SIG") else word)
        else:
            mine.add(str(numbers.parse_integer(word, 0, 255)))
    return mine == set(split(case.text))


def _calls(case: Question, ours: t.Any) -> bool:
    """System calls: groups are shown as their members, those unknown to libseccomp not at all."""
    inverted = ours[0].startswith("~")
    found: dict[str, str] = {}
    if not inverted and case.directive.parser == "syscall_filter":
        found.update(dict.fromkeys(_members(case, "@default"), ""))
    for word in ours:
        name, _colon, error = word.lstrip("~").partition(":")
        for call in _members(case, name):
            if word.startswith("~") == inverted:
                found[call] = error.upper()
            else:
                found.pop(call, None)
    shown = case.text.replace("sys_debug_setcontext", "switch_endian")  # of one number
    theirs = {name: error.upper() for name, _colon, error in (word.partition(":") for word in split(shown.lstrip("~")))}
    return case.text.startswith("~") == inverted and theirs == {
        name: error for name, error in found.items() if name in case.facts.calls or name in theirs
    }


def _members(case: Question, name: str) -> set[str]:
    if not name.startswith("@"):
        return {name.replace("sys_debug_setcontext", "switch_endian")}
    return {call for member in case.facts.groups.get(name, ()) for call in _members(case, member)}


_SIGNED = _signed(lambda case, word: word)


# By systemd's parser.
RULES: dict[str, Rule] = {
    **dict.fromkeys(("bind_paths",), _binds),
    **dict.fromkeys(("mount_images", "extension_images"), _images),
    **dict.fromkeys(("syscall_filter", "syscall_log"), _calls),
    "exec_coredump_filter": _filter,
    "exec_secure_bits": _bits,
    "delegate": _delegate,
    **dict.fromkeys(("restrict_namespaces", "namespace_flags"), _namespaces),
    "exec_input_data": _data,
    "import_credential": _credentials,
    "temporary_filesystems": _temporary,
    "trigger_unit": lambda case, ours: case.expand(ours) == case.text or _units(case, [ours]),
    "log_extra_fields": _fields,
    **dict.fromkeys(("namespace_path_strv", "unit_path_strv_printf", "ip_filter_bpf_progs"), _paths),
    "colon_separated_paths": _colon_paths,
    "unit_env_file": _environment_files,
    "path_spec": _path_specs,
    "socket_listen": _sockets,
    "timer": _timers,
    **dict.fromkeys(("unit_deps", "obsolete_unit_deps"), _units),
    **dict.fromkeys(("unit_mounts_for", "unit_requires_mounts_for"), _mounts_for),
    "exec_directories": _directories,
    "capability_set": _since("~", 1, _signed(lambda case, word: word.lower())),
    "restrict_network_interfaces": _SIGNED,
    "restrict_filesystems": _filesystems,
    "address_families": _since("none", 0, _signed(lambda case, word: word.upper().replace("AF_LOCAL", "AF_UNIX"))),
    **dict.fromkeys(("exec_cpu_affinity", "allowed_cpus", "allowed_cpuset", "allowed_mems", "unit_cpu_set"), _cpus),
    "numa_mask": _cpus,
    **dict.fromkeys(("in_addr_prefixes", "ip_address_access"), _networks),
    "set_status": _statuses,
    **dict.fromkeys(("disable_controllers", "syscall_archs", "luo_sessions"), _once),
}
# For the other parsers by how assignments join.
BY_JOINS: dict[str, Rule] = {
    "words": _words,
    "deps": _units,
    "lines": _lines,
    "exec": _commands,
    "colons": _colons,
}

# SPDX-License-Identifier: GPL-3.0-or-later

"""Grammars of names and addresses: units, users, variables, journal fields, hosts, interfaces, IP, sockets, ports.

Source: ``load-fragment.c``, ``unit-name.c``, ``user-util.c``, ``socket-netlink.c`` of systemd 247 to 262.
"""

from __future__ import annotations

import ipaddress
import re

from .._syntax.names import UNIT_NAME_MAX, unit_name_problem
from .._syntax.words import WHITESPACE
from .base import (
    LINE_MAX,
    NAME_MAX,
    Context,
    Grammars,
    byte_length,
    each,
    empty_or,
    expand,
    first_word,
    is_bool,
    not_a,
    one_of,
    only,
    words,
)
from .numbers import INT_MAX, UINT_MAX, parse_bool, parse_integer, parse_unsigned, quoted
from .paths import expand_path, path

CONTROL = re.compile("[\x00-\x1f\x7f]")


def is_filename(text: str) -> bool:
    """Whether a text can name a file in a directory."""
    return bool(text) and text not in (".", "..") and "/" not in text and byte_length(text) <= NAME_MAX


def is_safe(text: str, globs: bool = True) -> bool:
    """``string_is_safe()``: no control characters, quotes or backslashes, and no wildcards unless they are allowed."""
    return not CONTROL.search(text) and not set("\"'\\") & set(text) and (globs or not set("*?[") & set(text))


def _unit_name(text: str, c: Context, template: bool = True) -> str:
    name = expand(text, c, UNIT_NAME_MAX if c.release >= 249 else LINE_MAX, name=True)
    problem = unit_name_problem(name, allow_template=template)
    if problem:
        raise ValueError(problem)
    stem, _dot, kind = name.rpartition(".")
    if "@" in stem and kind not in ("service", "socket", "target", "timer", "path"):
        raise ValueError(f"a .{kind} unit cannot be a template or an instance")
    return name


def _unit_deps(text: str, c: Context) -> None:
    for word in each(text, unquote=False, retain_escape=True):
        _unit_name(word, c)


def _trigger_unit(text: str, c: Context) -> None:
    if c.name in c.earlier:
        raise ValueError("the unit to trigger is set twice")
    name = _unit_name(text, c)
    if c.unit_name and name == c.unit_name:
        raise ValueError("a unit cannot trigger itself")


def _socket_service(text: str, c: Context) -> None:
    if not _unit_name(text, c, template=False).endswith(".service"):
        raise not_a(text, "a service")


def _service_sockets(text: str, c: Context) -> None:
    for word in each(text, unquote=False):
        if not _unit_name(word, c).endswith(".socket"):
            raise not_a(word, "a socket unit")


def _unit_slice(text: str, c: Context) -> None:
    only(c, "Service Socket Mount Swap Scope")
    if not _unit_name(text, c, template=False).endswith(".slice"):
        raise not_a(text, "a slice")


def _documentation(text: str, c: Context) -> None:
    for word in each(expand(text, c), retain_escape=True):
        if not re.fullmatch("(?:https?://|file:/|info:|man:)[\x00-\x7f]+", word):
            raise not_a(word, "a URL")


_BUS_NAME = re.compile(
    r"(?=.{1,255}$)(?:[A-Za-z_-][A-Za-z0-9_-]*(?:\.[A-Za-z_-][A-Za-z0-9_-]*)+|:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)"
)


def _bus_name(text: str, c: Context) -> None:
    text = expand(text, c, 255)
    if not _BUS_NAME.fullmatch(text):
        raise not_a(text, "a name on the bus")


def _user(text: str, c: Context) -> None:
    text = expand(text, c)
    if re.fullmatch("[0-9]+", text):
        number = int(text) if len(text) < 12 else 2**32
        if (text[0] == "0" and text != "0") or number >= 2**32 - 1 or number == 65535:
            raise not_a(text, "a user or group number")
        return
    bad = (
        not text
        or text[0] == " "
        or text[-1] == " "
        or set(":/") & set(text)
        or text in (".", "..")
        or re.fullmatch("-[0-9]*", text)
        or CONTROL.search(text)
        or re.search("[\x80-\x9f\ud800-\udfff]", text)
    )
    if bad:
        raise not_a(text, "a name of a user or group")


def _users(text: str, c: Context) -> None:
    for word in each(text, unquote=False):
        _user(word, c)


_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def _environ(text: str, c: Context) -> None:
    for word in each(text, cunescape=True):
        _assignment(expand(word, c))


def _assignment(word: str) -> None:
    name, equals, value = word.partition("=")
    if not equals or not _VARIABLE.fullmatch(name):
        raise not_a(word, "an assignment of a variable")
    if re.search("[\ud800-\udfff]", value):
        raise ValueError(f"the value of {name} is not UTF-8")


def _pass_environ(text: str, c: Context) -> None:
    for word in each(text):
        if not _VARIABLE.fullmatch(expand(word, c)):
            raise not_a(word, "a name of a variable")


def _unset_environ(text: str, c: Context) -> None:
    for word in each(text, cunescape=True):
        name = expand(word, c)
        if not _VARIABLE.fullmatch(name):
            _assignment(name)


def _log_extra_fields(text: str, c: Context) -> None:
    for word in each(text, cunescape=True):
        if not re.match("[A-Z][A-Z0-9_]{0,63}=", expand(word, c)):
            raise not_a(word, "a journal field")


def _log_filter_patterns(text: str, c: Context) -> None:
    if text == "~":
        raise ValueError("the pattern is missing")


def _log_namespace(text: str, c: Context) -> None:
    text = expand(text, c, 255)
    if text in (".", "..") or len(text) > 222 or not re.fullmatch("[0-9a-zA-Z:_.@-]+", text):
        raise not_a(text, "a name of a journal namespace")


def _rule_names(text: str, c: Context) -> None:
    only(c, "Service Scope Slice")
    for word in each(text, retain_escape=True):
        if not is_filename(word) or not is_safe(word, globs=False):
            raise not_a(word, "a name of a rule")


_HOST_NAME = re.compile(
    "[0-9A-Za-z_](?:[0-9A-Za-z_-]*[0-9A-Za-z_])?(?:[.][0-9A-Za-z_](?:[0-9A-Za-z_-]*[0-9A-Za-z_])?)*"
)


def _protect_hostname(text: str, c: Context) -> None:
    if c.release < 258:
        parse_bool(text)
        return
    mode, colon, host = text.partition(":")
    if not text:
        return
    if mode != "private" and not is_bool(mode):
        raise ValueError(f"{quoted(mode)} is not known")
    if colon:
        host = expand(host, c, 64)
        if not _HOST_NAME.fullmatch(host):
            raise not_a(host, "a host name")
        if mode != "private" and not parse_bool(mode):
            raise ValueError("a host name goes with private: or yes: only")


def _interface(text: str, release: int, longest: int = 15) -> None:
    bad = (
        not re.fullmatch("[!-~]+", text)
        or len(text) > longest
        or text in (".", "..")
        or text.isdigit()
        or set(text) & set(":/")
        or (release >= 249 and "%" in text)
        or (release >= 250 and (text in ("all", "default") or _is_index(text)))
    )
    if bad:
        raise not_a(text, "a name of a network interface")


def _is_index(text: str) -> bool:
    try:
        return bool(parse_integer(text, 1, INT_MAX))
    except ValueError:
        return False


def _bind_to_device(text: str, c: Context) -> None:
    if text != "*":
        _interface(expand(text, c) if c.release >= 258 else text, c.release)


def _bind_interface(text: str, c: Context) -> None:
    _interface(expand(text, c), c.release, 127)


def _interfaces(text: str, c: Context) -> None:
    for word in each(text[1:] if text[0] == "~" else text):
        _interface(word, c.release, 127 if c.release >= 256 else 15)


def _nft_set(text: str, c: Context) -> None:
    for item in each(text, retain_escape=True):
        fields = [field for field in words(item, unquote=False, cunescape=True, separators=":") if field]
        if len(fields) != 4:
            raise ValueError(f"{quoted(item)} does not have four parts")
        one_of(fields[0], "cgroup user group", c.release)
        one_of(fields[1], "arp bridge inet ip ip6 netdev", c.release)
        for name in fields[2:]:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9/\\_.]{0,30}", name):
                raise not_a(name, "a name in nftables")


def _xattr(text: str, c: Context) -> None:
    name, equals, value = text.partition("=")
    if not equals or not expand(name, c).startswith("user."):
        raise not_a(text, "an attribute whose name starts with user.")
    expand(value, c)


def _ip_prefixes(text: str, c: Context) -> None:
    for word in each(text, unquote=False):
        if word in ("any", "link-local", "multicast") or _is_localhost(word):
            continue
        address, slash, length = word.partition("/")
        version = _ip_version(address)
        if slash:
            parse_integer(length, 0, 32 if version == 4 else 128)


def _is_localhost(word: str) -> bool:
    name = "." + word.lower()
    name = name[:-1] if name.endswith(".") else name
    return name.endswith((".localhost", ".localhost.localdomain"))


def _ip_version(address: str) -> int:
    """4 or 6, of an address as ``inet_pton()`` reads it."""
    try:
        if len(address) < 64 and "%" not in address:
            return ipaddress.ip_address(address).version
    except ValueError:
        pass
    raise not_a(address, "an IP address")


def _port(text: str) -> None:
    if text[:1] in tuple(WHITESPACE):
        raise not_a(text, "a port")
    parse_integer(text, 1, 65535)


def _socket_listen(text: str, c: Context) -> None:
    if c.ltype != "SOCKET_SOCKET":
        path(text, c, no_api=c.ltype != "SOCKET_SPECIAL")
        return
    text = expand_path(text, c)
    if c.name == "ListenNetlink":
        _netlink(text)
        return
    if text[:1] in ("/", "@"):
        if not 2 <= byte_length(text) <= 107:
            raise ValueError(f"the path of a socket has at most 107 bytes: {quoted(text)}")
        return
    if _VSOCK.match(text):
        _vsock(text, c.release)
    else:
        _ip_socket(text)
    if c.name == "ListenSequentialPacket":
        raise ValueError("only sockets in the file system take sequential packets")


_VSOCK = re.compile("vsock(-stream|-dgram|-seqpacket)?:")


def _vsock(text: str, release: int) -> None:
    match = _VSOCK.match(text)
    if match is None or (match.group(1) and release < 254):
        raise not_a(text, "an address of a socket")
    cid, colon, port = text[match.end() :].partition(":")
    if not colon:
        raise ValueError("the port is missing")
    parse_unsigned(port, UINT_MAX - 1 if release >= 256 else UINT_MAX)
    if cid and not (release >= 256 and cid in ("hypervisor", "local", "host", "any", "-1")):
        parse_unsigned(cid)


def _netlink(text: str) -> None:
    family, rest = first_word(text)
    families = (
        "route firewall inet-diag nflog xfrm selinux iscsi audit fib-lookup connector netfilter ip6-fw dnrtmsg"
        " kobject-uevent generic scsitransport ecryptfs rdma"
    )
    if family not in families.split():
        parse_unsigned(family, INT_MAX)
    if rest:
        parse_unsigned(rest)


def _ip_socket(text: str) -> None:
    try:
        _port(text)
        return
    except ValueError:
        pass
    if "#" in text or text.count("%") > 1:
        raise not_a(text, "an address of a socket")
    address, colon, port = text.rpartition(":")
    address, percent, _interface = address.partition("%")
    if percent or "%" in port:
        # Whether the interface is there only the target knows; most often it is not when the unit is read.
        raise ValueError(f"{quoted(text)} names an interface; use BindToDevice=")
    if not colon:
        raise not_a(text, "a port or address:port")
    if address[:1] == "[" and address[-1:] == "]":
        if _ip_version(address[1:-1]) != 6:
            raise ValueError("brackets go around an IPv6 address only")
    elif _ip_version(address) != 4:
        raise ValueError("an IPv6 address stands in brackets: [::1]:80")
    _port(port)


def _socket_bind_item(text: str, c: Context) -> None:
    stage = 0
    for token in words(text, unquote=False, separators=":"):
        if token in ("ipv4", "ipv6") and stage < 1:
            stage = 1
        elif token.lower() in ("tcp", "udp") and stage < 2:
            stage = 2
        elif stage < 3:
            stage = 3
            if token != "any":  # noqa: S105  a word of the value
                _port_range(token, c.release)
        else:
            raise ValueError(f"{quoted(token)} is left over")


def _port_range(token: str, release: int) -> None:
    first, dash, last = token.partition("-")
    low = parse_unsigned(first)
    high = parse_unsigned(last) if dash else low
    if high > 65535 or high < low or (low == 0 and release < 256):
        raise not_a(token, "a range of ports")


def _socket_protocol(text: str, c: Context) -> None:
    numbers = {"udplite": 136, "sctp": 132, **({"mptcp": 262} if c.release >= 257 else {})}
    known = (text.lower() if text.isascii() else text) in numbers
    if not known and parse_integer(text, 0, INT_MAX) not in numbers.values():
        raise ValueError(f"the protocol {quoted(text)} cannot be chosen")


_ADDRESSES = "addresses, for example 10.0.0.0/8 ::1 localhost"
_NAMES = "unit names with blanks between, for example network-online.target foo.service"
_USER = "a name or a number, for example www-data"

GRAMMARS: Grammars = {
    "bind_network_interface": (empty_or(_bind_interface), "an interface, for example eth0"),
    "bus_name": (_bus_name, "a name with dots, for example org.example.Service"),
    "cgroup_nft_set": (_nft_set, "source:family:table:set, for example cgroup:inet:filter:services"),
    "cgroup_socket_bind": (empty_or(_socket_bind_item), "[family:][protocol:]port, for example ipv4:tcp:8000-8080"),
    "documentation": (_documentation, "URLs with blanks between, for example man:foo(8) https://example.org/foo"),
    "environ": (_environ, 'NAME=value; blanks need quotes, for example "GREETING=good day" LEVEL=3'),
    "in_addr_prefixes": (_ip_prefixes, _ADDRESSES),
    "ip_address_access": (_ip_prefixes, _ADDRESSES),
    "log_extra_fields": (_log_extra_fields, "FIELD=value in capitals, for example TIER=backend"),
    "log_filter_patterns": (_log_filter_patterns, "a regular expression, after ~ to drop what fits"),
    "log_namespace": (empty_or(_log_namespace), "a plain name, for example foo"),
    "managed_oom_rules": (_rule_names, "names of rules"),
    "obsolete_unit_deps": (_unit_deps, _NAMES),
    "pass_environ": (_pass_environ, "names of variables with blanks between, for example LANG TERM"),
    "protect_hostname": (_protect_hostname, "yes, no, private or private:name"),
    "restrict_network_interfaces": (empty_or(_interfaces), "interfaces, for example eth0 or ~eth1"),
    "service_sockets": (_service_sockets, "socket units, for example foo.socket"),
    "socket_bindtodevice": (empty_or(_bind_to_device), "an interface, for example eth0"),
    "socket_listen": (
        empty_or(_socket_listen),
        "a port, an address with one or a path, such as 8080, [::1]:80 or /run/foo.sock",
    ),
    "socket_protocol": (_socket_protocol, "udplite, sctp or (since 257) mptcp"),
    "socket_service": (_socket_service, "a service, for example foo.service"),
    "trigger_unit": (_trigger_unit, "one unit, for example foo.service"),
    "unit_deps": (_unit_deps, _NAMES),
    "unit_slice": (_unit_slice, "a slice, for example batch.slice"),
    "unset_environ": (_unset_environ, "names or assignments, for example LANG TERM=vt100"),
    "user_group_compat": (empty_or(_user), _USER),
    "user_group_strv_compat": (_users, _USER),
    "xattr": (empty_or(_xattr), "user.name=value, for example user.role=web"),
}

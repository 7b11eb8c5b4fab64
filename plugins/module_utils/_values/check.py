# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One grammar for each parser of systemd: does the release take this value, and if not, what does it want.

A grammar is a function of the text and its context that raises ValueError with the reason. ``_GRAMMARS`` at the end
maps systemd's parser names to grammars and to a sentence with an example. Source: ``load-fragment.c``,
``conf-parser.c`` and what they call, systemd 247 to 262.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import typing as t

from .. import _catalog
from .._syntax.commands import parse_exec
from .._syntax.lines import LONG_LINE_MAX
from .._syntax.names import UNIT_NAME_MAX, unit_name_problem
from .._syntax.text import shorten
from .._syntax.words import (
    _unescape_one,
    c_unescape,
    split_words,
    word_reader,
)
from . import base as _values_base
from . import identifiers as _values_names
from .calendar import parse_calendar
from .numbers import (
    INT_MAX as _INT_MAX,
)
from .numbers import (
    UINT64_MAX as _UINT64_MAX,
)
from .numbers import (
    UINT_MAX as _UINT_MAX,
)
from .numbers import (
    parse_bool,
    parse_mode,
    parse_percent,
    parse_permyriad,
    parse_size,
)
from .numbers import (
    parse_integer as _integer,
)
from .numbers import (
    parse_unsigned as _unsigned,
)
from .timespans import INFINITY, parse_nanoseconds, parse_span

Context = _values_base.Context
Grammar = t.Callable[[str, Context], object]

_words = _values_base.words
_expand = _values_base.expand
_path = _values_base.unit_path


class Problem(t.NamedTuple):
    """Why systemd does not take a value."""

    message: str  # the reason, and what the grammar wants with an example
    fatal: bool  # systemd refuses the whole unit; otherwise it drops the setting


class _Fatal(ValueError):
    """A value for which systemd refuses the unit."""


def check(
    directive: _catalog.Directive,
    value: str,
    release: int,
    unit_name: str = "",
    target: str = "system",
    earlier: t.Mapping[str, str] | None = None,
) -> Problem | None:
    """What is wrong with a value, or None when systemd takes it (or does not look at it).

    :param directive: the directive as ``release`` knows it.
    :param value: the text after the equals sign; blanks around it do not count.
    :param target: the manager that reads the unit: "system" or "user".
    :param earlier: values of directives that stand earlier in the section, for the few that depend on others.
    """
    if len(value) > _REMEMBERED_LENGTH or "%" in value or directive.parser in _IN_CONTEXT:
        return _check(directive, value, release, unit_name, target, earlier)
    key = (directive.parser, directive.section, directive.name, value, release, target)
    if key not in _remembered:
        if len(_remembered) >= _REMEMBERED_MOST:
            _remembered.clear()
        _remembered[key] = _check(directive, value, release, unit_name, target, earlier)
    return _remembered[key]


# The units of a large set have many values in common.
_remembered: dict[tuple[str, str, str, str, int, str], Problem | None] = {}
_REMEMBERED_MOST = 20000
_REMEMBERED_LENGTH = 200
_IN_CONTEXT = ("exec_cpu_sched_prio", "trigger_unit")  # what stands above, or the unit's name, counts


def _check(
    directive: _catalog.Directive,
    value: str,
    release: int,
    unit_name: str,
    target: str,
    earlier: t.Mapping[str, str] | None,
) -> Problem | None:
    entry = _GRAMMARS.get(directive.parser)
    if entry is None:
        return None
    grammar, want = entry
    if len(value) * 4 > LONG_LINE_MAX and _values_base.byte_length(value) >= LONG_LINE_MAX:
        return Problem("the value is longer than a line of 1 MiB, which systemd refuses; split it up", True)
    context = Context(directive.name, directive.section, directive.ltype, release, unit_name, target, earlier or {})
    try:
        grammar(value.strip(_values_base.BLANKS), context)
        if release < 251 and directive.name in _WANT_MOUNTS:
            _mount_names(value.strip(_values_base.BLANKS), context)
    except ValueError as error:
        fatal = isinstance(error, _Fatal) or directive.ltype == "1" or directive.parser in _FATAL_PARSERS
        return Problem("%s; %s" % (error, want), fatal)
    return None


def _each(text: str, **flags: bool) -> t.Iterable[str]:
    """The different words of a value."""
    return dict.fromkeys(_words(text, **flags))


# --------------------------------------------------------------------------------------------------------------- enums

# parser: values, each with @ and the release it came in. yes/no stand for every spelling of a boolean,
# "empty" for an empty value, #N for a number up to N, !4 for none that the kernel does not know.
_ENUMS = """\
collect_mode inactive inactive-or-failed
device_policy auto closed strict
cpuset_partition member root isolated empty
exec_keyring_mode inherit private shared
protect_proc default noaccess invisible ptraceable
proc_subset all pid
private_bpf yes/no
private_tmp yes/no connected disconnected
private_users yes/no self identity full@258 managed@260
private_pids yes/no
protect_control_groups yes/no private strict
exec_utmp_mode init login user
job_mode fail replace replace-irreversibly isolate flush ignore-dependencies ignore-requirements triggering restart-dependencies@254 lenient@258
notify_access none main exec all
protect_home yes/no read-only tmpfs
protect_system yes/no full strict
exec_preserve_mode yes/no restart on-success@261
runtime_preserve_mode yes/no restart
service_type simple forking oneshot dbus notify idle exec notify-reload@253
service_exit_type main cgroup
service_restart no on-success on-failure on-abnormal on-watchdog on-abort always
service_restart_mode normal direct debug@257
service_timeout_failure_mode terminate abort kill
socket_bind yes/no default both ipv6-only
oom_policy continue stop kill
managed_oom_preference none avoid omit
pressure_watch yes/no auto skip
memory_pressure_watch yes/no off auto on skip
ip_tos low-delay throughput reliability low-cost empty #255
numa_policy default preferred bind interleave local preferred-many@262 weighted-interleave@262 empty
socket_timestamping yes/no off us ns nsec usec \u00b5s \u03bcs@250
socket_defer_trigger yes/no patient
exec_memory_thp inherit disable madvise system
kill_mode control-group process mixed none empty
exec_io_class none realtime best-effort idle empty #7
exec_cpu_sched_policy other batch idle fifo rr ext@260 empty #2147483647 !4@260
log_facility kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 local1 local2 local3 local4 local5 local6 local7 #127
log_level emerg alert crit err warning notice info debug #7
exec_mount_propagation_flag shared slave private empty
exec_mount_flags shared slave private empty
"""
_INPUTS = "null tty tty-force tty-fail socket fd data file"
_OUTPUTS = "inherit null tty kmsg kmsg+console journal journal+console socket fd file append truncate@248 syslog syslog+console"
_EMERGENCIES = (
    "none exit exit-force reboot reboot-force reboot-immediate poweroff poweroff-force poweroff-immediate"
    " soft-reboot@254 soft-reboot-force@254 kexec@254 kexec-force@254 halt@254 halt-force@254 halt-immediate@254"
)
_CONTROLLERS = (
    "cpu cpuacct cpuset io blkio memory devices pids bpf-firewall bpf-devices bpf-foreign@249 bpf-socket-bind@249"
    " bpf-restrict-network-interfaces@250 bpf-bind-network-interface@260"
)
_PARTITIONS = (
    "root root-secondary usr usr-secondary home srv esp xbootldr swap root-verity root-secondary-verity usr-verity"
    " usr-secondary-verity tmp var root-other@250 usr-other@250 root-other-verity@250 usr-other-verity@250"
    " root-verity-sig@250 root-secondary-verity-sig@250 root-other-verity-sig@250 usr-verity-sig@250"
    " usr-secondary-verity-sig@250 usr-other-verity-sig@250"
)


@functools.lru_cache(maxsize=128)
def _known(names: str, release: int) -> frozenset[str]:
    """The names of a list (``name`` or ``name@release``) that the release knows."""
    found = set()
    for item in names.split():
        name, _at, since = item.partition("@")
        if not since or int(since) <= release:
            found.add(name)
    return frozenset(found)


def _later(name: str, names: str) -> str:
    """Says when a name came, for one that an older release does not know."""
    for item in names.split():
        if item.startswith(name + "@"):
            return "'%s' comes with systemd %s" % (name, item.partition("@")[2])
    return "'%s' is not known" % shorten(name)


def _one_of(text: str, names: str, release: int) -> None:
    if text not in _known(names, release):
        raise ValueError(_later(text, names))


def _enum(text: str, c: Context, names: str = "") -> None:
    known = _known(names, c.release)
    if text in known and text not in ("yes/no", "empty"):
        return
    if not text and "empty" in known:
        return
    if "yes/no" in known and _is_bool(text):
        return
    number = [name for name in known if name[0] == "#"]
    if number and text:
        try:
            value = _unsigned(text, int(number[0][1:]))
        except ValueError:
            value = -1
        # systemd 260 and later ask the kernel, which knows the policies 0 to 7 but for 4.
        if value >= 0 and not ("!4" in known and (value == 4 or value > 7)):
            return
    raise ValueError(_later(text, names))


def _is_bool(text: str) -> bool:
    try:
        parse_bool(text)
    except ValueError:
        return False
    return True


def _enum_want(names: str) -> str:
    shown = []
    for item in names.split():
        name, _at, since = item.partition("@")
        if name[0] in "#!" or name == "empty":
            continue
        shown.append(name.replace("yes/no", "yes, no") + (" (since %s)" % since if since else ""))
    return "write one of: " + ", ".join(shown)


# ------------------------------------------------------------------------------------------------------ plain scalars


def _empty_or(grammar: Grammar) -> Grammar:
    """The grammar, for a parser to which an empty value is a reset."""

    def either(text: str, c: Context) -> None:
        if text:
            grammar(text, c)

    return either


def _bool(text: str, c: Context) -> None:
    parse_bool(text)


def _nothing(text: str, c: Context) -> None:
    """systemd takes everything."""


def _string(text: str, c: Context) -> None:
    _expand(text, c)


def _sec(text: str, c: Context) -> None:
    parse_span(text, release=c.release)


def _nsec(text: str, c: Context) -> None:
    parse_nanoseconds(text, c.release)


def _range(low: int, high: int, base: int = 0) -> Grammar:
    def number(text: str, c: Context) -> None:
        _integer(text, low, high, base)

    return number


def _infinity_or(grammar: Grammar) -> Grammar:
    def either(text: str, c: Context) -> None:
        if text and text != "infinity":
            grammar(text, c)

    return either


def _mode(text: str, c: Context) -> None:
    parse_mode(text)


def _iec_size(text: str, c: Context) -> None:
    parse_size(text)


def _iec_size_long(text: str, c: Context) -> None:
    if parse_size(text) > 2**63 - 1:
        raise ValueError("the size is too large")


def _cpu_quota(text: str, c: Context) -> None:
    if parse_permyriad(text, c.release, bounded=False) <= 0:
        raise ValueError("the quota must be more than 0%")


def _percent_or_size(text: str, release: int) -> int:
    """Bytes; a share of what the host has counts as 1 (or 0)."""
    try:
        return min(1, parse_permyriad(text, release))
    except ValueError:
        if text[-1:] in ("%", "\u2030", "\u2031"):
            raise
        return parse_size(text)


_ZERO_MEMORY = "MemorySwapMax MemoryLow MemoryMin DefaultMemoryLow DefaultMemoryMin"
_ZERO_MEMORY_NEW = _ZERO_MEMORY + " StartupMemorySwapMax MemoryZSwapMax StartupMemoryZSwapMax StartupMemoryLow"


def _memory_limit(text: str, c: Context) -> None:
    if not text or text == "infinity":
        return
    size = _percent_or_size(text, c.release)
    if size >= _UINT64_MAX:
        raise ValueError("the size is too large")
    if not size and c.name not in _ZERO_MEMORY_NEW.split():
        raise ValueError("0 is no limit here")


def _tasks_max(text: str, c: Context) -> None:
    if not text or text == "infinity":
        return
    if text[-1] in "%\u2030\u2031":
        parse_permyriad(text, c.release)
    else:
        _integer(text, 1, _UINT64_MAX - 1)


def _exec_quota(text: str, c: Context) -> None:
    if text and text != "off":
        _percent_or_size(text, c.release)


def _cg_cpu_weight(text: str, c: Context) -> None:
    if text != "idle":
        _integer(text, 1, 10000)


_COUNTED_LIMITS = frozenset(("RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_RTPRIO"))


def _limit(text: str, ltype: str, release: int) -> int:
    """One resource limit; INFINITY when there is none."""
    if ltype == "RLIMIT_CPU":
        span = parse_span(text, release=release)
        return INFINITY if span == INFINITY else -(-span // 1_000_000)
    if ltype == "RLIMIT_RTTIME":
        return parse_span(text, "us", release)
    if ltype == "RLIMIT_NICE":
        if text[:1] == "+":
            return 20 - _unsigned(text[1:], 19)
        if text[:1] == "-":
            return 20 + _unsigned(text[1:], 20)
        return _unsigned(text, 40)
    if text == "infinity":
        return INFINITY
    value = _unsigned(text, _UINT64_MAX - 1) if ltype in _COUNTED_LIMITS else parse_size(text)
    if value >= _UINT64_MAX:
        raise ValueError("the limit is too large")
    return value


def _rlimit(text: str, c: Context) -> None:
    parts = _words(text, unquote=False, separators=":")
    if len(parts) > 2:
        raise ValueError("a limit has at most two parts, soft:hard")
    limits = [_limit(part, c.ltype, c.release) for part in parts]
    if len(limits) == 2 and limits[0] > limits[1]:
        raise ValueError("the soft limit is higher than the hard one")


def parse_signal(text: str) -> int:
    """The number of a signal: ``TERM``, ``SIGTERM``, ``15``, ``RTMIN+1``, ``RTMAX-2``.

    The numbers are those of x86 and ARM; RTMIN is 34 and RTMAX 64, as the C library of Linux has them.
    :raises ValueError: when systemd does not know it.
    """
    try:
        return _integer(text, 1, 64)
    except ValueError:
        pass
    name = text[3:] if text.startswith("SIG") else text
    if name in _SIGNALS:
        return _SIGNALS[name]
    if name == "RTMIN":
        return 34
    if name == "RTMAX":
        return 64
    if name.startswith("RTMIN+"):
        return 34 + _integer(name[5:], 0, 30)
    if name.startswith("RTMAX-"):
        return 64 + _integer(name[5:], -30, 0)
    raise ValueError("'%s' is no signal" % shorten(text))


_SIGNALS = {
    name: number
    for number, name in enumerate(
        "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG"
        " XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(),
        1,
    )
}


def _signal(text: str, c: Context) -> None:
    parse_signal(text)


def _exit_statuses(text: str, c: Context) -> None:
    for word in _each(text, unquote=False):
        if word in _known(_values_names.EXIT_STATUSES, c.release):
            continue
        try:
            _integer(word, 0, 255)
        except ValueError:
            try:
                parse_signal(word)
            except ValueError:
                raise ValueError("'%s' is neither an exit status nor a signal" % shorten(word)) from None


def _cpu_sched_prio(text: str, c: Context) -> None:
    if c.release >= 252:
        _integer(text, 0, 99)
    elif c.earlier.get("CPUSchedulingPolicy") in ("fifo", "rr"):
        _integer(text, 1, 99)
    elif _integer(text, -_INT_MAX, _INT_MAX):
        raise ValueError("before systemd 252 the line CPUSchedulingPolicy=fifo or rr must stand above this one")


def _timer(text: str, c: Context) -> None:
    if not text:
        return
    text = _expand(text, c)
    if c.name != "OnCalendar":
        _sec(text, c)
        return
    conflict = parse_calendar(text).weekday_conflict()
    if conflict and c.release >= 262:
        raise ValueError("the date is a %s, so the event never comes" % conflict)


def _pressure_duration(text: str, c: Context) -> None:
    _only(c, "Service Scope Slice")
    if text and not 1_000_000 <= parse_span(text, release=c.release) < INFINITY:
        raise ValueError("the time must be at least 1s and not infinity")


def _only(c: Context, sections: str) -> None:
    if c.section not in sections.split():
        raise ValueError("systemd takes %s= in no [%s] section" % (c.name, c.section))


def _pressure_limit(text: str, c: Context) -> None:
    _only(c, "Service Scope Slice")
    if text and c.release < 248:
        parse_percent(text)
    elif text:
        parse_permyriad(text, c.release)


def _oom_mode(text: str, c: Context) -> None:
    _only(c, "Service Scope Slice")
    if text:
        _one_of(text, "auto kill", c.release)


def _oom_rules(text: str, c: Context) -> None:
    _only(c, "Service Scope Slice")
    for word in _each(text, retain_escape=True):
        if not _is_filename(word) or not _is_safe(word, globs=False):
            raise ValueError("'%s' is no name of a rule" % shorten(word))


def _emergency_action(text: str, c: Context) -> None:
    _one_of(text, _EMERGENCIES, c.release)
    if c.target == "user" and text not in ("none", "exit", "exit-force"):
        raise ValueError("a user's manager cannot do '%s'" % text)


def _reboot_parameter(text: str, c: Context) -> None:
    text = _expand(text, c)
    if not text.isascii() or len(text) > _values_base.NAME_MAX:
        raise ValueError("the argument must be ASCII of at most 255 bytes")


def _socket_protocol(text: str, c: Context) -> None:
    name = text.lower() if text.isascii() else text
    if name in ("udplite", "sctp") or (name == "mptcp" and c.release >= 257):
        return
    if _integer(text, 0, _INT_MAX) not in ((136, 132, 262) if c.release >= 257 else (136, 132)):
        raise ValueError("the protocol '%s' cannot be chosen" % text)


def _secure_bits(text: str, c: Context) -> None:
    """Unknown words are passed over, and so is the rest after a quote that is not closed."""


def _coredump_filter(text: str, c: Context) -> None:
    known = _known(
        "default all private-anonymous shared-anonymous private-file-backed shared-file-backed elf-headers"
        " private-huge shared-huge private-dax shared-dax",
        c.release,
    )
    for word in _each(text, unquote=False):
        if word not in known:
            _integer(word, 0, _UINT64_MAX, 16)


def _personality(text: str, c: Context) -> None:
    # Which ones work depends on the machine; these are known to systemd as architectures.
    _one_of(
        text,
        "x86 x86-64 ppc ppc-le ppc64 ppc64-le parisc parisc64 s390 s390x sparc sparc64 mips mips-le mips64 mips64-le"
        " arm arm-be arm64 arm64-be riscv32 riscv64 loongarch64@250",
        c.release,
    )


def _cpu_set(text: str, c: Context) -> None:
    # Before systemd 249 CPUAffinity= takes no specifiers, and AllowedCPUs= not before 250.
    if c.release >= (249 if c.name == "CPUAffinity" else 258 if c.name == "NUMAMask" else 250):
        text = _expand(text, c)
    for word in re.split("[%s,]+" % _values_base.BLANKS, text) if not set("\"'\\") & set(text) else _cpu_words(text):
        if not word:
            continue
        low, dash, high = word.partition("-")
        first = _unsigned(low)
        last = _unsigned(high) if dash else first
        if first > last:
            raise ValueError("the range '%s' runs backwards" % shorten(word))
        if last >= _CPU_LIMIT:
            raise ValueError("'%s' is no CPU that a kernel can have" % shorten(word))


_CPU_LIMIT = 8192


def _cpu_words(text: str) -> list[str]:
    return split_words(text, cunescape=False, separators=_values_base.BLANKS + ",")


def _cpu_affinity(text: str, c: Context) -> None:
    if text != "numa":
        _cpu_set(text, c)


def _numa_mask(text: str, c: Context) -> None:
    if text != "all":
        _cpu_set(text, c)


# ------------------------------------------------------------------------------------------------------ names and words

_CONTROL = re.compile("[\x00-\x1f\x7f]")


def _is_filename(text: str) -> bool:
    return bool(text) and text not in (".", "..") and "/" not in text and _values_base.byte_length(text) <= 255


def _is_safe(text: str, globs: bool = True) -> bool:
    """``string_is_safe()``: no control characters, quotes or backslashes, and no wildcards unless they are allowed."""
    return not _CONTROL.search(text) and not set("\"'\\") & set(text) and (globs or not set("*?[") & set(text))


def _is_fdname(text: str) -> bool:
    return text.isascii() and len(text) <= 255 and ":" not in text and not _CONTROL.search(text)


def _fdname(text: str, c: Context) -> None:
    if not _is_fdname(_expand(text, c, 255)):
        raise ValueError("a file descriptor's name holds no colon and nothing but ASCII")


def _luo_sessions(text: str, c: Context) -> None:
    seen = set()
    for word in _words(text, unquote=False):
        if not _is_fdname(word) or not _is_safe(word, globs=False) or set(word) & set(_values_base.BLANKS):
            raise ValueError("'%s' is no name of a session" % shorten(word))
        if word in seen:
            raise ValueError("the session '%s' is named twice" % shorten(word))
        seen.add(word)


def _unit_name(text: str, c: Context, template: bool = True) -> str:
    name = _expand(text, c, UNIT_NAME_MAX if c.release >= 249 else _values_base.LINE_MAX, name=True)
    problem = unit_name_problem(name, allow_template=template)
    if problem:
        raise ValueError(problem)
    return name


def _unit_deps(text: str, c: Context) -> None:
    for word in _each(text, unquote=False, retain_escape=True):
        _unit_name(word, c)


def _trigger_unit(text: str, c: Context) -> None:
    if c.name in c.earlier:
        raise ValueError("the unit to trigger is set twice")
    name = _unit_name(text, c)
    if c.unit_name and name == c.unit_name:
        raise ValueError("a unit cannot trigger itself")


def _socket_service(text: str, c: Context) -> None:
    if not _unit_name(text, c, template=False).endswith(".service"):
        raise ValueError("'%s' is no service" % shorten(text))


def _service_sockets(text: str, c: Context) -> None:
    for word in _each(text, unquote=False):
        if not _unit_name(word, c).endswith(".socket"):
            raise ValueError("'%s' is no socket unit" % shorten(word))


def _unit_slice(text: str, c: Context) -> None:
    _only(c, "Service Socket Mount Swap Scope")
    name = _unit_name(text, c, template=False)
    if not name.endswith(".slice"):
        raise ValueError("'%s' is no slice" % shorten(text))


_URL = re.compile("(?:https?://|file:/|info:|man:)[\x00-\x7f]+")


def _documentation(text: str, c: Context) -> None:
    for word in _each(_expand(text, c), retain_escape=True):
        if not _URL.fullmatch(word):
            raise ValueError("'%s' is no URL" % shorten(word))


_BUS_NAME = re.compile(
    r"(?=.{1,255}$)(?:[A-Za-z_-][A-Za-z0-9_-]*(?:\.[A-Za-z_-][A-Za-z0-9_-]*)+|:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)"
)


def _bus_name(text: str, c: Context) -> None:
    text = _expand(text, c, 255)
    if not _BUS_NAME.fullmatch(text):
        raise ValueError("'%s' is no name on the bus" % shorten(text))


def _user(text: str, c: Context) -> None:
    _user_name(_expand(text, c))


def _user_name(text: str) -> None:
    if re.fullmatch("[0-9]+", text):
        number = text if len(text) < 12 else "9" * 12
        if (text[0] != "0" or text == "0") and int(number) < 2**32 - 1 and int(number) != 65535:
            return
        raise ValueError("'%s' is no user or group number" % shorten(text))
    bad = (
        not text or text[0] == " " or text[-1] == " " or set(":/") & set(text) or text in (".", "..")
        or re.fullmatch("-[0-9]*", text) or _CONTROL.search(text) or re.search("[\x80-\x9f\ud800-\udfff]", text)
    )  # fmt: skip
    if bad:
        raise ValueError("'%s' is no name of a user or group" % shorten(text))


def _users(text: str, c: Context) -> None:
    for word in _each(text, unquote=False):
        _user(word, c)


_ENV_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def _environ(text: str, c: Context) -> None:
    for word in _each(text, cunescape=True):
        _assignment(_expand(word, c))


def _assignment(word: str) -> None:
    name, equals, value = word.partition("=")
    if not equals or not _ENV_NAME.fullmatch(name):
        raise ValueError("'%s' is no assignment of a variable" % shorten(word))
    if re.search("[\ud800-\udfff]", value):
        raise ValueError("the value of %s is not UTF-8" % name)


def _pass_environ(text: str, c: Context) -> None:
    for word in _each(text):
        if not _ENV_NAME.fullmatch(_expand(word, c)):
            raise ValueError("'%s' is no name of a variable" % shorten(word))


def _unset_environ(text: str, c: Context) -> None:
    for word in _each(text, cunescape=True):
        name = _expand(word, c)
        if not _ENV_NAME.fullmatch(name):
            _assignment(name)


_FIELD = re.compile("[A-Z][A-Z0-9_]{0,63}")


def _log_extra_fields(text: str, c: Context) -> None:
    for word in _each(text, cunescape=True):
        name, equals, _value = _expand(word, c).partition("=")
        if not equals or not _FIELD.fullmatch(name):
            raise ValueError("'%s' is no journal field" % shorten(word))


def _log_filter_patterns(text: str, c: Context) -> None:
    if text == "~":
        raise ValueError("the pattern is missing")


_INSTANCE = re.compile(r"[0-9a-zA-Z:_.\\@-]+")


def _log_namespace(text: str, c: Context) -> None:
    text = _expand(text, c, 255)
    if not _is_filename(text) or len(text) > 222 or not _INSTANCE.fullmatch(text) or not _is_safe(text, globs=False):
        raise ValueError("'%s' is no name of a journal namespace" % shorten(text))


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
    if mode != "private" and not _is_bool(mode):
        raise ValueError("'%s' is not known" % shorten(mode))
    if colon:
        host = _expand(host, c, 64)
        if not _HOST_NAME.fullmatch(host):
            raise ValueError("'%s' is no host name" % shorten(host))
        if mode != "private" and not parse_bool(mode):
            raise ValueError("a host name goes with private: or yes: only")


def _is_interface(text: str, release: int, alternative: bool) -> bool:
    longest = 127 if alternative else 15
    if not text or len(text) > longest or text in (".", "..") or not re.fullmatch("[!-~]+", text):
        return False
    if set(text) & set(":/") or (release >= 249 and "%" in text):
        return False
    if release >= 250 and text in ("all", "default"):
        return False
    try:
        _integer(text, 1, _INT_MAX)
    except ValueError:
        return not text.isdigit()
    return release < 250 and not text.isdigit()


def _bind_to_device(text: str, c: Context) -> None:
    if text == "*":
        return
    if c.release >= 258:
        text = _expand(text, c)
    if not _is_interface(text, c.release, alternative=False):
        raise ValueError("'%s' is no name of a network interface" % shorten(text))


def _bind_interface(text: str, c: Context) -> None:
    if not _is_interface(_expand(text, c), c.release, alternative=True):
        raise ValueError("'%s' is no name of a network interface" % shorten(text))


def _interfaces(text: str, c: Context) -> None:
    for word in _each(text[1:] if text[0] == "~" else text):
        if not _is_interface(word, c.release, alternative=c.release >= 256):
            raise ValueError("'%s' is no name of a network interface" % shorten(word))


def _delegate(text: str, c: Context) -> None:
    _only(c, "Service Scope")
    if text and not _is_bool(text):
        for word in _each(text):
            _one_of(word, _CONTROLLERS, c.release)


def _delegate_subgroup(text: str, c: Context) -> None:
    _only(c, "Service Scope")
    if not text:
        return
    reserved = {"notify_on_release", "release_agent", "tasks"}
    front = text.partition(".")[0]
    controller = "." in text and (front == "cgroup" or front in _known(_CONTROLLERS, c.release))
    if not _is_filename(text) or text[0] in "_." or text in reserved or controller:
        raise ValueError("'%s' is no name that a control group can have" % shorten(text))


def _disable_controllers(text: str, c: Context) -> None:
    if not set(_words(text, unquote=False)) & _known(_CONTROLLERS, c.release):
        raise ValueError("'%s' names no controller" % shorten(text))


def _namespaces(text: str, c: Context) -> None:
    if not text or _is_bool(text):
        return
    inverted = text[0] == "~"
    names = _words(text[1:] if inverted else text, unquote=False)
    for word in names:
        _one_of(word, "cgroup ipc net mnt pid user uts time@252", c.release)
    if c.name == "DelegateNamespaces" and "user" in names and not inverted:
        raise ValueError("the user namespace cannot be delegated")


def _address_families(text: str, c: Context) -> None:
    if not text or (text == "none" and c.release >= 249):
        return
    for word in _each(text[1:] if text[0] == "~" else text):
        name = word.lower() if word.isascii() else word
        if name[:3] != "af_" or name[3:] not in _known(_values_names.ADDRESS_FAMILIES, c.release):
            raise ValueError("'%s' is no address family" % shorten(word))


def _errno(text: str, low: int = 0) -> None:
    if text.upper() not in _known(_values_names.ERRORS, 0):
        _integer(text, low, 4095)


def _syscall_filter(text: str, c: Context) -> None:
    inverted = text[:1] == "~"
    for word in _each(text[1:] if inverted else text, unquote=False):
        name, colon, error = word.partition(":")
        if colon:
            if c.name == "SystemCallLog" or not name:
                raise ValueError("'%s' is no system call" % shorten(word))
            if error != "kill":
                _errno(error)
            if not inverted and c.release >= 248:
                raise ValueError("an error number goes with a list that starts with ~: '%s'" % shorten(word))
        _syscall(name, c.release)


def _syscall(name: str, release: int) -> None:
    if name[:1] == "@":
        if name[1:] not in _known(_values_names.SYSCALL_GROUPS, release):
            raise ValueError("'%s' is no group of system calls" % shorten(name))
    elif name not in _known(_values_names.SYSCALLS, release):
        raise ValueError("'%s' is no system call" % shorten(name))


def _syscall_archs(text: str, c: Context) -> None:
    for word in _each(text):
        _one_of(
            word,
            "native x86 x86-64 x32 arm arm64 loongarch64@255 mips mips64 mips64-n32 mips-le mips64-le mips64-le-n32"
            " parisc parisc64 ppc ppc64 ppc64-le riscv64@248 s390 s390x",
            c.release,
        )


def _syscall_errno(text: str, c: Context) -> None:
    if text and text != "kill":
        _errno(text, 1)


def _filesystems(text: str, c: Context) -> None:
    for word in _each(text[1:] if text[:1] == "~" else text):
        if word[:1] == "@" and word[1:] not in _known(_values_names.FILESYSTEM_GROUPS, c.release):
            raise ValueError("'%s' is no group of file systems" % shorten(word))


def _refresh_on_reload(text: str, c: Context) -> None:
    if text and not _is_bool(text):
        for word in _each(text[1:] if text[0] == "~" else text, unquote=False):
            _one_of(word, "extensions credentials", c.release)


# ------------------------------------------------------------------------------------------------------------ addresses


def _ip_prefixes(text: str, c: Context) -> None:
    for word in _each(text, unquote=False):
        if word in ("any", "link-local", "multicast") or _is_localhost(word, c.release):
            continue
        address, slash, length = word.partition("/")
        version = _ip_version(address)
        if slash:
            _integer(length, 0, 32 if version == 4 else 128)


def _is_localhost(word: str, release: int) -> bool:
    name = word.lower()
    name = name[:-1] if name.endswith(".") else name
    return name in ("localhost", "localhost.localdomain") or name.endswith((".localhost", ".localhost.localdomain"))


def _ip_version(address: str) -> int:
    """4 or 6, of an address as ``inet_pton()`` reads it."""
    try:
        if len(address) < 64 and "%" not in address:
            return ipaddress.ip_address(address).version
    except ValueError:
        pass
    raise ValueError("'%s' is no IP address" % shorten(address))


def _port(text: str) -> None:
    if text[:1] in tuple(_values_base.BLANKS):
        raise ValueError("'%s' is no port" % text)
    _integer(text, 1, 65535)


def _socket_listen(text: str, c: Context) -> None:
    if not text:
        return
    if c.ltype != "SOCKET_SOCKET":
        _path(text, c, no_api=c.ltype != "SOCKET_SPECIAL")
        return
    text = _expand(text, c, _values_base.PATH_MAX - 1)
    if c.name == "ListenNetlink":
        _netlink(text)
    elif text[:1] in ("/", "@"):
        if not 2 <= _values_base.byte_length(text) <= 107:
            raise ValueError("the path of a socket has at most 107 bytes: '%s'" % shorten(text))
    elif text.startswith("vsock") and _VSOCK.match(text):
        _vsock(text, c.release)
        if c.name == "ListenSequentialPacket":
            raise ValueError("only sockets in the file system take sequential packets")
    else:
        _ip_socket(text)
        if c.name == "ListenSequentialPacket":
            raise ValueError("only sockets in the file system take sequential packets")


_VSOCK = re.compile("vsock(-stream|-dgram|-seqpacket)?:")


def _vsock(text: str, release: int) -> None:
    match = _VSOCK.match(text)
    if match is None or (match.group(1) and release < 254):
        raise ValueError("'%s' is no address of a socket" % shorten(text))
    cid, colon, port = text[match.end() :].partition(":")
    if not colon:
        raise ValueError("the port is missing")
    _unsigned(port, _UINT_MAX - 1 if release >= 256 else _UINT_MAX)
    if cid and not (release >= 256 and cid in ("hypervisor", "local", "host", "any", "-1")):
        _unsigned(cid)


def _netlink(text: str) -> None:
    family, rest = _values_base.first_word(text)
    families = (
        "route firewall inet-diag nflog xfrm selinux iscsi audit fib-lookup connector netfilter ip6-fw dnrtmsg"
        " kobject-uevent generic scsitransport ecryptfs rdma #2147483647"
    )
    if family not in families.split():
        _unsigned(family or "", _INT_MAX)
    if rest:
        _unsigned(rest)


def _ip_socket(text: str) -> None:
    try:
        _port(text)
        return
    except ValueError:
        pass
    if "#" in text or text.count("%") > 1:
        raise ValueError("'%s' is no address of a socket" % shorten(text))
    address, colon, port = text.rpartition(":")
    address, percent, interface = address.partition("%")
    if percent or "%" in port:
        # Whether the interface is there only the target knows; most often it is not when the unit is read.
        raise ValueError("'%s' names an interface; use BindToDevice=" % shorten(text))
    if not colon:
        raise ValueError("'%s' is neither a port nor address:port" % shorten(text))
    if address[:1] == "[" and address[-1:] == "]":
        if _ip_version(address[1:-1]) != 6:
            raise ValueError("brackets go around an IPv6 address only")
    elif _ip_version(address) != 4:
        raise ValueError("an IPv6 address stands in brackets: [::1]:80")
    _port(port)


def _socket_bind_item(text: str, c: Context) -> None:
    if not text:
        return
    tokens = _words(text, unquote=False, separators=":")
    stage = 0
    for token in tokens:
        if token in ("ipv4", "ipv6") and stage < 1:
            stage = 1
        elif token.lower() in ("tcp", "udp") and stage < 2:
            stage = 2
        elif stage < 3:
            stage = 3
            if token != "any":
                _port_range(token, c.release)
        else:
            raise ValueError("'%s' is left over" % shorten(token))


def _port_range(token: str, release: int) -> None:
    first, dash, last = token.partition("-")
    low = _unsigned(first)
    high = _unsigned(last) if dash else low
    if high > 65535 or high < low or (low == 0 and release < 256):
        raise ValueError("'%s' is no range of ports" % shorten(token))


# --------------------------------------------------------------------------------------------------------------- paths


def _unit_path(text: str, c: Context) -> None:
    text = _expand(text, c, _values_base.PATH_MAX - 1)
    if text:
        _values_base.check_path(text, c.release)


def _required_path(text: str, c: Context) -> None:
    if text:
        _path(text, c)


def _condition_path(text: str, c: Context) -> None:
    if text:
        text = text[1:] if text[0] == "|" else text
        _path(text[1:] if text[:1] == "!" else text, c)


def _condition_string(text: str, c: Context) -> None:
    _expand(text, c)


def _env_file(text: str, c: Context) -> None:
    if text:
        path = _expand(text, c, _values_base.PATH_MAX - 1)
        _values_base.check_path(path[1:] if path[0:1] == "-" else path, c.release)


def _path_words(text: str, c: Context) -> None:
    for word in _each(text):
        _path(word, c)


def _namespace_paths(text: str, c: Context) -> None:
    for word in _each(text):
        word = word[1:] if word[:1] == "-" else word
        _path(word[1:] if word[:1] == "+" else word, c)


def _colon_paths(text: str, c: Context) -> None:
    if text:
        for word in _words(text, unquote=False, separators=":"):
            _path(word, c)


def _mount_node(text: str, c: Context) -> None:
    _expand(text, c)


def _working_directory(text: str, c: Context) -> None:
    if not text:
        return
    optional = text[0] == "-"
    text = text[1:] if optional else text
    if text != "~":
        try:
            _path(text, c)
        except ValueError as error:
            raise (ValueError if optional else _Fatal)(str(error)) from None


def _pid_file(text: str, c: Context) -> None:
    if not text:
        return
    path = _expand(text, c, _values_base.PATH_MAX - 1)
    try:
        _values_base.check_path(path if path[:1] == "/" else "/run/" + path, c.release, no_api=True)
    except ValueError as error:
        raise _Fatal(str(error)) from None


def _label(text: str, c: Context) -> None:
    """SELinux, AppArmor and SMACK labels: specifiers only; a dash in front makes a failure harmless."""
    try:
        _expand(text[1:] if text[:1] == "-" else text, c)
    except ValueError as error:
        raise (ValueError if text[:1] == "-" else _Fatal)(str(error)) from None


def _directories(text: str, c: Context) -> None:
    for item in _each(text, retain_escape=c.release >= 250):
        fields = _colon_fields(item, coalesce=c.release < 257) if c.release >= 250 else [item]
        source = _path(fields[0] if fields else "", c, absolute=False)
        if source == "private" or source.startswith("private/"):
            raise ValueError("the folder 'private' is systemd's own")
        target = fields[1] if len(fields) > 1 else ""
        if target and c.name == "ConfigurationDirectory":
            raise ValueError("a configuration directory has no second name")
        if target:
            _path(target, c, absolute=False)
        if len(fields) > 2 and c.release >= 257 and fields[2] not in ("", "ro"):
            raise ValueError("'%s' is no flag of a directory" % shorten(fields[2]))


def _colon_fields(text: str, coalesce: bool = True) -> list[str]:
    """The fields of ``a:b:c``, C escapes and ``\\:`` undone."""
    fields: list[str] = []
    pieces: list[str] = []
    position = 0
    started = False
    while position < len(text):
        character = text[position]
        if character == "\\":
            decoded = _unescape_one(text, position + 1)
            if decoded is None and text[position + 1 : position + 2] == ":":
                decoded = ":", 1
            if decoded is None:
                raise ValueError("'%s' is no escape" % text[position : position + 2])
            pieces.append(decoded[0])
            position += 1 + decoded[1]
            started = True
        elif character == ":":
            if started or not coalesce:
                fields.append("".join(pieces))
            pieces, started = [], False
            position += 1
        else:
            end = position
            while end < len(text) and text[end] not in "\\:":
                end += 1
            pieces.append(text[position:end])
            position, started = end, True
    if started or not coalesce:
        fields.append("".join(pieces))
    return fields


# Directives whose paths must be mounted first, and the folder that their paths start from.
_WANT_MOUNTS = {
    "WorkingDirectory": "", "RootDirectory": "", "RootImage": "", "RequiresMountsFor": "", "PathExists": "",
    "PathExistsGlob": "", "PathChanged": "", "PathModified": "", "DirectoryNotEmpty": "", "ListenFIFO": "",
    "ListenSpecial": "", "ListenUSBFunction": "", "ListenMessageQueue": "", "What": "", "RuntimeDirectory": "/run/",
    "StateDirectory": "/var/lib/", "CacheDirectory": "/var/cache/", "LogsDirectory": "/var/log/",
    "ConfigurationDirectory": "/etc/",
}  # fmt: skip


def _mount_names(text: str, c: Context) -> None:
    """Before systemd 251 a unit is refused when the mount unit of a path it needs cannot have so long a name."""
    many = c.name.endswith("Directory") and _WANT_MOUNTS[c.name] or c.name == "RequiresMountsFor"
    for word in _each(text) if many else [text.lstrip("-")]:
        path = _WANT_MOUNTS[c.name] + _expand(word, c)
        parts = [part for part in path.split("/") if part not in ("", ".")]
        plain = sum(
            character.isascii() and (character.isalnum() or character in ":_.") for part in parts for character in part
        )
        length = plain + 4 * (sum(map(_values_base.byte_length, parts)) - plain) + len(parts) - 1
        if path.startswith("/") and length + len(".mount") > UNIT_NAME_MAX:
            raise _Fatal("the path is too long for the name of a mount unit, which systemd before 251 wants")


def _temporary_filesystems(text: str, c: Context) -> None:
    for word in _each(text):
        path, _options = _values_base.first_word(word, ":")
        _path(path or "", c)


def _bind_paths(text: str, c: Context) -> None:
    if c.release >= 262:
        for item in _each(text, retain_escape=True):
            fields = _colon_fields(item, coalesce=False)
            if len(fields) > 3:
                raise ValueError("'%s' has more than three parts" % shorten(item))
            _bind_path(fields, c)
        return
    for fields in _old_bind_items(text):
        _bind_path(fields, c)


def _old_bind_items(text: str) -> list[list[str]]:
    """Before 262 blanks and colons were separators of one kind, and only what stood between told them apart."""
    reader = word_reader(":" + _values_base.BLANKS, True, False, False, False, False, False)
    rest = word_reader(_values_base.BLANKS, True, False, False, False, False, True)
    items = []
    position = 0
    while position >= 0:
        fields: list[str] = []
        word, position = reader.word(text, position)
        fields.append(word or "")
        if position >= 1 and text[position - 1] == ":":
            word, position = reader.word(text, position)
            fields.append(word or "")
            if position >= 1 and text[position - 1] == ":":
                word, position = rest.word(text, position)
                fields.append(word or "")
        items.append(fields)
    return items


def _bind_path(fields: list[str], c: Context) -> None:
    source = fields[0] if fields else ""
    expanded = _expand(source, c, _values_base.PATH_MAX)
    _values_base.check_path(expanded[1:] if expanded[:1] == "-" else expanded, c.release)
    if len(fields) > 1:
        _path(fields[1], c)
    if len(fields) > 2 and fields[2] not in ("", "rbind", "norbind"):
        raise ValueError("'%s' is no option of a bind mount" % shorten(fields[2]))


def _partition(name: str, release: int) -> None:
    if release >= 253 and ("secondary" in name or "other" in name):
        raise ValueError("the partition '%s' is not known any more" % name)
    _one_of(name, _PARTITIONS, release)


def _root_image_options(text: str, c: Context) -> None:
    for item in _each(text, retain_escape=True):
        fields = _colon_fields(item)
        if len(fields) > 2:
            raise ValueError("'%s' has more than two parts" % shorten(item))
        if len(fields) == 2:
            _partition(fields[0], c.release)
        if fields:
            _expand(fields[-1], c)


def _images(destination: bool) -> Grammar:
    def images(text: str, c: Context) -> None:
        for item in _each(text, retain_escape=True):
            fields = _colon_fields(item)
            if not fields:
                continue
            source = fields[0][1:] if fields[0][:1] == "-" else fields[0]
            _path(source, c, no_api=True, dev_ok=destination)
            if destination:
                if len(fields) < 2:
                    raise ValueError("the place to mount '%s' is missing" % shorten(item))
                _path(fields[1], c, no_api=True, dev_ok=True)
            options = fields[2 if destination else 1 :]
            for name, option in zip(options[::2], options[1::2]):
                _partition(name, c.release)
                _expand(option, c)
            if len(options) % 2:
                _expand(options[-1], c)

    return images


_POLICY_FLAGS = (
    "verity signed encrypted unprotected unused absent open ignore read-only-on read-only-off growfs-on growfs-off"
)


def _image_policy(text: str, c: Context) -> None:
    if text in ("-", "*", "~"):
        return
    seen = set()
    for rule in _words(text, unquote=False, separators=":"):
        name, equals, flags = rule.partition("=")
        name = name.strip(_values_base.BLANKS)
        if not equals:
            raise ValueError("'%s' lacks its =" % shorten(rule))
        if name in seen:
            raise ValueError("the partition '%s' is named twice" % shorten(name))
        if not name or name in _known(_PARTITIONS, c.release):
            seen.add(name)
        elif c.release < 259:
            raise ValueError("the partition '%s' is not known" % shorten(name))
        flags = flags.strip(_values_base.BLANKS)
        for flag in flags.split("+") if c.release < 259 and flags not in ("", "-") else ():
            _one_of(flag.strip(_values_base.BLANKS), _POLICY_FLAGS, c.release)


# ---------------------------------------------------------------------------------------------- devices and credentials

_DEVICE_NODE = re.compile("(?:/dev|/run/systemd/inaccessible)(?:/|$)")


def _device_allow(text: str, c: Context) -> None:
    if not text:
        return
    device, rights = _values_base.first_word(text, unquote=True)
    path = _expand(device or "", c, _values_base.PATH_MAX - 1)
    if not path.startswith(("block-", "char-")):
        path = _values_base.check_path(path, c.release, absolute=None)
        if not _DEVICE_NODE.match(path):
            raise ValueError("'%s' is no device" % shorten(path))
    if not set(rights) <= set("rwm"):
        raise ValueError("'%s' are no rights: r, w and m will do" % shorten(rights))


def _device_value(grammar: Grammar) -> Grammar:
    """A device (or a path on it), then a value."""

    def both(text: str, c: Context) -> None:
        if not text:
            return
        device, rest = _values_base.first_word(text, unquote=True)
        if device is None or not rest:
            raise ValueError("a device and a value are wanted")
        _values_base.check_path(_expand(device, c, _values_base.PATH_MAX - 1), c.release, absolute=None)
        grammar(rest, c)

    return both


def _io_rate(text: str, c: Context) -> None:
    if text != "infinity" and parse_size(text, 1000) <= 0:
        raise ValueError("0 is no limit")


def _old_io_rate(text: str, c: Context) -> None:
    if parse_size(text, 1000) <= 0:
        raise ValueError("0 is no limit")


def _credential_name(text: str) -> None:
    if not _is_filename(text) or not _is_fdname(text):
        raise ValueError("'%s' is no name of a credential" % shorten(text))


def _load_credential(text: str, c: Context) -> None:
    if not text:
        return
    name, rest = _values_base.first_word(text, ":")
    _credential_name(_expand(name or "", c, 255))
    if not rest:
        if c.release < 249:
            raise ValueError("the path is missing")
        return
    source = _expand(rest, c, _values_base.PATH_MAX - 1)
    if source[:1] != "/":
        _credential_name(source)
    elif "//" in source or {"", ".", ".."} & set(source[1:].split("/")[:-1]) or source.endswith(("/.", "/..")):
        raise ValueError("'%s' is no plain path" % shorten(source))


_BASE64 = re.compile("[A-Za-z0-9+/]*")


def _base64(text: str, release: int) -> None:
    plain = re.sub("[%s]+" % _values_base.BLANKS, "", text)
    if release >= 255:  # takes the alphabet for URLs too
        plain = plain.replace("-", "+").replace("_", "/")
    body = plain.rstrip("=")
    padding = len(plain) - len(body)
    if not _BASE64.fullmatch(body) or len(plain) % 4 or padding > 2:
        raise ValueError("the text is not base64")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(body[-1:]) if body else 0
    if (padding == 1 and last & 3) or (padding == 2 and last & 15):
        raise ValueError("the text is not base64: bits are left over at the end")


def _set_credential(text: str, c: Context) -> None:
    if not text:
        return
    name, rest = _values_base.first_word(text, ":")
    if not rest and (c.release >= 249 or ":" not in text):
        raise ValueError("the data are missing")
    _credential_name(_expand(name or "", c, 255))
    if c.name == "SetCredentialEncrypted":
        _base64(rest, c.release)
    else:
        c_unescape(rest, accept_nul=True)


def _import_credential(text: str, c: Context) -> None:
    if not text:
        return
    name, rest = _values_base.first_word(text, ":")
    glob = _expand(name or "", c, 255)
    front = re.split("[*?\\[\\]]", glob)[0]
    if front == glob:
        _credential_name(glob)
    elif glob[len(front) :] != "*":
        raise ValueError("a * stands at the end of a credential's name only")
    elif front:
        _credential_name(front)
    if rest and c.release >= 257:
        _credential_name(rest)


def _root_hash(text: str, c: Context) -> None:
    if text and text[0] != "/":
        digits = re.sub("[%s]+" % _values_base.BLANKS, "", text)
        if not re.fullmatch("(?:[0-9a-fA-F]{2}){16,}", digits):
            raise ValueError("'%s' is neither a path nor at least 32 hexadecimal digits" % shorten(text))


def _root_hash_signature(text: str, c: Context) -> None:
    if text and text[0] != "/":
        if not text.startswith("base64:"):
            raise ValueError("'%s' is neither a path nor starts with base64:" % shorten(text))
        _base64(text[len("base64:") :], c.release)


def _input_data(text: str, c: Context) -> None:
    _base64(text, c.release)


def _input_text(text: str, c: Context) -> None:
    _expand(c_unescape(text), c, 64 * 1024 * 1024)


def _open_file(text: str, c: Context) -> None:
    if not text:
        return
    fields = _words(text, unquote=False, cunescape=True, separators=":")
    if len(fields) > 3:
        raise ValueError("'%s' has more than three parts" % shorten(text))
    flags = _words(fields[2], unquote=False, separators=",") if len(fields) > 2 and fields[2] else []
    flags = [flag for flag in flags if flag]
    for flag in flags:
        _one_of(flag, "read-only append truncate graceful", c.release)
    if len(set(flags)) < len(flags) or len(set(flags) - {"graceful"}) > 1:
        raise ValueError("the flags exclude each other")
    _values_base.check_path(fields[0].replace("..", "__"), c.release)
    name = fields[1] if len(fields) > 1 and fields[1] else fields[0].rstrip("/").rpartition("/")[2]
    if not name or name in (".", "..") or not _is_fdname(name):
        raise ValueError("'%s' is no name of a file descriptor" % shorten(name))


_NFT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9/\\_.]{0,30}")


def _nft_set(text: str, c: Context) -> None:
    for item in _each(text, retain_escape=True):
        fields = [field for field in split_words(item, unquote=False, separators=":") if field]
        if len(fields) != 4:
            raise ValueError("'%s' has not four parts" % shorten(item))
        _one_of(fields[0], "cgroup user group", c.release)
        _one_of(fields[1], "arp bridge inet ip ip6 netdev", c.release)
        for name in fields[2:]:
            if not _NFT_NAME.fullmatch(name):
                raise ValueError("'%s' is no name in nftables" % shorten(name))


_BPF_ATTACH = (
    "ingress egress sock_create sock_ops device bind4 bind6 connect4 connect6 post_bind4 post_bind6 sendmsg4 sendmsg6"
    " sysctl recvmsg4 recvmsg6 getsockopt setsockopt"
)


def _bpf_program(text: str, c: Context) -> None:
    if not text:
        return
    kind, path = _values_base.first_word(text, ":")
    path = text.partition(":")[2].lstrip(":")
    if not path:
        raise ValueError("the path is missing")
    _one_of(kind or "", _BPF_ATTACH, c.release)
    _path(path, c)


def _xattr(text: str, c: Context) -> None:
    if not text:
        return
    name, equals, value = text.partition("=")
    if not equals or not _expand(name, c).startswith("user."):
        raise ValueError("'%s' is no attribute whose name starts with user." % shorten(text))
    _expand(value, c)


# ------------------------------------------------------------------------------------------------- streams and commands


def _stream(names: str, prefixes: str) -> Grammar:
    def stream(text: str, c: Context) -> None:
        kind, colon, rest = text.partition(":")
        if colon and kind == "fd":
            if not _is_fdname(_expand(rest, c, 255)):
                raise ValueError("'%s' is no name of a file descriptor" % shorten(rest))
        elif colon and kind in _known(prefixes, c.release):
            _path(rest, c)
        else:
            _one_of(text, names, c.release)

    return stream


def _exec(text: str, c: Context) -> None:
    if c.release < 258:
        # | is a character like others there; parse_exec() would take it for a prefix.
        text = re.sub(r"^([-@:+!]*)\|", r"\1x", text)
    try:
        commands = parse_exec(text)
    except ValueError as error:
        optional = re.match("[@:+!|]*-", text)
        raise (ValueError if optional else _Fatal)(str(error)) from None
    for command in commands:
        prefixes, path = _exec_prefixes(command.prefixes + command.path, c.release)
        try:
            _command(prefixes, path, command.argv, c)
        except ValueError as error:
            raise (ValueError if "-" in prefixes else _Fatal)(str(error)) from None


def _exec_prefixes(word: str, release: int) -> tuple[str, str]:
    taken = ""
    for character in word:
        if character in "-@:" or (character == "|" and release >= 258):
            fits = character not in taken
        elif character == "+":
            fits = "+" not in taken and "!" not in taken
        elif character == "!":
            fits = "+" not in taken and taken.count("!") < 2
        else:
            fits = False
        if not fits:
            break
        taken += character
    return taken, word[len(taken) :]


def _command(prefixes: str, path: str, argv: list[str], c: Context) -> None:
    if "|" not in prefixes:
        path = _expand(path, c, _values_base.PATH_MAX - 1)
        if not path:
            raise ValueError("the program is missing")
        if not _is_safe(path, globs=c.release < 261):
            raise ValueError("the program's path holds special characters: '%s'" % shorten(path))
        if path.endswith("/") or (c.release >= 256 and path.rpartition("/")[2] in (".", "..")):
            raise ValueError("'%s' is a folder" % shorten(path))
        if path[0] != "/" and not (_is_filename(path) or (c.release < 249 and _is_filename(path[:200]))):
            raise ValueError("'%s' is neither an absolute path nor a plain name" % shorten(path))
        too_long = any(_values_base.byte_length(part) > 255 for part in path.split("/"))
        if c.release >= 249 and (too_long or _values_base.byte_length(path) >= _values_base.PATH_MAX):
            raise ValueError("the program's path is too long")
    for word in argv:
        _expand(word, c)


# ------------------------------------------------------------------------------------------------------------ the table

_PATH_WANT = "write an absolute path, for example /etc/foo.conf"
_PATHS_WANT = "write absolute paths with blanks between, for example /srv -/var/cache/foo"
_SPAN_WANT = "write a time span, for example 5s or 1min 30s"
_NAMES_WANT = "write unit names with blanks between, for example network-online.target foo.service"
_SPEC_WANT = "write %% for a percent sign"
_USER_WANT = "write a name or a number, for example www-data"
_NUMBER_WANT = "write a whole number, for example 5"
_SIZE_WANT = "write a size, for example 64K or 512M"
_CPUS_WANT = "write numbers and ranges, for example 0-3,5"
_DEVICE_WANT = "write a device and a value, for example /dev/sda "

_GRAMMARS: dict[str, tuple[Grammar, str]] = {
    "address_families": (_address_families, "write families with blanks between, for example AF_INET AF_UNIX"),
    "allowed_cpus": (_cpu_set, _CPUS_WANT),
    "allowed_cpuset": (_cpu_set, _CPUS_WANT),
    "allowed_mems": (_cpu_set, _CPUS_WANT),
    "bind_network_interface": (_empty_or(_bind_interface), "write an interface, for example eth0"),
    "bind_paths": (_empty_or(_bind_paths), "write source[:destination[:rbind]], for example /srv/data:/data"),
    "blockio_bandwidth": (_device_value(_old_io_rate), _DEVICE_WANT + "5M"),
    "blockio_device_weight": (_device_value(_range(10, 1000)), _DEVICE_WANT + "500"),
    "blockio_weight": (_empty_or(_range(10, 1000)), "write a number from 10 to 1000"),
    "bool": (_bool, "write yes or no"),
    "bpf_foreign_program": (_bpf_program, "write type:path, for example egress:/sys/fs/bpf/filter"),
    "bus_name": (_bus_name, "write a name with dots, for example org.example.Service"),
    "cg_cpu_weight": (_empty_or(_cg_cpu_weight), "write a number from 1 to 10000 (100 is usual), or idle"),
    "cg_weight": (_empty_or(_range(1, 10000)), "write a number from 1 to 10000 (100 is usual)"),
    "cgroup_nft_set": (_nft_set, "write source:family:table:set, for example cgroup:inet:filter:services"),
    "cgroup_socket_bind": (_socket_bind_item, "write [family:][protocol:]port, for example ipv4:tcp:8000-8080"),
    "colon_separated_paths": (_colon_paths, "write absolute paths with colons between, for example /opt/bin:/usr/bin"),
    "concurrency_max": (_infinity_or(_range(0, _UINT_MAX)), "write a whole number or infinity"),
    "cpu_quota": (_empty_or(_cpu_quota), "write a percentage of one CPU, for example 20% or 150%"),
    "cpu_shares": (_empty_or(_range(2, 262144)), "write a number from 2 to 262144"),
    "delegate": (_delegate, "write yes, no or controllers, for example cpu memory"),
    "delegate_subgroup": (_delegate_subgroup, "write a plain name, for example supervisor"),
    "device_allow": (_device_allow, _DEVICE_WANT.replace("a value", "rights") + "rw"),
    "disable_controllers": (_empty_or(_disable_controllers), "write controllers, for example cpu io"),
    "documentation": (_documentation, "write URLs with blanks between, for example man:foo(8) https://example.org/foo"),
    "emergency_action": (_emergency_action, _enum_want(_EMERGENCIES)),
    "environ": (_environ, 'write NAME=value; blanks need quotes, for example "GREETING=good day" LEVEL=3'),
    "exec": (_exec, "write an absolute path and arguments, for example /usr/bin/foo --bar"),
    "exec_apparmor_profile": (_label, _SPEC_WANT),
    "exec_coredump_filter": (_coredump_filter, "write names or a hexadecimal mask, for example default elf-headers"),
    "exec_cpu_affinity": (_cpu_affinity, _CPUS_WANT),
    "exec_cpu_sched_prio": (_cpu_sched_prio, "write a number from 0 to 99"),
    "exec_directories": (_directories, "write relative paths with blanks between, for example foo foo/cache"),
    "exec_input": (_stream(_INPUTS, "file"), _enum_want(_INPUTS) + ", fd:name, file:path"),
    "exec_input_data": (_empty_or(_input_data), "write base64, for example SGVsbG8K"),
    "exec_input_text": (_empty_or(_input_text), "write \\\\ for a backslash and %% for a percent sign"),
    "exec_io_priority": (_empty_or(_range(0, 7)), "write a number from 0 (first) to 7 (last)"),
    "exec_mount_apivfs": (_empty_or(_bool), "write yes or no"),
    "exec_nice": (_empty_or(_range(-20, 19)), "write a number from -20 (first) to 19 (last)"),
    "exec_oom_score_adjust": (_empty_or(_range(-1000, 1000)), "write a number from -1000 to 1000"),
    "exec_output": (_stream(_OUTPUTS, "file append truncate@248"), _enum_want(_OUTPUTS) + ", fd:name, append:path"),
    "exec_quota": (_exec_quota, "write off, a percentage or a size, for example 10% or 5G"),
    "exec_root_hash": (_root_hash, "write the hash in hexadecimal digits, or an absolute path"),
    "exec_root_hash_sig": (_root_hash_signature, "write an absolute path, or base64: and the data"),
    "exec_selinux_context": (_label, _SPEC_WANT),
    "exec_smack_process_label": (_label, _SPEC_WANT),
    "exit_status": (_empty_or(_range(0, 255)), "write a number from 0 to 255"),
    "extension_images": (_images(destination=False), "write absolute paths, for example /var/lib/foo.raw"),
    "fdname": (_empty_or(_fdname), "write a plain name, for example http"),
    "iec_size": (_iec_size, _SIZE_WANT),
    "iec_size_long": (_iec_size_long, _SIZE_WANT),
    "image_policy": (_empty_or(_image_policy), "write partition=flags, for example root=verity+signed:swap=absent"),
    "import_credential": (_import_credential, "write a name, or the front of one and *, for example foo.*"),
    "in_addr_prefixes": (_ip_prefixes, "write addresses, for example 10.0.0.0/8 ::1 localhost"),
    "int": (_range(-_INT_MAX - 1, _INT_MAX), _NUMBER_WANT),
    "io_device_latency": (_device_value(_sec), _DEVICE_WANT + "25ms"),
    "io_device_weight": (_device_value(_range(1, 10000)), _DEVICE_WANT + "200"),
    "io_limit": (_device_value(_io_rate), _DEVICE_WANT + "5M"),
    "ip_address_access": (_ip_prefixes, "write addresses, for example 10.0.0.0/8 ::1 localhost"),
    "ip_filter_bpf_progs": (_required_path, _PATH_WANT),
    "job_mode_isolate": (_bool, "write yes or no"),
    "job_running_timeout_sec": (_sec, _SPAN_WANT),
    "job_timeout_sec": (_sec, _SPAN_WANT),
    "load_credential": (_load_credential, "write name:path, for example password:/etc/foo/password"),
    "log_extra_fields": (_log_extra_fields, "write FIELD=value in capitals, for example TIER=backend"),
    "log_filter_patterns": (_log_filter_patterns, "write a regular expression, after ~ to drop what fits"),
    "log_namespace": (_empty_or(_log_namespace), "write a plain name, for example foo"),
    "long": (_range(-(2**63), 2**63 - 1), _NUMBER_WANT),
    "luo_sessions": (_luo_sessions, "write plain names, for example state"),
    "managed_oom_mem_pressure_duration_sec": (_pressure_duration, "write a time span of at least 1s"),
    "managed_oom_mem_pressure_limit": (_pressure_limit, "write a percentage up to 100%, for example 60%"),
    "managed_oom_mode": (_oom_mode, "write auto or kill"),
    "managed_oom_rules": (_oom_rules, "write names of rules"),
    "memory_limit": (
        _memory_limit,
        "write a size with K, M, G or T in capitals, a percentage or infinity, such as 512M",
    ),
    "mode": (_mode, "write octal digits, for example 0755"),
    "mount_images": (_images(destination=True), "write source:destination, for example /var/lib/foo.raw:/opt/foo"),
    "mount_node": (_mount_node, _SPEC_WANT),
    "namespace_flags": (_namespaces, "write yes, no or a list, for example net mnt or ~user"),
    "namespace_path_strv": (_namespace_paths, _PATHS_WANT),
    "nsec": (_nsec, "write a time span; a bare number counts nanoseconds, for example 50us"),
    "numa_mask": (_numa_mask, _CPUS_WANT),
    "obsolete_unit_deps": (_unit_deps, _NAMES_WANT),
    "open_file": (_open_file, "write path[:name[:flags]], for example /etc/foo.conf:foo:read-only"),
    "pass_environ": (_pass_environ, "write names of variables with blanks between, for example LANG TERM"),
    "path_spec": (_required_path, _PATH_WANT),
    "personality": (_empty_or(_personality), "write an architecture, for example x86-64"),
    "pid_file": (_pid_file, "write a path below /run, for example /run/foo.pid"),
    "protect_hostname": (_protect_hostname, "write yes, no, private or private:name"),
    "reboot_parameter": (_reboot_parameter, "write ASCII of at most 255 bytes"),
    "restrict_filesystems": (_filesystems, "write file systems or groups, for example ext4 @basic-api"),
    "restrict_namespaces": (_namespaces, "write yes, no or a list, for example net mnt or ~user"),
    "restrict_network_interfaces": (_empty_or(_interfaces), "write interfaces, for example eth0 or ~eth1"),
    "rlimit": (_rlimit, "write a number or soft:hard or infinity, for example 4096:65536"),
    "root_image_options": (_root_image_options, "write [partition:]options, for example root:ro,nodev"),
    "sec": (_sec, _SPAN_WANT),
    "sec_def_infinity": (_empty_or(_sec), _SPAN_WANT),
    "sec_fix_0": (_sec, _SPAN_WANT),
    "service_refresh_on_reload": (_refresh_on_reload, "write yes, no, extensions or credentials"),
    "service_sockets": (_service_sockets, "write socket units, for example foo.socket"),
    "service_timeout": (_sec, _SPAN_WANT),
    "service_timeout_abort": (_empty_or(_sec), _SPAN_WANT),
    "set_credential": (_set_credential, "write name:data, for example greeting:hello"),
    "set_status": (_exit_statuses, "write exit statuses and signals, for example 0 143 SIGTERM TEMPFAIL"),
    "signal": (_signal, "write a signal in capitals, for example SIGTERM, HUP or RTMIN+1"),
    "socket_bindtodevice": (_empty_or(_bind_to_device), "write an interface, for example eth0"),
    "socket_listen": (
        _socket_listen,
        "write a port, an address with one or a path, such as 8080, [::1]:80 or /run/foo.sock",
    ),
    "socket_protocol": (_socket_protocol, "write udplite, sctp or (since 257) mptcp"),
    "socket_service": (_socket_service, "write a service, for example foo.service"),
    "swap_priority": (_empty_or(_range(-1, 32767)), "write a number from -1 to 32767"),
    "syscall_archs": (_syscall_archs, "write architectures, for example native x86"),
    "syscall_errno": (_syscall_errno, "write an error, for example EPERM, or kill"),
    "syscall_filter": (_syscall_filter, "write system calls or groups, for example @system-service or ~@privileged"),
    "syscall_log": (_syscall_filter, "write system calls or groups, for example @privileged"),
    "tasks_max": (_tasks_max, "write a number, a percentage or infinity, for example 512"),
    "temporary_filesystems": (_temporary_filesystems, "write path[:options], for example /var:ro"),
    "timer": (_timer, "write a time such as 15min (OnCalendar=: Mon..Fri 08:00 or daily)"),
    "trigger_unit": (_trigger_unit, "write one unit, for example foo.service"),
    "tristate": (_empty_or(_bool), "write yes or no"),
    "tty_size": (_empty_or(_range(0, _UINT_MAX)), _NUMBER_WANT),
    "unit_condition_path": (_condition_path, "write an absolute path, after | or ! if wanted"),
    "unit_condition_string": (_condition_string, _SPEC_WANT),
    "unit_cpu_set": (_cpu_set, _CPUS_WANT),
    "unit_deps": (_unit_deps, _NAMES_WANT),
    "unit_env_file": (
        _env_file,
        "write one absolute path, after - if it may be missing, for example -/etc/default/foo",
    ),
    "unit_mounts_for": (_path_words, _PATHS_WANT),
    "unit_path_printf": (_unit_path, _PATH_WANT),
    "unit_path_strv_printf": (_path_words, _PATHS_WANT),
    "unit_requires_mounts_for": (_path_words, _PATHS_WANT),
    "unit_slice": (_unit_slice, "write a slice, for example batch.slice"),
    "unit_string_printf": (_string, _SPEC_WANT),
    "unset_environ": (_unset_environ, "write names or assignments, for example LANG TERM=vt100"),
    "unsigned": (_range(0, _UINT_MAX), _NUMBER_WANT),
    "user_group_compat": (_empty_or(_user), _USER_WANT),
    "user_group_strv_compat": (_users, _USER_WANT),
    "working_directory": (_working_directory, "write an absolute path or ~, for example /srv/foo"),
    "xattr": (_xattr, "write user.name=value, for example user.role=web"),
}

for _line in _ENUMS.splitlines():
    _name, _blank, _values = _line.partition(" ")
    _GRAMMARS[_name] = (functools.partial(_enum, names=_values), _enum_want(_values))

# Parsers whose refusal makes systemd refuse the unit.
_FATAL_PARSERS = frozenset(("image_policy", "user_group_compat", "user_group_strv_compat"))

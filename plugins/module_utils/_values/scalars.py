# SPDX-License-Identifier: GPL-3.0-or-later

"""Grammars of plain values: numbers, sizes, shares, time, resource limits, signals, fixed lists of words.

Source: ``conf-parser.c``, ``load-fragment.c``, ``rlimit-util.c``, ``signal-util.c`` of systemd 247 to 262.
"""

from __future__ import annotations

import functools

from .base import (
    Context,
    Grammar,
    Grammars,
    each,
    empty_or,
    is_bool,
    known,
    not_a,
    one_of,
    one_of_these,
    only,
    unknown,
    words,
)
from .numbers import (
    INFINITY,
    INT_MAX,
    UINT64_MAX,
    parse_integer,
    parse_mode,
    parse_nanoseconds,
    parse_percent,
    parse_permyriad,
    parse_size,
    parse_span,
    parse_unsigned,
)


def in_range(low: int, high: int) -> Grammar:
    """A whole number."""
    return lambda text, c: parse_integer(text, low, high)


def _infinity_or(grammar: Grammar) -> Grammar:
    return lambda text, c: text in ("", "infinity") or grammar(text, c)


def _mode(text: str, c: Context) -> None:
    parse_mode(text)


def span(text: str, c: Context) -> None:
    """A time span, of seconds when it has no unit."""
    parse_span(text, "s", c.release)


def _nsec(text: str, c: Context) -> None:
    parse_nanoseconds(text, c.release)


def _size(text: str, c: Context) -> None:
    parse_size(text)


def _long_size(text: str, c: Context) -> None:
    if parse_size(text) > 2**63 - 1:
        raise ValueError("the size is too large")


def _cpu_quota(text: str, c: Context) -> None:
    if parse_permyriad(text, c.release, bounded=False) <= 0:
        raise ValueError("the quota must be more than 0%")


def _share_or_size(text: str, c: Context) -> int:
    """Bytes; a share of what the host has counts as 1 (or 0)."""
    if text[-1:] in ("%", "\u2030", "\u2031"):
        return min(1, parse_permyriad(text, c.release))
    return parse_size(text)


_MAY_BE_ZERO = (
    "MemorySwapMax MemoryLow MemoryMin DefaultMemoryLow DefaultMemoryMin StartupMemorySwapMax MemoryZSwapMax"
    " StartupMemoryZSwapMax StartupMemoryLow"
)


def _memory_limit(text: str, c: Context) -> None:
    size = _share_or_size(text, c)
    if size >= UINT64_MAX:
        raise ValueError("the size is too large")
    if not size and c.name not in _MAY_BE_ZERO.split():
        raise ValueError("0 is not a limit here")


def _tasks_max(text: str, c: Context) -> None:
    if text[-1] in "%\u2030\u2031":
        parse_permyriad(text, c.release)
    else:
        parse_integer(text, 1, UINT64_MAX - 1)


def _exec_quota(text: str, c: Context) -> None:
    if text != "off":
        _share_or_size(text, c)


_COUNTED = ("RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_RTPRIO")


def parse_limit(text: str, ltype: str, release: int) -> int:
    """One resource limit; INFINITY when there is none."""
    if ltype == "RLIMIT_CPU":
        seconds = parse_span(text, "s", release)
        return INFINITY if seconds == INFINITY else -(-seconds // 1_000_000)
    if ltype == "RLIMIT_RTTIME":
        return parse_span(text, "us", release)
    if ltype == "RLIMIT_NICE":
        if text[:1] == "+":
            return 20 - parse_unsigned(text[1:], 19)
        if text[:1] == "-":
            return 20 + parse_unsigned(text[1:], 20)
        return parse_unsigned(text, 40)
    if text == "infinity":
        return INFINITY
    value = parse_unsigned(text, UINT64_MAX) if ltype in _COUNTED else parse_size(text)
    if value >= UINT64_MAX:
        raise ValueError("the limit is too large")
    return value


def _rlimit(text: str, c: Context) -> None:
    limits = [parse_limit(part, c.ltype, c.release) for part in words(text, unquote=False, separators=":")]
    if len(limits) > 2:
        raise ValueError("a limit has at most two parts, soft:hard")
    if len(limits) == 2 and limits[0] > limits[1]:
        raise ValueError("the soft limit is higher than the hard one")


# In the order of their numbers on x86 and ARM, from 1.
_SIGNALS = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG"
    " XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
# name, @ and the first release
_EXIT_STATUSES = (
    "SUCCESS FAILURE CHDIR NICE FDS EXEC MEMORY LIMITS OOM_ADJUST SIGNAL_MASK STDIN STDOUT CHROOT IOPRIO TIMERSLACK"
    " SECUREBITS SETSCHEDULER CPUAFFINITY GROUP USER CAPABILITIES CGROUP SETSID CONFIRM STDERR PAM NETWORK NAMESPACE"
    " NO_NEW_PRIVILEGES SECCOMP SELINUX_CONTEXT PERSONALITY APPARMOR ADDRESS_FAMILIES RUNTIME_DIRECTORY CHOWN"
    " SMACK_PROCESS_LABEL KEYRING STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY CONFIGURATION_DIRECTORY NUMA_POLICY"
    " CREDENTIALS BPF@250 KSM@254 MEMORY_THP@260 EXCEPTION INVALIDARGUMENT NOTIMPLEMENTED NOPERMISSION NOTINSTALLED"
    " NOTCONFIGURED NOTRUNNING USAGE DATAERR NOINPUT NOUSER NOHOST UNAVAILABLE SOFTWARE OSERR OSFILE CANTCREAT IOERR"
    " TEMPFAIL PROTOCOL NOPERM CONFIG"
)


def parse_signal(text: str) -> int:
    """The number of a signal: ``TERM``, ``SIGTERM``, ``15``, ``RTMIN+1``, ``RTMAX-2``.

    The numbers are those of x86 and ARM; RTMIN is 34 and RTMAX 64, as the C library of Linux has them.
    :raises ValueError: when systemd does not know it.
    """
    name = text[3:] if text.startswith("SIG") else text
    if name in known(_SIGNALS, 0):
        return 1 + _SIGNALS.split().index(name)
    if name in ("RTMIN", "RTMAX"):
        return 34 if name == "RTMIN" else 64
    if name.startswith("RTMIN+"):
        return 34 + parse_integer(name[5:], 0, 30)
    if name.startswith("RTMAX-"):
        return 64 + parse_integer(name[5:], -30, 0)
    try:
        return parse_integer(text, 1, 64)
    except ValueError:
        raise not_a(text, "a signal") from None


def _signal(text: str, c: Context) -> None:
    parse_signal(text)


def _exit_statuses(text: str, c: Context) -> None:
    for word in each(text, unquote=False):
        if word in known(_EXIT_STATUSES, c.release):
            continue
        try:
            parse_integer(word, 0, 255)
        except ValueError:
            try:
                parse_signal(word)
            except ValueError:
                raise not_a(word, "an exit status or a signal") from None


def _cpu_sched_prio(text: str, c: Context) -> None:
    if c.release >= 252:
        parse_integer(text, 0, 99)
    elif c.earlier.get("CPUSchedulingPolicy") in ("fifo", "rr"):
        parse_integer(text, 1, 99)
    elif parse_integer(text, -INT_MAX, INT_MAX):
        raise ValueError("before systemd 252 the line CPUSchedulingPolicy=fifo or rr must stand above this one")


def _pressure_duration(text: str, c: Context) -> None:
    only(c, "Service Scope Slice")
    if text and not 1_000_000 <= parse_span(text, "s", c.release) < INFINITY:
        raise ValueError("the time must be at least 1s and not infinity")


def _pressure_limit(text: str, c: Context) -> None:
    only(c, "Service Scope Slice")
    if text and c.release < 248:
        parse_percent(text)
    elif text:
        parse_permyriad(text, c.release)


# parser: values, each with @ and the release it came in. yes/no stands for every spelling of a boolean, "empty" for an
# empty value, #1..9 for a number, !4 for none that the kernel does not know.
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
job_mode fail replace replace-irreversibly isolate flush ignore-dependencies ignore-requirements triggering\
 restart-dependencies@254 lenient@258
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
ip_tos low-delay throughput reliability low-cost empty #0..255
numa_policy default preferred bind interleave local preferred-many@262 weighted-interleave@262 empty
socket_timestamping yes/no off us ns nsec usec \u00b5s \u03bcs@250
socket_defer_trigger yes/no patient
exec_memory_thp inherit disable madvise system
kill_mode control-group process mixed none empty
exec_io_class none realtime best-effort idle empty #0..7
exec_cpu_sched_policy other batch idle fifo rr ext@260 empty #0..2147483647 !4@260
log_facility kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 local1 local2 local3\
 local4 local5 local6 local7 #0..127
log_level emerg alert crit err warning notice info debug #0..7
exec_mount_propagation_flag shared slave private empty
exec_mount_flags shared slave private empty
bool yes/no
tristate yes/no empty
exec_mount_apivfs yes/no empty
job_mode_isolate yes/no
blockio_weight #10..1000 empty
cg_weight #1..10000 empty
cg_cpu_weight #1..10000 idle empty
concurrency_max #0..4294967295 infinity empty
cpu_shares #2..262144 empty
exec_io_priority #0..7 empty
exec_nice #-20..19 empty
exec_oom_score_adjust #-1000..1000 empty
exit_status #0..255 empty
swap_priority #-1..32767 empty
tty_size #0..4294967295 empty
unsigned #0..4294967295
int #-2147483648..2147483647
long #-9223372036854775808..9223372036854775807
"""


def _enum(text: str, c: Context, names: str) -> None:
    values = known(names, c.release)
    if (text in values and text[0] not in "#!" and text not in ("yes/no", "empty")) or (not text and "empty" in values):
        return
    if "yes/no" in values and is_bool(text):
        return
    limits = next((name[1:].split("..") for name in values if name[0] == "#"), None)
    if limits and text:
        try:
            number = parse_integer(text, int(limits[0]), int(limits[1]))
        except ValueError:
            if values <= {"empty", "#" + "..".join(limits)}:
                raise
        else:
            # systemd 260 and later ask the kernel, which knows the scheduling policies 0 to 7 but for 4.
            if "!4" not in values or (number != 4 and number <= 7):
                return
    raise unknown(text, names)


_EMERGENCIES = (
    "none exit exit-force reboot reboot-force reboot-immediate poweroff poweroff-force poweroff-immediate"
    " soft-reboot@254 soft-reboot-force@254 kexec@254 kexec-force@254 halt@254 halt-force@254 halt-immediate@254"
)


def _emergency_action(text: str, c: Context) -> None:
    one_of(text, _EMERGENCIES, c.release)
    # Up to systemd 252 a user's manager takes the others for exit-force.
    if c.target == "user" and c.release >= 253 and text not in ("none", "exit", "exit-force"):
        raise ValueError(f"a user's manager cannot do '{text}'")


def _oom_mode(text: str, c: Context) -> None:
    only(c, "Service Scope Slice")
    if text:
        one_of(text, "auto kill", c.release)


def _refresh_on_reload(text: str, c: Context) -> None:
    if text and not is_bool(text):
        for word in each(text[1:] if text[0] == "~" else text, unquote=False):
            one_of(word, "extensions credentials", c.release)


_SPAN = "a time span, for example 5s or 1min 30s"
_SIZE = "a size, for example 64K or 512M"

GRAMMARS: Grammars = {
    "cpu_quota": (empty_or(_cpu_quota), "a percentage of one CPU, for example 20% or 150%"),
    "emergency_action": (_emergency_action, one_of_these(_EMERGENCIES)),
    "exec_cpu_sched_prio": (_cpu_sched_prio, "a number from 0 to 99"),
    "exec_quota": (empty_or(_exec_quota), "off, a percentage or a size, for example 10% or 5G"),
    "iec_size": (_size, _SIZE),
    "iec_size_long": (_long_size, _SIZE),
    "job_running_timeout_sec": (span, _SPAN),
    "job_timeout_sec": (span, _SPAN),
    "managed_oom_mem_pressure_duration_sec": (_pressure_duration, "a time span of at least 1s"),
    "managed_oom_mem_pressure_limit": (_pressure_limit, "a percentage up to 100%, for example 60%"),
    "managed_oom_mode": (_oom_mode, "auto or kill"),
    "memory_limit": (
        _infinity_or(_memory_limit),
        "a size with K, M, G or T in capitals, a percentage or infinity, such as 512M",
    ),
    "mode": (_mode, "octal digits, for example 0755"),
    "nsec": (_nsec, "a time span; a bare number counts nanoseconds, for example 50us"),
    "rlimit": (_rlimit, "a number or soft:hard or infinity, for example 4096:65536"),
    "sec": (span, _SPAN),
    "sec_def_infinity": (empty_or(span), _SPAN),
    "sec_fix_0": (span, _SPAN),
    "service_refresh_on_reload": (_refresh_on_reload, "yes, no, extensions or credentials"),
    "service_timeout": (span, _SPAN),
    "service_timeout_abort": (empty_or(span), _SPAN),
    "set_status": (_exit_statuses, "exit statuses and signals, for example 0 143 SIGTERM TEMPFAIL"),
    "signal": (_signal, "a signal in capitals, for example SIGTERM, HUP or RTMIN+1"),
    "tasks_max": (_infinity_or(_tasks_max), "a number, a percentage or infinity, for example 512"),
}
for _line in _ENUMS.splitlines():
    _name, _blank, _values = _line.partition(" ")
    GRAMMARS[_name] = (functools.partial(_enum, names=_values), one_of_these(_values))

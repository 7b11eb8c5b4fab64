# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `systemctl show` prints of single values: numbers of signals, spans in words, what a value comes to."""

from __future__ import annotations

import errno
import math
import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._values import numbers, scalars
from oracle.question import Question, Rule, plain_path, shown_span, simple_path


def same_text(case: Question, ours: t.Any) -> bool:
    if isinstance(ours, bool):
        return case.text == ("yes" if ours else "no")
    # Where there are two properties the newer one has the word.
    return case.expand(str(ours)) in (case.text, case.theirs.get(case.about + "Ex", [""])[-1])


def _microseconds(value: t.Any) -> int:
    if value == "infinity":
        return numbers.INFINITY
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is not a number of seconds")
    return round(value * 1_000_000)


def _spans(case: Question, ours: t.Any) -> bool:
    mine = _microseconds(ours)
    names = ["TimeoutStartUSec", "TimeoutStopUSec"] if case.about == "TimeoutStartUSec" else [case.about]
    if case.directive.name != "TimeoutSec":
        names = [case.about]
    # Seconds of many years are not exact to the microsecond.
    return all(math.isclose(shown_span(case.theirs[name][-1]), mine, rel_tol=1e-15) for name in names)


def _nanoseconds(case: Question, ours: t.Any) -> bool:
    if ours == "infinity":
        return case.text in ("infinity", str(2**64 - 1))
    return not isinstance(ours, str) and math.isclose(ours * 1_000_000_000, int(case.text), rel_tol=1e-15)


def _numbers(case: Question, ours: t.Any) -> bool:
    if isinstance(ours, str) and ours != "infinity":
        raise ValueError(f"{ours!r} is not a number")
    return case.text in (str(ours), *((str(2**64 - 1), str(2**32 - 1)) if ours == "infinity" else ()))


def _shares(kind: str) -> t.Callable[[Question, t.Any], bool]:
    """Numbers, and percentages of what the host has."""

    def rule(case: Question, ours: t.Any) -> bool:
        if isinstance(ours, str) and ours[-1:] in "%\u2030\u2031":
            page = 4096 if kind == "memory" else 1
            part = numbers.parse_permyriad(ours, case.release, bounded=False)
            return str(getattr(case.facts, kind) // page * part // 10000 * page) == case.text
        return _numbers(case, ours)

    return rule


def _quota(case: Question, ours: t.Any) -> bool:
    return numbers.parse_permyriad(str(ours), case.release, bounded=False) * 100 == shown_span(case.text)


def _limits(case: Question, ours: t.Any) -> bool:
    hard, soft = case.text, case.theirs[case.about + "Soft"][-1]
    if not isinstance(ours, str):
        ours = round(ours * 1_000_000) if case.directive.name == "LimitRTTIME" else ours
        return hard == soft == str(ours)
    one, colon, other = ours.partition(":")
    texts = [one, other if colon else one]
    both = [scalars.parse_limit(text, case.directive.ltype, case.release) for text in texts]
    return [soft, hard] == ["infinity" if number >= 2**64 - 1 else str(number) for number in both]


def _signals(case: Question, ours: t.Any) -> bool:
    return str(scalars.parse_signal(str(ours))) == case.text


def _of_numbers(names: str) -> t.Callable[[Question, t.Any], bool]:
    """Names that `show` prints as numbers, in their order; _ for a number without a name."""
    by_name = {name: number for number, name in enumerate(names.split())}

    def rule(case: Question, ours: t.Any) -> bool:
        number = by_name[ours] if ours in by_name else numbers.parse_integer(str(ours), 0, 2**31)
        return str(number) == case.text

    return rule


def _path(case: Question, ours: t.Any) -> bool:
    """A - in front of a working directory is shown as !."""
    return case.expand(str(ours)) == case.text or simple_path(case, str(ours)) in (
        case.text,
        re.sub("^!", "-", case.text),
    )


def _hostname(case: Question, ours: t.Any) -> bool:
    """The name that may follow has no property."""
    return case.text == ("no" if ours is False else "yes")


def _quota_of_disk(case: Question, ours: t.Any) -> bool:
    if str(ours).endswith(("%", "\u2030", "\u2031")):
        return case.text == f"{-(-numbers.parse_permyriad(ours, case.release) // 100)}%"
    return case.text == ("[not set]" if ours == "off" else str(ours))


def _refresh(case: Question, ours: t.Any) -> bool:
    words = {"yes": "extensions credentials", "no": "", True: "extensions credentials", False: ""}
    return case.text == words.get(ours, ours)


def _pid_file(case: Question, ours: t.Any) -> bool:
    text = case.expand(ours)
    return plain_path(text if text.startswith("/") else "/run/" + text) == case.text


def _hash(case: Question, ours: t.Any) -> bool:
    """What is read from a file has no property."""
    text = str(ours)
    return case.text == ("" if text.startswith("/") else text.partition("base64:")[2] or text)


def _device(case: Question, ours: t.Any) -> bool:
    return re.sub(r"^\*$", "", case.expand(ours)) == case.text


def _label(case: Question, ours: t.Any) -> bool:
    """A - at the front stands in a part that is not shown."""
    return case.text in (case.expand(ours), case.expand(ours).removeprefix("-"))


def _share(case: Question, ours: t.Any) -> bool:
    if case.text == ours:
        return True
    part = numbers.parse_permyriad(str(ours), case.release, bounded=False)
    return str((part * (2**32 - 1) + 5000) // 10000) == case.text


def _protocol(case: Question, ours: t.Any) -> bool:
    return str({"udplite": 136, "sctp": 132, "mptcp": 262}.get(str(ours).lower(), ours)) == case.text


def _address_kind(case: Question, ours: t.Any) -> bool:
    return case.text == {False: "both", True: "ipv6-only", "default": "default"}.get(ours, ours)


def _stamps(case: Question, ours: t.Any) -> bool:
    words = {False: "off", True: "ns", "off": "off", "usec": "us", "\u00b5s": "us", "\u03bcs": "us", "nsec": "ns"}
    return case.text == words.get(ours, ours)


def _type_of_service(case: Question, ours: t.Any) -> bool:
    names = {"low-delay": 16, "throughput": 8, "reliability": 4, "low-cost": 2}
    return int(case.text) == (names[ours] if ours in names else numbers.parse_integer(ours, 0, 255))


def _stream(case: Question, ours: t.Any) -> bool:
    """Files, descriptors and names stand in other properties; what is inherited is shown as what it comes to."""
    if ours == "inherit":
        return case.text in ("inherit", case.default[case.about][-1])
    words = {"syslog": "journal", "syslog+console": "journal+console"}
    text = str(ours).partition(":")[0]
    return words.get(text, text) == case.text


def _errno(case: Question, ours: t.Any) -> bool:
    text = str(ours).upper()
    if text == "KILL":
        return int(case.text) >= 2**31 - 2
    number = getattr(errno, text, None) or numbers.parse_integer(text, 0, 4095)
    return str(number) == case.text


def _io_class(case: Question, ours: t.Any) -> bool:
    """Without a class it is best-effort."""
    names = {"none": 0, "realtime": 1, "best-effort": 2, "idle": 3}
    number = names[ours] if ours in names else numbers.parse_integer(str(ours), 0, 7)
    return case.text in (str(number), str(number or 2))


def _weight(case: Question, ours: t.Any) -> bool:
    return case.text in (str(ours), "0" if ours == "idle" else "")


# By systemd's parser.
RULES: dict[str, Rule] = {
    "pid_file": _pid_file,
    **dict.fromkeys(("exec_root_hash", "exec_root_hash_sig"), _hash),
    "managed_oom_mem_pressure_limit": _share,
    "socket_protocol": _protocol,
    "socket_bindtodevice": _device,
    "exec_smack_process_label": _label,
    "service_refresh_on_reload": _refresh,
    "socket_bind": _address_kind,
    "socket_timestamping": _stamps,
    "ip_tos": _type_of_service,
    **dict.fromkeys(("working_directory", "exec_root_directory"), _path),
    **dict.fromkeys(("cpu_shares", "blockio_weight", "exit_status", "tty_size"), _numbers),
    "cg_cpu_weight": _weight,
    **dict.fromkeys(("unit_path_printf", "mount_node"), _path),
    "protect_hostname": _hostname,
    "exec_quota": _quota_of_disk,
    **dict.fromkeys(("exec_input", "exec_output"), _stream),
    "syscall_errno": _errno,
    **dict.fromkeys(("sec", "sec_fix_0", "sec_def_infinity", "service_timeout", "service_timeout_abort"), _spans),
    **dict.fromkeys(("job_timeout_sec", "job_running_timeout_sec", "managed_oom_mem_pressure_duration_sec"), _spans),
    "nsec": _nanoseconds,
    **dict.fromkeys(("iec_size", "iec_size_long", "iec_uint64"), _numbers),
    **dict.fromkeys(("unsigned", "int", "long", "exec_nice", "exec_oom_score_adjust", "swap_priority"), _numbers),
    **dict.fromkeys(("concurrency_max", "cg_weight", "exec_io_priority", "exec_cpu_sched_prio"), _numbers),
    "memory_limit": _shares("memory"),
    "tasks_max": _shares("tasks"),
    "cpu_quota": _quota,
    "rlimit": _limits,
    "signal": _signals,
    "log_level": _of_numbers("emerg alert crit err warning notice info debug"),
    "log_facility": _of_numbers(
        "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp _ _ _ _ local0 local1 local2 local3 local4"
        " local5 local6 local7"
    ),
    "exec_cpu_sched_policy": _of_numbers("other fifo rr batch _ idle _ ext"),
    "exec_io_class": _io_class,
}

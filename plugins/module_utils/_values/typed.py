# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a unit's settings come to: the value that counts for each directive, who set it, and what it overrode.

Input is the list of settings in the order systemd reads them (fragment, then drop-ins). How assignments join is the
catalogue's knowledge; which directives one empty assignment resets together is in systemd.unit(5), systemd.timer(5),
systemd.path(5), systemd.socket(5) and systemd.exec(5).
"""

from __future__ import annotations

import re
import typing as t

from .. import _catalog
from .._model import Setting
from .._syntax.words import split_words

# parsers whose directives form one list that an empty value of any of them clears
_RESET_TOGETHER = ("timer", "path_spec", "socket_listen", "load_credential", "set_credential")
_NO_WORDS_IN_INSTALL = ("DefaultInstance",)

_SECONDS = {
    **dict.fromkeys(("usec", "us", "µs", "μs"), 1e-6),
    **dict.fromkeys(("msec", "ms"), 1e-3),
    **dict.fromkeys(("seconds", "second", "sec", "s"), 1),
    **dict.fromkeys(("minutes", "minute", "min", "m"), 60),
    **dict.fromkeys(("hours", "hour", "hr", "h"), 3600),
    **dict.fromkeys(("days", "day", "d"), 86400),
    **dict.fromkeys(("weeks", "week", "w"), 604800),
    **dict.fromkeys(("months", "month", "M"), 2629800),  # 30.44 days, systemd.time(7)
    **dict.fromkeys(("years", "year", "y"), 31557600),  # 365.25 days
}
_SPAN = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Zµμ]*)")
_BYTES = {unit: 1024**power for power, unit in enumerate(("B", "K", "M", "G", "T", "P", "E"))}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([BKMGTPE]?)\Z")
_TRUE = frozenset(("1", "yes", "y", "true", "t", "on"))
_FALSE = frozenset(("0", "no", "n", "false", "f", "off"))


class Effective(t.NamedTuple):
    """What one directive comes to."""

    joins: str  # as in the catalogue: single, lines, words, deps, colons, exec
    parser: str  # systemd's parser, empty for a directive it does not know
    settings: list[Setting]  # those that count, in order
    overrode: list[Setting]  # those that do not count any more, in order


def merge(settings: t.Iterable[Setting], release: int | None = None) -> dict[tuple[str, str], Effective]:
    """The directives that were set at all, by ``(section, directive)``, in order of first appearance.

    A directive that was reset and not set again stays, with no settings and what it overrode. A renamed directive
    counts under its present name.
    """
    merged: dict[tuple[str, str], Effective] = {}
    for setting in settings:
        known = _catalog.get(setting.section, setting.directive, release)
        parser = known.parser if known else ""
        joins = _joins(setting, known)
        key = (setting.section, _present_name(setting, known))
        value = merged.setdefault(key, Effective(joins, parser, [], []))
        if setting.value == "" and known is not None and not known.empty_ok:
            continue  # systemd refuses the empty value and keeps what it had
        if setting.value == "" and joins != "deps":
            for other in _reset_with(key, parser, merged):
                other.overrode.extend(other.settings)
                del other.settings[:]
            continue
        if joins == "single":
            value.overrode.extend(value.settings)
            del value.settings[:]
        value.settings.append(setting)
    return merged


def _joins(setting: Setting, known: _catalog.Directive | None) -> str:
    if setting.section == "Install" and setting.directive not in _NO_WORDS_IN_INSTALL:
        return "words"
    return known.joins if known else "single"


def _present_name(setting: Setting, known: _catalog.Directive | None) -> str:
    if known is not None and known.status == "renamed":
        section, _dot, name = known.successor.partition(".")
        if section == setting.section:
            return name
    return setting.directive


def _reset_with(key: tuple[str, str], parser: str, merged: t.Mapping[tuple[str, str], Effective]) -> list[Effective]:
    """Everything that an empty assignment to this directive clears."""
    section, name = key
    if section == "Unit":
        for family in ("Condition", "Assert"):
            if name.startswith(family):
                return [v for k, v in merged.items() if k[0] == section and k[1].startswith(family)]
    if parser in _RESET_TOGETHER:
        return [v for k, v in merged.items() if k[0] == section and v.parser == parser]
    return [merged[key]]


def texts(value: Effective) -> list[str]:
    """The values that count: one per assignment, or one per word where words are joined."""
    if value.joins in ("words", "deps"):
        return [word for setting in value.settings for word in _words(setting.value)]
    if value.joins == "colons":
        return [part for setting in value.settings for part in setting.value.split(":") if part]
    return [setting.value for setting in value.settings]


def _words(text: str) -> list[str]:
    if not any(mark in text for mark in "\"'\\"):
        return text.split()
    return split_words(text, relax=True, unescape_relax=True)


def typed(value: Effective) -> t.Any:
    """The value as a number of seconds or bytes, an integer, a boolean, a string, or a list of strings.

    None when it was reset. What cannot be told (specifiers, percentages, values systemd would refuse) stays text.
    """
    if value.joins != "single":
        return texts(value)
    if not value.settings:
        return None
    return typed_text(value.parser, value.settings[-1].value)


def typed_text(parser: str, text: str) -> t.Any:
    """One text by systemd's parser: seconds for time spans, bytes for sizes, integers, booleans; else the text."""
    convert = _CONVERTERS.get(parser)
    value = convert(text) if convert else None
    return text if value is None else value


def seconds(text: str, default_unit: float = 1) -> float | int | str | None:
    """A time span in seconds, ``infinity`` as it is, None when it is none (systemd.time(7), "Parsing Time Spans")."""
    if text == "infinity":
        return text
    total, end = 0.0, 0
    for match in _SPAN.finditer(text):
        factor = _SECONDS.get(match.group(2)) if match.group(2) else default_unit
        if match.start() != end or factor is None:
            return None
        total, end = total + float(match.group(1)) * factor, match.end()
    if end == 0 or text[end:].strip():
        return None
    total = round(total, 9)
    return int(total) if total.is_integer() else total


def size(text: str) -> int | str | None:
    """A size in bytes with base 1024, ``infinity`` as it is, None when it is neither."""
    if text == "infinity":
        return text
    match = _SIZE.match(text)
    if match is None:
        return None
    number, factor = match.group(1), _BYTES[match.group(2) or "B"]
    return int(float(number) * factor) if "." in number else int(number) * factor


def boolean(text: str) -> bool | None:
    """systemd's booleans; None for anything else."""
    lower = text.lower()
    if lower in _TRUE:
        return True
    return False if lower in _FALSE else None


def integer(text: str) -> int | None:
    return int(text) if re.match(r"[+-]?[0-9]+\Z", text) else None


def limit(text: str) -> int | str | None:
    """A plain number or ``infinity``."""
    return text if text == "infinity" else integer(text)


_SPANS = """sec sec_fix_0 sec_def_infinity service_timeout service_timeout_abort job_timeout_sec job_running_timeout_sec
    managed_oom_mem_pressure_duration_sec""".split()
_ENUMS_WITH_BOOLEANS = """protect_system protect_home private_tmp private_users private_pids protect_control_groups
    protect_hostname private_bpf exec_preserve_mode""".split()
_CONVERTERS: dict[str, t.Callable[[str], t.Any]] = {
    **dict.fromkeys(_SPANS, seconds),
    **dict.fromkeys(("iec_size", "iec_size_long", "iec_uint64", "memory_limit"), size),
    **dict.fromkeys(("unsigned", "int", "long", "exec_nice", "exec_oom_score_adjust", "exit_status"), integer),
    **dict.fromkeys(("exec_cpu_sched_prio", "exec_io_priority", "swap_priority", "cg_weight"), integer),
    "tasks_max": limit,
    **dict.fromkeys(_ENUMS_WITH_BOOLEANS, boolean),
    "bool": boolean,
    "tristate": boolean,
    "unit_condition_null": boolean,
    "job_mode_isolate": boolean,
}

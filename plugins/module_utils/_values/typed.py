# SPDX-License-Identifier: GPL-3.0-or-later

"""The effective value of each directive, typed, as ``systemctl show`` of systemd 247 to 262 has it."""

from __future__ import annotations

import contextlib
import typing as t

from .. import _catalog
from .._model import Setting
from .._syntax.effective import Effective, Key, effective
from .._syntax.words import WHITESPACE, UnitSyntaxError, quoted_words, raw_words, split_words
from .base import Context
from .numbers import INFINITY, parse_bool, parse_integer, parse_mode, parse_nanoseconds, parse_size, parse_span
from .scalars import GRAMMARS, parse_limit

# Where systemd decodes C escapes, and where a backslash or a quote is plain; else a backslash protects what follows.
_C_ESCAPES = frozenset(("environ", "unset_environ", "log_extra_fields", "bind_paths", "exec_directories"))
_PLAIN_BACKSLASH = frozenset(("documentation", "unit_deps"))
_PLAIN_QUOTES = frozenset(("set_status", "user_group_strv_compat"))
# A ~ at the front is for all words.
_INVERTED = frozenset(
    (
        "address_families",
        "capability_set",
        "namespace_flags",
        "restrict_filesystems",
        "restrict_namespaces",
        "restrict_network_interfaces",
        "syscall_filter",
        "syscall_log",
    )
)
_EACH_ONCE = frozenset(("environ", "pass_environ", "unset_environ", "syscall_archs", "managed_oom_rules"))
_FIRST_COUNTS = "trigger_unit"  # of several values systemd keeps the first
# Lists that may be a boolean instead: the boolean that stands for everything.
_LIST_OR_BOOLEAN = {"Delegate": True, "DelegateNamespaces": True, "RestrictNamespaces": False}


class TypedValues:
    """The settings of one unit, typed.

    It carries the grammars of numbers, sizes, spans, booleans, enumerations and signals, and of no others.

    :param release: systemd's release as an integer.
    :param unit_name: full name; empty when it is not known.
    """

    def __init__(self, release: int = _catalog.LAST_RELEASE, unit_name: str = "") -> None:
        self._release = release
        self._unit_name = unit_name

    def effective(self, settings: t.Iterable[Setting]) -> dict[Key, Effective]:
        """The directives that were set at all; ``ignored`` of each are the settings that systemd drops."""
        triggers: set[str] = set()

        def taken(known: _catalog.Directive, setting: Setting) -> bool:
            text = setting.value
            if known.parser == _FIRST_COUNTS:
                first = bool(text) and known.section not in triggers
                triggers.update([known.section] * first)
                return first
            if not text and known.parser not in GRAMMARS:
                return known.empty_ok
            return self._takes(known, text) or (known.joins == "words" and bool(self._good_words(known, text)))

        return effective(settings, self._release, taken)

    def typed(self, entry: Effective) -> t.Any:
        """Seconds, bytes, a number, a boolean, a text (specifiers, percentages too) or a list; None after a reset."""
        known = entry.directive
        if known is None:
            return entry.settings[-1].value if entry.settings else None
        if known.name in _LIST_OR_BOOLEAN:
            return self._list_or_boolean(known, entry)
        if entry.joins != "single":
            return self.values(entry)
        if not entry.settings:
            return None
        text = entry.settings[-1].value
        convert = _CONVERTERS.get(known.parser)
        try:
            return convert(text, self._context(known)) if convert else text
        except ValueError:  # a word of an enumeration, a share
            return text

    def values(self, entry: Effective) -> list[str]:
        """One value per assignment, or per word where words join; a ``~`` before all words stands before each."""
        known = entry.directive
        texts = [setting.value for setting in entry.settings]
        if known is None or entry.joins not in ("words", "deps", "colons"):
            return texts
        if entry.joins == "colons":
            return [part for text in texts for part in _split(known.parser, text, ":") if part]
        found = [word for text in texts for word in self._words(known, text)]
        return _last_of_each(found, known.parser) if known.parser in _EACH_ONCE else found

    def _context(self, known: _catalog.Directive) -> Context:
        # The type of a unit without a name is that of its own section.
        unit_name = self._unit_name or f"unit.{known.section.lower()}"
        return Context(known.name, known.section, known.ltype, self._release, unit_name, "system")

    def _takes(self, known: _catalog.Directive, text: str) -> bool:
        with contextlib.suppress(ValueError):
            if known.parser in GRAMMARS:
                GRAMMARS[known.parser][0](text, self._context(known))
            return True
        return False

    def _good_words(self, known: _catalog.Directive, text: str) -> str:
        """The words of a list that systemd keeps, as they stand."""
        words = (raw_words if known.parser in _PLAIN_QUOTES else quoted_words)(text)
        return " ".join(word for word in words or () if self._takes(known, word))

    def _words(self, known: _catalog.Directive, text: str) -> list[str]:
        if not self._takes(known, text):
            text = self._good_words(known, text)
        front = "~" if known.parser in _INVERTED and text.startswith("~") else ""
        words = _split(known.parser, text[len(front) :])
        return [front + word for word in words] if words else [front] * len(front)

    def _list_or_boolean(self, known: _catalog.Directive, entry: Effective) -> t.Any:
        everything = _LIST_OR_BOOLEAN[known.name]
        found: t.Any = []
        for setting in entry.settings:
            switch = boolean(setting.value)
            words = self._words(known, setting.value)
            if switch is not None:
                found = switch
            elif isinstance(found, list):
                found = found + words
            else:  # to everything nothing can be added, and of nothing nothing can be taken away
                found = [word for word in words if word.startswith("~") == (found is everything)] or found
        return found


def _split(parser: str, text: str, separators: str = WHITESPACE) -> list[str]:
    unquote = separators == WHITESPACE and parser not in _PLAIN_QUOTES
    retain = parser in _PLAIN_BACKSLASH
    if parser in _C_ESCAPES:
        with contextlib.suppress(UnitSyntaxError):
            return split_words(text, unquote, separators=separators, retain_escape=retain)
    try:
        return split_words(text, unquote, False, separators=separators, retain_escape=retain)
    except UnitSyntaxError:
        return split_words(text, unquote, separators=separators, relax=True, unescape_relax=True)


def _last_of_each(words: t.Iterable[str], parser: str) -> list[str]:
    """``A=1 B=2 A=3`` is ``A=3 B=2``."""
    return list({word.partition("=")[0] if parser == "environ" else word: word for word in words}.values())


def seconds(text: str) -> float | int | str | None:
    """A time span in seconds, ``infinity`` as it is, None when it is none (systemd.time(7), "Parsing Time Spans")."""
    with contextlib.suppress(ValueError):
        return _in_seconds(parse_span(text))
    return None


def _in_seconds(span: int, second: int = 1_000_000) -> float | int | str:
    if span == INFINITY:
        return "infinity"
    return span / second if span % second else span // second


def boolean(text: str) -> bool | None:
    """A boolean in any of systemd's spellings; None for anything else."""
    with contextlib.suppress(ValueError):
        return parse_bool(text)
    return None


def limit(text: str) -> int | str | None:
    """A plain number or ``infinity``; None for anything else."""
    with contextlib.suppress(ValueError):
        return text if text == "infinity" else _number(text)
    return None


def _number(text: str) -> int:
    return parse_integer(text, -(2**63), 2**64 - 1)


def _span(text: str, c: Context) -> float | int | str:
    return _in_seconds(parse_span(text, release=c.release))


def _span_or_never(text: str, c: Context) -> float | int | str:
    return _span(text, c) or "infinity"


def _nanoseconds(text: str, c: Context) -> float | int | str:
    return _in_seconds(parse_nanoseconds(text, c.release), 1_000_000_000)


def _rlimit(text: str, c: Context) -> t.Any:
    """One number where the soft limit is the hard one, else the text ``soft:hard``."""
    limits = {parse_limit(part, c.ltype, c.release) for part in text.split(":")}
    if len(limits) > 1:
        return text
    return _in_seconds(limits.pop(), 1_000_000 if c.ltype == "RLIMIT_RTTIME" else 1)


def _or_infinity(convert: t.Callable[[str], int]) -> t.Callable[[str, Context], t.Any]:
    return lambda text, c: text if text == "infinity" else convert(text)


_Convert = t.Callable[[str, Context], t.Any]
_TABLE: list[tuple[_Convert, str]] = [
    (_span, "sec sec_def_infinity service_timeout_abort managed_oom_mem_pressure_duration_sec"),
    (_span_or_never, "sec_fix_0 service_timeout job_timeout_sec job_running_timeout_sec"),
    (_nanoseconds, "nsec"),
    (_or_infinity(parse_size), "iec_size iec_size_long memory_limit exec_quota"),
    (
        _or_infinity(_number),
        "unsigned int long exec_nice exec_oom_score_adjust exit_status exec_cpu_sched_prio exec_io_priority"
        " swap_priority cg_weight cg_cpu_weight cpu_shares blockio_weight tasks_max concurrency_max tty_size",
    ),
    (_rlimit, "rlimit"),
    (lambda text, c: f"{parse_mode(text):04o}", "mode"),
    (
        lambda text, c: parse_bool(text),
        "bool tristate unit_condition_null job_mode_isolate protect_system protect_home private_tmp private_users"
        " private_pids private_bpf protect_control_groups protect_hostname exec_preserve_mode runtime_preserve_mode"
        " exec_mount_apivfs pressure_watch memory_pressure_watch socket_bind socket_timestamping socket_defer_trigger",
    ),
]
_CONVERTERS = {parser: convert for convert, parsers in _TABLE for parser in parsers.split()}

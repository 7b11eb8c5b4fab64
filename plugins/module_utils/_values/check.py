# SPDX-License-Identifier: GPL-3.0-or-later

"""Check one value as systemd's parser for its directive does."""

from __future__ import annotations

import typing as t

from .. import _catalog
from .._syntax.lines import LONG_LINE_MAX
from .._syntax.text import WHITESPACE
from . import calendar, execution, identifiers, paths, sandbox, scalars
from .base import Context, FatalError, Grammars, byte_length

GRAMMARS: Grammars = {
    parser: entry
    for topic in (calendar, execution, identifiers, paths, sandbox, scalars)
    for parser, entry in topic.GRAMMARS.items()
}
# Parsers whose refusal makes systemd refuse the unit.
_FATAL_PARSERS = frozenset(("image_policy", "user_group_compat", "user_group_strv_compat"))
_IN_CONTEXT = frozenset(("exec_cpu_sched_prio", "trigger_unit"))  # what stands above, or the unit's name, counts


class Problem(t.NamedTuple):
    """Why systemd refuses a value."""

    message: str
    hint: str  # what to write, with an example
    fatal: bool  # systemd refuses the whole unit; otherwise it drops the setting


# The units of a large set have many values in common.
_remembered: dict[tuple[str, str, str, int, str], Problem | None] = {}
_REMEMBERED_MOST = 20000
_REMEMBERED_LENGTH = 200


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
    key = (directive.section, directive.name, value, release, target)
    if key in _remembered:
        return _remembered[key]
    context = Context(directive.name, directive.section, directive.ltype, release, unit_name, target, earlier or {})
    problem = _check(directive.parser, value, context)
    if len(value) <= _REMEMBERED_LENGTH and "%" not in value and directive.parser not in _IN_CONTEXT:
        if len(_remembered) >= _REMEMBERED_MOST:
            _remembered.clear()
        _remembered[key] = problem
    return problem


def _check(parser: str, value: str, context: Context) -> Problem | None:
    entry = GRAMMARS.get(parser)
    if entry is None:
        return None
    grammar, want = entry
    if len(value) * 4 > LONG_LINE_MAX and byte_length(value) >= LONG_LINE_MAX:
        return Problem("the value is longer than a line of 1 MiB", "split it up", True)
    try:
        grammar(value.strip(WHITESPACE), context)
        if context.release < 251:
            paths.check_mount_names(value.strip(WHITESPACE), context)
    except ValueError as error:
        fatal = isinstance(error, FatalError) or context.ltype == "1" or parser in _FATAL_PARSERS
        return Problem(str(error), f"write {want}", fatal)
    return None

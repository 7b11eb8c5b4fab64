# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings as the mapping that a user would write for them: the way back from ``render.py``."""

from __future__ import annotations

import re
import typing as t

from .. import _catalog
from .._model import Setting
from .effective import effective
from .render import ENVIRONMENT_NAME
from .words import NOT_UTF8, UnitSyntaxError, raw_words, split_words

TEMPLATE = re.compile("{[{%#]")  # in a value: Ansible would take it for a template of its own


def mapping_from_settings(settings: t.Sequence[Setting]) -> dict[str, dict[str, t.Any]]:
    """The shortest natural sections mapping that renders to the same meaning, in a fragment and in a drop-in.

    :returns: ``{section: {directive: value}}``; a value is a string, an integer, a boolean, a list of strings, or for
        ``Environment`` a mapping.
    """
    # A reset counts, because the text may be a drop-in's; what it made void does not.
    counted = {id(setting) for entry in effective(settings, dropin=True).values() for setting in entry.settings}
    groups: dict[str, dict[str, list[str]]] = {}
    for setting in settings:
        if id(setting) in counted:
            groups.setdefault(setting.section, {}).setdefault(setting.directive, []).append(setting.value)
    return {
        section: {directive: _natural(section, directive, values) for directive, values in directives.items()}
        for section, directives in groups.items()
    }


def _natural(section: str, directive: str, values: list[str]) -> t.Any:
    entry = _catalog.get(section, directive)
    parser = entry.parser if entry is not None else ""
    joins = _catalog.joins_of(section, directive)
    if parser == "environ":
        variables = _variables(values)
        if variables is not None:
            return variables
    if joins == "single":
        return _natural_scalar(parser, values[-1])
    if joins in ("words", "deps") and not any(mark in value for value in values for mark in "\"'\\~"):
        values = [word for value in values for word in (raw_words(value) or [""])]
    if len(values) > 1:
        return values
    return values[0] if joins == "exec" else _natural_scalar(parser, values[0])


def _natural_scalar(parser: str, value: str) -> t.Any:
    if value in ("true", "false"):
        return value == "true"
    if parser not in ("mode", "timer") and re.match(r"(?:0|-?[1-9][0-9]{0,17})\Z", value):
        return int(value)
    return value


def _variables(values: list[str]) -> dict[str, str] | None:
    """The variables of ``Environment=`` values, or None when a mapping could not say the same."""
    variables: dict[str, str] = {}
    for value in values:
        try:
            words = split_words(value)
        except UnitSyntaxError:
            return None
        for word in words:
            name, equals, content = word.replace("%%", "").partition("=")
            if not equals or "%" in word.replace("%%", "") or not ENVIRONMENT_NAME.match(name) or name in variables:
                return None
            content = word.partition("=")[2].replace("%%", "%")
            if NOT_UTF8.search(content):
                return None
            variables[name] = content
        if not words:
            return None
    return variables or None

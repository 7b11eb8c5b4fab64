# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One value to compare with what `systemctl show` prints: the property that shows it, and what it depends on."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import base, numbers, paths

# Directive -> property, where it is not the same name with USec for Sec.
_PROPERTIES = {
    "CPUQuota": "CPUQuotaPerSecUSec",
    "EnvironmentFile": "EnvironmentFiles",
    "TimeoutSec": "TimeoutUSec",
    "BindTo": "BindsTo",
    "PropagateReloadFrom": "ReloadPropagatedFrom",
    "PropagateReloadTo": "PropagatesReloadTo",
    "InaccessibleDirectories": "InaccessiblePaths",
    "ReadOnlyDirectories": "ReadOnlyPaths",
    "ReadWriteDirectories": "ReadWritePaths",
    "StartLimitInterval": "StartLimitIntervalUSec",
}
# Not the business of a value: what `show` prints of these is the state of the unit.
NOT_ASKED: frozenset[tuple[str, str]] = frozenset([("Service", "WatchdogSec")])


def property_of(directive: _catalog.Directive) -> str:
    """The property that shows a directive."""
    name = directive.name
    if directive.section == "Service" and name == "TimeoutSec":
        return "TimeoutStartUSec"
    if name in _PROPERTIES:
        return _PROPERTIES[name]
    if directive.parser == "socket_listen":
        return "Listen"
    if directive.parser == "timer":
        return "TimersCalendar" if name == "OnCalendar" else "TimersMonotonic"
    if directive.parser == "path_spec":
        return "Paths"
    return name[:-3] + "USec" if name.endswith("Sec") and not name.endswith("NSec") else name


class Facts(t.NamedTuple):
    """What values stand for on a host."""

    memory: int  # bytes that are 100 %
    tasks: int  # tasks that are 100 %
    statuses: dict[str, str]  # name of an exit status -> number
    groups: dict[str, list[str]]  # group of system calls -> members, which may be groups
    calls: frozenset[str]  # the system calls that its libseccomp knows


_PLAIN = ("string", "managed_oom_rules")  # parsers that know no specifiers


class Question(t.NamedTuple):
    """One value to compare."""

    directive: _catalog.Directive
    unit: str
    release: int
    facts: Facts
    default: t.Mapping[str, list[str]]
    theirs: t.Mapping[str, list[str]]

    @property
    def about(self) -> str:
        return property_of(self.directive)

    @property
    def shown(self) -> list[str]:
        return self.theirs.get(self.about, [])

    @property
    def text(self) -> str:
        return self.shown[-1]

    @property
    def context(self) -> base.Context:
        name, section, ltype = self.directive.name, self.directive.section, self.directive.ltype
        return base.Context(name, section, ltype, self.release, self.unit, "system")

    def expand(self, text: str) -> str:
        return text if self.directive.parser in _PLAIN else base.expand(text, self.context)


Rule = t.Callable[[Question, t.Any], bool]  # whether our value is the one that is shown


def plain_path(path: str) -> str:
    """A path without repeated slashes, ``.`` parts and a slash at the end."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    while path.startswith("/") and parts[:1] == [".."]:  # refused before 255
        del parts[0]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def simple_path(case: Question, text: str) -> str:
    """A path with specifiers, without what systemd takes away: // and /. and / at the end."""
    front = re.match("[-+!|]*", text)
    mark = front.group() if front else ""
    expanded = case.expand(text[len(mark) :])
    return mark + (paths.check_path(expanded, case.release, None) if expanded else "")


def shown_span(text: str) -> int:
    """Microseconds of a span as it is shown."""
    return numbers.INFINITY if text in ("infinity", "[not set]") else numbers.parse_span(text)

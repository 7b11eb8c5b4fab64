# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which service follows which -> the directives that do it on a release of systemd, as drop-ins (systemd.unit(5)).

The declaration is that of role linked, ``linked_services``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import declared_unit_name

UPHOLDS_RELEASE = 249
STOP = ("always", "command", "never")
ORDER = ("after", "before", "none")
_KEYS = frozenset(
    ("main", "followers", "chain", "stop", "start", "order", "keep_up", "main_stops", "conflicts", "conditions")
)
_OPTIONS = ("files", "health", "triggers")


class LinkError(ValueError):
    """The declaration cannot be followed; the message says which item and why."""


class Directive(t.NamedTuple):
    """One setting of a drop-in."""

    unit: str
    section: str
    name: str
    value: str
    why: str


class Links(t.NamedTuple):
    """What a declaration comes to."""

    directives: list[Directive]  # in the order of the declaration, none twice
    services: list[str]  # in the order of their first appearance
    followers: set[str]  # those that a start of their main starts, or should
    unstarted: set[str]  # those that are not to be started with main
    ignore: list[str]  # findings of lint that the declaration asks for


def read(declared: t.Any, release: int) -> Links:
    """Read ``linked_services``.

    :param release: systemd's release on the target, for example 252.
    :raises LinkError: an item that contradicts itself, or a chain that comes back to its beginning.
    """
    links = Links([], [], set(), set(), [])
    if isinstance(declared, str) or not isinstance(declared, t.Sequence):
        raise LinkError("expected a list of mappings with main and followers, or chain")
    for position, item in enumerate(declared, 1):
        _read_item(links, item, f"item {position}", release)
    _refuse_circles(links)
    _share_conditions(links)
    return links


def _read_item(links: Links, item: t.Any, where: str, release: int) -> None:
    if not isinstance(item, t.Mapping):
        raise LinkError(f"{where}: expected a mapping with main and followers, or chain")
    item = {key: value for key, value in item.items() if value is not None}
    if set(item) - _KEYS:
        raise LinkError(f"{where}: unknown key {sorted(set(item) - _KEYS)[0]!r}; there are {', '.join(sorted(_KEYS))}")
    pairs = _pairs(item, where)
    _check(item, where)
    main = pairs[0][0]
    for name in [main] + [follower for _unused, follower in pairs]:
        if name not in links.services:
            links.services.append(name)
    for pair in pairs:
        for directive in _link(pair[0], pair[1], item, release):
            _add(links, directive)
        links.followers.add(pair[1])
        if not item.get("start", True):
            links.unstarted.add(pair[1])
        links.ignore.extend(rule for rule in _asked_for(pair[0], pair[1], item) if rule not in links.ignore)
    for directive in _exclusion(main, item, where):
        _add(links, directive)


def _pairs(item: t.Mapping[str, t.Any], where: str) -> list[tuple[str, str]]:
    """Pairs of main and follower."""
    if ("chain" in item) == ("main" in item) or ("chain" in item and "followers" in item):
        raise LinkError(f"{where}: give either main and followers or chain")
    names = [
        _unit_name(name, where) for name in item.get("chain") or [item.get("main", ""), *(item.get("followers") or [])]
    ]
    if len(names) < 2 or len(set(names)) < len(names):
        raise LinkError(f"{where}: at least two services are needed, each named once")
    return list(zip(names, names[1:])) if "chain" in item else [(names[0], follower) for follower in names[1:]]


def _unit_name(name: t.Any, where: str) -> str:
    try:
        return declared_unit_name(str(name))
    except ValueError as error:
        raise LinkError(f"{where}: {error}") from error


def _check(item: t.Mapping[str, t.Any], where: str) -> None:
    for key, choices in (("stop", STOP), ("order", ORDER)):
        if item.get(key, choices[0]) not in choices:
            raise LinkError(f"{where}: {key} must be one of {', '.join(choices)}, not {item[key]!r}")
    if item.get("keep_up") and item.get("main_stops"):
        raise LinkError(f"{where}: keep_up starts a follower that has ended, main_stops stops main for it: choose one")
    for name in item.get("conditions") or {}:
        if not str(name).startswith(("Condition", "Assert")):
            raise LinkError(
                f"{where}: {name!r} in conditions is none of the Condition...= and Assert...= of systemd.unit(5)"
            )


def _link(main: str, follower: str, item: t.Mapping[str, t.Any], release: int) -> t.Iterator[Directive]:
    stop, order = item.get("stop", "always"), item.get("order", "after")
    if stop == "always":
        yield Directive(follower, "Unit", "BindsTo", main, f"stops with {main}, also when that is killed or crashes")
    elif stop == "command":
        yield Directive(follower, "Unit", "PartOf", main, f"stops and restarts when somebody stops or restarts {main}")
    if order == "after":
        yield Directive(follower, "Unit", "After", main, f"starts after {main} and stops before it")
    elif order == "before":
        yield Directive(follower, "Unit", "Before", main, f"starts before {main} and stops after it")
    if item.get("start", True):
        yield Directive(
            main, "Unit", "Wants", follower, f"starts {follower}, also when it restarts itself after a crash"
        )
    if item.get("keep_up"):
        yield from _keep_up(main, follower, release)
    if item.get("main_stops"):
        yield Directive(main, "Unit", "BindsTo", follower, f"stops when {follower} ends")


def _keep_up(main: str, follower: str, release: int) -> t.Iterator[Directive]:
    if release >= UPHOLDS_RELEASE:
        yield Directive(main, "Unit", "Upholds", follower, f"keeps {follower} up for as long as it is up itself")
        return
    why = f"comes back after a crash (Upholds= came with systemd {UPHOLDS_RELEASE})"
    yield Directive(follower, "Service", "Restart", "always", why)
    yield Directive(follower, "Service", "RestartSec", "1", why)
    yield Directive(follower, "Unit", "StartLimitIntervalSec", "0", why)


def _exclusion(main: str, item: t.Mapping[str, t.Any], where: str) -> t.Iterator[Directive]:
    for name in item.get("conflicts") or []:
        other = _unit_name(name, where)
        yield Directive(main, "Unit", "Conflicts", other, f"cannot run beside {other}")
        # Without an order, main would start while the other one is still stopping.
        yield Directive(main, "Unit", "After", other, f"starts when {other} has stopped")
    for name, values in (item.get("conditions") or {}).items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            yield Directive(main, "Unit", str(name), str(value), "starts only where this holds")


def _share_conditions(links: Links) -> None:
    """What is bound to a service that is not started has to be skipped too: its start would fail."""
    bound = [(directive.unit, directive.value) for directive in links.directives if directive.name == "BindsTo"]
    for directive in links.directives:  # which grows: what is bound to what is bound
        if directive.name.startswith("Condition"):
            for unit, main in bound:
                if main == directive.unit:
                    _add(links, directive._replace(unit=unit, why=f"starts only where {main} does"))


def _asked_for(main: str, follower: str, item: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if item.get("stop", "always") == "always" and item.get("order", "after") != "after":
        yield f"bindsto-without-after:{follower}"
    if item.get("stop", "always") == "always" and not item.get("start", True):
        yield f"dependent-stays-down:{follower}"
    if item.get("main_stops"):
        yield f"bindsto-without-after:{main}"


def _add(links: Links, directive: Directive) -> None:
    if directive[:4] not in [there[:4] for there in links.directives]:
        links.directives.append(directive)


def _refuse_circles(links: Links) -> None:
    """The order must have a beginning: systemd would leave out one service of a circle, by chance."""
    before: dict[str, set[str]] = {name: set() for name in links.services}
    for directive in links.directives:
        if directive.name == "After" and directive.value in before:
            before[directive.unit].add(directive.value)
        elif directive.name == "Before":
            before[directive.value].add(directive.unit)
    while True:
        free = [name for name, earlier in before.items() if not earlier & before.keys()]
        if not free:
            break
        for name in free:
            del before[name]
    if before:
        raise LinkError(f"{' and '.join(sorted(before))} are to start after each other")


def units(links: Links, name: str, state: str, options: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The items that module ``units`` takes: a drop-in ``50-NAME`` per service that has directives.

    :param state: ``started`` also starts the services and enables those that follow none; ``present`` only writes.
    :param options: service -> further options of its item: files, health and triggers.
    :raises LinkError: an option of a service that is not linked, or another one.
    """
    further = {_unit_name(unit, "options"): dict(more) for unit, more in options.items()}
    for unit, more in further.items():
        if unit not in links.services:
            raise LinkError(f"options: {unit} is none of the services")
        unknown = sorted(set(more) - set(_OPTIONS))
        if unknown:
            raise LinkError(f"options: {unit}: there are {', '.join(_OPTIONS)}, not {unknown[0]}")
    items = []
    for service in links.services:
        item: dict[str, t.Any] = {"name": service}
        sections = _sections([directive for directive in links.directives if directive.unit == service])
        if sections:
            item.update(dropin=f"50-{name}", sections=sections)
        if state == "started" and service not in links.unstarted:
            item["state"] = "started"
            if service not in links.followers:
                item["enabled"] = True
        item.update(further.get(service, {}))
        if len(item) > 1:
            items.append(item)
    return items


def _sections(directives: t.Iterable[Directive]) -> dict[str, dict[str, t.Any]]:
    sections: dict[str, dict[str, list[str]]] = {}
    for directive in directives:
        sections.setdefault(directive.section, {}).setdefault(directive.name, []).append(directive.value)
    return {
        section: {name: values if len(values) > 1 else values[0] for name, values in settings.items()}
        for section, settings in sorted(sections.items(), reverse=True)  # [Unit] first
    }

# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the options of a task into desired units."""

from __future__ import annotations

import math
import posixpath
import re
import typing as t

from .._engine.desired import DesiredUnit
from .._engine.probe_rules import probe_problem
from .._syntax.header import header, read_header
from .._syntax.lines import parse
from .._syntax.names import declared_unit_name, instance_name, is_template, unit_name_problem
from .._syntax.render import render, settings_from_mapping
from .._syntax.words import UnitSyntaxError
from .options import DeclarationError

_DROPIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,240}\Z")
Item = t.Mapping[str, t.Any]  # values of ``unit_options``


def desired_units(items: t.Sequence[Item], folder: str, set_name: str | None, listed: bool = True) -> list[DesiredUnit]:
    """The declared items as the plan takes them.

    :param folder: absolute path of the unit folder.
    :param listed: whether messages name the place in the list ``units``.
    :raises DeclarationError: with every mistake of every item.
    """
    desired: list[DesiredUnit] = []
    mistakes: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for position, item in enumerate(items):
        place = f"units[{position}]: " if listed else ""
        try:
            unit = _desired_unit(item, folder, set_name, position)
        except (DeclarationError, ValueError) as error:
            mistakes += [place + line for line in getattr(error, "messages", [str(error)])]
            continue
        first = seen.setdefault((unit.name, unit.dropin), position)
        if first != position:
            what = unit.name + (f" with dropin {unit.dropin}" if unit.dropin else "")
            mistakes.append(f"{what} is declared twice: units[{first}] and units[{position}]; join the two into one")
        desired.append(unit)
    if mistakes:
        raise DeclarationError(mistakes)
    return desired


def _desired_unit(item: Item, folder: str, set_name: str | None, position: int) -> DesiredUnit:
    try:
        name = declared_unit_name(item["name"])
    except ValueError as error:
        raise DeclarationError([f"name: {error}"]) from None
    mistakes = [*_contradictions(name, item), *_health_mistakes(name, item["health"] or {})]
    if mistakes:
        raise DeclarationError(mistakes)
    dropin = dropin_name(name, item["dropin"])
    return DesiredUnit(
        name=name,
        path=posixpath.join(folder, f"{name}.d/{dropin}.conf" if dropin else name),
        dropin=dropin,
        text=_text(name, item, set_name),
        by_meaning=item["content"] is None,
        state=item["state"],
        enabled=item["enabled"],
        masked=item["masked"],
        instances=_instances(name, item["instances"] or ()),
        on_change=item["on_change"],
        triggers=_triggers(name, item["triggers"] or ()),
        health=item["health"],
        position=position,
        swap=item["swap"],
    )


def dropin_name(unit: str, given: str | None) -> str:
    """The drop-in's name without ``.conf``; empty for none.

    :raises DeclarationError: for what cannot be a file name of a drop-in.
    """
    if given is None:
        return ""
    name = given[: -len(".conf")] if given.endswith(".conf") else given
    if not _DROPIN_NAME.match(name):
        raise DeclarationError(
            [
                f"dropin: {given!r} of {unit} is not a name for a drop-in: write letters, digits and :_.@- without a"
                " folder, for example 10-limits"
            ]
        )
    return name


def _contradictions(name: str, item: Item) -> list[str]:
    mistakes = []
    has_text = item["sections"] is not None or item["content"] is not None
    if item["sections"] is not None and item["content"] is not None:
        mistakes.append(f"{name}: give sections or content, not both")
    if item["state"] == "absent":
        mistakes += _contradicts_absent(name, item, has_text)
    elif not has_text and (item["dropin"] is not None or not _says_more(item)):
        mistakes.append(f"{name}: neither sections nor content says what the file shall hold; give one of them")
    if item["content"] is not None:
        mistakes += _content_mistakes(name, item["content"])
    if item["sections"] is not None and not any(item["sections"].values()):
        mistakes.append(f"{name}: sections sets no directive, and systemd takes an empty unit file for a masked unit")
    if item["instances"] and not is_template(name):
        mistakes.append(f"{name}: instances is for templates; write the name with an @, as in worker@.service")
    mistakes += _swap_mistakes(name, item) if item["swap"] and item["state"] != "absent" else []
    return mistakes


def _swap_mistakes(name: str, item: Item) -> list[str]:
    swap, mistakes = item["swap"], []
    if len(set(item["instances"] or ())) != 2:
        mistakes.append("needs two instances, of which one serves at a time, for example instances: [blue, green]")
    if item["dropin"] is not None:
        mistakes.append("belongs to the item of the template itself, not to a drop-in")
    if not (swap["link"] or swap["command"]):
        mistakes.append("give link or command, or both: something has to send the requests to the new instance")
    if swap["target"] is not None and "%i" not in swap["target"]:
        mistakes.append(f"target: {swap['target']} is the same for both instances; write %i for the instance")
    if not 0 <= swap["drain"] < math.inf:
        mistakes.append(f"drain: {swap['drain']} is not a time; write seconds, 0 or more")
    return [f"{name}: swap: {mistake}" for mistake in mistakes]


def _contradicts_absent(name: str, item: Item, has_text: bool) -> list[str]:
    mistakes = []
    if has_text:
        mistakes.append(f"{name}: state: absent takes no sections and no content; leave them out")
    if not item["dropin"] and (item["enabled"] or item["masked"]):
        option = "enabled" if item["enabled"] else "masked"
        mistakes.append(f"{name}: state: absent contradicts {option}: true; leave {option} out")
    return mistakes


def _says_more(item: Item) -> bool:
    """Whether an item without a text asks for something all the same."""
    options = ("enabled", "masked", "triggers", "health", "files", "release")
    return item["state"] != "present" or any(item[option] is not None for option in options)


def _content_mistakes(name: str, content: str) -> list[str]:
    if "\0" in content:
        return [f"{name}: content holds a NUL byte; a unit file is plain text: remove it"]
    if not content.strip():
        return [f"{name}: content is empty, and systemd takes an empty unit file for a masked unit; use masked: true"]
    if content.lstrip().startswith("{"):  # Ansible has made a text of it
        return [f"{name}: content is a mapping, and the file's whole text is wanted; give a mapping as sections"]
    try:
        parse(content, name=name)
    except UnitSyntaxError as error:
        return [f"{name}: content: {error}"]
    return []


def _health_mistakes(name: str, health: t.Mapping[str, t.Any]) -> list[str]:
    mistakes = []
    timeout, stable = health.get("timeout"), health.get("stable")
    if timeout is not None and not 0 < timeout < math.inf:
        mistakes.append(f"timeout: {timeout} is not a time; write seconds, more than 0")
    if stable is not None and not 0 <= stable < math.inf:
        mistakes.append(f"stable: {stable} is not a time; write seconds, 0 or more")
    problems = [probe_problem(probe) for probe in health.get("probes") or ()]
    mistakes += [f"probes[{number}]: {problem}" for number, problem in enumerate(problems) if problem]
    return [f"{name}: health: {mistake}" for mistake in mistakes]


def _text(name: str, item: Item, set_name: str | None) -> str | None:
    """The file's text. Our header stands on what we rendered, and on given text only where a set must own it."""
    if item["sections"] is not None:
        return render(settings_from_mapping(name, item["sections"]), header(set_name))
    if item["content"] is None:
        return None
    if not set_name or read_header(item["content"])[0]:
        return str(item["content"])
    return "\n".join(header(set_name)) + "\n\n" + str(item["content"])


def _instances(name: str, given: t.Sequence[str]) -> list[str]:
    for instance in given:
        problem = "it is empty" if not instance else unit_name_problem(instance_name(name, instance))
        if problem:
            raise DeclarationError(
                [f"instances: {instance!r} of {name}: {problem}; the filter unit_escape makes one of any text"]
            )
    return list(dict.fromkeys(given))


def _triggers(name: str, given: t.Sequence[t.Any]) -> list[tuple[str, bool]]:
    triggers = []
    for trigger in given:
        entry = trigger if isinstance(trigger, dict) else {"path": trigger}
        path = entry.get("path")
        if not isinstance(path, str) or not re.match(r"/[^\0]*\Z", path) or set(entry) - {"path", "reload", "changed"}:
            raise DeclarationError(
                [
                    f"triggers: {trigger!r} of {name}: write the absolute path of a file, or"
                    " {path: /etc/x, reload: true}"
                ]
            )
        for key in ("reload", "changed"):
            if not isinstance(entry.get(key, False), bool):
                raise DeclarationError([f"triggers: {key} of {path} for {name} must be true or false"])
        triggers.append((path, entry.get("reload", False)))
    return triggers


def announced_triggers(items: t.Iterable[Item]) -> dict[str, str]:
    """Triggers that an earlier task would have changed by now, which check mode cannot see.

    :returns: ``{path: a checksum that no file has}``
    """
    triggers = [trigger for item in items for trigger in item["triggers"] or () if isinstance(trigger, dict)]
    return {trigger["path"]: "to be changed" for trigger in triggers if trigger.get("changed")}

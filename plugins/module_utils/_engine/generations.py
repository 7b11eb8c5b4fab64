# SPDX-License-Identifier: GPL-3.0-or-later

"""Committed states of a set: each is kept on the host, so that ``rollback`` needs nothing from the controller."""

from __future__ import annotations

import contextlib
import json
import os
import time
import typing as t
import urllib.parse

from .store import Store

FORMAT = 1
Generation = dict[str, t.Any]


class Generations:
    """The generations of one set: ``NUMBER.json`` each, and ``current``, which names the one that the host is in.

    A generation is ``{format, number, follows, time, by, set, items, accounts, actions}``; ``follows`` is the number of
    the one that the host was in before it, and of the rest see ``committed.items_after`` and ``accounts_after``.
    """

    def __init__(self, store: Store, set_name: str) -> None:
        self.set_name = set_name
        name = urllib.parse.quote(set_name, safe="@:")
        name = name if name.strip(".") else name.replace(".", "%2E")  # ".." is a folder of its own too
        self.folder = os.path.join(store.path("generations"), name)

    def numbers(self) -> list[int]:
        """The numbers of those that are kept, the oldest first."""
        try:
            names = os.listdir(self.folder)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []
        return sorted(int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit())

    def current(self) -> int:
        """The number of the one that the host is in; 0 for none."""
        with contextlib.suppress(OSError, ValueError), open(os.path.join(self.folder, "current"), "rb") as stream:
            return int(stream.read(20))
        return 0

    def read(self, number: int) -> Generation:
        """One generation.

        :raises ValueError: when there is none of this number, or it cannot be read.
        """
        try:
            with open(self.path(number), "rb") as stream:
                found: Generation = json.loads(stream.read())
            if found["format"] != FORMAT or not isinstance(found["items"], list):
                raise ValueError(f"its format is {found['format']!r}")
        except FileNotFoundError:
            kept = ", ".join(map(str, self.numbers())) or "none"
            raise ValueError(f"set {self.set_name} has no generation {number} on this host; kept: {kept}") from None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ValueError(f"{self.path(number)} is not a generation of ours: {error}") from None
        return found

    def items(self) -> list[dict[str, t.Any]]:
        """The items of the current generation; none where there is none."""
        with contextlib.suppress(ValueError):
            return t.cast("list[dict[str, t.Any]]", self.read(self.current())["items"])
        return []

    def accounts(self) -> list[dict[str, t.Any]]:
        """The users and groups of the current generation, see ``accounts_after``."""
        with contextlib.suppress(ValueError):
            return list(self.read(self.current()).get("accounts", ()))
        return []

    def path(self, number: int) -> str:
        """The file of one generation."""
        return os.path.join(self.folder, f"{number}.json")


def generations_of_all(store: Store, but: str = "") -> list[Generations]:
    """Those of every set but one, by name; none for who may not look."""
    try:
        names = os.listdir(store.path("generations"))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [Generations(store, name) for name in sorted(map(urllib.parse.unquote, names)) if name != but]


def files_of_others(store: Store, set_name: str) -> dict[str, dict[str, t.Any]]:
    """The files of every other set by path, each as an item of a generation has it, with ``set`` and ``unit``."""
    return {
        file["path"]: {**file, "set": generations.set_name, "unit": item["name"]}
        for generations in generations_of_all(store, set_name)
        for item in generations.items()
        for file in item["files"]
        if file["kind"] != "missing"
    }


def describe_all(store: Store, is_asked: t.Callable[[str], bool]) -> dict[str, list[dict[str, t.Any]]]:
    """The generations of every set of this scope and user: ``{set: [{number, time, by, current, ...}]}``.

    :param is_asked: whether a unit is asked for; a set without such a unit is left out.
    """
    found = {}
    for generations in generations_of_all(store):
        current = generations.current()
        told = []
        for number in generations.numbers():
            with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):
                told.append(_described(generations.read(number), number == current))
        if any(is_asked(unit) for generation in told for unit in generation["units"]):
            found[generations.set_name] = told
    return found


def _described(generation: Generation, current: bool) -> dict[str, t.Any]:
    items = generation["items"]
    return {
        "number": generation["number"],
        "follows": generation.get("follows"),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(generation["time"])),
        "by": generation["by"],
        "current": current,
        "units": sorted({item["name"] for item in items}),
        "files": sorted(file["path"] for item in items for file in item["files"] if file["kind"] != "missing"),
        "actions": generation["actions"],
    }

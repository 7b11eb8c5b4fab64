# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks through a directed graph: what is reached from some units, and cycles."""

from __future__ import annotations

import typing as t


def spread(roots: t.Iterable[str], following: t.Callable[[str], t.Iterable[str]]) -> dict[str, str]:
    """The units that are reached from roots, at once or in turn, by the unit that each was first reached from.

    A root is among them when another unit leads to it.
    """
    found: dict[str, str] = {}
    queue = list(dict.fromkeys(roots))
    known = set(queue)
    for unit in queue:  # grows on the way
        for other in following(unit):
            if other != unit:
                found.setdefault(other, unit)
            if other not in known:
                known.add(other)
                queue.append(other)
    return found


def find_cycle(order: t.Mapping[str, t.Sequence[str]]) -> tuple[str, ...]:
    """One cycle of a directed graph, rotated so that its smallest name comes first; empty when there is none."""
    done: set[str] = set()
    for root in sorted(order):
        if root in done:
            continue
        path: list[str] = [root]
        on_path = {root: 0}
        stack = [iter(order[root])]
        while stack:
            following = next(stack[-1], None)
            if following is None:
                done.add(path[-1])
                del on_path[path.pop()]
                stack.pop()
            elif following in on_path:
                return _rotate(tuple(path[on_path[following] :]))
            elif following not in done and following in order:
                on_path[following] = len(path)
                path.append(following)
                stack.append(iter(order[following]))
    return ()


def _rotate(cycle: tuple[str, ...]) -> tuple[str, ...]:
    start_at = cycle.index(min(cycle))
    return cycle[start_at:] + cycle[:start_at]

# SPDX-License-Identifier: GPL-3.0-or-later

"""What follows a committed transaction, as data: another process may have to do it, once the controller confirms."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import time
import typing as t

from .accounts import Account, accounts_after
from .accounts import remove as remove_accounts
from .generations import FORMAT, Generations
from .host import Host
from .own_files import make_folder, replace_file
from .plan import Plan
from .store import Store

Closing = t.Mapping[str, t.Any]  # fit for JSON


def closing_of(plan: Plan, generation: t.Mapping[str, t.Any] | None, record: t.Mapping[str, t.Any] | None) -> Closing:
    """What is to be done after a plan.

    :param generation: ``{set, items, accounts, actions, keep}`` of a new one; ``accounts`` are those that the task
        declares. Or ``{set, current}``: a number to go to.
    :param record: the new one; None when it stays as it is.
    """
    steps = [step for step in plan.releases.values() if step.removed or step.has_leftovers]
    return {
        "generation": generation,
        "versions": [[step.release.path, list(step.removed), step.release.gone] for step in steps],
        "accounts": [account._asdict() for account in plan.accounts.removed],
        "record": record,
    }


def close(closing: Closing, store: Store, host: Host) -> list[str]:
    """Do it.

    :returns: what could not be done, in words.
    """
    problems = _keep_generation(closing["generation"], store, host)
    for path, versions, is_last in closing["versions"]:
        try:
            host.remove_versions(path, versions, is_last)
        except OSError as error:
            problems.append(
                f"release {path}: an old version cannot be removed ({error.strerror}); the next run tries again"
            )
    problems += remove_accounts([Account(**entry) for entry in closing["accounts"]], host.run)
    # Only now: a record of what was then undone would hide that a trigger's file has changed.
    return problems + write_record(closing["record"], store)


def _keep_generation(generation: t.Mapping[str, t.Any] | None, store: Store, host: Host) -> list[str]:
    if generation is None:
        return []
    generations = Generations(store, generation["set"])
    try:
        if "current" in generation:
            _point_to(generations, generation["current"])
        elif not generation["items"] or not generation["keep"]:
            _forget(generations)  # with the secrets of what is no more
        else:
            _keep_contents(generation["items"], host)
            accounts = accounts_after(generations.accounts(), generation["accounts"])
            contents = {name: generation[name] for name in ("items", "actions")}
            _add(generations, {**contents, "accounts": accounts}, generation["keep"])
    except OSError as error:
        told = (
            f"set {generations.set_name} still counts as in its old generation"
            if "current" in generation
            else f"this generation of set {generations.set_name} cannot be kept for a rollback"
        )
        return [f"everything was done, but {told}: {error.filename or 'a file'}: {error.strerror}"]
    return []


def left_of(generations: Generations, keep: int) -> list[int]:
    """The numbers of those that stay when one more is added: the latest ones, and the one that it follows."""
    current = generations.current()
    ranked = sorted(generations.numbers(), key=lambda number: (number == current, number), reverse=True)
    return ranked[: max(keep, 1) - 1]


def _add(generations: Generations, contents: t.Mapping[str, t.Any], keep: int) -> None:
    """Add a generation, which is the current one from now on, and remove those that are too many.

    :param contents: ``{items, accounts, actions}``.
    :raises OSError: when that is impossible.
    """
    numbers, left = generations.numbers(), left_of(generations, keep)
    number = max(numbers, default=0) + 1
    if not os.path.isdir(generations.folder):
        make_folder(generations.folder, 0o700)
    generation = {
        "format": FORMAT,
        "number": number,
        "follows": generations.current(),
        "time": int(time.time()),
        "by": _person(),
        "set": generations.set_name,
        **contents,
    }
    replace_file(generations.path(number), json.dumps(generation).encode("ascii"))
    _point_to(generations, number)
    for old in set(numbers).difference(left):
        with contextlib.suppress(OSError):
            os.unlink(generations.path(old))


def _forget(generations: Generations) -> None:
    """Remove all of them.

    :raises OSError: when that is impossible.
    """
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(generations.folder):
            os.unlink(os.path.join(generations.folder, name))
        os.rmdir(generations.folder)


def _point_to(generations: Generations, number: int) -> None:
    """Say which generation the host is in.

    :raises OSError: when that is impossible.
    """
    replace_file(os.path.join(generations.folder, "current"), str(number).encode("ascii"))


def _person() -> str:
    """Who runs us, before sudo."""
    with contextlib.suppress(KeyError):
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    return str(os.getuid())


def _keep_contents(items: t.Iterable[t.Mapping[str, t.Any]], host: Host) -> None:
    """Keep the contents of a generation, as they stand in their places.

    :raises OSError: when that is impossible.
    """
    contents = host.contents
    for file in (file for item in items for file in item["files"]):
        if file["kind"] == "file" and not contents.kept(file["digest"]):
            with host.open_place(file["path"]) as stream:
                contents.keep(file["digest"], file["size"], stream)
    contents.flush()


def write_record(record: t.Mapping[str, t.Any] | None, store: Store) -> list[str]:
    """Replace the record of what was deployed; returns in words that this was impossible."""
    try:
        if record is not None:
            store.write_record(record)
    except OSError as error:
        return [
            f"{store.folder}: the record of what was deployed cannot be written ({error.strerror}); the next run tries"
            " again. Until then drift and triggers are told by the old record"
        ]
    return []


def read_note(store: Store) -> str:
    """What the host did by itself, for the next run to tell; empty when there is nothing."""
    with contextlib.suppress(OSError), open(store.path("note.txt"), encoding="utf-8", errors="replace") as stream:
        return stream.read()
    return ""


def write_note(words: str, store: Store) -> None:
    """Leave a note to the next run; an empty one removes it. What cannot be written stands in the journal alone."""
    with contextlib.suppress(OSError):
        if words:
            replace_file(store.path("note.txt"), words.encode("utf-8", "replace"))
        else:
            os.unlink(store.path("note.txt"))

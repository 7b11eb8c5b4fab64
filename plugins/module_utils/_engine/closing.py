# SPDX-License-Identifier: GPL-3.0-or-later

"""What follows a committed transaction, as data: another process may have to do it, once the controller confirms."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .accounts import Account, accounts_after
from .accounts import remove as remove_accounts
from .generations import Generations
from .host import Host
from .own_files import replace_file
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
            generations.point_to(generation["current"])
        elif not generation["items"] or not generation["keep"]:
            generations.forget()  # with the secrets of what is no more
        else:
            _keep_contents(generation["items"], host)
            accounts = accounts_after(generations.accounts(), generation["accounts"])
            generations.add(generation["items"], accounts, generation["actions"], generation["keep"])
    except OSError as error:
        told = (
            f"set {generations.set_name} still counts as in its old generation"
            if "current" in generation
            else f"this generation of set {generations.set_name} cannot be kept for a rollback"
        )
        return [f"everything was done, but {told}: {error.filename or 'a file'}: {error.strerror}"]
    return []


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

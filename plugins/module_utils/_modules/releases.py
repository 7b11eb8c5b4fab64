# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the option ``release`` into a desired release, and into the link ``current`` among the files of its unit."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import time
import typing as t

from .._engine.closing import left_of
from .._engine.desired import DesiredFile, DesiredUnit
from .._engine.generations import Generations, generations_of_all
from .._engine.host import Host
from .._engine.places import own_place
from .._engine.release_plan import CURRENT, RELEASES, Release, shared_problem, version_problem
from .._engine.releases import digest_source
from .._engine.state import HostState
from .._engine.store import Store
from .._host.below import own_path
from .._host.tree import TreeError, check_shared
from .options import DeclarationError, Sent

_HOLDS = "hold the versions of a program"
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")
Item = t.Mapping[str, t.Any]  # values of ``unit_options``


def add_releases(
    desired: t.Sequence[DesiredUnit],
    items: t.Sequence[Item],
    sent: Sent,
    params: Item,
    host: Host,
    listed: bool,
    of_others: t.Container[str] = (),
) -> None:
    """Give the desired units the releases that their items declare. Several may declare the same one.

    :param sent: for each item what the controller says of its ``src``.
    :param params: values of ``set_options``.
    :param listed: whether messages name the place in the list ``units``.
    :param of_others: paths of the files of other sets.
    :raises DeclarationError: with every mistake.
    """
    mistakes: list[str] = []
    for unit, item in zip(desired, items):
        if item["release"]:
            found = (sent.releases[unit.position] if sent.releases else None) or {}
            try:
                if unit.removes:
                    unit.release = Release(_path(item["release"], host), "", gone=True)
                else:
                    unit.release = _release(item["release"], found, sent, params, host)
            except ValueError as error:
                mistakes.append(f"{_place(unit, listed)}: {error}")
    _add_links(desired, listed, of_others)
    mistakes = mistakes or list(_collisions(desired))
    if mistakes:
        raise DeclarationError(mistakes)


def _place(unit: DesiredUnit, listed: bool) -> str:
    return f"units[{unit.position}].release" if listed else "release"


def _add_links(desired: t.Sequence[DesiredUnit], listed: bool, of_others: t.Container[str]) -> None:
    """Give the units the links to their current versions. A release goes with the last unit that has it."""
    found = [(unit, unit.release) for unit in desired if unit.release]
    kept = [release.path for _unit, release in found if not release.gone]
    for unit, release in found:
        path = f"{release.path}/{CURRENT}"
        if release.gone and (release.path in kept or path in of_others):
            unit.release = None
            continue
        kind, target = ("missing", "") if release.gone else ("link", f"{RELEASES}/{release.name()}")
        unit.files.append(DesiredFile(_place(unit, listed), path, kind, target=target, of_release=True))


def versions_in_use(
    store: Store, desired: t.Iterable[DesiredUnit], own: Generations | None, keep: int, over: str = ""
) -> dict[str, tuple[set[str], set[str]]]:
    """The versions that generations on this host refer to, by the path of the release: now, and after this run.

    :param own: the generations to which this run adds one, so that no more than *keep* are left.
    :param over: name of the set whose generations go.
    """
    found = {f"{unit.release.path}/{CURRENT}": (set[str](), set[str]()) for unit in desired if unit.release}
    for generations in generations_of_all(store, over) if found else ():
        numbers = generations.numbers()
        is_own = own is not None and own.set_name == generations.set_name
        going = set(numbers).difference(left_of(generations, keep)) if is_own else ()
        for number in numbers:
            with contextlib.suppress(ValueError, LookupError, TypeError):
                for file in (file for item in generations.read(number)["items"] for file in item["files"]):
                    for versions in found.get(file["path"], ())[: 1 if number in going else 2]:
                        versions.add(posixpath.basename(file["target"]))
    return {posixpath.dirname(path): versions for path, versions in found.items()}


def keep_what_runs(state: HostState, desired: t.Iterable[DesiredUnit]) -> None:
    """Count as in use what a unit may run from: with ``on_change: none``, or while its job runs, it is not restarted.

    That is each version that was current after the unit was started.
    """
    boot = time.time() - time.monotonic()
    for unit in desired:
        path = unit.release.path if unit.release and not unit.release.gone else ""
        versions = state.releases.get(path)
        names = [unit.name, *state.instances.get(unit.name, ())] if versions else ()
        runs = [name for name in names if state.active(name) and state.value(name, "SubState") != "exited"]
        since = [boot + int(state.value(name, "InactiveExitTimestampMonotonic") or 0) / 1e6 for name in runs]
        if versions and since:
            for in_use in state.versions_in_use[path]:
                in_use.update(version for version, used in versions.used.items() if used >= min(since))


def _collisions(desired: t.Sequence[DesiredUnit]) -> t.Iterator[str]:
    releases = [
        (file.place, unit.release) for unit in desired for file in unit.files if unit.release and file.of_release
    ]
    for number, (place, release) in enumerate(releases):
        for other_place, other in releases[:number]:
            if other.path == release.path and other != release:
                yield f"{place}: {release.path} is declared by {other_place} already, with other options; say the same"
            if f"{release.path}/".startswith(f"{other.path}/{RELEASES}/"):
                yield f"{place}: {release.path} is within the versions of {other_place}"
        for file in (file for unit in desired for file in unit.files):
            ours = (f"{release.path}/{CURRENT}", f"{release.path}/{RELEASES}")
            is_within = file.path in ours or file.path.startswith(tuple(f"{path}/" for path in ours))
            is_above = file.kind != "directory" and f"{release.path}/".startswith(f"{file.path}/")
            is_above = is_above and not (release.gone or file.only_new or file.old_secrets)
            if (is_within or is_above) and not file.of_release:
                yield f"{file.place}: {file.path} belongs to {place}; a version never changes: put it elsewhere"


def _release(options: Item, found: Item, sent: Sent, params: Item, host: Host) -> Release:
    """One release, with the digest of its source.

    :param found: what the action plugin says of ``src``.
    :raises ValueError: with what is wrong with the option.
    """
    path = _path(options, host)
    for check in (_check_version, _check_prepare):
        check(options)
    problem = shared_problem(options["shared"] or {})
    if problem:
        raise ValueError(problem)
    _check_owner(options, params)
    source, digest = _source(options, found, sent, host)
    return Release(
        path=path,
        digest=digest,
        version=options["version"] or "",
        packed=bool(found.get("packed")),
        source=source,
        sent=bool(found) and bool(source),
        owner=options["owner"] or "",
        group=options["group"] or "",
        prepare=tuple(tuple(argv) for argv in options["prepare"] or ()),
        prepare_user=options["prepare_user"] or "",
        prepare_timeout=options["prepare_timeout"],
        shared=tuple(sorted((options["shared"] or {}).items())),
        keep=options["keep"],
    )


def _path(options: Item, host: Host) -> str:
    """The folder of a release on this host."""
    manager = host.manager
    path = own_place(options["path"], manager, _HOLDS)
    return own_place(posixpath.dirname(own_place(f"{path}/{CURRENT}", manager)), manager, _HOLDS)  # it may be a link


def _check_version(options: Item) -> None:
    problem = version_problem(options["version"]) if options["version"] is not None else ""
    if problem:
        raise ValueError(f"version: {problem}")
    if options["keep"] < 1:
        raise ValueError("keep: at least the running version is kept; write 1 or more")


def _check_prepare(options: Item) -> None:
    for number, argv in enumerate(options["prepare"] or ()):
        if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
            raise ValueError(
                f"prepare[{number}]: {argv!r} is not a list of a program and its arguments; write for example"
                " [python3, -m, venv, venv]"
            )
        if "\0" in "".join(argv):
            raise ValueError(f"prepare[{number}]: a word holds a NUL byte, which no argument of a program can hold")
    if options["prepare_timeout"] <= 0:
        raise ValueError("prepare_timeout: write the seconds that a command may take")


def _check_owner(options: Item, params: Item) -> None:
    """Check that whose files they are, and who prepares them, fits the scope."""
    given = [name for name in ("owner", "group", "prepare_user") if options[name]]
    if params["scope"] == "user" and given:
        raise ValueError(f"{given[0]}: with scope: user, everything belongs to the user; leave it out")
    if params["root"] and options["prepare"]:
        raise ValueError("prepare: nothing can be run in an image; prepare the program before you pack it")
    if params["root"] and (options["owner"] or options["group"]):
        raise ValueError("owner: the users of an image are not those of this host; leave owner and group out")


def _source(options: Item, found: Item, sent: Sent, host: Host) -> tuple[str, str]:
    """Where the source is on this host, if it is, and its digest.

    :raises ValueError: when it cannot be read, or is not what ``checksum`` says.
    """
    path = options["remote_src"]
    if path is None:
        digest = str(found.get("digest", ""))
        if not digest:
            raise ValueError("src: the action plugin of this module has to find it first; use remote_src, or a play")
        source = sent.archives.get(digest, "")
    else:
        if not path.startswith("/"):
            raise ValueError(f"remote_src: {path!r} is not an absolute path on the host")
        try:
            with host.manager.as_owner():
                source = own_path(path)
                digest = digest_source(source)
                if os.path.isdir(source):
                    check_shared(source, options["shared"] or {})
        except (TreeError, ValueError) as error:
            raise ValueError(f"remote_src: {path}: {error}") from None
        except OSError as error:
            raise ValueError(f"remote_src: {error.filename or path} cannot be read: {error.strerror}") from None
    is_folder = found.get("packed") or (path is not None and os.path.isdir(path))
    _check_checksum(options["checksum"], digest, is_folder)
    return source, digest


def _check_checksum(checksum: str | None, digest: str, is_folder: bool) -> None:
    if checksum is None:
        return
    given = _SHA256.match(checksum)
    if is_folder:
        raise ValueError("checksum: it is that of an archive, and the source is a folder; leave it out")
    if not given:
        raise ValueError(f"checksum: {checksum!r} is not sha256: and 64 digits from 0 to f")
    if given.group(1) != digest:
        raise ValueError(f"checksum: the archive has sha256:{digest}; copy it again, or correct the checksum")

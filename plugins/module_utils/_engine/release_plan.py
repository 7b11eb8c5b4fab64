# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of a program: what is declared, what stands on the host, and what leads from one to the other. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from .store import TransactionError

RELEASES, CURRENT = "releases", "current"
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~@-]{0,99}\Z")


class ReleaseError(TransactionError):
    """A version cannot be made, and nothing else was changed; the message names the release and says what to do."""


class Release(t.NamedTuple):
    """What is declared of a program.

    :ivar path: absolute; the folder of ``releases`` and ``current``.
    :ivar version: empty: from what it is made from.
    :ivar digest: SHA-256 of the archive, or ``TreeDigest`` of the folder.
    :ivar packed: whether the folder comes as a tar archive, which has the digest of the folder.
    :ivar source: archive or folder on this host; empty while the controller has not sent it.
    :ivar sent: whether the controller has sent it: it is read with our own rights.
    :ivar owner: name of the user to whom its files belong, and ``group``; empty: who runs us.
    :ivar prepare: commands that run in the new version before it is current, as ``prepare_user``.
    :ivar prepare_timeout: seconds for each command.
    :ivar shared: ``(name in the version, absolute path on the host)``, linked into it.
    :ivar keep: how many versions stay.
    :ivar gone: whether all of it goes.
    """

    path: str
    digest: str
    version: str = ""
    packed: bool = False
    source: str = ""
    sent: bool = False
    owner: str = ""
    group: str = ""
    prepare: tuple[tuple[str, ...], ...] = ()
    prepare_user: str = ""
    prepare_timeout: float = 900.0
    shared: tuple[tuple[str, str], ...] = ()
    keep: int = 5
    gone: bool = False

    def checksum(self) -> str:
        """SHA-256 of all that a version is made from."""
        recipe = [self.digest, self.owner, self.group, self.prepare, self.prepare_user, sorted(self.shared)]
        return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()

    def name(self) -> str:
        """The name of the version."""
        return self.version or self.checksum()[:12]


def version_problem(version: str) -> str:
    """Why a text cannot be the name of a version, or an empty text."""
    if _VERSION.match(version):
        return ""
    return (
        f"{version!r} is not a name for a version: write up to 100 letters, digits and ._+~@- that do not begin with a"
        " dot, for example 1.4.2"
    )


def shared_problem(shared: t.Mapping[t.Any, t.Any]) -> str:
    """Why paths of the host cannot be linked into any version, or an empty text.

    :param shared: ``{name in the version: path on the host}``, unchecked.
    """
    for name, target in shared.items():
        parts = str(name).split("/")
        if not isinstance(name, str) or {"", ".", ".."} & set(parts) or "\0" in name:
            return f"shared: {name!r} is not a name within the version; write for example uploads or var/log"
        if not isinstance(target, str) or not target.startswith("/") or "\0" in target:
            return f"shared: {target!r} of {name} is not an absolute path on the host"
        above = ("/".join(parts[:number]) for number in range(1, len(parts)))
        for outer in (outer for outer in above if outer in shared):
            return f"shared: {name} would lie below {outer}, which is a link; leave out one of the two"
    return ""


class Versions(t.NamedTuple):
    """What stands in the folder of a release.

    :ivar current: the version that runs; empty when there is none. It is not ``complete`` when somebody removed it.
    :ivar complete: ``{version: checksum of what it was made from}``, that which was used last first.
    :ivar used: ``{version: when it began or ceased to be current, in seconds since the epoch}``.
    :ivar unfinished: names of what a killed run left.
    :ivar foreign: names of what we did not make.
    """

    current: str = ""
    complete: t.Mapping[str, str] = {}
    unfinished: t.Collection[str] = ()
    foreign: t.Collection[str] = ()
    used: t.Mapping[str, float] = {}


class ReleaseStep(t.NamedTuple):
    """What has to be done for a release, besides the link ``current``.

    :ivar version: the version that shall be current; ``before`` the one that is, empty for none.
    :ivar is_new: whether it has to be made first.
    :ivar removed: ``{version: reason}``: what goes when everything else is done.
    :ivar has_leftovers: whether a killed run left something.
    """

    release: Release
    version: str
    before: str
    is_new: bool
    removed: t.Mapping[str, str]
    has_leftovers: bool

    def reason(self) -> str:
        """Why ``current`` changes."""
        if self.release.gone:
            return f"release {self.release.path}: state: absent"
        change = f"version {self.before} -> {self.version}" if self.before else f"version {self.version}, the first"
        if self.before == self.version:
            change = f"version {self.version} again, for it was removed"
        return f"release {self.release.path}: {change}"


def plan_release(
    release: Release,
    versions: Versions,
    in_use: t.Collection[str] = (),
    in_use_after: t.Collection[str] | None = None,
) -> ReleaseStep:
    """What leads from the versions on the host to the declared one. No I/O.

    :param in_use: versions that are kept for a rollback.
    :param in_use_after: the same once this version has a generation, for which the oldest one may go.
    :raises ReleaseError: when the version is there with another content.
    """
    if release.gone:
        return _plan_end(release, versions, in_use if in_use_after is None else in_use_after)
    name, path = release.name(), release.path
    there = versions.complete.get(name)
    if name in versions.foreign:
        raise ReleaseError(f"{path}/{RELEASES}/{name} was not made by a release; move it away, or give another version")
    if there is not None and there != release.checksum():
        raise ReleaseError(
            f"version {name} of {path} is on the host already, made from another source or with another owner, group,"
            " prepare, prepare_user or shared. A version never changes: give another version"
        )
    previous = versions.current if name != versions.current else _previous(versions)
    ranked = [version for version in dict.fromkeys([name, versions.current, previous, *versions.complete]) if version]
    if name != versions.current and in_use_after is not None:
        in_use = in_use_after
    protected = {name, versions.current, previous, *in_use}
    kept = f"{release.keep} version{'s are' if release.keep != 1 else ' is'} kept"
    removed = {
        version: f"release {path}: version {version}: {kept}"
        for version in ranked[release.keep :]
        if version not in protected
    }
    return ReleaseStep(release, name, versions.current, there is None, removed, bool(versions.unfinished))


def _plan_end(release: Release, versions: Versions, in_use: t.Collection[str]) -> ReleaseStep:
    removed = {
        version: f"release {release.path}: version {version}: state: absent"
        for version in versions.complete
        if version not in in_use
    }
    return ReleaseStep(release, "", versions.current, False, removed, bool(versions.unfinished))


def stay_problem(step: ReleaseStep, versions: Versions) -> str:
    """What stays of a release that goes, in words."""
    left = [version for version in versions.complete if step.release.gone and version not in step.removed]
    if not left:
        return ""
    return (
        f"release {step.release.path}: version {', '.join(left)} stays for the generations that refer to it, and no"
        f" run removes it"
    )


def _previous(versions: Versions) -> str:
    """The version that was used before the one that runs."""
    return next((version for version in versions.complete if version != versions.current), "")

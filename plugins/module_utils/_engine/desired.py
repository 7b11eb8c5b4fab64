# SPDX-License-Identifier: GPL-3.0-or-later

"""The declared items: what shall hold for a unit, and which declarations contradict each other. No I/O."""

from __future__ import annotations

import posixpath
import typing as t

from .._model import File
from .._syntax.header import read_header
from .._syntax.names import instance_name, is_template, template_of
from .._syntax.words import from_bytes

if t.TYPE_CHECKING:
    from .release_plan import Release


class PlanError(Exception):
    """The desired state cannot be reached; the message says which option to change."""


class DesiredFile(t.NamedTuple):
    """One file that a unit brings along."""

    place: str  # the option that declares it, for messages: units[2].files[0]
    path: str
    kind: str  # file, link, directory or missing
    digest: str = ""  # SHA-256 of a file's content
    size: int = 0  # of that content, in bytes
    target: str = ""  # of a link
    uid: int | None = None  # None: as it is, or that of the unit files
    gid: int | None = None
    mode: int | None = None
    on_change: str = "restart"  # restart, reload or none
    validate: tuple[str, ...] = ()  # a program and its arguments that accepts the new content
    secret: bool = False  # its content is never shown
    only_new: bool = False  # a folder that is there stays as it is; one that is removed has to be empty by then
    old_secrets: bool = False  # secrets that stand at the path or in this folder and are no longer declared go
    of_release: bool = False  # the link to the current version of a release
    left: bool = False  # no longer of this set, but of another one: it stays
    found: t.Mapping[str, t.Any] | None = None  # what stood there when a set took it over; see ``committed``


class DesiredUnit:
    """One declared item: a unit or one drop-in of it, with what shall hold for the unit.

    :ivar text: the file's whole text, or None when the item declares no file.
    :ivar by_meaning: compare with the present file by what systemd reads (``sections``), not byte for byte.
    :ivar on_change: ``auto``, ``restart``, ``reload`` or ``none``.
    :ivar triggers: list of ``(path, reload)``.
    :ivar release: the version of a program that it brings along; its link is among ``files``.
    :ivar position: place in the declared list, for messages.
    :ivar reason: why the state is wanted.
    :ivar swap: the option; of its two instances one serves at a time.
    :ivar pruned_of: the set that does not declare it any more.
    """

    def __init__(
        self,
        name: str,
        path: str,
        dropin: str = "",
        text: str | None = None,
        by_meaning: bool = True,
        state: str = "present",
        enabled: bool | None = None,
        masked: bool | None = None,
        instances: t.Sequence[str] = (),
        on_change: str = "auto",
        triggers: t.Sequence[tuple[str, bool]] = (),
        health: t.Mapping[str, t.Any] | None = None,
        position: int = 0,
        reason: str = "",
        files: t.Sequence[DesiredFile] = (),
        pruned_of: str = "",
        swap: t.Mapping[str, t.Any] | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.dropin = dropin
        self.text = text
        self.by_meaning = by_meaning
        self.state = state
        self.enabled = enabled
        self.masked = masked
        self.instances = list(instances)
        self.on_change = on_change
        self.triggers = list(triggers)
        self.health = health
        self.position = position
        self.reason = reason or f"state: {state}"
        self.files = list(files)
        self.pruned_of = pruned_of
        self.swap = swap
        self.release: Release | None = None

    @property
    def removes(self) -> bool:
        """Whether its file goes. Of a template with ``instances``, ``absent`` speaks of those instances alone."""
        return self.state == "absent" and (bool(self.dropin) or not self.instances)

    def instance_names(self) -> list[str]:
        """The units that the declared instances of a template are."""
        return [instance_name(self.name, instance) for instance in self.instances]


def by_unit(desired: t.Iterable[DesiredUnit]) -> dict[str, list[DesiredUnit]]:
    """The items by the unit they speak of, in the declared order."""
    groups: dict[str, list[DesiredUnit]] = {}
    for item in desired:
        groups.setdefault(item.name, []).append(item)
    return groups


class Declared:
    """The items by the units they speak of: an instance is spoken of by its own name, and by its template.

    :ivar groups: ``{unit: its items}``, in the declared order.
    """

    def __init__(self, desired: t.Iterable[DesiredUnit]) -> None:
        self.groups = by_unit(desired)

    def of_template(self, unit: str) -> list[DesiredUnit]:
        """The items of the template of an instance, whether they list the instance or not."""
        return self.groups.get(template_of(unit), [])

    def naming(self, unit: str) -> list[DesiredUnit]:
        """The items whose options ``state`` and ``enabled`` speak of a unit."""
        listing = [item for item in self.of_template(unit) if unit in item.instance_names()]
        return [*self.groups.get(unit, []), *listing]

    def value(self, unit: str, option: str, default: t.Any) -> t.Any:
        """What ``state`` or ``enabled`` is for a unit.

        :raises PlanError: when two items contradict each other.
        """
        return agreed(self.naming(unit), option, default, unit)

    def enabled(self, unit: str) -> bool | None:
        """Whether a unit shall be enabled; an instance that shall be absent shall not."""
        if any(item.state == "absent" and not item.removes for item in self.naming(unit)):
            return False
        return t.cast("bool | None", self.value(unit, "enabled", None))

    def units_of(self, name: str) -> list[str]:
        """The units that the items of a name speak of: the unit itself, or the listed instances of a template."""
        if not is_template(name):
            return [name]
        return list(dict.fromkeys(unit for item in self.groups.get(name, ()) for unit in item.instance_names()))


def agreed(items: t.Sequence[DesiredUnit], option: str, default: t.Any, unit: str = "") -> t.Any:
    """The one value that the items of a unit give for an option.

    :param unit: what the message calls it, if not by the name of the first item.

    :raises PlanError: when two items contradict each other.
    """
    given: dict[t.Any, int] = {}
    for item in items:
        value = getattr(item, option)
        if value != default and not (option == "state" and value == "absent" and item.dropin):
            given.setdefault(value, item.position)
    if len(given) > 1:
        (one, first), (two, second) = list(given.items())[:2]
        raise PlanError(
            f"{unit or items[0].name}: {option} is {str(one).lower()} in units[{first}] and {str(two).lower()} in"
            f" units[{second}]; say the same in both, or say it once"
        )
    return next(iter(given), default)


def why_pruned(set_name: str) -> str:
    """The reason of what goes because a set does not declare it any more."""
    return f"set {set_name} no longer declares it"


def to_prune(files: t.Mapping[str, File], folder: str, set_name: str) -> list[DesiredUnit]:
    """The items that remove the files of a set.

    :param files: the files in the unit folder that the set does not declare, by path.
    """
    found = []
    for path, file in sorted(files.items()):
        if not is_ours(file, set_name):
            continue
        parent, base = posixpath.split(path)
        dropin = base[: -len(".conf")] if parent != folder else ""
        name = posixpath.basename(parent)[: -len(".d")] if dropin else base
        reason = why_pruned(set_name)
        found.append(DesiredUnit(name, path, dropin, state="absent", reason=reason, pruned_of=set_name))
    return found


def is_ours(file: File, set_name: str | None = None) -> bool:
    """Whether a file carries our header, and if asked that of one set."""
    managed, name = read_header(from_bytes(file.data))
    return managed and (set_name is None or name == set_name)

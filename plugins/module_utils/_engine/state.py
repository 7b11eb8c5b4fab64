# SPDX-License-Identifier: GPL-3.0-or-later

"""The actual state of a host, as far as a plan asks for it. No I/O; ``read_state.py`` reads it."""

from __future__ import annotations

import posixpath
import typing as t

from .._model import RUNNING, File
from .._syntax.names import template_of
from .links import enabled_by

if t.TYPE_CHECKING:
    from .release_plan import Versions


class HostState:
    """The host as it was read.

    :ivar folder: the folder in which our unit files stand; ``uid`` and ``gid`` own them.
    :ivar files: ``{path: File}`` for every declared path, drop-in neighbour and effective fragment.
    :ivar links: ``{path below folder: target}``: every symlink in the folder and its .wants, .requires, .upholds.
    :ivar live: ``{unit: {property: value}}`` as ``systemctl show`` prints them, by every name of a unit.
    :ivar starts_pass_stops: whether what a start stops passes that on along PropagatesStopTo=, as before release 256.
    :ivar instances: ``{template: [names of its loaded instances]}``.
    :ivar trigger_sums: ``{path: checksum, empty when the file is missing}``.
    :ivar set_name: of the task, if any.
    :ivar own_unit: the unit of which this very run is a process; empty when there is none.
    :ivar deployed: ``{path: text}`` of the files as the last run left them, from our own record.
    :ivar seen_sums: ``{unit: {path: checksum}}`` of the last run that looked, from our own record.
    :ivar places: ``{path: File}`` for every path of the items' files.
    :ivar missing_folders: the parent folders of these that do not exist.
    :ivar releases: ``{path of a release: its versions}``.
    :ivar versions_in_use: ``{path of a release: versions that are kept for a rollback, now and after this run}``.
    :ivar below: ``{folder to be removed: {path in it: File}}``.
    :ivar mounts: ``{path: a mount point at it or below it}``.
    """

    def __init__(
        self,
        folder: str,
        files: dict[str, File] | None = None,
        links: dict[str, str] | None = None,
        live: dict[str, dict[str, str]] | None = None,
        instances: dict[str, list[str]] | None = None,
        trigger_sums: dict[str, str] | None = None,
        seen_sums: dict[str, dict[str, str]] | None = None,
        uid: int = 0,
        gid: int = 0,
    ) -> None:
        self.folder = folder
        self.files = files or {}
        self.links = links or {}
        self.live = live or {}
        self.instances = instances or {}
        self.trigger_sums = trigger_sums or {}
        self.seen_sums = seen_sums or {}
        self.own_unit = ""
        self.starts_pass_stops = True
        self.set_name = ""
        self.deployed: dict[str, str] = {}
        self.uid = uid
        self.gid = gid
        self.places: dict[str, File] = {}
        self.missing_folders: set[str] = set()
        self.below: dict[str, dict[str, File]] = {}
        self.mounts: dict[str, str] = {}
        self.releases: dict[str, Versions] = {}
        self.versions_in_use: dict[str, tuple[set[str], set[str]]] = {}
        self._links_by_unit: dict[str, set[str]] | None = None
        self._dropins_by_folder: tuple[int, dict[str, list[str]]] = (0, {})

    def links_of(self, *units: str) -> set[str]:
        """The links that enable one of the units."""
        if self._links_by_unit is None:
            self._links_by_unit = {}
            for link, target in self.links.items():
                if link == posixpath.basename(target):  # systemctl link: that alone enables nothing
                    continue
                for name in enabled_by(link, target):
                    self._links_by_unit.setdefault(name, set()).add(link)
        return set().union(*(self._links_by_unit.get(unit, ()) for unit in units))

    def enabled_instances(self, template: str) -> list[str]:
        """The instances of a template that links enable."""
        self.links_of()
        return sorted(name for name in self._links_by_unit or () if template_of(name) == template)

    def dropins_of(self, unit: str) -> list[str]:
        """Paths of the drop-ins in our folder for a unit; sorted once, because a set may have thousands."""
        if self._dropins_by_folder[0] != len(self.files):
            found: dict[str, list[str]] = {}
            for path in self.files:
                folder, inside, _name = path.rpartition(".d/")
                if inside and path.endswith(".conf"):
                    found.setdefault(folder, []).append(path)
            self._dropins_by_folder = (len(self.files), found)
        return self._dropins_by_folder[1].get(f"{self.folder}/{unit}", [])

    def value(self, unit: str, name: str) -> str:
        """One property of a unit; empty when it is not known."""
        return self.live.get(unit, {}).get(name, "")

    def knows(self, kind: str) -> bool:
        """Whether the host's systemd knows a kind of dependency: it then tells the property of each unit, if any."""
        newer = kind in ("Upholds", "PropagatesStopTo")  # 249
        return not (newer and self.live) or any(kind in properties for properties in self.live.values())

    def active(self, unit: str) -> bool:
        """Whether something of a unit runs."""
        return self.value(unit, "ActiveState") in RUNNING

    def keeps_descriptors(self, unit: str) -> bool:
        """Whether systemd keeps file descriptors for a unit."""
        return keeps_descriptors(self.live.get(unit, {}))

    def crash_looping(self, unit: str) -> bool:
        """Whether a unit waits to be restarted after a failure."""
        return self.value(unit, "ActiveState") == "activating" and is_failing(self.live[unit])


def keeps_descriptors(properties: t.Mapping[str, str]) -> bool:
    """Whether a service has something in its file descriptor store, which a restart keeps and a stop empties."""
    return properties.get("NFileDescriptorStore", "0") not in ("0", "")


def is_restarting(properties: t.Mapping[str, str]) -> bool:
    """Whether systemd waits to restart a service that ended (``auto-restart``, since 255 ``auto-restart-queued``)."""
    return properties.get("SubState", "").startswith("auto-restart")


def is_failing(properties: t.Mapping[str, str]) -> bool:
    """Whether it waits for that after a failure; with Restart=always, a program that ends well is restarted too."""
    return is_restarting(properties) and properties.get("Result", "") != "success"

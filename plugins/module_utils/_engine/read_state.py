# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads from a host what a plan asks for."""

from __future__ import annotations

import os
import typing as t

from .._graph.edges import (
    INSTALL,
    INSTALL_TIES,
    PASS_STOPS,
    PULL_PROPERTIES,
    STOP_PROPERTIES,
    TIES,
    declared,
    may_move,
)
from .._host.show import States
from .._host.systemd import SystemdError
from .._model import File, Unit
from .._syntax.names import instance_name, is_template, split_unit_name, template_of
from .._syntax.words import to_bytes
from .desired import DesiredUnit
from .file_plan import differs
from .host import Host
from .image import UNIT_FOLDERS
from .links import aliases, edges_of_link, enables, is_mask
from .places import entries_below, missing_parents, mount_points, read_place
from .sources import is_linked, read_settings
from .state import HostState
from .unit_plan import also_of

_MOST_BELOW = 10000  # files in a folder that is removed


def read_state(
    host: Host, desired: t.Sequence[DesiredUnit], seen_sums: dict[str, dict[str, str]] | None = None
) -> HostState:
    """Everything that ``make_plan`` asks about the host, with one question to the manager if nothing moves.

    :param seen_sums: of triggers, from our own record: ``{unit: {path: checksum}}``.
    :raises SystemdError: when the manager does not answer, or a trigger's file cannot be read.
    """
    return _Reading(host, desired, seen_sums).read()


class _Reading:
    def __init__(
        self, host: Host, desired: t.Sequence[DesiredUnit], seen_sums: dict[str, dict[str, str]] | None
    ) -> None:
        self.host = host
        self.folder = host.unit_folder
        self.desired = desired
        self.restarting: set[str] = set()  # what may be started anew although it runs
        owner = host.manager.account
        ids = (owner.pw_uid, owner.pw_gid) if owner else (0, 0)
        self.state = HostState(host.folder, seen_sums=seen_sums, uid=ids[0], gid=ids[1])

    def read(self) -> HostState:
        state = self.state
        state.own_unit = self.host.own_unit()
        asked = self._ask_live() if self.host.has_manager and self.host.manager_answers() else None
        with self.host.manager.as_owner():  # while the manager answers
            self._read_files()
            self._read_places()
            state.links = self.folder.list_links()
            triggers = {path for item in self.desired for path, _reload in item.triggers}
            state.trigger_sums = {path: self.folder.checksum(path) for path in triggers}
        if not self.host.has_manager:
            state.live = {item.name: self._offline_state(item.name) for item in self.desired}
        elif asked is not None:
            self._read_live(asked())
        self._read_other_sources()
        if asked is not None:
            self._read_also()
        return state

    def _read_files(self) -> None:
        """Read the declared files, and what stands beside them in our folder."""
        files, read = self.state.files, self.folder.read_file
        for item in self.desired:
            files[item.path] = read(item.path)
        for name in {item.name for item in self.desired}:
            for path in [f"{self.host.folder}/{name}", *self.folder.list_dropins(name)]:
                if path not in files:
                    files[path] = read(path)
        for item in self.desired:
            for path in _alias_paths(item, self.host.folder):
                files.setdefault(path, read(path))
            if item.masked is False:
                other = f"{self.host.manager.other_folder}/{item.name}"
                files[other] = read(other)

    def _read_places(self) -> None:
        """Read the places of the files that units bring along, and the versions of releases."""
        state = self.state
        releases = {item.release.path for item in self.desired if item.release}
        if releases:
            from .releases import read_versions  # as in Host

            state.releases = {path: read_versions(path) for path in releases}
        files = [file for item in self.desired for file in item.files]
        state.mounts = mount_points() if files else {}
        turned = {file.path for file in files if file.kind != "file"}  # a file there makes room
        for file in files:
            if file.path in state.places:
                continue
            try:
                found = read_place(file.path)
            except NotADirectoryError as error:
                if file.kind != "missing" and error.filename not in turned:
                    raise SystemdError(
                        f"{file.place}: {file.path}: {error.filename} is not a folder; move it away first"
                    ) from None
                found = File()
            state.places[file.path] = found
            versions = state.releases.get(os.path.dirname(file.path)) if file.of_release else None
            if versions and versions.current not in versions.complete:
                state.places[file.path] = found = File()  # it leads to nothing
            if found.kind == "missing" and file.kind != "missing":
                state.missing_folders.update(missing_parents(file.path))
            goes = file.kind == "missing" and file.path not in state.mounts  # what is mounted is not looked through
            if found.kind == "directory" and (goes or file.old_secrets):
                try:
                    inner = entries_below(file.path, _MOST_BELOW)
                except ValueError as error:
                    raise SystemdError(f"{file.place}: {error}") from None
                state.below[file.path] = {path: read_place(path) for path in inner}

    def _ask_live(self) -> t.Callable[[], States]:
        """Start to ask for the run state of the declared units."""
        names: list[str] = []
        for item in self.desired:
            if is_template(item.name):
                names += [instance_name(item.name, "*"), *item.instance_names()]
            else:
                names.append(item.name)
        return self.host.states.begin(names)

    def _read_live(self, live: States) -> None:
        """Take the state of the declared units; where something may move, ask for that of what hangs on them."""
        state = self.state
        state.live = live
        for item in self.desired:
            if item.masked is False and state.value(item.name, "LoadState") == "masked":
                # Of a masked unit the manager knows no fragment; enabling it takes the one below the mask.
                live[item.name] = {**live[item.name], "FragmentPath": self._fragment_below(item.name)}
        for template in {item.name for item in self.desired if is_template(item.name)}:
            loaded = sorted({s["Id"] for s in state.live.values() if template_of(s.get("Id", "")) == template})
            state.instances[template] = [unit for unit in loaded if state.value(unit, "LoadState") != "not-found"]
        moving = {item.name for item in self.desired if self._may_move(item)}
        asked = self._named_in_texts(moving) | self._linked_to(moving)
        self.restarting = {*moving, *(unit for name in moving for unit in state.instances.get(name, ()))}
        seen: set[str] = set()
        while moving:
            seen |= moving
            moving = {name for name in self._near(moving) | asked if may_move(name)} - seen
            asked = set()
            unknown = moving - set(state.live)  # a unit that is declared and does not move may lead to others
            state.live.update(self.host.show(sorted(unknown)) if unknown else {})
        if self._passes_stops():
            state.starts_pass_stops = self.host.manager.version() < 256

    def _passes_stops(self) -> bool:
        """Whether a unit names another one to which a stop is passed on, or will."""
        texts = [item.text for item in self.desired if item.text]
        return any(name in text for text in texts for name in PASS_STOPS) or any(
            properties.get(name) for properties in self.state.live.values() for name in PASS_STOPS
        )

    def _named_in_texts(self, moving: set[str]) -> set[str]:
        """The units that new texts tie themselves to, once they are enabled."""
        return {
            name
            for item in self.desired
            if item.name in moving and item.text and any(word in item.text for word in (*TIES, *INSTALL_TIES))
            for edge in declared(Unit(item.name, read_settings(item.name, to_bytes(item.text))), installed=True)
            for name in edge[1:3]
            if edge.kind != "After" and (edge.kind, edge.origin) != ("Wants", INSTALL)
        }

    def _linked_to(self, moving: set[str]) -> set[str]:
        """What links tie to units that systemd does not know yet: no property tells of it."""
        unknown = {name for name in moving if self.state.value(name, "LoadState") != "loaded"}
        edges = [edge for link in self.state.links for edge in edges_of_link(link)] if unknown else []
        return {edge.target for edge in edges if edge.source in unknown}

    def _may_move(self, item: DesiredUnit) -> bool:
        if item.state not in ("present", "started") or item.triggers:
            return True
        names = item.instance_names() if is_template(item.name) else [item.name]
        if item.state == "started" and not all(self.state.active(name) for name in names):
            return True
        if item.state == "started" and item.name.endswith(".socket"):
            return True
        if item.files and differs(self.state, item):
            return True
        before = self.state.files[item.path].data
        return item.text is not None and before != item.text.encode("utf-8", "surrogateescape")

    def _near(self, moving: set[str]) -> set[str]:
        """The units that hang on some, and the services of sockets."""
        units = {*moving, *(unit for name in moving for unit in self.state.instances.get(name, ()))}
        values = self.state.value
        stopped = {other for unit in units for key in STOP_PROPERTIES for other in values(unit, key).split()}
        self.restarting |= stopped
        near = {
            other
            for unit in units
            for key in (*self._pulling(unit), "UpheldBy", "Triggers", "TriggeredBy", "PropagatesReloadTo")
            for other in values(unit, key).split()
        }
        near |= stopped
        near.update(f"{name[: -len('.socket')]}.service" for name in moving if _is_plain_socket(name))
        return near

    def _pulling(self, unit: str) -> tuple[str, ...]:
        """Along what a unit starts others: one that runs starts nobody, unless it is started anew."""
        return PULL_PROPERTIES if unit in self.restarting or not self.state.active(unit) else ()

    def _read_other_sources(self) -> None:
        """Read the fragments and drop-ins that stand in other folders than ours."""
        for state in list(self.state.live.values()):
            for path in [state.get("FragmentPath", ""), *state.get("DropInPaths", "").split()]:
                if path and path not in self.state.files:
                    self.state.files[path] = self.folder.read_through(path)
        for path, file in list(self.state.files.items()):
            if is_linked(path, file) and file.target not in self.state.files:
                self.state.files[file.target] = self.folder.read_through(file.target)

    def _read_also(self) -> None:
        """Read the units that ``Also=`` enables and disables along with others."""
        known: set[str] = set()
        while True:
            texts = [file.data for path, file in self.state.files.items() if b"Also" in file.data]
            texts += [to_bytes(item.text) for item in self.desired if item.text and "Also" in item.text]
            names = {name for text in texts for name in also_of(read_settings("", text)) if not is_template(name)}
            if names <= known:
                return
            known |= names
            missing = sorted(names - set(self.state.live))
            self.state.live.update(self.host.show(missing) if missing else {})
            self._read_other_sources()

    def _places(self, name: str) -> dict[str, File]:
        """The files of a unit, in the order in which systemd looks for them."""
        found = {path: self.folder.look(path) for path in fragment_paths(self.host, name)}
        return {path: file for path, file in found.items() if file.kind != "missing"}

    def _fragment_below(self, name: str) -> str:
        """The fragment that a unit has below its masks; empty when there is none."""
        found = [path for path, file in self._places(name).items() if not is_mask(file)]
        template = template_of(name)
        return found[0] if found else self._fragment_below(template) if template else ""

    def _offline_state(self, name: str) -> dict[str, str]:
        """What can be said of a unit without a manager: where its file is, and whether links enable it."""
        for path, file in self._places(name).items():
            if is_mask(file):
                below = self._fragment_below(name)
                return {"Id": name, "LoadState": "masked", "UnitFileState": "masked", "FragmentPath": below}
            enabled = any(enables(link, target, (name,)) for link, target in self.state.links.items())
            file_state = "enabled" if enabled else "disabled"
            return {"Id": name, "LoadState": "loaded", "UnitFileState": file_state, "FragmentPath": path}
        return {"Id": name, "LoadState": "not-found"}


def fragment_paths(host: Host, name: str) -> list[str]:
    """Where the fragment of a unit may stand, in the order in which systemd looks for it."""
    kind = os.path.basename(host.folder)
    paths = [f"{host.folder}/{name}", *(f"{host.root}{folder}{kind}/{name}" for folder in UNIT_FOLDERS)]
    return list(dict.fromkeys(paths))


def _alias_paths(item: DesiredUnit, folder: str) -> list[str]:
    """Where the links of ``Alias=`` go."""
    if not item.text or "Alias" not in item.text:
        return []
    return [f"{folder}/{alias}" for alias in aliases(item.name, read_settings(item.name, to_bytes(item.text)))]


def _is_plain_socket(name: str) -> bool:
    return name.endswith(".socket") and split_unit_name(name).instance is None

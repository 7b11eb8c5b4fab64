# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host as the engine sees it: one systemd manager together with the unit files of its folder."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
import stat
import typing as t

from .._host.manager import Manager
from .._host.systemd import SystemdError
from .._model import File
from .._syntax.names import instance_name, is_template, split_unit_name
from .plan import (
    MASK_TARGET,
    STOP_FOLLOWERS,
    Now,
    Want,
    enables,
)

_UNIT_FILE = re.compile(r".\.(service|socket|timer|path|mount|automount|swap|target|slice)\Z")
_LINK_FOLDERS = (".wants", ".requires", ".upholds")


class Host(Manager):
    """A manager, and what a plan asks about its unit files."""

    # What a plan needs to know

    def read_now(self, wanted: t.Sequence[Want], seen_sums: dict[str, dict[str, str]] | None = None) -> Now:
        """Everything that ``make_plan`` asks about the host, with one question to the manager if nothing moves."""
        with self.as_owner():
            files = {want.path: self.read_file(want.path) for want in wanted}
            for name in {want.name for want in wanted}:
                files.update((path, self.read_file(path)) for path in self.list_dropins(name) if path not in files)
                own = f"{self.folder}/{name}"
                files.setdefault(own, self.read_file(own))
            for want in wanted:
                if want.masked is False:
                    other = f"{self.other_folder}/{want.name}"
                    files[other] = self.read_file(other)
            links = self.list_links()
        owner = self.account
        now = Now(self.folder, files, links, seen_sums=seen_sums, uid=owner.pw_uid if owner else 0)
        now.gid = owner.pw_gid if owner else 0
        now.trigger_sums = {
            path: self.checksum(path) for path in {path for want in wanted for path, _reload in want.triggers}
        }
        if self.has_manager:
            self._read_live(now, wanted)
        else:
            now.live = {want.name: self._offline_state(want.name, links) for want in wanted}
        self._read_other_sources(now)
        return now

    def _read_live(self, now: Now, wanted: t.Sequence[Want]) -> None:
        """Ask for the run state of the declared units, and where something may move, of those that hang on them."""
        if not self.manager_answers():
            return
        names: list[str] = []
        for want in wanted:
            if is_template(want.name):
                names.append(instance_name(want.name, "*"))
                names += want.instance_names()
            else:
                names.append(want.name)
        now.live = self.show(names)
        for template in {want.name for want in wanted if is_template(want.name)}:
            loaded = sorted({s["Id"] for s in now.live.values() if matches_template(s.get("Id", ""), template)})
            now.instances[template] = [unit for unit in loaded if now.live[unit].get("LoadState") != "not-found"]
        moving = {want.name for want in wanted if self._may_move(want, now)}
        while moving:
            near = {
                other
                for name, state in now.live.items()
                if name in moving or any(name in now.instances.get(template, ()) for template in moving)
                for key in (*STOP_FOLLOWERS, "Triggers")
                for other in state.get(key, "").split()
            }
            near.update(
                f"{name[: -len('.socket')]}.service"
                for name in moving
                if name.endswith(".socket") and split_unit_name(name).instance is None
            )
            unknown = sorted(near - set(now.live))
            if not unknown:
                return
            now.live.update(self.show(unknown))
            moving = set(unknown)

    @staticmethod
    def _may_move(want: Want, now: Now) -> bool:
        if want.state not in ("present", "started") or want.triggers:
            return True
        if want.state == "started" and want.name.endswith(".socket"):
            return True
        return want.text is not None and now.files[want.path].data != want.text.encode("utf-8", "surrogateescape")

    def _read_other_sources(self, now: Now) -> None:
        """Read the fragments and drop-ins that stand in other folders than ours."""
        paths = set()
        for state in now.live.values():
            paths.update([state.get("FragmentPath", ""), *state.get("DropInPaths", "").split()])
        for path in paths - {""}:
            if path not in now.files:
                now.files[path] = self.read_through(path)

    def _offline_state(self, name: str, links: t.Mapping[str, str]) -> dict[str, str]:
        """What can be said of a unit without a manager: where its file is, and whether links enable it."""
        kind = os.path.basename(self.folder)
        for folder in (
            "/etc/systemd/",
            "/run/systemd/",
            "/usr/local/lib/systemd/",
            "/usr/lib/systemd/",
            "/lib/systemd/",
        ):
            path = f"{self.root}{folder}{kind}/{name}"
            if os.path.lexists(path):
                if os.path.islink(path) and os.readlink(path) == MASK_TARGET:
                    return {"Id": name, "LoadState": "masked", "UnitFileState": "masked", "FragmentPath": ""}
                state = (
                    "enabled" if any(enables(link, target, (name,)) for link, target in links.items()) else "disabled"
                )
                return {"Id": name, "LoadState": "loaded", "UnitFileState": state, "FragmentPath": path}
        return {"Id": name, "LoadState": "not-found"}

    # Files

    def read_file(self, path: str) -> File:
        """What stands at a path, without following a link at its end. Files over 4 MiB count as ``other``."""
        try:
            info = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return File()
        mode = stat.S_IMODE(info.st_mode)
        if stat.S_ISLNK(info.st_mode):
            return File("link", b"", os.readlink(path), mode, info.st_uid, info.st_gid)
        if not stat.S_ISREG(info.st_mode) or info.st_size > 4 << 20:
            return File("other", b"", "", mode, info.st_uid, info.st_gid)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(handle, "rb") as stream:
            return File("file", stream.read(), "", mode, info.st_uid, info.st_gid)

    def read_through(self, path: str) -> File:
        """What stands at a path, links followed, as systemd reads a fragment or drop-in."""
        return self.read_file(os.path.realpath(path))

    def list_links(self) -> dict[str, str]:
        """Every symlink in the unit folder and its .wants, .requires and .upholds: ``{path below it: target}``."""
        links: dict[str, str] = {}
        for entry in _entries(self.folder):
            if entry.is_symlink():
                links[entry.name] = os.readlink(entry.path)
            elif entry.name.endswith(_LINK_FOLDERS) and entry.is_dir(follow_symlinks=False):
                for link in _entries(entry.path):
                    if link.is_symlink():
                        links[f"{entry.name}/{link.name}"] = os.readlink(link.path)
        return links

    def list_dropins(self, name: str) -> list[str]:
        """Paths of the drop-ins in our folder for a unit."""
        return sorted(e.path for e in _entries(f"{self.folder}/{name}.d") if e.name.endswith(".conf"))

    def list_unit_files(self) -> list[str]:
        """Paths of every unit file and drop-in in our folder that is a regular file."""
        paths = []
        for entry in _entries(self.folder):
            if entry.is_file(follow_symlinks=False) and _UNIT_FILE.search(entry.name):
                paths.append(entry.path)
            elif entry.name.endswith(".d") and entry.is_dir(follow_symlinks=False):
                paths += [
                    e.path
                    for e in _entries(entry.path)
                    if e.name.endswith(".conf") and e.is_file(follow_symlinks=False)
                ]
        return sorted(paths)

    def checksum(self, path: str) -> str:
        """SHA-256 of a file that a trigger names; empty when it is not there."""
        digest = hashlib.sha256()
        try:
            with open(self.root + path, "rb") as stream:
                for block in iter(lambda: stream.read(1 << 20), b""):
                    digest.update(block)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise SystemdError(f"triggers: {path} cannot be read: {error.strerror}") from None
        return digest.hexdigest()

    def folder_problem(self) -> str:
        """Why the unit folder cannot be used, or an empty text.

        A folder that is reached over a link could put our files anywhere, so only a real one is taken.
        """
        base = self.root or (self.account.pw_dir.rstrip("/") if self.account else "")
        path = base
        for part in self.folder[len(base) :].strip("/").split("/"):
            path = f"{path}/{part}"
            if os.path.islink(path):
                return f"{path} is a link to {os.readlink(path)}; unit files are never written through a link"
            if os.path.lexists(path) and not os.path.isdir(path):
                return f"{path} is not a folder"
        return ""

    def place_problem(self, paths: t.Iterable[str]) -> str:
        """Why files cannot be put at these paths, or an empty text. For the folder itself see ``folder_problem``."""
        for folder in sorted({os.path.dirname(path) for path in paths}):
            if os.path.islink(folder):
                return f"{folder} is a link to {os.readlink(folder)}; unit files are never written through a link: remove it"
            if os.path.lexists(folder) and not os.path.isdir(folder):
                return f"{folder} is not a folder; move it away"
            # For root too: the kernel says no for a file system that is mounted read-only.
            if os.path.isdir(folder) and not os.access(folder, os.W_OK, effective_ids=True):
                way_out = "" if self.root else ", or set runtime: true to work below /run"
                return f"{folder} cannot be written to; mount it writable{way_out}"
        return ""


def matches_template(unit: str, template: str) -> bool:
    """Whether a unit is an instance of ``name@.suffix``."""
    prefix, _at, suffix = template.partition("@")
    return fnmatch.fnmatchcase(unit, f"{glob.escape(prefix)}@?*{glob.escape(suffix)}")


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []

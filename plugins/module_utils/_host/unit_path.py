# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files make up a unit: fragment, aliases, masks and drop-ins, found as systemd finds them.

Works on a listing of the unit folders, so it needs no host. Rules: systemd.unit(5), "Unit File Load Path" and the
paragraphs on drop-ins, and what systemd 247 to 262 do in src/basic/unit-file.c and src/shared/dropin.c.
"""

from __future__ import annotations

import typing as t

from .._syntax.names import dropin_owners, is_template, parse_unit_name

# unit_type_may_alias() and unit_type_may_template() of systemd 247 to 262
_MAY_ALIAS = frozenset(("service", "socket", "target", "device", "timer", "path"))
_MAY_TEMPLATE = frozenset(("service", "socket", "target", "timer", "path"))
_MAX_ALIAS_HOPS = 8

FILE, LINK, FOLDER = "file", "link", "folder"


class Entry(t.NamedTuple):
    """One entry of a unit folder.

    :ivar target: for a link, where its text leads: absolute, without ``.`` and ``..``, not followed any further.
    :ivar empty: what is finally reached has no bytes or is ``/dev/null``.
    """

    kind: str  # FILE, LINK or FOLDER (also a link to a folder)
    target: str = ""
    empty: bool = False


class Found(t.NamedTuple):
    """The files of one unit."""

    id: str  # the name systemd calls it by; an alias leads to another one
    names: tuple[str, ...]  # id and all aliases, sorted
    fragment: str  # path; empty when no file defines it
    masked: bool
    dropins: tuple[str, ...]  # in the order systemd reads them


class UnitFiles:
    """The unit folders of one scope, seen as systemd sees them.

    :param search_path: folders, the most important first.
    :param listing: ``{folder: {name: Entry}}`` of these folders and of their ``*.d``, ``*.wants``, ... subfolders.
    :param resolved: ``{folder: real path}`` for those of them that are reached through symlinks.
    """

    def __init__(
        self,
        search_path: t.Sequence[str],
        listing: t.Mapping[str, t.Mapping[str, Entry]],
        resolved: t.Mapping[str, str] | None = None,
    ) -> None:
        self._search_path = list(search_path)
        self._listing = listing
        self._resolved = dict(resolved or {})
        self._inside = tuple(f"{p}/" for p in [*search_path, *(self._resolved.get(p, p) for p in search_path)])
        self._found: dict[str, Found] = {}
        self._ids = self._build_ids()
        self._aliases = self._build_aliases()

    def _build_ids(self) -> dict[str, str]:
        """``{name: absolute path, or the name it is an alias of}``; an entry of an earlier folder hides later ones."""
        ids: dict[str, str] = {}
        for folder in self._search_path:
            for name, entry in self._listing.get(folder, {}).items():
                if name in ids or entry.kind == FOLDER or parse_unit_name(name) is None:
                    continue
                target = f"{folder}/{name}"
                if entry.kind == LINK and entry.target.startswith(self._inside):
                    target = entry.target.rpartition("/")[2]
                    if not _may_be_alias(name, target):
                        continue
                ids[name] = target
        return ids

    def _build_aliases(self) -> dict[str, list[str]]:
        """``{name of the defining file: every name that leads there}``."""
        aliases: dict[str, list[str]] = {}
        for name in self._ids:
            path = self._path_of(name)
            if not path or self._entry(path).empty:
                continue
            main = path.rpartition("/")[2]
            parts = parse_unit_name(name)
            if is_template(main) and parts and parts.instance:
                continue  # an instance linked to its template is no alias of it
            aliases.setdefault(main, []).append(name)
        return aliases

    def _path_of(self, name: str) -> str:
        """Path of the file that defines this very name (a template is not looked for), or empty."""
        for _hop in range(_MAX_ALIAS_HOPS):
            target = self._ids.get(name, "")
            if not target or target.startswith("/"):
                return target
            name = target
        return ""

    def _entry(self, path: str) -> Entry:
        folder, _slash, name = path.rpartition("/")
        return self._listing.get(folder, {}).get(name, Entry(FILE))

    def names(self) -> list[str]:
        """Every name for which there is a file, template or alias, sorted."""
        return sorted(self._ids)

    def find(self, name: str) -> Found:
        """The files of the unit, template or instance of this name.

        :raises ValueError: when it is not a valid unit name.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> Found:
        parts = parse_unit_name(name)
        if parts is None:
            raise ValueError(f"{name!r} is not a valid unit name")
        fragment = self._path_of(name)
        if not fragment and parts.instance:
            fragment = self._path_of(str(parts._replace(instance="")))
        unit_id = _with_instance(fragment.rpartition("/")[2], parts.instance) if fragment else name
        names = self._all_names(name, fragment, parts.instance) | {name, unit_id}
        return Found(
            unit_id,
            tuple(sorted(names)),
            fragment,
            bool(fragment) and self._entry(fragment).empty,
            tuple(self._dropins(unit_id, sorted(names - {unit_id}))),
        )

    def _all_names(self, name: str, fragment: str, instance: str | None) -> set[str]:
        names: set[str] = set()
        main = fragment.rpartition("/")[2]
        for known in (name, main):
            for alias in self._aliases.get(known, ()):
                full = _with_instance(alias, instance)
                other = self._path_of(full) if full != alias else ""
                if not other or other.rpartition("/")[2] == main:
                    names.add(full)
        return names

    def _dropins(self, unit_id: str, aliases: t.Sequence[str]) -> list[str]:
        """Sorted by file name; of two of the same name the one in the more important folder is read."""
        chosen: dict[str, str] = {}
        parts = parse_unit_name(unit_id)
        for name in [unit_id, *aliases, parts.type if parts else ""]:
            owners = dropin_owners(name)
            for folder in self._search_path:
                for owner in owners:
                    place = f"{folder}/{owner}.d"
                    for conf in self._listing.get(place, ()):
                        if conf.endswith(".conf") and not conf.startswith("."):
                            # systemd names a drop-in by its real folder, a fragment by the folder it looked into
                            chosen.setdefault(conf, f"{self._resolved.get(place, place)}/{conf}")
        return [chosen[conf] for conf in sorted(chosen)]

    def linked_from(self, kind: str) -> dict[str, list[str]]:
        """``{unit: [units that its KIND folders name]}`` for kind ``wants``, ``requires`` or ``upholds``."""
        found: dict[str, list[str]] = {}
        suffix = "." + kind
        for folder in self._search_path:
            for owner, entry in self._listing.get(folder, {}).items():
                if entry.kind == FOLDER and owner.endswith(suffix):
                    names = self._listing.get(f"{folder}/{owner}", ())
                    known = found.setdefault(owner[: -len(suffix)], [])
                    known.extend(n for n in sorted(names) if parse_unit_name(n) and n not in known)
        return found


def _with_instance(name: str, instance: str | None) -> str:
    """A template's name with the instance filled in; any other name as it is."""
    parts = parse_unit_name(name)
    if parts is not None and parts.instance == "" and instance:
        return str(parts._replace(instance=instance))
    return name


def _may_be_alias(name: str, target: str) -> bool:
    """What systemd accepts as a symlink from one unit name to another; to itself is allowed and means nothing."""
    source, aim = parse_unit_name(name), parse_unit_name(target)
    if source is None or aim is None or name == target or source.type != aim.type:
        return False
    if source.type not in _MAY_ALIAS or (source.instance is not None and source.type not in _MAY_TEMPLATE):
        return False
    if source.instance and not aim.instance:
        return aim.instance == ""  # an instance may lead to a template, not to a plain unit
    return source.instance == aim.instance

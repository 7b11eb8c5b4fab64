# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that each unit consists of, and its settings, before a plan and after it. No I/O."""

from __future__ import annotations

import posixpath
import typing as t

from .._model import MISSING, Change, File, Setting
from .._syntax.diff import changed_settings
from .._syntax.lines import read_unit
from .._syntax.names import is_template, template_of
from .._syntax.words import UnitSyntaxError
from .state import HostState

Changed = list[tuple[str, str]]  # (section, directive)
_Paths = tuple[str, ...]


class Sources:
    """Fragments and drop-ins of units.

    :param changes: all file changes of the plan; none may be added later.
    """

    def __init__(self, changes: t.Sequence[Change], state: HostState) -> None:
        self._state = state
        self._after = {change.path: change.after for change in changes}
        self._units = {change.unit for change in changes}
        self._dropins: dict[str, list[str]] = {}
        for change in changes:
            folder, inside, _name = change.path.rpartition(".d/")
            if inside:
                self._dropins.setdefault(posixpath.basename(folder), []).append(change.path)
        self._settings: dict[tuple[bool, _Paths], list[Setting]] = {}
        self._differences: dict[tuple[_Paths, _Paths], Changed] = {}

    def settings(self, unit: str, after: bool) -> list[Setting]:
        """The settings as systemd merges them: the fragment, then the drop-ins by file name."""
        return self._read(unit, self._paths(unit, after), after)

    def changed(self, unit: str) -> Changed:
        """The directives whose value the plan changes for a unit; an instance has its template's too."""
        if self._units.isdisjoint((unit, template_of(unit))):
            return []
        paths = self._paths(unit, False), self._paths(unit, True)
        if paths not in self._differences:
            before, after = self._read(unit, paths[0], False), self._read(unit, paths[1], True)
            self._differences[paths] = changed_directives(before, after)
        return self._differences[paths]

    def fragment(self, unit: str, after: bool) -> str:
        """The path from which systemd loads a unit, below a mask too; empty when there is none, or none is known."""
        own = [f"{self._state.folder}/{name}" for name in (unit, template_of(unit)) if name]
        for path in own:
            file = self._file(path, after)
            if file.kind == "file":
                return path
            if is_linked(path, file) and self._file(file.target, after).kind == "file":
                return file.target
        for name in [unit, *self._loaded(unit)]:
            path = self._state.value(name, "FragmentPath")
            # Of an instance with a fragment of its own, the template is another file.
            if path and path not in own and not (name != unit and posixpath.basename(path) == name):
                return path
        return ""

    def _loaded(self, unit: str) -> list[str]:
        """The loaded instances of a template."""
        return self._state.instances.get(unit, []) if is_template(unit) else []

    def _file(self, path: str, after: bool) -> File:
        file = self._state.files.get(path, MISSING)
        return self._after.get(path, file) if after else file

    def _paths(self, unit: str, after: bool) -> _Paths:
        """The fragment and the drop-ins, in the order in which they are read.

        Of drop-ins with one name one counts: that of the instance before that of its template, ours before those in
        other folders.
        """
        state, loaded = self._state, self._loaded(unit)
        known = [path for name in [unit, *loaded] for path in state.value(name, "DropInPaths").split()]
        dropins = [path for path in known if posixpath.basename(posixpath.dirname(path))[: -len(".d")] not in loaded]
        for name in (template_of(unit), unit):
            if name:
                dropins += state.dropins_of(name)
                dropins += self._dropins.get(name, []) if after else []
        counting = {posixpath.basename(path): path for path in dropins if self._file(path, after).kind == "file"}
        return (self.fragment(unit, after), *(counting[name] for name in sorted(counting)))

    def _read(self, unit: str, paths: _Paths, after: bool) -> list[Setting]:
        """The settings in files; the instances of a template, which mostly share theirs, are read once."""
        if (after, paths) not in self._settings:
            self._settings[after, paths] = [
                setting
                for path in paths
                if self._file(path, after).kind == "file"
                for setting in read_settings(unit, self._file(path, after).data, path)
            ]
        return self._settings[after, paths]


def is_linked(path: str, file: File) -> bool:
    """Whether a unit file stands elsewhere, and is only linked to (``systemctl link``)."""
    return file.kind == "link" and posixpath.basename(file.target) == posixpath.basename(path)


def read_settings(unit: str, data: bytes, path: str = "") -> list[Setting]:
    """The settings in a text; of one that systemd cannot read at all, none."""
    try:
        return read_unit(unit, data, path).settings
    except UnitSyntaxError:
        return []


def changed_directives(before: t.Sequence[Setting], after: t.Sequence[Setting], dropin: bool = False) -> Changed:
    """The directives whose value differs.

    :param dropin: the settings are those of a drop-in alone, see ``effective``.
    """
    return [(section, directive) for section, directive, _old, _new in changed_settings(before, after, dropin)]

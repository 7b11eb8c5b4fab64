# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of ``unit_info``: what the unit folders hold, joined with what systemd says."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
import stat
import typing as t

from .._catalog import LAST_RELEASE
from .._engine.drift import DriftState, compare, compare_file
from .._engine.generations import describe_all, generations_of_all
from .._engine.store import Store
from .._graph.build import build
from .._graph.graph import Graph
from .._host.below import TO_READ
from .._host.manager import Manager
from .._host.properties import typed_property
from .._host.reader import Reader
from .._host.runtime import RuntimeInfo, dependencies_of
from .._host.systemd import SystemdError
from .._host.unit_path import Found, UnitFiles
from .._model import ERROR, WARNING, Finding, Setting, Unit
from .._syntax.lines import parse
from .._syntax.names import UNIT_TYPES, is_template, parse_unit_name, template_of
from .._syntax.words import UnitSyntaxError, from_bytes
from .._values.typed import TypedValues

ASPECTS = ("definition", "files", "state", "security", "dependencies", "journal", "drift", "generations")
_GLOB = re.compile(r"[*?\[]")
_BLOCK = 1 << 20  # bytes


class Question(t.NamedTuple):
    """What is asked for.

    :ivar names: unit names and globs, all with their suffix.
    :ivar what: of ASPECTS.
    :ivar journal_lines: for each unit.
    """

    names: tuple[str, ...]
    what: frozenset[str]
    journal_lines: int = 10


class Answer(t.NamedTuple):
    """What is returned.

    :ivar units: ``{name: description}`` as the module documents it.
    :ivar findings: what could not be read.
    :ivar generations: see ``describe_all``; None when they are not asked for.
    """

    units: dict[str, dict[str, t.Any]]
    findings: list[Finding]
    generations: dict[str, list[dict[str, t.Any]]] | None = None


def full_name(name: str) -> str:
    """A name or glob with its suffix; without one it means a service, as for systemctl.

    :raises ValueError: when it cannot be a unit name or a glob of unit names.
    """
    suffix = name.rpartition(".")[2]
    if suffix not in UNIT_TYPES and not _GLOB.search(suffix) and name != "*":
        name += ".service"
    if not re.match(r"[A-Za-z0-9:_.\\@*?\[\]!-]+\Z", name) or (
        not _GLOB.search(name) and parse_unit_name(name) is None
    ):
        raise ValueError(
            f"name: {name!r} is neither a unit name nor a glob of unit names, for example 'rot13.service' or 'worker@*'"
        )
    return name


def ask(systemd: Manager, question: Question) -> Answer:
    """Everything that is asked for, with at most three processes however many units there are.

    :raises SystemdError: when systemd does not answer at all.
    """
    reader = Reader(systemd)
    files = reader.unit_files()
    chosen = _choose(question.names, files)
    definitions = _Definitions(reader, files, _release(systemd))
    runtime = RuntimeInfo(systemd)
    runtime.ask_state(chosen, _globs(question.names), question.what)
    for name in chosen:  # read while systemd answers
        definitions.read(name, question.what)
    names = sorted({*chosen, *runtime.matching(_globs(question.names))})
    runtime.ask_rest(names, question.what, question.journal_lines)
    units = {name: _describe(name, question.what, files, definitions, runtime) for name in names}
    if "drift" in question.what:
        _add_drift(units, systemd, reader, files, runtime)
    generations = _generations(systemd, question.names) if "generations" in question.what else None
    return Answer(units, [*reader.findings, *definitions.findings, *runtime.findings], generations)


def _generations(systemd: Manager, names: t.Sequence[str]) -> dict[str, list[dict[str, t.Any]]]:
    store = Store(scope=systemd.scope, user=systemd.user)
    return describe_all(store, lambda unit: any(fnmatch.fnmatchcase(unit, name) for name in names))


def _describe(
    name: str, what: t.Container[str], files: UnitFiles, definitions: _Definitions, runtime: RuntimeInfo
) -> dict[str, t.Any]:
    unit: dict[str, t.Any] = {"name": name, **_kind(name, files, runtime.properties(name))}
    unit.update(definitions.read(name, what))
    if "state" in what:
        unit["state"] = runtime.state(name) or definitions.state(name)
    if "dependencies" in what:
        unit["dependencies"] = runtime.dependencies(name) or definitions.dependencies(name)
    if "security" in what:
        unit["security"] = runtime.security(name)
    if "journal" in what:
        unit.update(runtime.journal(name))
    return unit


def _add_drift(
    units: t.Mapping[str, dict[str, t.Any]],
    systemd: Manager,
    reader: Reader,
    files: UnitFiles,
    runtime: RuntimeInfo,
) -> None:
    """``drift`` of each unit: null when we did not deploy it."""
    records: dict[str, dict[str, t.Any]] = {}
    store = Store(scope=systemd.scope, user=systemd.user)
    for path, entry in {} if systemd.root else store.read_record().items():
        records.setdefault(entry["unit"], {})[path] = entry
    place = store.path("deployed.json")
    reader.findings += [
        Finding("unreadable-file", WARNING, "", text, "", place, source="read") for text in store.problems
    ]
    for name, unit in units.items():
        record = records.get(name)
        unit["drift"] = None
        if record is not None:
            dropins = [p for p in files.find(name).dropins if p.startswith(f"{systemd.folder}/{name}.d/")]
            texts = {path: reader.text(path) for path in {*record, *dropins}}
            unit["drift"] = compare(name, record, DriftState(texts, dropins, runtime.state(name) or {}))
    if not systemd.root:
        _add_file_drift(units, store)


def _add_file_drift(units: t.Mapping[str, dict[str, t.Any]], store: Store) -> None:
    """The drift of the files that units have brought along."""
    for item in [item for generations in generations_of_all(store) for item in generations.items()]:
        with contextlib.suppress(LookupError, TypeError):  # it is not as we wrote it
            if item["name"] in units and item["files"]:
                files = [file for file in item["files"] if file["kind"] != "missing"]
                found = [drift for file in files for drift in compare_file(file, _present(file))]
                unit = units[item["name"]]
                unit["drift"] = [*(unit["drift"] or ()), *found]


def _present(deployed: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What stands in the place of a file, see ``compare_file``."""
    path = deployed["path"]
    try:
        info = os.lstat(path)
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
        kind = kinds.get(stat.S_IFMT(info.st_mode), "special file")
        found = {"kind": kind, "mode": stat.S_IMODE(info.st_mode), "uid": info.st_uid, "gid": info.st_gid, "digest": ""}
        if kind == "link":
            found["target"] = os.readlink(path)
        if kind == "file" and info.st_size == deployed["size"]:
            digest = hashlib.sha256()
            # By now it may be a FIFO, or grow without end.
            with open(os.open(path, TO_READ), "rb") as stream:
                for _block in range(info.st_size // _BLOCK + 1):
                    digest.update(stream.read(_BLOCK))
            found["digest"] = digest.hexdigest()
        return found
    except OSError:
        return {"kind": "missing"}


def _release(systemd: Manager) -> int:
    """The release of systemd, told by its files; the latest when they do not tell."""
    try:
        return systemd.release_of_files()
    except SystemdError:
        return LAST_RELEASE


def _globs(names: t.Iterable[str]) -> list[str]:
    return [name for name in names if _GLOB.search(name)]


def _choose(names: t.Iterable[str], files: UnitFiles) -> list[str]:
    """The asked names, and for a glob every file that it matches."""
    chosen: dict[str, None] = {}
    known = files.names()
    for name in names:
        if _GLOB.search(name):
            chosen.update(dict.fromkeys(fnmatch.filter(known, name)))
        else:
            chosen[name] = None
    return list(chosen)


def _kind(name: str, files: UnitFiles, state: t.Mapping[str, t.Sequence[str]]) -> dict[str, t.Any]:
    """What sort of unit it is, and where it comes from."""
    parts = parse_unit_name(name)
    found = files.find(name)
    path = (state.get("FragmentPath") or [""])[-1] or found.fragment
    if "/transient/" in path or typed_property("Transient", state.get("Transient", ())):
        origin = "transient"
    elif "/generator" in path:
        origin = "generated"
    elif path.startswith("/run/"):
        origin = "runtime"
    elif path.startswith(("/usr/lib/", "/lib/")):
        origin = "vendor"
    else:
        origin = "administrator" if path else ""
    shape = "unit" if parts is None or parts.instance is None else "instance" if parts.instance else "template"
    return {
        "id": found.id,
        "aliases": [n for n in found.names if n != name],
        "shape": shape,
        "origin": origin,
        "masked": found.masked,
        "exists": bool(path) or state.get("LoadState", ["not-found"]) != ["not-found"],
    }


class _Definitions:
    """Reads and merges unit files; every file once, however many units share it."""

    def __init__(self, reader: Reader, files: UnitFiles, release: int) -> None:
        self._reader = reader
        self._files = files
        self._release = release
        self._parsed: dict[str, tuple[str, list[Setting]] | None] = {}
        self._done: dict[str, tuple[dict[str, t.Any] | None, list[dict[str, t.Any]]]] = {}
        self._links: set[str] | None = None
        self._graph: Graph | None = None
        self.findings: list[Finding] = []

    def read(self, name: str, what: t.Container[str]) -> dict[str, t.Any]:
        """``definition`` and ``files`` of a unit, those of the two that are asked for."""
        result: dict[str, t.Any] = {}
        if "definition" in what or "files" in what:
            if name not in self._done:
                found = self._files.find(name)
                self._done[name] = (self._definition(found), self._contents(found))
            if "definition" in what:
                result["definition"] = self._done[name][0]
            if "files" in what:
                result["files"] = self._done[name][1]
        return result

    def state(self, name: str) -> dict[str, t.Any] | None:
        """What the files alone tell of a template, or of any unit where no systemd runs."""
        found = self._files.find(name)
        if not found.fragment and not found.dropins:
            return None
        settings = self._settings(found)
        if found.masked:
            enabled = "masked"
        elif not any(s.section == "Install" and s.directive != "DefaultInstance" for s in settings):
            enabled = "static"
        else:
            enabled = "enabled" if self._linked(name) else "disabled"
        return {
            "load_state": "masked" if found.masked else "stub" if is_template(name) else "loaded",
            "unit_file_state": enabled,
            "fragment_path": found.fragment or None,
            "dropin_paths": list(found.dropins),
        }

    def _linked(self, name: str) -> bool:
        """Whether some unit pulls it in by a link, or for a template one of its instances."""
        if self._links is None:
            kinds = ("wants", "requires", "upholds")
            self._links = {n for kind in kinds for names in self._files.linked_from(kind).values() for n in names}
        if is_template(name):
            return any(template_of(other) == name for other in self._links)
        return name in self._links

    def dependencies(self, name: str) -> dict[str, t.Any] | None:
        """The dependencies that the files of all units tell of, for templates and where no systemd runs."""
        if not self._files.find(name).fragment:
            return None
        if self._graph is None:
            units = [Unit(n, self._settings(self._files.find(n))) for n in self._files.names()]
            self._graph = build(units)
        return dependencies_of(name, self._graph)

    def _definition(self, found: Found) -> dict[str, t.Any] | None:
        if not found.fragment and not found.dropins:
            return None
        return {
            "fragment": found.fragment or None,
            "dropins": list(found.dropins),
            "sections": definition_of(self._settings(found), self._release, found.id),
        }

    def _contents(self, found: Found) -> list[dict[str, t.Any]]:
        parsed = [(path, self._parse(path, found.id)) for path in _paths(found)]
        return [{"path": path, "content": text[0] if text else None} for path, text in parsed]

    def _settings(self, found: Found) -> list[Setting]:
        settings: list[Setting] = []
        for path in _paths(found):
            parsed = self._parse(path, found.id)
            settings += parsed[1] if parsed else []
        return settings

    def _parse(self, path: str, unit: str) -> tuple[str, list[Setting]] | None:
        if path not in self._parsed:
            self._parsed[path] = self._read(path, unit)
        return self._parsed[path]

    def _read(self, path: str, unit: str) -> tuple[str, list[Setting]] | None:
        content = self._reader.read(path)
        if content.data is None:
            if content.problem is not None:
                self.findings.append(content.problem._replace(unit=content.problem.unit or unit))
            return None
        text = from_bytes(content.data)
        shown = content.data.decode("utf-8", "replace")
        try:
            parsed = parse(text, path, unit)
        except UnitSyntaxError as error:
            hint = "save the file as UTF-8 text" if "UTF-8" in error.message else ""
            self.findings.append(
                Finding("syntax", ERROR, unit, f"{path}:{error.line}: {error.message}", hint, path, error.line)
            )
            return shown, []
        for line, message in parsed.problems:
            self.findings.append(Finding("syntax", WARNING, unit, f"{path}:{line}: {message}", "", path, line))
        return shown, parsed.settings


def _paths(found: Found) -> list[str]:
    return ([found.fragment] if found.fragment else []) + list(found.dropins)


def definition_of(
    settings: t.Iterable[Setting], release: int = LAST_RELEASE, unit_name: str = ""
) -> dict[str, dict[str, dict[str, t.Any]]]:
    """``{section: {directive: {value, set_by, overrode, ignored}}}``.

    The last three are lists of ``{text, path, line}``, in the order systemd reads them.
    """
    sections: dict[str, dict[str, dict[str, t.Any]]] = {}
    values = TypedValues(release, unit_name)
    for (section, directive), entry in values.effective(settings).items():
        sections.setdefault(section, {})[directive] = {
            "value": values.typed(entry),
            "set_by": [_place(setting) for setting in entry.settings],
            "overrode": [_place(setting) for setting in entry.overrode],
            "ignored": [_place(setting) for setting in entry.ignored],
        }
    return sections


def _place(setting: Setting) -> dict[str, t.Any]:
    return {"text": setting.value, "path": setting.path, "line": setting.line}

# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers the questions of lint on the host: one pass over its unit folders, accounts and files, no unit is loaded."""

from __future__ import annotations

import fnmatch
import glob
import grp
import os
import platform
import posixpath
import pwd
import re
import stat
import typing as t

from .._graph.edges import declared
from .._lint.core import HostFacts, PathFact, Questions
from .._lint.host import is_executable
from .._lint.values import looks_secret
from .._model import Change, File
from .._syntax.lines import read_unit
from .._syntax.names import is_template, parse_unit_name
from .._syntax.words import UnitSyntaxError, from_bytes
from .manager import Manager
from .reader import Reader
from .regular import read_regular
from .show import StateReader
from .systemd import SystemdError
from .unit_path import UnitFiles

_PROGRAM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_MAX_UNITS = 500  # of the host that are followed for ordering cycles
_MAX_ENVIRONMENT_FILE = 1 << 20  # bytes
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)")
# names of uname(2) and those of ConditionArchitecture=
_ARCHITECTURES = {
    "x86_64": "x86-64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i686": "x86",
    "i386": "x86",
    "ppc64le": "ppc64-le",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "loongarch64": "loongarch64",
}


def host_facts(
    systemd: Manager,
    questions: Questions,
    live: t.Mapping[str, t.Mapping[str, str]] | None = None,
    changing: t.Collection[str] = (),
) -> HostFacts:
    """The facts of the host or image that ``systemd`` stands for. What cannot be read counts as unknown.

    :param live: what ``StateReader.show`` said of units already, so that they are not asked about again.
    :param changing: paths of unit files: a drop-in among them is not read, for it is about to be another one.
    """
    collector = FactCollector(systemd, live or {}, changing)
    return HostFacts(
        users=collector.accounts(questions.users, "passwd"),
        groups=collector.accounts(questions.groups, "group"),
        paths={path: fact for path in questions.paths for fact in [collector.path(path)] if fact is not None},
        programs={name: collector.has_program(name) for name in questions.programs},
        environment_files={pattern: collector.environment_files(pattern) for pattern in questions.environment_files},
        units=collector.units(questions.units),
        architecture=collector.architecture() if "architecture" in questions.machine else "",
        virtualization=collector.virtualization() if "virtualization" in questions.machine else "",
    )


def facts_after(facts: HostFacts, changes: t.Sequence[Change], root: str = "") -> HostFacts:
    """The facts as they will be once these files have changed; what a new link leads to is unknown."""
    if not changes:
        return facts
    after = {change.path[len(root) :]: _fact_of(change.after) for change in changes}
    paths = {path: after.get(_real(path, root), fact) for path, fact in facts.paths.items()}
    files = {
        pattern: [
            *((path, fact) for path, fact in found if _real(path, root) not in after),
            *(
                (path, fact or PathFact("other"))
                for path, fact in after.items()
                if (fact is None or fact.kind == "file") and fnmatch.fnmatchcase(path, _real(pattern, root))
            ),
        ]
        for pattern, found in facts.environment_files.items()
    }
    folders = {path: posixpath.split(path) for path, fact in after.items() if fact is None or is_executable(fact)}
    brought = {name for folder, name in folders.values() if folder in _PROGRAM_FOLDERS}
    programs = {name: there or name in brought for name, there in facts.programs.items()}
    links = {path for path, fact in after.items() if fact is None}
    known = {path: fact for path, fact in paths.items() if fact is not None and links.isdisjoint(way_to(path, root))}
    return facts._replace(paths=known, environment_files=files, programs=programs)


def way_to(path: str, root: str = "") -> t.Iterator[str]:
    """A path and the folders above it, each as the paths of changes are; a link on the way is among them."""
    while path.strip("/"):
        yield _real(path, root)
        path = posixpath.dirname(path)


def _real(path: str, root: str) -> str:
    """A path with the links in its folders resolved, as the paths of changes are."""
    folder, name = posixpath.split(path)
    return posixpath.join(os.path.realpath(root + folder)[len(root) :], name)


def _fact_of(file: File) -> PathFact | None:
    if file.kind == "link":
        return None
    return PathFact(file.kind, file.mode, file.size)


class FactCollector:
    """Looks things up on one host, or below the root of an image.

    :param live: ``{unit: {property: value}}`` that is known already.
    """

    def __init__(
        self, systemd: Manager, live: t.Mapping[str, t.Mapping[str, str]], changing: t.Collection[str]
    ) -> None:
        self._systemd = systemd
        self._live = live
        self._changing = changing
        self._reader = Reader(systemd)

    def _below(self, path: str) -> str:
        return self._systemd.root + self._reader.real(path)

    def accounts(self, names: t.Sequence[str], database: str) -> dict[str, bool]:
        """``{name: is there}`` of users (``passwd``) or groups (``group``); systemd takes any number."""
        asked = [name for name in names if not name.isdigit()]
        found = {name: True for name in names if name.isdigit()}
        if self._systemd.root:
            known = self._reader.accounts(database)
            return {**found, **{name: name in known for name in asked}} if known else found
        for name in asked:
            try:
                # the name service knows more than the files: LDAP, systemd-userdb
                found[name] = bool(pwd.getpwnam(name) if database == "passwd" else grp.getgrnam(name))
            except KeyError:
                found[name] = False
        return found

    def path(self, path: str) -> PathFact | None:
        """What is at a path; None when that cannot be told."""
        try:
            info = os.stat(self._below(path))
        except (FileNotFoundError, NotADirectoryError):
            return PathFact("missing")
        except OSError:
            return None
        kind = "file" if stat.S_ISREG(info.st_mode) else "directory" if stat.S_ISDIR(info.st_mode) else "other"
        return PathFact(kind, stat.S_IMODE(info.st_mode), info.st_size)

    def has_program(self, name: str) -> bool:
        """Whether a program is in one of the folders that systemd looks into."""
        facts = [self.path(f"{folder}/{name}") for folder in _PROGRAM_FOLDERS]
        return any(fact is None or is_executable(fact) for fact in facts)

    def environment_files(self, pattern: str) -> list[tuple[str, PathFact]]:
        """The files that EnvironmentFile= with this path or glob reads, with the secrets that they name."""
        root = self._systemd.root
        paths = [pattern]
        if glob.has_magic(pattern):
            paths = [path[len(root) :] for path in sorted(glob.glob(glob.escape(root) + pattern))]
        found = []
        for path in paths:
            fact = self.path(path)
            if fact is None or fact.kind != "missing":
                found.append((path, (fact or PathFact("other"))._replace(secrets=self._secrets(path, fact))))
        return found

    def _secrets(self, path: str, fact: PathFact | None) -> tuple[str, ...]:
        if fact is None or fact.kind != "file" or fact.size > _MAX_ENVIRONMENT_FILE or not fact.mode & 0o004:
            return ()  # what others cannot read need not be looked into
        try:
            text = read_regular(self._below(path), _MAX_ENVIRONMENT_FILE).decode("utf-8", "replace")
            matches = [_ASSIGNMENT.match(line) for line in text.split("\n")]
        except OSError:
            return ()
        pairs = [(match.group(1), match.group(2).strip().strip("\"'")) for match in matches if match]
        return tuple(name for name, value in pairs if looks_secret(name, value))

    def units(self, names: t.Sequence[str]) -> dict[str, str | None]:
        """Text of the units asked for and of those that they name in turn; None where there is no such unit."""
        files = self._reader.unit_files()
        texts: dict[str, str | None] = {}
        todo = [*names, *(other for name in names for other in self._live.get(name, {}).get("TriggeredBy", "").split())]
        while todo and len(texts) < _MAX_UNITS:
            name = todo.pop(0)
            if name in texts or parse_unit_name(name) is None:
                continue
            texts[name] = text = self._text(files, name)
            if text:
                todo += _named_in(name, text)
        if self._systemd.has_manager:
            self._ask_about_missing(texts)
        return texts

    def _text(self, files: UnitFiles, name: str) -> str | None:
        found = files.find(name)
        if found.masked:
            return ""  # it is there, and says nothing
        if not found.fragment:
            return None
        dropins = [path for path in found.dropins if path not in self._changing]
        contents = [self._reader.read(path).data or b"" for path in (found.fragment, *dropins)]
        return from_bytes(b"\n".join(contents))

    def _ask_about_missing(self, texts: dict[str, str | None]) -> None:
        # devices, mounts of /proc/self/mountinfo and what generators made are units without a file of their own; a
        # socket always has one, and lint asks for that of each service
        unread = [name for name, text in texts.items() if text is None and not name.endswith(".socket")]
        missing = [name for name in unread if not is_template(name)]
        shown = {name: dict(self._live[name]) for name in missing if name in self._live}
        try:
            shown.update(
                StateReader(self._systemd).show([name for name in missing if name not in shown], ("Id", "LoadState"))
            )
        except SystemdError:
            return
        for name, state in shown.items():
            if name in texts and state.get("LoadState") not in ("not-found", "", None):
                texts[name] = ""

    def architecture(self) -> str:
        """As ConditionArchitecture= names it; empty for an image."""
        return "" if self._systemd.root else _ARCHITECTURES.get(platform.machine(), "")

    def virtualization(self) -> str:
        """As systemd-detect-virt prints it; empty for an image."""
        if self._systemd.root:
            return ""
        try:
            return self._systemd.command(["systemd-detect-virt"]).out.strip()
        except SystemdError:
            return ""


def _named_in(name: str, text: str) -> list[str]:
    try:
        unit = read_unit(name, text)
    except UnitSyntaxError:
        return []
    kinds = ("After", "Requires", "BindsTo", "Requisite", "Wants", "Upholds")
    edges = [edge for edge in declared(unit, installed=False) if edge.kind in kinds]
    return [other for edge in edges for other in (edge.source, edge.target) if other != name]

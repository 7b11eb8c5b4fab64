# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rules ask of a host, and its answer. No behaviour."""

from __future__ import annotations

import typing as t


class Questions(t.NamedTuple):
    """What the rules want to know of the host, so that one query can answer it all. Every field is sorted."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()  # absolute paths
    programs: tuple[str, ...] = ()  # names without slash, looked for in systemd's search path
    environment_files: tuple[str, ...] = ()  # absolute paths or globs
    units: tuple[str, ...] = ()  # the answer also has those that they name in turn, for cycles through the host
    machine: tuple[str, ...] = ()  # of "architecture" and "virtualization"


class PathFact(t.NamedTuple):
    """What the host says about one path; symbolic links are followed."""

    kind: str  # "missing", "file", "directory" or "other"
    mode: int = 0  # permission bits
    size: int = 0  # bytes
    secrets: tuple[str, ...] = ()  # names of variables in an environment file that look like secrets and have a value


class HostFacts(t.NamedTuple):
    """The answers to Questions. What was not asked counts as unknown, never as missing."""

    users: t.Mapping[str, bool] = {}  # name or uid -> True when the host has that user
    groups: t.Mapping[str, bool] = {}  # the same of groups
    paths: t.Mapping[str, PathFact] = {}
    programs: t.Mapping[str, bool] = {}  # name -> True when it is in systemd's search path
    environment_files: t.Mapping[str, t.Sequence[tuple[str, PathFact]]] = {}  # path or glob -> what it stands for
    units: t.Mapping[str, str | None] = {}  # name -> text as systemd loads it, drop-ins too; None: no such unit
    architecture: str = ""  # as ConditionArchitecture= names it, empty when unknown
    virtualization: str = ""  # as systemd-detect-virt prints it, empty when unknown

# SPDX-License-Identifier: GPL-3.0-or-later

"""Which dependencies one unit brings: those it writes, those its settings imply, and systemd's defaults.

Facts: systemd.unit(5), "Implicit Dependencies" and "Default Dependencies" of the man page of each unit type, and
systemd.exec(5) and systemd.resource-control(5) for those that any unit with processes has.
"""

from __future__ import annotations

import typing as t

from .._model import Unit
from .._syntax.effective import effective_settings, is_set, unit_names_in, value_of
from .._syntax.names import IN_UNIT_NAMES, expand_specifiers, is_template, split_unit_name, unit_escape, unit_type
from .._syntax.words import UnitSyntaxError, raw_words
from .._values.numbers import parse_bool

DECLARED = "declared"  # written in [Unit]
INSTALL = "install"  # written in [Install]: holds once the unit is enabled
IMPLICIT = "implicit"  # follows from another setting
DEFAULT = "default"  # DefaultDependencies=
# Units that systemd's defaults tie every other unit to.
DEFAULT_UNITS = frozenset(("sysinit.target", "basic.target", "shutdown.target", "umount.target", "-.mount"))


class Edge(t.NamedTuple):
    """``source`` has the directive ``kind`` naming ``target``; inverse directives are turned round."""

    kind: str
    source: str
    target: str
    origin: str = DECLARED


# directive of [Unit], which is a property as well: (kind, True when it is the inverse of that kind)
_DIRECTIVES = {
    "Requires": ("Requires", False),
    "Requisite": ("Requisite", False),
    "Wants": ("Wants", False),
    "BindsTo": ("BindsTo", False),
    "PartOf": ("PartOf", False),
    "Upholds": ("Upholds", False),
    "Conflicts": ("Conflicts", False),
    "After": ("After", False),
    "Before": ("After", True),
    "OnFailure": ("OnFailure", False),
    "OnSuccess": ("OnSuccess", False),
    "PropagatesReloadTo": ("PropagatesReloadTo", False),
    "ReloadPropagatedFrom": ("PropagatesReloadTo", True),
    "PropagatesStopTo": ("PropagatesStopTo", False),
    "StopPropagatedFrom": ("PropagatesStopTo", True),
    "JoinsNamespaceOf": ("JoinsNamespaceOf", False),
}
UNIT_DIRECTIVES = {
    **_DIRECTIVES,
    "RequiresOverridable": ("Requires", False),
    "RequisiteOverridable": ("Requisite", False),
    "BindTo": ("BindsTo", False),
}
# A stop travels from the unit that is named to the one that names it (systemd.unit(5)) ...
STOPPED_WITH = ("BindsTo", "Requires", "Requisite", "PartOf")
# ... and along this one from the unit that names to the one that is named.
STOPS = "PropagatesStopTo"
STOP_DIRECTIVES = tuple(name for name, (kind, _inverse) in UNIT_DIRECTIVES.items() if kind in (*STOPPED_WITH, STOPS))
INSTALL_DIRECTIVES = {"WantedBy": "Wants", "RequiredBy": "Requires", "UpheldBy": "Upholds"}

# Unit types with processes.
EXEC_SECTIONS = {"service": "Service", "socket": "Socket", "mount": "Mount", "swap": "Swap"}
STATE_DIRECTORIES = {
    "RuntimeDirectory": "/run",
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "ConfigurationDirectory": "/etc",
}
_NETWORK_FILE_SYSTEMS = frozenset((
    "afs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gfs", "gfs2", "lustre",
    "ncpfs", "ncp", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "sshfs", "9p",
))  # a table  # fmt: skip


def stop_passes(edge: Edge) -> tuple[str, str]:
    """``(stopped unit, unit that is stopped with it)``; both empty when a stop does not travel along the edge."""
    if edge.kind in STOPPED_WITH:
        return edge.target, edge.source
    return (edge.source, edge.target) if edge.kind == STOPS else ("", "")


# Properties of ``systemctl show`` as edges: kind, and whether the named unit is the source.
SHOW_PROPERTIES = {
    **_DIRECTIVES,
    "RequiredBy": ("Requires", True),
    "RequisiteOf": ("Requisite", True),
    "WantedBy": ("Wants", True),
    "BoundBy": ("BindsTo", True),
    "ConsistsOf": ("PartOf", True),
    "UpheldBy": ("Upholds", True),
    "ConflictedBy": ("Conflicts", True),
    "OnFailureOf": ("OnFailure", True),
    "OnSuccessOf": ("OnSuccess", True),
    "Triggers": ("Triggers", False),
    "TriggeredBy": ("Triggers", True),
}
# Properties that name the units that are stopped with a unit.
STOP_PROPERTIES = tuple(
    name
    for name, (kind, inverse) in SHOW_PROPERTIES.items()
    if stop_passes(Edge(kind, "other", "unit") if inverse else Edge(kind, "unit", "other")) == ("unit", "other")
)
# Properties that name what a start of the unit starts or stops, from either side.
PULL_PROPERTIES = ("Requires", "Requisite", "BindsTo", "Wants", "Upholds", "UpheldBy", "Conflicts", "ConflictedBy")
# Directives of [Unit] by which one unit moves another one.
TIES = frozenset(name for name, (kind, _inverse) in UNIT_DIRECTIVES.items() if kind != "After")
# Properties, and directives, by which a stop is passed on.
PASS_STOPS = tuple(name for name, (kind, _inverse) in SHOW_PROPERTIES.items() if kind == STOPS)
# Those of [Install] along which an enabled unit moves with one that runs.
INSTALL_TIES = ("RequiredBy", "UpheldBy")


def may_move(name: str) -> bool:
    """Whether a unit may move because of others: not those that every unit hangs on, and that always run."""
    return not (is_template(name) or name in DEFAULT_UNITS or name.endswith((".slice", ".device")))


def flag(unit: Unit, section: str, directive: str, default: bool) -> bool:
    """A boolean directive; ``default`` when it is unset or holds no boolean (systemd drops a bad value)."""
    for setting in reversed(unit.settings):
        if (setting.section, setting.directive) == (section, directive):
            try:
                return parse_bool(setting.value)
            except ValueError:
                continue
    return default


def edges_of(unit: Unit, mounts: t.Mapping[str, str], installed: bool = True) -> list[Edge]:
    """Every dependency that ``unit`` brings.

    :param mounts: mount point -> name of the mount unit, of the mount units that are known.
    :param installed: count ``[Install]`` as if the unit were enabled.
    """
    result = declared(unit, installed)
    implied = _Collector(unit, IMPLICIT)
    _by_type(implied, unit)
    kind = unit_type(unit.name)
    if kind in EXEC_SECTIONS and (kind != "socket" or any(s.directive.startswith("Exec") for s in unit.settings)):
        _by_processes(implied, unit, EXEC_SECTIONS[kind])
    _slice(implied, unit)
    _by_paths(implied, unit, mounts)
    result += implied.edges
    if flag(unit, "Unit", "DefaultDependencies", True):
        defaults = _Collector(unit, DEFAULT)
        _defaults(defaults, unit)
        result += defaults.edges
    return [edge for edge in result if edge.source != edge.target]


def declared(unit: Unit, installed: bool) -> list[Edge]:
    """The dependencies that the unit writes itself."""
    result = []
    for directive, (kind, inverse) in UNIT_DIRECTIVES.items():
        for other, _setting in unit_names_in(unit, "Unit", directive):
            pair = (other, unit.name) if inverse else (unit.name, other)
            result.append(Edge(kind, *pair, DECLARED))
    if installed:
        for directive, kind in INSTALL_DIRECTIVES.items():
            for other, _setting in unit_names_in(unit, "Install", directive):
                result.append(Edge(kind, other, unit.name, INSTALL))
    return result


class _Collector:
    """Gathers the edges of one unit under one origin."""

    def __init__(self, unit: Unit, origin: str) -> None:
        self.name = unit.name
        self.origin = origin
        self.edges: list[Edge] = []

    def add(self, kinds: str, *others: str) -> None:
        """Add an edge of each kind to each unit; ``Before`` is an ``After`` the other way round."""
        for other in others:
            for kind in kinds.split():
                if kind == "Before":
                    self.edges.append(Edge("After", other, self.name, self.origin))
                else:
                    self.edges.append(Edge(kind, self.name, other, self.origin))


def triggered(unit: Unit) -> str:
    """Name of the unit that a timer, path, socket or automount starts; empty for other types."""
    kind = unit_type(unit.name)
    stem = unit.name.rpartition(".")[0]
    if kind in ("timer", "path"):
        section = kind.capitalize()
        return expand_specifiers(value_of(unit, section, "Unit", "%N.service"), unit.name, IN_UNIT_NAMES)
    if kind == "socket":
        if flag(unit, "Socket", "Accept", False):
            return stem + "@.service"
        return expand_specifiers(value_of(unit, "Socket", "Service", "%N.service"), unit.name, IN_UNIT_NAMES)
    return stem + ".mount" if kind == "automount" else ""


def _by_type(found: _Collector, unit: Unit) -> None:
    kind = unit_type(unit.name)
    target = triggered(unit)
    if target:
        found.add("Triggers", target)
        if not is_template(target):
            found.add("Before", target)
    if kind == "service":
        service_type = value_of(unit, "Service", "Type")
        if service_type == "dbus" or (not service_type and value_of(unit, "Service", "BusName")):
            found.add("Requires After", "dbus.socket")
        for socket, _setting in unit_names_in(unit, "Service", "Sockets"):
            found.add("Wants", socket)
            found.edges.append(Edge("Triggers", socket, unit.name, IMPLICIT))
    elif kind == "socket" and value_of(unit, "Socket", "BindToDevice"):
        device = value_of(unit, "Socket", "BindToDevice")
        found.add("BindsTo After", *_device("/sys/subsystem/net/devices/" + device))
    elif kind in ("mount", "swap"):
        what = value_of(unit, kind.capitalize(), "What")
        if what.startswith("/dev/"):
            found.add("BindsTo After", *_device(what))
    elif kind == "slice" and unit.name != "-.slice":
        stem = unit.name[: -len(".slice")]
        found.add("Requires After", stem.rpartition("-")[0] + ".slice" if "-" in stem else "-.slice")


def _device(path: str) -> list[str]:
    try:
        return [unit_escape(path, path=True, suffix="device")]
    except UnitSyntaxError:  # no plain path: systemd drops the setting
        return []


def _by_processes(found: _Collector, unit: Unit, section: str) -> None:
    # systemd.exec(5): what a unit with processes needs before it can start one
    if is_set(unit, section, ("StateDirectory", "CacheDirectory", "LogsDirectory")):
        found.add("After", "systemd-remount-fs.service")
    if value_of(unit, section, "PrivateTmp") not in ("", "disconnected") and flag(unit, section, "PrivateTmp", True):
        found.add("Wants After", "tmp.mount")
        found.add("After", "systemd-tmpfiles-setup.service")
    namespace = value_of(unit, section, "LogNamespace")
    outputs = [value_of(unit, section, key) for key in ("StandardOutput", "StandardError")]
    if namespace:
        found.add(
            "Requires After",
            f"systemd-journald@{namespace}.socket",
            f"systemd-journald-varlink@{namespace}.socket",
        )
    elif not outputs[0] or any(output.startswith(("journal", "kmsg", "syslog")) for output in outputs):
        found.add("After", "systemd-journald.socket")
    if value_of(unit, section, "RootImage"):
        found.add("After", "systemd-udevd.service")


def _slice(found: _Collector, unit: Unit) -> None:
    section = EXEC_SECTIONS.get(unit_type(unit.name))
    if section is None:
        return
    prefix, instance, _suffix = split_unit_name(unit.name)
    # "-" means a level in the name of a slice, so the prefix, escaped already, is escaped once more
    default = "system.slice" if instance is None else f"system-{unit_escape(prefix)}.slice"
    found.add("Requires After", expand_specifiers(value_of(unit, section, "Slice", default), unit.name, IN_UNIT_NAMES))


_LISTENED = ("ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenSpecial")
_WATCHED = ("PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty")


def paths_needed(unit: Unit) -> list[tuple[str, str]]:
    """``(kind, path)`` of the paths whose file systems must be mounted first, ``kind`` Requires or Wants."""
    found = [("Requires", path) for path in (*_paths_of_processes(unit), *_paths_of_type(unit))]
    for directive, kind in (("RequiresMountsFor", "Requires"), ("WantsMountsFor", "Wants")):
        for setting in effective_settings(unit, "Unit", directive):
            found += [(kind, word) for word in raw_words(setting.value)]
    return [(kind, expand_specifiers(path, unit.name)) for kind, path in found if path.startswith("/")]


def _paths_of_processes(unit: Unit) -> t.Iterator[str]:
    section = EXEC_SECTIONS.get(unit_type(unit.name))
    if section is None:
        return
    for directive in ("WorkingDirectory", "RootDirectory", "RootImage"):
        yield value_of(unit, section, directive)
    for directive, base in STATE_DIRECTORIES.items():
        for setting in effective_settings(unit, section, directive):
            for word in raw_words(setting.value):
                yield f"{base}/{word.partition(':')[0]}"
    if flag(unit, section, "PrivateTmp", False):
        yield "/var/tmp"  # noqa: S108  what PrivateTmp= needs mounted


def _paths_of_type(unit: Unit) -> t.Iterator[str]:
    kind = unit_type(unit.name)
    section = kind.capitalize()
    for directive in {"socket": _LISTENED, "path": _WATCHED}.get(kind, ()):
        for setting in effective_settings(unit, section, directive):
            yield setting.value
    if kind == "timer" and flag(unit, "Timer", "Persistent", False):
        yield "/var/lib/systemd/timers"
    if kind in ("mount", "automount"):
        yield value_of(unit, section, "Where").rstrip("/").rpartition("/")[0] or "/"
        yield value_of(unit, section, "What")


def _by_paths(found: _Collector, unit: Unit, mounts: t.Mapping[str, str]) -> None:
    for need, path in paths_needed(unit):
        prefix = path.rstrip("/") or "/"
        while True:
            mount = mounts.get(prefix)
            if mount and mount != unit.name:
                found.add(need + " After", mount)
            if prefix == "/":
                break
            prefix = prefix.rpartition("/")[0] or "/"


def _defaults(found: _Collector, unit: Unit) -> None:
    # DefaultDependencies=yes, by unit type
    kind = unit_type(unit.name)
    if kind in ("service", "socket", "timer", "path"):
        found.add("Requires After", "sysinit.target")
    if kind == "service":
        found.add("After", "basic.target")
    elif kind in ("socket", "timer", "path"):
        found.add("Before", kind + "s.target")
    if kind == "timer" and effective_settings(unit, "Timer", "OnCalendar"):
        found.add("After", "time-sync.target", "time-set.target")
    if kind in ("service", "socket", "timer", "path", "target", "slice") and unit.name != "shutdown.target":
        found.add("Conflicts Before", "shutdown.target")
    if kind in ("mount", "automount", "swap"):
        found.add("Conflicts Before", "umount.target")
    if kind == "swap":
        found.add("Before", "swap.target")
    elif kind == "automount":
        found.add("After", "local-fs-pre.target")
        found.add("Before", "local-fs.target")
    elif kind == "mount":
        _mount_defaults(found, unit)


def _mount_defaults(found: _Collector, unit: Unit) -> None:
    file_system = value_of(unit, "Mount", "Type")
    options = value_of(unit, "Mount", "Options").split(",")
    if file_system in _NETWORK_FILE_SYSTEMS or "_netdev" in options:
        found.add("After", "remote-fs-pre.target", "network.target", "network-online.target")
        found.add("Wants", "network-online.target")
        if "nofail" not in options:
            found.add("Before", "remote-fs.target")
    else:
        found.add("After", "local-fs-pre.target")
        if "nofail" not in options:
            found.add("Before", "local-fs.target")
    if file_system == "tmpfs":
        found.add("After", "swap.target")


def spread(roots: t.Iterable[str], following: t.Callable[[str], t.Iterable[str]]) -> dict[str, str]:
    """The units that are reached from roots, at once or in turn, by the unit that each was first reached from.

    A root is among them when another unit leads to it.
    """
    found: dict[str, str] = {}
    queue = list(dict.fromkeys(roots))
    known = set(queue)
    place = 0
    while place < len(queue):
        unit = queue[place]
        place += 1
        for other in following(unit):
            if other != unit:
                found.setdefault(other, unit)
            if other not in known:
                known.add(other)
                queue.append(other)
    return found


def find_cycle(order: t.Mapping[str, t.Sequence[str]]) -> tuple[str, ...]:
    """One cycle of a directed graph, rotated so that its smallest name comes first; empty when there is none."""
    done: set[str] = set()
    for root in sorted(order):
        if root in done:
            continue
        path: list[str] = [root]
        on_path = {root: 0}
        stack = [iter(order[root])]
        while stack:
            following = next(stack[-1], None)
            if following is None:
                done.add(path[-1])
                del on_path[path.pop()]
                stack.pop()
            elif following in on_path:
                return _rotate(tuple(path[on_path[following] :]))
            elif following not in done and following in order:
                on_path[following] = len(path)
                path.append(following)
                stack.append(iter(order[following]))
    return ()


def _rotate(cycle: tuple[str, ...]) -> tuple[str, ...]:
    start_at = cycle.index(min(cycle))
    return cycle[start_at:] + cycle[:start_at]

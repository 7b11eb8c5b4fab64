# SPDX-License-Identifier: GPL-3.0-or-later

"""The small typed classes that the other files hand to each other. No behaviour."""

from __future__ import annotations

import typing as t


class Setting(t.NamedTuple):
    """One assignment as systemd reads it: continuation lines joined, blanks around the value removed."""

    section: str
    directive: str
    value: str
    line: int  # 1-based line of the file on which the assignment starts; 0 when it has no file yet
    path: str = ""  # file it stands in; empty when it has no file yet


class Unit:
    """One unit as systemd would load it: the settings of its fragment, then those of its drop-ins, in order.

    :ivar name: full unit name with suffix, for example ``rot13.service``.
    :ivar settings: list of Setting, in the order systemd reads them.
    :ivar dropin: name of the drop-in without ``.conf`` when this is the text of one drop-in alone, else empty.
    :ivar path: the file of the fragment (or of the drop-in); empty when it has none yet.
    :ivar problems: list of ``(line, message)``: lines that systemd does not take.
    :ivar is_mask: an empty file.
    :ivar index: the settings that count by section and directive, kept by ``effective`` for its own use.
    """

    __slots__ = ("dropin", "index", "is_mask", "name", "path", "problems", "settings")

    def __init__(
        self,
        name: str,
        settings: t.Sequence[Setting] = (),
        dropin: str = "",
        path: str = "",
        problems: t.Sequence[tuple[int, str]] = (),
        is_mask: bool = False,
    ) -> None:
        self.name = name
        self.settings = list(settings)
        self.dropin = dropin
        self.path = path
        self.problems = list(problems)
        self.is_mask = is_mask
        self.index: tuple[int, dict[tuple[str, str], list[Setting]]] | None = None


ERROR = "error"  # systemd refuses the unit or drops the setting
WARNING = "warning"  # it loads, and will surprise
INFO = "info"  # advice
SEVERITIES = (ERROR, WARNING, INFO)


class Finding(t.NamedTuple):
    """One thing that is wrong, or worth saying, about one place of one unit."""

    rule: str
    severity: str  # one of SEVERITIES
    unit: str
    message: str  # what is wrong
    hint: str = ""  # what to write instead
    path: str = ""
    line: int = 0
    section: str = ""
    directive: str = ""
    value: str = ""
    source: str = "systemd"  # it says so too; lint: our own rule; verify: systemd-analyze said it; read: nothing did


UNIT_MODE = 0o644  # of every unit file


class File(t.NamedTuple):
    """What stands at a path. A unit file has its bytes in ``data``; of any other file there is only their digest."""

    kind: str = "missing"  # missing, file, link, directory or other
    data: bytes = b""
    target: str = ""  # of a link
    mode: int = 0
    uid: int = 0
    gid: int = 0
    digest: str = ""  # SHA-256 of the content, in hexadecimal
    size: int = 0  # of that content, in bytes
    attributes: tuple[tuple[str, bytes], ...] = ()  # extended attributes by name, with ACLs and the SELinux label


MISSING = File()


class Change(t.NamedTuple):
    """One file that becomes another one: bytes, a link, a directory, or nothing."""

    unit: str
    path: str
    before: File
    after: File
    action: str  # write, remove, mask or unmask
    reason: str
    place: str = ""  # the option that declares it, units[2].files[0]; empty for a unit file
    secret: bool = False  # its content is never shown


class Failure(t.NamedTuple):
    """One unit that did not come up."""

    unit: str
    why: str  # in words
    result: str  # systemd's own word
    exit_status: str  # in words; empty when no process ended
    log: list[str]  # its journal lines since the transaction began


# The groups of ActiveState= that systemd itself forms (src/basic/unit-def.h: UNIT_IS_ACTIVE_OR_RELOADING,
# ..._ACTIVATING, UNIT_IS_INACTIVE_OR_DEACTIVATING, ..._FAILED). "maintenance" is in none of them.
UP = frozenset(("active", "reloading", "refreshing"))
UP_OR_STARTING = UP | {"activating"}
DOWN = frozenset(("inactive", "failed"))
DOWN_OR_STOPPING = DOWN | {"deactivating"}
RUNNING = UP_OR_STARTING | {"deactivating"}  # something of it may still run
MOVING = frozenset(("activating", "reloading", "refreshing", "deactivating"))  # from one state to another one
# The values of the option ``state`` after which a unit runs.
WANTS_RUN = ("started", "restarted", "reloaded")

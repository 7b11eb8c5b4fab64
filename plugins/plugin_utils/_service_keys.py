# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reads declared services: which keys there are, their kinds and defaults, and what cannot be.

The keys are the variables of role ``service`` without their prefix.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.leftovers import SECRET_NAME
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import shorten

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
STATES = ("started", "stopped", "restarted", "present", "absent")
TYPES = ("", "simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle")
RESTARTS = ("", "no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog")
SECRETS_AS = ("environment", "credentials", "encrypted")
HARDENING = ("none", "basic", "strict")
PATH_ALIAS = "dest"


class ServiceError(ValueError):
    """A service cannot be as it is declared; the message names service, key, value and remedy."""


class Key(t.NamedTuple):
    """One key of a service.

    :ivar read: from the value given to the value used.
    :ivar default: when the key is not given, or null.
    """

    read: t.Callable[[t.Any], t.Any]
    default: t.Any = ""
    choices: tuple[str, ...] = ()


class Service:
    """One service, with every key.

    :ivar name: without ``.service``.
    :ivar values: ``{key: value}``, complete.
    :param prefix: what comes before a key in messages instead of ``services.NAME.``, such as ``service_``.
    """

    def __init__(self, name: str, values: dict[str, t.Any], prefix: str = "") -> None:
        self.name = name
        self.values = values
        self._prefix = prefix or f"services.{name}."

    def __getitem__(self, key: str) -> t.Any:
        return self.values[key]

    def key(self, key: str) -> str:
        """How a message calls a key."""
        return self._prefix + key

    @property
    def is_template(self) -> bool:
        return bool(self["instances"]) or self.accepts

    @property
    def accepts(self) -> bool:
        """Whether systemd accepts its connections, and runs an instance for each."""
        return bool(self["socket"].get("Accept"))

    @property
    def is_scheduled(self) -> bool:
        return bool(self["schedule"])

    @property
    def stem(self) -> str:
        """Name of its units without their suffix."""
        return f"{self.name}@" if self.is_template else self.name

    @property
    def socket(self) -> str:
        """Name of its socket, as another unit of it writes the name."""
        return f"{self.name}@%i.socket" if self["instances"] else f"{self.name}.socket"

    @property
    def type(self) -> str:
        return self["type"] or ("oneshot" if self.is_scheduled else "exec")

    @property
    def is_gone(self) -> bool:
        """Whether it shall not be there."""
        return self["state"] == "absent"

    @property
    def own_account(self) -> bool:
        """Whether its user, and group, is made when missing."""
        return self["create_user"] and not self["dynamic_user"] and self["user"] not in ("", "root")


def read(declared: t.Any, prefix: str = "") -> list[Service]:
    """Read ``services``.

    :param declared: ``{NAME: {key: value}}``.
    :raises ServiceError: at the first mistake.
    """
    if not isinstance(declared, t.Mapping):
        raise ServiceError(f"services is {_shown(declared)}: write a mapping, for example {{echo: {{command: [...]}}}}")
    return [_read_service(str(name), given, prefix) for name, given in declared.items()]


def _read_service(name: str, given: t.Any, prefix: str) -> Service:
    service = Service(name, {}, prefix)
    if not _NAME.match(name) or name.endswith(".service") or len(name) > 239:
        called = f"{prefix}name is {name!r}" if prefix else f"services: the name {name!r}"
        remedy = "use only letters, digits, '.', '_' and '-', at most 239 characters, without '.service'"
        raise ServiceError(f"{called}: {remedy}")
    if not isinstance(given, t.Mapping):
        raise ServiceError(f"services.{name} is {_shown(given)}: write a mapping, for example {{command: [...]}}")
    for key in given:
        if key not in KEYS:
            raise ServiceError(f"{service.key(str(key))} is not known; there are {', '.join(sorted(KEYS))}")
    defaults = {"description": name, "user": name, "secrets_path": f"/etc/{name}.secrets"}
    for key, kind in KEYS.items():
        value = given.get(key)
        service.values[key] = defaults.get(key, kind.default) if value is None else _read_value(service, key, value)
    _check(service)
    return service


def _read_value(service: Service, key: str, value: t.Any) -> t.Any:
    kind = KEYS[key]
    if value is False and "no" in kind.choices:  # YAML reads `no` as a boolean
        value = "no"
    try:
        value = kind.read(value)
    except ValueError as error:
        between = "" if str(error).startswith(("[", ".")) else " "
        raise ServiceError(f"{service.key(key)}{between}{error}") from None
    if kind.choices and value not in kind.choices:
        choices = ", ".join(choice or "''" for choice in kind.choices)
        raise ServiceError(f"{service.key(key)} is {value!r}: use one of {choices}")
    return value


def _check(service: Service) -> None:
    """What single keys cannot tell."""
    command, own = service["command"], service["sections"].get("Service", {})
    if not service.is_gone and not command and "ExecStart" not in own:
        raise ServiceError(f"{service.key('command')} is empty: set it to the program and its arguments as a list")
    if not service.is_gone and command and not command[0].startswith("/"):
        raise ServiceError(f"{service.key('command')} starts with {command[0]!r}: use the absolute path of the program")
    if service["dynamic_user"] and service["group"] not in ("", service["user"]):
        raise ServiceError(
            f"{service.key('group')} is {service['group']!r}, but {service.key('dynamic_user')} allocates the group:"
            " leave it empty"
        )
    if service["socket"]:
        _check_socket(service)
    for name in service["secrets"]:
        if not SECRET_NAME.match(name):
            raise ServiceError(
                f"a name in {service.key('secrets')} is not valid: use only letters, digits and '_', and do not start"
                " with a digit"
            )
    _check_path(service.key("secrets_path"), service["secrets_path"])
    for key in ("directories", "files", "templates"):
        for position, entry in enumerate(service[key]):
            _check_path(f"{service.key(key)}[{position}].path", entry["path"])


def _check_socket(service: Service) -> None:
    called = service.key("socket")
    if not any(name.startswith("Listen") for name in service["socket"]):
        raise ServiceError(f"{called} listens on nothing: add listen, for example {{listen: 8080}}")
    if service.is_scheduled:
        raise ServiceError(f"{called} and {service.key('schedule')} exclude each other: use one of them")
    if service.accepts and service["instances"]:
        raise ServiceError(f"{called}.accept makes an instance for each connection: leave instances out")


def _check_path(called: str, path: str) -> None:
    if not path.startswith("/"):
        raise ServiceError(f"{called} is {path!r}: use the absolute path on the host")


# Kinds of values. A message goes on after the key: "services.echo.enabled" + " is 'x': write true or false".


def _shown(value: t.Any) -> str:
    return shorten(repr(value), 80)


def _text(value: t.Any) -> str:
    if isinstance(value, bool):
        raise ValueError(f"is the boolean {str(value).lower()}: write it in quotes")
    if isinstance(value, (t.Mapping, list, tuple, bytes)):
        raise ValueError(f"is {_shown(value)}: write one text")
    return str(value)


def _flag(value: t.Any) -> bool:
    said = str(value).lower()
    if said in ("true", "yes", "on", "1"):
        return True
    if said in ("false", "no", "off", "0"):
        return False
    raise ValueError(f"is {_shown(value)}: write true or false")


def _number(value: t.Any) -> int:
    try:
        if isinstance(value, bool):
            raise ValueError
        return int(str(value))
    except ValueError:
        raise ValueError(f"is {_shown(value)}: write a whole number") from None


def _sequence(value: t.Any) -> t.Sequence[t.Any]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"is {_shown(value)}: write a list")
    return value


def _items(value: t.Any, read_item: t.Callable[[t.Any], t.Any]) -> list[t.Any]:
    found = []
    for position, item in enumerate(_sequence(value)):
        try:
            found.append(read_item(item))
        except ValueError as error:
            raise ValueError(f"[{position}] {error}") from None
    return found


def _arguments(value: t.Any) -> list[str]:
    if isinstance(value, str) and value:
        raise ValueError(f"is {_shown(value)}: write a list of the program and its arguments")
    return _items(value or [], _text)


def _words(value: t.Any) -> list[str]:
    """A list of texts; one text alone is a list of one."""
    if isinstance(value, str):
        return [value] if value else []
    return _items(value, _text)


def _mapping(value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, t.Mapping):
        raise ValueError(f"is {_shown(value)}: write a mapping")
    return {str(key): item for key, item in value.items()}


def _sections(value: t.Any) -> dict[str, t.Any]:
    sections = {name: section for name, section in _mapping(value).items() if section is not None}
    for name, section in sections.items():
        if not isinstance(section, t.Mapping):
            raise ValueError(f".{name} is {_shown(section)}: write a mapping of directives")
    return sections


def _secrets(value: t.Any) -> dict[str, str]:
    """Names to texts. No message shows a value."""
    if not isinstance(value, t.Mapping):
        raise ValueError("is not a mapping: write {NAME: secret}")
    for name, secret in value.items():
        if secret is None or isinstance(secret, (bool, t.Mapping, list, tuple)):
            raise ValueError(f"holds {str(name)!r}, whose value is not a text: write it in quotes")
        if "\0" in str(secret):
            raise ValueError(f"holds {str(name)!r}, whose value has a NUL byte, which no environment can hold")
    return {str(name): str(secret) for name, secret in value.items()}


def _schedule(value: t.Any) -> t.Any:
    return _mapping(value) if isinstance(value, t.Mapping) else _words(value)


def _socket(value: t.Any) -> dict[str, t.Any]:
    """Directives of ``[Socket]``; ``listen`` and ``accept`` are short for two of them."""
    socket = {key: item for key, item in _mapping(value).items() if item is not None}
    if "listen" in socket:
        listen = socket.pop("listen")
        socket = {"ListenStream": _items(listen if isinstance(listen, list) else [listen], _text), **socket}
    if "accept" in socket:
        socket["Accept"] = socket.pop("accept")
    if "Accept" in socket:
        socket["Accept"] = _flag(socket["Accept"])
    for key in socket:
        if not key[:1].isupper():
            raise ValueError(f".{key} is not known: write listen, accept or a directive of systemd.socket(5)")
    return socket


def _entry(value: t.Any) -> dict[str, t.Any]:
    """An entry of files, templates or directories, with its path called ``path``."""
    entry = {key: item for key, item in _mapping(value).items() if item is not None}
    if PATH_ALIAS in entry and "path" in entry:
        raise ValueError(f"has path and {PATH_ALIAS}, which is another name of it: write path")
    path = entry.pop(PATH_ALIAS, None)
    if path is not None:
        entry = {"path": path, **entry}
    if "path" not in entry:
        raise ValueError("has no path: write where it stands on the host")
    entry["path"] = _text(entry["path"])
    return entry


def _entries(value: t.Any) -> list[dict[str, t.Any]]:
    return _items(value, _entry)


KEYS = {
    "description": Key(_text),
    "state": Key(_text, "started", STATES),
    "enabled": Key(_flag, True),
    "command": Key(_arguments, []),
    "type": Key(_text, "", TYPES),
    "packages": Key(_words, []),
    "directories": Key(_entries, []),
    "files": Key(_entries, []),
    "templates": Key(_entries, []),
    "release": Key(_mapping, {}),
    "user": Key(_text),
    "group": Key(_text),
    "supplementary_groups": Key(_words, []),
    "create_user": Key(_flag, True),
    "dynamic_user": Key(_flag, False),
    "capabilities": Key(_words, []),
    "environment": Key(_mapping, {}),
    "secrets": Key(_secrets, {}),
    "secrets_as": Key(_text, "environment", SECRETS_AS),
    "secrets_path": Key(_text),
    "working_directory": Key(_text),
    "state_directories": Key(_words, []),
    "cache_directories": Key(_words, []),
    "log_directories": Key(_words, []),
    "runtime_directories": Key(_words, []),
    "after": Key(_words, []),
    "requires": Key(_words, []),
    "wants": Key(_words, []),
    "wanted_by": Key(_words, ["multi-user.target"]),
    "restart": Key(_text, "", RESTARTS),
    "restart_sec": Key(_text, "1s"),
    "start_limit_interval_sec": Key(_text, "0"),
    "start_limit_burst": Key(_number, 5),
    "instances": Key(_words, []),
    "schedule": Key(_schedule, []),
    "socket": Key(_socket, {}),
    "hardening": Key(_text, "basic", HARDENING),
    "sections": Key(_sections, {}),
    "health": Key(_mapping, {}),
}

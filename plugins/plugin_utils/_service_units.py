# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A service -> the sections of its units."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.commands import exec_quote
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._service_keys import Service, ServiceError

Sections = dict[str, t.Any]

# systemd.exec(5), "Sandboxing". Each profile includes the one before it.
_BASIC: dict[str, t.Any] = {
    "NoNewPrivileges": True,
    "PrivateTmp": True,
    "ProtectSystem": "full",
    "ProtectHome": True,
    "ProtectControlGroups": True,
    "ProtectKernelModules": True,
    "ProtectKernelTunables": True,
    "LockPersonality": True,
    "RestrictRealtime": True,
    "RestrictSUIDSGID": True,
}
_STRICT: dict[str, t.Any] = {
    "CapabilityBoundingSet": "",
    "DevicePolicy": "closed",
    "KeyringMode": "private",
    "MemoryDenyWriteExecute": True,
    "PrivateDevices": True,
    "PrivateUsers": True,
    "ProcSubset": "pid",
    "ProtectClock": True,
    "ProtectHostname": True,
    "ProtectKernelLogs": True,
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": True,
    "RestrictAddressFamilies": ["AF_UNIX", "AF_INET", "AF_INET6"],
    "RestrictNamespaces": True,
    "SystemCallArchitectures": "native",
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "UMask": "0077",
}
# Directives of the strict profile that came after 247, by release.
_STRICT_SINCE: dict[int, dict[str, t.Any]] = {248: {"PrivateIPC": True}}
ENCRYPTED_SINCE = 250  # LoadCredentialEncrypted=, systemd.exec(5)


def service_sections(service: Service, release: int) -> Sections:
    """Sections of its ``.service``.

    :param release: systemd's release on the host, for example 252; 0 when it is not known.
    """
    sections: Sections = {
        "Unit": _set(_unit(service)),
        "Service": {**_set(_service(service)), **_hardening(service, release)},
        "Install": {} if service.is_scheduled or service.accepts else {"WantedBy": service["wanted_by"]},
    }
    return _merged(
        sections, {name: own for name, own in service["sections"].items() if name not in ("Timer", "Socket")}
    )


def socket_sections(service: Service) -> Sections:
    """Sections of its ``.socket``."""
    return {
        "Unit": {"Description": service["description"]},
        "Socket": {**service["socket"], **service["sections"].get("Socket", {})},
        "Install": {"WantedBy": "sockets.target"},
    }


def timer_sections(service: Service) -> Sections:
    """Sections of its ``.timer``."""
    schedule = service["schedule"]
    timer = schedule if isinstance(schedule, t.Mapping) else {"OnCalendar": schedule}
    return {
        "Unit": {"Description": service["description"]},
        "Timer": {**timer, **service["sections"].get("Timer", {})},
        "Install": {"WantedBy": "timers.target"},
    }


def _unit(service: Service) -> dict[str, t.Any]:
    interval = service["start_limit_interval_sec"]
    return {
        "Description": service["description"],
        "After": service["after"],
        # Started by itself, the program must find its socket.
        "Requires": [*service["requires"], *([service.socket] if service["socket"] and not service.accepts else [])],
        "Wants": service["wants"],
        "StartLimitIntervalSec": interval,
        "StartLimitBurst": "" if interval in ("0", "0s", "") else service["start_limit_burst"],
    }


def _service(service: Service) -> dict[str, t.Any]:
    by_itself = "" if service.type == "oneshot" else "on-failure"
    restart = service["restart"] or by_itself
    return {
        "Type": service.type,
        "ExecStart": _command(service),
        "User": service["user"],
        "Group": service["group"],
        "DynamicUser": "yes" if service["dynamic_user"] else "",
        "SupplementaryGroups": service["supplementary_groups"],
        "WorkingDirectory": service["working_directory"],
        "StateDirectory": service["state_directories"],
        "CacheDirectory": service["cache_directories"],
        "LogsDirectory": service["log_directories"],
        "RuntimeDirectory": service["runtime_directories"],
        "Environment": service["environment"],
        **_secrets(service),
        "Restart": restart,
        "RestartSec": "" if restart in ("", "no") else service["restart_sec"],
        "AmbientCapabilities": service["capabilities"],
    }


def _command(service: Service) -> list[t.Any]:
    """The program gets exactly the arguments, but for ``%i`` of an instance."""
    command = service["command"]
    if not command:
        return []
    if not service.is_template:
        return [{"argv": command}]
    try:
        quoted = exec_quote(command)
    except UnitSyntaxError as error:
        raise ServiceError(f"{service.key('command')}: {error}") from None
    return [re.sub("(?<!%)%%([iI])", r"%\1", quoted)]


def _secrets(service: Service) -> dict[str, t.Any]:
    if not service["secrets"]:
        return {}
    path = service["secrets_path"]
    if service["secrets_as"] == "environment":
        return {"EnvironmentFile": path}
    directive = "LoadCredential" if service["secrets_as"] == "credentials" else "LoadCredentialEncrypted"
    return {directive: [f"{name}:{path}/{name}" for name in service["secrets"]]}


def _hardening(service: Service, release: int) -> dict[str, t.Any]:
    if service["hardening"] == "none":
        return {}
    directives = dict(_BASIC)
    if service["hardening"] == "strict":
        directives.update(_STRICT)
        for since, newer in _STRICT_SINCE.items():
            directives.update(newer if release >= since else {})
        if service["capabilities"]:
            directives["CapabilityBoundingSet"] = service["capabilities"]
            # In a user namespace of its own a capability has no effect on the host, for example to bind port 53.
            directives["PrivateUsers"] = False
    return directives


def _set(directives: dict[str, t.Any]) -> dict[str, t.Any]:
    """What has a value."""
    return {name: value for name, value in directives.items() if value not in ("", [], {})}


def _merged(one: t.Mapping[str, t.Any], two: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Both, mappings within them too; the second wins."""
    merged = dict(one)
    for key, value in two.items():
        both = isinstance(value, t.Mapping) and isinstance(merged.get(key), t.Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Declared services -> what the roles ``services`` and ``service`` apply: items of ``units``, packages."""

from __future__ import annotations

import typing as t

from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _service_keys
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._service_files import Entry, file_entries
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._service_keys import Service, ServiceError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._service_units import (
    ENCRYPTED_SINCE,
    service_sections,
    socket_sections,
    timer_sections,
)

_DYNAMIC = range(61184, 65520)  # systemd.exec(5), DynamicUser=


def apply(declared: t.Any, release: int = 0, prefix: str = "") -> dict[str, t.Any]:
    """What makes the hosts have these services.

    :param declared: ``{NAME: {key: value}}``.
    :param release: systemd's release on the host, for example 252; 0 when it is not known.
    :param prefix: see ``Service``.
    :returns: ``units`` (items), ``packages``, ``dynamic_users`` (names that systemd is to allocate), ``namesakes``
        (other units that would have the same release or secrets) and ``needs_release``: whether the result depends on
        the release.
    :raises ServiceError: at the first mistake.
    """
    services = _service_keys.read(declared, prefix)
    for service in services:
        _check_release(service, release)
    present = [service for service in services if not service.is_gone]
    packages = [package for service in present for package in service["packages"]]
    return {
        "units": [item for service, more in _shared(services) for item in _items(service, more, release)],
        "packages": list(dict.fromkeys(packages)),
        "dynamic_users": sorted({service["user"] for service in present if service["dynamic_user"]}),
        "namesakes": [_namesake(service) for service in present if service["release"] or service["secrets"]],
        "needs_release": any(_depends_on_release(service) for service in present),
    }


def _namesake(service: Service) -> str:
    """``shop@.service`` for ``shop.service``, and the other way round: both have /opt/shop and /etc/shop.secrets."""
    return f"{service.name}.service" if service.stem.endswith("@") else f"{service.name}@.service"


def static_accounts(lines: t.Iterable[str]) -> list[str]:
    """Names of the accounts that systemd has not allocated; nss-systemd shows those that it has as well.

    :param lines: of ``getent passwd`` and ``getent group``.
    """
    accounts = [line.split(":") for line in lines]
    return sorted({account[0] for account in accounts if int(account[2]) not in _DYNAMIC})


def _depends_on_release(service: Service) -> bool:
    return service["hardening"] == "strict" or bool(service["secrets"] and service["secrets_as"] == "encrypted")


def _check_release(service: Service, release: int) -> None:
    encrypts = service["secrets"] and service["secrets_as"] == "encrypted" and not service.is_gone
    if encrypts and 0 < release < ENCRYPTED_SINCE:
        raise ServiceError(
            f"{service.key('secrets_as')} is 'encrypted', which came with systemd {ENCRYPTED_SINCE}; this host has"
            f" {release}: use credentials"
        )


def _shared(services: t.Sequence[Service]) -> t.Iterator[tuple[Service, dict[str, t.Any]]]:
    """Each service with what else its item has: user, files, release.

    A directory that several services declare alike is the first one's, and stays for the last; so does a user.
    """
    accounts = _accounts(services)
    files = {service.name: file_entries(service) for service in services}
    kept = {entry["path"] for entries in files.values() for entry in entries if entry.get("state") != "absent"}
    seen: list[Entry] = []
    for service in services:
        own = []
        for entry in files[service.name]:
            is_folder = entry.get("directory") or "_if_empty" in entry
            if is_folder and (entry in seen or ("_if_empty" in entry and entry["path"] in kept)):
                continue
            seen.append(entry)
            own.append(entry)
        yield (
            service,
            {
                **({"_account": accounts[service.name]} if service.name in accounts else {}),
                **({"files": own} if own else {}),
                **({"release": {"path": f"/opt/{service.name}", **service["release"]}} if service["release"] else {}),
            },
        )


def _items(service: Service, more: dict[str, t.Any], release: int) -> list[dict[str, t.Any]]:
    instances = {"instances": service["instances"]} if service["instances"] else {}
    socket = service.socket.replace("%i", "")
    if service.is_gone:
        # The timer as well, even without a schedule: an earlier run may have made it.
        return [
            *([{"name": socket, "state": "absent"}] if service["socket"] else []),
            {"name": f"{service.stem}.timer", "state": "absent"},
            {"name": f"{service.stem}.service", "state": "absent", **more},
        ]
    started_by_another = service.is_scheduled or service.accepts
    item: dict[str, t.Any] = {
        "name": f"{service.stem}.service",
        "sections": service_sections(service, release),
        "state": "present" if started_by_another else service["state"],
    }
    if not started_by_another:
        item["enabled"] = service["enabled"]
    item.update(instances)
    item.update(more)
    if service["health"]:
        item["health"] = service["health"]
    if not (service.is_scheduled or service["socket"]):
        return [item]
    starter = {
        "name": socket if service["socket"] else f"{service.stem}.timer",
        "sections": socket_sections(service) if service["socket"] else timer_sections(service),
        "state": service["state"],
        "enabled": service["enabled"],
        **instances,
    }
    if service.accepts and "health" in item:
        starter["health"] = item.pop("health")
    return [item, starter]


def _accounts(services: t.Sequence[Service]) -> dict[str, dict[str, t.Any]]:
    """By service the user to make when missing, or to remove when this collection made it; each user once.

    The comment tells who made a user: ``comments`` has the one for a user alone, and the one for a user whose group was
    made with it.
    """
    accounts: dict[str, dict[str, t.Any]] = {}
    seen: set[str] = set()
    for service in sorted(services, key=lambda service: service.is_gone):
        if not service.own_account or service["user"] in seen:
            continue
        seen.add(service["user"])
        group = "" if service["group"] == service["user"] else service["group"]
        accounts[service.name] = {
            "user": service["user"],
            "group": group,
            "comments": [
                f"Service {service.name} (unitcraft.systemd)",
                f"Service {service.name} (unitcraft.systemd with group {group})",
            ],
            "state": "absent" if service.is_gone else "present",
        }
    return accounts

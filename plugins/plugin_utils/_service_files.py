# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A service -> the entries of ``files`` that its unit has: directories, files, templates, secrets.

Private keys of an entry: ``_if_empty`` (a directory goes only when nothing is left in it), ``_old_secrets`` (secrets at
this path that are no longer declared go), ``_encrypt`` (the host encrypts the secret under this name,
systemd-creds(1)).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.plugin_utils._service_keys import Service, ServiceError

Entry = dict[str, t.Any]
_OWNER = {"owner": "root", "group": "root"}


def file_entries(service: Service) -> list[Entry]:
    """What the service has besides its units, in the order in which it is made."""
    entries = [*_directories(service), *_files(service), *_templates(service)]
    if not service.is_gone:
        return entries + _secrets(service)
    gone = [_gone(entry) for entry in entries if entry.get("state") != "absent"]
    folders = [entry for entry in gone if "_if_empty" in entry]
    files = [entry for entry in gone if "_if_empty" not in entry]
    # What is deeper goes first.
    folders.sort(key=lambda entry: entry["path"].count("/"), reverse=True)
    return [*files, *_no_secrets(service), *folders]


def _gone(entry: Entry) -> Entry:
    only_when_empty = {"_if_empty": True} if entry.get("directory") else {}
    return {"path": entry["path"], "state": "absent", **only_when_empty}


def _directories(service: Service) -> list[Entry]:
    return [
        {"path": entry["path"], "directory": True, **_OWNER, "mode": "0755", **entry}
        for entry in service["directories"]
    ]


def _files(service: Service) -> list[Entry]:
    return [{**_defaults(entry), **entry} for entry in service["files"]]


def _defaults(entry: Entry) -> Entry:
    """Owner and mode of what says neither."""
    if entry.get("state") == "absent" or "link" in entry:
        return {"path": entry["path"]}
    mode = "0755" if entry.get("directory") else "0600" if "secret" in entry else "0644"
    return {"path": entry["path"], **_OWNER, "mode": mode}


def _templates(service: Service) -> list[Entry]:
    """Entries of ``templates`` call the template ``src``; those of ``files`` call it ``template``."""
    entries = []
    for position, entry in enumerate(service["templates"]):
        more = dict(entry)
        template = more.pop("src", None) or more.pop("template", None)
        if template is None:
            raise ServiceError(
                f"{service.key('templates')}[{position}] of {entry['path']} has no src: name the template"
            )
        entries.append({"path": entry["path"], "template": template, **_OWNER, "mode": "0644", **more})
    return entries


# Secrets: for root only, mode 0600; systemd reads them before it switches to the service's user.


def _secrets(service: Service) -> list[Entry]:
    secrets, path = service["secrets"], service["secrets_path"]
    if not secrets:
        return _no_secrets(service)
    if service["secrets_as"] == "environment":
        text = "".join(f'{name}="{_escaped(secret)}"\n' for name, secret in sorted(secrets.items(), key=_by_name))
        return [{"path": path, "secret": text, **_OWNER, "mode": "0600", "_old_secrets": True}]
    entries: list[Entry] = [{"path": path, "directory": True, **_OWNER, "mode": "0700", "_old_secrets": True}]
    for name, secret in secrets.items():
        encrypt = {"_encrypt": name} if service["secrets_as"] == "encrypted" else {}
        entries.append({"path": f"{path}/{name}", "secret": secret, **_OWNER, "mode": "0600", **encrypt})
    return entries


def _no_secrets(service: Service) -> list[Entry]:
    return [{"path": service["secrets_path"], "state": "absent", "_old_secrets": True}]


def _escaped(secret: str) -> str:
    r"""A value between double quotes of an environment file.

    A backslash escapes these four characters, and a newline stands for itself (systemd.exec(5), EnvironmentFile=).
    """
    return re.sub(r'([\\"`$])', r"\\\1", secret)


def _by_name(secret: tuple[str, str]) -> tuple[str, str]:
    """As Jinja's ``dictsort`` orders: version 0.1 wrote the file so."""
    return secret[0].lower(), secret[0]

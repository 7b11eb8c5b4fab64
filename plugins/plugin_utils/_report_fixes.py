# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What to copy to mend something that the audit report shows: a command, or YAML.

A host decides how its units are called, so a name stands in such a text only if no shell, no YAML and no template sees
more in it than a name. All other words are ours.
"""

from __future__ import annotations

import functools
import pathlib
import re
import typing as t

import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.mapping import mapping_from_settings

HOSTS = "<hosts>"  # the page puts names in: those that the filter leaves
_MODULE_UTILS = pathlib.Path(__file__).resolve().parents[1] / "module_utils"
_CACHED = 10_000  # hosts ask for the same again and again
_PLAIN_NAME = re.compile(r"([A-Za-z0-9:_.@-]|\\x[0-9a-f]{2})+\Z")
_EXAMPLE = re.compile(r"^```ini\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What systemd-analyze security(1) counts -> a value that nearly every program works with.
_CONFINED: dict[str, t.Any] = {
    "CapabilityBoundingSet": "",
    "LockPersonality": True,
    "NoNewPrivileges": True,
    "PrivateDevices": True,
    "PrivateTmp": True,
    "ProtectClock": True,
    "ProtectControlGroups": True,
    "ProtectHome": True,
    "ProtectHostname": True,
    "ProtectKernelLogs": True,
    "ProtectKernelModules": True,
    "ProtectKernelTunables": True,
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces": True,
    "RestrictRealtime": True,
    "RestrictSUIDSGID": True,
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
}


def restart(unit: str) -> str:
    """Commands that show why a unit failed and start it again."""
    if not _PLAIN_NAME.match(unit):
        return ""
    escaped = unit.replace("\\", r"\\")  # Ansible takes one backslash for the start of an escape, within quotes too
    return (
        f"ansible {HOSTS} --become -m ansible.builtin.command -a 'journalctl --no-pager --lines=50 --unit={escaped}'\n"
        f"ansible {HOSTS} --become -m ansible.builtin.systemd_service -a 'name={escaped} state=restarted'"
    )


def reload(_unit: str) -> str:
    """The command that makes systemd read its files again."""
    return f"ansible {HOSTS} --become -m ansible.builtin.systemd_service -a 'daemon_reload=true'"


def deploy(unit: str) -> str:
    """The command that shows what a deployment would put back."""
    if not _PLAIN_NAME.match(unit):
        return ""
    return (
        f"# With your playbook that deploys {unit}; without --check it puts back what was deployed\n"
        f"ansible-playbook site.yml --limit {HOSTS} --check --diff"
    )


def revert(rollout_id: str) -> str:
    """The command that reverts a rollout."""
    if not _PLAIN_NAME.match(rollout_id):
        return ""
    return (
        "# Every host that this rollout has changed goes back. The command that began it goes on with it instead.\n"
        f"ansible-playbook -i inventory unitcraft.systemd.rollback -e rollout_id={rollout_id}"
    )


@functools.lru_cache(maxsize=_CACHED)
def spread(timers: tuple[str, ...]) -> str:
    """Drop-ins with which timers do not elapse together."""
    if not all(map(_PLAIN_NAME.match, timers)):
        return ""
    return _yaml([_dropin(name, "50-spread", {"Timer": {"RandomizedDelaySec": "15min"}}) for name in timers])


@functools.lru_cache(maxsize=_CACHED)
def confine(service: str, settings: tuple[str, ...]) -> str:
    """A drop-in that sets what the exposure of a service lacks most.

    :param settings: as ``systemd-analyze security`` names them: ``PrivateTmp=``, ``SystemCallFilter=~@swap``.
    """
    names = sorted({name for setting in settings for name in (setting.partition("=")[0],) if name in _CONFINED})
    if not names or not _PLAIN_NAME.match(service):
        return ""
    return _yaml([_dropin(service, "50-hardening", {"Service": {name: _CONFINED[name] for name in names}})])


def obey(rule: str) -> str:
    """The example of a rule of lint, as sections: what differs between the wrong one and the right one."""
    return _examples().get(rule, "")


@functools.cache
def _examples() -> dict[str, str]:
    """Text by rule, of the Markdown files that stand beside the rules."""
    found = {}
    for path in _MODULE_UTILS.glob("_*/*.md"):
        for part in path.read_text(encoding="utf-8").split("\n## ")[1:]:
            rule, _newline, text = part.partition("\n")
            blocks = _EXAMPLE.findall(text)
            if len(blocks) == 2:
                found[rule] = _difference(*(mapping_from_settings(read_unit("", block).settings) for block in blocks))
    return {rule: text for rule, text in found.items() if text}


def _difference(wrong: t.Mapping[str, dict[str, t.Any]], right: t.Mapping[str, dict[str, t.Any]]) -> str:
    changed = {
        section: {name: value for name, value in directives.items() if wrong.get(section, {}).get(name) != value}
        for section, directives in right.items()
    }
    left = [
        f"{name}= in [{section}]"
        for section, directives in wrong.items()
        for name in directives
        if name not in right.get(section, {})
    ]
    changed = {section: directives for section, directives in changed.items() if directives}
    lines = [f"# Leave out: {', '.join(left)}\n"] if left else []
    lines += ["# For example, with values of yours\n", _yaml({"sections": changed})] if changed else []
    return "".join(lines).rstrip()


def _dropin(name: str, dropin: str, sections: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"name": name, "dropin": dropin, "sections": sections}


def _yaml(value: t.Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, width=120)
    return text.rstrip()

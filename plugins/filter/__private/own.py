# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that only the roles and playbooks of the collection use: their names and options may change at any time."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import (
    _adopt,
    _kinds,
    _linked,
    _report,
    _report_page,
    _services,
    _worker,
)
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._rollout import STEPS, RolloutError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._service_keys import ServiceError


def adopt_units(units: t.Any, dropins: str = "keep", vendor: bool = False) -> str:
    """What unit_info tells of units with ``what: [files, state]`` -> text of a YAML file that sets ``systemd_units``.

    :param dropins: keep declares each drop-in, fold merges them into the unit and declares them absent.
    :param vendor: Whether to declare units of packages too, not only those in the administrator's folders.
    """
    if dropins not in ("keep", "fold"):
        raise AnsibleFilterError(f"adopt_dropins must be keep or fold, not {dropins!r}")
    try:
        return _adopt.write(_adopt.declare(units, dropins, vendor), "systemd_units")
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"this is not what unit_info returns with what: [files, state] ({error!r})") from error
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def adopt_differences(units: t.Any, declared: t.Any, dropins: str = "keep", vendor: bool = False) -> list[str]:
    """One sentence for each difference between a declaration that ``adopt_units`` wrote and the units of the host."""
    try:
        return _adopt.differences(units, declared, dropins, vendor)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise AnsibleFilterError(f"the declaration cannot be compared with the units: {error!r}") from error


def audit_report(told: t.Any, generated: str, earlier: str | None = None, journals: t.Any = ()) -> dict[str, t.Any]:
    """What the hosts told -> the report of the fleet. The answers are not trusted, see ``_report_input``.

    :param told: For each host ``host``, and ``info`` and ``lint`` (results of the modules) or ``problem``; ``workers``:
        the template of its workers and ``worker_status``.
    :param generated: Time of the report, in ISO 8601.
    :param earlier: JSON text of an earlier report, to compare with.
    :param journals: ``name``, ``time`` and ``text`` of each journal of a rollout, the latest first.
    """
    try:
        items = [
            _report.Told(
                i["host"], i.get("info") or {}, i.get("lint") or {}, i.get("problem") or "", i.get("workers") or None
            )
            for i in told
        ]
        found = [_report.Journal(j["name"], j["time"], j["text"]) for j in journals]
        return _report.build(items, generated, earlier, found)
    except ValueError as error:
        raise AnsibleFilterError(f"audit_compare: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"this is not what unit_info and unit_lint return: {error!r}") from error


def linked_units(
    services: t.Any,
    release: int,
    name: str = "linked",
    state: str = "started",
    options: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """The variables of role linked -> items of the module units, each directive with its reason, rules to ignore."""
    try:
        links = _linked.read(services, int(release))
        units = _linked.units(links, name, state, options or {})
    except _linked.LinkError as error:
        raise AnsibleFilterError(str(error)) from error
    keys = ("unit", "section", "directive", "value", "why")
    return {
        "units": units,
        "directives": [dict(zip(keys, directive)) for directive in links.directives],
        "ignore": links.ignore,
    }


def rollout_step(value: t.Any, step: str, *data: t.Any) -> t.Any:
    """What becomes of a rollout, or an answer about it: one of the functions of ``_rollout``, by its name."""
    try:
        return STEPS[step](value, *data)
    except RolloutError as error:
        raise AnsibleFilterError(str(error)) from error


def service_units(services: t.Any, release: int = 0, prefix: str = "") -> dict[str, t.Any]:
    """The variables of roles service and services -> items of the module units, packages, ``needs_release``."""
    try:
        return _services.apply(services, int(release), prefix)
    except ServiceError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filter names and functions."""
        return {
            "adopt_differences": adopt_differences,
            "adopt_units": adopt_units,
            "audit_page_data": _report_page.page_data,
            "audit_report": audit_report,
            "linked_units": linked_units,
            "rollout_step": rollout_step,
            "service_units": service_units,
            "static_accounts": _services.static_accounts,
            "worker_environment": _worker.environment_words,
            "worker_words": _worker.last_words,
            "wrong_kinds": _kinds.wrong_kinds,
        }

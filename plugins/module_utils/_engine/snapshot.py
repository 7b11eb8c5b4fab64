# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes the state that a plan changes, for the way back."""

from __future__ import annotations

import hashlib
import secrets
import time
import typing as t

from .._model import File
from .._syntax.names import is_template, template_of
from .files import to_json
from .health import limits_of
from .host import Target
from .jobs import Limits
from .links import enables
from .no_reboot import shields
from .plan import Plan
from .store import FORMAT, FORMAT_WITH_FILES

Snapshot = t.Mapping[str, t.Any]  # fit for JSON


def take_snapshot(
    plan: Plan, host: Target, live: t.Mapping[str, t.Mapping[str, str]], links: t.Mapping[str, str]
) -> dict[str, t.Any]:
    """All that is needed to put back what *plan* changes.

    :param live: the properties of units before the plan, by name.
    :param links: the links in the unit folder before it: ``{path below it: target}``.
    """
    touched = plan.touched()
    # A service that fails a few times takes its socket along.
    sockets = [name for unit in touched for name in live.get(unit, {}).get("TriggeredBy", "").split()]
    touched = list(dict.fromkeys([*touched, *(name for name in sockets if name.endswith(".socket"))]))
    related = sorted({*touched, *plan.link_names})
    followers = [unit for unit in plan.followers if not is_template(unit)]
    unknown = [unit for unit in followers if unit not in live]
    live = {**live, **(host.show(unknown, _BEFORE) if unknown else {})}
    return {
        "format": FORMAT_WITH_FILES if plan.files or plan.accounts.made else FORMAT,
        "id": secrets.token_hex(4),
        "boot": host.boot_id(),
        "begun": time.time(),
        "scope": host.scope,
        "user": host.user,
        "runtime": host.runtime,
        "root": host.root,
        "files": [
            {
                **to_json(change.path, change.before),
                "after": mark(change.after),
                "unit": change.unit,
                "place": change.place,
            }
            for change in [*plan.written(), *shields(plan, host)]
        ],
        "versions": [[step.release.path, step.version] for step in plan.releases.values() if step.is_new],
        "names": related,
        "links": {link: target for link, target in links.items() if enables(link, target, related)},
        "units": {unit: unit_before(live.get(unit, {})) for unit in [*touched, *followers] if not is_template(unit)},
        "reloads": list(plan.reload),
        "held": dict(plan.held_timers),
        "daemon_reload": bool(plan.daemon_reload),
        "linger": host.lingers() if host.user else None,
        "accounts": [account._asdict() for account in plan.accounts.made],
        "rolling": plan.rolling,
        "min_healthy_time": plan.min_healthy_time,
        "swaps": [swap._asdict() for swap in plan.swaps],
        "switched": False,
        "health": plan.old_health,
    }


_BEFORE = ("ActiveState", "InvocationID", "Type")


def unit_before(state: t.Mapping[str, str]) -> dict[str, t.Any]:
    """What the undo has to know of the run state of a unit."""
    return {
        "active": state.get("ActiveState", "inactive"),
        "invocation": state.get("InvocationID", ""),
        "oneshot": state.get("Type") == "oneshot",
    }


def mark(file: File) -> str:
    """By what a file is told from another one."""
    return f"{file.kind} {file.target} {file.digest or hashlib.sha256(file.data).hexdigest()}"


def old_limits(snapshot: Snapshot, unit: str) -> Limits:
    """By what a unit is healthy once it is back."""
    health = snapshot.get("health", {})
    return limits_of(health.get(unit) or health.get(template_of(unit)))

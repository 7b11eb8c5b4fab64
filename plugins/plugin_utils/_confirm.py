# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Confirms a deployment over a new connection, which shows that the host can still be reached."""

from __future__ import annotations

import json
import shlex
import time
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.confirm import TOO_LATE

_PAUSE = 1.0  # seconds between two attempts
_MAX_SHOWN = 500
# Of the command, and of Python when the command has been removed.
_TOO_LATE_WORDS = ("does not wait for this confirmation any more", "can't open file")


class _Attempt(t.NamedTuple):
    """What keeps us from confirming, in words, or the warnings of a confirmation that succeeded."""

    problem: str
    is_final: bool = True
    warnings: t.Sequence[str] = ()


def confirm(action: t.Any, command: t.Sequence[str], within: float) -> dict[str, t.Any]:
    """Run the command that confirms, until it succeeds or the time is up.

    :param action: the action plugin, whose connection is closed first.
    :param within: seconds after which the host does not wait any more.
    :returns: what becomes of the result of the module.
    """
    begun = time.monotonic()
    while True:
        done = _attempt(action, shlex.join(command))
        seconds = round(time.monotonic() - begun, 1)
        if not done.problem:
            state = {"state": "confirmed", "within": within, "seconds": seconds}
            return {"confirm": state, "warnings": [*done.warnings]}
        if done.is_final or seconds + _PAUSE >= within:
            break
        time.sleep(_PAUSE)
    return {
        "failed": True,
        "confirm": {"state": "not confirmed", "within": within},
        "msg": f"the deployment could not be confirmed within {within:g} s over a new connection: {done.problem}. The"
        " host puts the old state back by itself; the next run on it tells how that went",
    }


def _attempt(action: t.Any, command: str) -> _Attempt:
    connection = action._connection
    try:
        if type(connection).reset is ConnectionBase.reset:  # not every plugin can
            connection.close()
        else:
            connection.reset()
        done = action._low_level_execute_command(command)
        words = (done["stdout"] + done["stderr"]).strip()[-_MAX_SHOWN:]
        # A shell that cannot fork ends with the same status.
        if done["rc"] == TOO_LATE and any(told in words for told in _TOO_LATE_WORDS):
            return _Attempt("the host does not wait for it any more")
        if done["rc"] != 0:
            return _Attempt(words or f"exit status {done['rc']}", is_final=False)
    except (AnsibleError, OSError) as error:
        return _Attempt(str(error)[:_MAX_SHOWN], is_final=False)
    try:
        return _Attempt("", warnings=[str(problem) for problem in json.loads(done["stdout_lines"][-1])])
    except (LookupError, ValueError, TypeError):  # a greeting of the host's, perhaps
        return _Attempt("")

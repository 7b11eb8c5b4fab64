# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of ``unit`` and ``units`` as AnsibleModule takes them."""

from __future__ import annotations

import os
import typing as t

_PROBE_KINDS = ("tcp", "udp", "http", "socket", "command", "log")
_STATES = ("present", "started", "stopped", "restarted", "reloaded", "absent")


class DeclarationError(Exception):
    """Options contradict each other or name what cannot exist.

    :ivar messages: list of str, one for each mistake.
    """

    def __init__(self, messages: t.Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = list(messages)


def unit_options() -> dict[str, t.Any]:
    """Argument spec of one unit: options of ``unit``, and of each item of ``units``."""
    probe = {
        "tcp": {"type": "str"},
        "udp": {"type": "str"},
        "http": {"type": "str"},
        "socket": {"type": "path"},
        "command": {"type": "list", "elements": "str"},
        "log": {"type": "str"},
        "send": {"type": "str"},
        "expect": {"type": "str"},
        "status": {"type": "int"},
    }
    health = {
        "timeout": {"type": "float", "default": 30},
        "stable": {"type": "float", "default": 0},
        "probes": {
            "type": "list",
            "elements": "dict",
            "options": probe,
            "mutually_exclusive": [_PROBE_KINDS],
            "required_one_of": [_PROBE_KINDS],
        },
    }
    return {
        "name": {"type": "str", "required": True},
        "sections": {"type": "dict"},
        "content": {"type": "str"},
        "dropin": {"type": "str"},
        "state": {"type": "str", "choices": list(_STATES), "default": "present"},
        "enabled": {"type": "bool"},
        "masked": {"type": "bool"},
        "instances": {"type": "list", "elements": "str"},
        "on_change": {"type": "str", "choices": ["auto", "restart", "reload", "none"], "default": "auto"},
        "triggers": {"type": "list", "elements": "raw"},
        "health": {"type": "dict", "options": health},
    }


def set_options() -> dict[str, t.Any]:
    """Argument spec of what applies to all units of a task."""
    return {
        "scope": {"type": "str", "choices": ["system", "user", "global"], "default": "system"},
        "user": {"type": "str"},
        "linger": {"type": "bool"},
        "runtime": {"type": "bool", "default": False},
        "root": {"type": "path"},
        "verify": {"type": "bool", "default": True},
        "fail_on": {"type": "str", "choices": ["error", "warning", "info", "never"], "default": "error"},
        "ignore": {"type": "list", "elements": "str", "default": []},
        "max_exposure": {"type": "float"},
        "rollback": {"type": "bool", "default": True},
        "set_name": {"type": "str"},
        "prune": {"type": "bool", "default": False},
    }


def check_set_options(params: t.Mapping[str, t.Any]) -> None:
    """Check that the options of ``set_options`` fit together.

    :raises DeclarationError: when they do not.
    """
    scope, root = params["scope"], params["root"]
    mistakes = []
    if scope != "user" and params["user"]:
        mistakes.append("user: only scope: user takes a user; set it, or leave user out")
    if scope != "user" and params["linger"] is not None:
        mistakes.append("linger: only scope: user takes linger")
    if params["prune"] and not params["set_name"]:
        mistakes.append("prune: needs set_name, because only files that carry the name of the set are ever removed")
    if scope == "user" and root:
        mistakes.append("root: scope: user needs a running user manager; use scope: global for units of every user")
    if root and not os.path.isdir(root):
        mistakes.append(f"root: {root} is not a folder on this host; unpack or mount the image first")
    if mistakes:
        raise DeclarationError(mistakes)

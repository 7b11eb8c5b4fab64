# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of ``unit`` and ``units`` as AnsibleModule takes them."""

from __future__ import annotations

import os
import typing as t

from .._engine.probe_rules import PROBE_KINDS

_LONGEST_WAIT = 86400  # seconds
_STATES = ("present", "started", "stopped", "restarted", "reloaded", "absent")


class DeclarationError(Exception):
    """Options contradict each other or name what cannot exist.

    :ivar messages: list of str, one for each mistake.
    """

    def __init__(self, messages: t.Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = list(messages)


class Sent(t.NamedTuple):
    """What the action plugin adds to the options, as ``_sent``. It is no option, so it is neither logged nor returned.

    :ivar files: for each item its entries.
    :ivar secret_digests: of secrets, and as good as short ones; entries refer to them by number.
    :ivar payload: path of the file with contents.
    :ivar releases: for each item what ``src`` of its release is: ``{digest, packed}``, see ``Release``.
    :ivar archives: ``{digest: path}`` of those that were sent.
    :ivar call: ``ask``: only tell which contents are needed; ``try``: do so in place of the work; ``do``: fail then.
    :ivar accounts: users and groups to make or remove, see ``plan_accounts``; from the roles.
    """

    files: t.Sequence[t.Sequence[t.Mapping[str, t.Any]]] = ()
    secret_digests: t.Sequence[str] = ()
    payload: str = ""
    releases: t.Sequence[t.Mapping[str, t.Any] | None] = ()
    archives: t.Mapping[str, str] = {}
    call: str = "do"
    accounts: t.Sequence[t.Mapping[str, t.Any]] = ()


class ContentsNeeded(Exception):
    """The controller has to send contents.

    :ivar numbers: which entries of all ``Sent.files``, in their order.
    :ivar archives: digests of releases.
    """

    def __init__(self, numbers: t.Sequence[int], archives: t.Sequence[str] = ()) -> None:
        super().__init__("contents are needed")
        self.numbers = list(numbers)
        self.archives = list(archives)


def health_option() -> dict[str, t.Any]:
    """Argument spec of ``health``."""
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
            "mutually_exclusive": [PROBE_KINDS],
            "required_one_of": [PROBE_KINDS],
        },
    }
    return {"type": "dict", "options": health}


def unit_options() -> dict[str, t.Any]:
    """Argument spec of one unit: options of ``unit``, and of each item of ``units``."""
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
        "health": health_option(),
        "files": {"type": "list", "elements": "dict", "options": file_options(), **FILE_RULES},
        "release": {"type": "dict", "options": release_options(), **RELEASE_RULES},
        "swap": {"type": "dict", "options": swap_options(), "required_together": [("link", "target")]},
    }


_SOURCES = ("src", "template", "content", "secret", "link", "directory", "state")
FILE_RULES = {"mutually_exclusive": [_SOURCES], "required_one_of": [_SOURCES]}


def file_options() -> dict[str, t.Any]:
    """Argument spec of an item of ``files``, which the action plugin turns into entries of ``Sent.files``."""
    return {
        "path": {"type": "str", "required": True},
        "src": {"type": "str"},
        "template": {"type": "str"},
        "content": {"type": "str"},
        "secret": {"type": "str", "no_log": True},
        "link": {"type": "str"},
        "directory": {"type": "bool"},
        "state": {"type": "str", "choices": ["absent"]},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "raw"},
        "on_change": {"type": "str", "choices": ["restart", "reload", "none"], "default": "restart"},
        "validate": {"type": "list", "elements": "str"},
    }


_RELEASE_SOURCES = ("src", "remote_src")
RELEASE_RULES: dict[str, t.Any] = {
    "mutually_exclusive": [_RELEASE_SOURCES],
    "required_one_of": [_RELEASE_SOURCES],
}


def release_options() -> dict[str, t.Any]:
    """Argument spec of ``release``; what ``src`` is stands in ``Sent``."""
    return {
        "path": {"type": "str", "required": True},
        "src": {"type": "str"},
        "remote_src": {"type": "str"},
        "version": {"type": "str"},
        "checksum": {"type": "str"},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "prepare": {"type": "list", "elements": "raw"},
        "prepare_user": {"type": "str"},
        "prepare_timeout": {"type": "float", "default": 900},
        "shared": {"type": "dict"},
        "keep": {"type": "int", "default": 5},
    }


def swap_options() -> dict[str, t.Any]:
    """Argument spec of ``swap``."""
    return {
        "link": {"type": "str"},
        "target": {"type": "str"},
        "command": {"type": "list", "elements": "str"},
        "drain": {"type": "float", "default": 10},
    }


def confirm_option() -> dict[str, t.Any]:
    """Argument spec of ``confirm``."""
    return {"type": "dict", "options": {"within": {"type": "float", "default": 60}}}


def rolling_option() -> dict[str, t.Any]:
    """Argument spec of ``rolling``."""
    rolling = {
        "max_parallel": {"type": "int", "default": 1},
        "min_healthy_time": {"type": "float", "default": 0},
        "units": {"type": "list", "elements": "str", "default": []},
    }
    return {"type": "dict", "options": rolling}


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
        "confirm": confirm_option(),
        "rolling": rolling_option(),
        "set_name": {"type": "str"},
        "prune": {"type": "bool", "default": False},
        "keep_generations": {"type": "int", "default": 5},
    }


def check_set_options(params: t.Mapping[str, t.Any], items: t.Sequence[t.Mapping[str, t.Any]] = ()) -> None:
    """Check that the options of ``set_options`` fit together.

    :param items: values of ``unit_options``.
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
    if params["keep_generations"] < 0:
        mistakes.append(f"keep_generations: {params['keep_generations']} is below 0; write how many are kept, or 0")
    if scope == "user" and root:
        mistakes.append("root: scope: user needs a running user manager; use scope: global for units of every user")
    exposure = params["max_exposure"]
    if exposure is not None and not 0 <= exposure <= 10:
        mistakes.append(f"max_exposure: {exposure} is not a score; systemd-analyze security gives 0.0 (safe) to 10.0")
    if root and not root.startswith("/"):
        mistakes.append(f"root: {root} is not an absolute path; write the whole path on the host")
    elif root and not os.path.isdir(root):
        mistakes.append(f"root: {root} is not a folder on this host; unpack or mount the image first")
    mistakes += _confirm_mistakes(params, items) if params["confirm"] else []
    mistakes += _rolling_mistakes(params["rolling"]) if params["rolling"] else []
    if mistakes:
        raise DeclarationError(mistakes)


def _rolling_mistakes(rolling: t.Mapping[str, t.Any]) -> list[str]:
    mistakes = []
    if rolling["max_parallel"] < 1:
        mistakes.append(f"rolling: max_parallel: {rolling['max_parallel']} is below 1, so nothing would be restarted")
    if rolling["min_healthy_time"] < 0:
        mistakes.append(f"rolling: min_healthy_time: {rolling['min_healthy_time']:g} is not a number of seconds")
    return mistakes


def _confirm_mistakes(params: t.Mapping[str, t.Any], items: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    within = params["confirm"]["within"]
    mistakes = []
    if not 1 <= within <= _LONGEST_WAIT:
        mistakes.append(f"confirm: within: {within:g} is not a number of seconds from 1 to {_LONGEST_WAIT}")
    for item in items:
        timeout = item["health"]["timeout"] if item["health"] else 0
        if timeout > within:
            mistakes.append(
                f"confirm: within: {within:g} s are less than the {timeout:g} s of {item['name']}'s health.timeout; the"
                " old version must be able to get healthy again in this time"
            )
    if not params["rollback"]:
        mistakes.append("confirm: rollback: false keeps what fails; what is not confirmed is always put back")
    if params["root"]:
        mistakes.append("confirm: root: an image has no systemd that could put the old state back")
    if os.geteuid() != 0:
        mistakes.append("confirm: needs root, since the way back is for root alone; set become: true")
    return mistakes

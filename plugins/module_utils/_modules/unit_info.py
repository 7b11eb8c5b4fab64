# SPDX-License-Identifier: GPL-3.0-or-later

"""``unit_info`` as Ansible runs it."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._host.manager import Manager
from .._host.systemd import SystemdError
from .info import ASPECTS, Question, ask, full_name


def argument_spec() -> dict[str, t.Any]:
    """The options of ``unit_info`` as AnsibleModule takes them."""
    return {
        "name": {"type": "list", "elements": "str", "default": ["*"], "aliases": ["names"]},
        "what": {
            "type": "list",
            "elements": "str",
            "choices": list(ASPECTS),
            "default": ["definition", "state"],
        },
        "scope": {"type": "str", "choices": ["system", "user", "global"], "default": "system"},
        "user": {"type": "str"},
        "root": {"type": "path"},
        "journal_lines": {"type": "int", "default": 10},
    }


def run_unit_info() -> None:
    """The module ``unit_info``."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    options = module.params
    if options["user"] and options["scope"] != "user":
        module.fail_json(msg="user: only scope: user has a user; leave one of the two out")
    if options["root"] and options["scope"] == "user":
        module.fail_json(msg="root: the units of one user cannot be read below a root; use scope: system or global")
    if not 0 < options["journal_lines"] <= 1000:
        module.fail_json(msg=f"journal_lines: {options['journal_lines']} is not between 1 and 1000")
    try:
        names = tuple(full_name(name) for name in options["name"])
        question = Question(names, frozenset(options["what"]), options["journal_lines"])
        systemd = Manager(options["scope"], options["user"] or "", root=options["root"] or "")
        answer = ask(systemd, question)
    except (ValueError, SystemdError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        units=answer.units,
        findings=[finding._asdict() for finding in answer.findings],
        **({} if answer.generations is None else {"generations": answer.generations}),
    )

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Calls a module of the collection, and takes what the host answers as data.

To Ansible an answer may be more: facts are variables that count before those of the inventory (with a delegated task
even for another host), ``add_host`` makes hosts. Root on one host would choose what the controller does.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

_ACTED_ON = ("ansible_facts", "ansible_stats", "add_host", "add_group")  # by Ansible, in any result of a module


class CallingAction(ActionBase):
    """A module that runs as if there were no plugin, but for what Ansible would act on in its result."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        """Run the module."""
        result = super().run(tmp, task_vars)
        try:
            return merge_hash(result, self.work(dict(self._task.args), task_vars or {}))
        finally:
            if not self._task.async_val:
                self._remove_tmp_path(self._connection._shell.tmpdir)

    def work(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the task does with its arguments; returns the result."""
        return self._call(args, task_vars)

    def _call(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], wrap: bool = True) -> dict[str, t.Any]:
        wrap_async = self._task.async_val if wrap else False
        done = self._execute_module(module_args=args, task_vars=task_vars, wrap_async=wrap_async)
        told = {key: value for key, value in done.items() if key not in _ACTED_ON}
        # Of an ansible-core that hands it on so; without it, each task would look for Python again.
        if self._discovered_interpreter_key and self._discovered_interpreter_key in (done.get("ansible_facts") or {}):
            told["ansible_facts"] = {self._discovered_interpreter_key: self._discovered_interpreter}
        return told

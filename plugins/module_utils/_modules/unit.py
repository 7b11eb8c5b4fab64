# SPDX-License-Identifier: GPL-3.0-or-later

"""``unit`` and ``units`` as Ansible runs them."""

from __future__ import annotations

import gc
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._engine.desired import PlanError
from .._engine.store import TransactionError
from .._host.systemd import SystemdError
from .options import ContentsNeeded, DeclarationError, Sent, set_options, unit_options
from .result import describe_failure, printable
from .task import FindingsError, Task


class Module(AnsibleModule):  # type: ignore[misc]  # Ansible has no type annotations
    """A module whose action plugin adds to its options."""

    sent = Sent()

    def _load_params(self) -> None:
        """Take what the action plugin adds out of the parameters, before they are judged and logged."""
        super()._load_params()
        self.sent = Sent(**self.params.pop("_sent", {}))

    def log(self, msg: t.Any, log_args: t.Any = None) -> None:
        """Log a text. Python 3.14 ends the module for a NUL in it, before anybody could say where the NUL stands."""
        super().log(msg.replace("\0", "\\0") if isinstance(msg, str) else msg, log_args)


def run_unit() -> None:
    """The module ``unit``: a set of one item."""
    module = Module(argument_spec={**unit_options(), **set_options()}, supports_check_mode=True)
    _run(module, [{option: module.params[option] for option in unit_options()}], listed=False)


def run_units() -> None:
    """The module ``units``."""
    items = {"type": "list", "elements": "dict", "required": True, "options": unit_options()}
    module = Module(argument_spec={"units": items, **set_options()}, supports_check_mode=True)
    _run(module, module.params["units"], listed=True)


def _run(module: Module, items: t.Sequence[t.Mapping[str, t.Any]], listed: bool) -> None:
    gc.disable()  # the process is short, leaves no cycles of any size, and saves a tenth of its time
    try:
        run_task(module, Task(module.params, items, listed, module.check_mode, module._diff, module.sent))
    finally:
        gc.enable()  # some keep the process for their next task, as Mitogen does


def run_task(module: AnsibleModule, task: Task) -> None:
    """Carry out a task and end the module with what it returns."""
    try:
        result = task.run()
    except ContentsNeeded as needed:
        recovered = {name: task.result[name] for name in ("recovered",) if name in task.result}
        module.exit_json(changed=False, _needs=needed.numbers, _needs_archives=needed.archives, **recovered)
    except (DeclarationError, PlanError, SystemdError, TransactionError) as error:
        told = describe_failure(error) if isinstance(error, TransactionError) else {"changed": False}
        message = ". Until then: ".join(filter(None, [task.waiting(), str(error)]))
        module.fail_json(msg=printable(message), **{**task.result, **told})
    except FindingsError as error:
        task.result.update(changed=False, actions=[], diff=[])
        _warn(module, task.warnings)
        module.fail_json(msg=str(error), **task.result)
    _warn(module, task.warnings)
    module.exit_json(**result)


def _warn(module: AnsibleModule, warnings: t.Iterable[str]) -> None:
    for warning in warnings:
        module.warn(warning)

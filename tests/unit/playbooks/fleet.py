# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In the place of ``units``, ``unit_info`` and ``rollback``: a host is the file ``$FLEET/HOST.json`` on the controller.

It is ``{current, kept, fault, gone}``: the generation, all of them, what goes wrong, whether it cannot be reached. The
faults: ``deploy`` (the deployment fails), ``crash`` (a unit of the new version fails later), ``everywhere`` (so does
that of the old one), ``stuck`` (as crash, and the revert fails), ``gone`` (it cannot be reached from then on),
``kill`` (the controller dies in it), ``facts`` (a task of the deployment returns facts that name ``evil.yml``).
"""

from __future__ import annotations

import json
import os
import pathlib
import signal

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """All three of them, by the name of the task's action."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """See ``ActionBase``."""
        result = super().run(tmp, task_vars)
        name = self._task.delegate_to or task_vars["inventory_hostname"]
        path = pathlib.Path(os.environ["FLEET"], f"{name}.json")
        host = json.loads(path.read_text(encoding="utf-8"))
        if not host["gone"]:
            does = {"units": self._deploy, "rollback": self._go_back, "unit_info": self._tell}
            result.update(does[self._task.action.rpartition(".")[2]](host))
            path.write_text(json.dumps(host), encoding="utf-8")
        if host["gone"]:
            raise AnsibleConnectionFailure("no route to host")
        return result

    def _deploy(self, host):
        if self._task.check_mode:
            return {"changed": True}
        if host["fault"] == "deploy":
            return {"failed": True, "msg": "echo.service: its process ended with exit status 1"}
        host["current"] = max(host["kept"]) + 1
        host["kept"].append(host["current"])
        host["gone"] = host["fault"] == "gone"
        if host["fault"] == "kill":
            os.kill(os.getppid(), signal.SIGKILL)
        evil = dict.fromkeys(("rollout_after", "rollout_check"), "evil.yml") if host["fault"] == "facts" else {}
        return {"changed": True, "ansible_facts": evil}

    def _go_back(self, host):
        if host["fault"] == "stuck":
            return {"failed": True, "msg": "echo.service does not come up"}
        host["current"] = int(self._task.args["to"])
        return {"changed": True}

    def _tell(self, host):
        if "generations" in self._task.args["what"]:
            units = ["echo.service"]
            kept = [{"number": n, "current": n == host["current"], "units": units} for n in host["kept"]]
            return {"units": {}, "generations": {"echo": kept}}
        is_new = host["current"] > 1
        is_bad = host["fault"] == "everywhere" or (host["fault"] in ("crash", "stuck") and is_new)
        state = {"active_state": "failed" if is_bad else "active", "n_restarts": 0, "result": "exit-code"}
        return {"units": {"echo.service": {"state": state}}}

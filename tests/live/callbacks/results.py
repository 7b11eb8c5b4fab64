# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what each task returned to the file RESULTS, a line of JSON for each."""

from __future__ import annotations

DOCUMENTATION = """
name: results
type: notification
short_description: Write what each task returned to a file
description: For the tests that call modules through Ansible.
"""

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Ansible calls these methods by name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results"

    def _write(self, result, **more):
        values = getattr(result, "result", None) or result._result
        with open(os.environ["RESULTS"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps({**values, **more}, default=str) + "\n")

    def v2_runner_on_ok(self, result):
        self._write(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write(result, failed=True, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self._write(result, unreachable=True)

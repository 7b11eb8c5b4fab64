# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role worker refuses before it does anything: the cases of cases/repo/worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from case_files import load

ROLE = Path(__file__).parents[3] / "roles" / "worker"


@pytest.fixture(scope="module")
def variables():
    """Those of the role, before anybody sets one."""
    read = [
        DataLoader().load_from_file(str(ROLE / folder / "main.yml"), trusted_as_template=True)
        for folder in ("defaults", "vars")
    ]
    return {**read[0], **read[1]}


@pytest.mark.parametrize("case", load("repo/worker"))
def test_what_is_refused_and_why(case, variables):
    templar = Templar(DataLoader(), {**variables, **case["given"]})
    refused = {
        check["about"]: check["message"]
        for check in templar.template(variables["__worker_checks"])
        if not check["good"]
    }
    expected = case.get("refused", {})
    assert refused.keys() == expected.keys()
    assert [name for name, part in expected.items() if part not in refused[name]] == []

# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``systemd-analyze security`` would say of services that are not in place yet."""

from __future__ import annotations

import typing as t

from .._model import ERROR, Finding
from .._syntax.names import instance_name, is_template
from .security import parse_security
from .systemd import Runner, SystemdError
from .verify import VERIFY_TIMEOUT, Staged, stage_files

_SECURITY_OFFLINE_SINCE = 250  # systemd-analyze security --offline= (NEWS of 250)


def exposure(runner: Runner, files: t.Sequence[Staged], release: int, highest: float) -> list[Finding]:
    """Services of a set whose ``systemd-analyze security`` score would be over ``highest`` (0.0 to 10.0).

    :raises SystemdError: when systemd-analyze cannot judge files that are not in place yet, or does not end.
    """
    services = sorted({file.unit for file in files if file.unit.endswith(".service")})
    if not services:
        return []
    if release < _SECURITY_OFFLINE_SINCE:
        raise SystemdError(
            "max_exposure: systemd-analyze judges files before they are in place since systemd"
            f" {_SECURITY_OFFLINE_SINCE}, and this host has {release}; leave max_exposure out here"
        )
    with stage_files(files) as stage:
        # A template is judged by an instance; the name is as good as any.
        names = [instance_name(name, "exposure") if is_template(name) else name for name in services]
        argv = ["systemd-analyze", "--no-pager", "security", "--offline=true", "--threshold=100", "--", *names]
        reply = runner.command(argv, VERIFY_TIMEOUT, {"SYSTEMD_UNIT_PATH": f"{stage}:"})
    judged = parse_security(reply.out, worst=5)
    findings = []
    for service, name in zip(services, names):
        score = judged.get(name) or judged.get(service)
        if score is None:
            raise SystemdError(f"max_exposure: systemd-analyze security says nothing of {service}: {reply.err.strip()}")
        if score["exposure"] > highest:
            worst = ", ".join(f"{point['setting']} ({point['exposure']})" for point in score["points"])
            message = f"its exposure would be {score['exposure']} ({score['level']}), and max_exposure allows {highest}"
            hint = f"set what counts most: {worst}" if worst else ""
            findings.append(Finding("max-exposure", ERROR, service, message, hint, source="verify"))
    return findings

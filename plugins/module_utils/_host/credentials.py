# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets encrypted with the key of this host, systemd-creds(1), from systemd 250 on."""

from __future__ import annotations

import hashlib

from .systemd import Runner, SystemdError

_PROGRAM = "systemd-creds"


def is_encrypted(runner: Runner, name: str, data: bytes, digest: str) -> bool:
    """Whether *data* is a text with this digest that was encrypted on this host under this name.

    Two encryptions of one text differ, and the digest of a text is not kept anywhere: that of a short one tells it.
    """
    reply = runner.command([_PROGRAM, "decrypt", f"--name={name}", "-", "-"], data=data)
    return reply.code == 0 and hashlib.sha256(reply.out.encode()).hexdigest() == digest


def encrypted(runner: Runner, name: str, text: bytes) -> bytes:
    """A text that only this host can read again, and only under this name.

    :raises SystemdError: when the host cannot encrypt.
    """
    reply = runner.command([_PROGRAM, "encrypt", f"--name={name}", "-", "-"], data=text)
    if reply.code != 0:
        raise SystemdError(
            f"{_PROGRAM} cannot encrypt {name!r}: {reply.words()}. Nothing was changed; use credentials instead"
        )
    return reply.out.encode()

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client in the container that asks the instances of a template over and over while they are deployed."""

from __future__ import annotations

import contextlib
import json
import typing as t

from live.target import Target


@contextlib.contextmanager
def watching(target: Target, client: str) -> t.Iterator[t.Callable[[], t.Any]]:
    """Run a client; gives a function that ends it and returns what it saw.

    :param client: a program in Python that ends when /run/t-stop is there, and puts what it has seen so far as JSON
        into /run/t-watch, by a rename.
    """
    target.write("/run/t-watch.py", client)
    target.sh("rm -f /run/t-stop /run/t-watch; python3 /run/t-watch.py >/dev/null 2>&1 &")
    target.wait_for("test -e /run/t-watch")

    def seen() -> t.Any:
        target.sh("touch /run/t-stop")
        target.wait_for("! pgrep -f '/run/t-watch[.]py'")
        return json.loads(target.sh("cat /run/t-watch"))

    try:
        yield seen
    finally:
        target.sh("touch /run/t-stop", check=False)


def put_program(target: Target, program: str, version: str, sick: str) -> str:
    """Put the program of a version beside those of other versions; returns its path."""
    path = f"/opt/t-w/{version}"
    target.write(path, program.replace("@SICK@", sick).replace("@VERSION@", version), "0755")
    return path

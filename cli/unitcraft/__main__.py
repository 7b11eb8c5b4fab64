# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``unitcraft COMMAND``: reads the command line and hands over to the command's own file."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from . import command_line
from .errors import BAD_INPUT, InputError
from .shown import say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :returns: 0; 1 for findings; 2 for input that cannot be used, or output that cannot be written.
    """
    options = command_line.parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A unit file may hold any character, and the terminal's encoding need not have it.
        getattr(stream, "reconfigure", lambda **_options: None)(errors="backslashreplace")
    try:
        if sys.stdout is None:
            raise InputError("there is no standard output to write to")
        return _run(options)
    except InputError as error:
        say(options.command, str(error))
        return BAD_INPUT
    except OSError as error:
        # Python would write to it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # of `unitcraft ... | head`
            return 0
        say(options.command, str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(options: argparse.Namespace) -> int:
    # Only the command that is asked for is loaded: a start takes a tenth of a second, most of it for reading code.
    import importlib

    command = importlib.import_module(f".{options.command.replace('-', '_')}_command", __package__)
    status: int = command.run(options)
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of every command."""

from __future__ import annotations

import argparse

FORMATS = ("text", "json", "sarif", "github", "junit")
SEVERITIES = ("error", "warning", "info", "never")
EXIT_STATUS = "exit status: 0 nothing found; 1 findings of severity --fail-on or above; 2 input that cannot be used"


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; ``command`` names what was asked for."""
    whole = argparse.ArgumentParser(
        prog="unitcraft", description="Check, explain and draw systemd unit files. Needs neither systemd nor Ansible."
    )
    whole.add_argument("--version", action="version", version=f"unitcraft {version()}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _lint(commands.add_parser("lint", help="check unit files", epilog=EXIT_STATUS))
    explain = commands.add_parser("explain", help="explain a rule; without one, list all")
    explain.add_argument("rule", nargs="?", metavar="RULE")
    graph = commands.add_parser("graph", help="draw the dependencies of unit files")
    graph.add_argument("paths", nargs="+", metavar="PATH", help="unit file, drop-in or folder")
    graph.add_argument("--format", choices=("dot", "mermaid"), default="dot")
    graph.add_argument("--everything", action="store_true", help="draw default dependencies too")
    _calendar(commands.add_parser("calendar", help="show what a calendar event means, and when it comes next"))
    from_unit = commands.add_parser("from-unit", help="turn a unit file into YAML for unitcraft.systemd.units")
    from_unit.add_argument("paths", nargs="+", metavar="PATH", help="unit file or drop-in")
    return whole


def version() -> str:
    """The release of this program; in a checkout that of the collection."""
    from pathlib import Path

    here = Path(__file__)
    try:
        from .built import VERSION  # type: ignore[import-not-found]  # written by `make dist`
    except ImportError:
        text = (here.resolve().parents[2] / "galaxy.yml").read_text(encoding="utf-8")
        return next(line.split()[1] for line in text.splitlines() if line.startswith("version:"))
    return str(VERSION)


def _lint(lint: argparse.ArgumentParser) -> None:
    lint.add_argument("paths", nargs="*", metavar="PATH", help="unit file, drop-in or folder; - for standard input")
    lint.add_argument(
        "--systemd",
        metavar="RELEASES",
        help="releases to check for, with commas between them: 247,252 (default: the newest that is known)",
    )
    lint.add_argument("--format", choices=FORMATS, default="text")
    lint.add_argument("--fail-on", choices=SEVERITIES, default="error", help="lowest severity that fails (%(default)s)")
    lint.add_argument(
        "--ignore", action="append", default=[], metavar="RULE[:UNIT]", help="leave out a rule; repeatable"
    )
    lint.add_argument("--user", action="store_true", help="the units are for the managers of users")
    lint.add_argument("--name", metavar="UNIT", help="name of the unit that comes from standard input")
    lint.add_argument("--baseline", metavar="FILE", help="leave out the findings that this file holds")
    lint.add_argument("--write-baseline", metavar="FILE", help="write the findings to a file for --baseline")


def _calendar(calendar: argparse.ArgumentParser) -> None:
    calendar.add_argument("event", metavar="EVENT", help="as for OnCalendar=, for example 'Mon *-*-* 03:00'")
    calendar.add_argument("--iterations", type=int, default=5, metavar="N", help="how many moments (%(default)s)")
    calendar.add_argument("--after", metavar="TIME", help="YYYY-MM-DD HH:MM[:SS] (default: now)")

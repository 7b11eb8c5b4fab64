# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command beside the workers: puts jobs in, shows counts, deals with jobs that were set aside."""

from __future__ import annotations

import argparse
import json
import sys
import typing as t

from jobqueue import JobQueue, read_config, read_url
from redis.exceptions import RedisError


def _json(text: str) -> t.Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error


def _put(queue: JobQueue, _config: dict[str, t.Any], options: argparse.Namespace) -> int:
    job_id = queue.put(options.type, options.payload, options.id, options.delay)
    if job_id is None:
        print(f"{options.id}: is in the queue already", file=sys.stderr)
        return 0
    print(job_id)
    return 0


def _load(queue: JobQueue, _config: dict[str, t.Any], _options: argparse.Namespace) -> int:
    put = 0
    for number, line in enumerate(sys.stdin, 1):
        try:
            job = json.loads(line)
            arguments = (job["type"], job.get("payload"), job.get("id", ""), job.get("delay", 0))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            print(f"line {number}: want {{type, payload, id, delay}}: {error!r}; {put} put in", file=sys.stderr)
            return 1
        put += queue.put(*arguments) is not None
    print(put)
    return 0


def _counts(queue: JobQueue, _config: dict[str, t.Any], options: argparse.Namespace) -> int:
    counts = queue.counts()
    if options.json:
        print(json.dumps(counts))
    else:
        for name, number in counts.items():
            print(f"{name:8} {number}")
    return 0


def _dead(queue: JobQueue, _config: dict[str, t.Any], _options: argparse.Namespace) -> int:
    for job, message in queue.dead():
        print(json.dumps({**job, "error": message}))
    return 0


def _retry_dead(queue: JobQueue, _config: dict[str, t.Any], _options: argparse.Namespace) -> int:
    print(queue.retry_dead())
    return 0


def _drop_dead(queue: JobQueue, _config: dict[str, t.Any], _options: argparse.Namespace) -> int:
    print(queue.drop_dead())
    return 0


def _release(queue: JobQueue, config: dict[str, t.Any], options: argparse.Namespace) -> int:
    print(queue.release(options.worker, config["max_losses"]))
    return 0


def parser(program: str) -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog=program, description="Jobs for the workers.")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: t.Callable[..., int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    put = add("put", _put, "Put one job in and print its id.")
    put.add_argument("type", help="what the handler is to do")
    put.add_argument("payload", nargs="?", type=_json, help="any JSON value (default: null)")
    put.add_argument("--id", default="", help="do nothing when a job of this id is in the queue already")
    put.add_argument("--delay", type=float, default=0, metavar="SECONDS", help="not to be done before")
    add("load", _load, "Put in one job per line of standard input: {type, payload, id, delay} as JSON.")
    counts = add("counts", _counts, "Show how many jobs wait, run, were done, failed, were lost and given out again.")
    counts.add_argument("--json", action="store_true")
    add("dead", _dead, "Show the jobs that were set aside, as JSON, one per line.")
    add("retry-dead", _retry_dead, "Give the jobs that were set aside another round of attempts.")
    add("drop-dead", _drop_dead, "Delete the jobs that were set aside.")
    release = add("release", _release, "Give back what a worker held that is gone.")
    release.add_argument("worker", help="its name: HOST:INSTANCE")
    return top


def main(config_path: str, program: str, argv: list[str]) -> int:
    """Run as a program.

    :param config_path: the role's JSON file.
    """
    options = parser(program).parse_args(argv)
    try:
        config = read_config(config_path)
        return options.run(JobQueue(read_url(config), config["name"]), config, options)
    except (OSError, RedisError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queue as Python sees it. What happens in Redis stands in queue.lua, which JobQueue.php uses too."""

from __future__ import annotations

import json
import os
import time
import typing as t
import uuid

import redis

Job = dict[str, t.Any]  # {"id": str, "type": str, "payload": any JSON value, "put_at": seconds since 1970}

_PROTOCOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "queue.lua")


def read_config(path: str) -> dict[str, t.Any]:
    """The role's configuration file (JSON) as a mapping."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_url(config: dict[str, t.Any]) -> str:
    """The URL of Redis: from the credential of the unit (systemd.exec(5), LoadCredential=), otherwise from the file.

    :raises OSError: neither can be read.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = os.path.join(folder, "redis-url") if folder else config["url_file"]
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


class JobQueue:
    """One queue, for those who put jobs in as well as for workers.

    :param url: ``redis://[user:password@]host:port/db``, ``rediss://`` for TLS or
        ``unix://[user:password@]/path?db=0``.
    :param name: name of the queue; two queues in one Redis need two names.

    Every method raises ``redis.exceptions.ConnectionError`` or ``TimeoutError`` when Redis does not answer.
    """

    def __init__(self, url: str, name: str) -> None:
        # The timeout keeps a hanging call from blocking a worker for ever. Blocking calls here wait 2 s at most.
        # Other clients may have written bytes that are not UTF-8.
        self._redis = redis.Redis.from_url(
            url, decode_responses=True, encoding_errors="surrogateescape", socket_timeout=20
        )
        self._prefix = "{" + name + "}"
        with open(_PROTOCOL, encoding="utf-8") as file:
            self._protocol = self._redis.register_script(file.read())

    def _call(self, operation: str, *arguments: t.Any) -> t.Any:
        return self._protocol(keys=[self._prefix], args=[operation, *arguments])

    def put(self, job_type: str, payload: t.Any = None, job_id: str = "", delay: float = 0) -> str | None:
        """Put one job in.

        :param job_id: chosen by the caller, to put the same job in at most once; empty makes a new one.
        :param delay: seconds before it may be taken.
        :returns: the id, or ``None`` when a job of this id is waiting, running or set aside already.
        """
        job_id = job_id or uuid.uuid4().hex
        job = {"id": job_id, "type": job_type, "payload": payload, "put_at": time.time()}
        return job_id if self._call("put", job_id, json.dumps(job), delay) else None

    def take(self, worker: str, wait: int) -> str | None:
        """Move the oldest ready job to the list of the worker and return its id; ``None`` after ``wait`` seconds."""
        # BLMOVE, its successor, needs Redis 6.2; Debian 11 has 6.0.
        return self._redis.brpoplpush(self._prefix + ":ready", f"{self._prefix}:taken:{worker}", wait)

    def start(self, worker: str, job_id: str, lease: float) -> Job | None:
        """Start the job just taken; the worker counts as alive for ``lease`` seconds.

        :returns: the job, or ``None`` if it no longer belongs to this worker.
        """
        text = self._call("start", worker, job_id, lease)
        return json.loads(text) if text else None

    def done(self, worker: str, job_id: str) -> bool:
        """The job is done. ``False``: it was given to another worker in the meantime."""
        return bool(self._call("done", worker, job_id))

    def fail(self, worker: str, job_id: str, message: str, max_attempts: int, delay: float) -> str:
        """Report that the handler failed.

        :returns: ``retry`` (after ``delay`` seconds, doubled each time), ``dead`` (set aside) or ``gone``.
        """
        # A lone surrogate in the text of an exception cannot be sent as UTF-8.
        message = message.encode(errors="backslashreplace").decode()
        return self._call("fail", worker, job_id, message, max_attempts, delay)

    def tick(self, worker: str, lease: float, max_losses: int) -> int:
        """Renew the lease; make due jobs ready and requeue those of dead workers. Returns how many moved."""
        return self._call("tick", worker, lease, max_losses)

    def release(self, worker: str, max_losses: int) -> int:
        """Give back what a worker held that died. Returns the number of jobs."""
        return self._call("release", worker, max_losses)

    def leave(self, worker: str) -> int:
        """The worker ends in good order; a job that it has not begun goes back. Returns the number of jobs."""
        return self._call("leave", worker)

    def counts(self) -> dict[str, int]:
        """Jobs by state, workers alive, and totals since the queue began."""
        flat = self._call("counts")
        return dict(zip(flat[::2], flat[1::2]))

    def dead(self) -> list[tuple[Job, str]]:
        """Those set aside, oldest first, each with what went wrong last."""
        flat = self._call("dead")
        return [(json.loads(job), message) for job, message in zip(flat[::2], flat[1::2])]

    def retry_dead(self) -> int:
        """Make those set aside ready again. Returns how many."""
        return self._call("retry_dead")

    def drop_dead(self) -> int:
        """Delete those set aside. Returns how many."""
        return self._call("drop_dead")

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker: takes jobs from the queue and runs them, one after the other, until SIGTERM.

Usage: ``worker.py CONFIG NAME``. CONFIG is the role's JSON file, NAME names this worker among all that share the queue.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
import typing as t

from jobqueue import Job, JobQueue, read_config, read_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

NO_ANSWER = (RedisConnectionError, RedisTimeoutError)
WAIT = 2  # seconds that an idle worker waits for a job before it looks around
PATIENCE = 30.0  # seconds without an answer from Redis after which the worker gives up; systemd starts it again
PR_SET_PDEATHSIG = 1  # prctl(2)


class JobTimeout(BaseException):
    """The job took too long. Not an Exception, so that no ``except Exception`` of a handler swallows it."""


class JobFailed(Exception):
    """The command ended badly; the message says how."""


def log(level: int, message: str) -> None:
    """One line to the journal; level as in syslog(3), the prefix as in sd-daemon(3)."""
    for line in message.rstrip().splitlines():
        print(f"<{level}>{line}", file=sys.stderr, flush=True)


def notify(message: str) -> None:
    """Tell systemd about our state (sd_notify(3)); nothing happens when it did not ask."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect("\0" + path[1:] if path.startswith("@") else path)
            sender.sendall(message.encode())


def load_handler(path: str) -> t.Callable[[Job], t.Any]:
    """The function ``handle`` of a Python file.

    :raises AttributeError: the file has no such function.
    """
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location("handler", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["handler"] = module
    spec.loader.exec_module(module)
    return module.handle


def command_handler(argv: list[str]) -> t.Callable[[Job], None]:
    """A handler that runs a program with the payload, as JSON, on its standard input."""
    libc = ctypes.CDLL(None)

    def die_with_the_worker() -> None:
        # The job of a killed worker is given to another one; the program must not run on beside it.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def handle(job: Job) -> None:
        environment = {**os.environ, "JOB_ID": job["id"], "JOB_TYPE": job["type"]}
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_the_worker,
        ) as process:
            try:
                _unused, errors = process.communicate(json.dumps(job["payload"]).encode())
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        text = errors.decode(errors="replace").strip()
        if process.returncode:
            raise JobFailed(f"{argv[0]} ended with {process.returncode}: {text[-500:]}")
        if text:
            log(5, text)

    return handle


class Worker:
    """The loop. Nothing is lost whenever it is killed: what it has in hand stays in its list in Redis."""

    def __init__(self, config: dict[str, t.Any], name: str, handler: t.Callable[[Job], t.Any]) -> None:
        self.config = config
        self.name = name
        self.handler = handler
        self.queue = JobQueue(read_url(config), config["name"])
        self.stopping = False
        self.done = self.failed = 0
        self.next_tick = 0.0
        self.unanswered_since: float | None = None

    def stop(self, *_signal: t.Any) -> None:
        """Finish the job in hand, take no other."""
        self.stopping = True

    def run(self) -> None:
        """Work until SIGTERM, or until the number of jobs is reached after which a fresh process shall follow."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        signal.signal(signal.SIGALRM, self._out_of_time)
        while not self.stopping:
            try:
                # Nothing is in hand here. What the list holds was taken by a process before this one,
                # or by a call whose answer was lost with the connection.
                self.queue.release(self.name, self.config["max_losses"])
                self.next_tick = 0.0
                while not self.stopping:
                    self._tick()
                    self._one_job()
                self.queue.leave(self.name)
            except NO_ANSWER as error:
                self._wait_for_redis(error)
        log(6, f"ends after {self.done} jobs done and {self.failed} failed")

    def _tick(self) -> None:
        if time.monotonic() < self.next_tick:
            return
        first = self.next_tick == 0.0
        self.queue.tick(self.name, self.config["lease"], self.config["max_losses"])
        self.unanswered_since = None
        self.next_tick = time.monotonic() + WAIT
        notify(("READY=1\n" if first else "") + f"WATCHDOG=1\nSTATUS={self.done} jobs done, {self.failed} failed")

    def _one_job(self) -> None:
        job_id = self.queue.take(self.name, WAIT)
        if job_id is None or self.stopping:
            return
        try:
            job = self.queue.start(self.name, job_id, self.config["lease"])
        except ValueError as problem:
            # Another client wrote it. It counts as failed; a crash here would kill one worker after the other.
            self._report_failure({"id": job_id, "type": "unknown"}, f"the job is not valid JSON: {problem}")
            return
        if job is None:
            return
        error = self._handle(job)
        if error is None:
            mine = self._surely(lambda: self.queue.done(self.name, job_id))
            self.done += 1
            if not mine:
                log(4, f"job {job_id} was done, but is no longer ours: it may be done twice")
        else:
            self._report_failure(job, error)
        if self.config["max_jobs"] and self.done + self.failed >= self.config["max_jobs"]:
            self.stopping = True

    def _handle(self, job: Job) -> str | None:
        signal.alarm(self.config["job_timeout"])
        try:
            self.handler(job)
            return None
        except JobTimeout:
            return f"took longer than {self.config['job_timeout']} s"
        except JobFailed as error:
            return str(error)
        except Exception:
            return traceback.format_exc(limit=-3).strip()[-1000:]
        finally:
            signal.alarm(0)

    def _report_failure(self, job: Job, error: str) -> None:
        attempts, delay = self.config["max_attempts"], self.config["retry_delay"]
        fate = self._surely(lambda: self.queue.fail(self.name, job["id"], error, attempts, delay))
        self.failed += 1
        what = {"retry": "will be tried again", "dead": "is set aside", "gone": "is no longer ours"}[fate]
        log(3, f"job {job['id']} ({job['type']}) failed and {what}: {error}")

    def _surely(self, call: t.Callable[[], t.Any]) -> t.Any:
        """Report a result even when Redis is just being restarted: without the report the job would be done twice."""
        while True:
            try:
                return call()
            except NO_ANSWER as error:
                self._wait_for_redis(error)

    def _wait_for_redis(self, error: Exception) -> None:
        now = time.monotonic()
        if self.unanswered_since is None:
            self.unanswered_since = now
            log(4, f"Redis does not answer: {error}")
        if now - self.unanswered_since > PATIENCE:
            raise SystemExit(f"<3>no answer from Redis for {PATIENCE:.0f} s, giving up")
        time.sleep(0.5)

    @staticmethod
    def _out_of_time(*_signal: t.Any) -> None:
        raise JobTimeout


def main(argv: list[str]) -> int:
    """Run as a program."""
    config = read_config(argv[1])
    handler = command_handler(config["command"]) if config["command"] else load_handler(config["handler"])
    Worker(config, argv[2], handler).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts jobs with the queue software's own functions, for tasks/status.yml. Arguments: software, application, queues.

Prints ``{"queues": {NAME: {"waiting": 1, "running": 0, "failed": 0, "delayed": 0}}, "workers": [NAME]}``; null: nobody
can tell.
Of what the application writes meanwhile, the end goes to stderr when counting fails.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import traceback

MOST_ANSWER = 1 << 20
MOST_WORDS = 4000


def of_celery(name, queues):
    """What waits as the broker says, what runs as the workers say, what has failed as the result backend says."""
    from celery.app.utils import find_app

    app = find_app(name)
    counts = {queue: {"waiting": 0, "running": 0, "failed": None, "delayed": 0} for queue in queues}
    with app.connection_for_read() as connection:
        for queue in queues:
            try:
                declared = connection.default_channel.queue_declare(queue=queue, passive=True)
                counts[queue]["waiting"] = declared.message_count
            except connection.channel_errors:
                pass  # nobody has added a job yet
    workers = _add_taken(app.control.inspect, counts)
    if hasattr(app.backend, "client") and hasattr(app.backend.client, "scan_iter"):
        for key in app.backend.client.scan_iter(app.backend.task_keyprefix + b"*"):
            result = json.loads(app.backend.client.get(key) or b"{}")
            if result.get("status") == "FAILURE" and result.get("queue", queues[0]) in counts:
                count = counts[result.get("queue", queues[0])]
                count["failed"] = (count["failed"] or 0) + 1
        for count in counts.values():
            count["failed"] = count["failed"] or 0
    return {"queues": counts, "workers": workers}


def _add_taken(inspect, counts):
    """Count the jobs that workers of Celery have taken; returns the names of those that have answered."""
    active = inspect(timeout=5).active() or {}
    answers = [("running", active)]
    if active:
        # Those that have answered are not waited for. A worker holds what it has taken for later: a countdown, a retry.
        them = inspect(list(active), timeout=5)
        answers += [("delayed", them.scheduled() or {}), ("waiting", them.reserved() or {})]
    for what, by_worker in answers:
        for job in (job for jobs in by_worker.values() for job in jobs):
            queue = job.get("request", job)["delivery_info"]["routing_key"]
            if queue in counts:
                counts[queue][what] += 1
    return sorted(active)


def of_rq(_name, queues):
    """Queues and their registries."""
    from redis import Redis
    from rq import Queue, Worker

    connection = Redis.from_url(os.environ["RQ_REDIS_URL"])
    counts = {}
    for name in queues:
        queue = Queue(name, connection=connection)
        registries = {"running": queue.started_job_registry, "failed": queue.failed_job_registry}
        delayed = queue.scheduled_job_registry.count + queue.deferred_job_registry.count
        numbers = {what: registry.count for what, registry in registries.items()}
        counts[name] = {"waiting": queue.count, **numbers, "delayed": delayed}
    return {"queues": counts, "workers": sorted(worker.name for worker in Worker.all(connection=connection))}


def of_messenger(console, _queues):
    """``messenger:stats`` draws a table with a line for each transport, that of failed messages among them."""
    command = ["/usr/bin/php", console, "messenger:stats", "--no-interaction"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as stats:
        table = stats.stdout.read(MOST_ANSWER)
    if stats.returncode:
        raise RuntimeError(f"messenger:stats failed: {' '.join(table.split())[-500:]}")
    lines = re.findall(r"^ +(\S+) +(\d+) *$", table, re.MULTILINE)
    return {
        "queues": {
            name: {"waiting": int(count), "running": None, "failed": None, "delayed": None} for name, count in lines
        },
        "workers": None,
    }


def answer(software, name, queues):
    """The counts as JSON.

    :raises ValueError: when there is more than anybody would read.
    """
    count = {"celery": of_celery, "rq": of_rq, "messenger": of_messenger}[software]
    text = json.dumps(count(name, queues))
    if len(text) > MOST_ANSWER:
        raise ValueError(f"the counts have {len(text)} characters; at most {MOST_ANSWER} are read")
    return text


class Apart:
    """While it lasts, both outputs go into a pipe of which the end is kept.

    :ivar words: that end.
    """

    def __init__(self):
        self.words = b""
        self.saved = os.dup(1), os.dup(2)

    def __enter__(self):
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.close(writer)
        self.thread = threading.Thread(target=self._read, args=(reader,), daemon=True)
        self.thread.start()
        return self

    def _read(self, reader):
        for data in iter(lambda: os.read(reader, 1 << 16), b""):
            self.words = (self.words + data)[-MOST_WORDS:]

    def __exit__(self, *_error):
        for stream, number in zip((sys.stdout, sys.stderr), (1, 2)):
            with contextlib.suppress(Exception):  # the application may have replaced or closed it
                stream.flush()
            os.dup2(self.saved[1], number)
        self.thread.join(1)  # what the application has left running may hold the pipe open


def main():
    """Print the counts; when there are none the last words, and exit with 1."""
    text = failure = ""
    with Apart() as apart:
        try:
            text = answer(sys.argv[1], sys.argv[2], sys.argv[3:])
        except BaseException:  # an application may even exit while it is imported
            failure = traceback.format_exc()[-MOST_WORDS:]
    with open(apart.saved[0], "w", encoding="utf-8") as stream:
        stream.write(text)
    if failure:
        os.write(2, apart.words + b"\n" + failure.encode("utf-8", "replace"))
    os._exit(1 if failure else 0)  # no thread of the application, and no more words of it


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts jobs with the queue software's own functions, for tasks/status.yml. Arguments: software, application, queues.

Prints ``{"queues": {NAME: {"waiting": 1, "running": 0, "failed": 0}}, "workers": [NAME]}``; null: nobody can tell.
"""

import json
import os
import re
import subprocess
import sys


def of_celery(name, queues):
    """What waits as the broker says, what runs as the workers say, what has failed as the result backend says."""
    from celery.app.utils import find_app

    app = find_app(name)
    counts = {queue: {"waiting": 0, "running": 0, "failed": None} for queue in queues}
    with app.connection_for_read() as connection:
        for queue in queues:
            try:
                declared = connection.default_channel.queue_declare(queue=queue, passive=True)
                counts[queue]["waiting"] = declared.message_count
            except connection.channel_errors:
                pass  # nobody has added a job yet
    active = app.control.inspect(timeout=5).active() or {}
    for jobs in active.values():
        for job in jobs:
            queue = job["delivery_info"]["routing_key"]
            if queue in counts:
                counts[queue]["running"] += 1
    if hasattr(app.backend, "client") and hasattr(app.backend.client, "scan_iter"):
        for key in app.backend.client.scan_iter(app.backend.task_keyprefix + b"*"):
            result = json.loads(app.backend.client.get(key) or b"{}")
            if result.get("status") == "FAILURE" and result.get("queue", queues[0]) in counts:
                count = counts[result.get("queue", queues[0])]
                count["failed"] = (count["failed"] or 0) + 1
        for count in counts.values():
            count["failed"] = count["failed"] or 0
    return {"queues": counts, "workers": sorted(active)}


def of_rq(_name, queues):
    """Queues and their registries."""
    from redis import Redis
    from rq import Queue, Worker

    connection = Redis.from_url(os.environ["RQ_REDIS_URL"])
    counts = {}
    for name in queues:
        queue = Queue(name, connection=connection)
        registries = {"running": queue.started_job_registry, "failed": queue.failed_job_registry}
        counts[name] = {"waiting": queue.count, **{what: registry.count for what, registry in registries.items()}}
    return {"queues": counts, "workers": sorted(worker.name for worker in Worker.all(connection=connection))}


def of_messenger(console, _queues):
    """``messenger:stats`` draws a table with a line for each transport, that of failed messages among them."""
    table = subprocess.run(
        ["/usr/bin/php", console, "messenger:stats", "--no-interaction"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    lines = re.findall(r"^ +(\S+) +(\d+) *$", table, re.MULTILINE)
    return {
        "queues": {name: {"waiting": int(count), "running": None, "failed": None} for name, count in lines},
        "workers": None,
    }


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    count = {"celery": of_celery, "rq": of_rq, "messenger": of_messenger}[sys.argv[1]]
    print(json.dumps(count(sys.argv[2], sys.argv[3:])))

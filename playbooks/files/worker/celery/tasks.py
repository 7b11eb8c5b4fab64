# SPDX-License-Identifier: GPL-3.0-or-later
"""Example for role worker with Celery: a job writes a line into a file of its own for each time it is done.

The role gives the broker, late acknowledgement and where failed jobs are kept. What is retried stands here.
"""

import os
import time

from celery import Celery

app = Celery("tasks")


@app.task(autoretry_for=(Exception,), max_retries=2, retry_backoff=1, retry_jitter=False)
def record(name, seconds=0, until=None, fail=False):
    """Take some time, or wait for a file to be there; then fail, or write."""
    time.sleep(seconds)
    while until and not os.path.exists(until):
        time.sleep(0.05)
    if fail:
        raise ValueError("as asked")
    with open(os.path.join(os.environ["STATE_DIRECTORY"], name), "a", encoding="utf-8") as file:
        file.write("x")

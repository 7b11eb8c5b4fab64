# SPDX-License-Identifier: GPL-3.0-or-later
"""Example for role worker with RQ: a job writes a line into a file of its own for each time it is done.

How often a job is retried is said where it is added: ``queue.enqueue(record, "a", retry=Retry(max=3, interval=10))``.
"""

import os
import time


def record(name, seconds=0, until=None, fail=False):
    """Take some time, or wait for a file to be there; then fail, or write."""
    time.sleep(seconds)
    while until and not os.path.exists(until):
        time.sleep(0.05)
    if fail:
        raise ValueError("as asked")
    with open(os.path.join(os.environ["STATE_DIRECTORY"], name), "a", encoding="utf-8") as file:
        file.write("x")

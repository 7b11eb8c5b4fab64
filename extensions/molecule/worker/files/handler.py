# SPDX-License-Identifier: GPL-3.0-or-later
"""A job leaves one character for each time it is done in a file of its own."""

import os
import time


def handle(job):
    payload = job["payload"] or {}
    time.sleep(payload.get("seconds", 0))
    while "until" in payload and not os.path.exists(payload["until"]):
        time.sleep(0.05)
    if payload.get("fail"):
        raise ValueError("as asked")
    with open(os.path.join(os.environ["STATE_DIRECTORY"], job["id"]), "a", encoding="utf-8") as file:
        file.write("x")

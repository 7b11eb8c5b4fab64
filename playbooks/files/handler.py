# SPDX-License-Identifier: GPL-3.0-or-later
"""Work of the example: the payload's text, turned by 13 letters, goes to the journal."""

import codecs


def handle(job):
    """Do one job; the worker calls it with what was put into the queue."""
    print(codecs.encode(job["payload"]["text"], "rot13"), flush=True)

#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Adds jobs to a queue of unitcraft-worker and shows its state; see --help. Installed as NAME-queue, for the queue NAME.
program=${0##*/}
name=${program%-queue}
# -B: the folder is not writable for the workers, and its removal expects no other file.
exec /usr/bin/python3 -B "/usr/local/lib/unitcraft-worker/$name/queuectl.py" \
    "/etc/unitcraft-worker/$name/worker.json" "$program" "$@"

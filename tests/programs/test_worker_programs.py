# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of role worker against a real Redis, without systemd: what a killed, failing or stopped worker does.

Needs redis-server, python3-redis, php-cli and php-redis of the distribution; worker_programs.py runs it where they are.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

ROLE = pathlib.Path(__file__).resolve().parents[2] / "roles" / "worker"
FILES = ROLE / "files"
PATIENCE_SECONDS = 300
PYTHON = "/usr/bin/python3"  # the distribution's: it sees the distribution's python3-redis

# Both do the same: the payload says what. Each run of a job leaves one line in a file of its own.
HANDLERS = {
    "python": """
import os
import time
def handle(job):
    what = job["payload"]
    with open(FOLDER + "/begun-" + job["id"], "a") as file:
        file.write("x")
    time.sleep(what.get("seconds", 0))
    while "until" in what and not os.path.exists(what["until"]):
        time.sleep(0.01)
    if what.get("fail"):
        raise ValueError(what.get("text", "as asked"))
    with open(FOLDER + "/" + job["id"], "a") as file:
        file.write("x")
""",
    "php": """<?php
return function (array $job): void {
    $what = $job['payload'];
    file_put_contents(FOLDER . '/begun-' . $job['id'], 'x', FILE_APPEND);
    $until = microtime(true) + ($what['seconds'] ?? 0);
    while (microtime(true) < $until || (isset($what['until']) && !file_exists($what['until']))) {
        usleep(5000);
        clearstatcache();
    }
    if (!empty($what['fail'])) {
        throw new RuntimeException($what['text'] ?? 'as asked');
    }
    file_put_contents(FOLDER . '/' . $job['id'], 'x', FILE_APPEND);
};
""",
    "command": """#!/bin/sh
what=$(cat)
printf x >> "FOLDER/begun-$JOB_ID"
case $what in *seconds*) sleep "$(printf '%s' "$what" | sed 's/.*"seconds": *\\([0-9.]*\\).*/\\1/')" ;; esac
case $what in *until*) until [ -e "FOLDER/go" ]; do sleep 0.02; done ;; esac
case $what in *fail*) echo 'as asked' >&2; exit 3 ;; esac
printf x >> "FOLDER/$JOB_ID"
""",
}


class Bench:
    """One queue in one Redis, with workers of one language."""

    def __init__(self, folder: pathlib.Path, url: str, language: str, **config: object) -> None:
        self.language = language
        self.results = folder / "results"
        self.results.mkdir()
        suffix = {"python": "py", "php": "php", "command": "sh"}[language]
        handler = folder / f"handler.{suffix}"
        place = str(self.results) if language == "command" else json.dumps(str(self.results))
        handler.write_text(HANDLERS[language].replace("FOLDER", place))
        handler.chmod(0o755)
        (folder / "redis-url").write_text(url + "\n")
        self.config_path = folder / "worker.json"
        settings = {
            "name": folder.name,
            "url_file": str(folder / "redis-url"),
            "handler": str(handler),
            "command": [str(handler)] if language == "command" else [],
            "job_timeout": 30,
            "lease": 60,
            "max_attempts": 3,
            "max_losses": 20,
            "max_jobs": 0,
            "retry_delay": 0.2,
        }
        self.config_path.write_text(json.dumps({**settings, **config}))
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start (again) the worker of this name."""
        program = ["php", FILES / "worker.php"] if self.language == "php" else [PYTHON, FILES / "worker.py"]
        self.workers[name] = subprocess.Popen([*program, self.config_path, name])
        return self.workers[name]

    def ctl(self, *arguments: str, stdin: str = "") -> str:
        """Run the command beside the workers."""
        code = "import sys; from queuectl import main; sys.exit(main(sys.argv[1], 'queue', sys.argv[2:]))"
        command = [PYTHON, "-c", code, str(self.config_path), *arguments]
        done = subprocess.run(
            command, input=stdin, cwd=FILES, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def counts(self) -> dict[str, int]:
        return json.loads(self.ctl("counts", "--json"))

    def wait(self, timeout: float = PATIENCE_SECONDS, **wanted: int) -> dict[str, int]:
        """Wait until the counts are as wanted."""
        end = time.monotonic() + timeout
        while True:
            counts = self.counts()
            if all(counts[name] == number for name, number in wanted.items()):
                return counts
            assert time.monotonic() < end, f"wanted {wanted}, have {counts}"
            time.sleep(0.1)

    def put_held(self, job_id: str) -> None:
        """Put a job in that goes on until ``let_go``, however slow this machine may be."""
        self.ctl("put", "any", json.dumps({"until": str(self.results / "go")}), "--id", job_id)

    def let_go(self) -> None:
        (self.results / "go").touch()

    def runs(self, job_id: str, begun: bool = False) -> int:
        path = self.results / (f"begun-{job_id}" if begun else job_id)
        return len(path.read_text()) if path.exists() else 0

    def wait_for_results(self, number: int) -> None:
        """Wait until so many jobs have been done."""
        end = time.monotonic() + PATIENCE_SECONDS
        while sum(not path.name.startswith("begun-") for path in self.results.iterdir()) < number:
            assert time.monotonic() < end, f"not {number} jobs done"
            time.sleep(0.02)

    def wait_begun(self, job_id: str, before: int = 0) -> None:
        """Wait until a job was begun more often than before."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.runs(job_id, begun=True) <= before:
            assert time.monotonic() < end, f"{job_id} was never begun"
            time.sleep(0.02)

    def close(self) -> None:
        for process in self.workers.values():
            process.kill()
            process.wait()


def wait_for_server(server: subprocess.Popen[bytes], socket: pathlib.Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not socket.exists():
        assert server.poll() is None
        assert time.monotonic() < end, "Redis does not listen"
        time.sleep(0.05)


def access_rules(password: str, keys: str) -> str:
    """The lines of the role's redis.conf that declare users; only these three expressions occur in them."""
    lines = (ROLE / "templates" / "redis.conf.j2").read_text().splitlines()
    variables = (ROLE / "vars" / "main.yml").read_text()
    commands = re.search(r"__worker_redis_commands: >-\n((?:  .*\n)+)", variables)
    values = {
        "__worker_redis_password | hash('sha256')": hashlib.sha256(password.encode()).hexdigest(),
        "'{' ~ worker_name ~ '}*'": keys,
        "__worker_redis_commands": " ".join(commands[1].split()),
    }
    rules = "\n".join(line for line in lines if line.startswith("user ")) + "\n"
    return re.sub(r"\{\{ (.*?) \}\}", lambda found: values[found[1]], rules)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "socket"
    options = ["--port", "0", "--unixsocket", path, "--dir", folder, "--save", ""]
    (folder / "redis.conf").write_text(access_rules("not-much", "{*}*"))
    server = subprocess.Popen(["redis-server", folder / "redis.conf", *options], stdout=subprocess.DEVNULL)
    wait_for_server(server, path)
    yield f"unix://worker:not-much@{path}?db=0"
    server.terminate()
    server.wait()


@pytest.fixture(params=list(HANDLERS))
def bench(request, tmp_path, url):
    made = Bench(tmp_path, url, request.param)
    yield made
    made.close()


def change(bench: Bench, **config: object) -> None:
    settings = json.loads(bench.config_path.read_text())
    bench.config_path.write_text(json.dumps({**settings, **config}))


def test_a_job_is_done_once_and_leaves_nothing_behind(bench):
    bench.start("a")
    bench.ctl("put", "any", '{"text": "žluťoučký \\" \\n"}', "--id", "one")
    counts = bench.wait(done=1)
    assert (counts["jobs"], counts["taken"], counts["ready"], counts["workers"]) == (0, 0, 0, 1)
    assert bench.runs("one") == 1


def test_the_same_id_is_put_in_once(bench):
    bench.ctl("put", "any", "{}", "--id", "one")
    bench.ctl("put", "any", "{}", "--id", "one")
    assert bench.counts()["ready"] == 1


def test_a_delayed_job_waits(bench):
    bench.start("a")
    bench.wait(workers=1)
    bench.ctl("put", "any", "{}", "--id", "later", "--delay", "20")
    bench.ctl("put", "any", "{}", "--id", "now")
    bench.wait(done=1, delayed=1)
    assert (bench.runs("now"), bench.runs("later")) == (1, 0)
    bench.wait(done=2)


def test_a_failing_job_is_tried_three_times_then_set_aside_and_can_be_tried_again(bench):
    bench.start("a")
    bench.ctl("put", "any", '{"fail": true}', "--id", "bad")
    bench.wait(dead=1)
    assert (bench.runs("bad", begun=True), bench.runs("bad")) == (3, 0)
    dead = json.loads(bench.ctl("dead"))
    assert dead["id"] == "bad"
    assert "as asked" in dead["error"]
    assert bench.ctl("retry-dead") == "1\n"
    bench.wait(dead=1)
    assert bench.runs("bad", begun=True) == 6
    assert bench.ctl("drop-dead") == "1\n"
    assert bench.counts()["jobs"] == 0


# An exception's text that is not Unicode: JSON can carry a lone surrogate, and PHP any bytes (here cut in a character).
@pytest.mark.parametrize("text", ["\ud800", "\u00e4" * 2000])
def test_a_failing_job_is_set_aside_whatever_the_text_of_its_error(bench, text):
    change(bench, max_attempts=1)
    bench.ctl("load", stdin=json.dumps({"type": "t", "payload": {"fail": True, "text": text}, "id": "bad"}))
    worker = bench.start("w")
    bench.wait(dead=1, jobs=1)
    assert worker.poll() is None
    assert json.loads(bench.ctl("dead"))["id"] == "bad"


@pytest.mark.parametrize(
    "command",
    [
        ["FLUSHALL"],
        ["FLUSHDB"],
        ["SHUTDOWN", "NOSAVE"],
        ["CONFIG", "GET", "dir"],
        ["KEYS", "*"],
        ["SAVE"],
        ["ACL", "LIST"],
        ["SCRIPT", "FLUSH"],
        ["EVAL", "return redis.call('FLUSHALL')", "0"],
        ["HGET", "{other}:jobs", "x"],
    ],
    ids=" ".join,
)
def test_the_user_of_the_queue_can_do_nothing_else(tmp_path, command):
    folder, socket = tmp_path, tmp_path / "socket"
    (folder / "redis.conf").write_text(access_rules("not-much", "{mine}*"))
    options = [folder / "redis.conf", "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", ""]
    server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    try:
        wait_for_server(server, socket)
        client = ["redis-cli", "-s", str(socket), "--user", "worker", "--pass", "not-much", "--no-auth-warning"]
        mine = subprocess.run([*client, "HGET", "{mine}:jobs", "x"], capture_output=True, text=True, check=False)
        assert "NOPERM" not in mine.stdout + mine.stderr
        refused = subprocess.run([*client, *command], capture_output=True, text=True, check=False)
        # In a script Redis 6 and 7 say it in other words.
        assert re.search("NOPERM|no permissions|can't run this command", refused.stdout + refused.stderr)
        assert server.poll() is None
    finally:
        server.kill()
        server.wait()


def test_sigterm_finishes_the_job_in_hand_and_takes_no_other(bench):
    process = bench.start("a")
    bench.put_held("long")
    bench.ctl("put", "any", "{}", "--id", "next")
    bench.wait_begun("long")
    process.terminate()
    bench.let_go()
    assert process.wait(timeout=PATIENCE_SECONDS) == 0
    assert (bench.runs("long"), bench.runs("next", begun=True)) == (1, 0)
    counts = bench.counts()
    assert (counts["done"], counts["ready"], counts["workers"], counts["lost"]) == (1, 1, 0, 0)


def test_an_idle_worker_stops(bench):
    process = bench.start("a")
    bench.wait(workers=1)
    process.terminate()
    assert process.wait(timeout=PATIENCE_SECONDS) == 0


def test_the_job_of_a_killed_worker_is_done_by_its_successor(bench):
    process = bench.start("a")
    bench.put_held("one")
    bench.wait_begun("one")
    process.kill()
    process.wait()
    bench.let_go()
    assert bench.counts()["taken"] == 1
    bench.start("a")
    counts = bench.wait(done=1)
    assert (counts["lost"], bench.runs("one")) == (1, 1)


def test_the_job_of_a_worker_that_never_comes_back_is_done_by_another(bench):
    change(bench, lease=6)
    process = bench.start("a")
    bench.put_held("one")
    bench.wait_begun("one")
    process.kill()
    process.wait()
    bench.let_go()
    bench.start("b")
    counts = bench.wait(done=1)
    assert (counts["lost"], counts["workers"], bench.runs("one")) == (1, 1, 1)


def test_release_gives_the_job_of_a_killed_worker_back_at_once(bench):
    process = bench.start("a")
    bench.put_held("one")
    bench.wait_begun("one")
    process.kill()
    process.wait()
    bench.let_go()
    assert bench.ctl("release", "a") == "1\n"
    counts = bench.counts()
    assert (counts["ready"], counts["taken"], counts["workers"]) == (1, 0, 0)


def test_a_job_that_kills_its_workers_is_set_aside(bench):
    change(bench, max_losses=1)
    bench.put_held("poison")
    for _unused in range(2):
        process = bench.start("a")
        seen = bench.runs("poison", begun=True)
        bench.wait_begun("poison", seen)
        process.kill()
        process.wait()
    bench.ctl("release", "a")
    counts = bench.counts()
    assert (counts["dead"], counts["ready"], counts["lost"]) == (1, 0, 2)
    assert "died 2 times" in json.loads(bench.ctl("dead"))["error"]


def test_a_job_that_takes_too_long_fails(bench):
    change(bench, job_timeout=3)
    bench.start("a")
    bench.put_held("slow")
    bench.wait(dead=1)
    assert "longer than 3 s" in json.loads(bench.ctl("dead"))["error"]
    bench.ctl("put", "any", "{}", "--id", "after")
    bench.wait(done=1)  # in one of three attempts of 3 s each


def test_a_worker_ends_after_its_number_of_jobs(bench):
    change(bench, max_jobs=2)
    process = bench.start("a")
    for _unused in range(3):
        bench.ctl("put", "any", "{}")
    assert process.wait(timeout=PATIENCE_SECONDS) == 0
    counts = bench.counts()
    assert (counts["done"], counts["ready"]) == (2, 1)


@pytest.mark.parametrize("language", ["python", "php"])
def test_nothing_is_lost_when_redis_is_restarted(tmp_path, language):
    socket = tmp_path / "socket"
    options = ["--port", "0", "--unixsocket", socket, "--dir", tmp_path, "--save", "", "--appendonly", "yes"]

    def start_redis() -> subprocess.Popen[bytes]:
        return subprocess.Popen(["redis-server", *options, "--appendfsync", "always"], stdout=subprocess.DEVNULL)

    server = start_redis()
    bench = Bench(tmp_path, f"unix://{socket}?db=0", language)
    try:
        wait_for_server(server, socket)
        bench.ctl(
            "load",
            stdin="".join(f'{{"type": "t", "payload": {{"seconds": 0.01}}, "id": "j{n}"}}\n' for n in range(300)),
        )
        first, second = bench.start("a"), bench.start("b")
        for done in (50, 100, 150):
            bench.wait_for_results(done)
            server.kill()
            server.wait()
            socket.unlink()
            time.sleep(0.7)  # the workers try twice a second: they find nobody
            server = start_redis()
            wait_for_server(server, socket)
        counts = bench.wait(jobs=0, ready=0)
        assert counts["dead"] == 0
        assert [n for n in range(300) if not bench.runs(f"j{n}")] == []
        assert (first.poll(), second.poll()) == (None, None)
    finally:
        bench.close()
        server.kill()
        server.wait()


@pytest.mark.parametrize("language", ["python", "php"])
def test_nothing_is_lost_when_workers_are_killed_at_random(tmp_path, url, language, capsys):
    jobs, seed = 1000, random.randrange(10**6)
    choose = random.Random(seed)
    bench = Bench(tmp_path, url, language)
    lines = [json.dumps({"type": "t", "payload": {"seconds": 0.01}, "id": f"j{n}"}) for n in range(jobs)]
    assert bench.ctl("load", stdin="\n".join(lines)) == f"{jobs}\n"
    names = ["a", "b", "c", "d"]
    kills = 0
    try:
        for name in names:
            bench.start(name)
        while bench.counts()["jobs"]:
            time.sleep(choose.uniform(0.1, 0.4))
            name = choose.choice(names)
            bench.workers[name].send_signal(signal.SIGKILL)
            bench.workers[name].wait()
            kills += 1
            bench.start(name)
        counts = bench.counts()
    finally:
        bench.close()
    runs = [bench.runs(f"j{n}") for n in range(jobs)]
    with capsys.disabled():
        lost, twice = counts["lost"], sum(1 for run in runs if run > 1)
        print(f"\n{language}: {jobs} jobs, {kills} kills, {lost} given out again, {twice} done twice (seed {seed})")
    assert min(runs) >= 1
    assert (counts["dead"], counts["ready"], counts["taken"], counts["delayed"]) == (0, 0, 0, 0)

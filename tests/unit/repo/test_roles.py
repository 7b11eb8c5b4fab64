# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say of their variables is what they do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import case_files
import pytest
import yaml
from ansible_collections.unitcraft.systemd.plugins.plugin_utils import _kinds

ROLES = sorted(path for path in (Path(__file__).parents[3] / "roles").iterdir() if (path / "meta").is_dir())


def load(role, path):
    return yaml.safe_load((role / path).read_text(encoding="utf-8"))


def options(role):
    return load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request):
    return request.param


def test_there_are_roles():
    assert {"rot13", "service"} <= {role.name for role in ROLES}


def test_documented_defaults_are_the_defaults(role):
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert documented == load(role, "defaults/main.yml")


def test_a_variable_without_default_is_required(role):
    required = {name for name, option in options(role).items() if option.get("required", False)}
    assert required == {name for name, option in options(role).items() if "default" not in option}


def test_every_variable_is_described(role):
    assert [name for name, option in options(role).items() if not (option["type"] and option["description"])] == []


def test_every_variable_has_the_prefix_of_its_role(role):
    assert [name for name in options(role) if not f"{name}_".startswith(f"{role.name}_")] == []


def test_every_variable_is_used(role):
    files = [path for folder in ("tasks", "vars", "templates") for path in (role / folder).rglob("*") if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    unused = [name for name in options(role) if not re.search(rf"\b{name}\b", text)]
    assert not unused


def test_every_role_has_what_a_collection_needs(role):
    assert (role / "README.md").is_file()
    assert load(role, "meta/main.yml")["galaxy_info"]["description"]


@pytest.mark.parametrize("case", case_files.load("plugin_utils/kinds"))
def test_a_text_is_no_list(case):
    assert _kinds.wrong_kinds(case["given"], options(ROLES[0].parent / case["role"])) == case.get("wrong", [])


# --- secrets ----------------------------------------------------------------------------------------------------------

SECRETS = re.compile(
    r"\b(?:service_secrets|worker_broker_url|worker_secrets|__worker_redis_password|__worker_(?:\w+_)?url)\b"
)
# Arguments of a task that do not reach a result: which names a task is for, and whether it runs.
HARMLESS = {"when", "register", "name", "loop_control", "vars"}
# These get no secret as an argument: they test it, or pass it on by name.
WITHOUT_RESULT = {"ansible.builtin.assert", "ansible.builtin.include_tasks", "ansible.builtin.include_role"}


def tasks_with_secrets(role):
    """[(file, task)] whose arguments, or whose template, hold a secret."""
    found = []
    for path in sorted((role / "tasks").glob("*.yml")):
        for task in load(role, f"tasks/{path.name}"):
            arguments = {key: value for key, value in task.items() if key not in HARMLESS}
            text = json.dumps(arguments)
            for module in arguments:
                if module == "ansible.builtin.template":
                    text += template_text(role, arguments[module]["src"])
            if SECRETS.search(text) and not WITHOUT_RESULT & arguments.keys():
                found.append((path.name, task))
    return found


def template_text(role, name):
    path = role / "templates" / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def test_no_secret_is_shown_by_diff(role):
    shown = [f"{name}: {task['name']}" for name, task in tasks_with_secrets(role) if not task.get("no_log")]
    assert not shown


@pytest.mark.parametrize(("name", "number"), [("service", 0), ("services", 0), ("worker", 1)])
def test_the_tasks_with_secrets_are_known(name, number):
    assert len(tasks_with_secrets(ROLES[0].parent / name)) == number


# --- jobs of workers --------------------------------------------------------------------------------------------------

STATUS = ROLES[0].parent / "worker/files/status.py"
# What stands in for RQ: what it writes while it is imported, and how many workers it has.
RQ = """
import os, subprocess, threading, time
print("as if this were the answer")
subprocess.run(["echo", "from", "another", "process"])
threading.Thread(target=time.sleep, args=(600,)).start()
class Registry:
    count = 2
class Queue:
    count = 1
    started_job_registry = failed_job_registry = scheduled_job_registry = deferred_job_registry = Registry
    def __init__(self, name, connection):
        pass
class Worker:
    @classmethod
    def all(cls, connection):
        return [type("", (), {"name": f"w{number}"}) for number in range(WORKERS)]
"""


# What stands in for Celery, with a job of each kind in queue high.
CELERY = """
import contextlib, types
def found(routing_key):
    return {"delivery_info": {"routing_key": routing_key}}
class Inspect:
    def __init__(self, destination=None, timeout=1):
        self.names = destination or ["w1"]
    def active(self):
        return {name: [found("high")] for name in self.names}
    def scheduled(self):
        return {name: [{"eta": 1, "request": found("high")}, {"request": found("other")}] for name in self.names}
    def reserved(self):
        return {name: [found("high")] for name in self.names}
class App:
    control = types.SimpleNamespace(inspect=Inspect)
    backend = None
    @contextlib.contextmanager
    def connection_for_read(self):
        channel = types.SimpleNamespace(queue_declare=lambda **_more: types.SimpleNamespace(message_count=5))
        yield types.SimpleNamespace(default_channel=channel, channel_errors=OSError)
def find_app(name):
    return App()
"""


def test_jobs_for_later_are_counted(tmp_path):
    (tmp_path / "celery/app").mkdir(parents=True)
    for name, text in (("__init__", ""), ("app/__init__", ""), ("app/utils", CELERY)):
        (tmp_path / f"celery/{name}.py").write_text(text, encoding="utf-8")
    done = counted(tmp_path, "", "celery")
    counts = {"queues": {"high": {"waiting": 6, "running": 1, "failed": None, "delayed": 1}}, "workers": ["w1"]}
    assert (json.loads(done.stdout), done.stderr) == (counts, "")


def counted(folder, rq, software="rq"):
    (folder / "redis.py").write_text("class Redis:\n    from_url = str\n", encoding="utf-8")
    (folder / "rq.py").write_text(rq, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-", software, "jobs", "high"],
        input=STATUS.read_text(encoding="utf-8"),
        cwd=folder,
        env={"RQ_REDIS_URL": "redis://a"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_what_an_application_writes_is_not_in_the_counts(tmp_path):
    done = counted(tmp_path, RQ.replace("WORKERS", "1"))
    counts = {"queues": {"high": {"waiting": 1, "running": 2, "failed": 2, "delayed": 4}}, "workers": ["w0"]}
    assert (json.loads(done.stdout), done.stderr, done.returncode) == (counts, "", 0)


@pytest.mark.parametrize(
    ("rq", "last"),
    [
        (RQ.replace("WORKERS", "200_000"), "at most 1048576 are read"),
        ("print('x' * 10_000_000, flush=True)\nimport no_such_module", "No module named 'no_such_module'"),
        ("raise SystemExit('SECRET is not set')", "SECRET is not set"),
        ("import sys\nsys.stdout.close()\nsys.stderr = None\nraise OSError('no broker')", "no broker"),
    ],
)
def test_why_there_are_no_counts_is_said_in_bounds(rq, last, tmp_path):
    done = counted(tmp_path, rq)
    assert (done.stdout, done.returncode) == ("", 1)
    assert last in done.stderr.splitlines()[-1]
    assert len(done.stderr) < 9000


# --- licences ---------------------------------------------------------------------------------------------------------

ROOT = ROLES[0].parents[1]
FILES = [path for folder in ("roles", "playbooks") for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.suffix not in (".md", ".pyc")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_file_names_its_licence(path):
    assert "GPL-3.0-or-later" in path.read_text(encoding="utf-8")[:500]

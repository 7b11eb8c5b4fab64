# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles take for a distribution, and what role worker refuses: data and templates, without a host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.unitcraft.systemd.plugins.filter.__private import own
from case_files import load

ROOT = Path(__file__).parents[3]
FOLDERS = ("roles/worker/vars", "roles/rot13/vars", "playbooks/vars/site")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.yml")) if path.stem != "main"]
DISTRIBUTIONS = load("repo/distributions")
OF_WORKER = [case for case in DISTRIBUTIONS if "given" in case.values[0]]


def read(path):
    """A file of YAML whose texts are templates."""
    return DataLoader().load_from_file(str(ROOT / path), trusted_as_template=True)


def worker(given, distribution="default.yml"):
    """Variables of role worker on a distribution, and what renders them."""
    variables = {}
    for path in ("defaults/main.yml", "vars/main.yml", f"vars/{distribution}"):
        variables.update(read(f"roles/worker/{path}"))
    templar = Templar(DataLoader(), {**variables, **given})
    for name in ("worker_environment", "worker_words"):
        templar.environment.filters[f"unitcraft.systemd.__private.{name}"] = own.FilterModule().filters()[name]
    return variables, templar


def refused(given, distribution="default.yml"):
    """{variable: message} of what the role refuses."""
    variables, templar = worker(given, distribution)
    checks = templar.template(variables["__worker_checks"])
    return {check["about"]: check["message"] for check in checks if not check["good"]}


def matches(said, expected):
    """Whether the same variables are refused, each with the expected part in its message."""
    return said.keys() == expected.keys() and all(part in said[name] for name, part in expected.items())


@pytest.mark.parametrize("case", load("repo/worker"))
def test_what_is_refused_and_why(case):
    said = refused(case["given"])
    assert matches(said, case.get("refused", {})), said


URLS = {
    "redis://u:p@redis.example:6379/0": "redis://u:p@redis.example:6379",
    "redis://redis.example/0/": "redis://redis.example",
    "redis://redis.example/0?timeout=5": "redis://redis.example?timeout=5",
    "rediss://u:p@redis.example:6380/12": "rediss://u:p@redis.example:6380?dbindex=12",
    "redis://redis.example/2?timeout=5": "redis://redis.example?dbindex=2&timeout=5",
    "redis://u:a/1@redis.example/3": "redis://u:a/1@redis.example?dbindex=3",
    "redis://redis.example/jobs": "redis://redis.example/jobs",
    "redis://redis.example/jobs/0": "redis://redis.example/jobs/0",
    "redis:///run/redis/0": "redis:///run/redis/0",
    "amqp://u:p@mq.example/0": "amqp://u:p@mq.example/0",
    "": "redis://worker:secret@127.0.0.1:6390",
}


@pytest.mark.parametrize(("software", "variable"), [("messenger", "MESSENGER_TRANSPORT_DSN"), ("rq", "RQ_REDIS_URL")])
@pytest.mark.parametrize("url", URLS)
def test_workers_and_web_application_have_one_url(software, variable, url):
    given = {"worker_software": software, "worker_app": "x", "worker_broker_url": url, "worker_broker_group": "www"}
    variables, templar = worker({**given, "__worker_redis_password": "secret", "inventory_hostname": "a"})
    service = templar.template(variables["__worker_service"])
    expected = URLS[url] if software == "messenger" else url or "redis://worker:secret@127.0.0.1:6390/0"
    assert (service["secrets"][variable], service["files"][0]["secret"]) == (expected, f"{expected}\n")


@pytest.mark.parametrize(
    ("given", "seconds"), [({}, 3960), ({"worker_job_timeout": 20, "worker_longest_delay": 0}, 80)]
)
def test_a_delayed_job_of_celery_is_given_out_once(given, seconds):
    variables, templar = worker({"worker_app": "tasks", **given})
    settings = templar.template(variables["__worker_celery_settings"])
    assert f'broker.transport_options=(json){{"visibility_timeout": {seconds}}}' in settings


@pytest.mark.parametrize("case", DISTRIBUTIONS)
def test_which_file_is_loaded(case):
    names = read("roles/services/tasks/distribution.yml")[1]["vars"]["__services_data_files"]["files"]
    wanted = Templar(DataLoader(), {"ansible_facts": case["facts"]}).template(names)
    # As the lookup first_found does.
    assert next(name for name in wanted if (ROOT / case["folder"] / name).is_file()) == case["file"]


@pytest.mark.parametrize("case", OF_WORKER)
def test_what_is_refused_on_a_distribution(case):
    said = refused(case["given"], case["file"])
    assert matches(said, case.get("refused", {})), said


@pytest.mark.parametrize("case", [case for case in OF_WORKER if "packages" in case.values[0]])
def test_packages_of_workers(case):
    variables, templar = worker(case["given"], case["file"])
    assert templar.template(variables["__worker_service"]["packages"]) == case["packages"]


@pytest.mark.parametrize("case", [case for case in OF_WORKER if "check" in case.values[0]])
def test_last_check_of_a_new_version(case):
    variables, templar = worker(case["given"], case["file"])
    *words, code = templar.template(variables["__worker_release"])["prepare"][-1]
    assert [*words, code.splitlines()[1].strip()] == case["check"]


SETTING = "import os\nos.environ['COLOUR']\n"
IMPORTS = {
    "of the environment": (SETTING, {}, True),
    "of the environment, with a name": (SETTING, {"version": "1"}, True),
    "of a secret": ("import os\nint(os.environ['SECRET'])\n", {}, True),
    "that leaves": ("raise SystemExit('SECRET is not set')\n", {}, True),
    "of a module that only the environment shows": ("import extra\n", {}, True),
    "the same with a name": ("import extra\n", {"version": "1"}, True),
    "of a missing module": ("import no_such_module\n", {}, False),
    "with a wrong name": ("import os\nprin()\n", {"version": "1"}, False),
    "with an error of syntax": ("def (\n", {"version": "1"}, False),
}


@pytest.mark.parametrize("what", IMPORTS)
def test_which_applications_pass_the_last_check(what, tmp_path):
    text, release, passes = IMPORTS[what]
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/extra.py").write_text("")
    (tmp_path / "tasks.py").write_text(text)
    environment = {"COLOUR": "red and blue", "PYTHONPATH": "/opt/worker/current/lib", "YES": True}
    given = {"worker_app": "tasks:app", "worker_environment": environment, "worker_release": {"src": "a", **release}}
    variables, templar = worker({**given, "worker_python": sys.executable})
    check = templar.template(variables["__worker_release"])["prepare"][-1]
    assert "YES=yes" in check or release
    done = subprocess.run(check, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == passes, done.stderr


ANSWERS = {
    "a broker that hangs": ({"rc": 124}, "celery has not answered within 60 s: look at its broker"),
    "no systemd-run": ({"rc": 2, "msg": "No such file"}, "asking celery failed with exit status 2: No such file"),
    "no words": ({"rc": 217, "stderr_lines": [""]}, "asking celery failed with exit status 217: it wrote nothing"),
    "the last words": (
        {
            "rc": 1,
            "stderr_lines": [
                *(
                    "a",
                    '  File "/opt/app/tasks.py", line 3',
                    '  File "<stdin>", line 1, in main',
                    "    b()",
                    "",
                    "    ~^^",
                ),
                "E: redis://u:pass@h/ {{ 1 + 1 }}",
            ],
        },
        'asking celery failed with exit status 1: File "/opt/app/tasks.py", line 3 / b() / E: redis://h/ {{ 1 + 1 }}',
    ),
    "one long word": (
        {"rc": 1, "stderr_lines": ["x" * 9000]},
        f"asking celery failed with exit status 1: {'x' * 500}",
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_why_jobs_are_not_counted(what):
    task, said = ANSWERS[what]
    variables, templar = worker({"worker_app": "tasks", "__worker_status_task": task})
    assert templar.template(variables["__worker_status_problem"]) == said


def test_jobs_are_counted_with_the_environment_and_in_time():
    variables, templar = worker({"worker_app": "tasks", "worker_environment": {"A": "b c", "D": "1=2"}})
    words = templar.template(variables["__worker_run"])
    assert words[-6:] == ["--setenv=A=b c", "--setenv=D=1=2", "--", "/usr/bin/timeout", "--kill-after=5", "60"]


@pytest.mark.parametrize("case", [case for case in OF_WORKER if "redis" in case.values[0]])
def test_redis_of_workers(case):
    variables, templar = worker(case["given"], case["file"])
    assert {key: templar.template(variables["__worker_redis"][key]) for key in case["redis"]} == case["redis"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_the_names_that_the_default_has(path):
    names = [yaml.safe_load(file.read_text(encoding="utf-8")).keys() for file in (path, path.parent / "default.yml")]
    assert names[0] == names[1]

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import io
import json
import os
import pathlib
import shlex
import subprocess
import sys
import types
import typing as t
from xml.etree import ElementTree

import pytest
import yaml
from case_files import load
from unitcraft.__main__ import main

FILES = {
    "clean.service": "[Service]\nType=exec\nExecStart=/usr/bin/web\n",
    "faulty.service": "[Service]\nExecStrat=/x\nType=exec\nExecStart=/usr/bin/web\n",
    "warned.service": "[Service]\nType=exec\nExecStart=/usr/bin/web\nKillMode=none\n",
}


PROGRAM = pathlib.Path(__file__).parents[3] / "cli" / "run"


class Ended(t.NamedTuple):
    """How a run ended."""

    status: int
    out: str
    err: str


Run = t.Callable[..., Ended]


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in a folder with the files of a case."""

    def run_case(case: dict[str, t.Any]) -> Ended:
        texts = {**FILES, **case.get("files", {})}
        contents = {name: text.encode() for name, text in texts.items()}
        contents.update({name: bytes.fromhex(data) for name, data in case.get("bytes", {}).items()})
        for name, data in contents.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        monkeypatch.chdir(tmp_path)
        for name in case.get("fifos", ()):
            os.mkfifo(tmp_path / name)
        if "locked" in case:
            _lock(case["locked"], monkeypatch)
        stdin = types.SimpleNamespace(buffer=io.BytesIO(case.get("stdin", "").encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        status = main(shlex.split(case["run"]))
        return Ended(status, *capsys.readouterr())

    return run_case


def _lock(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make folders of this name unreadable, for root too."""
    scan = os.scandir

    def refuse(path: str) -> t.Any:
        if os.path.basename(path) == name:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)


def report(run: Run, form: str) -> str:
    files = {
        "odd:name-100.service": "[Service]\nType=exec\nExecStart=/usr/bin/web <&>\nKillMode=none\nExecStrat=\u2028\n"
    }
    return run({"run": f"lint . --format {form}", "files": files}).out


@pytest.mark.parametrize("case", load("cli/commands"))
def test_run(case: dict[str, t.Any], run: Run) -> None:
    ended = run(case)
    assert ended.status == case.get("exit", 0), ended
    missing = [part for part in case.get("out", ()) if part not in ended.out]
    missing += [part for part in case.get("err", ()) if part not in ended.err]
    assert missing == [], ended
    if "yaml" in case:
        assert yaml.safe_load(ended.out) == case["yaml"]


def test_a_written_baseline_hides_all(run: Run) -> None:
    assert run({"run": "lint . --write-baseline known.json"}).status == 0
    assert "nothing found" in run({"run": "lint . --fail-on info --baseline known.json"}).out


def test_of_files_that_were_not_checked_nothing_is_gone(run: Run) -> None:
    run({"run": "lint . --write-baseline known.json"})
    assert "are gone" not in run({"run": "lint faulty.service --baseline known.json"}).err


def test_the_findings_of_a_file_that_is_away_are_gone(run: Run) -> None:
    run({"run": "lint . --write-baseline known.json", "files": {"old.service": FILES["warned.service"]}})
    os.unlink("old.service")
    assert "1 of its findings are gone" in run({"run": "lint faulty.service --baseline known.json"}).err


def test_a_baseline_that_is_renewed_keeps_what_it_held(run: Run) -> None:
    run({"run": "lint . --write-baseline known.json"})
    run({"run": "lint . --baseline known.json --write-baseline known.json"})
    assert "nothing found" in run({"run": "lint . --fail-on info --baseline known.json"}).out


def test_a_name_that_is_not_utf8_in_sarif(run: Run, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "a.service.d"
    folder.mkdir()
    (folder / os.fsdecode(b"\xff.conf")).write_text("[Service]\nX=1\n")
    assert "a.service.d/%FF.conf" in run({"run": "lint a.service.d --format sarif"}).out


@pytest.mark.parametrize("output", ["> /dev/full", ">&-"])
def test_output_that_cannot_be_written(output: str) -> None:
    # The exit status 1 would say that there are findings.
    ended = subprocess.run(f"{PROGRAM} explain {output}", shell=True, capture_output=True, text=True, check=False)  # noqa: S602  our own words
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


def test_json_has_all_fields(run: Run) -> None:
    findings = json.loads(report(run, "json"))["findings"]
    assert {"rule": "unknown-directive", "line": 2, "path": "./faulty.service", "releases": [262]}.items() <= findings[
        0
    ].items()


def test_sarif_points_to_rules_and_lines(run: Run) -> None:
    log = json.loads(report(run, "sarif"))
    results = log["runs"][0]["results"]
    rules = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in results] == [result["ruleId"] for result in results]
    places = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results}
    assert "faulty.service" in places


def test_junit_is_xml_that_counts(run: Run) -> None:
    suites = ElementTree.fromstring(report(run, "junit"))  # noqa: S314  our own text
    failures = suites.findall(".//failure")
    assert int(suites.attrib["failures"]) == len(failures) > 0
    assert int(suites.attrib["tests"]) == len(suites.findall(".//testcase"))


def test_version_is_that_of_the_collection(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out.split()[0]) == (0, "unitcraft")

# SPDX-License-Identifier: GPL-3.0-or-later

"""``unit_lint`` as Ansible runs it."""

from __future__ import annotations

import gc
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._catalog import LAST_RELEASE
from .._host.systemd import Runner, SystemdError
from .._host.unit_files import PathProblem, UnitFile, find_unit_files, place_of, read_unit_file, unit_sets
from .._lint import judge
from .._model import ERROR, SEVERITIES, Finding
from .._syntax.names import declared_unit_name


class LintError(Exception):
    """An option cannot be used; the message names it."""


def argument_spec() -> dict[str, t.Any]:
    """The options of ``unit_lint`` as AnsibleModule takes them."""
    unit = {
        "name": {"type": "str", "required": True},
        "content": {"type": "str"},
        "sections": {"type": "dict"},
        "dropin": {"type": "str"},
    }
    return {
        "paths": {"type": "list", "elements": "path", "default": []},
        "units": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": unit,
            "mutually_exclusive": [("content", "sections")],
            "required_one_of": [("content", "sections")],
        },
        "systemd_version": {"type": "int"},
        "verify": {"type": "bool", "default": False},
        "fail_on": {"type": "str", "choices": ["error", "warning", "info", "never"], "default": "error"},
        "ignore": {"type": "list", "elements": "str", "default": []},
    }


def run_unit_lint() -> None:
    """The module ``unit_lint``."""
    gc.disable()  # the process is short, leaves no cycles of any size, and saves a tenth of its time
    try:
        _run_task()
    finally:
        gc.enable()  # some keep the process for their next task, as Mitogen does


def _run_task() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        result = lint(module.params)
    except (LintError, SystemdError) as error:
        module.fail_json(msg=str(error))
    for words in judge.unknown_rules(module.params["ignore"]):
        module.warn(words)
    problem = judge.refusal(result.pop("stopping"), module.params["fail_on"])
    if problem:
        module.fail_json(msg=problem, **result)
    module.exit_json(**result)


def lint(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's result, and under ``stopping`` the findings as objects.

    :raises LintError: for a path, unit or release that cannot be used.
    """
    if not params["paths"] and not params["units"]:
        raise LintError("paths, units: nothing to check; give at least one of them")
    _check_release(params["systemd_version"])
    runner = Runner()
    here = _release_here(runner, needed=params["systemd_version"] is None or params["verify"])
    release = params["systemd_version"] or here
    texts, findings = _read(params["paths"])
    texts += [_declared(item) for item in params["units"]]
    # Another release than this host's: the host can then tell neither its keys nor what its verify would say.
    known = runner.known_directives() if release == here else None
    sets = unit_sets(texts)
    for candidates in map(judge.pending_files, sets):
        found = judge.check(candidates, judge.Target(release, known))
        if params["verify"]:
            # Here, as in _declared: what few tasks need is loaded by those.
            from .._host.verify import unreported

            found += unreported(candidates, runner, here, found)
        findings += found
    findings = judge.ignored(findings, params["ignore"])
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return {
        "changed": False,
        "findings": [finding._asdict() for finding in findings],
        "checked": [file.path or file.unit for texts in sets for file in texts],
        "systemd_version": release,
        "stopping": findings,
    }


def _check_release(release: int | None) -> None:
    if release is not None and not judge.OLDEST_RELEASE <= release <= LAST_RELEASE:
        raise LintError(f"systemd_version: {release} is not a release from {judge.OLDEST_RELEASE} to {LAST_RELEASE}")


def _release_here(runner: Runner, needed: bool) -> int:
    try:
        return runner.version()
    except SystemdError:
        if needed:
            raise
        return 0


def _read(paths: t.Sequence[str]) -> tuple[list[UnitFile], list[Finding]]:
    """The texts of all unit files below *paths*, and a finding for each that cannot be read.

    :raises LintError: for a path that is no unit file and holds none.
    """
    texts, findings = [], []
    try:
        for file in (file for path in paths for file in find_unit_files(path)):
            try:
                texts.append(read_unit_file(file))
            except OSError as error:
                words = f"{file} cannot be read: {error.strerror}"
                findings.append(Finding("syntax", ERROR, place_of(file)[0], words, path=file))
    except PathProblem as problem:
        raise LintError(f"paths: {problem}") from None
    return texts, findings


def _declared(item: t.Mapping[str, t.Any]) -> UnitFile:
    try:
        name = declared_unit_name(item["name"])
    except ValueError as error:
        raise LintError(f"units: name: {error}") from None
    if item["content"] is not None:
        return UnitFile(name, item["dropin"] or "", "", item["content"])
    from .._syntax import render as _render

    try:
        text = _render.render(_render.settings_from_mapping(name, item["sections"]))
    except _render.RenderError as error:
        raise LintError(str(error)) from None
    return UnitFile(name, item["dropin"] or "", "", text)

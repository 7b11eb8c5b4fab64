# SPDX-License-Identifier: GPL-3.0-or-later

"""``unit_lint`` as Ansible runs it."""

from __future__ import annotations

import gc
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._host.regular import read_regular
from .._host.systemd import Runner, SystemdError
from .._lint import judge as _check
from .._model import SEVERITIES, Finding, Setting, Unit
from .._syntax.lines import read_unit
from .._syntax.names import unit_name_problem
from .._syntax.words import UnitSyntaxError, from_bytes

_MAX_BYTES = 4 << 20  # what is larger is no unit file


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
    stopping = _check.stops(result.pop("stopping"), module.params["fail_on"])
    if stopping:
        lines = "\n".join(_check.sentence(finding) for finding in stopping)
        module.fail_json(msg=f"{len(stopping)} findings (fail_on: {module.params['fail_on']})\n{lines}", **result)
    module.exit_json(**result)


def lint(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's result, and under ``stopping`` the findings as objects.

    :raises LintError: for a path or unit that cannot be used.
    """
    if not params["paths"] and not params["units"]:
        raise LintError("paths, units: nothing to check; give at least one of them")
    runner = Runner()
    here = _release_here(runner, needed=params["systemd_version"] is None or params["verify"])
    release = params["systemd_version"] or here
    texts: list[tuple[str, str, str, str]] = []
    findings: list[Finding] = []
    for path in params["paths"]:
        for file in _unit_files(path):
            _read(file, texts, findings)
    texts += [_declared(item) for item in params["units"]]
    # Another release than this host's: the host can then tell neither its keys nor what its verify would say.
    known = runner.known_directives() if release == here else None
    candidates = _candidates(texts)
    findings += _check.check(candidates, _check.Target(release, known))
    if params["verify"]:
        # Here, as in _declared: what few tasks need is loaded by those.
        from .._host.verify import unreported

        findings += unreported(candidates, runner, here, findings)
    findings = _check.ignored(findings, params["ignore"])
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return {
        "changed": False,
        "findings": [finding._asdict() for finding in findings],
        "checked": [path or name for name, _dropin, path, _text in texts],
        "systemd_version": release,
        "stopping": findings,
    }


def _release_here(runner: Runner, needed: bool) -> int:
    try:
        return runner.version()
    except SystemdError:
        if needed:
            raise
        return 0


def _unit_files(path: str) -> list[str]:
    """The unit files and drop-ins that a path stands for.

    :raises LintError: when there is no such path, or no unit file in it.
    """
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise LintError(f"paths: there is no file or folder {path} on this host; correct the path, or leave it out")
    found = []
    for folder, _folders, names in os.walk(path):
        for name in sorted(names):
            whole = os.path.join(folder, name)
            is_dropin = name.endswith(".conf") and folder.endswith(".d")
            if not os.path.islink(whole) and (is_dropin or not unit_name_problem(name)):
                found.append(whole)
    if not found:
        raise LintError(f"paths: {path} holds no unit file and no drop-in (NAME.d/*.conf); name a folder that does")
    return sorted(found)


def _read(path: str, texts: list[tuple[str, str, str, str]], findings: list[Finding]) -> None:
    """Add a file as (unit, drop-in, path, text), or a finding when it cannot be read."""
    folder, name = os.path.split(path)
    unit, dropin = name, ""
    if name.endswith(".conf") and folder.endswith(".d"):
        unit, dropin = os.path.basename(folder)[: -len(".d")], name[: -len(".conf")]
    problem = unit_name_problem(unit)
    if problem and not (dropin and "." not in unit):
        raise LintError(f"paths: {path} is no unit file: {problem}")
    try:
        data = read_regular(path, _MAX_BYTES)
    except OSError as error:
        findings.append(Finding("syntax", "error", unit, f"{path} cannot be read: {error.strerror}", path=path))
        return
    texts.append((unit, dropin, path, from_bytes(data)))


def _declared(item: t.Mapping[str, t.Any]) -> tuple[str, str, str, str]:
    name = item["name"] if "." in item["name"] else f"{item['name']}.service"
    problem = unit_name_problem(name)
    if problem:
        raise LintError(f"units: name: {problem}")
    if item["content"] is not None:
        return name, item["dropin"] or "", "", item["content"]
    from .._syntax import render as _render

    try:
        text = _render.render(_render.settings_from_mapping(name, item["sections"]))
    except _render.RenderError as error:
        raise LintError(str(error)) from None
    return name, item["dropin"] or "", "", text


def _candidates(texts: t.Sequence[tuple[str, str, str, str]]) -> list[_check.PendingFile]:
    """The texts with the whole unit each belongs to: its fragment, then its drop-ins by file name."""
    whole: dict[str, list[Setting]] = {}
    read: dict[int, Unit] = {}
    for number in sorted(range(len(texts)), key=lambda number: (bool(texts[number][1]), texts[number][1])):
        unit, dropin, path, text = texts[number]
        try:
            read[number] = read_unit(unit, text, path, dropin)
        except UnitSyntaxError:
            continue
        if not dropin or unit in whole:  # otherwise the fragment is not among what is checked
            whole.setdefault(unit, []).extend(read[number].settings)
    fragments = {unit for unit, dropin, _path, _text in texts if not dropin}
    return [
        _check.PendingFile(
            unit, dropin, path, text, whole.get(unit) if unit in fragments and not dropin else None, read.get(number)
        )
        for number, (unit, dropin, path, text) in enumerate(texts)
    ]

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of the documentation holds: Ansible reads it, its options exist, its units are good."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import typing as t

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.unitcraft.systemd.plugins.module_utils import _model
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import judge as _lint
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import options
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import rollback as _module_rollback
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import unit_info as _module_info
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import unit_lint as _module_lint
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax import render as _render
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import validate as _validate
from doc_examples import ROOT, Example, all_examples

COLLECTION = "unitcraft.systemd."
RELEASE = 257
NOT_OURS = {"ansible-runner"}  # who has it, has brought it along
EXAMPLES = all_examples()
_UNITS = {"type": "list", "elements": "dict", "required": True, "options": options.unit_options()}
SPECS = {
    "unit": {**options.unit_options(), **options.set_options()},
    "units": {"units": _UNITS, **options.set_options()},
    "unit_info": _module_info.argument_spec(),
    "unit_lint": _module_lint.argument_spec(),
    "rollback": _module_rollback.argument_spec(),
}
TASK_LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")


class Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


for tag in ("!unsafe", "!vault"):
    Loader.add_constructor(tag, lambda loader, node: loader.construct_scalar(node))


def load(text: str) -> t.Any:
    return yaml.load(text, Loader=Loader)  # noqa: S506  a SafeLoader with two tags more


def in_language(*languages: str) -> list[t.Any]:
    return [pytest.param(example, id=str(example)) for example in EXAMPLES if example.language in languages]


def is_playbook(data: t.Any) -> bool:
    return isinstance(data, list) and any("hosts" in item or "ansible.builtin.import_playbook" in item for item in data)


def test_there_are_examples_and_no_language_is_left_out() -> None:
    assert len(EXAMPLES) > 80
    assert {example.language for example in EXAMPLES} <= {"yaml", "ini", "sh", "console", "text", "mermaid", "python"}


# --- YAML -----------------------------------------------------------------------------------------------------------


def test_ansible_takes_every_playbook_and_task(tmp_path: t.Any) -> None:
    """One call for all: each is a playbook of its own, a list of tasks gets a play around it."""
    wanted = {}
    for number, example in enumerate(EXAMPLES):
        data = load(example.text) if example.language == "yaml" else None
        if isinstance(data, list):
            plays = data if is_playbook(data) else [{"name": "Example", "hosts": "all", "tasks": data}]
            path = tmp_path / f"{number}.yml"
            path.write_text(yaml.safe_dump(plays, sort_keys=False))
            wanted[str(path)] = str(example)
    # What examples mention by a relative name.
    for name in ("files", "templates", "tasks"):
        (tmp_path / name).mkdir()
    assert len(wanted) > 15
    variables = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "playbooks" / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "--syntax-check", "-i", "localhost,", *wanted]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=tmp_path)
    said = done.stdout + done.stderr
    for path, example in wanted.items():
        said = said.replace(path, example)
    assert done.returncode == 0, said


def tasks_of(data: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Every task of plays or of a list of tasks, those in blocks too."""
    for item in data:
        inner = [entry for key in TASK_LISTS for entry in item.get(key) or ()]
        if inner:
            yield from tasks_of(inner)
        elif "hosts" not in item:
            yield item


TEXTS = {"content", "secret", "src"}  # a template that gives one of these gives a text


def without_templates(value: t.Any) -> t.Any:
    """The value with options left out that a template gives, because their types are not known here."""
    if isinstance(value, dict):
        return {key: without_templates(item) for key, item in value.items() if key in TEXTS or not is_template(item)}
    if isinstance(value, list):
        return [without_templates(item) for item in value if not is_template(item)]
    return value


def is_template(value: t.Any) -> bool:
    return isinstance(value, str) and "{{" in value


def problems(spec: dict[str, t.Any], given: dict[str, t.Any]) -> list[str]:
    """What Ansible says of options; a required one may be a template."""
    plain = without_templates(given)
    for key, option in spec.items():
        if option.get("required") and key in given and key not in plain:
            plain[key] = "x" if option["type"] == "str" else []
    return list(ArgumentSpecValidator(spec).validate(plain).error_messages)


def role_spec(role: str) -> dict[str, t.Any]:
    text = (ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    spec = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    # An example may show a part of what a role needs.
    return {name: {**option, "required": False, "default": None} for name, option in spec.items()}


ROLES = sorted(path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


def variables_of(data: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Every mapping in the data: variables of roles may stand in any of them."""
    if isinstance(data, dict):
        yield data
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from variables_of(item)


@pytest.mark.parametrize("example", in_language("yaml"))
def test_options_and_variables_exist(example: Example) -> None:
    data = load(example.text)
    assert data, "an empty example"
    said = []
    for mapping in variables_of(data):
        for key, value in mapping.items():
            module = str(key).removeprefix(COLLECTION)
            if str(key).startswith(COLLECTION) and isinstance(value, dict):
                said += [f"{key}: {problem}" for problem in problems(SPECS[module], value)]
        for role in ROLES:
            given = {key: value for key, value in mapping.items() if str(key).startswith(f"{role}_")}
            if given and not (role == "service" and "service_facts" in given):
                said += [f"role {role}: {problem}" for problem in problems(role_spec(role), given)]
        if isinstance(mapping.get("systemd_units"), list):
            said += problems({"units": _UNITS}, {"units": mapping["systemd_units"]})
    assert not said


def unit_items(data: t.Any) -> t.Iterator[list[dict[str, t.Any]]]:
    """The sets of units that an example declares."""
    for mapping in variables_of(data):
        for key in (COLLECTION + "units", COLLECTION + "unit_lint"):
            if isinstance(mapping.get(key), dict):
                yield mapping[key].get("units", [])
        if isinstance(mapping.get(COLLECTION + "unit"), dict):
            yield [mapping[COLLECTION + "unit"]]
        if isinstance(mapping.get("systemd_units"), list):
            yield mapping["systemd_units"]


def as_unit(item: dict[str, t.Any]) -> _model.Unit | None:
    """The unit of a declaration, or None when there is no text in it, or a template."""
    name = item["name"] if "." in item["name"] else item["name"] + ".service"
    if "{{" in json.dumps(item, default=str) or not ("sections" in item or "content" in item):
        return None
    dropin = item.get("dropin", "")
    text = item.get("content") or _render.render(_render.settings_from_mapping(name, item["sections"]))
    return read_unit(name, text, name, dropin)


@pytest.mark.parametrize("example", in_language("yaml"))
def test_declared_units_are_good(example: Example) -> None:
    found = []
    for items in unit_items(load(example.text)):
        if not isinstance(items, str):
            units = [unit for unit in map(as_unit, items) if unit]
            found += [finding for unit in units for finding in _validate.validate(unit, RELEASE).findings]
            found += _lint.lint(units, RELEASE)
    # Partners of another example of the page are not there.
    assert [f"{one.unit}: {one.rule}: {one.message}" for one in found if one.severity != _model.INFO] == []


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", in_language("sh", "console"))
def test_commands_can_be_typed(example: Example) -> None:
    text = example.text
    if example.language == "console":
        text = "".join(line[2:] + "\n" for line in text.splitlines() if line.startswith(("$ ", "> ")))
    checked = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= set(targets)
    for name in re.findall(r"\bunitcraft\.systemd\.([a-z_0-9]+)", text):
        places = [f"playbooks/{name}.yml", f"plugins/modules/{name}.py", f"plugins/filter/{name}.py", f"roles/{name}"]
        assert any((ROOT / place).exists() for place in places), name
    programs = re.findall(r"^\s*([a-z0-9-]+)", re.sub(r"\\\n", " ", text), re.MULTILINE)
    assert programs
    ours = [name for name in programs if name.startswith("ansible") and name not in NOT_OURS]
    unknown = [name for name in ours if not shutil.which(name, path=_scripts())]
    assert not unknown


@pytest.mark.parametrize("example", in_language("python"))
def test_programs_compile(example: Example) -> None:
    compile(example.text, str(example), "exec")


def _scripts() -> str:
    return os.path.dirname(sys.executable)

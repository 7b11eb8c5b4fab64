# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured: the same set of services, deployed in every way that is compared."""

from __future__ import annotations

import typing as t

PREFIX = "bench-"
UNIT_FOLDER = "/etc/systemd/system"
QUERY = "Id,LoadState,ActiveState,SubState,UnitFileState,Result"


def names(count: int) -> list[str]:
    return [f"{PREFIX}{number:03}.service" for number in range(count)]


def sections(number: int, version: int = 1) -> dict[str, dict[str, t.Any]]:
    return {
        "Unit": {"Description": f"Service {number} of the benchmark", "After": "network.target"},
        "Service": {
            "ExecStart": f"/bin/sleep {1000000 + number}",
            "Environment": f"VERSION={version}",
            "Restart": "on-failure",
            "RestartSec": "5s",
        },
        "Install": {"WantedBy": "multi-user.target"},
    }


def text(number: int, version: int = 1) -> str:
    """The same unit as a file."""
    parts = []
    for section, directives in sections(number, version).items():
        parts.append("\n".join([f"[{section}]", *(f"{key}={value}" for key, value in directives.items())]))
    return "\n\n".join(parts) + "\n"


def versions(count: int, changed: bool) -> list[int]:
    """The version of each unit: with *changed* the one in the middle is a new one."""
    return [2 if changed and number == count // 2 else 1 for number in range(count)]


# Playbooks, as data


def play(tasks: list[dict[str, t.Any]], **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"hosts": "systemd_hosts", "gather_facts": False, "tasks": tasks, **more}]


def ping() -> list[dict[str, t.Any]]:
    return play([{"name": "Ping", "ansible.builtin.ping": {}}])


def units(count: int, changed: bool = False, **more: t.Any) -> list[dict[str, t.Any]]:
    """The module ``units``, with the list written out as a user would have it in a playbook."""
    items = [
        {"name": name, "sections": sections(number, version), "state": "started", "enabled": True}
        for number, (name, version) in enumerate(zip(names(count), versions(count, changed)))
    ]
    return play([{"name": "Deploy", "unitcraft.systemd.units": {"units": items}}], **more)


def unit() -> list[dict[str, t.Any]]:
    """The module ``unit`` on one unit."""
    options = {"name": names(1)[0], "sections": sections(0), "state": "started", "enabled": True}
    return play([{"name": "Deploy", "unitcraft.systemd.unit": options}])


def loop(count: int, changed: bool = False) -> list[dict[str, t.Any]]:
    """The common way: a loop over template with a handler's worth of reload, then one over systemd_service."""
    items = [
        {"name": name, "number": number, "version": version}
        for number, (name, version) in enumerate(zip(names(count), versions(count, changed)))
    ]
    return play(
        [
            {
                "name": "Write",
                "ansible.builtin.template": {
                    "src": "unit.j2",
                    "dest": f"{UNIT_FOLDER}/{{{{ item.name }}}}",
                    "mode": "0644",
                },
                "loop": items,
                "loop_control": {"label": "{{ item.name }}"},
                "register": "written",
            },
            {
                "name": "Enable and start",
                "ansible.builtin.systemd_service": {
                    "name": "{{ item.item.name }}",
                    "state": "{{ 'restarted' if item.changed else 'started' }}",
                    "enabled": True,
                    "daemon_reload": "{{ item.changed }}",
                },
                "loop": "{{ written.results }}",
                "loop_control": {"label": "{{ item.item.name }}"},
            },
        ]
    )


def role_way(count: int, changed: bool = False) -> list[dict[str, t.Any]]:
    """How the role linux-system-roles.systemd works.

    A file for each unit, copied in a loop, one reload, then a loop for each list of names, one list for each state that
    a unit shall have.
    """
    listed = names(count)
    files = [f"{name}-{version}" for name, version in zip(listed, versions(count, changed))]
    tasks: list[dict[str, t.Any]] = [
        {"name": "Gather what the role looks at", "ansible.builtin.service_facts": {}},
        {
            "name": "Copy",
            "ansible.builtin.copy": {
                "src": "{{ item }}",
                "dest": UNIT_FOLDER + "/{{ item.rpartition('-')[0] }}",
                "mode": "0644",
            },
            "loop": files,
            "register": "written",
        },
        {"name": "Reload", "ansible.builtin.systemd_service": {"daemon_reload": True}, "when": "written is changed"},
    ]
    if changed:
        restart = [listed[count // 2]]
        tasks.append(
            {
                "name": "Restart",
                "ansible.builtin.systemd_service": {"name": "{{ item }}", "state": "restarted"},
                "loop": restart,
            }
        )
    for title, option in (("Start", {"state": "started"}), ("Enable", {"enabled": True})):
        tasks.append(
            {"name": title, "ansible.builtin.systemd_service": {"name": "{{ item }}", **option}, "loop": listed}
        )
    return play(tasks)


# The limit: bare scripts in the container, which measure themselves

_SCRIPT = """\
#!/bin/sh
set -e
begun=$(date +%s%N)
{steps}
ended=$(date +%s%N)
echo $((ended - begun))
"""


def script(steps: t.Sequence[str]) -> str:
    """A script that prints how many nanoseconds its steps took."""
    return _SCRIPT.format(steps="\n".join(steps))


def query_step(count: int) -> str:
    return f"systemctl show --property={QUERY} {' '.join(names(count))} > /dev/null"


def show_step(count: int) -> str:
    return f"systemctl show {' '.join(names(count))} > /dev/null"


def info(count: int) -> list[dict[str, t.Any]]:
    """Definition and state of every unit of the set."""
    return play([{"name": "Ask", "unitcraft.systemd.unit_info": {"name": names(count)}}])


def first_steps(count: int, source: str) -> list[str]:
    """Files into place, one reload, one enable, one start, one query."""
    listed = " ".join(names(count))
    return [
        f"cp {source}/*.service {UNIT_FOLDER}/",
        "systemctl daemon-reload",
        f"systemctl enable --quiet --no-reload {listed}",
        f"systemctl start {listed}",
        query_step(count),
    ]


def changed_steps(count: int, source: str) -> list[str]:
    """One file into place, one reload, one restart, one query of all."""
    name = names(count)[count // 2]
    return [
        f"cp {source}/{name} {UNIT_FOLDER}/",
        "systemctl daemon-reload",
        f"systemctl restart {name}",
        query_step(count),
    ]


# Linting


def lint_text(number: int) -> str:
    """A service of 20 directives, of several kinds of value."""
    return "\n".join(
        [
            "[Unit]",
            f"Description=Worker {number} that is only looked at",
            "Documentation=man:sleep(1)",
            "After=network-online.target remote-fs.target",
            "Wants=network-online.target",
            "StartLimitIntervalSec=5min",
            "StartLimitBurst=5",
            "",
            "[Service]",
            "Type=simple",
            f"ExecStart=/bin/sleep {1000 + number} ",
            "Restart=on-failure",
            "RestartSec=2s",
            f'Environment=NUMBER={number} "TITLE=worker number {number}"',
            "User=nobody",
            "ProtectSystem=strict",
            "PrivateTmp=yes",
            "MemoryMax=512M",
            "CPUQuota=50%",
            "SystemCallFilter=@system-service",
            "LimitNOFILE=4096",
            f"RuntimeDirectory=worker-{number}",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        ]
    )


def lint(folder: str, **more: t.Any) -> list[dict[str, t.Any]]:
    return play([{"name": "Lint", "unitcraft.systemd.unit_lint": {"paths": [folder], "fail_on": "never"}}], **more)


# What Ansible and Python take for themselves

_WINGS = "ansible_collections.unitcraft.systemd.plugins.module_utils"
_OPTIONS = f"from {_WINGS}._modules.options import set_options, unit_options\n"
_SPECS = {
    "unit": f"{_OPTIONS}SPEC = {{**unit_options(), **set_options()}}\n",
    "units": f"{_OPTIONS}"
    'ITEMS = {"type": "list", "elements": "dict", "required": True, "options": unit_options()}\n'
    'SPEC = {"units": ITEMS, **set_options()}\n',
    "unit_lint": 'SPEC = {"paths": {"type": "list", "elements": "path"}, "fail_on": {"type": "str"}}\n',
}
# One unit in a result of ours.
_ENTRY = {
    "path": "/etc/systemd/system/bench-000.service",
    "load_state": "loaded",
    "active_state": "active",
    "sub_state": "running",
    "unit_file_state": "enabled",
    "result": "success",
    "invocation_id": "0123456789abcdef0123456789abcdef",
    "main_pid": 12345,
    "n_restarts": 0,
    "drift": [],
}
_CODE = {"unit": "unit", "units": "unit", "unit_lint": "unit_lint"}


def empty_module(name: str, loads: bool) -> str:
    """A module that does nothing: same archive, same options, a result of the same size as one of ours.

    :param name: ``unit``, ``units`` or ``unit_lint``.
    :param loads: whether it also loads the code of ours that a run loads before it looks at the host.
    """
    return f"""from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
{_SPECS[name]}
if {loads}:
    from {_WINGS}._modules import {_CODE[name]}

ENTRY = {_ENTRY}


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    items = module.params.get("units", [module.params])
    units = {{item.get("name"): dict(ENTRY) for item in items}}
    module.exit_json(changed=False, actions=[], diff=[], findings=[], units=units)


if __name__ == "__main__":
    main()
"""


def with_empty(plays: list[dict[str, t.Any]], module: str) -> list[dict[str, t.Any]]:
    """The same play with the module replaced by an empty one.

    :param module: file name of the empty module, without ``.py``.
    """
    play_, task = plays[0], plays[0]["tasks"][0]
    options = next(value for key, value in task.items() if key.startswith("unitcraft.systemd."))
    return [{**play_, "tasks": [{"name": "Nothing", module: options}]}]

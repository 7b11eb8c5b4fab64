# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measurements of whole deployments: services with files and secrets by role ``services``, and a big program."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

from bench import cases, workload
from bench.clock import Times
from lab import containers

SERVICES = 50
FILES, FILE_SIZE = 20_000, 10_000  # of the program: 200 MB
COPIED = 100  # files of it that are copied one by one; the time for all is extrapolated
SOURCE, PLACE, BESIDE = "/opt/bench-source", "/opt/bench-release", "/opt/bench-tar"
_CLEAN = f"rm -rf /etc/{workload.PREFIX}* /opt/{workload.PREFIX}*; sync"


def clean(bench: cases.Bench) -> None:
    bench.clean()
    containers.run(bench.host, ["sh", "-c", _CLEAN])


# Fifty services


def files_of(name: str) -> dict[str, str]:
    """The two files of a service and its secret."""
    return {
        f"/opt/{name}/program": f"program of {name}\n" * 100,
        f"/etc/{name}.conf": f"configuration of {name}\n" * 20,
        f"/etc/{name}.secrets": f'TOKEN="secret of {name}"\n',
    }


def unit_of(number: int, name: str) -> str:
    lines = ["[Unit]", f"Description=Service {number} of the benchmark", "StartLimitIntervalSec=0", "", "[Service]"]
    lines += ["Type=exec", f"ExecStart=/bin/sleep {1000000 + number}", f"EnvironmentFile=/etc/{name}.secrets"]
    return "\n".join([*lines, "Restart=on-failure", "", "[Install]", "WantedBy=multi-user.target", ""])


def role() -> list[dict[str, t.Any]]:
    declared = {}
    for number, name in enumerate(stems()):
        program, conf, _secret = files_of(name).items()
        declared[name] = {
            "description": f"Service {number} of the benchmark",
            "command": ["/bin/sleep", str(1000000 + number)],
            "user": "root",
            "hardening": "none",
            "files": [{"path": path, "content": content} for path, content in (program, conf)],
            "secrets": {"TOKEN": f"secret of {name}"},
        }
    return [{**workload.play([])[0], "roles": [{"role": "unitcraft.systemd.services", "vars": {"services": declared}}]}]


def stems() -> list[str]:
    return [name.partition(".")[0] for name in workload.names(SERVICES)]


def loop() -> list[dict[str, t.Any]]:
    """The common way: ``copy`` over all files, then ``systemd_service`` over all services."""
    label = {"loop_control": {"label": "{{ item.path | default(item) }}"}}
    items = [{"path": f"/{path}", "content": content} for path, content in all_files().items()]
    copied = {"dest": "{{ item.path }}", "content": "{{ item.content }}", "mode": "0600"}
    started = {"name": "{{ item }}", "state": "started", "enabled": True, "daemon_reload": True}
    folders = {"path": "{{ item }}", "state": "directory", "mode": "0755"}
    return workload.play(
        [
            {"ansible.builtin.file": folders, "loop": [f"/opt/{name}" for name in stems()], **label},
            {"ansible.builtin.copy": copied, "loop": items, **label},
            {"ansible.builtin.systemd_service": started, "loop": workload.names(SERVICES), **label},
        ]
    )


def all_files() -> dict[str, str]:
    """All files and units of the set, by their paths without the first slash."""
    files = {}
    for number, name in enumerate(stems()):
        files.update(files_of(name))
        files[f"{workload.UNIT_FOLDER}/{name}.service"] = unit_of(number, name)
    return {path[1:]: text for path, text in files.items()}


def script_steps() -> list[str]:
    """The same by a bare script: files and units into place, one reload, one enable, one start, one query."""
    units = f"{SOURCE}{workload.UNIT_FOLDER}"
    return [f"cp -r {SOURCE}/opt {SOURCE}/etc /", *workload.first_steps(SERVICES, units)]


def services(bench: cases.Bench) -> dict[str, t.Any]:
    """Role ``services`` with fifty services of two files, a secret and a unit each."""
    times = Times()
    for number in range(bench.rounds):
        bench.say(f"services: round {number + 1} of {bench.rounds}")
        clean(bench)
        times.add("ping", bench.run("ping", workload.ping(), changes=False))
        times.add("first", bench.run("services", role(), changes=True))
        times.add("unchanged", bench.run("services", role(), changes=False))
        times.add("ping", bench.run("ping", workload.ping(), changes=False))
        clean(bench)
        cases.put_files(bench.host, SOURCE, all_files())
        times.add("script", bench.script("services-script", script_steps()))
    clean(bench)
    bench.say("services: loop of copy and systemd_service")
    times.add("loop first", bench.run("services-loop", loop(), changes=True))
    times.add("loop unchanged", bench.run("services-loop", loop(), changes=False))
    clean(bench)
    return dict(times)


# A big program


def make_program(folder: Path) -> None:
    """A folder of many files that cannot be compressed."""
    dice = random.Random(1)
    for number in range(FILES):
        path = folder / f"{number % 100:02}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(FILE_SIZE))


def release(source: Path) -> list[dict[str, t.Any]]:
    item = {
        "name": workload.names(1)[0],
        "sections": {"Service": {"Type": "exec", "ExecStart": "/bin/sleep 1000000"}},
        "state": "started",
        "release": {"path": PLACE, "src": str(source), "version": "1"},
    }
    return workload.play([{"name": "Deploy", "unitcraft.systemd.units": {"units": [item]}}], vars=cases.NOTING)


def tar(host: str, source: Path) -> float:
    """Seconds of tar through podman, which the playbooks also go through, until all is on the disk."""
    containers.run(host, ["mkdir", "-p", BESIDE])
    pack = f"tar -C {source} -cf - . | podman exec --interactive {containers.full_name(host)}"
    begun = time.perf_counter()
    subprocess.run(["sh", "-c", f"{pack} tar -C {BESIDE} -xf - && {pack.split('|')[1]} sync -f {BESIDE}"], check=True)
    return time.perf_counter() - begun


def copied(source: Path) -> list[dict[str, t.Any]]:
    """Some of the files by ``copy``, then ``systemd_service``."""
    names = [f"{number % 100:02}/{number}.bin" for number in range(COPIED)]
    task = {"src": f"{source}/{{{{ item }}}}", "dest": f"{PLACE}-{{{{ item | basename }}}}", "mode": "0644"}
    return workload.play([{"ansible.builtin.copy": task, "loop": names}])


def releases(bench: cases.Bench) -> dict[str, t.Any]:
    """A program of 200 MB in 20,000 files."""
    source = bench.folder / "program"
    shutil.rmtree(source, ignore_errors=True)
    make_program(source)
    bench.add_interpreter()
    times, memory = Times(), Times()
    cache = bench.folder / "cache"
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(cache)
    try:
        for number in range(min(bench.rounds, 3)):
            bench.say(f"releases: round {number + 1}")
            shutil.rmtree(cache, ignore_errors=True)  # the controller has never read this program
            clean(bench)
            times.add("ping", bench.run("ping", workload.ping(), changes=False))
            memory.add("controller, ping", bench.controller.memory)
            times.add("tar", tar(bench.host, source))
            clean(bench)
            times.add("first", bench.run("release", release(source), changes=True))
            memory.add("controller", bench.controller.memory)
            memory.add("host", bench.noted()[0])
            times.add("unchanged", bench.run("release", release(source), changes=False))
            times.add("ping", bench.run("ping", workload.ping(), changes=False))
        clean(bench)
        bench.say("releases: copy")
        times.add("copy (extrapolated)", bench.run("release-copied", copied(source), changes=True) * FILES / COPIED)
    finally:
        os.environ.pop("XDG_CACHE_HOME")
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before
        shutil.rmtree(source)
        clean(bench)
    return {"times": dict(times), "memory_kib": dict(memory)}

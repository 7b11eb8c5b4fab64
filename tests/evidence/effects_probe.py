# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a container: give units a first value, a second one with a daemon-reload, then restart; look each time.

Reads from standard input a JSON object ``{"units": {name: [text with the first value, text with the second, text before
the restart]}, "extra": {name: text}}`` and prints ``{name: {"started": bool, "same_start": bool, "shown": [property],
"live": [observation], "restarted": [observation]}}``: the properties that PID 1 shows differently after the
daemon-reload, and what the kernel shows differently of the running process (or socket, or mount) after that and after a
restart.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

FOLDER = "/run/systemd/system"
# Change by themselves, whatever the unit file says.
RESTLESS = re.compile(
    r"Timestamp|MainPID|ExecMain|InvocationID|NeedDaemonReload|CPUUsageNSec|Memory(Current|Peak|Available|ZSwapCurrent|SwapCurrent|SwapPeak)|"
    r"^TasksCurrent|IO(Read|Write)(Bytes|Operations)|IP(In|E)gress|StateChange|NextElapse|LastTrigger|JobId|"
    r"EffectiveMemory|EffectiveTasks|ActiveEnter|^Id$|ControlGroupId|^Job$|NRestarts|OOMKills|Uptime|ManagedOOMKills"
)


def systemctl(*arguments: str, check: bool = False) -> str:
    done = subprocess.run(["systemctl", *arguments], check=check, capture_output=True, text=True)
    return done.stdout


def chunks(items: list[str], size: int = 100):
    for start in range(0, len(items), size):
        yield items[start : start + size]


def show(names: list[str]) -> dict[str, dict[str, str]]:
    """All properties of all units, keyed by unit."""
    result: dict[str, dict[str, str]] = {}
    for some in chunks(names):
        blocks = systemctl("show", "--all", *some).split("\n\n")
        for name, block in zip(some, blocks):
            properties: dict[str, str] = {}
            for line in block.strip("\n").split("\n"):
                key, _unused, value = line.partition("=")
                # A start time and a pid stand inside the value of Exec* properties.
                value = re.sub(r"(start_time|stop_time|pid|code|status)=[^;]*;", "", value)
                if re.fullmatch(r"[\w@.\\: -]+", value):
                    value = " ".join(sorted(value.split()))  # dependencies come in the order of a hash table
                properties[key] = f"{properties[key]}\n{value}" if key in properties else value
            result[name] = properties
    return result


def read(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError as error:
        return f"({error.strerror})"


def link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError as error:
        return f"({error.strerror})"


PROCESS_FILES = (
    *("cmdline", "environ", "limits", "oom_score_adj", "cgroup", "coredump_filter", "attr/current"),
    *("timerslack_ns", "personality", "loginuid"),
)
STATUS_KEYS = (
    *("Uid", "Gid", "Groups", "Umask", "SigIgn", "SigBlk", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"),
    *("NoNewPrivs", "Seccomp", "Seccomp_filters", "Cpus_allowed", "Mems_allowed", "THP_enabled"),
)
NAMESPACES = ("mnt", "net", "ipc", "uts", "user", "pid", "cgroup", "time")


def look_at_process(pid: str) -> dict[str, str]:
    """What the kernel says of a process, without what changes by itself."""
    base = f"/proc/{pid}"
    seen = {name: read(f"{base}/{name}") for name in PROCESS_FILES}
    for line in read(f"{base}/status").splitlines():
        key, _unused, value = line.partition(":")
        if key in STATUS_KEYS:
            seen[f"status/{key}"] = value
    fields = read(f"{base}/stat").rpartition(")")[2].split()
    if len(fields) > 40:
        # Fields 18 and 19 of proc_pid_stat(5) are priority and nice, 40 and 41 real-time priority and policy.
        seen.update(priority=fields[15], nice=fields[16], rt_priority=fields[37], policy=fields[38])
    seen["ioprio"] = subprocess.run(["ionice", "-p", pid], check=False, capture_output=True, text=True).stdout
    own = {space: link(f"/proc/1/ns/{space}") for space in NAMESPACES}
    for space, of_init in own.items():
        seen[f"ns/{space}"] = "own" if link(f"{base}/ns/{space}") != of_init else "host"
    seen["cwd"], seen["root"] = link(f"{base}/cwd"), link(f"{base}/root")
    for number in ("0", "1", "2", "3"):
        seen[f"fd/{number}"] = re.sub(r"\d+", "N", link(f"{base}/fd/{number}"))
    seen["mounts"] = look_at_mounts(read(f"{base}/mountinfo"))
    # Differ at every start, or come and go with accounting, which itself needs none.
    passing = r"(INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|MAINPID|(CPU|IO|MEMORY)_PRESSURE_\w+)=[^\0]*\0"
    seen["environ"] = re.sub(passing, "", seen["environ"])
    return seen


def look_at_mounts(text: str) -> str:
    """Mounts without their numbers; those of the other units under test come and go in everybody's namespace."""
    lines = [line for line in text.splitlines() if " /fx/" not in line and "/run/credentials" not in line]
    return re.sub(r"\b\d+ \d+ \d+:\d+|(shared|master|propagate_from):\d+|inode=\d+", "", "\n".join(lines))


def cgroup_files(path: str) -> dict[str, str]:
    base = f"/sys/fs/cgroup{path}"
    seen = {}
    try:
        names = sorted(os.listdir(base))
    except OSError:
        return seen
    for name in names:
        if name.startswith(
            (
                "memory.m",
                "memory.h",
                "memory.l",
                "memory.swap.m",
                "memory.z",
                "memory.oom.g",
                "cpu.w",
                "cpu.max",
                "cpuset.",
                "io.w",
                "io.max",
                "io.l",
                "pids.max",
                "cgroup.subtree",
                "cgroup.type",
            )
        ):
            seen[f"cgroup/{name}"] = read(f"{base}/{name}")
    try:
        for attribute in os.listxattr(base):
            if not attribute.endswith("invocation_id"):
                seen[f"cgroup/{attribute}"] = repr(os.getxattr(base, attribute))
    except OSError:
        pass
    programs = (
        subprocess.run(["bpftool", "cgroup", "show", base], check=False, capture_output=True, text=True)
        if BPFTOOL
        else None
    )
    if programs:
        seen["cgroup/bpf"] = re.sub(r"^\d+", "", programs.stdout, flags=re.MULTILINE)
    return seen


BPFTOOL = any(os.path.exists(f"{folder}/bpftool") for folder in ("/usr/sbin", "/sbin", "/usr/bin"))


def look_at_socket(path_or_address: str) -> dict[str, str]:
    try:
        state = os.stat(path_or_address)
    except OSError as error:
        return {"node": error.strerror or ""}
    return {"node": f"{state.st_mode:o} {state.st_uid} {state.st_gid}"}


def look(names: list[str], shown: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """What the kernel shows of each unit."""
    mounts = read("/proc/self/mountinfo").splitlines()
    listening = subprocess.run(
        ["ss", "-xtuanlmeoH0wp"], check=False, capture_output=True, text=True
    ).stdout.splitlines()
    result = {}
    for name in names:
        properties, seen = shown[name], {}
        pid = properties.get("MainPID", "0")
        if pid not in ("", "0"):
            seen.update(look_at_process(pid))
        if properties.get("ControlGroup"):
            seen.update(cgroup_files(properties["ControlGroup"]))
        if name.endswith(".mount"):
            where = properties.get("Where", "")
            seen["mount"] = "\n".join(re.sub(r"^\d+ \d+ \d+:\d+", "", line) for line in mounts if f" {where} " in line)
            seen.update(look_at_socket(where))
        if name.endswith(".socket"):
            stem = name.rpartition(".")[0]
            seen["listen"] = "\n".join(
                sorted(
                    re.sub(r"ino:\d+|sk:\w+|\b\d{4,}\b|cgroup:\S+|timer:\S+|skmem:\(r0,|,t0.*", "", line)
                    for line in listening
                    if stem in line
                )
            )
            for address in re.findall(r"(/\S+) \(", properties.get("Listen", "")):
                seen.update({f"{address}/{key}": value for key, value in look_at_socket(address).items()})
        seen.update(conditions(name))
        result[name] = seen
    return result


def conditions(name: str) -> dict[str, str]:
    """Conditions and asserts of PID 1, which `systemctl show` leaves out; only of units whose text has one."""
    if not re.search("^(Condition|Assert)", read(f"{FOLDER}/{name}"), re.MULTILINE):
        return {}
    escaped = "".join(letter if letter.isalnum() else f"_{ord(letter):02x}" for letter in name)
    seen = subprocess.run(
        [
            "busctl",
            "get-property",
            "org.freedesktop.systemd1",
            f"/org/freedesktop/systemd1/unit/{escaped}",
            "org.freedesktop.systemd1.Unit",
            "Conditions",
            "Asserts",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    # The last number of each is the result of the last check.
    return {"Conditions": re.sub(r" -?\d+(?= \"|\n)", "", seen.stdout)}


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key) and not RESTLESS.search(key))


def write(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        with open(f"{FOLDER}/{name}", "w") as file:
            file.write(text)
    systemctl("daemon-reload", check=True)


def settle(names: list[str]) -> None:
    """Wait until no unit is on its way, at most half a minute."""
    for _unused in range(30):
        time.sleep(1)
        states = systemctl("show", "--property=ActiveState", "--value", *names).split()
        if not {"activating", "deactivating", "reloading"} & set(states):
            return


def probe(units: dict[str, list[str]], extra: dict[str, str]) -> dict[str, dict]:
    names = sorted(units)
    for path in ("/etc/fx-one.env", "/etc/fx-two.env", "/etc/fx-none-one"):
        with open(path, "w") as file:
            file.write("FX=file\n")
    write({**extra, **{name: units[name][0] for name in names}})
    systemctl("start", *(name for name in extra if name.endswith(".target")))
    for some in chunks(names):
        systemctl("start", "--no-block", *some)
    settle(names)
    first = show(names)
    first_seen = look(names, first)
    write({name: units[name][1] for name in names})
    time.sleep(1)
    second = show(names)
    second_seen = look(names, second)
    write({name: units[name][2] for name in names})
    for some in chunks(names):
        systemctl("reset-failed", *some)
        systemctl("restart", "--no-block", *some)
    settle(names)
    third = show(names)
    third_seen = look(names, third)
    return without_noise(
        {
            name: {
                "started": first[name].get("ActiveState") == "active",
                "same_start": first[name].get("InvocationID") == second[name].get("InvocationID")
                and second[name].get("ActiveState") == "active",
                "shown": differences(first[name], second[name]),
                "live": differences(first_seen[name], second_seen[name]),
                "restarted": differences(second_seen[name], third_seen[name]),
                "error": ""
                if first[name].get("ActiveState") == "active"
                else first[name].get("Result", first[name].get("LoadState", "")),
            }
            for name in names
        }
    )


def without_noise(results: dict[str, dict]) -> dict[str, dict]:
    """Leave out what also changed in the control unit of the same type, whose text stayed the same."""
    for name, result in results.items():
        control = results["control." + name.rpartition(".")[2]]
        for key in ("shown", "live", "restarted"):
            if result is not control:
                result[key] = [item for item in result[key] if item not in control[key]]
    return results


BEHAVIOUR_EXTRA = {
    "fxb-other.target": "[Unit]\nDescription=other\n",
    "fxb-other.service": "[Service]\nExecStart=/bin/sleep 1000\n",
    "fxb-mark@.service": "[Service]\nType=oneshot\nExecStart=/bin/touch /run/%I.mark\n",
}


def behave(cases: list[dict]) -> dict[str, dict[str, bool]]:
    """For each directive: does the check succeed after a change and daemon-reload, and without any change."""
    units = {}
    for number, case in enumerate(cases):
        suffix = case["directive"].partition(".")[0].lower()
        for run in ("changed", "unchanged"):
            name = f"fxb{number}{run}." + ("service" if suffix == "unit" else suffix)
            texts = [
                case["text"].replace("@V", value).replace("@U", name).replace("@M", f"/run/{name}.mark")
                for value in case["values"]
            ]
            units[name] = (case, run, texts)
    partners = {f"fxb-partner-{name}.target": "[Unit]\nDescription=partner\n" for name in units}
    write({**BEHAVIOUR_EXTRA, **partners, **{name: texts[0] for name, (_case, _run, texts) in units.items()}})
    systemctl("start", "fxb-other.target", *units)
    time.sleep(1)
    write({name: texts[1] for name, (_case, run, texts) in units.items() if run == "changed"})
    checks = {}
    for name, (case, _run, _texts) in units.items():
        pid = systemctl("show", "--property=MainPID", "--value", name).strip()
        script = case["check"].replace("@U", name).replace("@M", f"/run/{name}.mark")
        checks[name] = subprocess.Popen(
            ["sh", "-c", script], env={**os.environ, "PID": pid}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    results: dict[str, dict[str, bool]] = {}
    for name, (case, run, _texts) in units.items():
        results.setdefault(case["directive"], {})[run] = checks[name].wait(120) == 0
    return results


if __name__ == "__main__":
    request = json.load(sys.stdin)
    if "cases" in request:
        json.dump(behave(request["cases"]), sys.stdout)
    else:
        json.dump(probe(request["units"], request["extra"]), sys.stdout)

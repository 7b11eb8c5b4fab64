#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that the harm each lint rule speaks of happens on real systemd.

    tests/lab/sandbox.py run python3 tests/evidence/harm.py [--rule RULE] [RELEASE...]

harm.yml has one proof per rule: lint, with the facts of the container, must find the rule in the units, and then the
harm must show. Exit status 1 when one proof fails or a rule that is not excused has none.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import host
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.judge import RULES, lint
from evidence.vendor_units import carry_over
from lab import containers

# An old name does no harm but its age; the harm of the other one ends the container.
EXCUSED = {"legacy-directive", "empty-prefix-component"}
FOLDER = "/etc/systemd/system"

# runs in the container: one proof from standard input, its outcome to standard output
PROVER = r"""
import json, os, pathlib, shutil, subprocess, sys
sys.path.insert(0, "/run/lint")
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.facts import host_facts
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.judge import lint
from ansible_collections.unitcraft.systemd.plugins.module_utils._lint import host
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.manager import Manager
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
proof = json.load(sys.stdin)
folder = pathlib.Path("/etc/systemd/system")
shutil.rmtree("/run/harm", ignore_errors=True)
os.makedirs("/run/harm", mode=0o755)
os.chmod("/run/harm", 0o755)
for path, file in proof.get("files", {}).items():
    pathlib.Path(path).write_text(file["text"])
    os.chmod(path, int(file["mode"], 8))
units = []
for key, text in proof["units"].items():
    name, is_dropin, file_name = key.partition(".d/")
    units.append(read_unit(name, text, str(folder / key), file_name[: -len(".conf")] if is_dropin else ""))
systemd = Manager()
facts = host_facts(systemd, host.needed(units))
findings = lint(units, systemd.version(), facts, proof.get("enabled", ()), host_rules=host.RULES)
found = [finding.rule for finding in findings]
for key, text in proof["units"].items():
    (folder / key).parent.mkdir(exist_ok=True)
    (folder / key).write_text(text)
subprocess.run(["systemctl", "daemon-reload"], check=True)
subprocess.run(["sh", "-c", proof["run"]], capture_output=True)
harm = subprocess.run(["sh", "-c", proof["harm"]], capture_output=True, text=True)
names = sorted({key.partition(".d/")[0] for key in proof["units"]})
state = subprocess.run(["systemctl", "--no-pager", "status", *names], capture_output=True, text=True).stdout
subprocess.run(["systemctl", "disable", *names], capture_output=True)
for name in names:  # not in one call: units in a cycle cannot be stopped together
    subprocess.run(["systemctl", "stop", name], capture_output=True)
for key in proof["units"]:
    (folder / key).unlink()
    if key.count("/"):
        (folder / key).parent.rmdir()
subprocess.run(["systemctl", "daemon-reload"], check=True)
subprocess.run(["systemctl", "reset-failed"], check=True)
print(json.dumps({"found": found, "harm": harm.returncode == 0, "state": state}))
"""

REBOOTER = """\
[Unit]
StartLimitAction=reboot-force
[Service]
ExecStart=/bin/false
Restart=always
[Install]
WantedBy=multi-user.target
"""


def prove(container: str, proof: dict[str, t.Any]) -> list[str]:
    """What speaks against a proof; empty when it holds."""
    done = containers.run(container, ["python3", "-c", PROVER], data=json.dumps(proof), check=False)
    if done.returncode:
        return [done.stderr.strip()[-1500:]]
    answer = json.loads(done.stdout.splitlines()[-1])
    problems = [] if proof["rule"] in answer["found"] else [f"lint finds only {answer['found']}"]
    return problems if answer["harm"] else [*problems, "no harm seen\n" + answer["state"]]


def prove_reboot_loop(release: str) -> list[str]:
    """A container whose unit reboots the host goes down after each start, as a host would reboot."""
    found = [finding.rule for finding in lint([_lint_unit("h.service", REBOOTER)], int(release))]
    problems = [] if "start-limit-reboot-loop" in found else [f"lint finds only {found}"]
    container = containers.start(release, f"reboot{release}")
    containers.write_file(container, f"{FOLDER}/h.service", REBOOTER)
    containers.run(container, ["systemctl", "enable", "--now", "h.service"], check=False)
    for boot in (1, 2):
        if not _goes_down(container):
            problems.append(f"still up {boot} start(s) later")
            break
        containers.podman("start", containers.full_name(container))
    containers.stop(container)
    return problems


def _goes_down(container: str, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = containers.podman("inspect", "--format", "{{.State.Running}}", containers.full_name(container)).stdout
        if state.strip() == "false":
            return True
        time.sleep(0.3)
    return False


def _lint_unit(name: str, text: str) -> t.Any:
    from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit

    return read_unit(name, text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rule", help="prove this rule alone")
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    options = parser.parse_args()
    proofs = yaml.safe_load((Path(__file__).parent / "harm.yml").read_text(encoding="utf-8"))
    proved = {proof["rule"] for proof in proofs} | {"start-limit-reboot-loop"} | EXCUSED
    bad = sorted({rule.id for rule in (*RULES, *host.RULES)} - proved)
    if bad:
        print(f"no proof for {', '.join(bad)}")
    for release in options.releases or list(containers.SUITES):
        wanted = [
            proof for proof in proofs if options.rule in (None, proof["rule"]) and proof.get("since", 0) <= int(release)
        ]
        container = containers.start(release, f"harm{release}")
        carry_over(container)
        failed = {proof["rule"]: problems for proof in wanted if (problems := prove(container, proof))}
        containers.stop(container)
        count = len(wanted)
        if options.rule in (None, "start-limit-reboot-loop"):
            count += 1
            problems = prove_reboot_loop(release)
            failed.update({"start-limit-reboot-loop": problems} if problems else {})
        print(f"systemd {release}: {count - len(failed)} of {count} proofs hold", flush=True)
        for rule, problems in failed.items():
            print(f"  {rule}: {'; '.join(problems)}")
        bad += failed
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

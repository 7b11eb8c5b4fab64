#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo and the tests need on this machine: system packages, and virtual environments in the checkout.

Installs only what is missing. PYTHON=/path/to/python overrides the choice of the interpreter.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
CACHE = CHECKOUT / ".cache"
SANDBOX = CHECKOUT / "tests" / "lab" / "sandbox.py"
SUPPORTED_PYTHONS = ("3.14", "3.13", "3.12", "3.11")
# Oldest Python -> ansible-core that is tested with it and later ones. The Sphinx beside ansible-core 2.21 needs 3.13.
CORES = {(3, 13): "2.21", (3, 12): "2.20", (3, 11): "2.19"}

# Debian package -> one of these has to be there.
SYSTEM_PACKAGES = {
    "podman": ["podman"],
    "crun": ["crun"],
    "iptables": ["iptables"],
    "util-linux": ["unshare"],
    "netavark": ["netavark", "/usr/lib/podman/netavark", "/usr/libexec/podman/netavark"],
    "aardvark-dns": ["aardvark-dns", "/usr/lib/podman/aardvark-dns", "/usr/libexec/podman/aardvark-dns"],
}
# Elsewhere images are made from a Containerfile.
DEBIAN_PACKAGES = {"mmdebstrap": ["mmdebstrap"]}
# What unit tests run. Debian's php-cli brings the extension sockets along.
UNIT_TEST_PACKAGES = {"php-cli": ["php"], "strace": ["strace"]}
# For the audit page. Node's own packages bring npm along, Debian's do not.
BROWSER_PACKAGES = {
    "chromium": ["chromium", "chromium-browser", "google-chrome"],
    "graphviz": ["dot"],
    "nodejs": ["node"],
    "npm": ["npm"],
}


class ToolError(Exception):
    """Something that is needed is missing and cannot be installed; the text says what to do."""


def committed_files() -> list[str]:
    """Files of the checkout that are or could be committed, without the hidden link to itself."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = [name for name in listed.split("\0") if name and not name.startswith(".ansible/")]
    return [name for name in names if (CHECKOUT / name).exists()]


def copy_committed_files(folder: Path) -> None:
    """Copy them to a folder."""
    for name in committed_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target)


def is_debian() -> bool:
    try:
        return "ID=debian" in Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return False


def is_there(places: list[str]) -> bool:
    # Daemons' tools are outside an ordinary user's PATH.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return any(shutil.which(place, path=path) for place in places)


def as_root(command: list[str]) -> list[str]:
    """The command, with sudo before it unless this is root. Raises ToolError without sudo."""
    if os.geteuid() == 0:
        return command
    if not shutil.which("sudo"):
        raise ToolError(f"root is needed for `{' '.join(command)}`: run this as root, or install sudo")
    return ["sudo", *command]


def apt_install(packages: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise ToolError(f"missing on this system, install it first: {' '.join(packages)}")
    print(f"installing {' '.join(packages)}", flush=True)
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq"]
    # Another stage may run apt at the same time; its lock on the lists has no such timeout.
    updated = subprocess.run(as_root([*apt, "update"]), check=False, stdin=subprocess.DEVNULL).returncode
    installed = subprocess.run(
        as_root([*apt, "install", "--yes", "--no-install-recommends", *packages]),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    if installed.returncode != 0:
        raise ToolError(
            f"apt could not install {' '.join(packages)}" + (" (and `apt-get update` failed before)" if updated else "")
        )


def ensure_system() -> None:
    """Install the system packages that containers need. Raises ToolError."""
    ensure({**SYSTEM_PACKAGES, **(DEBIAN_PACKAGES if is_debian() else {})})


def ensure_unit_tests() -> None:
    """Install the programs that unit tests run. Raises ToolError."""
    ensure(UNIT_TEST_PACKAGES)


def ensure_browser() -> None:
    """Install what opens the audit page. Raises ToolError."""
    ensure(BROWSER_PACKAGES)


def ensure(wanted: dict[str, list[str]]) -> None:
    missing = [package for package, places in wanted.items() if not is_there(places)]
    if missing:
        apt_install(missing)


# --- Python -------------------------------------------------------------------------------------------------------


def version_of(python: str) -> tuple[int, int] | None:
    """(3, 13), or None when it does not run (a pyenv shim of a version that is not active does not)."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    words = done.stdout.split()
    return (int(words[0]), int(words[1])) if done.returncode == 0 and len(words) == 2 else None


def candidates(version: str) -> list[str]:
    """Places of a Python version: on PATH, then in pyenv's folder (newest patch first)."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = sorted(root.glob(f"versions/{version}.*/bin"), key=patch_number, reverse=True)
    # An active .venv of ours is what is to be made, not what to make it with.
    path = [folder for folder in os.get_exec_path() if not Path(folder).is_relative_to(CHECKOUT)]
    on_path = shutil.which(f"python{version}", path=os.pathsep.join(path))
    return [*([on_path] if on_path else []), *(str(folder / f"python{version}") for folder in folders)]


def patch_number(folder: Path) -> int:
    last = folder.parent.name.rpartition(".")[2]
    return int(last) if last.isdigit() else -1


def find_python() -> str:
    """The newest supported Python, or the one in PYTHON. Raises ToolError."""
    chosen = os.environ.get("PYTHON")
    if chosen:
        found = version_of(chosen)
        if found is None or f"{found[0]}.{found[1]}" not in SUPPORTED_PYTHONS:
            raise ToolError(f"PYTHON={chosen} is not a Python of {', '.join(SUPPORTED_PYTHONS)}")
        return chosen
    for version in SUPPORTED_PYTHONS:
        for python in candidates(version):
            if version_of(python) is not None:
                return python
    raise ToolError(f"no Python of {', '.join(SUPPORTED_PYTHONS)} found, on PATH or of pyenv; name one with PYTHON=")


def all_python_folders() -> list[str]:
    """Folders of every real interpreter (no pyenv shim), for ansible-test, which looks on PATH for all versions."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [str(folder) for folder in sorted(root.glob("versions/3.*/bin"), key=lambda path: path.parent.name)]


def oldest_python() -> str:
    """The oldest interpreter here that the collection supports on a target."""
    path = os.pathsep.join([*all_python_folders(), os.environ.get("PATH", os.defpath)])
    found = (shutil.which(f"python3.{minor}", path=path) for minor in range(9, 16))
    return next(filter(None, found), sys.executable)


# --- virtual environments -----------------------------------------------------------------------------------------


def requirements_file(name: str, version: tuple[int, int]) -> Path:
    core = next(core for oldest, core in CORES.items() if version >= oldest)
    return CHECKOUT / "tests" / f"requirements-{name}-core{core}.txt"


def environment(name: str = "test") -> Path:
    """Folder of the virtual environment `name` (test, importer), made or renewed when needed. Raises ToolError."""
    python = find_python()
    version = version_of(python)
    requirements = requirements_file(name, version)
    folder = CHECKOUT / (".venv" if name == "test" else f".venv-{name}")
    stamp = folder / "unitcraft-stamp"
    wanted = f"{python} {version} {hashlib.sha256(requirements.read_bytes()).hexdigest()}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    make_environment(python, folder)
    print(f"installing {requirements.name} with {python} into {folder.name}", flush=True)
    command = install_command(folder, requirements)
    installed = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if installed.returncode != 0:
        raise ToolError(f"pip could not install {requirements}:\n{installed.stderr[-3000:]}")
    stamp.write_text(wanted)
    return folder


def install_command(folder: Path, requirements: Path) -> list[str]:
    """What installs the pinned packages in a virtual environment; a file of another content is refused."""
    options = ["--quiet", "--no-compile", "--disable-pip-version-check", "--require-hashes"]
    return [str(folder / "bin" / "python"), "-m", "pip", "install", *options, "--requirement", str(requirements)]


def make_environment(python: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for attempt in (1, 2):
        made = subprocess.run([python, "-m", "venv", folder], check=False, capture_output=True, text=True)
        if made.returncode == 0:
            return
        shutil.rmtree(folder, ignore_errors=True)
        # Debian keeps ensurepip in a package of its own.
        if attempt == 1 and python.startswith("/usr/bin/") and "ensurepip" in made.stdout + made.stderr:
            apt_install([Path(python).resolve().name + "-venv"])
        else:
            break
    raise ToolError(f"{python} cannot make a virtual environment: {(made.stdout + made.stderr).strip()}")


def tool_environment(folder: Path) -> dict[str, str]:
    """Environment for programs of a virtual environment: its bin first, no colours, no questions.

    Compiled Python code goes to the cache, where every later start finds it, and not between the sources.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(folder),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_HOST_KEY_CHECKING": "0",
        "NO_COLOR": "1",
        "PYTHONPYCACHEPREFIX": str(CACHE / "pycache"),
    }


def main() -> int:
    try:
        ensure_system()
        print(environment())
    except ToolError as error:
        print(f"toolchain.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the systemd images, once each: an image whose recipe is unchanged is used again. Checkouts with other recipes
have images of their own beside.

Two ways, same packages, same set-up, same names: `mmdebstrap` from the apt mirror of this host (no image registry
needed), or `containerfile` where Debian's images can be pulled. `auto` takes mmdebstrap when it is installed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = "localhost/unitcraft-systemd"
RECIPE_LABEL = "unitcraft.recipe"

# systemd release -> Debian suite. The last one is Debian testing: its systemd may move on.
SUITES = {"247": "bullseye", "252": "bookworm", "257": "trixie", "262": "forky"}

# Nobody reads a manual in a test container.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")

PARALLEL = 2
# Images older than this go, when no container uses them; what is needed of them is built anew.
KEPT_HOURS = 30 * 24
LOCK = "/run/lock/unitcraft-images"


class BuildError(Exception):
    """An image could not be built; the text says which, why and where the log is."""


def packages(release: str) -> list[str]:
    """Names in packages.txt: those of all releases, and those that name this release behind theirs."""
    lines = [line.split() for line in (HERE / "packages.txt").read_text().splitlines()]
    return [name for name, *releases in lines if not releases or release in releases]


def image_name(release: str) -> str:
    """Name of the image of a systemd release, for example localhost/unitcraft-systemd:252-6dc09296ce5e5776."""
    return f"{REPOSITORY}:{release}-{recipe(release)}"


def recipe(release: str) -> str:
    """Hash of everything the content of an image depends on, whichever way it is built."""
    digest = hashlib.sha256(repr((SUITES[release], EXCLUDED, packages(release))).encode())
    for name in ("configure.py", "Containerfile"):
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()[:16]


def is_current(release: str) -> bool:
    return subprocess.run(["podman", "image", "exists", image_name(release)], check=False).returncode == 0


def host_mirror() -> str:
    """The Debian mirror this host uses, as apt itself reports it; empty when the host is not Debian or has none."""
    system = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = system.get("VERSION_CODENAME", "").strip('"')
    if system.get("ID", "").strip('"') != "debian" or not codename:
        return ""
    # apt reads its one-line and its deb822 files alike, so nothing has to be parsed here.
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listed.stdout.splitlines():
        suite, component, uri = line.split(" ", 2)
        if component == "main" and suite in (codename, "stable", "testing", "unstable", "sid"):
            return resolve_mirror(uri.rstrip("/"))
    return ""


def resolve_mirror(uri: str) -> str:
    """Debian's cloud images name their mirror through a file; the tree that is built has no such file."""
    if not uri.startswith("mirror+file:"):
        return uri
    for line in Path(uri.split(":", 1)[1]).read_text().splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            return words[0].rstrip("/")
    return ""


def proxy_options() -> list[str]:
    """Options that hand the host's proxy on: mmdebstrap does not read its apt.conf."""
    options = []
    for key in ("Acquire::http::Proxy", "Acquire::https::Proxy"):
        shown = subprocess.run(["apt-config", "shell", "value", key], capture_output=True, text=True, check=False)
        value = shown.stdout.strip().partition("=")[2].strip("'")
        if value:
            options.append(f'--aptopt={key} "{value}"')
    return options


def mmdebstrap_command(release: str) -> list[str]:
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(packages(release))}",
        # Testing's release file may be past its date on a mirror that lags; signatures are checked all the same.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *proxy_options(),
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={path}" for path in EXCLUDED),
        f"--customize-hook=copy-in {HERE / 'configure.py'} /tmp",
        '--customize-hook=chroot "$1" python3 /tmp/configure.py',
        '--customize-hook=rm "$1/tmp/configure.py"',
        SUITES[release],
        "-",
    ]
    mirror = host_mirror()
    return [*command, f"deb {mirror} {SUITES[release]} main"] if mirror else command


def build_with_mmdebstrap(release: str, log: Path) -> None:
    with log.open("wb") as output:
        bootstrap = subprocess.Popen(mmdebstrap_command(release), stdout=subprocess.PIPE, stderr=output)
        imported = subprocess.run(
            [
                "podman",
                "import",
                "--quiet",
                "--change",
                f"LABEL {RECIPE_LABEL}={recipe(release)}",
                "--change",
                "STOPSIGNAL SIGRTMIN+3",
                "--change",
                'CMD ["/sbin/init"]',
                "-",
                image_name(release) + "-new",
            ],
            stdin=bootstrap.stdout,
            stdout=output,
            stderr=output,
            check=False,
        )
        # A broken bootstrap ends its output early, which podman may take for a short but whole archive.
        if bootstrap.wait() != 0 or imported.returncode != 0:
            subprocess.run(
                ["podman", "image", "rm", "--force", image_name(release) + "-new"],
                stdout=output,
                stderr=output,
                check=False,
            )
            raise BuildError(failure(release, log))
        subprocess.run(["podman", "tag", image_name(release) + "-new", image_name(release)], check=True)
        subprocess.run(["podman", "untag", image_name(release) + "-new", image_name(release) + "-new"], check=True)


def build_with_containerfile(release: str, log: Path) -> None:
    with log.open("wb") as output:
        built = subprocess.run(
            [
                "podman",
                "build",
                "--build-arg",
                f"SUITE={SUITES[release]}",
                "--build-arg",
                f"PACKAGES={' '.join(packages(release))}",
                "--label",
                f"{RECIPE_LABEL}={recipe(release)}",
                "--tag",
                image_name(release),
                str(HERE),
            ],
            stdout=output,
            stderr=output,
            check=False,
        )
    if built.returncode != 0:
        raise BuildError(failure(release, log))


def failure(release: str, log: Path) -> str:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    return f"the image of systemd {release} ({SUITES[release]}) could not be built; whole log: {log}\n{tail}"


WAYS = {"mmdebstrap": build_with_mmdebstrap, "containerfile": build_with_containerfile}


def build(release: str, way: str) -> str:
    """Build one image. Returns a line for the user; raises BuildError."""
    logs = HERE.parent.parent / ".cache" / "images"
    logs.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    WAYS[way](release, logs / f"{release}.log")
    return f"{image_name(release)}: built with {way} in {time.monotonic() - begin:.0f} s"


def remove_old() -> None:
    """Drop images of whichever recipe that are old; one that a container uses stays."""
    filters = ("--filter", f"label={RECIPE_LABEL}", "--filter", f"until={KEPT_HOURS}h")
    subprocess.run(
        ["podman", "image", "prune", "--all", "--force", *filters],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def choose_way(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "mmdebstrap" if shutil.which("mmdebstrap") else "containerfile"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", help=f"systemd releases (default: {' '.join(SUITES)})")
    parser.add_argument("--way", choices=["auto", *WAYS], default=os.environ.get("UNITCRAFT_IMAGE_WAY", "auto"))
    parser.add_argument("--force", action="store_true", help="build even when the recipe is unchanged")
    options = parser.parse_args()
    releases = options.releases or list(SUITES)
    unknown = [release for release in releases if release not in SUITES]
    if unknown:
        parser.error(f"no image for systemd {', '.join(unknown)}; there are {', '.join(SUITES)}")
    # Two runs at once would build everything twice; the second finds it done.
    lock = os.open(LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    remove_old()
    wanted = [release for release in releases if options.force or not is_current(release)]
    way = choose_way(options.way)
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        running = [pool.submit(build, release, way) for release in wanted]
        failures = 0
        for future in concurrent.futures.as_completed(running):
            try:
                print(future.result(), flush=True)
            except BuildError as error:
                failures += 1
                print(f"build.py: {error}", file=sys.stderr, flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

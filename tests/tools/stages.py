# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of tests/run: what each gate runs, and what it needs."""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from lab.build import SUITES
from tools import toolchain
from tools.runner import Context, Stage, StageError
from tools.toolchain import CHECKOUT

COLLECTION = "unitcraft.systemd"
# Ansible's own folders and files; everything else in a tarball is for developers.
SHIPPED = frozenset(
    (
        "CHANGELOG.rst",
        "FILES.json",
        "LICENSE",
        "LICENSES",
        "MANIFEST.json",
        "README.md",
        "REUSE.toml",
        "changelogs",
        "docs",
        "meta",
        "playbooks",
        "plugins",
        "roles",
    )
)
MINIMUM_COVERAGE = "80"


def stage_system(_context: Context) -> None:
    toolchain.ensure_system()


def stage_images(context: Context) -> None:
    context.run(sys.executable, toolchain.SANDBOX, "run", sys.executable, CHECKOUT / "tests/lab/build.py")


def stage_python(_context: Context) -> None:
    toolchain.environment("test")


def stage_format(context: Context) -> None:
    context.tool("ruff", "format", "--no-cache", "--check", ".", "tests/run")


def stage_ruff(context: Context) -> None:
    context.tool("ruff", "check", "--no-cache", ".", "tests/run")


def stage_types(context: Context) -> None:
    """The wings; what is checked and how strictly stands in pyproject.toml."""
    context.tool("mypy", "--cache-dir", toolchain.CACHE / "mypy", "--no-color-output")


def stage_dead(context: Context) -> None:
    """Code that nothing uses; the white list stands in pyproject.toml."""
    context.tool("vulture")
    context.tool("vulture", "cli", "plugins", "roles", "playbooks", "tests", "tests/run", "extensions", "docs")


def stage_security(context: Context) -> None:
    """Bandit's rules, which ruff has; the workflows of GitHub, whose actions zizmor wants by commit."""
    context.tool("ruff", "check", "--no-cache", "--select", "S", ".", "tests/run")
    context.tool("zizmor", "--offline", "--no-progress", "--color", "never", "--pedantic", ".github", "action.yml")


def stage_reuse(context: Context) -> None:
    """Licence and copyright of every file, by the REUSE specification."""
    context.tool("reuse", "lint")


def stage_unit(context: Context) -> None:
    toolchain.ensure_unit_tests()
    coverage = ("--cov", "--cov-report=term", f"--cov-fail-under={MINIMUM_COVERAGE}")
    context.pytest("tests/unit", "-n", "2", *coverage)


def stage_lint(context: Context) -> None:
    context.tool("ansible-lint", "--nocolor", ANSIBLE_CONFIG=str(CHECKOUT / "playbooks" / "ansible.cfg"))


def stage_docs(context: Context) -> None:
    """Lint of the documentation, and the site that is made of it: guides, modules, filters, roles."""
    context.tool(
        "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "dependent", "."
    )
    context.tool("antsibull-changelog", "lint")
    site = toolchain.CACHE / "docs"
    shutil.rmtree(site, ignore_errors=True)
    (site / "rst").mkdir(parents=True)
    context.tool(
        "antsibull-docs",
        "collection",
        "--use-current",
        "--squash-hierarchy",
        "--fail-on-error",
        "--dest-dir",
        site / "rst",
        COLLECTION,
        ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / ".ansible" / "collections"),
    )
    # What antsibull-docs calls the index is the list of guides and plugins; ours is what a visitor sees first.
    (site / "rst" / "index.rst").rename(site / "rst" / "collection.rst")
    shutil.copy2(CHECKOUT / "docs" / "docsite" / "index.rst", site / "rst")
    shutil.copytree(CHECKOUT / "docs" / "images", site / "rst" / "images")
    context.tool("sphinx-build", "-q", "-W", "--keep-going", "-c", "docs/docsite", site / "rst", site / "html")
    context.tool("python", "-c", f"print('open {site / 'html' / 'index.html'}')")


def stage_report(context: Context) -> None:
    """Audit pages in a real browser: of a made-up fleet, and of containers that the site playbook set up."""
    toolchain.ensure_browser()
    page = toolchain.CACHE / "report" / "site.html"
    context.in_sandbox("python", CHECKOUT / "tests" / "report" / "site.py", page)
    context.tool("python", CHECKOUT / "tests" / "report" / "check.py", page)


def stage_sanity(context: Context) -> None:
    """In a copy: ansible-test wants a real ansible_collections/NAMESPACE/NAME, and no links to folders in it."""
    with tempfile.TemporaryDirectory(prefix="unitcraft-sanity-") as scratch:
        copy = Path(scratch, "ansible_collections", *COLLECTION.split("."))
        toolchain.copy_committed_files(copy)
        home = sanity_home()
        folder = toolchain.environment()
        path = [str(folder / "bin"), *toolchain.all_python_folders(), "/usr/local/bin", "/usr/bin", "/bin"]
        context.run(
            folder / "bin" / "ansible-test",
            "sanity",
            "--local",
            "--color",
            "no",
            cwd=copy,
            env={**toolchain.tool_environment(folder), "HOME": str(home), "PATH": os.pathsep.join(path)},
        )
    if any("sanity/ignore-" in name for name in toolchain.committed_files()):
        raise StageError("tests/sanity holds an ignore file: mend what it hides")


def sanity_home() -> Path:
    """A home folder for ansible-test with what it would otherwise fetch from a host that is no package index."""
    home = toolchain.CACHE / "home"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for name in (".config", ".pip"):
        real = Path.home() / name
        if real.exists() and not (home / name).exists():
            (home / name).symlink_to(real)
    code = (
        "import types; from ansible_test._internal.python_requirements import get_venv_packages as packages;"
        "print(*{packages(types.SimpleNamespace(version=f'3.{minor}'))['pip'] for minor in range(8, 16)})"
    )
    python = toolchain.environment() / "bin" / "python"
    versions = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    for version in versions:
        # Only makes pip available; ansible-test then installs the version it wants from the index.
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text("import ensurepip\nensurepip.bootstrap()\n")
    return home


def stage_build(context: Context) -> None:
    """Tarball, and its offline install into an empty path: plugins and roles show their documentation from there."""
    built = toolchain.CACHE / "build"
    shutil.rmtree(built, ignore_errors=True)
    for folder in (built, built / "again"):
        context.tool("python", CHECKOUT / "tests" / "tools" / "tarball.py", folder)
    if tarball().read_bytes() != (built / "again" / tarball().name).read_bytes():
        raise StageError("two builds of the tarball differ")
    with tarfile.open(tarball()) as archive:
        names = archive.getnames()
    strange = sorted({name.split("/")[0] for name in names} - SHIPPED) + [
        name for name in names if name.endswith("ansible.cfg")
    ]
    if strange:
        raise StageError(f"only for developers, name it in build_ignore of galaxy.yml: {strange}")
    context.tool("ansible-galaxy", "collection", "install", "--offline", "-p", built / "installed", tarball())
    folders = {"module": "modules", "filter": "filter"}
    names = {
        kind: [path.stem for path in (CHECKOUT / "plugins" / folder).glob("*.py")] for kind, folder in folders.items()
    }
    names["role"] = [path.parts[-3] for path in (CHECKOUT / "roles").glob("*/meta/argument_specs.yml")]
    for kind, found in names.items():
        expect_documentation(kind, [f"{COLLECTION}.{name}" for name in sorted(found)], built)
    install_from_checkout(context, built / "from-checkout")
    # As a reader does who stands in playbooks/: its ansible.cfg alone leads to the collection.
    context.tool("ansible-playbook", "--syntax-check", "site.yml", cwd=CHECKOUT / "playbooks")


def expect_documentation(kind: str, names: list[str], cwd: Path) -> None:
    """Ask the installed tarball for the documentation of plugins; ansible-doc itself only warns and ends with 0.

    :raises StageError: when one of them has none.
    """
    folder = toolchain.environment()
    done = subprocess.run(
        [folder / "bin" / "ansible-doc", "--json", "--type", kind, *names],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**toolchain.tool_environment(folder), **installed_only()},
    )
    shown = json.loads(done.stdout) if done.returncode == 0 else {}
    missing = [name for name in names if not shown.get(name)]
    if missing:
        raise StageError(f"ansible-doc --type {kind} does not show {', '.join(missing)}: {done.stderr.strip()}")


def install_from_checkout(context: Context, place: Path) -> None:
    """Install what stands in the checkout.

    :raises StageError: unless it installs what the tarball holds.
    """
    context.tool("ansible-galaxy", "collection", "install", "--offline", "-p", place, ".")
    with tarfile.open(tarball()) as archive:
        built = {member.name for member in archive.getmembers() if member.isfile()}
    root = place / "ansible_collections" / Path(*COLLECTION.split("."))
    installed = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    if installed != built:
        raise StageError(f"only in the tarball or only installed from the checkout: {sorted(installed ^ built)}")


def tarball() -> Path:
    """The built collection.

    :raises StageError: unless there is exactly one.
    """
    found = list((toolchain.CACHE / "build").glob("*.tar.gz"))
    if len(found) != 1:
        raise StageError(f"one tarball expected, found {found}")
    return found[0]


def installed_only() -> dict[str, str]:
    """Variables with which Ansible sees the installed tarball and not this checkout."""
    return {"ANSIBLE_COLLECTIONS_PATH": str(toolchain.CACHE / "build" / "installed")}


def stage_dist(context: Context) -> None:
    """The linter as archive and wheel, built twice to the same bytes, and run by the oldest Python of this machine."""
    built = [toolchain.CACHE / "dist" / number for number in ("1", "2")]
    for folder in built:
        context.tool("python", CHECKOUT / "tests" / "tools" / "dist.py", folder)
    names = [sorted(path.name for path in folder.iterdir()) for folder in built]
    differing = [name for name in names[0] if (built[0] / name).read_bytes() != (built[1] / name).read_bytes()]
    if names[0] != names[1] or differing:
        raise StageError(f"two builds of the linter differ: {names}, {differing}")
    unit = toolchain.CACHE / "dist" / "web.service"
    unit.write_text("[Service]\nType=exec\nExecStart=/usr/bin/web\n")
    archive = built[0] / "unitcraft.pyz"
    for arguments in (("lint", unit), ("explain", "kill-mode-none"), ("graph", unit), ("calendar", "daily")):
        context.run(toolchain.oldest_python(), "-I", archive, *arguments)


def stage_importer(context: Context) -> None:
    """What a Galaxy server and ansible-builder ask. In an environment of its own: the former pins old versions."""
    definition, folder = CHECKOUT / "meta" / "execution-environment.yml", toolchain.CACHE / "build" / "environment"
    context.tool("ansible-builder", "create", "-f", definition, "-c", folder, environment="importer")
    context.tool("python", "-m", "galaxy_importer.main", tarball(), environment="importer", cwd=tarball().parent)


def stage_install(context: Context) -> None:
    """The playbook of the installed tarball, in check mode on an empty host."""
    context.in_sandbox("python", CHECKOUT / "tests" / "tools" / "check_installed.py", **installed_only())


def stage_sandbox(context: Context) -> None:
    context.pytest_in_sandbox("tests/lab/test_leftovers.py")


def stage_molecule(context: Context) -> None:
    context.in_sandbox("molecule", "test", "--all", "--exclude", "distributions")


def stage_programs(context: Context) -> None:
    """Workers that are killed at a known point; `make worker` kills them at any."""
    program = CHECKOUT / "tests" / "programs" / "worker_storm.py"
    context.in_sandbox("python", program, "--brief", "--jobs=200", "celery", "messenger")


def stage_oracle(context: Context) -> None:
    """Less than `make oracle`, and with cases of its own."""
    context.pytest_in_sandbox(
        "tests/oracle/test_sample.py", "tests/oracle/test_text_layer.py", "tests/oracle/test_effective.py"
    )


def stage_engine(context: Context) -> None:
    """All releases at a time: these tests wait more than they compute."""

    def test(release: str) -> None:
        context.pytest_in_sandbox("tests/live", "--durations=5", RELEASES=release)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(test, SUITES))


def stage_property(context: Context) -> None:
    """A few histories with one seed; `make property` runs more of them."""
    context.in_sandbox("python", CHECKOUT / "tests" / "property" / "run.py", "--count=5", "--steps=12", "--seed=1")


# In order of start: what others wait for comes first, then the longest.
STAGES = (
    Stage("system", "system packages", stage_system),
    Stage("python", "virtual environment", stage_python),
    Stage("format", "ruff format", stage_format, ("python",)),
    Stage("ruff", "ruff check", stage_ruff, ("python",)),
    Stage("types", "mypy, strict, of module_utils", stage_types, ("python",)),
    Stage("dead", "vulture: code that nothing uses", stage_dead, ("python",)),
    Stage("security", "bandit's rules, and zizmor for the workflows", stage_security, ("python",)),
    Stage("reuse", "licence and copyright of every file", stage_reuse, ("python",)),
    Stage("images", "systemd containers for 247, 252, 257, 262", stage_images, ("system",)),
    Stage("unit", "unit tests with coverage", stage_unit, ("python",), tail=50),
    Stage("molecule", "scenarios on four systemd releases", stage_molecule, ("python", "images"), tail=40),
    Stage("engine", "the modules unit and units on four systemd releases", stage_engine, ("python", "images"), tail=10),
    Stage("oracle", "values, directives and texts against four systemd releases", stage_oracle, ("python", "images")),
    Stage("property", "random histories on four systemd releases", stage_property, ("python", "images"), tail=80),
    Stage(
        "programs", "workers killed at work, and a new release: no job is lost", stage_programs, ("python", "images")
    ),
    Stage("sandbox", "the sandbox leaves nothing behind", stage_sandbox, ("python", "images")),
    Stage("sanity", "ansible-test sanity, nothing ignored", stage_sanity, ("python",)),
    Stage("build", "tarball, twice the same bytes, offline install, ansible-doc", stage_build, ("python",)),
    Stage("dist", "the linter as archive and wheel", stage_dist, ("python",)),
    Stage("install", "site playbook of the tarball", stage_install, ("build", "images")),
    Stage("lint", "ansible-lint (production)", stage_lint, ("python",)),
    Stage("docs", "antsibull-docs, the site of guides and plugins, changelog", stage_docs, ("python",)),
    Stage("report", "audit pages in a browser", stage_report, ("python", "images")),
    Stage("importer", "galaxy-importer on the tarball, ansible-builder", stage_importer, ("build",)),
)

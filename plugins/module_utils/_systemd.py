# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The host: one systemd manager, its unit folders and its programs. The only file that runs commands."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import hashlib
import os
import pwd
import re
import stat
import subprocess  # not AnsibleModule.run_command: only _module.py knows Ansible, and a plan runs in tests without it
import time
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._plan import (
    MASK_TARGET,
    STOP_FOLLOWERS,
    File,
    Now,
    Want,
    enables,
)

QUERY_TIMEOUT = 60.0  # seconds; PID 1 answers at once unless it is reloading
RELOAD_TIMEOUT = 300.0  # seconds; small boards with many units need minutes for a daemon-reload
MANAGER_TIMEOUT = 30.0  # seconds until a user manager that was just started must answer

PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "CanReload",
    "InvocationID",
    "Job",
    "MainPID",
    "NRestarts",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "StatusText",
    "Type",
    "RemainAfterExit",
    "ConditionResult",
    "ConditionTimestampMonotonic",
    "LoadError",
    "TriggeredBy",
    "Triggers",
    "RequiredBy",
    "BoundBy",
    "ConsistsOf",
    "RequisiteOf",
    "PropagatesStopTo",
)

_UNIT_FILE = re.compile(r".\.(service|socket|timer|path|mount|automount|swap|target|slice)\Z")
_LINK_FOLDERS = (".wants", ".requires", ".upholds")


class SystemdError(Exception):
    """A command of systemd failed or did not answer; the message names it."""


class Reply(t.NamedTuple):
    code: int
    out: str
    err: str


class Systemd:
    """One manager (system, global or of one user), alive or as a tree of files below ``root``.

    :param scope: ``system``, ``user`` or ``global``.
    :param user: name of the user for scope ``user``; empty means the user who runs us.
    :param runtime: work in the folder below /run, which the next boot empties.
    :param root: path of an unpacked image; empty means this host.
    """

    def __init__(self, scope: str = "system", user: str = "", runtime: bool = False, root: str = "") -> None:
        self.scope = scope
        self.runtime = runtime
        self.root = root.rstrip("/")
        self.account: pwd.struct_passwd | None = None
        if scope == "user":
            try:
                self.account = pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())
            except KeyError:
                raise SystemdError(f"user: there is no user {user!r} on this host; create it before this task") from None
        self.folder = self._unit_folder(runtime)
        self.other_folder = self._unit_folder(not runtime)
        self.release_text = ""

    def _unit_folder(self, runtime: bool) -> str:
        """Where unit files of this scope go (systemd.unit(5), "Unit File Load Path")."""
        if self.account is not None:
            if runtime:
                return f"/run/user/{self.account.pw_uid}/systemd/user"
            return f"{self.account.pw_dir.rstrip('/')}/.config/systemd/user"
        kind = "user" if self.scope == "global" else "system"
        return f"{self.root}{'/run' if runtime else '/etc'}/systemd/{kind}"

    @property
    def has_manager(self) -> bool:
        """False where there are only files: another root, or the folder that all user managers share."""
        return not self.root and self.scope != "global"

    # Commands

    def command(self, argv: t.Sequence[str], timeout: float = QUERY_TIMEOUT, env: t.Mapping[str, str] | None = None) -> Reply:
        """Run a program of systemd as root, or for scope ``user`` as that user inside the user's session.

        :raises SystemdError: when it is missing or does not end in time (it is killed then).
        """
        try:
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                list(argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
                **self._identity(env),
            )
        except FileNotFoundError:
            raise SystemdError(f"{argv[0]} is not installed on this host, or not in PATH") from None
        except subprocess.TimeoutExpired:
            raise SystemdError(f"{_shown(argv)} did not answer within {timeout:.0f} s") from None
        return Reply(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def start_command(self, argv: t.Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program as ``command`` does, and leave the waiting to the caller."""
        try:
            return subprocess.Popen(  # pylint: disable=ansible-bad-function
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                **self._identity(None),
            )
        except FileNotFoundError:
            raise SystemdError(f"{argv[0]} is not installed on this host, or not in PATH") from None

    def _identity(self, env: t.Mapping[str, str] | None) -> dict[str, t.Any]:
        """User, groups and environment a program is started with."""
        environment = dict(os.environ, LC_ALL="C.UTF-8", SYSTEMD_PAGER="", SYSTEMD_COLORS="0", SYSTEMD_URLIFY="0")
        environment.update(env or {})
        account = self.account
        if account is None:
            return {"env": environment}
        runtime = f"/run/user/{account.pw_uid}"
        environment.update(
            HOME=account.pw_dir,
            USER=account.pw_name,
            LOGNAME=account.pw_name,
            XDG_RUNTIME_DIR=runtime,
            DBUS_SESSION_BUS_ADDRESS=f"unix:path={runtime}/bus",
        )
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            environment.pop(name, None)
        identity: dict[str, t.Any] = {"env": environment, "cwd": "/"}
        if os.geteuid() != account.pw_uid:
            groups = os.getgrouplist(account.pw_name, account.pw_gid)
            identity.update(user=account.pw_uid, group=account.pw_gid, extra_groups=groups)
        return identity

    def systemctl(self, *args: str) -> list[str]:
        """The whole argument list of a systemctl call for this manager or root."""
        options = []
        if self.scope == "user":
            options.append("--user")
        elif self.scope == "global":
            options.append("--global")
        if self.root:
            options.append(f"--root={self.root}")
        return ["systemctl", *options, "--no-pager", "--no-ask-password", *args]

    def ask(self, *args: str, timeout: float = QUERY_TIMEOUT) -> str:
        """Run systemctl and return what it prints.

        :raises SystemdError: when it fails, with its own words.
        """
        reply = self.command(self.systemctl(*args), timeout)
        if reply.code != 0:
            words = (reply.err or reply.out).strip() or f"it ended with exit status {reply.code}"
            raise SystemdError(f"{_shown(self.systemctl(*args))}: {words}")
        return reply.out

    # The run state

    def show(self, names: t.Iterable[str], properties: t.Sequence[str] = PROPERTIES) -> dict[str, dict[str, str]]:
        """State of units, in one call: ``{name: {property: value}}`` under the asked name and the unit's own.

        Names may be patterns such as ``worker@*.service``, which match loaded units only. Templates have no state
        and may not be asked for.
        """
        names = list(dict.fromkeys(names))
        if not names:
            return {}
        wanted = properties if "Names" in properties else ("Id", "Names", *properties)
        out = self.ask("show", f"--property={','.join(wanted)}", "--", *names)
        states: dict[str, dict[str, str]] = {}
        for block in out.split("\n\n"):
            state = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            for name in [state.get("Id", ""), *state.get("Names", "").split()]:
                if name:
                    states[name] = state
        return states

    def version(self) -> int:
        """The release of systemd: of the running one, or of the files below root.

        :raises SystemdError: when it cannot be told.
        """
        if self.root:
            return self.release_of_files()
        first = self.command(["systemctl", "--version"]).out.partition("\n")[0]
        found = re.match(r"systemd (\d+)(?: \((.*)\))?", first)
        if not found:
            raise SystemdError(f"systemctl --version answers {first!r}, which names no release")
        self.release_text = found.group(2) or found.group(1)
        return int(found.group(1))

    def release_of_files(self) -> int:
        """The release by the name of the library that all its programs share, for nothing in a root can be run."""
        for folder in ("usr/lib/systemd", "lib/systemd", "usr/lib/*/systemd", "usr/lib64/systemd"):
            for path in glob.glob(f"{glob.escape(self.root)}/{folder}/libsystemd-shared-*.so"):
                found = re.search(r"libsystemd-shared-(\d+)", path)
                if found:
                    return int(found.group(1))
        raise SystemdError(f"root: there is no systemd below {self.root}: no libsystemd-shared-NNN.so was found")

    def known_directives(self) -> frozenset[tuple[str, str]] | None:
        """The (section, directive) pairs that this host's systemd knows; None when it cannot be asked."""
        if self.root:
            return None
        for program in ("/usr/lib/systemd/systemd", "/lib/systemd/systemd"):
            if os.path.exists(program):
                reply = self.command([program, "--dump-configuration-items"])
                return parse_directive_dump(reply.out) if reply.code == 0 else None
        return None

    # What a plan needs to know

    def read_now(self, wanted: t.Sequence[Want], seen_sums: dict[str, dict[str, str]] | None = None) -> Now:
        """Everything that ``make_plan`` asks about the host, with one question to the manager if nothing moves."""
        with self.as_owner():
            files = {want.path: self.read_file(want.path) for want in wanted}
            for name in {want.name for want in wanted}:
                files.update((path, self.read_file(path)) for path in self.list_dropins(name) if path not in files)
                own = f"{self.folder}/{name}"
                files.setdefault(own, self.read_file(own))
            for want in wanted:
                if want.masked is False:
                    other = f"{self.other_folder}/{want.name}"
                    files[other] = self.read_file(other)
            links = self.list_links()
        owner = self.account
        now = Now(self.folder, files, links, seen_sums=seen_sums, uid=owner.pw_uid if owner else 0)
        now.gid = owner.pw_gid if owner else 0
        now.trigger_sums = {path: self.checksum(path) for path in {path for want in wanted for path, _reload in want.triggers}}
        if self.has_manager:
            self._read_live(now, wanted)
        else:
            now.live = {want.name: self._offline_state(want.name, links) for want in wanted}
        self._read_other_sources(now)
        return now

    def _read_live(self, now: Now, wanted: t.Sequence[Want]) -> None:
        """Ask for the run state of the declared units, and where something may move, of those that hang on them."""
        if not self.manager_answers():
            return
        names: list[str] = []
        for want in wanted:
            if "@." in want.name:
                names.append(want.name.replace("@.", "@*."))
                names += [want.name.replace("@.", f"@{instance}.") for instance in want.instances]
            else:
                names.append(want.name)
        now.live = self.show(names)
        for template in {want.name for want in wanted if "@." in want.name}:
            loaded = sorted({s["Id"] for s in now.live.values() if matches_template(s.get("Id", ""), template)})
            now.instances[template] = [unit for unit in loaded if now.live[unit].get("LoadState") != "not-found"]
        moving = {want.name for want in wanted if self._may_move(want, now)}
        while moving:
            near = {
                other
                for name, state in now.live.items()
                if name in moving or any(name in now.instances.get(template, ()) for template in moving)
                for key in (*STOP_FOLLOWERS, "Triggers")
                for other in state.get(key, "").split()
            }
            near.update(f"{name[:-len('.socket')]}.service" for name in moving if name.endswith(".socket") and "@" not in name)
            unknown = sorted(near - set(now.live))
            if not unknown:
                return
            now.live.update(self.show(unknown))
            moving = set(unknown)

    @staticmethod
    def _may_move(want: Want, now: Now) -> bool:
        if want.state not in ("present", "started") or want.triggers:
            return True
        if want.state == "started" and want.name.endswith(".socket"):
            return True
        return want.text is not None and now.files[want.path].data != want.text.encode("utf-8", "surrogateescape")

    def _read_other_sources(self, now: Now) -> None:
        """Read the fragments and drop-ins that stand in other folders than ours."""
        paths = set()
        for state in now.live.values():
            paths.update([state.get("FragmentPath", ""), *state.get("DropInPaths", "").split()])
        for path in paths - {""}:
            if path not in now.files:
                now.files[path] = self.read_through(path)

    def _offline_state(self, name: str, links: t.Mapping[str, str]) -> dict[str, str]:
        """What can be said of a unit without a manager: where its file is, and whether links enable it."""
        kind = os.path.basename(self.folder)
        for folder in ("/etc/systemd/", "/run/systemd/", "/usr/local/lib/systemd/", "/usr/lib/systemd/", "/lib/systemd/"):
            path = f"{self.root}{folder}{kind}/{name}"
            if os.path.lexists(path):
                if os.path.islink(path) and os.readlink(path) == MASK_TARGET:
                    return {"Id": name, "LoadState": "masked", "UnitFileState": "masked", "FragmentPath": ""}
                state = "enabled" if any(enables(link, target, (name,)) for link, target in links.items()) else "disabled"
                return {"Id": name, "LoadState": "loaded", "UnitFileState": state, "FragmentPath": path}
        return {"Id": name, "LoadState": "not-found"}

    # Files

    @contextlib.contextmanager
    def as_owner(self) -> t.Iterator[None]:
        """Touch files with the rights of the user whose units they are, so that no link of theirs leads us astray."""
        account = self.account
        if account is None or os.geteuid() == account.pw_uid:
            yield
            return
        groups, group = os.getgroups(), os.getegid()
        os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
        os.setegid(account.pw_gid)
        os.seteuid(account.pw_uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)

    def read_file(self, path: str) -> File:
        """What stands at a path, without following a link at its end. Files over 4 MiB count as ``other``."""
        try:
            info = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return File()
        mode = stat.S_IMODE(info.st_mode)
        if stat.S_ISLNK(info.st_mode):
            return File("link", b"", os.readlink(path), mode, info.st_uid, info.st_gid)
        if not stat.S_ISREG(info.st_mode) or info.st_size > 4 << 20:
            return File("other", b"", "", mode, info.st_uid, info.st_gid)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(handle, "rb") as stream:
            return File("file", stream.read(), "", mode, info.st_uid, info.st_gid)

    def read_through(self, path: str) -> File:
        """What stands at a path, links followed, as systemd reads a fragment or drop-in."""
        return self.read_file(os.path.realpath(path))

    def list_links(self) -> dict[str, str]:
        """Every symlink in the unit folder and its .wants, .requires and .upholds: ``{path below it: target}``."""
        links: dict[str, str] = {}
        for entry in _entries(self.folder):
            if entry.is_symlink():
                links[entry.name] = os.readlink(entry.path)
            elif entry.name.endswith(_LINK_FOLDERS) and entry.is_dir(follow_symlinks=False):
                for link in _entries(entry.path):
                    if link.is_symlink():
                        links[f"{entry.name}/{link.name}"] = os.readlink(link.path)
        return links

    def list_dropins(self, name: str) -> list[str]:
        """Paths of the drop-ins in our folder for a unit."""
        return sorted(e.path for e in _entries(f"{self.folder}/{name}.d") if e.name.endswith(".conf"))

    def list_unit_files(self) -> list[str]:
        """Paths of every unit file and drop-in in our folder that is a regular file."""
        paths = []
        for entry in _entries(self.folder):
            if entry.is_file(follow_symlinks=False) and _UNIT_FILE.search(entry.name):
                paths.append(entry.path)
            elif entry.name.endswith(".d") and entry.is_dir(follow_symlinks=False):
                paths += [e.path for e in _entries(entry.path) if e.name.endswith(".conf") and e.is_file(follow_symlinks=False)]
        return sorted(paths)

    def checksum(self, path: str) -> str:
        """SHA-256 of a file that a trigger names; empty when it is not there."""
        digest = hashlib.sha256()
        try:
            with open(self.root + path, "rb") as stream:
                for block in iter(lambda: stream.read(1 << 20), b""):
                    digest.update(block)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise SystemdError(f"triggers: {path} cannot be read: {error.strerror}") from None
        return digest.hexdigest()

    def folder_problem(self) -> str:
        """Why the unit folder cannot be used, or an empty text.

        A folder that is reached over a link could put our files anywhere, so only a real one is taken.
        """
        base = self.root or (self.account.pw_dir.rstrip("/") if self.account else "")
        path = base
        for part in self.folder[len(base):].strip("/").split("/"):
            path = f"{path}/{part}"
            if os.path.islink(path):
                return f"{path} is a link to {os.readlink(path)}; unit files are never written through a link"
            if os.path.lexists(path) and not os.path.isdir(path):
                return f"{path} is not a folder"
        return ""

    def place_problem(self, paths: t.Iterable[str]) -> str:
        """Why files cannot be put at these paths, or an empty text. For the folder itself see ``folder_problem``."""
        for folder in sorted({os.path.dirname(path) for path in paths}):
            if os.path.islink(folder):
                return f"{folder} is a link to {os.readlink(folder)}; unit files are never written through a link: remove it"
            if os.path.lexists(folder) and not os.path.isdir(folder):
                return f"{folder} is not a folder; move it away"
            # For root too: the kernel says no for a file system that is mounted read-only.
            if os.path.isdir(folder) and not os.access(folder, os.W_OK, effective_ids=True):
                return f"{folder} cannot be written to; mount it writable, or set runtime: true to work below /run"
        return ""

    # The manager of a user

    def linger_file(self) -> str:
        """The file by which logind knows that the user's manager shall run from boot on."""
        return f"/var/lib/systemd/linger/{self.account.pw_name}" if self.account else ""

    def manager_unit(self) -> str:
        """The system unit that runs the user's manager."""
        return f"user@{self.account.pw_uid}.service" if self.account else ""

    def set_linger(self, on: bool) -> None:
        if self.account is None:
            return
        argv = ["loginctl", "enable-linger" if on else "disable-linger", self.account.pw_name]
        environment = dict(os.environ, LC_ALL="C.UTF-8")
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=QUERY_TIMEOUT, check=False, env=environment
        )
        if done.returncode != 0:
            raise SystemdError(f"{_shown(argv)}: {done.stderr.decode('utf-8', 'replace').strip()}")

    def manager_answers(self) -> bool:
        """Whether the manager can be talked to. Only a user's one can be down on a host that works."""
        if self.account is None:
            return True
        if not os.path.exists(f"/run/user/{self.account.pw_uid}/systemd/private"):
            return False
        return self.command(self.systemctl("show", "--property=Version")).code == 0

    def wait_for_manager(self, timeout: float = MANAGER_TIMEOUT) -> None:
        """Wait until the user's manager answers.

        :raises SystemdError: when it does not in time.
        """
        end = time.monotonic() + timeout
        while not self.manager_answers():
            if time.monotonic() > end:
                name = self.account.pw_name if self.account else ""
                raise SystemdError(
                    f"the user manager of {name} does not run; set linger: true, or have {name} log in before this task"
                )
            time.sleep(0.05)


def parse_directive_dump(text: str) -> frozenset[tuple[str, str]]:
    """The pairs in the output of ``systemd --dump-configuration-items``: ``[Section]`` and ``Directive=TYPE`` lines."""
    known = set()
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line:
            directive, _sign, kind = line.partition("=")
            if kind != "NOTSUPPORTED":
                known.add((section, directive))
    return frozenset(known)


def matches_template(unit: str, template: str) -> bool:
    """Whether a unit is an instance of ``name@.suffix``."""
    prefix, _at, suffix = template.partition("@")
    return fnmatch.fnmatchcase(unit, f"{glob.escape(prefix)}@?*{glob.escape(suffix)}")


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _shown(argv: t.Sequence[str], most: int = 160) -> str:
    text = " ".join(argv)
    return text if len(text) <= most else f"{text[:most]}..."

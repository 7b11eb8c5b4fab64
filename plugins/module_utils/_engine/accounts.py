# SPDX-License-Identifier: GPL-3.0-or-later

"""Users and groups that services run as: which to make or to remove, and how. An existing one is never changed.

Ids are chosen before anything is made, so that files of a user that does not exist yet are planned like all others.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import itertools
import os
import pwd
import re
import typing as t

from .._host.systemd import Reply, SystemdError
from .._model import Change

# login.defs(5), where the file names none
_IDS = {"SYS_UID_MIN": 100, "SYS_UID_MAX": 999, "SYS_GID_MIN": 100, "SYS_GID_MAX": 999}
_DATA = ("/etc", "/opt", "/srv", "/var/cache", "/var/lib", "/var/log", "/var/spool", "/var/www")  # of services
_NOLOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/usr/bin/nologin")
_TIMEOUT = 60.0  # seconds for one program
# What the roles write; the service that made a user need not be the last one that has it.
_OUR_COMMENT = re.compile(r"Service \S+ \(unitcraft\.systemd(?: with group (\S+))?\)\Z")
_NAMED = re.compile(r"^[ \t]*(User|Group|SupplementaryGroups)[ \t]*=(.*)$", re.MULTILINE)  # systemd.exec(5)
_MAX_DEFINITION = 1 << 20  # bytes
Run = t.Callable[[t.Sequence[str], float], Reply]


class Account(t.NamedTuple):
    """A user, a group, or both, to make or to remove.

    :ivar user: empty for a group alone.
    :ivar group: the group that is made or removed with the user; empty for none.
    :ivar gid: of the primary group, made with it or not.
    """

    user: str = ""
    group: str = ""
    uid: int = -1
    gid: int = -1
    comment: str = ""


class Accounts:
    """What is to be done to the accounts of a task.

    :ivar made: those to make, in order.
    :ivar removed: those to remove, which we made once.
    """

    def __init__(self, made: t.Sequence[Account] = (), removed: t.Sequence[Account] = ()) -> None:
        self.made = list(made)
        self.removed = list(removed)

    def uid(self, user: str) -> int | None:
        """The id that a user will get; None for one that is not made."""
        return next((account.uid for account in self.made if account.user == user), None)

    def gid(self, group: str) -> int | None:
        """The id that a group will get; None for one that is not made."""
        return next((account.gid for account in self.made if account.group == group), None)

    def reasons_to_make(self) -> list[str]:
        """For each step, which user or group does not exist."""
        return [f"{_called(account)} does not exist" for account in self.made]

    def reasons_to_remove(self) -> list[str]:
        """For each step, which user or group goes."""
        return [f"{_called(account)} was made for a service that goes" for account in self.removed]

    def __bool__(self) -> bool:
        return bool(self.made or self.removed)


def _called(account: Account) -> str:
    return f"user {account.user}" if account.user else f"group {account.group}"


def plan_accounts(declared: t.Iterable[t.Mapping[str, t.Any]], defs: str = "/etc/login.defs") -> Accounts:
    """Which accounts to make or to remove.

    :param declared: ``{user, group, comments, state}`` each: ``group`` is the primary group, or empty for one of the
        user's name; ``comments`` are those of a user that is made, without and with its group.
    """
    return _Planning(defs).run(declared)


def accounts_after(
    before: t.Iterable[t.Mapping[str, t.Any]], declared: t.Iterable[t.Mapping[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """The users that a set has after a task, as ``plan_accounts`` takes them, with their ids.

    :param before: what this was before it.
    """
    found = {entry["user"]: dict(entry) for entry in before}
    for entry in declared:
        found.pop(entry["user"], None)
        if entry["state"] != "absent":
            uid, gid = _ids(entry, Accounts())
            found[entry["user"]] = {**entry, "uid": uid, "gid": gid}
    return list(found.values())


def ids_again(entries: t.Iterable[t.Mapping[str, t.Any]], made: Accounts) -> list[dict[int | None, int | None]]:
    """What the ids of users, and those of groups, are now that ``accounts_after`` has noted.

    :param made: what ``plan_accounts`` returned for the same entries.
    """
    now = [(entry, _ids(entry, made)) for entry in entries]
    return [{entry[key]: ids[number] for entry, ids in now} for number, key in enumerate(("uid", "gid"))]


def _ids(entry: t.Mapping[str, t.Any], made: Accounts) -> tuple[int | None, int | None]:
    """The ids of a user and its primary group, which exist or will be made."""
    user, group = _user(entry["user"]), _group(entry["group"] or entry["user"])
    return (
        user.pw_uid if user else made.uid(entry["user"]),
        group.gr_gid if group else made.gid(entry["group"] or entry["user"]),
    )


class _Planning:
    def __init__(self, defs: str) -> None:
        self.limits = _limits(defs)
        self.taken: set[int] = set()
        self.accounts = Accounts()

    def run(self, declared: t.Iterable[t.Mapping[str, t.Any]]) -> Accounts:
        for entry in declared:
            (self._remove if entry["state"] == "absent" else self._make)(entry)
        return self.accounts

    def _make(self, entry: t.Mapping[str, t.Any]) -> None:
        name, group, comments = entry["user"], entry["group"], entry["comments"]
        primary = group or name
        there, gid = _user(name), self._gid(primary)
        if there is not None and (not group or gid is not None):
            return
        new_group = gid is None
        uid, free_gid = (there.pw_uid, self._free()[1]) if there is not None else self._free()
        account = Account(
            user="" if there is not None else name,
            group=primary if new_group else "",
            uid=uid,
            gid=free_gid if gid is None else gid,
            comment=comments[1] if group and new_group else comments[0],
        )
        self.taken.update((account.uid, account.gid))
        self.accounts.made.append(account)

    def _gid(self, group: str) -> int | None:
        there = _group(group)
        return self.accounts.gid(group) if there is None else there.gr_gid

    def _remove(self, entry: t.Mapping[str, t.Any]) -> None:
        there = _user(entry["user"])
        ours = _OUR_COMMENT.match(there.pw_gecos) if there else None
        if there is None or ours is None:
            return
        group = entry["group"] if ours[1] == entry["group"] else "" if entry["group"] else entry["user"]
        self.accounts.removed.append(Account(entry["user"], group, there.pw_uid, there.pw_gid, there.pw_gecos))

    def _free(self) -> tuple[int, int]:
        """A free id of a system user and one of a group, the same if possible; the highest first, as useradd(8) does.

        :raises SystemdError: when none is left.
        """
        uids = range(self.limits["SYS_UID_MAX"], self.limits["SYS_UID_MIN"] - 1, -1)
        gids = range(self.limits["SYS_GID_MAX"], self.limits["SYS_GID_MIN"] - 1, -1)
        for number in uids:
            if number in gids and self._is_free(number, pwd.getpwuid) and self._is_free(number, grp.getgrgid):
                return number, number
        uid = next((number for number in uids if self._is_free(number, pwd.getpwuid)), -1)
        gid = next((number for number in gids if self._is_free(number, grp.getgrgid)), -1)
        if uid < 0 or gid < 0:
            raise SystemdError("no id for a system user is free; see SYS_UID_MIN and SYS_UID_MAX in /etc/login.defs")
        return uid, gid

    def _is_free(self, number: int, look_up: t.Callable[[int], t.Any]) -> bool:
        if number in self.taken:
            return False
        try:
            look_up(number)
        except KeyError:
            return True
        return False


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _group(name: str) -> grp.struct_group | None:
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None


def _limits(defs: str) -> dict[str, int]:
    limits = dict(_IDS)
    with contextlib.suppress(OSError), open(defs, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            found = re.match(r"\s*(SYS_[UG]ID_(?:MIN|MAX))\s+(\d+)\s*\Z", line)
            if found:
                limits[found[1]] = int(found[2])
    return limits


def keep_owners(accounts: Accounts, declared: t.Iterable[str], going: t.Iterable[str]) -> list[str]:
    """Do not remove a user of whom data stays: it would be of whoever gets the id next.

    :param declared: files and folders of the services.
    :param going: what goes, with all below it.
    :returns: who stays, and why.
    """
    owners: dict[int, str] = {}
    removed, gone = accounts.removed, tuple(f"{path}/" for path in going)
    for path in itertools.chain(declared, _data()) if removed else ():
        if not f"{path}/".startswith(gone):
            with contextlib.suppress(OSError):
                owners.setdefault(os.lstat(path).st_uid, path)
    accounts.removed = [account for account in removed if account.uid not in owners]
    return [f"user {a.user} stays: {owners[a.uid]} is of it; remove that first" for a in removed if a.uid in owners]


def keep_used(accounts: Accounts, folders: t.Iterable[str], changes: t.Iterable[Change]) -> list[str]:
    """Do not remove a user or a group that a unit names, of whatever set it is.

    :param folders: of unit files.
    :param changes: of unit files.
    :returns: who stays, and why.
    """
    named: dict[tuple[bool, str], str] = {}
    removed, told = accounts.removed, []
    for path, text in _definitions(folders, changes) if removed else ():
        for directive, names in _NAMED.findall(text):
            for name in names.split():
                named.setdefault((directive == "User", name), path)
    accounts.removed = []
    for account in removed:
        naming = named.get((True, account.user)) or named.get((True, str(account.uid)))
        naming_group = named.get((False, account.group)) or named.get((False, str(account.gid)))
        if naming:
            told.append(f"user {account.user} stays: {naming} names it; remove that first")
        else:
            accounts.removed.append(account._replace(group="" if naming_group else account.group))
    return told


def _definitions(folders: t.Iterable[str], changes: t.Iterable[Change]) -> t.Iterator[tuple[str, str]]:
    """Path and text of each fragment and drop-in as they will be."""
    after = {change.path: change.after.data for change in changes}
    for folder in folders:
        for path in sorted(glob.glob(f"{folder}/*.*") + glob.glob(f"{folder}/*.d/*.conf")):
            with contextlib.suppress(OSError):
                if path not in after and os.path.isfile(path):
                    with open(path, "rb") as stream:
                        after[path] = stream.read(_MAX_DEFINITION)
    return ((path, data.decode(errors="replace")) for path, data in after.items())


def remove_empty_folders(users: t.Iterable[Account]) -> None:
    """Remove what systemd made for users that did not exist before, such as ``StateDirectory=``, where it is empty."""
    ids = {account.uid for account in users if account.user}
    for path in sorted(_data(), reverse=True) if ids else ():
        with contextlib.suppress(OSError):
            if os.lstat(path).st_uid in ids:
                os.rmdir(path)


def _data() -> t.Iterator[str]:
    """Where services keep data: two levels below the usual folders."""
    return itertools.chain.from_iterable(glob.iglob(f"{top}/{below}") for top in _DATA for below in ("*", "*/*"))


def make(accounts: t.Iterable[Account], run: Run) -> None:
    """Make users and groups.

    :param run: runs a program as root.
    :raises SystemdError: when a program refuses.
    """
    nologin = next(filter(os.path.exists, _NOLOGIN), "/bin/false")
    for account in accounts:
        if account.group:
            _must(run, ["groupadd", "--system", "--gid", str(account.gid), account.group])
        if account.user:
            options = ["--system", "--uid", str(account.uid), "--gid", str(account.gid), "--comment", account.comment]
            options += ["--home-dir", "/nonexistent", "--no-create-home", "--shell", nologin]
            _must(run, ["useradd", *options, account.user])


def remove(accounts: t.Iterable[Account], run: Run) -> list[str]:
    """Remove users and groups that are as we made them; of what is gone already there is nothing to do.

    :param run: runs a program as root.
    :returns: what could not be removed, in words.
    """
    problems = []
    for account in accounts:
        there = _user(account.user) if account.user else None
        if there is not None and (there.pw_uid, there.pw_gecos) != (account.uid, account.comment):
            continue
        try:
            if there is not None:
                _delete_user(account, run)
            _delete_group(account, run)
        except SystemdError as error:
            problems.append(str(error))
    return problems


def _delete_user(account: Account, run: Run) -> None:
    """userdel(8) also removes a group of the user's name, where login.defs(5) says USERGROUPS_ENAB: ours or not."""
    before = _group(account.user)
    _must(run, ["userdel", account.user])
    if before is not None and account.group != account.user and _group(account.user) is None:
        _must(run, ["groupadd", "--system", "--gid", str(before.gr_gid), account.user])


def _delete_group(account: Account, run: Run) -> None:
    group = _group(account.group)
    if group is not None and group.gr_gid == account.gid and not group.gr_mem:
        _must(run, ["groupdel", account.group])


def _must(run: Run, argv: t.Sequence[str]) -> None:
    reply = run(argv, _TIMEOUT)
    if reply.code != 0:
        raise SystemdError(f"{argv[0]} {argv[-1]}: {reply.words()}")

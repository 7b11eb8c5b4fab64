# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users and groups that services run as: the cases of cases/accounts.yml, and what happens when a program refuses."""

from __future__ import annotations

import copy
import grp
import itertools
import pathlib
import pwd
import types

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import accounts
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.systemd import Reply, SystemdError
from case_files import load

COMMENTS = ["Service it (unitcraft.systemd)", "Service it (unitcraft.systemd with group staff)"]
ALWAYS = {"--system", "--home-dir", "/nonexistent", "--no-create-home", "--shell"}


class Databases:
    """Users and groups of a host, and the programs that change them."""

    def __init__(self, case):
        self.users = {name: tuple(user) for name, user in case.get("users", {}).items()}
        self.groups = {
            name: (given, []) if isinstance(given, int) else (given[0], given[1:])
            for name, given in case.get("groups", {}).items()
        }
        self.usergroups = case.get("usergroups", False)
        self.refused = ""
        self.ran = []

    def install(self, monkeypatch):
        def user(name):
            uid, gid, comment = self.users[name]
            return pwd.struct_passwd((name, "x", uid, gid, comment, "/", "/bin/false"))

        def group(name):
            gid, members = self.groups[name]
            return grp.struct_group((name, "x", gid, members))

        def by_number(database, number):
            return next((name for name, entry in database.items() if entry[0] == number), "")

        monkeypatch.setattr(pwd, "getpwnam", user)
        monkeypatch.setattr(grp, "getgrnam", group)
        monkeypatch.setattr(pwd, "getpwuid", lambda number: user(by_number(self.users, number)))
        monkeypatch.setattr(grp, "getgrgid", lambda number: group(by_number(self.groups, number)))

    def run(self, argv, _timeout):
        program, name = argv[0], argv[-1]
        if program == self.refused:
            return Reply(1, "", f"{program}: cannot lock /etc/passwd\n")
        options = dict(itertools.pairwise(argv))
        if program == "groupadd":
            self.groups[name] = (int(options["--gid"]), [])
        elif program == "useradd":
            self.users[name] = (int(options["--uid"]), int(options["--gid"]), options["--comment"])
        elif program == "groupdel":
            del self.groups[name]
        else:
            del self.users[name]
            if self.usergroups:
                self.groups.pop(name, None)
        self.ran.append(" ".join(word for word in argv if word not in ALWAYS and "nologin" not in word))
        return Reply(0, "", "")

    def state(self):
        return copy.deepcopy((self.users, self.groups))


def declared(case):
    for entry in case["declared"]:
        given = {"user": entry} if isinstance(entry, str) else entry
        yield {"group": "", "state": "present", "comments": COMMENTS, **given}


@pytest.fixture
def databases(monkeypatch):
    def make(case):
        made = Databases(case)
        made.install(monkeypatch)
        return made

    return make


def plan_of(case):
    return accounts.plan_accounts(declared(case), "/nonexistent")


def plan_after_looking(case, folder):
    plan = plan_of(case)
    for name, text in case.get("units", {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return plan, accounts.keep_used(plan, [str(folder)], ())


@pytest.mark.parametrize("case", load("engine/accounts"))
def test_accounts(case, databases, tmp_path):
    there = databases(case)
    plan, told = plan_after_looking(case, tmp_path)
    accounts.make(plan.made, there.run)
    problems = accounts.remove(plan.removed, there.run)
    assert (there.ran, problems) == (case["runs"], [])
    assert [words.replace(f"{tmp_path}/", "") for words in told] == case.get("told", [])


@pytest.mark.parametrize("case", load("engine/accounts"))
def test_second_run_has_nothing_to_do(case, databases, tmp_path):
    there = databases(case)
    plan = plan_after_looking(case, tmp_path)[0]
    accounts.make(plan.made, there.run)
    accounts.remove(plan.removed, there.run)
    assert not plan_after_looking(case, tmp_path)[0]


@pytest.mark.parametrize("usergroups", [False, True])
@pytest.mark.parametrize("case", load("engine/accounts"))
def test_what_was_made_is_removed_again(case, usergroups, databases):
    there = databases({**case, "usergroups": usergroups})
    before = there.state()
    plan = plan_of(case)
    kept = [accounts.Account(**account._asdict()) for account in plan.made]
    accounts.make(plan.made, there.run)
    assert accounts.remove(reversed(kept), there.run) == []
    assert there.state() == before


def test_ids_are_known_before_anything_is_made(databases):
    databases({})
    plan = accounts.plan_accounts(declared({"declared": [{"user": "one", "group": "staff"}]}), "/nonexistent")
    assert (plan.uid("one"), plan.gid("staff"), plan.uid("two"), plan.gid("one")) == (999, 999, None, None)


def test_limits_of_login_defs(databases, tmp_path):
    databases({})
    defs = tmp_path / "login.defs"
    defs.write_text(
        "# SYS_UID_MAX 5\nSYS_UID_MAX\t\t 201\nSYS_UID_MIN 200\nSYS_GID_MAX 300\nSYS_GID_MIN 202\nOTHER yes\n"
    )
    plan = accounts.plan_accounts(declared({"declared": ["a", "b"]}), str(defs))
    assert [(account.uid, account.gid) for account in plan.made] == [(201, 300), (200, 299)]


def test_no_id_is_left(databases, tmp_path):
    databases({})
    defs = tmp_path / "login.defs"
    defs.write_text("SYS_UID_MAX 200\nSYS_UID_MIN 200\n")
    with pytest.raises(SystemdError, match="no id for a system user is free"):
        accounts.plan_accounts(declared({"declared": ["a", "b"]}), str(defs))


def test_program_that_refuses_is_named_with_its_words(databases):
    there = databases({})
    there.refused = "useradd"
    plan = accounts.plan_accounts(declared({"declared": ["app"]}), "/nonexistent")
    with pytest.raises(SystemdError, match="useradd app: useradd: cannot lock /etc/passwd"):
        accounts.make(plan.made, there.run)
    assert accounts.remove(plan.made, there.run) == []
    assert there.state() == ({}, {})


def test_what_cannot_be_removed_is_told(databases):
    there = databases({"users": {"app": [999, 999, COMMENTS[0]]}, "groups": {"app": 999}})
    there.refused = "userdel"
    plan = accounts.plan_accounts(declared({"declared": [{"user": "app", "state": "absent"}]}), "/nonexistent")
    assert accounts.remove(plan.removed, there.run) == ["userdel app: userdel: cannot lock /etc/passwd"]


@pytest.mark.parametrize(
    ("owned", "going", "stays"),
    [
        (["/data/app"], [], "/data/app"),
        (["/data/app"], ["/data/app"], ""),
        (["/var/lib/app"], [], "/var/lib/app"),
        (["/srv/app/data"], [], "/srv/app/data"),
        (["/opt/app", "/opt/app/lib"], ["/opt/app"], ""),
        (["/opt/app-2"], ["/opt/app"], "/opt/app-2"),
        (["/proc/12/fd", "/run/app", "/var/run/app"], [], ""),
    ],
)
def test_user_stays_as_long_as_its_data(owned, going, stays, databases, monkeypatch):
    databases({"users": {"app": [999, 999, COMMENTS[0]]}, "groups": {"app": 999}})
    plan = plan_of({"declared": [{"user": "app", "state": "absent"}]})
    paths = [pathlib.PurePath(path) for path in owned]
    monkeypatch.setattr(accounts.glob, "iglob", lambda pattern: [str(path) for path in paths if path.match(pattern)])
    monkeypatch.setattr(accounts.os, "lstat", lambda path: types.SimpleNamespace(st_uid=999))
    told = accounts.keep_owners(plan, ["/data/app"] if "/data/app" in owned else [], going)
    assert told == ([f"user app stays: {stays} is of it; remove that first"] if stays else [])
    assert bool(plan.removed) is not bool(stays)


def test_user_that_somebody_has_changed_meanwhile_stays(databases):
    there = databases({})
    plan = accounts.plan_accounts(declared({"declared": ["app"]}), "/nonexistent")
    accounts.make(plan.made, there.run)
    there.users["app"] = (999, 999, "Ann's now")
    there.ran.clear()
    accounts.remove(plan.made, there.run)
    assert there.ran == []

# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a task: what the controller says of them, which contents it has to send, how they are judged, shown."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import tempfile
import typing as t

from .._engine.accounts import Accounts
from .._engine.contents import Contents, copy_content
from .._engine.desired import DesiredFile, DesiredUnit
from .._engine.host import Host
from .._engine.places import own_place, unwritable
from .._engine.plan import Plan
from .._engine.state import HostState
from .._engine.store import TransactionError
from .._host.below import TO_MAKE
from .._host.credentials import encrypted, is_encrypted
from .._host.reader import Reader
from .._host.systemd import SystemdError
from .._model import Change, File
from .options import ContentsNeeded, DeclarationError, Sent

_VALIDATE_TIMEOUT = 300.0  # seconds
_MOST_ENCRYPTED = 2 << 20  # bytes; systemd takes credentials of up to 1 MiB
_UNKNOWN = "encrypted "  # before the digest of a text: that of what is to be encrypted
_SWAP_LINK = "swap.link"
_SHOWN = 100_000  # bytes of a file that --diff shows
Item = t.Mapping[str, t.Any]  # values of ``unit_options``, and what generations have


def add_files(
    desired: t.Sequence[DesiredUnit],
    items: t.Sequence[Item],
    sent: Sent,
    host: Host,
    accounts: Accounts,
    listed: bool,
) -> None:
    """Give the desired units the files that their items bring along.

    :param sent: for each item what the controller says of its files.
    :param accounts: of users and groups that the task makes first.
    :param listed: whether messages name the place in the list ``units``.
    :raises DeclarationError: with every mistake.
    """
    mistakes: list[str] = []
    places: dict[str, DesiredFile] = {}
    for unit, item in zip(desired, items):
        entries = [*(sent.files[unit.position] if sent.files else ()), *_link_of_swap(item)]
        if item["files"]:
            mistakes.append(f"{unit.name}: files: the action plugin of this module has to find them first")
        if item["state"] == "absent" and any(entry["kind"] != "absent" for entry in entries):
            mistakes.append(f"{unit.name}: state: absent takes no files but those with state: absent of their own")
        for entry in entries:
            place = f"units[{unit.position}].{entry['place']}" if listed else entry["place"]
            try:
                file = _desired_file(place, entry, sent, host, accounts)
            except ValueError as error:
                mistakes.append(f"{place}: {error}")
                continue
            other = places.setdefault(file.path, file)
            if other is not file and not _same_folder(other, file):
                mistakes.append(f"{place}: {file.path} is declared already, by {other.place}; declare it once")
            unit.files.append(file)
            if entry["place"] == _SWAP_LINK:
                unit.swap = {**item["swap"], "link": file.path}
    mistakes += _nested(places)
    if mistakes:
        raise DeclarationError(mistakes)


def _link_of_swap(item: Item) -> list[dict[str, t.Any]]:
    """The entry of the link that a swap changes; the plan fills in its target."""
    swap = item["swap"] or {}
    if not swap.get("link") or item["state"] == "absent":
        return []
    return [{"place": _SWAP_LINK, "path": swap["link"], "kind": "link", "target": swap["target"], "on_change": "none"}]


def _same_folder(one: DesiredFile, other: DesiredFile) -> bool:
    return one.kind == "directory" and one[1:] == other[1:]


def _nested(places: t.Mapping[str, DesiredFile]) -> t.Iterator[str]:
    """What is declared within something that is removed, or that is no folder."""
    for file in places.values():
        folder = os.path.dirname(file.path)
        while file.kind != "missing" and folder != "/":
            other = places.get(folder)
            if other and other.kind == "missing" and not (other.only_new or other.old_secrets):
                yield f"{file.place}: {file.path} is in {other.path}, which {other.place} removes"
            elif other and other.kind in ("file", "link"):
                yield f"{file.place}: {file.path} is in {other.path}, which {other.place} makes a {other.kind}"
            folder = os.path.dirname(folder)


def _desired_file(place: str, entry: Item, sent: Sent, host: Host, accounts: Accounts) -> DesiredFile:
    """One entry, its path resolved and its owner looked up on this host.

    :raises ValueError: with what is wrong with the option.
    """
    path = own_place(entry["path"], host.manager, "be removed" if entry["kind"] == "absent" else "")
    secret = entry.get("secret")
    digest, size = _digest_of(entry, sent), entry.get("size", 0)
    if entry.get("encrypt"):
        digest, size = _encrypted(digest, path, entry, host)
    return DesiredFile(
        place=place,
        path=path,
        kind="missing" if entry["kind"] == "absent" else entry["kind"],
        digest=digest,
        size=size,
        target=entry.get("target") or "",
        uid=_owner(entry, host, accounts),
        gid=_number(entry.get("group"), "group", host, accounts.gid),
        mode=entry.get("mode"),
        on_change=entry.get("on_change") or "restart",
        validate=tuple(entry.get("validate") or ()),
        secret=secret is not None,
        only_new=entry.get("only_new", False) or entry.get("if_empty", False),
        old_secrets=entry.get("old_secrets", False),
    )


def _digest_of(entry: Item, sent: Sent) -> str:
    secret = entry.get("secret")
    return str(sent.secret_digests[secret] if secret is not None else entry.get("digest", ""))


def _encrypted(digest: str, path: str, entry: Item, host: Host) -> tuple[str, int]:
    """Digest and size of the encrypted content: of the one that stands there, if it is right, or of a new one.

    Without the text there is no content yet, and a digest that no content has.

    :param digest: of the text.
    """
    name, runner = entry["encrypt"], host.manager.runner
    there = File()
    with contextlib.suppress(NotADirectoryError):  # a file is to become the folder, or the plan says why not
        there = host.read_place(path)
    if there.kind == "file" and there.size <= _MOST_ENCRYPTED:
        with host.open_place(path) as stream:
            if is_encrypted(runner, name, stream.read(_MOST_ENCRYPTED), digest):
                return there.digest, there.size
    if not host.contents.has(digest):
        return _UNKNOWN + digest, 0
    with host.contents.open(digest) as stream:
        return host.contents.add(encrypted(runner, name, stream.read(entry["size"])))


def _owner(entry: Item, host: Host, accounts: Accounts) -> int | None:
    """The id of the owner.

    :raises ValueError: when there is none, or when it is one whom the user of the units cannot give a file.
    """
    uid, account = _number(entry.get("owner"), "owner", host, accounts.uid), host.manager.account
    if account and uid not in (None, account.pw_uid):
        raise ValueError(f"owner: with scope: user, everything belongs to {account.pw_name}; leave it out")
    return uid


def _number(name: str | None, option: str, host: Host, made: t.Callable[[str], int | None]) -> int | None:
    """The id of a user or group."""
    if name is None or name.isdigit():
        return None if name is None else int(name)
    if host.root:
        known = Reader(host.manager).accounts("passwd" if option == "owner" else "group")
        if name in known:
            return known[name]
    else:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid if option == "owner" else grp.getgrnam(name).gr_gid
    number = made(name)
    if number is not None:
        return number
    what = "user" if option == "owner" else "group"
    raise ValueError(f"{option}: there is no {what} {name!r} on this host; create the {what} before this task")


# Contents


class TaskFiles:
    """The changed files of one task and their contents.

    :param real: whether changes are made, now or in the next call.
    :ivar contents: what the controller has sent, and what is kept on the host.
    """

    def __init__(self, host: Host, sent: Sent, real: bool) -> None:
        self.host = host
        self.real = real
        self.contents: Contents = host.contents
        self.sent = sent
        self.desired: dict[str, DesiredFile] = {}
        self.places: t.Mapping[str, File] = {}

    def prepare(self, plan: Plan, state: HostState, desired: t.Sequence[DesiredUnit], wanted: bool) -> None:
        """See that every content that the plan needs is at hand.

        :param wanted: whether contents are needed at all: not in check mode without diff, but for ``validate``.
        :raises ContentsNeeded: when it is not.
        """
        self.desired = {file.path: file for unit in desired for file in unit.files}
        self.places = state.places
        present = {file.digest for file in state.places.values()}
        needed = set()
        for change in plan.files:
            if change.after.kind == "file" and (wanted or self._validated(change)):
                digest = change.after.digest
                if digest not in present and not self.contents.has(digest):
                    needed.add(digest)
        archives = {step.release.digest for step in plan.releases.values() if step.is_new and not step.release.source}
        archives = archives if self.real else set()
        if self.sent.call == "do":
            self._refuse_lack(plan, needed, archives)
        elif needed or archives or self.sent.call == "ask":
            raise ContentsNeeded(list(self._numbers(needed)), sorted(archives))

    def _refuse_lack(self, plan: Plan, needed: t.Container[str], archives: t.Container[str]) -> None:
        """Fail for what should have been sent.

        :raises SystemdError: when anything is lacking.
        """
        lacking = [
            (self.desired[change.path].place, change.path) for change in plan.files if change.after.digest in needed
        ]
        lacking += [
            ("release", step.release.path) for step in plan.releases.values() if step.release.digest in archives
        ]
        for place, path in lacking:
            raise SystemdError(
                f"{place}: {path}: its new content was not sent, because a file on the controller or on the host"
                " changed while the task ran; run the task again"
            )

    def _validated(self, change: Change) -> bool:
        return change.path in self.desired and bool(self.desired[change.path].validate)

    def _numbers(self, needed: set[str]) -> t.Iterator[int]:
        """The first entry of each content."""
        for number, entry in enumerate(entry for entries in self.sent.files for entry in entries):
            digest = (_UNKNOWN if entry.get("encrypt") else "") + _digest_of(entry, self.sent)
            if digest in needed:
                needed.discard(digest)
                yield number

    def keep(self, plan: Plan) -> None:
        """Keep the contents that the plan takes from the host: those that an undo puts back among them.

        :raises TransactionError: when that is impossible.
        """
        places = {file.digest: path for path, file in self.places.items() if file.kind == "file"}
        wanted = {change.after.digest for change in plan.files} & set(places)
        sources = {digest: (places[digest], self.places[places[digest]]) for digest in wanted}
        sources.update({c.before.digest: (c.path, c.before) for c in plan.files if c.before.kind == "file"})
        for path, file in sources.values():
            try:
                with self.host.open_place(path) as stream:
                    self.contents.keep(file.digest, file.size, stream)
            except OSError as error:
                raise TransactionError(
                    f"{path}: its present content cannot be kept in {self.contents.folder} for a rollback"
                    f" ({error.strerror}); nothing was changed"
                ) from None
        if sources:
            self.contents.flush()

    # Judged

    def refuse_unwritable(self, plan: Plan) -> None:
        """See that every file can be put into its place, before any is.

        :raises SystemdError: with the folder that cannot be written to.
        """
        rights = f" with the rights of {self.host.user}" if self.host.user else ""
        changed = {change.path for change in plan.files}
        with self.host.manager.as_owner():
            for change in plan.files:
                stays = change.before.kind == change.after.kind == "directory"
                folder = "" if stays else unwritable(change.path)
                if folder and folder not in changed:
                    raise SystemdError(f"{change.place}: {change.path}: {folder} cannot be written to{rights}")

    def validate(self, plan: Plan) -> None:
        """Have the programs that ``validate`` names look at copies of the new contents, before anything is written.

        :raises SystemdError: when one refuses.
        """
        for change in plan.files:
            if change.after.kind == "file" and self._validated(change):
                self._validate(self.desired[change.path], change.after)

    def _validate(self, file: DesiredFile, after: File) -> None:
        account = self.host.manager.account
        folder = tempfile.mkdtemp(prefix="unitcraft-validate-")
        try:
            path = os.path.join(folder, os.path.basename(file.path))
            handle = os.open(path, TO_MAKE, 0o600)
            with self._content(after.digest) as source, open(handle, "wb") as stream:
                copy_content(source, stream, after.size, after.digest)
                os.fchmod(handle, after.mode)
            if account:
                for name in (path, folder):
                    os.chown(name, account.pw_uid, account.pw_gid)
            argv = [word.replace("%s", path) for word in file.validate]
            reply = self.host.run(argv, _VALIDATE_TIMEOUT)
        except OSError as error:
            raise SystemdError(f"{file.place}: {file.path}: validate: {error.strerror}; nothing was changed") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if reply.code != 0:
            words = reply.words().replace(path, file.path)[-2000:]
            said = "its words are not shown, because the file is secret" if file.secret else words
            raise SystemdError(
                f"{file.place}: {file.path}: validate: {file.validate[0]} refuses the new content with exit status"
                f" {reply.code}; nothing was changed: {said}"
            )

    def _content(self, digest: str) -> t.BinaryIO:
        """A content that is at hand, or that stands in another place."""
        if self.contents.has(digest):
            return self.contents.open(digest)
        return self.host.open_place(next(path for path, file in self.places.items() if file.digest == digest))

    # Shown

    def diffs(self, plan: Plan, texts: bool, deployed: t.Mapping[str, Item]) -> list[dict[str, str]]:
        """``diff`` of the result for every file.

        :param texts: whether the task shows differences; contents are read for nothing else.
        :param deployed: the files of the sets of this host by their paths, as generations have them.
        """
        return [
            {
                "before_header": change.path,
                "after_header": change.path,
                **((self._texts(change) if texts else {}) or _descriptions(change)),
            }
            for change in (change._replace(secret=_is_secret(change, deployed)) for change in plan.files)
        ]

    def _texts(self, change: Change) -> dict[str, str]:
        """Both contents of a change, where they are what changes and can be shown."""
        files = {"before": change.before, "after": change.after}
        if change.secret or change.before.digest == change.after.digest:
            return {}
        if any(file.kind not in ("file", "missing") or file.size > _SHOWN for file in files.values()):
            return {}
        shown = {}
        for key, file in files.items():
            data = b""
            if file.kind == "file":
                with self.host.open_place(change.path) if key == "before" else self._content(file.digest) as stream:
                    data = stream.read(file.size)
            if b"\0" in data:
                return {}
            shown[key] = data.decode("utf-8", "replace")
        return shown


def _is_secret(change: Change, deployed: t.Mapping[str, Item]) -> bool:
    """Whether a content is hidden: also what was secret, and what nobody else may read when it goes or is nobody's."""
    if change.secret or deployed.get(change.path, {}).get("secret"):
        return True
    goes = change.after.kind == "missing" or change.path not in deployed
    return goes and change.before.kind == "file" and not change.before.mode & 0o077


def _descriptions(change: Change) -> dict[str, str]:
    """What can be said of both sides of a change besides their contents."""
    shown = {"before": _description(change.before, change.secret), "after": _description(change.after, change.secret)}
    if change.before.digest != change.after.digest and shown["before"] and shown["after"]:
        shown = {"before": shown["before"] + "the old content\n", "after": shown["after"] + "the new content\n"}
    return shown


def _description(file: File, secret: bool) -> str:
    if file.kind == "missing":
        return ""
    if file.kind == "link":
        return f"link to {file.target}\n"
    size = f", {file.size} bytes" if file.kind == "file" and not secret else ""
    return f"{file.kind}, mode {file.mode:04o}, owner {file.uid}:{file.gid}{size}\n"

# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Finds the files of ``unit`` and ``units`` on the controller, as ``copy`` and ``template`` do; describes them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import copy, template
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.tree import stream_digest
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.options import FILE_RULES, file_options
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._release import ReleaseSource

_MODE = re.compile(r"0?[0-7]{3,4}\Z")
Entry = dict[str, t.Any]
# What the roles add to entries of ``files``; see plugin_utils/_service_files.py.
_FOR_ROLES = ("_if_empty", "_old_secrets", "_encrypt")


class Source(t.NamedTuple):
    """The content of one entry: the bytes themselves, or a file."""

    digest: str = ""  # SHA-256
    size: int = 0
    data: bytes = b""
    path: str = ""

    def open(self) -> t.BinaryIO:
        """Open the content for reading."""
        return open(self.path, "rb") if self.path else io.BytesIO(self.data)


class Finder:
    """All files of one task.

    :param action: the action plugin, with the search paths of its task.
    :ivar sources: of every entry made so far, in order; empty ones for what has no content.
    :ivar releases: archives and folders by their digests.
    :ivar secret_digests: of the secrets, to which entries refer by their number.
    """

    def __init__(self, action: t.Any, task_vars: dict[str, t.Any]) -> None:
        self.sources: list[Source] = []
        self.secret_digests: list[str] = []
        self.releases: dict[str, ReleaseSource] = {}
        self._action = action
        self._loader = action._loader
        self._task_vars = task_vars
        self._rules = ArgumentSpecValidator(file_options(), **FILE_RULES)
        self._decrypted: list[str] = []

    def __enter__(self) -> Finder:
        return self

    def __exit__(self, *_error: object) -> None:
        for path in self._decrypted:
            self._loader.cleanup_tmp_file(path)

    def entries(self, place: str, files: t.Any) -> list[Entry]:
        """What the module takes for the option ``files`` of one item.

        :param place: of the item, for messages: ``units[2].``
        :raises AnsibleActionFail: naming the place.
        """
        if not isinstance(files, list):
            raise AnsibleActionFail(f"{place}files: not a list of mappings")
        found: list[Entry] = []
        for number, given in enumerate(files):
            name = f"files[{number}]"
            try:
                made = self._entries_of(given)
            except ValueError as error:
                raise AnsibleActionFail(f"{place}{name}: {error}") from None
            found += [{"place": name, **entry} for entry in made]
        return found

    def release(self, place: str, given: t.Any) -> Entry | None:
        """What the module has to know of the option ``release`` of one item; None when its source is on the host.

        :raises AnsibleActionFail: naming the place.
        """
        src = given.get("src") if isinstance(given, dict) else None
        if src is None:
            return None  # the module says what is wrong with it, if anything is
        try:
            found = self._action._find_needle("files", str(src)).rstrip("/")
            if not os.path.isdir(found):
                real = self._loader.get_real_file(found, decrypt=True)
                if real != found:
                    self._decrypted.append(real)
                found = real
            source = ReleaseSource.at(found)
            source.check_shared(given.get("shared"))
        except (AnsibleError, ValueError) as error:
            message = str(error) if isinstance(error, ValueError) else f"src: {error}"
            raise AnsibleActionFail(f"{place}release: {message}") from None
        self.releases[source.digest] = source
        return {"digest": source.digest, "packed": source.is_folder}

    def _entries_of(self, given: t.Any) -> list[Entry]:
        if not isinstance(given, dict):
            raise ValueError("not a mapping")
        private = {word[1:]: given[word] for word in _FOR_ROLES if word in given}
        made = self._made_of(self._checked({key: value for key, value in given.items() if key not in _FOR_ROLES}))
        return [{**entry, **private} for entry in made]

    def _made_of(self, options: dict[str, t.Any]) -> list[Entry]:
        common = {key: options[key] for key in ("owner", "group", "on_change", "validate") if options[key] is not None}
        common["mode"] = None if options["mode"] == "preserve" else _mode(options["mode"])
        entry = {"path": options["path"], **common}
        if options["state"] == "absent":
            return [self._add({"path": options["path"], "kind": "absent", "on_change": options["on_change"]})]
        if options["link"] is not None:
            return [self._add({**entry, "kind": "link", "target": options["link"]})]
        if options["directory"] is not None:
            if not options["directory"]:
                raise ValueError("directory: only true makes sense; leave it out")
            return [self._add({**entry, "kind": "directory"})]
        if options["src"] is not None:
            return self._of_source(entry, options["src"], options["mode"] == "preserve")
        if options["template"] is not None:
            data, mode = self._render(options)
            return [self._with_data({**entry, "mode": mode}, data)]
        if options["secret"] is not None:
            return [self._secret(entry, to_bytes(options["secret"]))]
        return [self._with_data(entry, to_bytes(options["content"]))]

    def _checked(self, given: dict[str, t.Any]) -> dict[str, t.Any]:
        given = {name: value for name, value in given.items() if value is not None}
        if isinstance(given.get("content"), (dict, list)):
            given["content"] = json.dumps(given["content"])
        result = self._rules.validate(given)
        if result.error_messages:
            raise ValueError("; ".join(result.error_messages))
        options = result.validated_parameters
        texts = ("src", "template", "link", "path")
        empty = [name for name in texts if options[name] == ""]
        if empty:
            raise ValueError(f"{empty[0]}: the text is empty")
        if options["mode"] == "preserve" and options["src"] is None and options["template"] is None:
            raise ValueError("mode: only a file on the controller, src or template, has a mode to preserve")
        if options["validate"] and not any("%s" in word for word in options["validate"]):
            raise ValueError("validate: none of its words holds %s, for which the path of the new file is put")
        return options

    def _add(self, entry: Entry, source: Source | None = None) -> Entry:
        self.sources.append(source or Source())
        return entry

    def _with_data(self, entry: Entry, data: bytes) -> Entry:
        source = Source(hashlib.sha256(data).hexdigest(), len(data), data)
        return self._add({**entry, "kind": "file", "digest": source.digest, "size": source.size}, source)

    def _secret(self, entry: Entry, data: bytes) -> Entry:
        source = Source(hashlib.sha256(data).hexdigest(), len(data), data)
        self.secret_digests.append(source.digest)
        number = len(self.secret_digests) - 1
        return self._add({**entry, "kind": "file", "secret": number, "size": source.size}, source)

    # Files and folders

    def _of_source(self, entry: Entry, src: str, preserve: bool) -> list[Entry]:
        try:
            found = self._action._find_needle("files", src).rstrip("/")
        except AnsibleError as error:
            raise ValueError(f"src: {error}") from None
        if not os.path.isdir(to_bytes(found)):
            return [self._file(entry, found, preserve)]
        if entry.get("validate"):
            raise ValueError("validate: it looks at one file, and src is a folder")
        return self._folder(entry, found + "/" if src.endswith("/") else found, preserve)

    def _file(self, entry: Entry, path: str, preserve: bool) -> Entry:
        try:
            real = self._loader.get_real_file(path, decrypt=True)
            if real != path:
                self._decrypted.append(real)
            with open(to_bytes(real), "rb") as stream:
                digest, size = stream_digest(stream).hex(), stream.tell()
            if preserve:
                entry = {**entry, "mode": stat.S_IMODE(os.stat(to_bytes(path)).st_mode)}
        except (AnsibleError, OSError) as error:
            raise ValueError(f"src: {path} cannot be read: {error}") from None
        return self._add({**entry, "kind": "file", "digest": digest, "size": size}, Source(digest, size, b"", real))

    def _folder(self, entry: Entry, path: str, preserve: bool) -> list[Entry]:
        """A folder and what is in it. A slash at the end of ``src`` means the contents alone, as with ``copy``."""
        walked = copy._walk_dirs(path, local_follow=True)
        mode = entry["mode"]
        folder = {**entry, "kind": "directory", "only_new": True}
        folder["mode"] = None if mode is None else mode | (mode & 0o444) >> 2
        top = entry["path"].rstrip("/")
        made = [self._add({**folder, "path": top or "/"})] if top else []
        if not path.endswith("/"):
            made.append(self._add({**folder, "path": f"{top}/{os.path.basename(path)}"}))
        for _source, place in sorted(walked["directories"], key=lambda pair: pair[1]):
            made.append(self._add({**folder, "path": f"{top}/{place}"}))
        for source, place in sorted(walked["files"], key=lambda pair: pair[1]):
            made.append(self._file({**entry, "path": f"{top}/{place}"}, source, preserve))
        for target, place in walked["symlinks"]:
            made.append(self._add({**entry, "path": f"{top}/{place}", "kind": "link", "target": target}))
        return made

    # Templates

    def _render(self, options: dict[str, t.Any]) -> tuple[bytes, int | None]:
        """What ``ansible.builtin.template`` would put at the path, and the mode."""
        action = self._action
        task = action._task.copy()
        task.args = {"src": options["template"], "dest": options["path"], "mode": options["mode"]}
        names = ("connection", "play_context", "loader", "templar")
        rendering = _Rendering(task=task, **{name: getattr(action, f"_{name}") for name in names})
        rendering._shared_loader_obj = caught = _Caught()
        task_vars = {**self._task_vars, "ansible_search_path": list(self._task_vars.get("ansible_search_path", ()))}
        try:
            result = rendering.run(task_vars=task_vars)
        except AnsibleError as error:
            raise ValueError(f"template: {options['template']}: {error}") from None
        if caught.data is None:
            raise ValueError(f"template: {options['template']}: {result.get('msg', 'it cannot be rendered')}")
        return caught.data, _mode(caught.mode)


class _Rendering(template.ActionModule):
    """The action plugin of ``template`` up to the moment when it hands the text over to ``copy``."""

    TRANSFERS_FILES = False  # no folder on the host is made for it
    _supports_async = True

    def _remove_tmp_path(self, *_args: t.Any, **_more: t.Any) -> None:
        return None


class _Caught:
    """Stands in the place of the loader of action plugins, and of ``copy``."""

    def __init__(self) -> None:
        self.action_loader = self
        self.data: bytes | None = None
        self.mode: t.Any = None
        self._task: t.Any = None

    def get(self, _name: str, task: t.Any, **_more: t.Any) -> _Caught:
        """The plugin ``copy``."""
        self._task = task
        return self

    def run(self, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Take the rendered text."""
        with open(self._task.args["src"], "rb") as stream:
            self.data = stream.read()
        self.mode = self._task.args.get("mode")
        return {}


def _mode(given: t.Any) -> int | None:
    """A mode as a number.

    :raises ValueError: for what is not one.
    """
    if given is None:
        return None
    if isinstance(given, bool) or (isinstance(given, int) and not 0 <= given <= 0o777):
        raise ValueError(f"mode: {given!r} is not a mode; write it in quotes, for example '0644'")
    if isinstance(given, int):
        return int(given)
    if not _MODE.match(str(given)):
        raise ValueError(f"mode: {str(given)!r} is not a mode; write it as octal digits, for example '0644'")
    return int(str(given), 8)

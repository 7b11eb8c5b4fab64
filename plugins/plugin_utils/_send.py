# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The controller's side of ``unit`` and ``units``: describes files to the module, sends those that the host lacks.

A deployment that has to be confirmed is confirmed here; ``rollback`` has no more than that.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._call import CallingAction

if t.TYPE_CHECKING:
    from ansible_collections.unitcraft.systemd.plugins.plugin_utils._find import Source
    from ansible_collections.unitcraft.systemd.plugins.plugin_utils._release import ReleaseSource

_BLOCK = 1 << 20


class SendingAction(CallingAction):
    """A module whose items may have ``files`` and a ``release``; without any, it runs as if there were no plugin.

    The first call tells the module what the files are to be. It does its work, unless it lacks contents; then it
    changes nothing and says which. The second call brings them in one file.
    """

    def items(self, args: dict[str, t.Any]) -> list[tuple[str, dict[str, t.Any]]]:
        """The mappings of the task that may have ``files``, which are changed in place.

        :returns: ``[(place in front of "files", item)]``
        """
        raise NotImplementedError

    def work(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Run the module, twice if it needs contents."""
        items = self.items(args)
        if "_sent" in args:
            raise AnsibleActionFail("_sent: not an option")
        self._host = task_vars.get("inventory_hostname")
        for text in dict.fromkeys(waits(item for _place, item in items)):
            self._tell(text)
        accounts = [item.pop("_account") for _place, item in items if "_account" in item]  # from the roles
        sent: dict[str, t.Any] = {"accounts": accounts} if accounts else {}
        if args.get("confirm") is not None and self._task.async_val:
            raise AnsibleActionFail("confirm: a task in the background cannot confirm; leave async out")
        if any(item.get("files") or item.get("release") for _place, item in items):
            done = self._run_with_files(args, items, sent, task_vars)
        else:
            done = self._call({**args, "_sent": sent} if sent else args, task_vars)
        waiting = done.pop("_confirm", None)
        if waiting:
            done.update(self._confirm(done, waiting))
        return done

    def _confirm(self, done: dict[str, t.Any], waiting: dict[str, t.Any]) -> dict[str, t.Any]:
        """Confirm a deployment; returns what that changes in its result."""
        from ansible_collections.unitcraft.systemd.plugins.plugin_utils._confirm import confirm

        confirmed = confirm(self, waiting["command"], float(waiting["within"]))
        confirmed["warnings"] = [*done.get("warnings", ()), *confirmed.get("warnings", ())]
        if confirmed.get("failed"):
            with contextlib.suppress(AnsibleError):
                self._remove_tmp_path(self._connection._shell.tmpdir)
            self._connection._shell.tmpdir = None
        return confirmed

    def _run_with_files(
        self,
        args: dict[str, t.Any],
        items: list[tuple[str, dict[str, t.Any]]],
        sent: dict[str, t.Any],
        task_vars: dict[str, t.Any],
    ) -> dict[str, t.Any]:
        from ansible_collections.unitcraft.systemd.plugins.plugin_utils._find import Finder

        with Finder(self, task_vars) as finder:
            files = [finder.entries(place, item.get("files") or []) for place, item in items]
            releases = [finder.release(place, release_of(item)) for place, item in items]
            for _place, item in items:
                if item.get("files"):
                    item["files"] = []  # it says that the item declares something
            sent = {**sent, "files": files, "releases": releases, "secret_digests": finder.secret_digests}
            # What runs in the background cannot be asked what it lacks, so it is asked before.
            call = "ask" if self._task.async_val else "try"
            done = self._call({**args, "_sent": {**sent, "call": call}}, task_vars, wrap=False)
            if "_needs" not in done or done.get("failed"):
                return done
            if done["_needs"]:
                self._display_sending(finder.sources, done["_needs"])
                sent["payload"] = self._send([finder.sources[number] for number in done["_needs"]])
            archives = [finder.releases[digest] for digest in done.get("_needs_archives", ())]
            sent["archives"] = {source.digest: self._send_release(source) for source in archives}
        final = self._call({**args, "_sent": sent}, task_vars)
        return {**{key: done[key] for key in ("recovered", "warnings") if key in done}, **final}

    def _tell(self, text: str) -> None:
        """Print a line where -v is given."""
        self._connection._display.v(text, host=self._host)

    def _display_sending(self, sources: list[Source], numbers: list[int]) -> None:
        size = sum(sources[number].size for number in numbers)
        self._tell(f"sending {len(numbers)} contents, {size} bytes")

    def _send(self, sources: list[Source]) -> str:
        """Put contents into one file on the host, which goes with Ansible's own temporary folder.

        :returns: its path there.
        """
        handle, local = tempfile.mkstemp(dir=constants.DEFAULT_LOCAL_TMP, prefix="unitcraft-")  # mode 0600
        try:
            with open(handle, "wb") as stream:
                stream.write(json.dumps([[source.digest, source.size] for source in sources]).encode() + b"\n")
                for source in sources:
                    with source.open() as content:
                        while block := content.read(_BLOCK):
                            stream.write(block)
            return self._transfer(local, "contents")
        finally:
            os.unlink(local)

    def _send_release(self, source: ReleaseSource) -> str:
        """Send an archive, or a folder as one.

        :returns: its path on the host.
        """
        try:
            with source.packed(constants.DEFAULT_LOCAL_TMP) as local:
                self._tell(f"sending {source.path}, {os.path.getsize(local)} bytes")
                return self._transfer(local, f"release-{source.digest}")
        except ValueError as error:
            raise AnsibleActionFail(f"release: {error}") from None

    def _transfer(self, local: str, name: str) -> str:
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        remote = str(shell.join_path(shell.tmpdir, name))
        self._transfer_file(local, remote)
        self._fixup_perms2((shell.tmpdir, remote), execute=False)
        return remote


def release_of(item: dict[str, t.Any]) -> t.Any:
    """The release of an item whose source is needed: not when the release goes."""
    goes = item.get("state") == "absent" and not item.get("instances")
    return None if goes else item.get("release")


def waits(items: t.Iterable[dict[str, t.Any]]) -> t.Iterator[str]:
    """What a long silence of the task may be, for who looks with -v: a module tells nothing until it has ended."""
    for item in items:
        health, release = item.get("health"), item.get("release")
        if isinstance(release, dict) and isinstance(release.get("prepare"), list):
            count, most = len(release["prepare"]), _seconds(release, "prepare_timeout", 900)
            yield f"{release.get('path')}: a new version is prepared by {count} programs, each within {most:g} s"
        if isinstance(health, dict):
            timeout, stable = _seconds(health, "timeout", 30), _seconds(health, "stable", 0)
            yield f"{item.get('name')}: after a change it has to be healthy within {timeout:g} s, and for {stable:g} s"


def _seconds(options: dict[str, t.Any], name: str, default: float) -> float:
    """A time as the task gives it; the module says what is wrong with it, if anything is."""
    try:
        return float(options.get(name) or default)
    except (TypeError, ValueError):
        return default

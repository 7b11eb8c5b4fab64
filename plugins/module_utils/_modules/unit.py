# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules do, from options to result. With its two siblings the only file that sees AnsibleModule."""

from __future__ import annotations

import gc
import hashlib
import os
import posixpath
import re
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._engine import plan as _plan
from .._engine import store as _store
from .._engine.host import Host
from .._host.systemd import SystemdError
from .._model import MISSING, File
from .._syntax import header as _header
from .._syntax import render as _render
from .._syntax.lines import parse
from .._syntax.names import instance_name, unit_name_problem
from .._syntax.text import UnitSyntaxError, from_bytes

STATES = ("present", "started", "stopped", "restarted", "reloaded", "absent")
_DROPIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,240}\Z")
_PROBE_KINDS = ("tcp", "udp", "http", "socket", "command", "log")


class DeclarationError(Exception):
    """The options contradict each other or name what cannot be; one message for each mistake."""

    def __init__(self, messages: t.Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = list(messages)


class FindingsError(Exception):
    """The units are not fit for this host; one line for each finding."""


# Argument specs


def unit_options() -> dict[str, t.Any]:
    """What is declared of one unit; the options of ``unit`` and of each item of ``units``."""
    probe = {
        "tcp": {"type": "str"},
        "udp": {"type": "str"},
        "http": {"type": "str"},
        "socket": {"type": "path"},
        "command": {"type": "list", "elements": "str"},
        "log": {"type": "str"},
        "send": {"type": "str"},
        "expect": {"type": "str"},
        "status": {"type": "int"},
    }
    health = {
        "timeout": {"type": "float", "default": 30},
        "stable": {"type": "float", "default": 0},
        "probes": {
            "type": "list",
            "elements": "dict",
            "options": probe,
            "mutually_exclusive": [_PROBE_KINDS],
            "required_one_of": [_PROBE_KINDS],
        },
    }
    return {
        "name": {"type": "str", "required": True},
        "sections": {"type": "dict"},
        "content": {"type": "str"},
        "dropin": {"type": "str"},
        "state": {"type": "str", "choices": list(STATES), "default": "present"},
        "enabled": {"type": "bool"},
        "masked": {"type": "bool"},
        "instances": {"type": "list", "elements": "str"},
        "on_change": {"type": "str", "choices": ["auto", "restart", "reload", "none"], "default": "auto"},
        "triggers": {"type": "list", "elements": "raw"},
        "health": {"type": "dict", "options": health},
    }


def set_options() -> dict[str, t.Any]:
    """What holds for the whole set of one task."""
    return {
        "scope": {"type": "str", "choices": ["system", "user", "global"], "default": "system"},
        "user": {"type": "str"},
        "linger": {"type": "bool"},
        "runtime": {"type": "bool", "default": False},
        "root": {"type": "path"},
        "verify": {"type": "bool", "default": True},
        "fail_on": {"type": "str", "choices": ["error", "warning", "info", "never"], "default": "error"},
        "ignore": {"type": "list", "elements": "str", "default": []},
        "max_exposure": {"type": "float"},
        "rollback": {"type": "bool", "default": True},
        "set_name": {"type": "str"},
        "prune": {"type": "bool", "default": False},
    }


class _Module(AnsibleModule):
    def log(self, msg: t.Any, log_args: t.Any = None) -> None:
        """Log a text. Python 3.14 ends the module for a NUL in it, before anybody could say where the NUL stands."""
        super().log(msg.replace("\0", "\\0") if isinstance(msg, str) else msg, log_args)


def run_unit() -> None:
    """The module ``unit``: a set of one item."""
    module = _Module(argument_spec={**unit_options(), **set_options()}, supports_check_mode=True)
    _run(module, [{option: module.params[option] for option in unit_options()}], listed=False)


def run_units() -> None:
    """The module ``units``."""
    items = {"type": "list", "elements": "dict", "required": True, "options": unit_options()}
    module = _Module(argument_spec={"units": items, **set_options()}, supports_check_mode=True)
    _run(module, module.params["units"], listed=True)


def _run(module: AnsibleModule, items: t.Sequence[t.Mapping[str, t.Any]], listed: bool) -> None:
    gc.disable()  # the process is short, leaves no cycles of any size, and saves a tenth of its time
    task = Task(module.params, items, listed, module.check_mode)
    try:
        result = task.run()
    except DeclarationError as error:
        module.fail_json(msg=str(error), **task.result)
    except FindingsError as error:
        task.result.update(changed=False, actions=[], diff=[])
        module.fail_json(msg=str(error), **task.result)
    except (_plan.PlanError, SystemdError) as error:
        module.fail_json(msg=str(error), **task.result)
    except _store.TransactionError as error:
        task.add_failure(error)
        module.fail_json(msg=str(error), **task.result)
    for warning in task.warnings:
        module.warn(warning)
    module.exit_json(**result)


# Options -> wanted


def declare(
    items: t.Sequence[t.Mapping[str, t.Any]], folder: str, set_name: str | None, listed: bool = True
) -> list[_plan.Want]:
    """The declared items as the plan takes them.

    :param listed: name the place in the list in messages.
    :raises DeclarationError: with every mistake of every item.
    """
    wanted: list[_plan.Want] = []
    mistakes: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for position, item in enumerate(items):
        place = f"units[{position}]: " if listed else ""
        try:
            want = _declare_one(item, folder, set_name, position)
        except (DeclarationError, ValueError) as error:
            mistakes += [place + line for line in getattr(error, "messages", [str(error)])]
            continue
        key = (want.name, want.dropin)
        if key in seen:
            what = want.name + (f" with dropin {want.dropin}" if want.dropin else "")
            mistakes.append(
                f"{what} is declared twice: units[{seen[key]}] and units[{position}]; join the two into one"
            )
        seen.setdefault(key, position)
        wanted.append(want)
    if mistakes:
        raise DeclarationError(mistakes)
    return wanted


def _declare_one(item: t.Mapping[str, t.Any], folder: str, set_name: str | None, position: int) -> _plan.Want:
    name = unit_name(item["name"])
    mistakes = _contradictions(name, item)
    if mistakes:
        raise DeclarationError(mistakes)
    dropin = dropin_name(name, item["dropin"])
    path = posixpath.join(folder, f"{name}.d/{dropin}.conf" if dropin else name)
    return _plan.Want(
        name=name,
        path=path,
        dropin=dropin,
        text=_text(name, item, set_name),
        by_meaning=item["content"] is None,
        state=item["state"],
        enabled=item["enabled"],
        masked=item["masked"],
        instances=_instances(name, item["instances"] or ()),
        follow=item["on_change"],
        triggers=_triggers(name, item["triggers"] or ()),
        health=item["health"],
        position=position,
    )


def unit_name(given: str) -> str:
    """The full unit name; a name without any suffix is a service.

    :raises DeclarationError: for a name that systemd would refuse, or that is more than a name.
    """
    if "/" in given:
        raise DeclarationError(
            [
                f"name: {given!r} holds a slash, and a unit name is no path; write the name alone, for example rot13.service"
                " (unit_escape makes a name of a path)"
            ]
        )
    name = given if "." in given else f"{given}.service"
    problem = unit_name_problem(name)
    if not problem and name.endswith(".scope"):
        problem = f"'{name}' is a scope, which programs make and no file can declare; declare a service"
    if problem:
        raise DeclarationError([f"name: {problem}"])
    return name


def dropin_name(unit: str, given: str | None) -> str:
    """The drop-in's name without ``.conf``; empty for none."""
    if given is None:
        return ""
    name = given[: -len(".conf")] if given.endswith(".conf") else given
    if not _DROPIN_NAME.match(name):
        raise DeclarationError(
            [
                f"dropin: {given!r} of {unit} is no name for a drop-in: write letters, digits and :_.@- without a folder, for"
                " example 10-limits"
            ]
        )
    return name


def _contradictions(name: str, item: t.Mapping[str, t.Any]) -> list[str]:
    mistakes = []
    has_text = item["sections"] is not None or item["content"] is not None
    state = item["state"]
    if item["sections"] is not None and item["content"] is not None:
        mistakes.append(f"{name}: give sections or content, not both")
    if state == "absent" and has_text:
        mistakes.append(f"{name}: state: absent takes no sections and no content; leave them out")
    if state == "absent" and not item["dropin"] and (item["enabled"] or item["masked"]):
        option = "enabled" if item["enabled"] else "masked"
        mistakes.append(f"{name}: state: absent contradicts {option}: true; leave {option} out")
    speaks = state != "present" or any(
        item[option] is not None for option in ("enabled", "masked", "triggers", "health")
    )
    if not has_text and state != "absent" and (item["dropin"] is not None or not speaks):
        mistakes.append(f"{name}: neither sections nor content says what the file shall hold; give one of them")
    if item["content"] is not None:
        mistakes += _content_mistakes(name, item["content"])
    if item["sections"] is not None and not any(item["sections"].values()):
        mistakes.append(f"{name}: sections sets no directive, and systemd takes an empty unit file for a masked unit")
    if item["instances"] and "@." not in name:
        mistakes.append(f"{name}: instances is for templates; write the name with an @, as in worker@.service")
    return mistakes


def _content_mistakes(name: str, content: str) -> list[str]:
    if "\0" in content:
        return [f"{name}: content holds a NUL byte; a unit file is plain text: remove it"]
    if not content.strip():
        return [f"{name}: content is empty, and systemd takes an empty unit file for a masked unit; use masked: true"]
    try:
        parse(content, name=name)
    except UnitSyntaxError as error:
        return [f"{name}: content: {error}"]
    return []


def _text(name: str, item: t.Mapping[str, t.Any], set_name: str | None) -> str | None:
    """The file's text. Our header stands on what we rendered, and on given text only where a set must own it."""
    if item["sections"] is not None:
        settings = _render.settings_from_mapping(name, item["sections"])
        return _render.render(settings, _header.header(set_name))
    if item["content"] is None:
        return None
    if not set_name or _header.read_header(item["content"])[0]:
        return str(item["content"])
    return "\n".join(_header.header(set_name)) + "\n\n" + str(item["content"])


def _instances(name: str, given: t.Sequence[str]) -> list[str]:
    for instance in given:
        problem = "it is empty" if not instance else unit_name_problem(instance_name(name, instance))
        if problem:
            raise DeclarationError(
                [f"instances: {instance!r} of {name}: {problem}; the filter unit_escape makes one of any text"]
            )
    return list(dict.fromkeys(given))


def _triggers(name: str, given: t.Sequence[t.Any]) -> list[tuple[str, bool]]:
    triggers = []
    for trigger in given:
        entry = trigger if isinstance(trigger, dict) else {"path": trigger}
        path = entry.get("path")
        if not isinstance(path, str) or not path.startswith("/") or set(entry) - {"path", "reload", "changed"}:
            raise DeclarationError(
                [
                    f"triggers: {trigger!r} of {name}: write the absolute path of a file, or {{path: /etc/x, reload: true}}"
                ]
            )
        for key in ("reload", "changed"):
            if not isinstance(entry.get(key, False), bool):
                raise DeclarationError([f"triggers: {key} of {path} for {name} must be true or false"])
        triggers.append((path, entry.get("reload", False)))
    return triggers


def announced(items: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """Triggers that an earlier task would have changed by now, which check mode cannot see: path -> a sum that no file has."""
    triggers = [trigger for item in items for trigger in item["triggers"] or () if isinstance(trigger, dict)]
    return {trigger["path"]: "to be changed" for trigger in triggers if trigger.get("changed")}


class Task:
    """One task: from declared items to a result.

    :ivar result: what the module returns, filled as the task goes on, so that a failure returns what is known.
    """

    def __init__(
        self, params: t.Mapping[str, t.Any], items: t.Sequence[t.Mapping[str, t.Any]], listed: bool, check_mode: bool
    ) -> None:
        self.params = params
        self.items = items
        self.listed = listed
        self.check_mode = check_mode
        self.warnings: list[str] = []
        self.result: dict[str, t.Any] = {"changed": False, "actions": [], "diff": [], "findings": [], "units": {}}
        self.store = _store.Store()
        self.drift: dict[str, list[dict[str, str]]] = {}

    def run(self) -> dict[str, t.Any]:
        params = self.params
        self._check_set_options()
        systemd = Host(params["scope"], params["user"] or "", params["runtime"], params["root"] or "")
        wanted = declare(self.items, systemd.folder, params["set_name"], self.listed)
        with systemd.as_owner():
            problem = systemd.folder_problem()
        if problem:
            raise SystemdError(f"{'root' if params['root'] else 'scope'}: {problem}")
        lock_problem = self._lock()
        record = self.store.read_record()
        wanted += self._to_prune(systemd, wanted)
        now = systemd.read_now(wanted, _sums_by_unit(record))
        self.drift = drift_by_unit(systemd.folder, now, wanted, record)
        if self.check_mode:
            now.trigger_sums.update(announced(self.items))
        plan = _plan.make_plan(now, wanted, systemd.has_manager)
        self._plan_linger(plan, systemd)
        self.warnings += plan.warnings
        self._describe(plan)
        with systemd.as_owner():
            problem = systemd.place_problem(change.path for change in plan.changes if change.path)
        if problem:
            raise SystemdError(problem)
        self._judge(plan, systemd, now, wanted)
        if plan.changed() and lock_problem:
            raise SystemdError(lock_problem)
        states: dict[str, dict[str, str]] = {}
        if not self.check_mode:
            states = self._apply(plan, systemd, now, wanted, record)
        if plan.changed() and not self.check_mode:
            self.result["units"] = self._units_after(plan, systemd, now, wanted, states)
        else:
            self.result["units"] = self._units(systemd, wanted, now.live)
        return self.result

    def _to_prune(self, systemd: Host, wanted: t.Sequence[_plan.Want]) -> list[_plan.Want]:
        """What carries the name of this set and is declared no more."""
        if not self.params["prune"]:
            return []
        declared = {want.path for want in wanted}
        with systemd.as_owner():
            files = {path: systemd.read_file(path) for path in systemd.list_unit_files() if path not in declared}
        return _plan.to_prune(files, systemd.folder, self.params["set_name"])

    def _plan_linger(self, plan: _plan.Plan, systemd: Host) -> None:
        linger = self.params["linger"]
        if linger is not None and os.path.exists(systemd.linger_file()) != linger:
            plan.linger = linger
            plan.manager_unit = systemd.manager_unit()
        if plan.needs_manager() and not plan.linger and not systemd.manager_answers():
            systemd.wait_for_manager(0)

    def _judge(self, plan: _plan.Plan, systemd: Host, now: _plan.Now, wanted: t.Sequence[_plan.Want]) -> None:
        """Stop before anything is written when a text that changes is not fit for this host.

        :raises FindingsError: with every finding that is severe enough.
        """
        written = {change.path for change in plan.changes if change.action == "write"}
        if not written:
            return
        # Only now: an unchanged run needs none of the grammar, the rules and the catalogue's details.
        from .._host import exposure as _exposure
        from .._host import facts as _host_facts
        from .._host import verify as _verify
        from .._lint import host as _lint_host
        from .._lint import judge as _check

        by_unit: dict[str, list[_plan.Want]] = {}
        for want in wanted:
            by_unit.setdefault(want.name, []).append(want)
        candidates = [
            _check.PendingFile(
                want.name,
                want.dropin,
                want.path,
                want.text,
                _plan.merged_after(plan, now, want.name, by_unit[want.name]),
            )
            for want in wanted
            if want.path in written and want.text is not None
        ]
        release = systemd.version()
        target = _check.Target(
            release,
            systemd.known_directives(),
            "system" if systemd.scope == "system" else "user",
            lambda units: _host_facts.host_facts(systemd, _lint_host.needed(units), now.live),
            _lint_host.RULES,
        )
        findings = _check.check(candidates, target, [*plan.enable, *plan.reenable])
        findings = _check.ignored(findings, self.params["ignore"])
        stopping = _check.stops(findings, self.params["fail_on"])
        if self.params["verify"] and not stopping and not systemd.root:
            findings += _check.ignored(_verify.news(candidates, systemd, release, findings), self.params["ignore"])
        if self.params["max_exposure"] is not None:
            exposed = _exposure.exposure(systemd, _verify.staged(candidates), release, self.params["max_exposure"])
            findings += _check.ignored(exposed, self.params["ignore"])
        stopping = _check.stops(findings, self.params["fail_on"])
        self.result["findings"] = [finding._asdict() for finding in findings]
        if stopping:
            lines = "\n".join(_check.sentence(finding) for finding in stopping)
            raise FindingsError(
                f"nothing was written: {len(stopping)} finding{'s' * (len(stopping) > 1)} (fail_on: {self.params['fail_on']})\n{lines}"
            )
        self.warnings += [_check.sentence(finding) for finding in findings if finding.severity == "warning"]

    def _check_set_options(self) -> None:
        params = self.params
        mistakes = []
        if params["scope"] != "user" and params["user"]:
            mistakes.append("user: only scope: user takes a user; set it, or leave user out")
        if params["scope"] != "user" and params["linger"] is not None:
            mistakes.append("linger: only scope: user takes linger")
        if params["prune"] and not params["set_name"]:
            mistakes.append("prune: needs set_name, for only files that carry the name of the set are ever removed")
        if params["scope"] == "user" and params["root"]:
            mistakes.append("root: scope: user needs a running user manager; use scope: global for units of every user")
        if params["root"] and not os.path.isdir(params["root"]):
            mistakes.append(f"root: {params['root']} is no folder on this host; unpack or mount the image first")
        if mistakes:
            raise DeclarationError(mistakes)

    def _lock(self) -> str:
        """Keep other runs out and undo what a killed one left; returns why that is impossible, if it is."""
        if self.check_mode:
            if self.store.read_intent() is not None:
                self.warnings.append(
                    "a run on this host was interrupted; the next run without check mode first undoes it"
                )
            return ""
        try:
            self.store.lock()
        except OSError as error:
            return (
                f"{self.store.folder}: {error.strerror}; the lock and the snapshot that a rollback needs have to be written"
                " there. Make room, or make the folder writable"
            )
        if self.store.read_intent() is not None:
            from .._engine import execute as _transaction  # noqa: PLC0415

            recovered = _transaction.recover(self.store)
            self.result["recovered"] = recovered
            self.warnings.append(recovered)
        return ""

    def _describe(self, plan: _plan.Plan) -> None:
        self.result["actions"] = [step._asdict() for step in plan.steps()]
        self.result["changed"] = plan.changed()
        self.result["diff"] = [
            {
                "before_header": change.path,
                "after_header": change.path,
                "before": _shown(change.before),
                "after": _shown(change.after),
            }
            for change in plan.changes
            if change.path
        ]

    def _apply(
        self,
        plan: _plan.Plan,
        systemd: Host,
        now: _plan.Now,
        wanted: t.Sequence[_plan.Want],
        record: dict[str, t.Any],
    ) -> dict[str, dict[str, str]]:
        new_record = self._new_record(plan, now, wanted, record)
        if not plan.changed():
            self._write_record(new_record)
            return now.live
        # Only now: a run that changes nothing needs none of it.
        from .._engine import execute as _transaction  # noqa: PLC0415

        snapshot = _transaction.take_snapshot(plan, systemd, now.live, now.links)
        states = _transaction.run(plan, systemd, self.store, snapshot, self.params["rollback"])
        # Only now: a record of what was then undone would hide that a trigger's file has changed.
        self._write_record(new_record)
        return states

    def _write_record(self, record: dict[str, t.Any] | None) -> None:
        try:
            if record is not None:
                self.store.write_record(record)
        except OSError as error:
            self.warnings.append(
                f"{self.store.folder}: the record of what was deployed cannot be written ({error.strerror}); the next run"
                " tries again. Until then drift and triggers are told by the old record"
            )

    def _new_record(
        self, plan: _plan.Plan, now: _plan.Now, wanted: t.Sequence[_plan.Want], record: dict[str, t.Any]
    ) -> dict[str, t.Any] | None:
        """The record as it shall be after this run; None when it stays as it is."""
        after = {change.path: change.after for change in plan.changes}
        new = {path: entry for path, entry in record.items() if after.get(path, File("file")).kind != "missing"}
        for want in wanted:
            if want.state == "absent" or (want.text is None and not want.triggers):
                new.pop(want.path, None)
                continue
            file = after.get(want.path, now.files.get(want.path, MISSING))
            entry = {
                "unit": want.name,
                "dropin": want.dropin,
                "scope": self.params["scope"],
                "user": self.params["user"] or "",
                "set": self.params["set_name"] or "",
                "sha256": hashlib.sha256(file.data).hexdigest() if want.text is not None else "",
                "text": from_bytes(file.data) if want.text is not None else None,
                "enabled": want.enabled,
                "masked": want.masked,
                "state": want.state,
                "sums": {path: now.trigger_sums.get(path, "") for path, _reload in want.triggers},
            }
            old = record.get(want.path, {})
            if {key: old.get(key) for key in entry} != entry:
                new[want.path] = {**entry, "time": int(time.time())}
        return new if new != record else None

    def _units_after(
        self,
        plan: _plan.Plan,
        systemd: Host,
        now: _plan.Now,
        wanted: t.Sequence[_plan.Want],
        states: t.Mapping[str, dict[str, str]],
    ) -> dict[str, dict[str, t.Any]]:
        """The state of every declared unit after the transaction. That is over: not to know is no reason to fail."""
        try:
            return self._units(systemd, wanted, {**_unmoved(plan, systemd, now), **states})
        except SystemdError as error:
            self.warnings.append(f"everything was done, but the state of all units cannot be told: {error}")
            return self._entries(_places(systemd.folder, wanted), states)

    def _units(
        self, systemd: Host, wanted: t.Sequence[_plan.Want], states: t.Mapping[str, dict[str, str]]
    ) -> dict[str, dict[str, t.Any]]:
        """The state of every declared unit; what is not in ``states`` is asked for."""
        places = _places(systemd.folder, wanted)
        unknown = [name for name in places if "@." not in name and name not in states]
        if unknown and not self.check_mode and systemd.has_manager:
            states = {**states, **systemd.show(unknown)}
        return self._entries(places, states)

    def _entries(
        self, places: t.Mapping[str, str], states: t.Mapping[str, dict[str, str]]
    ) -> dict[str, dict[str, t.Any]]:
        return {
            name: {**public_state(states.get(name, {}), path), "drift": self.drift.get(name)}
            for name, path in places.items()
        }

    def add_failure(self, error: _store.TransactionError) -> None:
        self.result["changed"] = error.rolled_back is False
        if error.rolled_back is not None:
            self.result["rolled_back"] = error.rolled_back
        self.result["failed_units"] = [failure._asdict() for failure in error.failures]
        if error.left_over:
            self.result["not_undone"] = error.left_over


def _places(folder: str, wanted: t.Iterable[_plan.Want]) -> dict[str, str]:
    """Every declared unit and instance, with the path of its unit file."""
    places: dict[str, str] = {}
    for want in wanted:
        path = posixpath.join(folder, want.name)
        places.setdefault(want.name, path)
        for instance in want.instance_names():
            places.setdefault(instance, path)
    return places


def _unmoved(plan: _plan.Plan, systemd: Host, now: _plan.Now) -> dict[str, dict[str, str]]:
    """The states from before the transaction that still hold. To ask for the whole state of every unit again, just after
    a reload, would cost more than all the rest of a small change to a large set."""
    touched = {*plan.touched(), *plan.dragged}
    names = [name for name in now.live if name not in touched and "@." not in name]
    seen = systemd.activity(names) if systemd.has_manager else {}
    kept = {}
    for name in names:
        state = now.live[name]
        if seen.get(state.get("Id", name)) == (state.get("ActiveState"), state.get("SubState")):
            kept[name] = state
    return kept


def _shown(file: File) -> str:
    if file.kind == "link":
        return f"link to {file.target}\n"
    return from_bytes(file.data).encode("utf-8", "replace").decode("utf-8")


def drift_by_unit(
    folder: str, now: _plan.Now, wanted: t.Sequence[_plan.Want], record: t.Mapping[str, dict[str, t.Any]]
) -> dict[str, list[dict[str, str]]]:
    """What was changed by hand since the last run, for each declared unit of which that run has left a record."""
    deployed: dict[str, dict[str, t.Any]] = {want.name: {} for want in wanted}
    for path, entry in record.items():
        if entry["unit"] in deployed and path.startswith(f"{folder}/"):
            deployed[entry["unit"]][path] = entry
    found = {}
    for name, entries in deployed.items():
        if entries:
            from .._engine import drift as _drift  # noqa: PLC0415  rarely needed

            dropins = [path for path in now.files if path.startswith(f"{folder}/{name}.d/")]
            files = {path: now.files.get(path, MISSING) for path in {*entries, *dropins}}
            texts = {path: from_bytes(file.data) if file.kind == "file" else None for path, file in files.items()}
            dropins = sorted(path for path in dropins if texts[path] is not None)
            found[name] = _drift.compare(
                name, entries, _drift.Now(texts, dropins, _drift.state_of(now.live.get(name, {})))
            )
    return found


def _sums_by_unit(record: t.Mapping[str, t.Any]) -> dict[str, dict[str, str]]:
    sums: dict[str, dict[str, str]] = {}
    for entry in record.values():
        if entry.get("sums"):
            sums.setdefault(entry["unit"], {}).update(entry["sums"])
    return sums


def public_state(state: t.Mapping[str, str], path: str) -> dict[str, t.Any]:
    """One entry of the result's ``units``."""
    entry: dict[str, t.Any] = {
        "path": path,
        "load_state": state.get("LoadState", ""),
        "active_state": state.get("ActiveState", ""),
        "sub_state": state.get("SubState", ""),
        "unit_file_state": state.get("UnitFileState", ""),
        "result": state.get("Result", ""),
        "invocation_id": state.get("InvocationID", ""),
    }
    if "MainPID" in state:
        entry["main_pid"] = int(state["MainPID"])
    if "NRestarts" in state:
        entry["n_restarts"] = int(state["NRestarts"])
    return entry

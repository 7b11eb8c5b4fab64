# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint rules for the start of a service: network, Type=, and command lines."""

from __future__ import annotations

import re
import typing as t

from .._graph.edges import flag
from .._model import ERROR, INFO, WARNING, Setting, Unit
from .._syntax.effective import is_set, last_setting, unit_names_in, value_of
from .._syntax.names import split_unit_name, unit_type
from .core import Context, Diagnostic, RuleTable, exec_commands, service_type

RULES = RuleTable()

_ONLINE = "network-online.target"


@RULES.rule("network-online-not-pulled-in", WARNING, "After")
def network_online_not_pulled_in(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """After=network-online.target orders the unit after a target that nothing starts."""
    order = _named(unit, "After", _ONLINE)
    if order is None or any(_named(unit, key, _ONLINE) for key in ("Wants", "Requires", "BindsTo", "Requisite")):
        return
    if any(context.graph.has("Wants", other, _ONLINE) for other in _pulled(unit)):
        return
    yield Diagnostic(
        f"After={_ONLINE} only orders: where nothing else starts that target, {unit.name} does not wait for "
        "the network",
        f"add Wants={_ONLINE}",
        order,
    )


def _named(unit: Unit, directive: str, other: str) -> Setting | None:
    return next((setting for name, setting in unit_names_in(unit, "Unit", directive) if name == other), None)


def _pulled(unit: Unit) -> set[str]:
    return {name for key in ("Wants", "Requires", "BindsTo") for name, _setting in unit_names_in(unit, "Unit", key)}


@RULES.rule("network-target-is-not-online", INFO, "After")
def network_target_is_not_online(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """After=network.target does not wait until the network is up."""
    order = _named(unit, "After", "network.target")
    if order is None or unit_type(unit.name) != "service" or _named(unit, "After", _ONLINE) is not None:
        return
    yield Diagnostic(
        "network.target does not mean that the network is up: no address need be there yet. That is enough for a "
        "program that listens on any address, not for one that binds to a certain address or connects at start",
        f"for such a program write Wants={_ONLINE} and After={_ONLINE}",
        order,
    )


@RULES.rule("oneshot-restart", WARNING, "Restart")
def oneshot_restart(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Restart= does not suit Type=oneshot."""
    restart = last_setting(unit, "Service", "Restart")
    if restart is None or restart.value == "no" or service_type(unit) != "oneshot":
        return
    if restart.value in ("always", "on-success"):
        yield Diagnostic(
            f"systemd refuses the unit: Restart={restart.value} would run a Type=oneshot service without end",
            "use a timer to run it again and again, Restart=on-failure to try again after a failure, or another Type=",
            restart,
        )
        return
    yield Diagnostic(
        f"units that wait for {unit.name} fail at its first failure (result 'dependency') and are not started when a "
        f"later attempt of Restart={restart.value} succeeds",
        "let the program itself try again, or give the waiting units Restart= too",
        restart,
        INFO,
    )


_BINDING = (("BindsTo", WARNING), ("Requisite", WARNING), ("Requires", INFO), ("PartOf", INFO))


@RULES.rule("oneshot-without-remain-after-exit", WARNING)
def oneshot_without_remain_after_exit(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A oneshot service that other units are bound to is inactive as soon as it is done."""
    if unit_type(unit.name) != "service" or service_type(unit) != "oneshot":
        return
    if flag(unit, "Service", "RemainAfterExit", False):
        return
    for kind, severity in _BINDING:
        bound = [name for name in context.graph.sources(kind, unit.name) if unit_type(name) != "timer"]
        if bound:
            what = {
                "BindsTo": f"{bound[0]} (BindsTo=) is stopped, or not started, as soon as {unit.name} is done",
                "Requisite": f"{bound[0]} (Requisite=) finds {unit.name} inactive and fails",
            }.get(kind, f"{bound[0]} ({kind}=) runs {unit.name} again at each start, and no stop reaches it")
            yield Diagnostic(
                f"a oneshot service is inactive again once it has run: {what}",
                "add RemainAfterExit=yes",
                last_setting(unit, "Service", "Type"),
                severity,
            )
            return


@RULES.rule("forking-without-pidfile", INFO, "Type")
def forking_without_pidfile(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Type=forking without PIDFile= makes systemd guess the main process."""
    kind = last_setting(unit, "Service", "Type")
    if kind is None or kind.value != "forking" or last_setting(unit, "Service", "PIDFile") is not None:
        return
    if last_setting(unit, "Service", "GuessMainPID") is not None:
        return
    yield Diagnostic(
        "systemd guesses which process is the main one: when more than one is left on its own after the fork it knows "
        "none, sees neither a crash nor an exit code while another process lives, and Restart= does nothing",
        "add PIDFile= with the file that the program writes, or better run it in the foreground with Type=exec "
        "or Type=notify",
        kind,
    )


@RULES.rule("pidfile-under-var-run", INFO, "PIDFile", lines_only=True)
def pidfile_under_var_run(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """PIDFile= names a path below /var/run."""
    found = last_setting(unit, "Service", "PIDFile")
    if found is not None and found.value.startswith("/var/run/"):
        yield Diagnostic(
            "/var/run is an old name of /run: systemd logs a notice at each reload and uses the new one",
            f"write PIDFile={found.value[len('/var') :]}",
            found,
        )


@RULES.rule("type-simple-hides-exec-failure", INFO, "ExecStart")
def type_simple_hides_exec_failure(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """With Type=simple a start succeeds although the program cannot be executed."""
    if unit_type(unit.name) != "service" or service_type(unit) != "simple" or context.release < 240:
        return
    start = last_setting(unit, "Service", "ExecStart")
    if start is None:
        return
    kind = last_setting(unit, "Service", "Type")
    written = "Type=simple" if kind else "no Type="
    yield Diagnostic(
        f"with {written} 'systemctl start' reports success before the program is executed: a missing program, user or "
        "folder shows only afterwards, and units ordered after it start all the same",
        "write Type=exec, or Type=notify where the program says when it is ready",
        kind or start,
    )


@RULES.rule("dbus-without-busname", ERROR, "Type")
def dbus_without_busname(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Type=dbus without BusName= does not say which name to wait for."""
    kind = last_setting(unit, "Service", "Type")
    if kind is not None and kind.value == "dbus" and not value_of(unit, "Service", "BusName"):
        verdict = "systemd 247 crashes when it loads the unit" if context.release < 248 else "systemd refuses the unit"
        yield Diagnostic(
            f"{verdict}: Type=dbus waits for a name on the bus, and BusName= does not say which",
            "add BusName= with the name that the program takes",
            kind,
        )


_LAST_COMPONENT = re.compile(r"(?<!%)(?:%%)*%J")


@RULES.rule("empty-prefix-component", ERROR)
def empty_prefix_component(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """%J asks for the last part of a prefix that ends in a dash, which crashes systemd."""
    if context.release < 248 or not split_unit_name(unit.name).prefix.endswith("-"):
        return
    for setting in unit.settings:
        if _LAST_COMPONENT.search(setting.value):
            yield Diagnostic(
                f"systemd crashes when it loads the unit, and the host needs a reset: nothing follows the last dash of"
                f" '{split_unit_name(unit.name).prefix}', and %J cannot name it",
                "call the unit otherwise, or write what %J stands for",
                setting,
            )


@RULES.rule("notify-access", WARNING, "Type")
def notify_access(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """Messages to systemd from a process other than the main one are dropped."""
    kind = service_type(unit) if unit_type(unit.name) == "service" else ""
    if kind not in ("notify", "notify-reload") or value_of(unit, "Service", "NotifyAccess", "main") != "main":
        return
    for found in exec_commands(unit, ("ExecStart",)):
        script = found.shell_text
        # a shell makes way for the only command, and for one with exec
        if not re.search(r"[;&|\n]", script) or re.search(r"\bexec\s+[^0-9<>;&|\s]", script):
            continue
        calls = "systemd-notify" in script
        if calls and not is_set(unit, "Service", ("User", "DynamicUser")):
            continue  # of root, systemd-notify may speak for the process that started it
        yield Diagnostic(
            f"Type={kind} waits for a message of the main process, which is the shell here: what "
            f"{'systemd-notify' if calls else 'a program that the shell starts'} sends is dropped, and the start "
            "ends with a timeout",
            "write NotifyAccess=all, or let the shell 'exec' the program",
            found.setting,
        )


@RULES.rule("setting-without-effect", WARNING, "ReloadSignal", "FileDescriptorStorePreserve")
def setting_without_effect(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A setting does nothing, because the one that it adds to is missing."""
    signal = last_setting(unit, "Service", "ReloadSignal")
    if signal is not None and service_type(unit) != "notify-reload":
        yield Diagnostic(
            f"systemd sends the signal only with Type=notify-reload, and the type is {service_type(unit)}",
            "write Type=notify-reload where the program says RELOADING=1 and READY=1, else ExecReload=",
            signal,
        )
    preserve = last_setting(unit, "Service", "FileDescriptorStorePreserve")
    if preserve is not None and value_of(unit, "Service", "FileDescriptorStoreMax", "0") == "0":
        yield Diagnostic(
            "systemd keeps no file descriptors for the service, because FileDescriptorStoreMax= is 0 by default",
            "set FileDescriptorStoreMax= to the number of file descriptors that the program may store",
            preserve,
        )


_OPERATORS = frozenset(("&&", "||", "|", "&", ">", ">>", "<", "<<", "2>", "2>>", "2>&1", "&>", "1>", "1>&2", ">&2"))
_REDIRECTION = re.compile(r"(?:[012&]?>>?|<)(?:/|&[012]$)\S*")


@RULES.rule("shell-syntax-in-exec", WARNING, lines_only=True)
def shell_syntax_in_exec(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """An Exec line uses shell syntax, but systemd starts no shell."""
    for found in exec_commands(unit):
        if found.shell_text or found.program in ("test", "[", "expr", "find"):
            continue
        for word in found.command.argv[1:]:
            if word in _OPERATORS or _REDIRECTION.fullmatch(word) or "$(" in word or re.search("`[^`]+`", word):
                yield Diagnostic(
                    f"'{word}' in {found.setting.directive}= is shell syntax, and systemd starts no shell: "
                    f"{found.program} gets it as an argument",
                    _instead_of(word, found.command.raw),
                    found.setting,
                )
                break


def _instead_of(word: str, raw: str) -> str:
    if word in ("&&", "||"):
        return "write one Exec line each, or run /bin/sh -c '...'"
    if ">" in word:
        return "use StandardOutput=append:FILE (or file:, journal), or run /bin/sh -c '...'"
    if word == "&":
        return "remove it: systemd runs the service in the background anyway"
    return f"run /bin/sh -c '...' around it: ExecStart=/bin/sh -c {_shell_example(raw)}"


def _shell_example(raw: str) -> str:
    return "'" + (raw if len(raw) <= 60 and "'" not in raw else "...") + "'"


_DATE_PLUS = re.compile(r"\+[^%]*%[A-Za-z]")


@RULES.rule("specifier-in-date-format", WARNING, lines_only=True)
def specifier_in_date_format(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A date format uses %Y, %m or %d, which are specifiers of systemd."""
    for found in exec_commands(unit):
        text = " ".join(found.command.argv)
        if not re.search(r"\bdate\b|strftime", text) and not _DATE_PLUS.search(text):
            continue
        match = re.search(r"(?<!%)%[YymdHMSjFTBbaAeuVs](?![\w{])|(?<!%)%[YymdHMS](?=%|[-_:./T])", text)
        if match and re.search(r"\+\S*(?<!%)%[A-Za-z]|date.*(?<!%)%[A-Za-z]|strftime", text):
            letter = match.group()
            yield Diagnostic(
                f"systemd takes {letter} in {found.setting.directive}= for one of its own specifiers: it fills in "
                "something else than the date, or refuses the unit",
                f"write %{letter} (two percent signs)",
                found.setting,
            )


_BACKGROUND = frozenset(("--daemon", "--daemonize", "-daemon", "--background", "--fork", "--detach", "-d=true"))
_FOREGROUND = ("--no-detach", "--foreground", "--no-fork", "--nofork", "--nodaemon", "--no-daemon", "--no-daemonize")
_DETACHERS = frozenset(("nohup", "setsid", "daemonize", "start-stop-daemon", "daemon", "disown"))


@RULES.rule("daemonises-itself", WARNING, "ExecStart")
def daemonises_itself(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """The program goes to the background, and systemd takes that for its end."""
    if unit_type(unit.name) != "service":
        return
    kind = service_type(unit)
    if kind in ("forking", "oneshot"):
        return
    for found in exec_commands(unit, ("ExecStart",)):
        words = found.command.argv[1:]
        if any(word.startswith(_FOREGROUND) for word in words):
            continue
        sign = _background_flag(words)
        if not sign and found.program in _DETACHERS:
            sign = found.program
        if not sign and re.search(r"&\s*$", found.shell_text):
            sign = "&"
        if sign:
            yield Diagnostic(
                f"'{sign}' sends the program to the background: with Type={kind} systemd sees the first process end, "
                "takes the service for stopped and kills what is left of it",
                "run the program in the foreground; where it cannot, write Type=forking and PIDFile=",
                found.setting,
            )


def _background_flag(words: t.Sequence[str]) -> str:
    for position, word in enumerate(words):
        following = words[position + 1].lower() if position + 1 < len(words) else ""
        if word in _BACKGROUND and following not in ("no", "false", "off", "0"):
            return word
    return ""


_SUDO_IN_SHELL = re.compile(r"(?:^|[;&|(]\s*|\bexec\s+)(?:/\S*/)?(sudo|su|runuser|doas)\s")


@RULES.rule("sudo-or-su-in-exec", WARNING, lines_only=True)
def sudo_or_su_in_exec(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """An Exec line changes the user with sudo or su."""
    for found in exec_commands(unit):
        program = found.program
        if program not in ("sudo", "su", "runuser", "doas"):
            match = _SUDO_IN_SHELL.search(found.shell_text)
            if not match:
                continue
            program = match.group(1)
        yield Diagnostic(
            f"{program} in {found.setting.directive}= opens a session of its own: the processes leave this unit's "
            "control group (PAM), signals and the main PID are those of the wrapper, and Type=notify does not work",
            "write User= (and Group=) instead, or a '+' before a command that needs root in a unit with User=",
            found.setting,
        )


_COMMENT = re.compile(r"\s#(?:\s|\w)")
_FREE_TEXT = frozenset(("Description", "Environment", "SetCredential", "StandardInputText"))


@RULES.rule("inline-comment-in-value", WARNING, lines_only=True)
def inline_comment_in_value(unit: Unit, context: Context) -> t.Iterator[Diagnostic]:
    """A comment stands behind a value, where systemd knows no comments."""
    for setting in unit.settings:
        if "#" not in setting.value:
            continue
        if setting.directive in _FREE_TEXT or setting.section.startswith("X-") or setting.directive.startswith("X-"):
            continue
        match = _COMMENT.search(_without_quotes(setting.value))
        if match:
            yield Diagnostic(
                f"the comment is part of the value of {setting.directive}=: systemd knows comments only on lines of "
                "their own",
                "put the comment on a line of its own above",
                setting,
            )


def _without_quotes(text: str) -> str:
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", '""', text)

# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is it really up: waits for jobs, watches that units stay up, probes them, and says in words what went wrong."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import signal
import socket
import subprocess
import time
import typing as t

from .._host.manager import Manager
from .._host.systemd import SystemdError
from .._model import Failure

LOG_LINES = 10
_UP = ("active", "reloading", "refreshing")
_PROBE_PAUSE = 0.2  # seconds between two tries of a probe that failed
_HANG_CHECK = 60.0  # seconds after which we look whether systemctl still has something to wait for
_WATCHERS = 64  # units that are watched at the same moment

# Exit statuses that systemd itself gives, when it fails before the program runs (systemd.exec(5), "Process Exit Codes").
_EXIT_WORDS = {
    200: "CHDIR: the working directory cannot be entered",
    201: "NICE: the scheduling priority cannot be set",
    202: "FDS: file descriptors cannot be set up",
    203: "EXEC: the program was not found, or cannot be executed",
    204: "MEMORY: out of memory",
    205: "LIMITS: a resource limit (Limit*=) cannot be set",
    206: "OOM_ADJUST: OOMScoreAdjust= cannot be set",
    207: "SIGNAL_MASK: signals cannot be set up",
    208: "STDIN: the standard input cannot be set up",
    209: "STDOUT: the standard output cannot be set up",
    210: "CHROOT: the root directory cannot be changed",
    211: "IOPRIO: the I/O priority cannot be set",
    212: "TIMERSLACK: the timer slack cannot be set",
    213: "SECUREBITS: the secure bits cannot be set",
    214: "SETSCHEDULER: the CPU scheduling cannot be set",
    215: "CPUAFFINITY: the CPU affinity cannot be set",
    216: "GROUP: the group does not exist, or cannot be changed to",
    217: "USER: the user does not exist, or cannot be changed to",
    218: "CAPABILITIES: the capabilities cannot be set",
    219: "CGROUP: the control group cannot be set up",
    220: "SETSID: a new session cannot be made",
    222: "STDERR: the standard error cannot be set up",
    224: "PAM: the PAM session cannot be opened",
    225: "NETWORK: the network namespace cannot be set up",
    226: "NAMESPACE: the mount namespace cannot be set up; a path of it may be missing",
    227: "NO_NEW_PRIVILEGES: new privileges cannot be switched off",
    228: "SECCOMP: the system call filter cannot be installed",
    229: "SELINUX_CONTEXT: the SELinux context cannot be set",
    230: "PERSONALITY: the personality cannot be set",
    231: "APPARMOR_PROFILE: the AppArmor profile cannot be set",
    232: "ADDRESS_FAMILIES: the address families cannot be restricted",
    233: "RUNTIME_DIRECTORY: the runtime directory cannot be set up",
    235: "CHOWN: the owner of a file cannot be changed",
    236: "SMACK_PROCESS_LABEL: the SMACK label cannot be set",
    237: "KEYRING: the keyring cannot be set up",
    238: "STATE_DIRECTORY: the state directory cannot be set up",
    239: "CACHE_DIRECTORY: the cache directory cannot be set up",
    240: "LOGS_DIRECTORY: the logs directory cannot be set up",
    241: "CONFIGURATION_DIRECTORY: the configuration directory cannot be set up",
    242: "NUMA_POLICY: the NUMA memory policy cannot be set",
    243: "CREDENTIALS: a credential cannot be read",
    245: "BPF: BPF restrictions cannot be set",
}
# What systemctl says of a job that did not end well (systemd's src/shared/bus-wait-for-jobs.c, releases 247 to 262).
_COMPLAINT = re.compile(
    r"(?:Job|A dependency job|Assertion failed on job|Queued job) for (?P<one>\S+?)(?: (?:failed|canceled|timed out|was)[^.]*|\.$)"
    r"|(?:Unit |Operation on or unit type of )(?P<two>\S+) (?:was started|not supported|cannot)[^.]*"
    r"|(?P<three>\S+) is not active, cannot reload"
)
_RESULT_WORDS = {
    "timeout": "it did not get ready, or did not stop, within its time limit",
    "watchdog": "it stopped answering its watchdog",
    "start-limit-hit": "its start limit was hit: it failed too often in a short time",
    "resources": "a resource for it is missing; the journal says which",
    "protocol": "it did not speak the protocol of its Type= (no readiness message, no PID file or no bus name)",
    "oom-kill": "the kernel killed it for lack of memory",
    "exec-condition": "its ExecCondition= was not met",
    "service-start-limit-hit": "its service was started too often in a short time",
    "trigger-limit-hit": "it was triggered too often in a short time",
}


class Limits(t.NamedTuple):
    """What ``health`` asks of one unit: seconds, seconds, probes."""

    timeout: float = 0.0  # 0: wait as long as systemd itself waits
    stable: float = 0.0
    probes: t.Sequence[t.Mapping[str, t.Any]] = ()


def limits(option: t.Mapping[str, t.Any] | None) -> Limits:
    if option is None:
        return Limits()
    return Limits(float(option.get("timeout") or 30), float(option.get("stable") or 0), option.get("probes") or ())


def wait_for_jobs(
    systemd: Manager, argv: t.Sequence[str], wanted: t.Mapping[str, Limits], begun: float
) -> tuple[int, str, list[str]]:
    """Run a systemctl call that waits for its jobs, no longer than the units' own limits.

    :param wanted: limits by unit; a unit without a time limit is waited for as long as systemd does.
    :param begun: ``time.monotonic()`` at which the clock of the limits started.
    :returns: exit status (-1 when not waited for to the end), output, and the units whose time is up.
    :raises SystemdError: when systemctl hangs although no job is left.
    """
    process = systemd.start_command(argv)
    due = {unit: begun + limit.timeout for unit, limit in wanted.items() if limit.timeout}
    try:
        while True:
            now = time.monotonic()
            try:
                out, _none = process.communicate(timeout=max(0.0, min([*due.values(), now + _HANG_CHECK]) - now))
                return process.returncode, out.decode("utf-8", "replace"), []
            except subprocess.TimeoutExpired:
                states = systemd.show(wanted, ("ActiveState", "Job"))
            if not any(_pending(states.get(unit, {})) for unit in wanted):
                return _last_word(process, argv)
            over = [unit for unit, end in due.items() if end <= time.monotonic()]
            late = [unit for unit in over if _pending(states.get(unit, {}))]
            if late:
                return -1, "", late
            due = {unit: end for unit, end in due.items() if unit not in over}
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _last_word(process: subprocess.Popen[bytes], argv: t.Sequence[str]) -> tuple[int, str, list[str]]:
    """The end of a systemctl whose jobs are done: it is due at once."""
    try:
        out, _none = process.communicate(timeout=20.0)
    except subprocess.TimeoutExpired:
        raise SystemdError(f"{' '.join(argv[:4])} does not end, although no job of its units is left") from None
    return process.returncode, out.decode("utf-8", "replace"), []


def _pending(state: t.Mapping[str, str]) -> bool:
    job = state.get("Job", "")
    return job not in ("", "0") or state.get("ActiveState") in ("activating", "reloading", "refreshing", "deactivating")


def judge(
    systemd: Manager, wanted: t.Mapping[str, Limits], begun: float, complaints: t.Mapping[str, str]
) -> tuple[dict[str, dict[str, str]], list[Failure]]:
    """Watch all units at once until each is up, has stayed up and has answered its probes, or has failed.

    :param complaints: what systemctl said of the jobs of units, see ``job_complaints``.
    :returns: the units' state as it was seen last, and the failures.
    """
    states = _settle(systemd, wanted, begun)
    causes: dict[str, str] = {}
    up = {}
    for unit, limit in wanted.items():
        state = states.get(unit, {})
        why = problem(unit, state, limit)
        if not why and state.get("ActiveState") not in _UP:
            why = complaints.get(unit, "")
        if why:
            causes[unit] = why
        elif limit.stable or limit.probes:
            up[unit] = limit
    if up and not causes:
        causes = _watch(systemd, up, states, begun)
    return states, describe(systemd, causes, states)


def _settle(systemd: Manager, wanted: t.Mapping[str, Limits], begun: float) -> dict[str, dict[str, str]]:
    """Ask until no unit has a job or is on its way any more, or its time is up."""
    states = systemd.show(wanted)
    pause = 0.05
    while True:
        now = time.monotonic()
        waiting = [
            unit
            for unit, limit in wanted.items()
            if _pending(states.get(unit, {}))
            and not _restarting(states.get(unit, {}))
            and now < begun + (limit.timeout or 90.0)
        ]
        if not waiting:
            return states
        time.sleep(pause)
        pause = min(pause * 2, 0.5)
        states.update(systemd.show(waiting))


def job_complaints(out: str) -> dict[str, str]:
    """Which jobs failed, in what ``systemctl start`` prints: ``{unit: sentence}``."""
    found = {}
    for line in out.splitlines():
        match = _COMPLAINT.match(line)
        if match:
            found[match.group("one") or match.group("two") or match.group("three")] = f"systemd says: {match.group(0)}"
    return found


def _restarting(state: t.Mapping[str, str]) -> bool:
    return state.get("SubState", "").startswith("auto-restart")


def problem(unit: str, state: t.Mapping[str, str], limit: Limits) -> str:
    """Why a unit that was started is not up; empty when it is."""
    active = state.get("ActiveState", "")
    condition_unmet = state.get("ConditionResult") == "no" and state.get("ConditionTimestampMonotonic", "0") != "0"
    if state.get("LoadState") in ("not-found", "bad-setting", "error"):
        return f"systemd cannot load it ({state['LoadState']}): {state.get('LoadError', '')}".rstrip(": ")
    if active == "failed" or _restarting(state):
        return _result_words(state)
    if active in _UP:
        return ""
    if active == "inactive":
        if state.get("Result", "success") != "success":
            return _result_words(state)
        if condition_unmet or state.get("Type") == "oneshot" or not (limit.stable or limit.probes):
            return ""
        return "it ended with success instead of staying up"
    seconds = f" within {limit.timeout:.0f} s" if limit.timeout else ""
    return f"it did not get ready{seconds}; it is {active} ({state.get('SubState', '')})"


def _result_words(state: t.Mapping[str, str]) -> str:
    result = state.get("Result", "")
    if result in _RESULT_WORDS:
        return _RESULT_WORDS[result]
    return exit_words(state) or f"its result is {result or 'unknown'}"


def exit_words(state: t.Mapping[str, str]) -> str:
    """How the main process ended, in words; empty when it did not."""
    code, status = state.get("ExecMainCode", "0"), state.get("ExecMainStatus", "0")
    number = int(status) if status.isdigit() else 0
    if code == "1":
        if number in _EXIT_WORDS:
            return f"its process ended with exit status {number}/{_EXIT_WORDS[number]}"
        return f"its process ended with exit status {number}"
    if code in ("2", "3"):
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return f"its process was {'killed by' if code == '2' else 'dumped core on'} {name}"
    return ""


def describe(
    systemd: Manager, causes: t.Mapping[str, str], states: t.Mapping[str, t.Mapping[str, str]]
) -> list[Failure]:
    """The failures of units, with their last journal lines. ``causes`` is ``{unit: why}``."""
    if causes:
        # What a process said last may still be on its way through journald, when systemd knows already how it ended.
        with contextlib.suppress(SystemdError):
            systemd.command(["journalctl", "--sync"], 20.0)
    failures = []
    for unit, why in causes.items():
        state = states.get(unit, {})
        failures.append(Failure(unit, why, state.get("Result", ""), exit_words(state), journal(systemd, unit, state)))
    return failures


def journal(systemd: Manager, unit: str, state: t.Mapping[str, str], lines: int = LOG_LINES) -> list[str]:
    """The last journal lines of a unit since its latest start: its own and systemd's about it.

    Not by invocation alone: journald knows that only of a process which still runs when it reads the line.
    """
    started = int(state.get("InactiveExitTimestampMonotonic") or 0)
    if not started:
        return []
    since = time.time() - time.monotonic() + started / 1e6 - 0.001
    user = "USER_" if systemd.scope == "user" else ""
    owner = [f"_UID={systemd.account.pw_uid}"] if systemd.account else []
    argv = ["journalctl", "--quiet", "--no-pager", "--output=json", f"--lines={lines * 3}", f"--since=@{since:.6f}"]
    argv.append(f"--output-fields=MESSAGE,_SYSTEMD_INVOCATION_ID,{user}INVOCATION_ID")
    try:
        reply = systemd.command([*argv, *owner, f"_SYSTEMD_{user}UNIT={unit}", "+", *owner, f"{user}UNIT={unit}"], 20.0)
    except SystemdError:
        return []
    found = []
    for line in reply.out.splitlines():
        entry = json.loads(line)
        invocations = {entry.get("_SYSTEMD_INVOCATION_ID"), entry.get(f"{user}INVOCATION_ID")} - {None}
        if user or not invocations or state.get("InvocationID", "") in invocations:
            found += _message(entry.get("MESSAGE")).splitlines()
    return [line for line in found if line.strip()][-lines:]


def _message(message: t.Any) -> str:
    """The text of an entry; journald gives one that is no UTF-8 as a list of bytes, and one that is too long as null."""
    return bytes(message).decode("utf-8", "replace") if isinstance(message, list) else str(message or "")


# Watching


def _watch(
    systemd: Manager, wanted: t.Mapping[str, Limits], states: dict[str, dict[str, str]], begun: float
) -> dict[str, str]:
    """Probe all units at once, each in a thread of its own, while one loop watches that they stay up.

    :returns: why each unit that did not pass failed; ``states`` then holds its state.
    """
    import concurrent.futures  # noqa: PLC0415 - most runs have no probes

    started = time.monotonic()
    first = {unit: dict(states.get(unit, {})) for unit in wanted}
    failures: dict[str, str] = {}
    with concurrent.futures.ThreadPoolExecutor(min(_WATCHERS, len(wanted))) as pool:
        end = {unit: max(begun + limit.timeout, started + 1.0) for unit, limit in wanted.items()}
        probes = {
            pool.submit(_probe_until, systemd, probe, end[unit], first[unit]): unit
            for unit, limit in wanted.items()
            for probe in limit.probes
        }
        open_probes = set(probes)
        while True:
            done, open_probes = concurrent.futures.wait(open_probes, timeout=0.25) if open_probes else (set(), set())
            for future in done:
                if future.result():
                    unit = probes[future]
                    failures.setdefault(unit, future.result())
                    states.update(systemd.show([unit]))
            now = time.monotonic()
            steady = [unit for unit, limit in wanted.items() if unit not in failures and now < started + limit.stable]
            if steady or open_probes or wanted:
                states.update(systemd.show([unit for unit in wanted if unit not in failures]))
            for unit in wanted:
                why = _moved(first[unit], states.get(unit, {})) if unit not in failures else ""
                if why:
                    failures[unit] = why
            if failures or (not steady and not open_probes):
                for future in open_probes:
                    future.cancel()
                return failures
            if not open_probes:
                time.sleep(0.25)


def _moved(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> str:
    """What happened to a unit that was up a moment ago; empty when it just stayed up."""
    if after.get("ActiveState") not in _UP and before.get("ActiveState") == "active":
        return f"it came up and did not stay up: {_result_words(after)}"
    if after.get("NRestarts", "0") != before.get("NRestarts", "0") or (
        after.get("InvocationID", "") != before.get("InvocationID", "")
    ):
        return "it came up and was restarted since"
    return ""


def _probe_until(systemd: Manager, probe: t.Mapping[str, t.Any], end: float, state: t.Mapping[str, str]) -> str:
    """Try a probe until it is content or the time is up; returns the last complaint, or an empty text."""
    while True:
        left = end - time.monotonic()
        complaint = _probe(systemd, probe, max(0.5, min(left, 5.0)), state)
        if not complaint or time.monotonic() + _PROBE_PAUSE >= end:
            return complaint
        time.sleep(_PROBE_PAUSE)


def _probe(systemd: Manager, probe: t.Mapping[str, t.Any], timeout: float, state: t.Mapping[str, str]) -> str:
    kind = next(name for name in PROBES if probe.get(name) is not None)
    try:
        return PROBES[kind](systemd, probe, timeout, state)
    except (OSError, SystemdError) as error:
        return f"probe {kind} {_target(probe[kind])}: {getattr(error, 'strerror', None) or error}"


def _target(value: t.Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def split_address(address: str) -> tuple[str, int]:
    """``host:port`` or ``[::1]:port``; a port alone means this host.

    :raises ValueError: for anything else.
    """
    host, _colon, port = str(address).rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is no host:port")
    return host.strip("[]") or "127.0.0.1", int(port)


def _tcp(systemd: Manager, probe: t.Mapping[str, t.Any], timeout: float, state: t.Mapping[str, str]) -> str:
    with socket.create_connection(split_address(probe["tcp"]), timeout) as connection:
        return _dialogue(connection, probe, "tcp", timeout)


def _udp(systemd: Manager, probe: t.Mapping[str, t.Any], timeout: float, state: t.Mapping[str, str]) -> str:
    family, kind, protocol, _name, address = socket.getaddrinfo(*split_address(probe["udp"]), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as connection:
        connection.settimeout(timeout)
        connection.connect(address)
        return _dialogue(connection, dict(probe, send=probe.get("send") or ""), "udp", min(timeout, 2.0))


def _dialogue(connection: socket.socket, probe: t.Mapping[str, t.Any], kind: str, timeout: float) -> str:
    """Send what is to be sent, and compare the answer with what is expected."""
    connection.settimeout(timeout)
    if probe.get("send") is not None:
        connection.send(str(probe["send"]).encode("utf-8"))
    expect = probe.get("expect")
    if expect is None and kind == "tcp":
        return ""
    try:
        answer = connection.recv(65535)
    except socket.timeout:
        return f"probe {kind} {probe[kind]} sent {probe.get('send')!r} and got no answer"
    return _compare(f"{kind} {probe[kind]}", answer.decode("utf-8", "replace"), expect)


def _compare(what: str, answer: str, expect: str | None) -> str:
    if expect is None or expect == answer or (expect and expect in answer):
        return ""
    shown = answer if len(answer) <= 200 else answer[:200] + "..."
    return f"probe {what} answered {shown!r} instead of {expect!r}"


def _http(systemd: Manager, probe: t.Mapping[str, t.Any], timeout: float, state: t.Mapping[str, str]) -> str:
    import urllib.error  # noqa: PLC0415 - brings half of the standard library along
    import urllib.request  # noqa: PLC0415

    class Redirects(urllib.request.HTTPRedirectHandler):
        """The first answer counts, also one that leads elsewhere."""

        def redirect_request(self, *_args: t.Any, **_more: t.Any) -> None:
            return None

    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Redirects)
        with opener.open(probe["http"], timeout=timeout) as reply:
            status, body = reply.status, reply.read(65536)
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read(65536)
    except urllib.error.URLError as error:
        return f"probe http {probe['http']}: {error.reason}"
    wanted = probe.get("status")
    if status != wanted if wanted else not 200 <= status < 400:
        return f"probe http {probe['http']} answered status {status} instead of {wanted or '200 to 399'}"
    return _compare(f"http {probe['http']}", body.decode("utf-8", "replace"), probe.get("expect"))


def _socket(systemd: Manager, probe: t.Mapping[str, t.Any], timeout: float, state: t.Mapping[str, str]) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(probe["socket"])
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:  # a datagram socket takes no connection, but it is there
                raise
            return ""
        return _dialogue(connection, probe, "socket", timeout) if probe.get("expect") is not None else ""


def _command(systemd: Manager, probe: t.Mapping[str, t.Any], timeout: float, state: t.Mapping[str, str]) -> str:
    argv = [str(word) for word in probe["command"]]
    reply = systemd.command(argv, max(timeout, 5.0))
    if reply.code != 0:
        words = (reply.err or reply.out).strip().splitlines()
        return f"probe command {' '.join(argv)} ended with exit status {reply.code}" + (
            f": {words[-1]}" if words else ""
        )
    return _compare(f"command {' '.join(argv)}", reply.out, probe.get("expect"))


def _log(systemd: Manager, probe: t.Mapping[str, t.Any], timeout: float, state: t.Mapping[str, str]) -> str:
    lines = journal(systemd, state.get("Id", ""), state, 1000)
    if any(re.search(probe["log"], line) for line in lines):
        return ""
    return f"probe log: no journal line since this start matches {probe['log']!r}"


PROBES: dict[str, t.Callable[[Manager, t.Mapping[str, t.Any], float, t.Mapping[str, str]], str]] = {
    "tcp": _tcp,
    "udp": _udp,
    "http": _http,
    "socket": _socket,
    "command": _command,
    "log": _log,
}

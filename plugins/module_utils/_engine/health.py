# SPDX-License-Identifier: GPL-3.0-or-later

"""Health gate: checks that started units are up and stay up, runs their probes, describes failures."""

from __future__ import annotations

import signal
import typing as t

from .._host.journal import number_of
from .._host.show import States
from .._model import UP, Failure
from .host import Target
from .jobs import Limits, settle
from .probes import probe_until
from .state import is_failing, is_restarting

LOG_LINES = 20
_MOST_TOLD = 5  # failures in a message; all of them are in the result
_LOOK_PAUSE = 0.25  # seconds between two looks at units that have to stay up
_WATCHERS = 64  # probes that run at the same moment

# Exit statuses of systemd itself, when it fails before the program runs (systemd.exec(5), "Process Exit Codes").
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


def limits_of(option: t.Mapping[str, t.Any] | None) -> Limits:
    """What the option ``health`` of a unit asks for."""
    if option is None:
        return Limits()
    return Limits(float(option.get("timeout") or 30), float(option.get("stable") or 0), option.get("probes") or ())


def judge(
    host: Target,
    limits: t.Mapping[str, Limits],
    begun: float,
    complaints: t.Mapping[str, str],
    failed_reloads: t.Mapping[str, str],
    log_since: float,
) -> tuple[States, list[Failure]]:
    """Watch all units at once until each is up, has stayed up and has answered its probes, or has failed.

    :param begun: moment of ``host.monotonic()`` at which the clock of the limits started.
    :param complaints: what systemctl said of the jobs of units, see ``job_complaints``.
    :param failed_reloads: the same of reloads. Such a unit runs on, with its old configuration.
    :param log_since: the moment from which on the journal tells of failures.
    :returns: the units' state as it was seen last, and the failures.
    """
    states = settle(host, limits, begun)
    causes: dict[str, str] = {}
    up = {}
    for unit, limit in limits.items():
        state = states.get(unit, {})
        why = problem(state, limit)
        if not why and state.get("ActiveState") not in UP:
            why = complaints.get(unit, "")
        if not why and unit in failed_reloads:
            why = f"its reload failed; {failed_reloads[unit]}"
        if why:
            causes[unit] = why
        elif limit.stable or limit.probes:
            up[unit] = limit
    if up and not causes:
        causes = _Watch(host, up, states, begun).causes()
        # Others may have failed meanwhile, and can be why a probe got no answer.
        states.update(settle(host, limits, host.monotonic()))
        late = {unit: problem(states.get(unit, {}), limit) for unit, limit in limits.items() if unit not in causes}
        causes.update({unit: why for unit, why in late.items() if why})
    return states, failures_of(host, causes, states, log_since)


def problem(state: t.Mapping[str, str], limit: Limits) -> str:
    """Why a unit that was started is not up; empty when it is."""
    active = state.get("ActiveState", "")
    if state.get("LoadState") in ("not-found", "bad-setting", "error"):
        return f"systemd cannot load it ({state['LoadState']}): {state.get('LoadError', '')}".rstrip(": ")
    if active == "failed" or is_failing(state):
        return _result_words(state)
    if active in UP:
        return ""
    if active == "inactive" or is_restarting(state):
        return _why_inactive(state, limit)
    seconds = f" within {limit.timeout:.0f} s" if limit.timeout else ""
    return f"it did not get ready{seconds}; it is {active} ({state.get('SubState', '')})"


def _why_inactive(state: t.Mapping[str, str], limit: Limits) -> str:
    if state.get("Result", "success") != "success":
        return _result_words(state)
    condition_unmet = state.get("ConditionResult") == "no" and state.get("ConditionTimestampMonotonic", "0") != "0"
    if condition_unmet or state.get("Type") == "oneshot" or not (limit.stable or limit.probes):
        return ""
    return "it ended with success instead of staying up"


def _result_words(state: t.Mapping[str, str]) -> str:
    result = state.get("Result", "")
    return _RESULT_WORDS.get(result) or exit_words(state) or f"its result is {result or 'unknown'}"


def exit_words(state: t.Mapping[str, str]) -> str:
    """How the main process ended, in words; empty when it did not."""
    code, status = state.get("ExecMainCode", "0"), state.get("ExecMainStatus", "0")
    number = int(status) if status.isdigit() else 0
    if code == "1":
        meaning = f"/{_EXIT_WORDS[number]}" if number in _EXIT_WORDS else ""
        return f"its process ended with exit status {number}{meaning}"
    if code in ("2", "3"):
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return f"its process was {'killed by' if code == '2' else 'dumped core on'} {name}"
    return ""


def failures_in_words(failures: t.Sequence[Failure]) -> str:
    """The first failures as a message tells them, each with its journal lines."""
    parts = []
    for failure in failures[:_MOST_TOLD]:
        status = f" ({failure.exit_status})" if failure.exit_status and failure.exit_status not in failure.why else ""
        log = "".join(f"\n    {line}" for line in failure.log)
        parts.append(f"{failure.unit}: {failure.why}{status}{log}")
    more = f"\nand {len(failures) - _MOST_TOLD} more" if len(failures) > _MOST_TOLD else ""
    return "\n".join(parts) + more


def failures_of(host: Target, causes: t.Mapping[str, str], states: States, log_since: float) -> list[Failure]:
    """The failures of units. ``causes`` is ``{unit: why}``."""
    if causes:
        host.sync_journal()
    failures = []
    for unit, why in causes.items():
        state = states.get(unit, {})
        if state.get("Result") in ("exit-code", "signal", "core-dump"):
            why = host.failed_command(unit) or why
        log = host.log(unit, log_since, LOG_LINES)
        failures.append(Failure(unit, why, state.get("Result", ""), exit_words(state), log))
    return failures


class _Watch:
    """Probes all units at once, each in a thread of its own, while one loop watches that they stay up.

    :param states: the states of units; holds the last ones afterwards.
    """

    def __init__(self, host: Target, limits: t.Mapping[str, Limits], states: States, begun: float) -> None:
        self._host = host
        self._limits = limits
        self._states = states
        self._begun = begun
        self._started = host.monotonic()
        self._first = {unit: dict(states.get(unit, {})) for unit in limits}
        self._causes: dict[str, str] = {}

    def causes(self) -> dict[str, str]:
        """Why each unit that did not pass failed, once the first one fails or all have passed."""
        import concurrent.futures  # most runs have no probes

        with concurrent.futures.ThreadPoolExecutor(min(_WATCHERS, len(self._limits))) as pool:
            probes = {
                pool.submit(probe_until, self._host, probe, self._end(unit), self._begin(unit), self._is_over): unit
                for unit, limit in self._limits.items()
                for probe in limit.probes
            }
            unanswered = set(probes)
            while True:
                if unanswered:
                    done, unanswered = concurrent.futures.wait(unanswered, timeout=_LOOK_PAUSE)
                    for future in done:
                        if future.result():
                            self._causes.setdefault(probes[future], future.result())
                else:
                    self._host.sleep(_LOOK_PAUSE)
                self._look()
                if self._causes or not (unanswered or self._unsteady()):
                    for future in unanswered:
                        future.cancel()
                    return self._causes

    def _is_over(self) -> bool:
        return bool(self._causes)

    def _begin(self, unit: str) -> t.Mapping[str, str]:
        """The unit as it came up. systemd forgets at once when a job that is done has begun."""
        first = self._first[unit]
        name = "InactiveExitTimestampMonotonic"
        return first if number_of(first, name) else {**first, name: str(int(self._begun * 1e6))}

    def _end(self, unit: str) -> float:
        """When the time for the probes of a unit is up: each is tried once at least."""
        return max(self._begun + self._limits[unit].timeout, self._started + 1.0)

    def _unsteady(self) -> bool:
        """Whether some unit has not stayed up for as long as it is to."""
        longest = max(limit.stable for limit in self._limits.values())
        return self._host.monotonic() < self._started + longest

    def _look(self) -> None:
        """See whether all units are still what they were at first."""
        self._states.update(self._host.show(self._limits))
        for unit, first in self._first.items():
            why = _restlessness(first, self._states.get(unit, {}))
            if why:
                self._causes.setdefault(unit, why)


def _restlessness(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> str:
    """What happened to a unit that was up a moment ago; empty when it just stayed up."""
    if after.get("ActiveState") not in UP and before.get("ActiveState") == "active":
        return f"it came up and did not stay up: {_result_words(after)}"
    if any(after.get(name) != before.get(name) for name in ("NRestarts", "InvocationID")):
        return "it came up and was restarted since"
    return ""

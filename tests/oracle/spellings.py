# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random values in every spelling that systemd has for them."""

from __future__ import annotations

import random
import typing as t


def _number(name: str, chance: random.Random) -> str:
    number = chance.choice((0, 1, 2, 7, 8, 19, 64, 100, 255, 1000, 4096, 65535, chance.randrange(100000)))
    form = chance.randrange(8)
    if form == 0:
        return f"0{number:o}"
    if form == 1:
        return f"0x{number:x}"
    if form == 2:
        return chance.choice(("+", "-", "00", "0b")) + str(number)
    return str(number)


def _span(name: str, chance: random.Random) -> str:
    if chance.random() < 0.2:
        return chance.choice(("infinity", "0", "0s", "1us", "1.5", ".5s", "1y", "10 years", "1d 1d"))
    units = [
        "us",
        "ms",
        "msec",
        "s",
        "sec",
        "seconds",
        "m",
        "min",
        "h",
        "hr",
        "hours",
        "d",
        "day",
        "w",
        "month",
        "M",
        "y",
    ]
    parts = []
    for _part in range(chance.choice((1, 1, 2, 3))):
        number = str(chance.randrange(1, 500)) + chance.choice(("", "", "", ".5", ".25", ".001"))
        parts.append(number + chance.choice(("", "", " ")) + chance.choice(units))
    if chance.random() < 0.15:
        parts.append(str(chance.randrange(90)))
    return chance.choice((" ", "", "  ")).join(parts)


def _size(name: str, chance: random.Random) -> str:
    if chance.random() < 0.15:
        return chance.choice(("infinity", "0", "50%", "12.5%", "100%", "1G 500M", "1 K", "1.5G", "8E"))
    parts = []
    for suffix in sorted(chance.sample(range(4), chance.choice((1, 1, 1, 2)))):
        number = str(chance.randrange(1, 3000)) + chance.choice(("", "", "", ".5", ".125"))
        parts.append(number + "GMK"[suffix : suffix + 1])
    return chance.choice((" ", "")).join(parts)


def _boolean(name: str, chance: random.Random) -> str:
    word = chance.choice(("1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off"))
    return chance.choice((word, word, word.upper(), word.title()))


def _mode(name: str, chance: random.Random) -> str:
    mode = chance.choice((0o755, 0o700, 0o644, 0o22, 0o77, 0o4755, 0o1777, 0, chance.randrange(0o10000)))
    return chance.choice(("", "0", "00")) + f"{mode:o}"


def _signal(name: str, chance: random.Random) -> str:
    word = chance.choice(
        (
            "TERM",
            "KILL",
            "INT",
            "HUP",
            "USR1",
            "USR2",
            "QUIT",
            "ABRT",
            "STOP",
            "RTMIN",
            "RTMIN+3",
            "RTMAX",
            "RTMAX-2",
            "PIPE",
        )
    )
    return chance.choice((word, "SIG" + word, "SIG" + word, str(chance.randrange(1, 65)), word.lower()))


def _rlimit(name: str, chance: random.Random) -> str:
    def one() -> str:
        if chance.random() < 0.1:
            return "infinity"
        if name in ("LimitCPU", "LimitRTTIME"):
            return chance.choice((_span(name, chance), str(chance.randrange(100))))
        if name == "LimitNICE":
            return chance.choice(("+5", "-10", "20", "0", "39"))
        if name in ("LimitNOFILE", "LimitNPROC", "LimitLOCKS", "LimitSIGPENDING", "LimitRTPRIO"):
            return str(chance.randrange(100000))
        return str(chance.randrange(1, 5000)) + chance.choice(("", "K", "M", "G"))

    return one() if chance.random() < 0.6 else f"{one()}:{one()}"


def _percent(name: str, chance: random.Random) -> str:
    return chance.choice(("20%", "150%", "0.5%", "33.33%", "1000%", "0%", "100%", "12.345%", "7"))


def _environment(name: str, chance: random.Random) -> str:
    words = []
    for _word in range(chance.choice((1, 1, 2, 3))):
        text = chance.choice(("A", "B", "PATH", "LONG_NAME", "x1")) + "="
        text += chance.choice(("1", "", "two words", "a=b", "50%%", "%n", "it's", "\\\\x", "\\\\t", "\u00e9", "$HOME"))
        quote = chance.choice(("'", '"'))
        words.append(f"{quote}{text}{quote}" if " " in text or (chance.random() < 0.3 and quote not in text) else text)
    return " ".join(words)


# By systemd's parser.
MAKERS: dict[str, t.Callable[[str, random.Random], str]] = {
    **dict.fromkeys(
        ("sec", "sec_fix_0", "sec_def_infinity", "service_timeout", "service_timeout_abort", "nsec"), _span
    ),
    **dict.fromkeys(("job_timeout_sec", "job_running_timeout_sec", "managed_oom_mem_pressure_duration_sec"), _span),
    **dict.fromkeys(("memory_limit", "iec_size", "iec_size_long", "iec_uint64"), _size),
    **dict.fromkeys(("unsigned", "int", "long", "exec_nice", "exec_oom_score_adjust", "swap_priority"), _number),
    **dict.fromkeys(("tasks_max", "concurrency_max", "cg_weight", "cg_cpu_weight"), _number),
    **dict.fromkeys(("bool", "tristate", "unit_condition_null", "job_mode_isolate"), _boolean),
    "mode": _mode,
    "signal": _signal,
    "rlimit": _rlimit,
    "cpu_quota": _percent,
    "environ": _environment,
}

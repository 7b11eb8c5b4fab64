# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Units as ``unit_info`` tells them -> the YAML text that declares them for ``units``, comments where they stood.

Each text becomes ``sections`` when these come to the same meaning, else ``content``, which is the text itself.
"""

from __future__ import annotations

import re
import typing as t

import yaml
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Setting
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.diff import same_meaning
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.effective import Effective, Key, effective
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import UnitText, parse
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.mapping import TEMPLATE, mapping_from_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.names import parse_unit_name
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.render import RenderError, settings_from_mapping
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError
from ansible_collections.unitcraft.systemd.plugins.module_utils._values.typed import TypedValues

VENDOR_FOLDERS = ("/usr/lib/", "/lib/", "/usr/share/", "/usr/local/")
_RUNNABLE = frozenset(("service", "socket", "timer", "path"))
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # NUL, and the surrogates that stand for bytes which are not UTF-8


class AdoptError(ValueError):
    """A unit cannot be declared; the message says why."""


class Item(t.NamedTuple):
    """One declaration: the unit or one of its drop-ins."""

    name: str
    dropin: str  # empty for the unit itself
    text: str  # the text it is made from
    options: dict[str, t.Any]  # state, enabled, masked
    comment: str = ""


def declare(units: t.Mapping[str, t.Mapping[str, t.Any]], dropins: str = "keep", vendor: bool = False) -> list[Item]:
    """The declarations of units that ``unit_info`` told with ``what: [files, state]``, sorted by name.

    :param dropins: ``keep`` them as they are, or ``fold`` them into one unit (and declare them absent).
    :param vendor: also declare fragments of packages; without it only what stands in the administrator's folders.
    :raises AdoptError: for a unit whose files could not be read.
    """
    items: list[Item] = []
    for name, unit in sorted(units.items()):
        if unit["id"] != name or not unit["exists"] or unit["origin"] in ("transient", "generated"):
            continue
        if unit["shape"] == "instance" and not _own_files(unit):
            continue
        items += _masked(unit, vendor) if unit["masked"] else _items(unit, dropins, vendor)
    return items


def _own_files(unit: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """Fragment and drop-ins of this very unit: what speaks of its type, template or prefix belongs to others too."""
    own = []
    for file in unit.get("files") or []:
        folder, _slash, base = file["path"].rpartition("/")
        if base == unit["name"] or folder.endswith(f"/{unit['name']}.d"):
            own.append(file)
    return own


def _masked(unit: t.Mapping[str, t.Any], vendor: bool) -> list[Item]:
    """The mask, unless the package brought it."""
    places = [file["path"] for file in _own_files(unit)]
    return [Item(unit["name"], "", "", {"masked": True})] if vendor or not all(map(_of_vendor, places)) else []


def _items(unit: t.Mapping[str, t.Any], dropins: str, vendor: bool) -> list[Item]:
    name, files = unit["name"], _own_files(unit)
    for file in files:
        if file["content"] is None:
            raise AdoptError(f"{name}: {file['path']} could not be read, so the unit cannot be declared")
    fragment = [f for f in files if f["path"].endswith("/" + name)]
    confs = [f for f in files if f["path"].endswith(".conf")]
    if dropins == "fold" and confs and fragment:
        text = fold([f["content"] for f in (*fragment, *confs)], name)
        gone = [Item(name, _dropin_name(f), "", {"state": "absent"}) for f in confs if not _of_vendor(f["path"])]
        return [Item(name, "", text, _options(unit)), *gone]
    items = []
    for file in fragment:
        if vendor or not _of_vendor(file["path"]):
            items.append(Item(name, "", file["content"], _options(unit)))
    for file in confs:
        if vendor or not _of_vendor(file["path"]):
            items.append(Item(name, _dropin_name(file), file["content"], {}))
    return items


def _of_vendor(path: str) -> bool:
    return path.startswith(VENDOR_FOLDERS)


def _dropin_name(file: t.Mapping[str, t.Any]) -> str:
    return file["path"].rpartition("/")[2][: -len(".conf")]


def _options(unit: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Enablement and run state as they are, so that applying the declaration changes nothing."""
    state = unit.get("state") or {}
    options: dict[str, t.Any] = {}
    if state.get("unit_file_state") in ("enabled", "disabled"):
        options["enabled"] = state["unit_file_state"] == "enabled"
    parts = parse_unit_name(unit["name"])
    if parts is not None and parts.type in _RUNNABLE and state.get("active_state") == "active":
        # a oneshot that has ended is no less in order than one that is active
        options["state"] = "started"
    return options


def fold(texts: t.Sequence[str], name: str) -> str:
    """One text that means what fragment and drop-ins mean together; comments of lines that count are kept."""
    comments: dict[tuple[int, int], list[str]] = {}
    settings: list[Setting] = []
    for number, text in enumerate(texts):
        parsed = parse(text, str(number), name)
        settings += parsed.settings
        waiting: list[str] = []
        for line in parsed.lines:
            if line.kind == "comment":
                waiting.append(_comment_text(line.raw))
            elif line.kind == "assignment":
                comments[number, line.number] = waiting
                waiting = []
            elif line.kind == "section":
                waiting = []
    lines: list[str] = []
    section = ""
    merged = effective(settings)
    for (place, directive), value in _by_section(merged):
        if place != section:
            lines += ["", f"[{place}]"] if lines else [f"[{place}]"]
            section = place
        for setting in value.settings:
            lines += ["#" + c for c in comments.get((int(setting.path), setting.line), ())]
            lines.append(f"{directive}={setting.value}")
    return "\n".join(lines) + "\n"


def _by_section(
    merged: t.Mapping[Key, Effective],
) -> list[tuple[Key, Effective]]:
    order = list(dict.fromkeys(section for section, _directive in merged))
    return sorted(merged.items(), key=lambda item: order.index(item[0][0]))


def mapping_of(text: str, name: str, dropin: bool = False) -> dict[str, dict[str, t.Any]] | None:
    """The sections mapping with the same meaning, in the same order where order counts; None if there is none."""
    try:
        parsed = parse(text, "", name)
        mapping = mapping_from_settings(parsed.settings)
        back = settings_from_mapping(name, mapping)
    except (UnitSyntaxError, RenderError):
        return None
    if any(not _PLAIN.fullmatch(key) for section, inner in mapping.items() for key in (section, *inner)):
        return None  # no directive has such a name: the text is declared as content
    if parsed.problems or not mapping or not same_meaning(back, parsed.settings, dropin):
        return None
    return mapping


# ------------------------------------------------------------------------------------------------------------ YAML


def write(items: t.Sequence[Item], variable: str = "systemd_units") -> str:
    """The text of a YAML file that sets ``variable`` to the list that ``units`` takes.

    :raises AdoptError: a text is not plain UTF-8, or the YAML would declare anything but ``items``.
    """
    for item in items:
        if _NOT_TEXT.search(item.text):
            raise AdoptError(f"{_label(item)}: the file is not plain UTF-8 text, so the unit cannot be declared")
    lines = ["---", f"{variable}:"] if items else ["---", f"{variable}: []"]
    for item in items:
        lines += ["  " + line if line else "" for line in _item(item)]
    text = "\n".join(lines) + "\n"
    _prove(text, items, variable)
    return text


def _label(item: Item) -> str:
    return item.name + (f" drop-in {item.dropin}" if item.dropin else "")


class _Unsafe(str):
    """A text that Ansible does not template."""


class _Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


_Loader.add_constructor("!unsafe", lambda loader, node: _Unsafe(loader.construct_scalar(node)))


def _prove(text: str, items: t.Sequence[Item], variable: str) -> None:
    """Load the YAML back: what hosts wrote into their units must not become a variable, a tag or a template.

    :raises AdoptError: it holds anything but one key with the declarations.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        loaded = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader with one harmless tag more
    except yaml.YAMLError as error:
        raise AdoptError(f"the declaration cannot be loaded back: {error}") from error
    # The node and not the mapping: a key that occurs twice is lost in the latter.
    if len(root.value) != 1 or list(loaded) != [variable] or not _printable(text):
        raise AdoptError("the declaration holds more than the list of units")
    given = [(item.get("name"), item.get("dropin", "")) for item in loaded[variable]]
    if given != [(item.name, item.dropin) for item in items] or _has_template(loaded):
        raise AdoptError("the declaration holds other units than the host, or a template")


def _has_template(value: t.Any) -> bool:
    if isinstance(value, dict):
        return any(_has_template(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(map(_has_template, value))
    return isinstance(value, str) and not isinstance(value, _Unsafe) and bool(TEMPLATE.search(value))


def _printable(text: str) -> bool:
    """Whether the text has no control characters and only newlines as line ends; YAML 1.1 also knows NEL, LS and PS."""
    return text.replace("\n", "").replace("\t", "").isprintable()


def _item(item: Item) -> list[str]:
    lines = [f"- name: {_scalar(item.name)}"]
    if item.dropin:
        lines.append(f"  dropin: {_scalar(item.dropin)}")
    if item.text:
        mapping = mapping_of(item.text, item.name, bool(item.dropin))
        if mapping is None:
            lines += ["  " + line if line else "" for line in _content(item.text)]
        else:
            lines.append("  sections:")
            lines += ["    " + line for line in _sections(mapping, item.text, item.name)]
    for option, value in item.options.items():
        lines.append(f"  {option}: {_scalar(value)}")
    return lines


def _content(text: str) -> list[str]:
    """The text itself: as a block where YAML can hold it so, else quoted."""
    fits = text.endswith("\n") and not text.endswith("\n\n") and not text.startswith((" ", "\t", "\n"))
    if fits and _printable(text):
        tag = " !unsafe" if TEMPLATE.search(text) else ""
        return [f"content:{tag} |", *["  " + line if line else "" for line in text[:-1].split("\n")]]
    return [f"content: {_scalar(text)}"]


def _sections(mapping: t.Mapping[str, t.Mapping[str, t.Any]], text: str, name: str) -> list[str]:
    notes = _Comments(text, name)
    lines = notes.at_top()
    for section, directives in mapping.items():
        lines += notes.of_section(section)
        lines.append(f"{_scalar(section)}:")
        for directive, value in directives.items():
            lines += ["  " + line for line in _directive(directive, value, notes.of(section, directive))]
        lines += ["  " + line for line in notes.at_end(section)]
    return lines + notes.at_bottom()


def _directive(directive: str, value: t.Any, notes: t.Sequence[t.Sequence[str]]) -> list[str]:
    """One directive; each assignment's comments stand above its item when there is one item for each, else on top."""
    if isinstance(value, dict):
        inner = [f"  {_scalar(k)}: {_scalar(v)}" for k, v in value.items()]
        return [*_flat(notes), f"{_scalar(directive)}:", *inner]
    if isinstance(value, list):
        if len(value) == len(notes):
            lines = [f"{_scalar(directive)}:"]
            for item, comments in zip(value, notes):
                lines += ["  " + c for c in comments] + [f"  - {_scalar(item)}"]
            return lines
        return [*_flat(notes), f"{_scalar(directive)}:", *[f"  - {_scalar(item)}" for item in value]]
    return [*_flat(notes), f"{_scalar(directive)}: {_scalar(value)}"]


def _flat(notes: t.Iterable[t.Iterable[str]]) -> list[str]:
    return [comment for comments in notes for comment in comments]


def _scalar(value: t.Any) -> str:
    if isinstance(value, str) and (TEMPLATE.search(value) or not value.isprintable()):
        # In double quotes everything is escaped that is not ASCII.
        tag = "!unsafe " if TEMPLATE.search(value) else ""
        return tag + yaml.safe_dump(value, default_style='"', width=10**9, allow_unicode=value.isprintable()).strip()
    text = yaml.safe_dump(value, width=10**9, allow_unicode=True)
    if "\n" in text.rstrip("\n").replace("\n...", ""):
        text = yaml.safe_dump(value, default_style='"', width=10**9)
    return text.strip().removesuffix("\n...").strip()


def _comment_text(raw: str) -> str:
    """A comment line without its mark and line end, with escapes for characters that could end a line of YAML."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in raw.strip()[1:])


class _Comments:
    """The comments of a text, by what they stand above."""

    def __init__(self, text: str, name: str) -> None:
        self._above: dict[tuple[str, str], list[list[str]]] = {}
        self._sections: dict[str, list[str]] = {}
        self._end: dict[str, list[str]] = {}
        self._top: list[str] = []
        self._bottom: list[str] = []
        self._read(parse(text, "", name))

    def _read(self, parsed: UnitText) -> None:
        waiting: list[str] = []
        section = ""
        for line in parsed.lines:
            if line.kind == "comment":
                waiting.append("#" + _comment_text(line.raw))
            elif line.kind == "blank" and waiting and not section:
                self._top += waiting  # the head of the file, parted from the first section
                waiting = []
            elif line.kind == "section":
                self._sections.setdefault(line.section, []).extend(waiting)
                waiting, section = [], line.section
            elif line.kind == "assignment":
                inside = [r.strip() for r in re.split("[\r\n]+", line.raw) if r.strip()[:1] in ("#", ";") and r.strip()]
                if len(re.split("[\r\n]+", line.raw.strip())) > 1:
                    waiting += ["#" + _comment_text(r) for r in inside]
                self._above.setdefault((line.section, line.key), []).append(waiting)
                waiting = []
        if waiting and section:
            self._end[section] = waiting
        else:
            self._bottom = waiting

    def at_top(self) -> list[str]:
        return self._top

    def of_section(self, section: str) -> list[str]:
        return self._sections.get(section, [])

    def of(self, section: str, directive: str) -> list[list[str]]:
        return self._above.get((section, directive), [])

    def at_end(self, section: str) -> list[str]:
        return self._end.get(section, [])

    def at_bottom(self) -> list[str]:
        return self._bottom


# ------------------------------------------------------------------------------------------------------------ proof


def differences(
    units: t.Mapping[str, t.Mapping[str, t.Any]],
    declared: t.Sequence[t.Mapping[str, t.Any]],
    dropins: str = "keep",
    vendor: bool = False,
) -> list[str]:
    """Where a declaration, read back from its YAML, does not mean what the host has; empty when all is well."""
    found: list[str] = []
    given = {(item["name"], item.get("dropin") or ""): item for item in declared}
    for item in declare(units, dropins, vendor):
        label = _label(item)
        ours = given.pop((item.name, item.dropin), None)
        if ours is None:
            found.append(f"{label} is not declared")
        elif item.text and not same_meaning(_settings(ours), parse(item.text).settings, bool(item.dropin)):
            found.append(f"{label} is declared with another meaning")
        elif any(ours.get(option) != value for option, value in item.options.items()):
            found.append(f"{label} is declared in another state")
        if item.text and dropins == "fold" and not item.dropin:
            whole = [s for f in _own_files(units[item.name]) for s in parse(f["content"]).settings]
            if _effective(whole) != _effective(parse(item.text).settings):
                found.append(f"{label} folded means something else than its files")
    return found + [f"{name} is declared and not on the host" for name, _dropin in given]


def _settings(item: t.Mapping[str, t.Any]) -> list[Setting]:
    if item.get("content") is not None:
        return parse(item["content"]).settings
    return settings_from_mapping(item["name"], item.get("sections") or {})


def _effective(settings: t.Iterable[Setting]) -> dict[tuple[str, str], list[str]]:
    typed = TypedValues()
    return {key: typed.values(entry) for key, entry in effective(settings).items() if entry.settings}

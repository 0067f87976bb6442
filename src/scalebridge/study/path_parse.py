"""From the text of a [path] study to a checked PathStudy, or one message that says where it went wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scalebridge.core.errors import StudyError
from scalebridge.study.parse import MAX_CHARACTERS, nearest
from scalebridge.study.path_schema import LawSection, LegSection, PathOutputSection, PathSection, PathStudy
from scalebridge.study.schema import ImageSection

_SHOWN = 5
_SECTIONS: dict[str, Any] = {
    "image": ImageSection, "law": LawSection, "path": PathSection, "leg": LegSection, "output": PathOutputSection,
}  # fmt: skip


def is_path_study(path: Path | str) -> bool:
    """Whether a study file has a [path] section; what cannot be read or understood has none."""
    try:
        data = Path(path).read_bytes()
        return len(data) <= MAX_CHARACTERS and "path" in tomllib.loads(data.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False


def load_path_study(path: Path | str, overrides: Iterable[str] = ()) -> PathStudy:
    """The study in the file, with overrides `section.key=value`; laws by label (law.1.E=70GPa), legs by number.

    Fails when: it says something a path cannot (StudyError).
    """
    data = tomllib.loads(Path(path).read_bytes().decode("utf-8-sig"))
    for override in overrides:
        _override(data, override)
    return path_study_from_data(data, str(path))


def path_study_from_data(data: Mapping[str, Any], name: str = "study") -> PathStudy:
    """A PathStudy from plain data. Fails when: the data are not a valid one (StudyError)."""
    try:
        return PathStudy.model_validate(dict(data))
    except ValidationError as error:
        raise StudyError(_explain(error, name)) from None


def _explain(error: ValidationError, name: str) -> str:
    told: dict[str, str] = {}
    for item in error.errors(include_url=False):
        parts = [
            part for part in item["loc"] if isinstance(part, int) or str(part).replace("_", "").isalnum()
        ]
        # Every branch of a union complains about the same value, under the name of its type.
        parts = [part for part in parts if part not in ("int", "float", "str")]
        where = ".".join(map(str, parts))
        if where not in told:
            told[where] = _sentence(where, parts, item)
    lines = list(told.values())
    more = f" (and {len(lines) - _SHOWN} more)" if len(lines) > _SHOWN else ""
    message = f"{name}: " + "; ".join(lines[:_SHOWN]) + more
    return message if message.endswith("?") else message + "."


def _sentence(where: str, parts: list[Any], item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        section = _SECTIONS.get(str(parts[0])) if len(parts) > 1 else None
        known = list((section or PathStudy).model_fields)
        return f"unknown key {where!r}{nearest(str(parts[-1]), known)}"
    if item["type"] == "missing":
        return f"{where!r} is missing"
    message = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if item["type"] == "value_error":
        return f"{where}: {message}" if where else message
    given = repr(item.get("input"))
    given = given if len(given) <= 60 else given[:57] + "..."
    return f"{where}: {given} is not valid, expected {message[:1].lower() + message[1:]}"


def _override(data: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not separator or len(parts) < 2 or not all(parts):
        raise StudyError(
            f"Cannot use the override {override!r}: expected section.key=value, e.g. path.fields=all, law.1.E=70GPa, "
            "leg.1.steps=40."
        )
    section, rest = parts[0], parts[1:]
    if section not in _SECTIONS:
        raise StudyError(f"Unknown section {section!r} in the override{nearest(section, _SECTIONS)}.")
    target: Any = data.setdefault(section, [] if section in ("law", "leg") else {})
    if section in ("law", "leg"):
        target = _entry(target, section, rest[0], override)
        rest = rest[1:]
        if not rest:
            raise StudyError(f"Cannot use the override {override!r}: which key of [[{section}]] is meant?")
        if rest[0] not in _SECTIONS[section].model_fields:
            rest = ["parameters" if section == "law" else "components", *rest]
    for part in rest[:-1]:
        target = target.setdefault(part, {}) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        raise StudyError(f"Cannot use the override {override!r}: it does not lead to a section.")
    target[rest[-1]] = _value(text.strip())


def _entry(entries: Any, section: str, word: str, override: str) -> Any:
    """The law of a label, or the leg of a number (from 1)."""
    if not isinstance(entries, list) or not word.lstrip("-").isdigit():
        named = "their label" if section == "law" else "their number"
        raise StudyError(
            f"Cannot use the override {override!r}: entries of [[{section}]] are named by {named}."
        )
    if section == "leg":
        if not 1 <= int(word) <= len(entries):
            raise StudyError(f"Cannot use the override {override!r}: the path has {len(entries)} legs.")
        return entries[int(word) - 1]
    for entry in entries:
        if isinstance(entry, dict) and entry.get("label") == int(word):
            return entry
    entries.append({"label": int(word)})
    return entries[-1]


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text

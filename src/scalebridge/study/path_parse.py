"""From the text of a [path] study to a checked PathStudy, or one message that says where it went wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scalebridge.core.errors import StudyError
from scalebridge.study.explain import ended, explain, nearest
from scalebridge.study.parse import MAX_CHARACTERS, toml_value
from scalebridge.study.path_schema import LawSection, LegSection, PathOutputSection, PathSection, PathStudy
from scalebridge.study.schema import ImageSection

_SECTIONS: dict[str, Any] = {
    "image": ImageSection, "law": LawSection, "path": PathSection, "leg": LegSection, "output": PathOutputSection,
}  # fmt: skip
_OWN = frozenset({"path", "leg", "law"})


def is_path_study(path: Path | str) -> bool:
    """Whether a study file has a section that only paths have; what cannot be read or understood has none."""
    try:
        data = Path(path).read_bytes()
        return len(data) <= MAX_CHARACTERS and not _OWN.isdisjoint(tomllib.loads(data.decode("utf-8-sig")))
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
        raise StudyError(explain(error, name, PathStudy, counted=("law", "leg"))) from None


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
        raise StudyError(ended(f"Unknown section {section!r} in the override{nearest(section, _SECTIONS)}"))
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
    target[rest[-1]] = toml_value(text.strip())


def _entry(entries: Any, section: str, word: str, override: str) -> Any:
    """The law of a label, or the leg of a number (from 1)."""
    try:
        number = int(word)
    except ValueError:
        number = None
    if not isinstance(entries, list) or number is None:
        named = "their label" if section == "law" else "their number"
        raise StudyError(
            f"Cannot use the override {override!r}: entries of [[{section}]] are named by {named}."
        )
    if section == "leg":
        if not 1 <= number <= len(entries):
            raise StudyError(f"Cannot use the override {override!r}: the path has {len(entries)} legs.")
        return entries[number - 1]
    for entry in entries:
        if isinstance(entry, dict) and entry.get("label") == number:
            return entry
    entries.append({"label": number})
    return entries[-1]

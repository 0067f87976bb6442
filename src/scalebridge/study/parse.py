"""From the text of a study file to a checked Study, or one message that says where it went wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scalebridge.core.errors import StudyError
from scalebridge.study.explain import ended, explain, nearest
from scalebridge.study.schema import ImageSection, PhaseSection, Study

MAX_CHARACTERS = 1_000_000
_EXCLUSIVE = (("image", "threshold", "otsu"), ("accuracy", "target", "residual"))


def load_study(path: Path | str, overrides: Iterable[str] = ()) -> Study:
    """The study in the file `path`, with `overrides` of the form key=value applied before it is checked.

    Fails when: the file is missing, is not UTF-8 TOML, or says something a study cannot (StudyError).
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise StudyError(
            f"Cannot read the study file {str(path)!r}: {reason}. `scalebridge init` writes an example."
        ) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyError(f"The study file {path} is not UTF-8 text (byte {error.start}).") from error
    return parse_study(text, overrides, name=str(path))


def parse_study(text: str, overrides: Iterable[str] = (), name: str = "study") -> Study:
    """The study in `text` (TOML). Fails when: it is not a valid study (StudyError)."""
    if len(text) > MAX_CHARACTERS:
        raise StudyError(f"{name} has {len(text)} characters; a study file has at most {MAX_CHARACTERS}.")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also: integers with thousands of digits, deep nesting
        raise StudyError(f"{name} is not valid TOML: {error}.") from error
    overrides = list(overrides)
    _give_way(data, overrides)
    for override in overrides:
        _override(data, override)
    return study_from_data(data, name)


def study_from_data(data: Mapping[str, Any], name: str = "study") -> Study:
    """A Study from plain data. Fails when: the data are not a valid study (StudyError)."""
    try:
        return Study.model_validate(dict(data))
    except ValidationError as error:
        raise StudyError(explain(error, name, Study)) from None


def image_section(data: Mapping[str, Any]) -> ImageSection:
    """An [image] section on its own, for what needs no laws. Fails when: it is not valid (StudyError)."""
    try:
        return ImageSection.model_validate(dict(data))
    except ValidationError as error:
        raise StudyError(explain(error, "image", Study, ("image",))) from None


def phases_from_data(data: Iterable[Mapping[str, Any]]) -> tuple[PhaseSection, ...]:
    """[[phase]] sections on their own. Fails when: one is not valid (StudyError)."""
    try:
        return tuple(PhaseSection.model_validate(dict(section)) for section in data)
    except ValidationError as error:
        raise StudyError(explain(error, "phase", Study, ("phase",))) from None


def _give_way(data: dict[str, Any], overrides: Iterable[str]) -> None:
    """Of two keys that exclude each other, the one in the file gives way to an override of the other."""
    named = {override.partition("=")[0].strip() for override in overrides}
    for section, *keys in _EXCLUSIVE:
        for key, other in (keys, keys[::-1]):
            given = data.get(section)
            if f"{section}.{key}" in named and f"{section}.{other}" not in named and isinstance(given, dict):
                given.pop(other, None)


def _override(data: dict[str, Any], override: str) -> None:
    """Applies one `key=value`. The key walks the sections with dots; phases are named by their label.

    `phase.1.k=2.5` sets the property k of label 1 and adds the phase when there is none.
    """
    key, separator, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not separator or not all(parts):
        raise StudyError(
            f"Cannot use the override {override!r}: expected key=value, e.g. accuracy.target=0.02."
        )
    known = list(Study.model_fields)
    if parts[0] not in known:
        raise StudyError(ended(f"Unknown key {key.strip()!r} in the override{nearest(parts[0], known)}"))
    value = toml_value(text.strip())
    target: Any = data
    if parts[0] == "phase":
        if len(parts) < 3:
            raise StudyError(
                f"Cannot use the override {override!r}: expected phase.LABEL.PROPERTY=VALUE (phase.1.k=2)."
            )
        target = _phase(data, parts[1])
        parts = parts[2:]
        if parts[0] not in PhaseSection.model_fields:
            parts = ["properties", *parts]
    for part in parts[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise StudyError(f"Cannot use the override {override!r}: {part!r} is not a section.")
    target[parts[-1]] = value


def _phase(data: dict[str, Any], label_text: str) -> dict[str, Any]:
    try:
        label = int(label_text)
    except ValueError:
        raise StudyError(f"Phases are named by their label, a whole number; got {label_text!r}.") from None
    phases = data.setdefault("phase", [])
    if not isinstance(phases, list):
        raise StudyError("'phase' must be written as [[phase]], once per label.")
    for phase in phases:
        if isinstance(phase, dict) and phase.get("label") == label:
            return phase
    phases.append({"label": label})
    return phases[-1]


def toml_value(text: str) -> Any:
    """TOML where it is TOML (numbers, true, lists), else the text as it stands: 5.345um needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text

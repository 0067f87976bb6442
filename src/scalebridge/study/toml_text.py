"""Writing TOML: the standard library reads it only, and a study needs little of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from scalebridge.core.errors import StudyError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, but for the delete character, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _quoted(text)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_literal(v)}" for k, v in value.items()) + " }"
    raise StudyError(f"A value of type {type(value).__name__} cannot be written as TOML.")


def to_toml(data: Mapping[str, Any]) -> str:
    """`data` of two levels (sections and their keys) as TOML; lists of mappings become [[section]] blocks.

    Reading it back gives the same data. Fails when: a value has no TOML form (StudyError).
    """
    blocks: list[str] = []
    plain = [f"{_key(k)} = {_literal(v)}" for k, v in data.items() if not _is_table(v)]
    if plain:
        blocks.append("\n".join(plain))
    for name, value in data.items():
        if isinstance(value, Mapping):
            blocks.append("\n".join([f"[{_key(name)}]", *_lines(value)]))
        elif _is_table(value):
            blocks.extend("\n".join([f"[[{_key(name)}]]", *_lines(item)]) for item in value)
    return "\n\n".join(blocks) + "\n"


def _is_table(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return (
        isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)
    )


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(k)} = {_literal(v)}" for k, v in table.items()]

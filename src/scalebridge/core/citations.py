"""Literature by key: what `references.bib` says about the [key] of a docstring."""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Mapping
from types import MappingProxyType

from scalebridge.core.errors import InputError

_ENTRY = re.compile(r"@(\w+)\s*\{\s*([^,\s]+)\s*,")
_FIELD = re.compile(r"(\w+)\s*=\s*", re.ASCII)


def _value(text: str, start: int) -> tuple[str, int]:
    """One field value from `start`: braces (nested), quotes or a bare word. Returns it and where it ends."""
    if text[start] == "{":
        depth = 0
        for position in range(start, len(text)):
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            if depth == 0:
                return text[start + 1 : position], position + 1
        return text[start + 1 :], len(text)
    if text[start] == '"':
        end = text.find('"', start + 1)
        end = len(text) if end < 0 else end
        return text[start + 1 : end], end + 1
    end = start
    while end < len(text) and text[end] not in ",}\n":
        end += 1
    return text[start:end], end


def parse_bibliography(text: str) -> dict[str, dict[str, str]]:
    """The entries of a BibTeX file as {key: {field: value}}, "type" among the fields."""
    entries: dict[str, dict[str, str]] = {}
    heads = list(_ENTRY.finditer(text))
    for number, head in enumerate(heads):
        stop = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        fields = {"type": head[1].lower()}
        position = head.end()
        while (match := _FIELD.search(text, position, stop)) is not None and match.end() < stop:
            value, position = _value(text[:stop], match.end())
            fields[match[1].lower()] = re.sub(r"\s+", " ", value.replace("{", "").replace("}", "")).strip()
        entries[head[2]] = fields
    return entries


@functools.cache
def bibliography() -> Mapping[str, Mapping[str, str]]:
    """All entries of the package's references.bib."""
    text = importlib.resources.files("scalebridge").joinpath("references.bib").read_text(encoding="utf-8")
    return MappingProxyType(parse_bibliography(text))


def citation(key: str) -> str:
    """One reference as a line of text. Fails when: the key is unknown (InputError)."""
    entries = bibliography()
    if key not in entries:
        raise InputError(
            f"No reference {key!r} in references.bib. Known: {', '.join(sorted(entries)) or 'none'}."
        )
    entry = entries[key]
    where = entry.get("journal") or entry.get("booktitle") or entry.get("publisher") or ""
    if where and entry.get("volume"):
        where += f" {entry['volume']}"
    parts = [
        entry.get("author", "").replace(" and ", "; "),
        entry.get("title", ""),
        where,
        entry.get("year", ""),
    ]
    line = ". ".join(part for part in parts if part) + "."
    return line + (f" https://doi.org/{entry['doi']}" if entry.get("doi") else "")

"""What is wrong with the data of a study, in one message: which keys, what they were, what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

_SHOWN = 5
_LONGEST = 60  # characters of what was written
_WORDS = {
    "model_type": "a section, [name] or { key = value }",
    "dict_type": "keys and values, { key = value }",
    "list_type": "a list",
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
}
_Location = tuple[int | str, ...]


def explain(
    error: ValidationError,
    name: str,
    model: type[BaseModel],
    within: _Location = (),
    counted: Collection[str] = (),
) -> str:
    """One message about everything that is wrong with `name`, of which `model` is the whole.

    within: where in the whole the data are; counted: lists whose entries people count from one ([[leg]] number 2).
    """
    found: dict[_Location, list[Mapping[str, Any]]] = {}
    for item in error.errors(include_url=False, include_context=True):
        found.setdefault((*within, *_keys_only(item)), []).append(item)
    lines = [
        _sentence(location, items, model, counted)
        for location, items in found.items()
        # Where an entry of a list is wrong, the other branches of a union need not say that they want no list.
        if not any(other[: len(location)] == location for other in found if len(other) > len(location))
    ]
    more = f" (and {len(lines) - _SHOWN} more)" if len(lines) > _SHOWN else ""
    return ended(f"{name}: " + "; ".join(lines[:_SHOWN]) + more)


def ended(sentence: str) -> str:
    """With a full stop, unless it is a question."""
    return sentence if sentence.endswith("?") else sentence + "."


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown `word`: the nearest known one, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _keys_only(item: Mapping[str, Any]) -> _Location:
    """Its place without the branches of unions, which pydantic names by their types among the keys.

    An unknown key is what the user wrote, whatever it looks like.
    """
    *parents, last = item["loc"] or ("",)
    kept = [part for part in parents if not _is_union_tag(part)]
    if item["loc"] and (item["type"] == "extra_forbidden" or not _is_union_tag(last)):
        kept.append(last)
    return tuple(kept)


def _is_union_tag(part: int | str) -> bool:
    # Keys of a study are lower case words; pydantic names the branches of a union by their types.
    return isinstance(part, str) and ("[" in part or part in {"int", "float", "str"} or "constrained" in part)


def _sentence(
    location: _Location, items: Sequence[Mapping[str, Any]], model: type[BaseModel], counted: Collection[str]
) -> str:
    where, item = _named(location, counted), items[0]
    kind = item["type"]
    if kind == "extra_forbidden":
        return f"unknown key {where!r}{nearest(str(location[-1]), _keys_at(model, location[:-1]))}"
    if kind == "missing":
        return f"{where!r} is missing"
    if kind == "value_error":
        message = str(item["msg"]).removeprefix("Value error, ")
        return f"{where}: {message}" if where else message
    given = _shortened(repr(item.get("input")))
    return f"{where}: {given} is not valid, expected {_expected(items)}"


def _named(location: _Location, counted: Collection[str]) -> str:
    first, *rest = location or ("",)
    if rest and first in counted and isinstance(rest[0], int):
        keys = ".".join(_shortened(str(part)) for part in rest[1:])
        return f"[[{first}]] number {rest[0] + 1}" + (f", {keys}" if keys else "")
    return ".".join(_shortened(str(part)) for part in location)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _expected(items: Sequence[Mapping[str, Any]]) -> str:
    """What every branch of a union would have taken, each once."""
    words = list(dict.fromkeys(_one_expected(item) for item in items))
    if len(words) > 1 and "a whole number" in words and any(w.endswith(" number") for w in words[1:]):
        words.remove("a whole number")
    return " or ".join(words)


def _one_expected(item: Mapping[str, Any]) -> str:
    if item["type"] in _WORDS:
        return _WORDS[item["type"]]
    context = item.get("ctx", {})
    if item["type"] == "too_short":
        return f"at least {context['min_length']} of them"
    if item["type"] == "string_too_long":
        return f"at most {context['max_length']} characters"
    if item["type"] == "too_long":
        return f"at most {context['max_length']} of them"
    message = str(item["msg"]).removeprefix("Input should be ")
    return message[:1].lower() + message[1:]


def _keys_at(model: type[BaseModel], location: _Location) -> list[str]:
    """The keys that the model at `location` has; empty where there is no model."""
    found: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int):
            continue
        field = found.model_fields.get(part) if found is not None else None
        found = _model_in(field.annotation) if field is not None else None
        if found is None:
            return []
    return list(found.model_fields) if found is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None

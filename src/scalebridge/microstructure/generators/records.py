"""Generators from their records: plain data back to the material they describe."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from typing import Any

from scalebridge.core.errors import ImageError
from scalebridge.microstructure.generators.generator import AbstractGenerator
from scalebridge.microstructure.generators.image_records import KIND, image_from_record


def generator_from_record(record: Mapping[str, Any]) -> AbstractGenerator:
    """The generator whose `record` this is.

    Fails when: the name is unknown, a parameter does not exist or is missing, or an image is damaged (ImageError).
    """
    from scalebridge.microstructure.generators import ALL_GENERATORS

    known = {kind.__name__: kind for kind in ALL_GENERATORS.values()}
    name = record.get("generator")
    if name not in known:
        raise ImageError(f"There is no generator {name!r}. Known: {', '.join(sorted(known))}.")
    return _build(known[name], {key: value for key, value in record.items() if key != "generator"}, name)


def _build(kind: type, parameters: Mapping[str, Any], who: str) -> Any:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    strange = sorted(set(parameters) - set(fields))
    if strange:
        raise ImageError(f"{who} has no parameter {strange[0]!r}. It has: {', '.join(fields)}.")
    required = [name for name, field in fields.items() if _required(field) and name not in parameters]
    if required:
        raise ImageError(f"{who} needs the parameter {required[0]!r}.")
    return kind(**{name: _value(value, hints[name], f"{who}: {name}") for name, value in parameters.items()})


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(value: Any, hint: Any, who: str) -> Any:
    if isinstance(value, Mapping):
        if "kind" not in value:
            raise ImageError(f"{who} is a mapping without the entry 'kind' that names what it is.")
        if value["kind"] == KIND:
            return image_from_record(value, who)
        kinds = {found.__name__: found for root in _classes(hint) for found in _family(root)}
        if value["kind"] not in kinds:
            raise ImageError(f"{who}: there is no {value['kind']!r}. Known: {', '.join(sorted(kinds))}.")
        return _build(kinds[value["kind"]], {k: v for k, v in value.items() if k != "kind"}, value["kind"])
    if isinstance(value, (list, tuple)):
        return tuple(_value(v, hint, who) for v in value)
    return value


def _classes(hint: Any) -> list[type]:
    """The dataclasses, and abstract families of them, that an annotation names."""
    parts = typing.get_args(hint)
    if parts:
        return [kind for part in parts for kind in _classes(part)]
    plain = isinstance(hint, type) and (dataclasses.is_dataclass(hint) or inspect.isabstract(hint))
    return [hint] if plain else []


def _family(kind: type) -> list[type]:
    children: list[type] = kind.__subclasses__()
    return [kind, *(found for child in children for found in _family(child))]

"""The result as text for other programs: what the copy buttons of the page put on the clipboard."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

from scalebridge.core.errors import ScalebridgeError
from scalebridge.homogenize.json_record import to_json
from scalebridge.homogenize.result import HomogenizationResult


@dataclasses.dataclass(frozen=True)
class Copy:
    """One button: `key` names it in the page, `name` is what people read."""

    key: str
    name: str
    text: str


def record_text(result: HomogenizationResult) -> str:
    """The JSON record, indented; strict JSON without NaN."""
    return json.dumps(to_json(result), indent=2, allow_nan=False, ensure_ascii=False)


def copies(result: HomogenizationResult) -> tuple[Copy, ...]:
    """All formats that can express this result; one that cannot (a scalar as an Abaqus card) is left out."""
    from scalebridge.homogenize.exporters import to_abaqus, to_csv, to_latex

    writers: tuple[tuple[str, str, Callable[[HomogenizationResult], str]], ...] = (
        ("csv", "CSV", to_csv),
        ("latex", "LaTeX", to_latex),
        ("abaqus", "Abaqus", to_abaqus),
        ("json", "JSON", record_text),
    )
    made = []
    for key, name, write in writers:
        try:
            made.append(Copy(key, name, write(result)))
        except ScalebridgeError:
            continue
    return tuple(made)

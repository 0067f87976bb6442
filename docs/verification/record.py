"""One case of the verification: rows of (ours, reference, what explains the difference), kept as a JSON record."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent
RECORDS = Path(__file__).resolve().parent / "records"
FIGURES = DOCS / "figures"


@dataclasses.dataclass(frozen=True)
class Row:
    """One value. relation: what ours has to the reference, "=", ">=" or "<=". asked: relative tolerance that it is
    judged by (None: shown, not judged). ours None: not computed, `note` says why."""

    quantity: str
    ours: float | None
    reference: float | None
    asked: float | None = None
    relation: str = "="
    note: str = ""

    @property
    def difference(self) -> float | None:
        """(ours - reference) / |reference|; absolute where the reference is zero."""
        if self.ours is None or self.reference is None:
            return None
        return (self.ours - self.reference) / (abs(self.reference) or 1.0)

    @property
    def held(self) -> bool | None:
        """Whether what was asked for holds; None where nothing was, or nothing was computed."""
        gap = self.difference
        if gap is None or self.asked is None or not math.isfinite(gap):
            return None if gap is None or self.asked is None else False
        return {"=": abs(gap), ">=": -gap, "<=": gap}[self.relation] <= self.asked


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under a heading with a paragraph of words; `series` holds what a figure needs."""

    title: str
    words: str
    rows: tuple[Row, ...]
    series: dict[str, Any] = dataclasses.field(default_factory=dict)
    figure: str = ""  # file name in docs/figures, and its caption
    caption: str = ""
    header: tuple[str, ...] = ()  # of a second table with free columns
    cells: tuple[tuple[str, ...], ...] = ()


def missing(quantity: str, reference: float | None, file: str) -> Row:
    """The row of a value whose image is not there."""
    return Row(quantity, None, reference, note=f"Not computed: the reference image {file} was not available.")


def data_folder() -> Path | None:
    """The folder of reference images: SCALEBRIDGE_DATA, or `shared/data` beside the repository."""
    path = Path(os.environ.get("SCALEBRIDGE_DATA", DOCS.parent / ".." / "shared" / "data")).resolve()
    return path if path.is_dir() else None


def write_record(name: str, tables: list[Table], seconds: float) -> Path:
    """The record of a case, in full precision: laminates are compared to round-off."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    path = RECORDS / f"{name}.json"
    content = {"seconds": round(seconds, 1), "tables": [dataclasses.asdict(table) for table in tables]}
    path.write_text(json.dumps(_plain(content), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_record(name: str) -> tuple[list[Table], float] | None:
    """The tables of a record and the seconds they took; None when the case has not been run yet."""
    path = RECORDS / f"{name}.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    tables = [
        Table(**{**entry, "rows": tuple(Row(**row) for row in entry["rows"])}) for entry in content["tables"]
    ]
    return tables, content["seconds"]


def _plain(value: Any) -> Any:
    """Plain Python numbers, null where one is not finite."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if getattr(value, "ndim", 0) > 0:
        return _plain(value.tolist())
    if isinstance(value, float) or hasattr(value, "dtype"):
        number = float(value)
        return number if math.isfinite(number) else None
    return value

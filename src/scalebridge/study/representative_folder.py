"""The folder of a representativity study: its cells, its results, and what they were made from.

Unlike a single run, a study grows: the same command goes on where it stopped, and more sizes or realizations of the
same material are added to what is there. Only another material needs another folder.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from scalebridge.core.content_store import ContentStore, content_key
from scalebridge.core.errors import OutputError
from scalebridge.core.files import check_folder, write_text, writing
from scalebridge.homogenize.json_record import plain
from scalebridge.homogenize.representative.apparent import CellTask
from scalebridge.homogenize.representative.estimators import isotropic_parts
from scalebridge.homogenize.representative.expansion import EXPANSION, isotropic_expansion
from scalebridge.homogenize.representative.exporters import to_csv
from scalebridge.homogenize.representative.study import (
    RepresentativityProblem,
    RepresentativityResult,
    SamplingMethod,
)
from scalebridge.numerics.mandel import COMPONENTS, stiffness_to_voigt, strain_to_voigt
from scalebridge.study.folder import RESULTS, STUDY

STUDIED, CELLS = "rve.json", "cells"
RESULT, TABLE, SAMPLES, PROVENANCE = "result.json", "result.csv", "samples.csv", "provenance.json"
_SCHEMA = "scalebridge.rve-folder/1"
_REPORT_BYTES = 5_000_000
_CELL_BYTES = 5_000


@final
@dataclasses.dataclass(frozen=True)
class StudyFolder:
    """A folder whose content belongs to this study; `known`: cells it holds already.

    energy: the smallest relative energy error that its cells were solved to, None for a new one.
    """

    path: Path
    identity: str
    known: int
    energy: float | None

    @property
    def store(self) -> ContentStore:
        return ContentStore(self.path / CELLS)

    def begin(self, settings: Mapping[str, Any], energy: float) -> None:
        """Says in the folder what is being studied, before it is."""
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        record = {"schema": _SCHEMA, "identity": self.identity, "energy": energy, "settings": plain(settings)}
        write_text(self.path / STUDIED, json.dumps(record, indent=2, allow_nan=False) + "\n")

    def finish(self, result: RepresentativityResult, record: Mapping[str, Any]) -> tuple[Path, ...]:
        """Writes the results, each all or nothing; the page (another floor writes it) comes on top."""
        store = self.store
        texts = {
            RESULT: json.dumps(record, indent=2, allow_nan=False) + "\n",
            TABLE: to_csv(result),
            SAMPLES: samples_csv(result.problem, result.method, store),
            PROVENANCE: json.dumps(record["provenance"], indent=2, allow_nan=False) + "\n",
        }
        for name, text in texts.items():
            write_text(self.path / name, text)
        return tuple(self.path / name for name in texts)


def identity_of(problem: RepresentativityProblem) -> str:
    """Names the material and where its samples come from; sizes, conditions and numbers may grow."""
    source = dict(problem.source.record())
    source.pop("history", None)  # the same voxels, read from another file
    if "generator" in source:
        source["generator"] = {k: v for k, v in source["generator"].items() if k != "shape"}
    return content_key(source=source, material=problem.material.record(), dimensions=problem.source.ndim)


def check_study_folder(folder: Path | str, cells: int = 0) -> None:
    """Before anything large is read: can results go there? Fails when: not (OutputError)."""
    path = Path(folder)
    with writing(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"Cannot write results to {path}: it is a file, not a folder.")
    check_folder(path, _REPORT_BYTES + cells * _CELL_BYTES)


def open_study_folder(
    folder: Path | str, problem: RepresentativityProblem, *, force: bool = False
) -> StudyFolder:
    """Fails when: it holds something else and `force` is not set, or cannot be written (OutputError)."""
    path = Path(folder)
    check_study_folder(path)
    identity = identity_of(problem)
    record = _read(path / STUDIED)
    if record is None:
        taken = [name for name in (*RESULTS, STUDY, SAMPLES) if (path / name).exists()]
        if taken and not force:
            raise OutputError(
                f"{path} already holds {', '.join(taken)} of something else. Choose another folder, or overwrite "
                "with --force."
            )
        return StudyFolder(path, identity, 0, None)
    if record.get("identity") != identity and not force:
        raise OutputError(
            f"{path} holds the study of another material, image or seed. Choose another folder, or overwrite its "
            "results with --force (cells that were solved are kept)."
        )
    known = len(ContentStore(path / CELLS).keys()) if (path / CELLS).is_dir() else 0
    energy = record.get("energy")
    usable = isinstance(energy, float) and energy > 0 and known > 0
    return StudyFolder(path, identity, known, energy if usable else None)


def _read(path: Path) -> dict[str, Any] | None:
    """The record of an earlier study; one that is damaged counts as none."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("schema") == _SCHEMA else None


def samples_csv(problem: RepresentativityProblem, method: SamplingMethod, store: ContentStore) -> str:
    """One line per sample and condition: name, scalars, tensor entries, fractions, and how the solver did."""
    ndim, vector = problem.source.ndim, problem.material.vector
    names = COMPONENTS[ndim] if vector else tuple("xyz"[:ndim])
    pairs = [(i, k) for i in range(len(names)) for k in range(i, len(names))]
    symbol = "C" if vector else "k"
    scalars = list(isotropic_parts(np.eye(len(names))[None], vector))
    expands = problem.material.expands
    labels = [str(label) for label in sorted(problem.material.laws)] if problem.material.grain is None else []
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(
        ["voxels per edge", "number", "condition", "sample", *scalars]
        + [f"{symbol}_{names[i]}_{names[k]}" for i, k in pairs]
        + ([EXPANSION, *(f"alpha_{name}" for name in names)] if expands else [])
        + [f"fraction of label {label}" for label in labels]
        + ["iterations", "residual", "energy error", "seconds"]
    )
    for size in problem.sizes:
        for number, maker in enumerate(problem.source.makers(size, method.count(size)), start=1):
            task = CellTask(maker, problem.material, problem.conditions, method.cell_energy)
            for condition, key in zip(problem.conditions, task.keys(), strict=True):
                entry = store.get(key)
                if entry is None:  # its payload is damaged: the numbers are in the statistics all the same
                    continue
                value, about = np.asarray(entry.arrays["value"]), entry.metadata
                parts = isotropic_parts(value[None], vector)
                shown = stiffness_to_voigt(value) if vector else value
                write(
                    [size, number, condition.name, maker.name]
                    + [repr(float(parts[name][0])) for name in scalars]
                    + [repr(float(shown[i, k])) for i, k in pairs]
                    + (_expansion(entry.arrays.get("expansion"), len(names)) if expands else [])
                    + [repr(float(about["fractions"].get(label, 0.0))) for label in labels]
                    + [about["iterations"]]
                    + [f"{float(about[name]):.3e}" for name in ("residual", "energy_error", "seconds")]
                )
    return out.getvalue()


def _expansion(expansion: Any, size: int) -> list[str]:
    """The isotropic part and the entries with engineering shear; empty cells where it is not defined."""
    if expansion is None:
        return [""] * (1 + size)
    values = np.asarray(expansion)
    return [
        repr(float(isotropic_expansion(values[None])[0])),
        *(repr(float(v)) for v in strain_to_voigt(values)),
    ]

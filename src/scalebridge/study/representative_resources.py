"""What a representativity study will take: memory of a cell, seconds of a sample, and how many workers fit."""

from __future__ import annotations

import os

from scalebridge.cell.coefficients import PAIRS
from scalebridge.core.memory import available_bytes, check_fits
from scalebridge.homogenize.cells import SPILL_BYTES
from scalebridge.homogenize.forecast import (
    BASE_SCALAR,
    BASE_VECTOR,
    BYTES_FULL,
    BYTES_SCALAR,
    BYTES_VECTOR,
    SECONDS_SCALAR,
    SECONDS_VECTOR,
)
from scalebridge.homogenize.representative.study import RepresentativityProblem

_BATCH_BYTES = 2.5e8  # loads iterated together, as in the forecast of a single cell
_START = 0.02  # seconds that even the smallest cell takes


def cell_bytes(problem: RepresentativityProblem) -> int:
    """Memory of one cell of the largest size at its peak, with the process that solves it."""
    ndim, vector = problem.source.ndim, problem.material.vector
    voxels = (problem.sizes[-1] + 1) ** ndim
    loads = len(PAIRS[ndim]) if vector else ndim
    laws = [*problem.material.laws.values(), *filter(None, [problem.material.grain])]
    turned = not all(getattr(law, "is_isotropic", True) for law in laws)
    each = (BYTES_VECTOR if vector else BYTES_SCALAR) + (BYTES_FULL if turned else 0.0)
    batch = max(1, min(loads, int(_BATCH_BYTES // (60.0 * voxels * (ndim if vector else 1)))))
    stored = min(4.0 * voxels * loads * (ndim if vector else 1), SPILL_BYTES)
    return int((BASE_VECTOR if vector else BASE_SCALAR) + voxels * each * batch + stored)


def cell_seconds(problem: RepresentativityProblem, size: int) -> float:
    """All cells of one sample; rough."""
    ndim, vector = problem.source.ndim, problem.material.vector
    loads = len(PAIRS[ndim]) if vector else ndim
    voids = any(getattr(law, "is_void", False) for law in problem.material.laws.values())
    total = 0.0
    for condition in problem.conditions:
        iterations = (30 if voids else 12) * (1 if condition.periodic else 2)
        total += size**ndim * loads * (iterations + 10) * (SECONDS_VECTOR if vector else SECONDS_SCALAR) * 1.3
    return total + _START * len(problem.conditions)


def fitting_workers(cell: int, asked: int | None, samples: int, size: int, notes: list[str]) -> int:
    """As many as asked for (or one per core), if so many cells of `cell` bytes fit into memory at a time.

    Fails when: one cell, or as many as were asked for, do not fit (ResourceError).
    """
    check_fits(cell, f"One cell of {size} voxels per edge", "Take smaller --sizes.")
    workers = min(asked or os.cpu_count() or 1, samples)
    available = available_bytes()
    most = workers if available is None else max(1, int(available // cell))
    if workers <= most:
        return workers
    if asked is not None:
        check_fits(workers * cell, f"{workers} cells at a time", "Take fewer --workers, or smaller --sizes.")
    notes.append(f"{most} of {workers} workers: more cells at a time do not fit into memory")
    return most

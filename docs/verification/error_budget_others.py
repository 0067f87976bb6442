"""The error budget at other sizes than those of the reference table, and with inclusions off the grid."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from docs.verification.error_budget import conduction_cases, judged, series
from docs.verification.record import Row, Table

OTHER_SIZES = (20, 24, 48)
OFF_GRID_SIZES = (16, 24, 32)


def tables(data: Path | None) -> list[Table]:
    random = np.random.default_rng(4)
    groups = {
        "discs, other sizes": conduction_cases(2, OTHER_SIZES),
        "spheres, other sizes": conduction_cases(3, OTHER_SIZES),
        "discs off the grid": conduction_cases(2, OFF_GRID_SIZES, random),
        "spheres off the grid": conduction_cases(3, OFF_GRID_SIZES, random),
    }
    rows: tuple[Row, ...] = ()
    for name, cases in groups.items():
        rows += tuple(
            dataclasses.replace(row, quantity=f"{name}: {row.quantity}") for row in judged(cases)[:3]
        )
    table = Table(
        "Coverage of the error budget: other sizes, and off the grid",
        "The same fractions and contrasts at 20, 24 and 48 voxels per edge, and with the centre moved by a random part "
        "of a voxel (16, 24, 32). Such cases were looked at as well when the number of standard deviations was chosen; "
        "the random offsets here are others. Inclusions centred on the grid are the hard ones: their symmetry repeats "
        "one rounding of the interface in up to 8 (discs) or 48 (spheres) places.",
        rows, series(groups), "error-budget-others.png",
        "The same at other sizes and with inclusions off the grid.",
    )  # fmt: skip
    return [table]

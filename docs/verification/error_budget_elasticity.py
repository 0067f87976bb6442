"""The error budget of elasticity, against a reference extrapolated from finer voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from docs.verification.error_budget import HEADER, SIZES, Case, judged, series
from docs.verification.record import Table
from docs.verification.solve import line_fit, solve_tensor

from scalebridge import Elasticity, homogenize
from scalebridge.microstructure import generate

ELASTIC_CONTRASTS = (0.0, 10.0, 100.0)
ELASTIC_REFERENCE_SIZES = [32, 64, 128]


def _cubic(C11: float, C12: float, C44: float) -> np.ndarray:
    C = np.zeros((6, 6))
    C[:3, :3] = C12
    C[np.arange(6), np.arange(6)] = [C11] * 3 + [2 * C44] * 3
    return C


def elastic_reference(contrast: float) -> np.ndarray:
    """The stiffness of the sphere array extrapolated from 32, 64 and 128 voxels per edge, Mandel."""
    matrices = np.stack([Elasticity.isotropic(E=1.0, nu=0.3).tensor] * 2)
    matrices[1] *= contrast
    found = []
    for n in ELASTIC_REFERENCE_SIZES:
        rows = solve_tensor(generate.sphere_array(n, 0.3).index, matrices, residual=1e-5, loads=[0, 3]).value
        found.append((rows[0, 0], rows[0, 1], rows[1, 3] / 2))
    return _cubic(*(line_fit(ELASTIC_REFERENCE_SIZES, [f[i] for f in found]) for i in range(3)))


def tables(data: Path | None) -> list[Table]:
    cases = []
    for contrast in ELASTIC_CONTRASTS:
        reference = elastic_reference(contrast)
        law = Elasticity.isotropic(E=contrast, nu=0.3) if contrast else Elasticity.void()
        for n in SIZES:
            image = generate.sphere_array(n, 0.3)
            result = homogenize(image, {0: Elasticity.isotropic(E=1.0, nu=0.3), 1: law}, throw=False)
            true = float(np.linalg.norm(result.value - reference) / np.linalg.norm(reference))
            words = f"sphere 0.3, {f'contrast {contrast:g}' if contrast else 'void'}, n = {n}"
            cases.append(
                Case(words, float(result.value[0, 0]), float(reference[0, 0]), result.error.total, true)
            )
    table = Table(
        "Coverage of the error budget: elasticity",
        "Simple cubic spheres, fraction 0.3, nu = 0.3. No exact value: the reference is a fit of C + c/n "
        "to 32, 64 and 128 voxels per edge (itself not exact), so the rows say "
        "whether the budget behaves, not more. Value and exact are C_11; the errors are of the whole "
        "tensor.",
        judged(cases), series({"spheres": cases}), "error-budget-elasticity.png",
        "Claimed against true error of the stiffness.", HEADER, tuple(case.cells for case in cases),
    )  # fmt: skip
    return [table]

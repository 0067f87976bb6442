"""Images without published values: a polycrystal and a sphere, where bounds and symmetry are all there is to hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from docs.verification.record import Row, Table, missing

from scalebridge import Elasticity, PhaseImage, homogenize, read_image
from scalebridge.microstructure.generate import random_rotations

GRAINS = "polycrystal/damask_20grains64x64x64.vti"
SPHERE = "spheres/fans_sphere32.h5"


def tables(data: Path | None) -> list[Table]:
    return [_polycrystal(data), _sphere(data)]


def _within(image: PhaseImage, laws: dict[int, Elasticity], residual: float) -> list[Row]:
    result = homogenize(image, laws, residual=residual)
    assert result.bounds is not None
    size = float(np.linalg.norm(result.value))
    rows = []
    for name, gap in (
        ("Voigt - effective", result.bounds.voigt - result.value),
        ("effective - Reuss", result.value - result.bounds.reuss),
    ):
        smallest = float(np.linalg.eigvalsh(gap)[0]) / size
        rows.append(Row(f"smallest eigenvalue of {name}, relative", smallest, 0.0, 1e-9, ">="))
    rows.append(Row("symmetry of the tensor", float(result.checks["symmetry"]), 0.0, 10 * residual))
    rows.append(Row("Hill-Mandel gap", float(result.checks["hill_mandel"]), 0.0, 10 * residual))
    return rows


def _polycrystal(data: Path | None) -> Table:
    if data is None:
        rows = [missing("Voigt and Reuss bounds", None, GRAINS)]
    else:
        image = read_image(f"{data / GRAINS}:material")
        turns = random_rotations(20, np.random.default_rng(1))
        grain = Elasticity.cubic(C11=168.4, C12=121.4, C44=75.4)
        laws = {label: grain.oriented(turns[label]) for label in image.present}
        rows = _within(image, laws, 1e-5)
    return Table(
        "Polycrystal, 64^3 voxels",
        "DAMASK's 20 Voronoi grains, copper-like cubic crystals (C11, C12, C44 = 168.4, 121.4, 75.4) at "
        "random orientations. No published value: only bounds and symmetry. Cubic crystals in any "
        "arrangement keep their bulk modulus, so one eigenvalue of both differences is zero.",
        tuple(rows),
    )


def _sphere(data: Path | None) -> Table:
    if data is None:
        rows = [missing("Voigt and Reuss bounds", None, SPHERE)]
    else:
        image = read_image(f"{data / SPHERE}:/sphere/32x32x32/ms")
        laws = {0: Elasticity.isotropic(E=1.0, nu=0.3), 1: Elasticity.isotropic(E=10.0, nu=0.3)}
        rows = [
            Row("fraction of the sphere", image.fractions[1], 0.266846, 2e-6),
            *_within(image, laws, 1e-6),
        ]
    return Table(
        "Sphere of FANS, 32^3 voxels",
        "FANS stores no numbers with its image, its tests check bounds and symmetry; so do we. E = 1 / 10, nu = 0.3.",
        tuple(rows),
    )

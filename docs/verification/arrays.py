"""Square arrays of discs and simple cubic arrays of spheres: values from multipole expansions, and what voxels give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from docs.verification.record import Row, Table
from docs.verification.solve import conductivities, solve_tensor

from scalebridge import Conduction, generate, homogenize

CONTRASTS = (0.0, 2.0, 10.0, 100.0)
# k* / k_matrix by fraction, contrasts as above; multipole expansions.
DISCS = {
    0.1: (0.818177, 1.068966, 1.178222, 1.217351),
    0.3: (0.537580, 1.222290, 1.652036, 1.835919),
    0.5: (0.324654, 1.401025, 2.415467, 2.994768),
}
SPHERES = {0.1: (0.85711, 1.07693, 1.24334, 1.32268), 0.3: (0.60566, 1.24372, 1.88774, 2.27457)}
DISC_SIZES = [32, 64, 128, 256, 512]
SPHERE_SIZES = [16, 32, 64, 128]
# Trilinear elements and lowest-order divergence-free fluxes on the sphere of fraction 0.3, contrast 10.
ELEMENTS = {16: 1.9598, 32: 1.9255, 64: 1.9084}
FLUXES = {16: 1.8821, 32: 1.8901, 64: 1.8902}

WORDS = (
    "A voxel belongs to the inclusion when its centre does. Two errors meet: the elements are too stiff "
    "(first order at a jump of the coefficient, always upwards), and the voxel image does not hit the "
    "fraction exactly (either sign, irregular in n). The second is known here: what a fraction is worth "
    "follows from the mean gradients of the phases, dk/df = <g>_0 (k_1 - k_0) <g>_1, so each value is "
    "corrected for the fraction its voxels miss, and a first-order extrapolation from the two finest grids "
    "removes the first."
)


def tables(data: Path | None) -> list[Table]:
    return [_arrays(2), _arrays(3), _brackets(), _iterations()]


def _value(n: int, ndim: int, fraction: float, contrast: float) -> tuple[float, float]:
    """k on n voxels per edge, and k corrected for the fraction that these voxels miss."""
    image = generate.disc_array(n, fraction) if ndim == 2 else generate.sphere_array(n, fraction)
    found = solve_tensor(image.index, conductivities(1.0, contrast, ndim=ndim), residual=1e-6, loads=[0])
    value, reached = float(found.value[0, 0]), image.fractions[1]
    assert found.phase_drive is not None
    matrix, inclusion = found.phase_drive[0, 0, 0] / (1 - reached), found.phase_drive[1, 0, 0] / reached
    return value, value + float(matrix * (contrast - 1.0) * inclusion) * (fraction - reached)


def _arrays(ndim: int) -> Table:
    exact, sizes = (DISCS, DISC_SIZES) if ndim == 2 else (SPHERES, SPHERE_SIZES)
    rows, series = [], {}
    for fraction, references in exact.items():
        for contrast, reference in zip(CONTRASTS, references, strict=True):
            pairs = [_value(n, ndim, fraction, contrast) for n in sizes]
            values, corrected = [p[0] for p in pairs], [p[1] for p in pairs]
            name = f"f = {fraction:g}, " + (f"contrast {contrast:g}" if contrast else "void")
            rows += [
                Row(f"{name}, n = {n}", value, reference) for n, value in zip(sizes, values, strict=True)
            ]
            limit = 2 * corrected[-1] - corrected[-2]
            # What is left: the shape that voxels miss beside the volume.
            rows.append(Row(f"{name}, corrected and extrapolated", limit, reference, 2e-3))
            series[name] = {"n": sizes, "values": values, "exact": reference, "limit": limit}
    kind = "Square arrays of discs" if ndim == 2 else "Simple cubic arrays of spheres"
    file = "discs.png" if ndim == 2 else "spheres.png"
    return Table(
        kind, f"k*/k_matrix. {WORDS}", tuple(rows), series, file,
        f"{kind}: relative error against the exact value; open markers: corrected and extrapolated.",
    )  # fmt: skip


def _brackets() -> Table:
    laws = {0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=10.0)}
    rows = []
    uppers = []
    for n in ELEMENTS:
        result = homogenize(generate.sphere_array(n, 0.3), laws, residual=1e-6)
        assert result.bracket is not None
        uppers.append(float(result.value[0, 0]))
        rows.append(Row(f"upper bound (elements), {n}^3", uppers[-1], ELEMENTS[n], 5e-5))
        words = "Ours may be larger, that is tighter."
        lower = float(result.bracket.lower[0, 0])
        rows.append(Row(f"lower bound (fluxes), {n}^3", lower, FLUXES[n], 5e-5, ">=", note=words))
        rows.append(Row(f"lower below upper, {n}^3", lower, uppers[-1], 0.0, "<="))
    # A lower bound must stay below what the same voxels give on finer elements, however fine.
    coarse = generate.sphere_array(16, 0.3).index
    split = np.kron(coarse, np.ones((4, 4, 4), np.uint8))
    finer = solve_tensor(split, conductivities(1.0, 10.0), residual=1e-6, loads=[0]).value[0, 0]
    own = float(rows[1].ours or 0.0)
    rows.append(
        Row("elements on each of the 16^3 voxels split in 64, above that lower bound", finer, own, 0.0, ">=")
    )
    rows.append(Row("first-order extrapolation from 32 and 64", 2 * uppers[2] - uppers[1], 1.8912, 1e-4))
    return Table(
        "The bracket of the sphere array",
        "Fraction 0.3, contrast 10: what plain voxels give, trilinear elements above and divergence-free fluxes below.",
        tuple(rows),
    )


def _iterations() -> Table:
    rows = []
    for contrast in (10.0, 1000.0, 0.0):
        for n in (16, 32, 64):
            image = generate.sphere_array(n, 0.3)
            steps = solve_tensor(image.index, conductivities(1.0, contrast), residual=1e-6).iterations
            name = f"contrast {contrast:g}" if contrast else "voids"
            rows.append(Row(f"sphere, {name}, {n}^3", float(steps), 21.0, 0.0, "<=", note="table: 15 to 21"))
    for contrast in (10.0, 1000.0, 0.0):
        for n in (16, 32, 64):
            image = generate.gaussian_level_cut((n,) * 3, 0.5, correlation_length=n / 10, seed=1)
            order = (contrast, 1.0) if contrast == 0 else (1.0, contrast)
            steps = solve_tensor(image.index, conductivities(*order), residual=1e-6).iterations
            name = f"contrast {contrast:g}" if contrast else "voids"
            rows.append(
                Row(f"Gaussian 50/50, {name}, {n}^3", float(steps), 37.0, 0.0, "<=", note="table: 17 to 37")
            )
    return Table(
        "Iterations",
        "Conjugate gradients preconditioned by the discrete Green operator, to a relative residual of "
        "1e-6; residuals are measured in the norm of the preconditioner. Counts must not grow with the "
        "grid, nor with the contrast.",
        tuple(rows),
    )

r"""Porous metal at its limit load: voxel cells of a perfectly plastic matrix beside yield surfaces and bounds.

The limit state under strain rates D is the point of the yield surface with normal D: its dissipation S : D is what
surfaces and bounds are compared by. Strains are axisymmetric, D = m 1 + d diag(1, -1/2, -1/2), S : D = 3 m S_m +
d (S_xx - S_yy). References: [gurson1977], [tvergaard1981], [ponte1991].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from docs.verification.nonlinear_solve import NEWTON_HEADER, NEWTON_WORDS, Curve, follow, packed
from docs.verification.record import Row, Table
from docs.verification.solve import solve_tensor

from scalebridge import PhaseImage, generate
from scalebridge.cell.modes import Element
from scalebridge.cell.nonlinear import NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.homogenize.path.measure import local_fields
from scalebridge.material.laws.j2 import J2Plasticity
from scalebridge.numerics.mandel import isotropic_stiffness

SIZE = 16
FRACTION = 0.1
YOUNG, POISSON = 1000.0, 0.3  # in units of the yield stress
MATRIX = J2Plasticity(YOUNG / 3 / (1 - 2 * POISSON), YOUNG / 2 / (1 + POISSON), 1.0)
# (m, d): mean and deviatoric strain rate.
DIRECTIONS = ((0.0, 1.0), (0.1, 1.0), (0.2, 1.0), (0.5, 1.0), (1.5, 1.0), (1.0, 0.0))
FEW = ((0.0, 1.0), (0.2, 1.0), (1.0, 0.0))
STRAIN = 0.012  # twelve times that of first yield
METHOD = NewtonKrylov(tolerance=1e-8)
STIFF_BULK = 1e4  # bulk over shear modulus of the linear comparison matrix
Q1 = 1.5


def tables(data: Path | None) -> list[Table]:
    return [_table()]


def legs(m: float, d: float) -> list[Leg]:
    """Straight to STRAIN: short increments while the surroundings of the voids yield, then longer ones."""
    parts = []
    for share, increments in ((1 / 6, 4), (1.0, 4)):
        size = STRAIN * share / np.hypot(m, d)
        ends = {"xx": size * (m + d), "yy": size * (m - d / 2), "zz": size * (m - d / 2)}
        taken = share - sum(leg.duration for leg in parts)
        parts.append(Leg({**ends, "yz": 0.0, "xz": 0.0, "xy": 0.0}, duration=taken, increments=increments))
    return parts


def support(m: float, d: float, f: float, q: float = 1.0) -> tuple[float, float, float]:
    """(dissipation, S_m, S_eq) of S_eq^2 + 2 q f cosh(3 S_m / 2) = 1 + q^2 f^2 in the direction (m, d)."""
    mean = np.linspace(0, 2 / 3 * np.log(1 / (q * f)), 200001)
    equivalent = np.sqrt(np.maximum(1 + (q * f) ** 2 - 2 * q * f * np.cosh(1.5 * mean), 0))
    best = int(np.argmax(3 * m * mean + d * equivalent))
    return float(3 * m * mean[best] + d * equivalent[best]), float(mean[best]), float(equivalent[best])


def comparison(image: PhaseImage) -> np.ndarray:
    """Stiffness of the same voxels with a linear, nearly incompressible matrix of shear modulus 1."""
    matrices = np.stack([isotropic_stiffness(STIFF_BULK, 1.0, 3), np.zeros((6, 6))])
    return solve_tensor(image.index, matrices, element=Element.REDUCED, residual=1e-5).value


def bound(stiffness: np.ndarray, m: float, d: float, f: float) -> float:
    """sqrt((1 - f)/(3 mu) D : C : D): stresses of the limit state are admissible in the linear cell, too."""
    rate = np.array([m + d, m - d / 2, m - d / 2, 0, 0, 0])
    return float(np.sqrt((1 - f) / 3 * rate @ stiffness @ rate))


def stresses(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """S_m and S_xx - S_yy of every increment."""
    return curve.flux[:, :3].mean(axis=1), curve.flux[:, 0] - curve.flux[:, 1]


def _named(m: float, d: float) -> str:
    return "hydrostatic" if d == 0 else f"m/d = {m / d:g}"


def _table() -> Table:
    images = {
        "one void": generate.sphere_array(SIZE, FRACTION),
        "random voids": generate.random_spheres((SIZE,) * 3, FRACTION, radius=SIZE * 0.15, seed=4),
    }
    rows: list[Row] = []
    series: dict = {"paths": {}, "surfaces": {}, "slice": []}
    newton = []
    for kind, image in images.items():
        f = float(image.fractions[1])
        cell = NonlinearCell(image.grid, image.labels, {0: MATRIX, 1: None})
        batch, linear = prepare(cell), comparison(image)
        for m, d in DIRECTIONS if kind == "one void" else FEW:
            curve = follow(cell, legs(m, d), METHOD, batch=batch, order_at=3)
            mean, equivalent = stresses(curve)
            work = 3 * m * mean + d * equivalent
            name = f"{kind}, {_named(m, d)}"
            gurson, tvergaard = support(m, d, f), support(m, d, f, Q1)
            still = abs(work[-1] - work[-2]) / work[-1]
            rows += [
                Row(f"{name}: under the linear bound of its own voxels", work[-1], bound(linear, m, d, f), 1e-3, "<="),
                Row(f"{name}: Gurson", work[-1], gurson[0], note=f"changed by {still:.0e} in the last increment"),
                Row(f"{name}: Gurson with Tvergaard's q1 = {Q1:g}", work[-1], tvergaard[0]),
            ]  # fmt: skip
            if m == 0:
                rows.append(
                    Row(f"{name}: under what the matrix fraction carries", work[-1], d * (1 - f), 0.0, "<=")
                )
            if d == 0 and kind == "one void":
                edge = (3 * f / (4 * np.pi)) ** (1 / 3)
                note = "stress of the largest hollow ball in the cell, uniform pressure outside"
                rows.append(
                    Row(
                        f"{name}: above the static bound",
                        work[-1],
                        6 * m * np.log(0.5 / edge),
                        0.0,
                        ">=",
                        note,
                    )
                )
            newton.append(curve.newton_cells(name, smooth=False))
            series["paths"][name] = {"mean": mean, "equivalent": equivalent, "size": float(np.hypot(m, d)),
                                     "time": curve.time * STRAIN, "work": work / np.hypot(m, d)}  # fmt: skip
            if kind == "one void" and (m, d) == (0.2, 1.0):
                field = local_fields(batch, image, curve.last).internal["accumulated"]
                series["slice"] = packed(np.where(image.labels, np.nan, field)[:, :, SIZE // 2])
        angles = np.linspace(0, np.pi / 2, 46)
        own = [bound(linear, np.sin(a) / 3, np.cos(a), f) for a in angles]
        series["surfaces"][kind] = {"fraction": f, "angles": angles, "own": own}
    words = (
        f"A perfectly plastic von Mises matrix (E = {YOUNG:g} yield stresses, nu = {POISSON:g}) with voids of "
        f"fraction {FRACTION:g}: one void in a cubic cell and several at random, {SIZE}^3 voxels, periodic, one "
        f"point per voxel. Strains grow to {STRAIN:g} in a fixed direction; values are the dissipation S : D at "
        "the end, in yield stresses, each at the fraction that the voxels have. *Linear bound*: stresses of any "
        "state that yields nowhere are in equilibrium in a linear cell of the same voxels as well, whose least "
        "energy they cannot undercut, so that S : D <= sqrt((1-f)/(3 mu) D : C : D) with C its stiffness "
        "(incompressible matrix, shear modulus mu). It is rigorous for these elements, tight for shear and poor "
        "under pressure. Gurson's surface is an upper bound for a hollow sphere, exact there under pressure, and "
        "no bound for a cubic array: ligaments between neighbouring voids are thinner than its shell, so that "
        "cells should lie below it, and near the surface with q1 = 1.5 that was fitted to arrays of voids. "
        f"Limited by the machine: {SIZE}^3 voxels, seven between neighbouring voids of the array and two or three "
        "in the radius of a random one; and a limit state is reached to the change of the last increment."
        + NEWTON_WORDS
        + " Here it is the third increment, since at the limit load the tangent is singular. "
        "The law is not smooth (points start and stop to yield), so that no order is given."
    )  # fmt: skip
    return Table(
        "Porous metal: Gurson's surface and bounds", words, tuple(rows), series, "nonlinear-porous.png",
        "Left: paths in the plane of mean and equivalent stress, their ends on the yield surface. Middle: "
        "dissipation over strain. Right: accumulated plastic strain in the plane through the void, m/d = 0.2.",
        NEWTON_HEADER, tuple(newton),
    )  # fmt: skip

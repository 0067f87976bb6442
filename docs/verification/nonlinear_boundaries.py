r"""Elastic balls in a yielding matrix under the three boundary conditions, which must come in order.

In one step from the virgin state backward Euler minimizes the incremental potential <psi + sigma_y Delta alpha> over
fluctuations: none on the faces (KUBC), periodic ones, all without mean gradient (SUBC). Each set contains the one
before, so that the minima are in order whatever the microstructure, as in linear elasticity [huet1990]. Along a path of
many steps the order of the curves is not guaranteed, and expected.
"""

from __future__ import annotations

from pathlib import Path

from docs.verification.nonlinear_solve import NEWTON_HEADER, NEWTON_WORDS, Curve, follow, packed
from docs.verification.record import Row, Table

from scalebridge import Elasticity, PhaseImage, generate
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.cell.nonlinear import Integration, NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.loading import Leg, leg_of
from scalebridge.homogenize.path.measure import local_fields
from scalebridge.material import SMALL_STRAIN
from scalebridge.material.laws import LinearLaw
from scalebridge.material.laws.hardening import LinearHardening
from scalebridge.material.laws.j2 import J2Plasticity

SIZE = 12
FRACTION = 0.2
RADIUS = 2.4
YIELD = 100e6
MATRIX = J2Plasticity(70e9 / 1.2, 70e9 / 2.6, YIELD, LinearHardening(1e9))  # E = 70 GPa, nu = 0.3
BALL = LinearLaw.of(Elasticity.isotropic(E=400e9, nu=0.2))
CONDITIONS: dict[str, AbstractBoundary] = {
    "SUBC": StaticUniform(),
    "periodic": Periodic(),
    "KUBC": KinematicUniform(),
}
METHOD = NewtonKrylov(tolerance=1e-8)
TENSION = [leg_of(SMALL_STRAIN, 3, {"xx": 0.008}, rest_free=True, increments=8)]
STEP = {"xx": 0.004, "yy": -0.001, "zz": -0.002, "yz": 0.0, "xz": 0.001, "xy": 0.002}
SHOWN = (0, 1, 3, 7)


def tables(data: Path | None) -> list[Table]:
    return [_table(generate.random_spheres((SIZE,) * 3, FRACTION, radius=RADIUS, seed=2))]


def potential(curve: Curve) -> float:
    """<psi + sigma_y Delta alpha> of a path of one step, J/m^3."""
    return float(curve.stored[-1] + curve.dissipated[-1])


def _table(image: PhaseImage) -> Table:
    curves, steps, newton, fields = {}, {}, [], {}
    for name, boundary in CONDITIONS.items():
        laws = {0: MATRIX, 1: BALL}
        cell = NonlinearCell(image.grid, image.labels, laws, boundary, Integration.MEAN_DILATATION)
        batch = prepare(cell)
        curves[name] = follow(cell, TENSION, METHOD, batch=batch)
        steps[name] = follow(cell, [Leg(STEP, increments=1)], METHOD, batch=batch, order_at=-1)
        assert len(steps[name].newton) == 1, "cut in two it would be another minimum"
        newton.append(curves[name].newton_cells(name, smooth=False))
        field = local_fields(batch, image, curves[name].last).internal["accumulated"]
        fields[name] = packed(field[:, :, SIZE // 2])
    strain = curves["periodic"].drive[:, 0]
    rows = []
    pairs = (("SUBC", "periodic"), ("periodic", "KUBC"))
    for low, high in pairs:
        rows.append(Row(f"potential after one step, J/m^3: {low} under {high}", potential(steps[low]),
                        potential(steps[high]), 1e-9, "<="))  # fmt: skip
    for n in SHOWN:
        for low, high in pairs:
            values = (curves[k].flux[n, 0] / 1e6 for k in (low, high))
            rows.append(Row(f"stress at {strain[n]:.1%}, MPa: {low} under {high}", *values, 1e-9, "<="))
    for low, high in pairs:
        values = (curves[k].work[-1] / 1e3 for k in (low, high))
        rows.append(Row(f"work to {strain[-1]:.1%}, kJ/m^3: {low} under {high}", *values, 1e-9, "<="))
    spread = [float(curves["KUBC"].flux[n, 0] / curves["SUBC"].flux[n, 0] - 1) for n in (0, len(strain) - 1)]
    words = (
        f"Elastic balls (E = 400 GPa, nu = 0.2, fraction {image.fractions[1]:.3f}, radius {RADIUS:g} voxels, some "
        f"cut by the faces) in a metal (E = 70 GPa, nu = 0.3, yield stress 100 MPa, hardening 1 GPa), {SIZE}^3 "
        "voxels, eight points with the mean dilatation of the voxel in all three cells, so that only the boundary "
        "differs. Tension along x, no stress sideways; and one step to a general strain, whose incremental "
        "potentials are in order by a theorem (each condition minimizes over a larger set of displacements than "
        f"the next). From KUBC to SUBC the stress differs by {spread[0]:.1%} in the first, elastic increment and "
        f"by {spread[1]:.1%} in the last: beyond yield the contrast of the phases grows, and under KUBC balls "
        "cut by the faces must take the strain of the faces, so that their elastic stress grows on. Limited by the "
        f"machine: {SIZE}^3 voxels, which is a small window; the three curves would close in on each other in larger "
        "ones."
        + NEWTON_WORDS
        + " The law is not smooth (points start and stop to yield), so that no order is given."
    )  # fmt: skip
    series = {
        "strain": strain,
        "stress": {name: curve.flux[:, 0] / 1e6 for name, curve in curves.items()},
        "fields": fields,
    }
    return Table(
        "Elastic balls in a yielding matrix: order of boundary conditions", words, tuple(rows), series,
        "nonlinear-boundaries.png",
        "Left: curves in tension; then relative to the periodic one. Right: accumulated plastic strain at the "
        "end in the middle plane, on one scale.",
        NEWTON_HEADER, tuple(newton),
    )  # fmt: skip

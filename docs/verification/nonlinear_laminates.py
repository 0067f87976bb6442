r"""Laminates beyond linear elasticity: exact two-phase solutions for layers along the axes, and for any orientation.

Voxels cannot show oblique layers but as stairs. An oblique laminate of isotropic phases is one across x seen in a
turned frame: the load is turned into the frame of the layers, the answer turned back, and both are exact. The exact
solution needs the laws of the two points only, and knows the oblique normal directly.
"""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
from docs.verification.nonlinear_solve import NEWTON_HEADER, NEWTON_WORDS, Curve, follow
from docs.verification.record import Row, Table
from scipy.spatial.transform import Rotation
from tests.exact_laminates import ExactLaminate

from scalebridge import Elasticity
from scalebridge.cell.nonlinear import NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.grid import VoxelGrid
from scalebridge.material import FINITE_STRAIN, SMALL_STRAIN, Kinematics
from scalebridge.material.laws import AbstractPointLaw, LinearLaw, NeoHooke, PlaneStrain
from scalebridge.material.laws.hardening import VoceHardening
from scalebridge.material.laws.j2 import J2Plasticity
from scalebridge.material.laws.maxwell import GeneralizedMaxwell
from scalebridge.material.laws.slip_systems import turned_mandel

METHOD = NewtonKrylov(tolerance=1e-11)
ELASTIC = LinearLaw.of(Elasticity.isotropic(E=400e9, nu=0.2))
METAL = J2Plasticity(70e9, 26e9, 100e6, VoceHardening(80e6, 40.0, 0.5e9))
SOLID = GeneralizedMaxwell(3e9, 0.1e9, [0.6e9, 0.3e9], [0.5, 5.0], [1e9], [2.0])
FLUID = GeneralizedMaxwell(2e9, 0.0, [0.4e9], [1.0])
PAIRS: dict[str, tuple[AbstractPointLaw, AbstractPointLaw]] = {
    "plastic": (ELASTIC, METAL),
    "viscoelastic": (SOLID, FLUID),
    "finite strain": (NeoHooke(5e6, 1e6), NeoHooke(30e6, 8e6)),
}
FRACTION = 0.25  # of the first law
STRAINS = (
    np.array([[6, 5, -3], [5, -4, 2], [-3, 2, 1.0]]) * 1e-3,
    np.array([[-3, 1, 1], [1, 1, -2], [1, -2, 0.0]]) * 1e-3,
)
GRADIENTS = (
    np.array([[1.3, 0.2, -0.1], [0.1, 0.8, 0.15], [0.0, -0.1, 1.1]]),
    np.array([[0.9, 0.05, 0.0], [0.0, 1.1, -0.1], [0.1, 0.0, 0.95]]),
)
STEPS = 4
ORIENTATIONS = {
    "across x": np.eye(3),
    "across y": Rotation.from_euler("z", 90, degrees=True).as_matrix(),
    "across (1, 1, 0)": Rotation.from_euler("z", 45, degrees=True).as_matrix(),
    "across a direction with no symmetry": Rotation.from_euler(
        "xyz", [17, -52, 31], degrees=True
    ).as_matrix(),
}
STAIRS = (8, 16, 32)


def tables(data: Path | None) -> list[Table]:
    return [_exact(), _stairs()]


def turn(rotation: np.ndarray, kinematics: Kinematics) -> np.ndarray:
    """T (m, m): drives and fluxes t -> R t R^T in the notation of the kinematics."""
    if kinematics.symmetric:
        with jax.enable_x64(True):
            return np.asarray(turned_mandel(rotation))
    return np.kron(rotation, rotation)


def legs_of(ends: tuple[np.ndarray, ...], rotation: np.ndarray, kinematics: Kinematics) -> list[Leg]:
    """Straight legs between these tensors, seen in a frame whose axes are the rows of `rotation`."""
    names, parts = kinematics.components(3), []
    for end in ends:
        seen = rotation @ end @ rotation.T
        drive = {name: float(seen["xyz".index(name[0]), "xyz".index(name[1])]) for name in names}
        parts.append(Leg(drive, increments=STEPS))
    return parts


def _exact() -> Table:
    rows, newton, series = [], [], {}
    labels = np.broadcast_to(np.array([1, 0, 1, 1], np.uint8)[:, None, None], (4, 4, 4)).copy()
    for kind, laws in PAIRS.items():
        kinematics = laws[0].kinematics
        ends = STRAINS if kinematics is SMALL_STRAIN else GRADIENTS
        cell = NonlinearCell(VoxelGrid((4, 4, 4), (1.0,) * 3), labels, dict(enumerate(laws)))
        batch = prepare(cell)
        for where, axes in ORIENTATIONS.items():
            # Columns of `axes` are the layers' own axes in the laboratory; the first is their normal.
            exact = list(
                ExactLaminate(laws, FRACTION, axes[:, 0]).along(legs_of(ends, np.eye(3), kinematics))
            )
            curve = follow(cell, legs_of(ends, axes.T, kinematics), METHOD, batch=batch)
            found = curve.flux @ turn(axes, kinematics).T
            wanted = np.stack([step.flux for step in exact])
            size = np.abs(wanted).max()
            rows += [
                Row(f"{kind}, {where}: largest difference of a stress in {len(exact)} increments, over the largest",
                    float(np.abs(found - wanted).max() / size), 0.0, 1e-8),
                Row(f"{kind}, {where}: stored energy at the end, relative", curve.stored[-1], exact[-1].stored, 1e-8),
            ]  # fmt: skip
            if kinematics is FINITE_STRAIN:
                order = Row(f"{kind}, {where}: Newton's order", curve.order, 2.0, 0.05, ">=", "at least 1.9")
                rows.append(order)
            newton.append(curve.newton_cells(f"{kind}, {where}"))
    words = (
        "A quarter of one law, three quarters of the other, along a path of two legs in all components: a linear "
        "elastic solid with a metal with Voce hardening; a Maxwell solid with a fluid; two neo-Hookean rubbers to "
        "F_xx = 1.3 and on to 0.9. 4^3 voxels with layers across x; other orientations by turning the load into "
        "the frame of the layers and the stress back. Reference: the two homogeneous layers with their jump of "
        "strain, solved in NumPy with the oblique normal, nothing turned." + NEWTON_WORDS
        + " Viscoelastic increments are linear: they repeat until the linear solver is exact enough, and have no order."
    )  # fmt: skip
    return Table("Laminates with a history, any orientation", words, tuple(rows), series, "", "", NEWTON_HEADER,
                 tuple(newton))  # fmt: skip


def stairs(n: int, slope: int) -> np.ndarray:
    """Stripes across (1, slope) in a periodic square of n x n pixels: a quarter of label 0."""
    i, j = np.indices((n, n))
    return ((i + slope * j) % n >= FRACTION * n).astype(np.uint8)


def _stairs() -> Table:
    laws = (PlaneStrain(ELASTIC), PlaneStrain(METAL))
    leg = Leg({"xx": 0.008, "yy": -0.003, "xy": 0.004}, increments=8)
    rows, series = [], {}
    for slope in (1, 2):
        exact = list(ExactLaminate(laws, FRACTION, (1.0, float(slope))).along([leg]))
        wanted = np.stack([step.flux for step in exact])
        errors, curves = [], {}
        for n in STAIRS:
            cell = NonlinearCell(VoxelGrid((n, n), (1.0, 1.0)), stairs(n, slope), dict(enumerate(laws)))
            curve: Curve = follow(cell, [leg], NewtonKrylov(tolerance=1e-9), order_at=-1)
            error = float(np.abs(curve.flux - wanted).max() / np.abs(wanted).max())
            curves[str(n)] = curve.flux[:, 0] / 1e6
            asked = 1e-8 if slope == 1 else None
            note = f"{error / errors[-1]:.2f} of that on half as many" if errors and slope > 1 else ""
            name = f"across (1, {slope}), {n}^2 pixels: largest difference of a stress over the largest"
            rows.append(Row(name, error, 0.0, asked, note=note))
            errors.append(error)
        series[f"(1, {slope})"] = {"strain": curve.drive[:, 0], "exact": wanted[:, 0] / 1e6, "curves": curves,
                                   "pixels": list(STAIRS), "errors": errors}  # fmt: skip
    words = (
        "The same elastic and plastic layers oblique to the pixels, in plane strain, drawn as stairs: what an "
        "image of them gives. Across (1, 1) nothing is lost: with one point per pixel the gradient of a "
        "displacement that depends on i + j only is along (1, 1), as in the true laminate. Across (1, 2) that is "
        "so for the mean over two pixels only, and what the stairs get wrong along each interface falls with the "
        "pixel. Turning the load, as above, is exact for any orientation."
    )
    return Table(
        "Oblique laminates drawn as stairs", words, tuple(rows), series, "nonlinear-stairs.png",
        "Left: stress over strain across (1, 2), stairs (marks) and exact (line). Right: largest difference over "
        "pixels.",
    )  # fmt: skip

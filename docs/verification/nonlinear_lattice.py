r"""A square lattice of voids in rubber under compression: the pattern transformation, and where stability is lost.

The perfect lattice shortens evenly until its linearized cell K loses positive definiteness in a mode that repeats over
two by two voids only (they turn into ellipses, alternately upright and lying [mullin2007]); a slightly imperfect
lattice follows it and turns off. Two ways to the critical strain: where the smallest eigenvalue of K (relative to the
mass of the solid) extrapolates to zero, and Southwell's plot: the amplitude q of the mode in the imperfect lattice
grows like e/(c - e), so that e/q is a straight line in e that is zero at c.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from docs.verification.nonlinear_solve import NEWTON_HEADER, NEWTON_WORDS, Curve, follow, packed
from docs.verification.record import Row, Table

from scalebridge.cell.nonlinear import NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.linear_solve import solve_linear
from scalebridge.cell.nonlinear.linearization import Linearization
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.cell.nonlinear.march import Increment, march
from scalebridge.cell.nonlinear.newton import Batch
from scalebridge.cell.nonlinear.problem import Equilibrium
from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
from scalebridge.core.errors import ConvergenceError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.path.measure import local_fields
from scalebridge.material.laws import NeoHooke, PlaneStrain

SIZE = 64  # pixels along two voids
RADIUS = 0.42  # over the pitch
MODULUS = 1e6
RUBBER = PlaneStrain(NeoHooke(10 * MODULUS, MODULUS))
IMPERFECTION = 0.01  # of the radius: semi-axes of the alternating ellipses
STRAIN, INCREMENTS = 0.08, 16
# Shortening along y; no stress along x; no rotation, no shear.
PATH = Leg({"yy": 1 - STRAIN, "xy": 0.0, "yx": 0.0}, {"xx": 0.0}, increments=INCREMENTS)
METHOD = NewtonKrylov(tolerance=1e-8)
INVERSE_STEPS = (10, 5)  # from a random start, and from the mode of the increment before
KRYLOV = 800
BUDGET = 1e8


def tables(data: Path | None) -> list[Table]:
    return [_table()]


def lattice(imperfection: float) -> np.ndarray:
    """Labels (SIZE, SIZE): 1 in two by two ellipses whose long axes alternate; 0 in the rubber."""
    x, y = np.meshgrid(*[(np.arange(SIZE) + 0.5) * 2 / SIZE] * 2, indexing="ij")
    sign = np.where((np.floor(x) + np.floor(y)) % 2 == 0, 1.0, -1.0)
    a, b = RADIUS * (1 + sign * imperfection), RADIUS * (1 - sign * imperfection)
    inside = ((x % 1 - 0.5) / a) ** 2 + ((y % 1 - 0.5) / b) ** 2 <= 1
    return inside.astype(np.uint8)


def cell_of(labels: np.ndarray) -> NonlinearCell:
    return NonlinearCell(VoxelGrid(labels.shape, (1.0, 1.0)), labels, {0: RUBBER, 1: None})


def solid_mass(labels: np.ndarray) -> np.ndarray:
    """Pixels of rubber around every node of the periodic grid, over four."""
    solid = (labels == 0).astype(float)
    return sum(np.roll(solid, shift, (0, 1)) for shift in ((0, 0), (1, 0), (0, 1), (1, 1))) / 4


def without_free_modes(w: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Displacements (2, 1, n, n) without what costs nothing and is no instability: translations, and the checkerboard
    that the middle of a pixel does not see."""
    for pattern in (np.ones_like(mass), (-1.0) ** np.sum(np.indices(mass.shape), axis=0)):
        weight = mass * pattern
        w = w - pattern * np.sum(weight * w, axis=(2, 3), keepdims=True) / np.sum(weight * pattern)
    return w


def smallest_eigenvalue(
    batch: Batch, balance: Equilibrium, mass: np.ndarray, guess: np.ndarray | None
) -> tuple[float, np.ndarray]:
    """Of K w = lambda M w at fixed macroscopic F, by inverse iteration; lambda < 0 where K is found indefinite."""
    linear = Linearization(batch.space, balance.tangent, batch.points.symmetric, BUDGET)
    m, value, held = batch.elements.size, np.nan, np.zeros((1, batch.elements.size), bool)
    w = np.random.default_rng(0).standard_normal((2, 1, *mass.shape)) if guess is None else guess
    for _ in range(INVERSE_STEPS[guess is not None]):
        w = without_free_modes(w, mass)
        right = mass * w / np.sqrt(np.sum(mass * w * w))
        with jax.enable_x64(True):
            # Made anew: the solver takes over what it is given.
            force = tuple(jnp.asarray(v, batch.space.dtype) for v in right)
            found = solve_linear(linear, force, jnp.zeros((1, m)), held, np.full(1, 1e-4), KRYLOV)
        if found.indefinite.any():
            return -1.0, w
        w = without_free_modes(np.stack([np.asarray(v, float) for v in found.w]), mass)
        # Rayleigh's quotient of y = K^-1 M x is y.M x / y.M y.
        value = float(np.sum(w * right) / np.sum(mass * w * w))
    return value, w


@dataclasses.dataclass(frozen=True, eq=False)
class Perfect:
    """The even path: strain, stress, eigenvalues (N,) up to the loss of stability; the critical strain and mode."""

    strain: np.ndarray
    stress: np.ndarray
    eigenvalue: np.ndarray
    critical: float
    mode: np.ndarray


def perfect() -> Perfect:
    """Follows the perfect lattice while its K is positive definite."""
    labels = lattice(0.0)
    batch, mass = prepare(cell_of(labels)), solid_mass(labels)
    strains, stresses, values, mode = [], [], [], None
    try:
        for increment in march(batch, [PATH], METHOD):
            value, found = smallest_eigenvalue(batch, increment.balance, mass, mode)
            if value < 0:
                break
            mode = found
            strains.append(1 - float(increment.balance.drive[0, 3]))
            stresses.append(float(increment.balance.flux[0, 3]) / MODULUS)
            values.append(value)
            if len(values) > 1 and value < values[-2] - value:
                break  # the next increment would be beyond it, where the even path is no minimum any more
    except ConvergenceError:  # at the loss of stability, if nowhere else
        pass
    e, v = np.array(strains), np.array(values)
    assert mode is not None
    # A parabola through the last three: the strain as a function of the eigenvalue, at zero.
    critical = float(np.polyval(np.polyfit(v[-3:], e[-3:], 2), 0.0))
    return Perfect(e, np.array(stresses), v, critical, mode)


def southwell(strain: np.ndarray, amplitude: np.ndarray, critical: float) -> float:
    """Where the line through e/q crosses zero; increments from 40 to 90 % of the critical strain."""
    chosen = (strain > 0.4 * critical) & (strain < 0.9 * critical)
    slope, constant = np.polyfit(strain[chosen], strain[chosen] / amplitude[chosen], 1)
    return float(-constant / slope)


def condensed(tangent: np.ndarray) -> float:
    """dP_yy/dF_yy with P_xx = 0 held, of a tangent (4, 4) in xx, xy, yx, yy."""
    return float(tangent[3, 3] - tangent[3, 0] * tangent[0, 3] / tangent[0, 0])


def shifted(mode: np.ndarray) -> float:
    """How a mode moved by one void along x resembles itself: 1 where it repeats over one void, -1 where it turns."""
    moved = np.roll(mode, SIZE // 2, axis=2)
    return float(np.sum(moved * mode) / np.sum(mode * mode))


def _table() -> Table:
    even = perfect()
    labels = lattice(IMPERFECTION)
    cell, mass = cell_of(labels), solid_mass(labels)
    batch = prepare(cell)
    amplitude: list[float] = []
    tangent: dict[str, list[float]] = {"strain": [], "value": []}

    def look(increment: Increment) -> None:
        balance = increment.balance
        w = np.stack([np.asarray(v, float) for v in balance.w])
        amplitude.append(abs(float(np.sum(mass * even.mode * w))))
        if increment.number % 3 == 1:
            with contextlib.suppress(ConvergenceError):  # where the cell itself is on the verge
                tangent["value"].append(condensed(macroscopic_tangent(batch, balance)[0]) / MODULUS)
                tangent["strain"].append(1 - float(balance.drive[0, 3]))

    curve = follow(cell, [PATH], METHOD, batch=batch, each=look)
    strain, stress = 1 - curve.drive[:, 3], curve.flux[:, 3] / MODULUS
    grown = southwell(strain, np.array(amplitude), even.critical)
    half = int(np.searchsorted(even.strain, 0.5 * even.critical)) - 1
    rows = (
        Row("critical strain: Southwell's plot of the imperfect lattice, against the eigenvalue of the perfect one",
            grown, even.critical, 0.1, note=f"imperfection {IMPERFECTION:.0%} of the radius"),
        Row("the critical mode moved by one void, times itself", shifted(even.mode), -1.0, 0.01,
            note="it alternates: a cell of one void would stay stable"),
        Row(f"stress over G at {even.strain[half]:.1%}: imperfect against perfect",
            float(np.interp(even.strain[half], strain, stress)), even.stress[half],
            note="the imperfection bends ligaments from the start"),
        Row(f"stress over G at {even.strain[-1]:.1%}, the last stable strain", float(np.interp(even.strain[-1], strain,
            stress)), even.stress[-1], 0.0, ">=", note="compression: buckling ligaments carry less"),
        Row("tangent dP_yy/dF_yy at P_xx = 0: smallest over first", min(tangent["value"]) / tangent["value"][0], 1.0),
        Row("Newton's order, imperfect lattice, last increment", curve.order, 2.0, 0.05, ">=", note="at least 1.9"),
    )  # fmt: skip
    words = (
        f"Plane strain, neo-Hookean rubber (K = 10 G), a square lattice of voids of radius {RADIUS:g} pitches "
        f"(porosity {float((labels == 1).mean()):.3f}), two by two of them on {SIZE}^2 pixels, periodic, one point "
        "per pixel; shortened along y without stress along x. The perfect lattice stays even until the smallest "
        f"eigenvalue of its linearized cell is zero, at {even.critical:.2%}. With voids that are ellipses by "
        f"{IMPERFECTION:.0%} to begin with the lattice turns off just there: voids become ellipses, upright and "
        "lying by turns, and the stress stays behind. Southwell's plot uses increments from 40 to 90 % of the "
        "critical strain; its line is the first order in the amplitude, hence the few per cent. Limited by the "
        f"machine: ligaments are {SIZE / 2 * (1 - 2 * RADIUS):.0f} pixels wide, and the stairs on their sides move "
        "the critical strain itself, for both in the same way." + NEWTON_WORDS
    )
    return Table(
        "Buckling of a void lattice", words, rows, _series(even, curve, tangent, labels), "nonlinear-lattice.png",
        "Left: stress over shortening; dashed: critical strain from the eigenvalue. Middle: what loses stability. "
        "Right: the imperfect lattice at the end, deformed.",
        NEWTON_HEADER, (curve.newton_cells("imperfect lattice"),),
    )  # fmt: skip


def _series(
    even: Perfect, curve: Curve, tangent: dict[str, list[float]], labels: np.ndarray
) -> dict[str, Any]:
    fields = local_fields(curve.batch, PhaseImage(labels, VoxelGrid(labels.shape)), curve.last)
    x, y = np.meshgrid(*[np.arange(n + 1) for n in labels.shape], indexing="ij")
    # The displacement in pixels already holds its macroscopic part.
    local = np.where(labels == 0, fields.flux[3] / MODULUS, np.nan)
    return {
        "critical": even.critical, "strain": 1 - curve.drive[:, 3], "stress": curve.flux[:, 3] / MODULUS,
        "even": {"strain": even.strain, "stress": even.stress, "eigenvalue": even.eigenvalue}, "tangent": tangent,
        "shape": {"x": packed(x + fields.primary[0]), "y": packed(y + fields.primary[1]), "stress": packed(local),
                  "top": float(np.nanquantile(np.abs(local), 0.98))},
    }  # fmt: skip

r"""Relaxation of viscoelastic composites against the correspondence principle.

In Laplace-Carson space a linear viscoelastic composite is an elastic one with moduli K(s) = K + sum K_j s t_j /
(1 + s t_j): the same cell solved by the linear solver gives C(s), and the relaxation is R(t) with C(s) = s times the
integral of R exp(-st).
Laminates: C(s) is rational, its poles and residues give R(t) exactly. Balls: C(s) at some s, and a sum of exponentials
through them (collocation) whose times lie where those of the composite can lie.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from docs.verification.nonlinear_solve import Curve, follow
from docs.verification.record import Row, Table
from docs.verification.solve import solve_tensor
from numpy.polynomial import Polynomial

from scalebridge import Elasticity, PhaseImage, generate
from scalebridge.cell.modes import Element
from scalebridge.cell.nonlinear import NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.grid import VoxelGrid
from scalebridge.material.laws import LinearLaw
from scalebridge.material.laws.maxwell import GeneralizedMaxwell
from scalebridge.numerics.mandel import isotropic_stiffness

SOLID = GeneralizedMaxwell(4e9, 0.2e9, [1.0e9], [1.0])
OTHER = GeneralizedMaxwell(2e9, 0.1e9, [0.5e9, 0.3e9], [0.5, 8.0], [1e9], [3.0])
BALL = Elasticity.isotropic(E=70e9, nu=0.2)
SIZE = 16
FRACTION = 0.3
STRAIN = 0.01
SHOWN = (0.01, 0.1, 1.0, 10.0, 100.0)
COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")
STEPS = (8, 16)  # per decade of time
SAMPLES = tuple(float(s) for s in np.geomspace(0.02, 5, 9))
LEFT_OUT = 0.3
TERMS = 7
METHOD = NewtonKrylov(tolerance=1e-9)


def tables(data: Path | None) -> list[Table]:
    laminate, balls = _laminate(), _balls()
    return [laminate, dataclasses.replace(balls, series={**laminate.series, **balls.series})]


def moduli(law: GeneralizedMaxwell, s: float) -> tuple[float, float]:
    """K(s), G(s)."""
    bulk, shear = (
        float(np.sum(m * s * t / (1 + s * t)))
        for m, t in ((law.bulk_moduli, law.bulk_times), (law.shear_moduli, law.shear_times))
    )
    return float(law.bulk) + bulk, float(law.shear) + shear


def relaxation_legs(component: str, per_decade: int) -> list[Leg]:
    """A jump, then hold with steps that grow geometrically from 1e-3 to 1e2."""
    held = {name: STRAIN if name == component else 0.0 for name in COMPONENTS}
    times = np.concatenate([[1e-9], np.logspace(-3, 2, 5 * per_decade + 1)])
    return [Leg(held, duration=float(d), increments=1) for d in np.diff(times, prepend=0.0)]


def at_times(curve: Curve, component: int) -> np.ndarray:
    """Stress over strain at SHOWN, which are ends of increments."""
    places = [int(np.argmin(np.abs(curve.time - t))) for t in SHOWN]
    assert np.allclose(curve.time[places], SHOWN, rtol=1e-6)
    return curve.flux[places, component] / STRAIN / (2**0.5 if component > 2 else 1)


def series_stiffness(kind: str) -> tuple[Polynomial, Polynomial]:
    """Numerator and denominator in s of 1 / <1/M(s)> of the two halves, M = K + 4G/3 ("xx") or 2G ("xy")."""
    compliances = []
    for law in (SOLID, OTHER):
        weight, terms = (4 / 3, [(law.bulk_moduli, law.bulk_times)]) if kind == "xx" else (2.0, [])
        constant = float(law.bulk) * (kind == "xx") + weight * float(law.shear)
        branches = [(m, t) for ms, ts in terms for m, t in zip(ms, ts, strict=True)]
        branches += [(weight * m, t) for m, t in zip(law.shear_moduli, law.shear_times, strict=True)]
        bottom = Polynomial([1.0])
        for _, t in branches:
            bottom *= Polynomial([1.0, t])
        top = constant * bottom
        for m, t in branches:
            top += m * Polynomial([0.0, t]) * (bottom // Polynomial([1.0, t]))
        compliances.append((top, bottom))
    (a, b), (c, d) = compliances
    return 2 * a * c, b * c + d * a


def exact_relaxation(kind: str, t: np.ndarray) -> np.ndarray:
    """R(t) = C(0) + sum_j top(-p_j)/(-p_j bottom'(-p_j)) exp(-p_j t)."""
    top, bottom = series_stiffness(kind)
    roots, slope = bottom.roots(), bottom.deriv()
    value = np.full(len(t), top(0) / bottom(0))
    for root in np.real(roots):
        value = value + top(root) / (root * slope(root)) * np.exp(root * t)
    return value


def stepped(cell: NonlinearCell, component: int) -> tuple[dict[int, np.ndarray], np.ndarray, Curve]:
    """R at SHOWN for each number of steps per decade, extrapolated to none (second order), and the finest curve."""
    batch, found = prepare(cell), {}
    for n in STEPS:
        curve = follow(cell, relaxation_legs(COMPONENTS[component], n), METHOD, batch=batch, order_at=-1)
        found[n] = at_times(curve, component)
    coarse, fine = (found[n] for n in STEPS)
    return found, fine + (fine - coarse) / 3, curve


def rows_of(name: str, found: dict[int, np.ndarray], limit: np.ndarray, exact: np.ndarray) -> list[Row]:
    coarse, fine = STEPS
    rows = [
        Row(f"{name}, t = {t:g} s, GPa", value / 1e9, reference / 1e9, 2e-3)
        for t, value, reference in zip(SHOWN, found[fine], exact, strict=True)
    ]
    wrong = {n: float(np.abs(values / exact - 1).max()) for n, values in found.items()}
    rows.append(Row(f"{name}, largest difference, {fine} against {coarse} steps a decade", wrong[fine], wrong[coarse],
                    note=f"observed order {np.log2(wrong[coarse] / wrong[fine]):.2f}"))  # fmt: skip
    rows.append(
        Row(f"{name}, largest difference, extrapolated", float(np.abs(limit / exact - 1).max()), 0.0, 1e-4)
    )
    return rows


def _curve(curve: Curve, component: int) -> dict[str, np.ndarray]:
    weight = STRAIN * (2**0.5 if component > 2 else 1)
    return {"time": curve.time[1:], "modulus": curve.flux[1:, component] / weight / 1e9}


def _laminate() -> Table:
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[2:] = 1
    cell = NonlinearCell(VoxelGrid(labels.shape, (1.0,) * 3), labels, {0: SOLID, 1: OTHER})
    rows, series = [], {}
    for component in (0, 5):
        name = COMPONENTS[component]
        found, limit, curve = stepped(cell, component)
        rows += rows_of(f"C_{name}", found, limit, exact_relaxation(name, np.array(SHOWN)))
        times = np.logspace(-3, 2, 101)
        series[f"laminate, C_{name}"] = {
            **_curve(curve, component), "exact_time": times, "exact": exact_relaxation(name, times) / 1e9,
        }  # fmt: skip
    words = (
        "Two generalized Maxwell solids (one and two shear branches, the second with a bulk branch) in equal layers "
        "across x, 4^3 voxels: relaxation after a jump of the mean strain xx, or xy. In Laplace-Carson space the "
        "laminate is elastic with C(s) = 1/<1/M(s)>, M = K + 4G/3 or G; poles and residues of this rational function "
        "give R(t) = M(t), or 2 G(t) for the tensor shear xy. In space the cell is exact; the law is integrated "
        "exactly for a strain rate that is constant within a step, and what is left is that the layers exchange "
        "strain "
        "within a step: second order, and gone when extrapolated."
    )
    return Table("Relaxation of a laminate", words, tuple(rows), series)


def carson_stiffness(image: PhaseImage, s: float) -> float:
    """C_xx,xx(s) of the voxels with the elastic moduli of SOLID at s; the elements of the nonlinear cell."""
    bulk, shear = moduli(SOLID, s)
    matrices = np.stack([isotropic_stiffness(bulk, shear, 3), BALL.tensor])
    return float(
        solve_tensor(image.index, matrices, element=Element.REDUCED, residual=1e-7, loads=[0]).value[0, 0]
    )


def collocation(image: PhaseImage, times: np.ndarray) -> tuple[np.ndarray, float]:
    """R(times) through C(s) at SAMPLES, and how well it gives C at a value of s that was not used.

    With elastic balls and one Maxwell branch of time t the times of the composite lie between t and t G(0)/G(inf): that
    of a matrix held at constant strain, and held at constant stress.
    """
    t = float(SOLID.shear_times[0])
    longest = t * float(SOLID.shear + SOLID.shear_moduli[0]) / float(SOLID.shear)
    tau = np.geomspace(t, longest, TERMS)
    values = np.array([carson_stiffness(image, s) for s in SAMPLES])

    def basis(s: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(s), 1)), s[:, None] * tau / (1 + s[:, None] * tau)], axis=1)

    found = np.linalg.lstsq(basis(np.array(SAMPLES)) / values[:, None], np.ones(len(values)), rcond=1e-10)[0]
    left_out = carson_stiffness(image, LEFT_OUT)
    gap = float((basis(np.array([LEFT_OUT])) @ found)[0] / left_out - 1)
    return found[0] + np.exp(-times[:, None] / tau) @ found[1:], gap


def _balls() -> Table:
    image = generate.sphere_array(SIZE, FRACTION)
    cell = NonlinearCell(image.grid, image.labels, {0: SOLID, 1: LinearLaw.of(BALL)})
    found, limit, curve = stepped(cell, 0)
    exact, gap = collocation(image, np.array(SHOWN))
    rows = rows_of("C_xx", found, limit, exact)
    note = "the reference itself, at a value of s that was not used"
    rows.append(Row(f"fit of C(s) at s = {LEFT_OUT:g}: relative difference", gap, 0.0, 1e-5, note=note))
    times = np.logspace(-3, 2, 101)
    series = {
        "balls, C_xx": {**_curve(curve, 0), "exact_time": times, "exact": collocation(image, times)[0] / 1e9},
    }
    words = (
        f"Elastic balls (E = 70 GPa, nu = 0.2, fraction {image.fractions[1]:.3f}, cubic array, {SIZE}^3 voxels) in "
        "a Maxwell solid whose shear modulus relaxes from 1.2 to 0.2 GPa with a time of 1 s. The reference is the "
        f"same voxel cell solved by the linear solver with the moduli at {len(SAMPLES)} values of s, and a sum of "
        f"{TERMS} exponentials through them. Both have the same voxels and elements, so that nothing but the steps "
        "in time and the fit is left: the voxels' own error, the same in both, is not seen here."
    )
    return Table(
        "Relaxation of balls in a viscoelastic matrix", words, tuple(rows), series, "nonlinear-relaxation.png",
        "Marks: the cell stepped through time. Lines: the correspondence principle.",
    )  # fmt: skip

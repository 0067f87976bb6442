r"""A polycrystal in tension: DAMASK's Voronoi grains with slip on twelve systems, between Taylor and Sachs.

Taylor: all grains share one strain, Sachs: one stress. Among compatible strains, and among stresses in balance, these
are single trial fields, so that in one step the incremental potential of the cell lies between; the curves of a
path of several steps are expected to. References: [peirce1983], [meric1991].
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import jax
import numpy as np
from docs.verification.bounds_only import GRAINS
from docs.verification.nonlinear_solve import NEWTON_HEADER, NEWTON_WORDS, Curve, follow, packed
from docs.verification.record import Row, Table, missing
from docs.verification.solve import solve_tensor

from scalebridge import PhaseImage, read_image
from scalebridge.cell.modes import Element
from scalebridge.cell.nonlinear import NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.loading import Leg, leg_of
from scalebridge.cell.nonlinear.march import Increment
from scalebridge.grid import VoxelGrid
from scalebridge.homogenize.path.measure import local_fields
from scalebridge.material import SMALL_STRAIN
from scalebridge.material.laws.crystal import CubicCrystal
from scalebridge.material.laws.slip_systems import turned_mandel
from scalebridge.microstructure.generate import random_rotations

SIZE = 12
STRAIN, INCREMENTS, RATE = 0.006, 10, 1e-3
METHOD = NewtonKrylov(tolerance=1e-7)
SMALL = 1e-5  # where nothing slips yet
SHOWN = (1, 3, 6, 10)
FREE = np.array([False, True, True, True, True, True])


def path() -> tuple[list[Leg], np.ndarray]:
    """The legs, and the strains at the ends of their increments (with zero)."""
    legs = [
        leg_of(SMALL_STRAIN, 3, {"xx": end}, rest_free=True, duration=duration / RATE, increments=increments)
        for end, duration, increments in ((SMALL, SMALL, 1), (STRAIN, STRAIN - SMALL, INCREMENTS))
    ]
    return legs, np.array([0.0, *np.linspace(SMALL, STRAIN, INCREMENTS + 1)])


def crystal(orientation: np.ndarray) -> CubicCrystal:
    """Copper-like: elastic constants of copper, slip resistance 40 MPa that grows by 30 MPa."""
    return CubicCrystal(
        168.4e9, 121.4e9, 75.4e9, 40e6, 30e6, 20.0, RATE, 15.0, latent=1.2, orientation=orientation
    )


def coarse_grains(image: PhaseImage, size: int) -> np.ndarray:
    """The grain at the middle of every coarse voxel."""
    places = [((np.arange(size) + 0.5) * n / size).astype(int) for n in image.grid.shape]
    return np.ascontiguousarray(image.labels[np.ix_(*places)]).astype(np.uint8)


@dataclasses.dataclass
class Aggregate:
    """Grains without neighbours, asked all at once in the axes of their crystals; strain, stress (G, 6): sample."""

    rotations: np.ndarray
    fractions: np.ndarray

    def __post_init__(self) -> None:
        with jax.enable_x64(True):
            self.turns = np.stack([np.asarray(turned_mandel(r)) for r in self.rotations])
        self.law = crystal(np.eye(3))
        self.state = self.law.initial_state(len(self.rotations))
        self.strain = np.zeros((len(self.rotations), 6))
        self.stress = np.zeros((len(self.rotations), 6))

    def ask(self, strain: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray, Any]:
        answer = self.law.respond(self.state, np.einsum("gji,gj->gi", self.turns, strain), dt)
        if np.any(answer.status):
            return np.full_like(strain, np.inf), np.zeros((len(strain), 6, 6)), self.state
        flux = np.einsum("gij,gj->gi", self.turns, answer.flux)
        return flux, self.turns @ answer.tangent @ np.swapaxes(self.turns, 1, 2), answer.state

    def keep(self, strain: np.ndarray, stress: np.ndarray, state: Any) -> None:
        self.strain, self.stress, self.state = strain, stress, state

    def mean(self, values: np.ndarray) -> np.ndarray:
        return np.tensordot(self.fractions, values, 1)

    def taylor(self, end: float, dt: float) -> float:
        """One strain for all with e_xx = end and no mean stress sideways: the mean stress xx."""
        strain = self.strain[0].copy()
        strain[0] = end
        for _ in range(60):
            every = np.tile(strain, (len(self.rotations), 1))
            stress, tangent, state = self.ask(every, dt)
            mean = self.mean(stress)
            if np.abs(mean[FREE]).max() < 1e-9 * np.abs(mean[0]):
                self.keep(every, stress, state)
                return float(mean[0])
            strain[FREE] -= np.linalg.solve(self.mean(tangent)[np.ix_(FREE, FREE)], mean[FREE])
        raise RuntimeError("Taylor's aggregate did not converge.")

    def sachs(self, end: float, dt: float) -> float:
        """One uniaxial stress S for all with mean e_xx = end: S. Newton's method for all strains and S together."""
        strain, load = self.strain.copy(), self.mean(self.stress)[0]
        unit = np.eye(6)[0]
        stress, tangent, state = self.ask(strain, dt)
        off = np.inf
        for _ in range(200):
            inverse = np.linalg.inv(tangent)
            back = strain - np.einsum("gij,gj->gi", inverse, stress)
            wanted = (end - self.mean(back)[0]) / self.mean(inverse)[0, 0]
            step, length = back + wanted * inverse[:, :, 0] - strain, 1.0
            while True:  # halved until the stresses come closer to each other
                tried = strain + length * step
                new = self.ask(tried, dt)
                aim = load + length * (wanted - load)
                now = float(np.abs(new[0] - aim * unit).max() / abs(wanted))
                if now < off or length < 1e-3:
                    break
                length /= 2
            strain, load, off = tried, aim, now
            stress, tangent, state = new
            if off < 1e-9 and abs(self.mean(strain)[0] - end) < 1e-12:
                self.keep(strain, stress, state)
                return float(load)
        raise RuntimeError(f"Sachs' aggregate did not converge: {off:.1e}.")


def tables(data: Path | None) -> list[Table]:
    title = "A polycrystal in tension"
    if data is None:
        return [Table(title, "", (missing("stress at the last increment", None, GRAINS),))]
    labels = coarse_grains(read_image(f"{data / GRAINS}:material"), SIZE)
    return [_table(title, labels)]


def _table(title: str, labels: np.ndarray) -> Table:
    present = np.unique(labels)
    rotations = random_rotations(20, np.random.default_rng(5))[present]
    laws = [crystal(r) for r in rotations]
    index = np.searchsorted(present, labels).astype(np.uint8)
    fractions = np.bincount(index.reshape(-1)) / index.size
    legs, strain = path()
    upper, lower = (Aggregate(rotations, fractions) for _ in range(2))
    taylor, sachs = [], []
    for before, end in itertools.pairwise(strain):
        taylor.append((upper.taylor(end, (end - before) / RATE), upper.stress[:, 0]))
        sachs.append(lower.sachs(end, (end - before) / RATE))
    cell = NonlinearCell(VoxelGrid(labels.shape, (1.0,) * 3), index, dict(enumerate(laws)))
    kept: dict[int, np.ndarray] = {}

    def grain_means(increment: Increment) -> None:
        flux = np.asarray(increment.balance.point_flux)[0, 0, 0]
        flat = index.reshape(-1)
        kept[increment.number] = np.bincount(flat, flux) / np.bincount(flat)

    curve = follow(cell, legs, METHOD, batch=prepare(cell), each=grain_means)
    assert np.allclose(curve.drive[:, 0], strain[1:]), "an increment was cut"
    return _assembled(title, index, laws, fractions, curve, kept, taylor, sachs)


def _assembled(
    title: str, index: np.ndarray, laws: list[CubicCrystal], fractions: np.ndarray, curve: Curve,
    grains: dict[int, np.ndarray], taylor: list[tuple[float, np.ndarray]], sachs: list[float],
) -> Table:  # fmt: skip
    strain, stress = curve.drive[:, 0], curve.flux[:, 0]
    virgin = np.stack([law.respond(law.initial_state(1), np.zeros((1, 6)), 0.0).tangent[0] for law in laws])
    elastic = solve_tensor(index, virgin, element=Element.REDUCED, residual=1e-7).value
    young = 1 / np.linalg.inv(elastic)[0, 0]
    rows = [
        Row("Young's modulus along x from the first increment, GPa, against the linear solver on the same voxels",
            stress[0] / strain[0] / 1e9, young / 1e9, 1e-6, note="nothing slips there"),
    ]  # fmt: skip
    for n in SHOWN:
        rows += [
            Row(
                f"stress at {strain[n]:.2%}, MPa: under Taylor's",
                stress[n] / 1e6,
                taylor[n][0] / 1e6,
                0.0,
                "<=",
            ),
            Row(f"stress at {strain[n]:.2%}, MPa: above Sachs'", stress[n] / 1e6, sachs[n] / 1e6, 0.0, ">="),
        ]
    last = len(strain)
    mean = float(fractions @ grains[last])
    rows.append(Row("mean of the grains' stresses, last increment, MPa", mean / 1e6, stress[-1] / 1e6, 1e-9))
    spread = [
        float(np.sqrt(fractions @ (g - fractions @ g) ** 2)) / 1e6 for g in (grains[last], taylor[-1][1])
    ]
    rows.append(Row("scatter of the grains' stresses, MPa: beside Taylor's", *spread, note="Sachs': none"))
    rows.append(Row("Newton's order, last increment", curve.order, 2.0, 0.05, ">=", note="at least 1.9"))
    image = PhaseImage(index, VoxelGrid(index.shape))
    flux = local_fields(curve.batch, image, curve.last).flux
    series = {
        "strain": strain, "stress": stress / 1e6, "taylor": [t[0] / 1e6 for t in taylor],
        "sachs": np.array(sachs) / 1e6,
        "grains": {"elastic": [grains[1] / 1e6, taylor[0][1] / 1e6],
                   "at the end": [grains[last] / 1e6, taylor[-1][1] / 1e6]},
        "fractions": fractions, "slice": packed(flux[0, :, :, SIZE // 2] / 1e6),
        "labels": packed(index[:, :, SIZE // 2]),
    }  # fmt: skip
    words = (
        f"DAMASK's 20 Voronoi grains sampled on {SIZE}^3 voxels, random orientations; copper's elastic constants, "
        "twelve slip systems with resistances from 40 MPa (Voce hardening to 70 and more), slip rate "
        f"1e-3/s (tau/g)^15; tension along x at {RATE:g}/s, no stress sideways. Nothing is published for this "
        "image. Taylor's aggregate "
        "(all grains one strain) and Sachs' (one stress) are solved from the same law without a cell; the curve must "
        "run between. A grain's stress follows its orientation as in Taylor's aggregate, and scatters about that by "
        "what its neighbours do. Limited by the machine: the law costs forty microseconds per point, hence "
        f"{SIZE}^3 voxels, some four across a grain; local stresses are means over coarse voxels."
        + NEWTON_WORDS
    )
    return Table(
        title, words, tuple(rows), series, "nonlinear-polycrystal.png",
        "Left: stress over strain. Middle: mean stress of every grain against that in Taylor's aggregate (line: "
        "equal; dotted: Sachs), elastic "
        "and at the end; size: volume. Right: local stress xx at the end, in a plane.",
        NEWTON_HEADER, (curve.newton_cells("tension"),),
    )  # fmt: skip

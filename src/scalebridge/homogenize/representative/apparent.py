"""The apparent tensor of one sample under one boundary condition: what a worker computes.

The apparent tensor of a piece of material depends on what is done at its faces: as quadratic forms and on the same
voxels C(SUBC) <= C(PBC) <= C(KUBC) [huet1990].
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.problem import PreconditionedConjugateGradients
from scalebridge.core.checkpoint import NullStore
from scalebridge.core.content_store import content_key
from scalebridge.core.errors import LawError, PhaseError
from scalebridge.core.progress import SilentProgress
from scalebridge.core.provenance import versions
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.cells import solve_phases
from scalebridge.homogenize.phases import collect_phases
from scalebridge.homogenize.representative.expansion import cell_energy, cell_expansion
from scalebridge.homogenize.representative.samples import AbstractMaker
from scalebridge.homogenize.validity import transport, without_lost_loads
from scalebridge.material.conduction import Conduction
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.law import AbstractLaw
from scalebridge.material.plane import PlaneState
from scalebridge.material.thermoelasticity import Thermoelasticity
from scalebridge.microstructure import coarsen


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """What fills the samples. laws: by label; grain: the law of every label that is a grain, in crystal axes."""

    laws: Mapping[int, AbstractLaw]
    grain: AbstractLaw | None = None
    plane: PlaneState | None = None

    @property
    def vector(self) -> bool:
        first = self.grain if self.grain is not None else next(iter(self.laws.values()), None)
        return not isinstance(first, Conduction)

    @property
    def expands(self) -> bool:
        """Whether the thermal expansion of samples is asked for, too."""
        return bool(self.laws) and all(isinstance(law, Thermoelasticity) for law in self.laws.values())

    def law_of(self, label: int, rotations: Mapping[int, np.ndarray]) -> AbstractLaw:
        """Fails when neither a law nor an orientation is known for the label (PhaseError)."""
        if label in self.laws:
            return self.laws[label]
        if self.grain is None or label not in rotations:
            raise PhaseError(
                f"No law for label {label} of a sample. Laws given: {sorted(self.laws)}"
                + ("" if self.grain is None else " and one for grains, but this label has no orientation")
                + "."
            )
        if not isinstance(self.grain, (Conduction, Elasticity)):
            raise LawError(f"Grains take Conduction or Elasticity, got {type(self.grain).__name__}.")
        return self.grain.oriented(_in_space(rotations[label], self.grain.oriented_tensor.ndim))

    def record(self) -> dict[str, Any]:
        return {
            "laws": {str(label): law.record() for label, law in sorted(self.laws.items())},  # type: ignore[attr-defined]
            "grain": None if self.grain is None else self.grain.record(),  # type: ignore[attr-defined]
            "plane": None if self.plane is None else str(self.plane.value),
        }


def _in_space(rotation: np.ndarray, ndim: int) -> np.ndarray:
    """A turn in the plane is one about z for a law that is given in space."""
    turn = np.asarray(rotation, float)
    if turn.shape != (2, 2) or ndim != 3:
        return turn
    space = np.eye(3)
    space[:2, :2] = turn
    return space


@final
@dataclasses.dataclass(frozen=True, eq=False)
class CellTask:
    """One sample, to be solved under some conditions on the image coarsened by some factors.

    energy: relative energy error at which the iteration stops, per load.
    """

    maker: AbstractMaker
    material: Material
    conditions: tuple[AbstractBoundary, ...]
    energy: float
    coarsenings: tuple[int, ...] = (1,)

    def keys(self) -> list[str]:
        """Content keys of the cells, conditions within coarsenings."""
        found = versions()
        common = {
            "sample": self.maker.identity(),
            "material": self.material.record(),
            "energy": self.energy,
            "versions": [found["scalebridge"], found["jax"]],
        }
        if self.material.expands:
            common["expansion"] = True  # cells were kept without it once
        return [
            content_key(**common, condition=repr(condition), coarsening=factor)
            for factor in self.coarsenings
            for condition in self.conditions
        ]

    def only(self, wanted: Sequence[bool]) -> list[CellTask]:
        """The same sample with the cells that are `wanted` (in the order of `keys`), one task per coarsening."""
        tasks = []
        for n, factor in enumerate(self.coarsenings):
            part = wanted[n * len(self.conditions) : (n + 1) * len(self.conditions)]
            chosen = tuple(c for c, want in zip(self.conditions, part, strict=True) if want)
            if chosen:
                tasks.append(dataclasses.replace(self, conditions=chosen, coarsenings=(factor,)))
        return tasks


@final
@dataclasses.dataclass(frozen=True, eq=False)
class ApparentCell:
    """One solved cell. value (m, m): apparent conductivity or Mandel stiffness; fractions by label, as text.

    expansion (m,): Mandel, 1/K; None in other physics, and where the stiffness is singular.
    seconds: solving; making: drawing or cutting the sample (shared by its cells).
    """

    name: str
    size: int
    condition: str
    coarsening: int
    value: np.ndarray
    fractions: Mapping[str, float]
    iterations: int
    residual: float
    energy_error: float
    seconds: float
    making: float
    status: Status
    expansion: np.ndarray | None = None


def solve_task(task: CellTask) -> list[ApparentCell]:
    """All cells of one task, in the order of its keys. Fails as `homogenize` does for impossible input."""
    begin = time.perf_counter()
    image, rotations = task.maker.make()
    making = time.perf_counter() - begin
    cells = []
    # Those of the sample itself: merging voxels by majority would change them.
    fractions = {str(label): fraction for label, fraction in image.fractions.items()}
    for factor in task.coarsenings:
        here = image if factor == 1 else coarsen(image, factor)
        laws = {label: task.material.law_of(label, rotations) for label in here.present}
        cells += [
            _solve(
                task,
                here,
                laws,
                condition,
                factor,
                fractions,
                making / len(task.conditions) / len(task.coarsenings),
            )
            for condition in task.conditions
        ]
    return cells


def _solve(
    task: CellTask,
    image: PhaseImage,
    laws: Mapping[int, AbstractLaw],
    condition: AbstractBoundary,
    factor: int,
    fractions: Mapping[str, float],
    making: float,
) -> ApparentCell:
    begin = time.perf_counter()

    def cell(
        value: np.ndarray, iterations: int, residual: float, energy: float, status: Status
    ) -> ApparentCell:
        seconds = time.perf_counter() - begin
        return ApparentCell(
            task.maker.name, task.maker.size, condition.name, factor, value, fractions, iterations, residual, energy,
            seconds, making, status,
        )  # fmt: skip

    if all(law.is_void for law in laws.values()):  # type: ignore[attr-defined]
        ndim = image.grid.ndim
        m = ndim * (ndim + 1) // 2 if task.material.vector else ndim
        return cell(np.zeros((m, m)), 0, 0.0, 0.0, Status.CONVERGED)
    phases = collect_phases(image, laws, task.material.plane, None)
    method = PreconditionedConjugateGradients(None, cell_energy(phases, task.energy))
    solved = solve_phases(phases, condition, method, SilentProgress(), NullStore(), condition.name)
    value = without_lost_loads(phases, condition, transport(phases, condition), solved.effective.value)
    solution = solved.solution
    found = cell(
        value,
        sum(solution.iterations),
        solution.residual,
        float(np.max(solution.energy_error, initial=0.0)),
        solution.status,
    )
    return dataclasses.replace(found, expansion=cell_expansion(phases, solved))

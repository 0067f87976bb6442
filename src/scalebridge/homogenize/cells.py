"""Solving the cells behind one result: coarse images first, loads kept on disk when they are large or precious."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.coefficients import PAIRS
from scalebridge.cell.moments import Moments, moments_of
from scalebridge.cell.problem import CellProblem, CellSolution, PreconditionedConjugateGradients
from scalebridge.cell.scratch import ScratchArray, ScratchFolder
from scalebridge.cell.solve import AbstractKeeper, LoadRecord, solve_cell
from scalebridge.core.checkpoint import AbstractStore, NullStore
from scalebridge.core.heap import release_freed_memory
from scalebridge.core.progress import AbstractProgress
from scalebridge.homogenize.effective import EffectiveTensor, effective_tensor
from scalebridge.homogenize.phases import Phases
from scalebridge.microstructure import label_components

# All loads of one cell together stay in memory up to this many bytes, beyond it each goes to a scratch file.
SPILL_BYTES = 1e8


@dataclasses.dataclass(frozen=True, eq=False)
class SolvedCell:
    """A cell solution with everything derived from it."""

    solution: CellSolution
    moments: Moments
    effective: EffectiveTensor


class _StoreKeeper(AbstractKeeper):
    """Finished loads go into the run's store (to resume) and, when large, to scratch files (to save memory)."""

    def __init__(self, store: AbstractStore, name: str, spill: bool) -> None:
        self.store, self.name = store, name
        self.scratch = ScratchFolder() if spill else None
        self.resumed = 0

    def find(self, load: int) -> LoadRecord | None:
        found = self.store.get(f"{self.name} load {load}")
        if found is None:
            return None
        self.resumed += 1
        numbers = found["numbers"]
        record = LoadRecord(
            found["fluctuation"],
            int(numbers[0]),
            float(numbers[1]),
            float(numbers[2]),
            tuple(map(float, found["history"])),
        )
        return self._spilled(load, record)

    def keep(self, load: int, record: LoadRecord) -> LoadRecord:
        if not isinstance(self.store, NullStore):
            numbers = np.array([record.iterations, record.residual, record.energy_error])
            history = np.array(record.history)
            self.store.put(
                f"{self.name} load {load}",
                {"fluctuation": np.asarray(record.fluctuation), "numbers": numbers, "history": history},
            )
        return self._spilled(load, record)

    def _spilled(self, load: int, record: LoadRecord) -> LoadRecord:
        if self.scratch is None:
            return record
        stored = ScratchArray(self.scratch, f"load{load}.raw", np.asarray(record.fluctuation))
        return dataclasses.replace(record, fluctuation=stored)


def solve_phases(
    phases: Phases,
    boundary: AbstractBoundary,
    method: PreconditionedConjugateGradients,
    progress: AbstractProgress,
    store: AbstractStore,
    name: str,
    initial: Sequence[Any] | None = None,
) -> SolvedCell:
    """All loads that can be carried, their moments and the effective tensor. `name` is the key in the store."""
    problem = phases.problem(boundary)
    loads = carried_loads(phases, boundary, problem)
    disc = problem.discretization
    total = 4.0 * disc.components * float(np.prod(disc.nodes)) * len(loads)
    keeper = _StoreKeeper(store, name, spill=total > SPILL_BYTES)
    solution = solve_cell(problem, method, initial, progress, loads, keeper)
    release_freed_memory()
    progress.update("moments", len(loads), len(loads), "energies and mean fluxes")
    moments = moments_of(solution)
    release_freed_memory()
    return SolvedCell(solution, moments, effective_tensor(moments, loads, boundary.prescribes_flux))


def carried_loads(phases: Phases, boundary: AbstractBoundary, problem: CellProblem) -> np.ndarray:
    """The unit loads a cell can carry: with prescribed flux, a face with void on it carries none.

    A traction on void moves it at no cost, so the compliance of that load is infinite and its stiffness exactly zero.
    """
    loads = problem.loads()
    if not boundary.prescribes_flux or not phases.void.any():
        return loads
    solid = ~phases.void[phases.image.index]
    pieces = label_components(solid)
    ndim = phases.image.grid.ndim
    ok = np.zeros(ndim, bool)
    for axis in range(ndim):
        labels = np.moveaxis(pieces.labels, axis, 0)
        low, high = labels[0], labels[-1]
        ok[axis] = bool(low.min() > 0 and high.min() > 0 and low.min() == high.min())
    if not phases.vector:
        return loads[ok]
    keep = np.array([ok[i] and ok[j] for i, j in PAIRS[ndim]])
    return loads[keep]

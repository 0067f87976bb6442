"""Problem, method, solution of a representativity study, and the verb that solves it.

Every sample of every size is solved under every condition; the statistics are those of the isotropic parts of the
apparent tensors (estimators.py), and the tensors themselves are kept.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, final

import numpy as np
import scipy.stats

from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Periodic
from scalebridge.core import provenance
from scalebridge.core.content_store import ContentStore
from scalebridge.core.errors import ConvergenceError, InputError
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.homogenize.bounds import cell_tensor
from scalebridge.homogenize.representative.apparent import ApparentCell, CellTask, Material
from scalebridge.homogenize.representative.ensemble import Workers, run_cells
from scalebridge.homogenize.representative.estimators import MeanEstimate, isotropic_parts, mean_estimate
from scalebridge.homogenize.representative.expansion import (
    EXPANSION,
    expands_unevenly,
    isotropic_expansion,
    phase_expansions,
)
from scalebridge.homogenize.representative.hierarchy import Hierarchy, hierarchy
from scalebridge.homogenize.representative.requirements import Requirement, fit_cost, requirement
from scalebridge.homogenize.representative.samples import AbstractSource
from scalebridge.homogenize.representative.scaling_law import ScalingLaw, fit_scaling_law
from scalebridge.homogenize.representative.size_bias import SizeBias, fit_size_bias
from scalebridge.homogenize.representative.verdict import Representativity, judge


@final
@dataclasses.dataclass(frozen=True, eq=False)
class RepresentativityProblem:
    """Which material, which sizes (voxels per edge), under which conditions (Periodic() by default)."""

    source: AbstractSource
    material: Material
    sizes: tuple[int, ...]
    conditions: tuple[AbstractBoundary, ...] = (Periodic(),)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(sorted({int(n) for n in self.sizes})))
        if not self.sizes or self.sizes[0] < 1:
            raise InputError(f"Give at least one size of at least one voxel, got {list(self.sizes)}.")
        if not self.conditions:
            raise InputError("Give at least one boundary condition.")
        if any(isinstance(c, OppositeFaces) for c in self.conditions):
            raise InputError(
                "A representativity study compares whole tensors: use periodic, kubc or subc, not faces."
            )
        names = [c.name for c in self.conditions]
        if len(set(names)) < len(names):
            raise InputError(f"Every condition once, got {', '.join(names)}.")


@final
@dataclasses.dataclass(frozen=True, eq=False)
class SamplingMethod:
    """realizations: samples per size (None: all windows of an image), or a number per size.

    precision: relative precision that requirements are computed for, also the tolerance of the verdict; confidence of
    all intervals; energy: relative energy error at which a cell stops (None: 3 % of the precision).
    """

    realizations: int | Mapping[int, int] | None = None
    precision: float = 0.05
    confidence: float = 0.95
    energy: float | None = None
    workers: Workers = dataclasses.field(default_factory=Workers)
    store: ContentStore | None = None

    def __post_init__(self) -> None:
        for name in ("precision", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"The {name} lies between 0 and 1, got {getattr(self, name)}.")
        given = self.realizations
        for number in given.values() if isinstance(given, Mapping) else [given]:
            if number is not None and number < 1:
                raise InputError(f"At least one realization per size is needed, got {number}.")

    def count(self, size: int) -> int | None:
        if isinstance(self.realizations, Mapping):
            return self.realizations.get(size)
        return self.realizations

    @property
    def cell_energy(self) -> float:
        return self.energy if self.energy is not None else float(np.clip(0.03 * self.precision, 1e-8, 2e-3))


@final
@dataclasses.dataclass(frozen=True, eq=False)
class SizeStatistics:
    """All samples of one size under one condition.

    values (N, m, m); parts: scalar name -> estimate; mean, deviation (m, m) entry by entry (deviation None for N = 1).
    expansions (N, m): Mandel, 1/K; None in other physics, and where one of the samples has none.
    """

    size: int
    condition: str
    values: np.ndarray
    parts: Mapping[str, MeanEstimate]
    fractions: Mapping[str, MeanEstimate]
    seconds: float
    expansions: np.ndarray | None = None

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> np.ndarray:
        return self.values.mean(axis=0)

    @property
    def deviation(self) -> np.ndarray | None:
        return self.values.std(axis=0, ddof=1) if self.count > 1 else None


@final
@dataclasses.dataclass(frozen=True, eq=False)
class RepresentativityResult:
    """scaling, bias, requirements: by scalar name (scaling by condition within). verdict in words and numbers."""

    problem: RepresentativityProblem
    method: SamplingMethod
    statistics: tuple[SizeStatistics, ...]
    scaling: Mapping[str, Mapping[str, ScalingLaw | None]]
    bias: Mapping[str, SizeBias]
    hierarchies: Mapping[int, Hierarchy]
    requirements: Mapping[str, Requirement]
    verdict: Representativity
    warnings: tuple[str, ...]
    seconds: float
    provenance: Mapping[str, Any]

    @property
    def preferred(self) -> str:
        """The condition that statements refer to: periodic where it was solved."""
        names = [c.name for c in self.problem.conditions]
        return "periodic" if "periodic" in names else names[0]

    def at(self, size: int, condition: str) -> SizeStatistics:
        """Fails when the study has no such entry (InputError)."""
        for row in self.statistics:
            if (row.size, row.condition) == (size, condition):
                return row
        raise InputError(
            f"The study has no samples of {size} voxels under {condition}; sizes {list(self.problem.sizes)}, "
            f"conditions {[c.name for c in self.problem.conditions]}."
        )

    def __str__(self) -> str:
        from scalebridge.homogenize.representative.present import to_text

        return to_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from scalebridge.homogenize.representative.present import to_html

        return to_html(self)


def representativity(
    problem: RepresentativityProblem,
    method: SamplingMethod | None = None,
    progress: AbstractProgress | None = None,
) -> RepresentativityResult:
    """Solve all samples and say what they tell.

    Fails when: samples of a size cannot be had (InputError), a cell does not converge (ConvergenceError).
    References: [huet1990], [kanit2003].
    """
    begin = time.perf_counter()
    method, progress = method or SamplingMethod(), progress or SilentProgress()
    makers = {n: problem.source.makers(n, method.count(n)) for n in problem.sizes}
    tasks = [
        CellTask(maker, problem.material, problem.conditions, method.cell_energy)
        for size in problem.sizes
        for maker in makers[size]
    ]
    solved = run_cells(tasks, method.workers, method.store, progress)
    cells = [cell for group in solved for cell in group]
    failed = [cell for cell in cells if cell.status is not Status.CONVERGED]
    if failed:
        raise ConvergenceError(
            f"{len(failed)} of {len(cells)} cells did not converge, the first of them {failed[0].name} under "
            f"{failed[0].condition} (residual {failed[0].residual:.1e}). Ask for less precision, or check for extreme "
            "property ratios. Cells that converged are kept in the store, if one was given."
        )
    expands = expands_unevenly(problem.material.laws, problem.source.ndim, problem.material.plane)
    # One scalar is followed through all sizes and conditions, or not at all.
    expands = expands and all(cell.expansion is not None for cell in cells)
    statistics = tuple(
        _statistics(problem, method, size, condition.name, cells, expands)
        for size in problem.sizes
        for condition in problem.conditions
    )
    names = list(statistics[0].parts)
    point = _point_variances(problem, statistics)
    ndim = problem.source.ndim
    scaling: dict[str, dict[str, ScalingLaw | None]] = {}
    bias: dict[str, SizeBias] = {}
    requirements: dict[str, Requirement] = {}
    conditions = [c.name for c in problem.conditions]
    preferred = "periodic" if "periodic" in conditions else conditions[0]
    for name in names:
        scaling[name] = {
            condition: _scaling(statistics, name, condition, ndim, point.get(name))
            for condition in conditions
        }
        bias[name] = fit_size_bias(
            [
                (s.size, s.condition, s.parts[name].mean, _standard_error(s, name, scaling[name], ndim))
                for s in statistics
            ],
            {s.size: s.count for s in statistics},
            method.confidence,
        )
        cost = fit_cost({s.size: s.seconds for s in statistics if s.condition == preferred}, ndim)
        requirements[name] = requirement(
            method.precision,
            method.confidence,
            preferred,
            problem.sizes,
            bias[name],
            scaling[name][preferred],
            cost,
        )
    hierarchies = {
        size: hierarchy({s.condition: s.values for s in statistics if s.size == size})
        for size in problem.sizes
    }
    largest = problem.sizes[-1]
    verdict = judge(
        largest,
        preferred,
        method.precision,
        method.confidence,
        {
            name: next(s for s in statistics if (s.size, s.condition) == (largest, preferred)).parts[name]
            for name in names
        },
        bias,
        {name: scaling[name][preferred] for name in names},
        hierarchies[largest].gap,
        float(largest) ** ndim,
    )
    settings = {
        "source": problem.source.record(),
        "material": problem.material.record(),
        "sizes": list(problem.sizes),
        "conditions": [repr(c) for c in problem.conditions],
        "precision": method.precision,
        "confidence": method.confidence,
        "energy": method.cell_energy,
    }
    return RepresentativityResult(
        problem, method, statistics, scaling, bias, hierarchies, requirements, verdict,
        _warnings(problem, statistics, hierarchies, scaling), time.perf_counter() - begin,
        provenance.collect({}, settings),
    )  # fmt: skip


def _statistics(
    problem: RepresentativityProblem,
    method: SamplingMethod,
    size: int,
    condition: str,
    cells: list[ApparentCell],
    expands: bool,
) -> SizeStatistics:
    chosen = [cell for cell in cells if (cell.size, cell.condition) == (size, condition)]
    values = np.stack([cell.value for cell in chosen])
    scalars = isotropic_parts(values, problem.material.vector)
    known = [cell.expansion for cell in chosen if cell.expansion is not None]
    expansions = np.stack(known) if len(known) == len(chosen) else None
    if expands and expansions is not None:
        scalars[EXPANSION] = isotropic_expansion(expansions)
    parts = {name: mean_estimate(numbers, method.confidence) for name, numbers in scalars.items()}
    labels = sorted({label for cell in chosen for label in cell.fractions}, key=int)
    fractions: dict[str, MeanEstimate] = {}
    if problem.material.grain is None:  # grains are too many, and their labels mean nothing across samples
        fractions = {
            label: mean_estimate(np.array([c.fractions.get(label, 0.0) for c in chosen]), method.confidence)
            for label in labels
        }
    seconds = float(np.mean([c.seconds + c.making for c in chosen]))
    return SizeStatistics(size, condition, values, parts, fractions, seconds, expansions)


def _point_variances(
    problem: RepresentativityProblem, statistics: tuple[SizeStatistics, ...]
) -> dict[str, float]:
    """D^2 of every scalar: its variance from point to point, at the mean fractions of the largest samples."""
    if problem.material.grain is not None:
        return {}
    fractions = {label: estimate.mean for label, estimate in statistics[-1].fractions.items()}
    ndim = problem.source.ndim
    matrices = np.stack(
        [cell_tensor(problem.material.laws[int(label)], ndim, problem.material.plane) for label in fractions]  # type: ignore[arg-type]
    )
    weight = np.array(list(fractions.values()))
    found = {}
    for name, values in isotropic_parts(matrices, problem.material.vector).items():
        mean = float(weight @ values)
        found[name] = float(weight @ (values - mean) ** 2)
    given = phase_expansions(problem.material.laws, ndim, problem.material.plane)
    if EXPANSION in statistics[-1].parts and given is not None:
        solid = {int(label): share for label, share in fractions.items() if int(label) in given}
        weight = np.array(list(solid.values()))
        values = isotropic_expansion(np.stack([given[label] for label in solid]))
        mean = float(weight @ values) / float(weight.sum())
        found[EXPANSION] = float(weight @ (values - mean) ** 2) / float(weight.sum())
    return found


def _scaling(
    statistics: tuple[SizeStatistics, ...], name: str, condition: str, ndim: int, point: float | None
) -> ScalingLaw | None:
    rows = [s for s in statistics if s.condition == condition and s.count > 1]
    return fit_scaling_law(
        [float(s.size) ** ndim for s in rows],
        [(s.parts[name].deviation or 0.0) ** 2 for s in rows],
        [s.count for s in rows],
        point,
    )


def _standard_error(
    row: SizeStatistics, name: str, laws: Mapping[str, ScalingLaw | None], ndim: int
) -> float | None:
    """Of the mean, from the law of all sizes where there is one: that of a few samples alone is no good weight."""
    law, part = laws[row.condition], row.parts[name]
    if law is None or part.deviation == 0:
        return part.standard_error
    return law.deviation(float(row.size) ** ndim) / row.count**0.5


def _warnings(
    problem: RepresentativityProblem,
    statistics: tuple[SizeStatistics, ...],
    hierarchies: Mapping[int, Hierarchy],
    scaling: Mapping[str, Mapping[str, ScalingLaw | None]],
) -> tuple[str, ...]:
    notes = []
    few = sorted({s.size for s in statistics if 1 < s.count < 5})
    alone = sorted({s.size for s in statistics if s.count == 1})
    if alone:
        foretold = all(
            law is not None and law.foretells for laws in scaling.values() for law in laws.values()
        )
        notes.append(
            f"Only one sample of {', '.join(map(str, alone))} voxels per edge: its scatter "
            + ("is what the law fitted to the other sizes foretells." if foretold else "cannot be known.")
        )
    if few:
        notes.append(
            f"Fewer than five samples of {', '.join(map(str, few))} voxels per edge: intervals are wide and the "
            "scatter itself is uncertain."
        )
    if any(isinstance(c, Periodic) for c in problem.conditions) and not problem.source.periodic:
        notes.append(
            "The samples are not periodic: periodic conditions join faces that do not fit, which shows as a bias that "
            "falls with the size."
        )
    notes += [
        sentence
        for name, laws in scaling.items()
        for condition, law in laws.items()
        if law is None and (sentence := _flat(statistics, name, condition, problem.source.ndim))
    ][:1]
    largest = {s.condition: s.values for s in statistics if s.size == problem.sizes[-1]}
    others = any(values.any() for name, values in largest.items() if name != "subc")
    if "subc" in largest and not largest["subc"].any() and others:
        notes.append(
            "Under static conditions no sample carries anything, because void lies on its faces: they bound nothing "
            "here, and are left out of limit and gap. Leave subc out."
        )
    lost = sorted({s.size for s in statistics if s.expansions is None}) if problem.material.expands else []
    if lost:
        notes.append(
            f"Some sample of {', '.join(map(str, lost))} voxels per edge carries nothing in some direction, and its "
            "thermal expansion is not defined: it is left out."
        )
    broken = [size for size, found in hierarchies.items() if not found.holds]
    if broken:
        notes.append(
            f"The order SUBC <= PBC <= KUBC is violated at {', '.join(map(str, broken))} voxels by more than the "
            "tolerance of the solver: ask for a smaller energy error."
        )
    return tuple(notes)


def _flat(statistics: tuple[SizeStatistics, ...], name: str, condition: str, ndim: int) -> str:
    """What is said of a scatter that falls with no size; "" where there is none, or one size only.

    Whether it falls slower than 1/V is told by the ratio of both variances, F-distributed for independent samples.
    """
    rows = [s for s in statistics if s.condition == condition and s.count > 1 and s.parts[name].deviation]
    if len(rows) < 2:
        return ""
    first, last = rows[0], rows[-1]
    before, after = (float(s.parts[name].deviation or 0.0) ** 2 for s in (first, last))
    excess = after / before * (last.size / first.size) ** ndim
    chance = float(scipy.stats.f.sf(excess, last.count - 1, first.count - 1))
    said = f"The scatter of the {name} does not fall from {first.size} to {last.size} voxels per edge: "
    if chance < 0.01:
        return (
            f"{said}a fall like 1/V is ruled out (p = {chance:.1g}). Correlations reach over the whole of the samples, "
            "and no representative volume exists at these sizes: take larger ones."
        )
    return f"{said}no law can be fitted to so few samples. Take more of every size."

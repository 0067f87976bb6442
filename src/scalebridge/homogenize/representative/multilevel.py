r"""Multilevel Monte Carlo: most samples on coarse images, few on fine ones [giles2008].

With Z_0, ..., Z_L the same property on ever finer images (or larger samples) of the same material,
E Z_l = b_l E Z_{l-1} + E(Z_l - b_l Z_{l-1}), and the second term, taken on one and the same sample, scatters little.
b_l = 1 is the classical estimate; here b_l is the regression of Z_l on Z_{l-1}: the coarser value is a control variate
whose mean is known from the levels below. Phase fractions are controls too, where their means are given. Level l gets
N_l proportional to sqrt(V_l / C_l) samples (V_l: variance of its term in the final estimate, C_l: seconds of a sample),
which minimizes the cost at a given error.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import scipy.stats

from scalebridge.cell.boundary import AbstractBoundary, Periodic
from scalebridge.core.content_store import ContentStore
from scalebridge.core.errors import ConvergenceError, InputError
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.homogenize.representative.apparent import ApparentCell, CellTask, Material
from scalebridge.homogenize.representative.coarse_copies import CoarseMaker
from scalebridge.homogenize.representative.control_variates import ControlledMean, controlled_mean
from scalebridge.homogenize.representative.ensemble import Workers, run_cells
from scalebridge.homogenize.representative.estimators import isotropic_parts
from scalebridge.homogenize.representative.ladders import AbstractLadder, ResolutionLadder, SizeLadder

__all__ = [
    "AbstractLadder",
    "LevelRecord",
    "MultilevelEstimate",
    "ResolutionLadder",
    "SizeLadder",
    "multilevel",
]

PILOT = 12  # samples per level from which variances and seconds are first estimated


@final
@dataclasses.dataclass(frozen=True, eq=False)
class LevelRecord:
    """One level: samples, variance of one sample's term, typical seconds of a sample, mean of the term.

    The terms of all levels add up to the estimate, variance / count to the square of its error.
    coefficient: b of the coarser value (0 on the coarsest level). explained: share of the variance of this level's
    value that the coarser one and the other controls took away. freedom: degrees of freedom of the variance.
    """

    level: int
    count: int
    variance: float
    seconds: float
    mean: float
    coefficient: float
    explained: float
    freedom: int


@final
@dataclasses.dataclass(frozen=True, eq=False)
class MultilevelEstimate:
    """One scalar. error: standard error. single_level_variance: of one finest sample; plain Monte Carlo at the same
    error would take single_level_seconds, this took seconds.
    """

    name: str
    mean: float
    error: float
    levels: tuple[LevelRecord, ...]
    single_level_variance: float
    single_level_seconds: float
    seconds: float

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error, for independent levels with variances of their own [satterthwaite1946]."""
        shares = [(r.variance / r.count) ** 2 / r.freedom for r in self.levels]
        return self.error**4 / sum(shares) if sum(shares) > 0 else math.inf

    def interval(self, confidence: float | int = 0.95) -> tuple[float, float]:
        """Of the mean, Student's with these degrees of freedom. Fails when the confidence is not in (0, 1)."""
        if not 0 < confidence < 1:
            raise InputError(f"A confidence lies between 0 and 1, got {confidence}.")
        reach = float(scipy.stats.t.ppf(0.5 + confidence / 2, self.freedom)) * self.error
        return self.mean - reach, self.mean + reach

    @property
    def gain(self) -> float:
        """Seconds of plain Monte Carlo at equal error over those of this estimate, both with typical samples."""
        spent = sum(r.seconds * r.count for r in self.levels)
        return self.single_level_seconds / spent if spent > 0 else 1.0


@final
@dataclasses.dataclass(frozen=True, eq=False)
class _Samples:
    """All samples of one level: fine and coarser values by scalar name (N,), controls (N, q), seconds (N,)."""

    fine: Mapping[str, np.ndarray]
    coarse: Mapping[str, np.ndarray]
    controls: np.ndarray
    seconds: np.ndarray
    fine_seconds: np.ndarray


def multilevel(
    ladder: AbstractLadder,
    material: Material,
    error: float | int,
    *,
    condition: AbstractBoundary | None = None,
    energy: float = 1e-4,
    fractions: Mapping[int, float] | None = None,
    most: int = 100_000,
    workers: Workers | None = None,
    store: ContentStore | None = None,
    progress: AbstractProgress | None = None,
) -> dict[str, MultilevelEstimate]:
    """The ensemble means of the isotropic parts, each with a standard error of at most `error` relative to the mean.

    fractions: known ensemble means of phase fractions by label, used as controls. most: samples of a level.
    Fails when: the error is not in (0, 1) (InputError), a cell does not converge (ConvergenceError).
    """
    if not 0 < error < 1:
        raise InputError(f"The relative standard error lies between 0 and 1, got {error}.")
    progress, condition = progress or SilentProgress(), condition or Periodic()
    labels = sorted(fractions or {})
    means = np.array([(fractions or {})[label] for label in labels])
    samples: list[list[tuple[Any, ...]]] = [[] for _ in range(ladder.levels)]
    wanted = [PILOT] * ladder.levels
    while True:
        for level, count in enumerate(wanted):
            missing = range(len(samples[level]), min(count, most))
            rows = [ladder.tasks(level, index, material, condition, energy) for index in missing]
            solved = run_cells([task for row in rows for _, task in row], workers, store, progress)
            position = 0
            for row in rows:
                cells = solved[position : position + len(row)]
                position += len(row)
                samples[level].append(_sample(row, cells, labels))
        estimates = _estimates(samples, means, material.vector)
        more = _allocation(estimates, error)
        if all(m <= len(s) or len(s) >= most for m, s in zip(more, samples, strict=True)):
            return estimates
        # Early variances are uncertain: go on in steps rather than all the way.
        wanted = [max(len(s), min(m, 2 * len(s))) for m, s in zip(more, samples, strict=True)]


def _sample(
    row: Sequence[tuple[float, CellTask]], solved: Sequence[Sequence[ApparentCell]], labels: Sequence[int]
) -> tuple[Any, ...]:
    """(fine tensor, coarser tensor, fractions of the sample, seconds, seconds of the fine cell alone)."""
    for cells in solved:
        for cell in cells:
            if cell.status is not Status.CONVERGED:
                raise ConvergenceError(
                    f"The cell of {cell.name} did not converge (residual {cell.residual:.1e})."
                )
    fine = solved[0][0]
    coarse = fine.value.copy()
    for (weight, _), cells in zip(row, solved, strict=True):
        coarse -= weight * (cells[0].value - (cells[1].value if len(cells) > 1 else 0.0))
    spent = sum(cell.seconds + cell.making for cells in solved for cell in cells)
    alone = fine.seconds + sum(cell.making for cell in solved[0])
    maker = row[0][1].maker
    shares = maker.shares(fine.fractions) if isinstance(maker, CoarseMaker) else fine.fractions
    controls = [_share(shares, label) for label in labels]
    return fine.value, coarse, controls, spent, alone


def _share(shares: Mapping[str, float], label: int) -> float:
    """Of two phases a coarse copy tells the fraction of the higher label only: the other is the rest."""
    if str(label) in shares:
        return float(shares[str(label)])
    return 1.0 - sum(shares.values())


def _estimates(
    samples: Sequence[Sequence[tuple[Any, ...]]], means: np.ndarray, vector: bool
) -> dict[str, MultilevelEstimate]:
    levels = []
    for rows in samples:
        fine, coarse, controls, spent, alone = zip(*rows, strict=True)
        levels.append(
            _Samples(
                isotropic_parts(np.stack(fine), vector),
                isotropic_parts(np.stack(coarse), vector),
                np.array(controls, float).reshape(len(rows), len(means)),
                np.array(spent),
                np.array(alone),
            )
        )
    return {name: _estimate(name, levels, means) for name in levels[0].fine}


def _estimate(name: str, levels: Sequence[_Samples], means: np.ndarray) -> MultilevelEstimate:
    found: list[ControlledMean] = []
    for level, part in enumerate(levels):
        controls, known = part.controls, means
        if level:
            controls = np.column_stack([part.coarse[name], controls])
            known = np.concatenate([[found[-1].estimate.mean], means])
        found.append(controlled_mean(part.fine[name], controls, known))
    records: list[LevelRecord] = []
    weight = 1.0  # of this level's value in the finest one: the product of the coefficients above it
    for level in reversed(range(len(levels))):
        part, estimate = levels[level], found[level].estimate
        coefficient = float(found[level].coefficients[0]) if level else 0.0
        below = found[level - 1].estimate.mean if level else 0.0
        # Medians of seconds: a machine that was busy or asleep for a moment must not decide how samples are allotted.
        records.append(
            LevelRecord(
                level, estimate.count, (weight * (estimate.deviation or 0.0)) ** 2, float(np.median(part.seconds)),
                weight * (estimate.mean - coefficient * below), coefficient, found[level].explained,
                found[level].freedom,
            )
        )  # fmt: skip
        weight *= coefficient
    records.reverse()
    error = math.sqrt(sum(r.variance / r.count for r in records))
    finest = levels[-1]
    single = float(np.var(finest.fine[name], ddof=1))
    plain = single / error**2 * float(np.median(finest.fine_seconds)) if error > 0 else 0.0
    return MultilevelEstimate(
        name, found[-1].estimate.mean, error, tuple(records), single, plain,
        sum(float(part.seconds.sum()) for part in levels),
    )  # fmt: skip


def _allocation(estimates: Mapping[str, MultilevelEstimate], error: float | int) -> list[int]:
    """Samples per level that bring every scalar to the error at the least cost."""
    needed = [PILOT] * len(next(iter(estimates.values())).levels)
    for estimate in estimates.values():
        target = (error * abs(estimate.mean)) ** 2
        if target == 0:
            continue
        total = sum(math.sqrt(r.variance * r.seconds) for r in estimate.levels)
        for level, r in enumerate(estimate.levels):
            number = math.ceil(math.sqrt(r.variance / max(r.seconds, 1e-9)) * total / target)
            needed[level] = max(needed[level], number)
    return needed

"""Do 95 % intervals hold the truth in 95 % of all studies? Two hundred studies of a material whose mean is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.stats
from docs.verification.record import Row, Table

from scalebridge import Conduction
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.homogenize.representative import (
    GeneratorEnsemble,
    ImageWindows,
    RepresentativityProblem,
    SamplingMethod,
    representativity,
)
from scalebridge.homogenize.representative.apparent import CellTask, Material
from scalebridge.homogenize.representative.control_variates import controlled_mean
from scalebridge.homogenize.representative.ensemble import Workers, run_cells
from scalebridge.homogenize.representative.estimators import MeanEstimate, isotropic_parts
from scalebridge.homogenize.representative.multilevel import ResolutionLadder, multilevel
from scalebridge.microstructure.generators import VoronoiMosaic

STUDIES = 200
SAMPLES = 10  # of every size in one study
SIZES = (8, 16)
LEVELS = 12  # voxels per edge of the finest level of the multilevel estimates
CELL = 3.0**3  # voxels of a cell of the mosaic
CONDITIONS = (Periodic(), KinematicUniform(), StaticUniform())
LAWS = Material({0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=10.0)})
LOW, HIGH = 0.90, 0.98
ENERGY = 1e-3
ALONE = Workers(count=1)
SCALAR = "mean conductivity"
LIMIT = "limit for large samples, from all of them"


@dataclasses.dataclass(frozen=True, eq=False)
class Intervals:
    """Of `STUDIES` studies, what each says about one mean (N, 2), and the mean itself with its standard error."""

    name: str
    bounds: np.ndarray
    truth: float
    truth_error: float

    @property
    def inside(self) -> int:
        return int(np.sum((self.bounds[:, 0] <= self.truth) & (self.truth <= self.bounds[:, 1])))

    @property
    def coverage(self) -> float:
        return self.inside / len(self.bounds)

    @property
    def chance(self) -> tuple[float, float]:
        """What the coverage may be in the long run, with 95 % confidence (Clopper and Pearson)."""
        n, k = len(self.bounds), self.inside
        low = float(scipy.stats.beta.ppf(0.025, k, n - k + 1)) if k else 0.0
        high = float(scipy.stats.beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
        return low, high


def truth(
    periodic: bool, size: int, conditions: Sequence[AbstractBoundary], count: int
) -> list[tuple[float, float]]:
    """Mean and its standard error under each condition: many samples, their fraction as control."""
    source = GeneratorEnsemble(VoronoiMosaic((size,) * 3, CELL, 0.5, periodic), seed=987_654)
    tasks = [CellTask(maker, LAWS, tuple(conditions), ENERGY) for maker in source.makers(size, count)]
    solved = run_cells(tasks, ALONE)
    found = []
    for place in range(len(conditions)):
        cells = [group[place] for group in solved]
        values = isotropic_parts(np.stack([c.value for c in cells]), False)[SCALAR]
        fractions = np.array([[c.fractions.get("1", 0.0)] for c in cells])
        estimate = controlled_mean(values, fractions, np.array([0.5])).estimate
        assert estimate.standard_error is not None
        found.append((estimate.mean, estimate.standard_error))
    return found


def of_studies(true: dict[int, list[tuple[float, float]]]) -> list[Intervals]:
    """Means at each size under each condition, of studies of independent windows; and their limit for large ones."""
    mosaic = VoronoiMosaic((SIZES[0],) * 3, CELL, 0.5, periodic=False)
    bounds: dict[tuple[int, str], list[tuple[float, float]]] = {}
    limits = []
    for study in range(STUDIES):
        problem = RepresentativityProblem(GeneratorEnsemble(mosaic, study), LAWS, SIZES, CONDITIONS)
        result = representativity(problem, SamplingMethod(SAMPLES, energy=ENERGY, workers=ALONE))
        for row in result.statistics:
            bounds.setdefault((row.size, row.condition), []).append(_interval(row.parts[SCALAR]))
        bias = result.bias[SCALAR]
        assert bias.limit_reach is not None
        limits.append((float(bias.limit) - bias.limit_reach, float(bias.limit) + bias.limit_reach))
    found = [
        Intervals(
            f"{SAMPLES} windows of {size}^3, {condition.name}",
            np.array(bounds[size, condition.name]),
            *true[size][place],
        )
        for size in SIZES
        for place, condition in enumerate(CONDITIONS)
    ]
    large = truth(True, 2 * LEVELS, CONDITIONS[:1], 300)[0]
    return [*found, Intervals(LIMIT, np.array(limits), *large)]


def _interval(estimate: MeanEstimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return float(estimate.low), float(estimate.high)


def of_windows(true: list[tuple[float, float]]) -> list[Intervals]:
    """The same of studies that cut one image into windows: neighbours share the grains on their faces."""
    size, parts, conditions = SIZES[0], 3, CONDITIONS[:2]
    bounds: dict[str, list[tuple[float, float]]] = {c.name: [] for c in conditions}
    for study in range(STUDIES):
        image = VoronoiMosaic((size * parts,) * 3, CELL, 0.5, periodic=False).realize(50_000 + study).image
        problem = RepresentativityProblem(ImageWindows(image), LAWS, (size,), conditions)
        result = representativity(problem, SamplingMethod(energy=ENERGY, workers=ALONE))
        for row in result.statistics:
            bounds[row.condition].append(_interval(row.parts[SCALAR]))
    return [
        Intervals(
            f"all {parts**3} windows of {size}^3 of one image, {c.name}",
            np.array(bounds[c.name]),
            *true[place],
        )
        for place, c in enumerate(conditions)
    ]


def of_multilevel() -> list[Intervals]:
    """Multilevel estimates over resolutions, with and without the fraction as control."""
    mosaic = VoronoiMosaic((LEVELS,) * 3, CELL, 0.5)
    true = truth(True, LEVELS, CONDITIONS[:1], 2000)[0]
    found = []
    for words, fractions, error in (("", None, 0.02), (", fraction as control", {1: 0.5}, 0.004)):
        bounds = []
        for study in range(STUDIES):
            ladder = ResolutionLadder(GeneratorEnsemble(mosaic, study), LEVELS, 4)
            estimate = multilevel(ladder, LAWS, error, energy=ENERGY, fractions=fractions, workers=ALONE)
            bounds.append(estimate[SCALAR].interval())
        name = f"multilevel, {LEVELS // 4}^3 to {LEVELS}^3{words}"
        found.append(Intervals(name, np.array(bounds), *true))
    return found


HEADER = (
    "Interval of the mean",
    "True mean",
    "Its standard error",
    "Studies that hold it",
    "Coverage",
    "95 % of it",
)


def tables(data: Path | None) -> list[Table]:
    true = {size: truth(False, size, CONDITIONS, 500) for size in SIZES}
    found = [*of_studies(true), *of_windows(true[SIZES[0]][:2]), *of_multilevel()]
    cells = tuple(
        (
            f.name, f"{f.truth:.4f}", f"{f.truth_error:.4f}", f"{f.inside} of {len(f.bounds)}", f"{f.coverage:.1%}",
            "{:.1%} to {:.1%}".format(*f.chance),
        )
        for f in found
    )  # fmt: skip
    judged = [f for f in found if f.name != LIMIT]  # the limit rests on a law of the bias, too: shown
    least, most = min(judged, key=lambda f: f.coverage), max(judged, key=lambda f: f.coverage)
    rows = (
        Row("least coverage", least.coverage, LOW, 0.0, ">=", note=least.name),
        Row("greatest coverage", most.coverage, HIGH, 0.0, "<=", note=most.name),
        Row("coverage over all", float(np.mean([f.coverage for f in judged])), 0.95),
        *(Row(f.name, f.coverage, 0.95) for f in found if f.name == LIMIT),
    )
    series = {
        f.name: {
            "coverage": f.coverage,
            "chance": list(f.chance),
            "truth": f.truth,
            "bounds": f.bounds.round(5).tolist() if f is found[-1] else [],
        }
        for f in found
    }
    return [
        Table(
            "Coverage of the intervals",
            f"{STUDIES} studies with fresh random numbers of a Poisson-Voronoi mosaic (half of each phase, contrast "
            "10, cells three voxels wide). How many of their 95 % intervals of the mean conductivity hold the mean of "
            "the ensemble, known from many more samples? Asked: 90 to 98 %. Each interval is for the mean at its own "
            "size under its own condition: what the size does to the mean is a bias, and told apart from scatter. The "
            "limit for large samples rests on the law of that bias, limit + b / n, as well: shown, not judged.",
            rows, series, "representativity-coverage.png",
            "Coverage by estimator with its own 95 % interval (left; shaded: 90 to 98 %), and the intervals of all "
            "studies of one estimator (right; those that miss in colour).",
            HEADER, cells,
        )
    ]  # fmt: skip

"""The statistical term of the error budget, against ensembles whose mean is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from docs.verification.record import Row, Table

from scalebridge import Conduction, Elasticity, Subvolumes
from scalebridge.cell.boundary import AbstractBoundary, Periodic
from scalebridge.cell.problem import PreconditionedConjugateGradients
from scalebridge.core.checkpoint import NullStore
from scalebridge.core.progress import SilentProgress
from scalebridge.homogenize.cells import solve_phases
from scalebridge.homogenize.phases import collect_phases
from scalebridge.homogenize.statistical_error import statistical_error
from scalebridge.homogenize.validity import transport, without_lost_loads
from scalebridge.material.law import AbstractLaw
from scalebridge.microstructure.generators.generator import AbstractGenerator
from scalebridge.microstructure.generators.voronoi_mosaic import VoronoiMosaic

REALIZATIONS = 40
COVERAGE = 0.9
ENERGY = 5e-4  # relative energy error of the images: far below any scatter
PERIODIC = Periodic()


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """A material of which many samples can be had, and how each is solved."""

    name: str
    generator: AbstractGenerator
    laws: Mapping[int, AbstractLaw]
    boundary: AbstractBoundary = PERIODIC


def conducting(contrast: float) -> dict[int, AbstractLaw]:
    other = Conduction.isotropic(k=contrast) if contrast else Conduction.void()
    return {0: Conduction.isotropic(k=1.0), 1: other}


def elastic(contrast: float) -> dict[int, AbstractLaw]:
    return {label: Elasticity.isotropic(E=e, nu=0.3) for label, e in ((0, 1.0), (1, contrast))}


ENSEMBLES = (
    Ensemble("48^3, cells of 6^3, contrast 10", VoronoiMosaic((48,) * 3, 216.0), conducting(10.0)),
    Ensemble("32^3, cells of 4^3, contrast 100", VoronoiMosaic((32,) * 3, 64.0), conducting(100.0)),
    Ensemble("32^3, cells of 4^3, 40 % void", VoronoiMosaic((32,) * 3, 64.0, 0.4), conducting(0.0)),
    Ensemble("96^2, cells of 6^2, contrast 10", VoronoiMosaic((96,) * 2, 36.0), conducting(10.0)),
    Ensemble("96^2, cells of 6^2, elasticity, contrast 10", VoronoiMosaic((96,) * 2, 36.0), elastic(10.0)),
)


@dataclasses.dataclass(frozen=True)
class Found:
    """claimed: the term of every sample (nan: not assessed). true: |value - mean| / |mean|, with the sample's own
    share in the mean made good. exponents: as fitted. windows: how many of which size."""

    claimed: np.ndarray
    true: np.ndarray
    exponents: np.ndarray
    windows: str

    @property
    def ratios(self) -> np.ndarray:
        known = np.isfinite(self.claimed)
        return self.claimed[known] / self.true[known]


def sampled(ensemble: Ensemble, realizations: int) -> Found:
    """Every realization as an image for itself; the ensemble is only used to judge."""
    values, claimed, exponents, words = [], [], [], ""
    quiet, nothing = SilentProgress(), NullStore()
    for seed in range(realizations):
        phases = collect_phases(ensemble.generator.realize(seed).image, ensemble.laws, None, None)
        found = transport(phases, ensemble.boundary)
        method = PreconditionedConjugateGradients(None, ENERGY)
        solved = solve_phases(phases, ensemble.boundary, method, quiet, nothing, "image")
        values.append(without_lost_loads(phases, ensemble.boundary, found, solved.effective.value))
        sample = statistical_error(phases, ensemble.boundary, found, Subvolumes(), None, quiet, nothing)
        claimed.append(np.nan if sample.term.value is None else sample.term.value)
        record = sample.record
        exponents.append(np.nan if record.get("exponent") is None else record["exponent"])
        if record:
            words = ", ".join(f"{n} of {s}" for n, s in zip(record["numbers"], record["sizes"], strict=True))
    mean = np.mean(values, axis=0)
    gap = np.array([np.linalg.norm(v - mean) for v in values]) / np.linalg.norm(mean)
    share = np.sqrt(realizations / (realizations - 1))
    return Found(np.array(claimed), gap * share, np.array(exponents), words)


def tables(data: Path | None) -> list[Table]:
    return [table_of({ensemble.name: sampled(ensemble, REALIZATIONS) for ensemble in ENSEMBLES})]


def table_of(found: Mapping[str, Found]) -> Table:
    """Coverage by ensemble, and what it comes from."""
    rows: tuple[Row, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()
    for name, one in found.items():
        covered = float(np.mean(one.ratios >= 1))
        rows += (
            Row(f"{name}: covered", covered, COVERAGE, 0.0, ">="),
            Row(f"{name}: median of claimed / true", float(np.median(one.ratios)), None),
        )
        cells += (
            (
                name,
                one.windows,
                f"{np.isfinite(one.claimed).sum()} of {len(one.claimed)}",
                f"{np.nanmedian(one.claimed):.2%}",
                f"{np.quantile(one.true, 0.95):.2%}",
                f"{np.nanmean(one.exponents):.2f}",
            ),
        )
    series = {
        name: {
            "true": one.true[np.isfinite(one.claimed)].tolist(),
            "claimed": one.claimed[np.isfinite(one.claimed)].tolist(),
        }
        for name, one in found.items()
    }
    return Table(
        "Coverage of the statistical term: random mosaics",
        f"{REALIZATIONS} realizations each of two-phase Poisson-Voronoi mosaics, every one an image for itself: its "
        "own windows claim how far it may be from the material. True is the distance of its tensor to the mean of "
        "the ensemble, of images of the same size under the same condition: the term is about scatter, not about "
        "the bias of a boundary condition. Half an interval at 95 % should cover 95 %; asked are 90 %. A claim is "
        "well made when it is as large as the 95 % quantile of the true distances beside it.",
        rows, series, "error-budget-statistical.png",
        "Claimed statistical term against the true distance to the ensemble mean.",
        ("Ensemble", "Windows of (voxels)", "Assessed", "Claimed, median", "True, 95 % quantile", "Exponent"), cells,
    )  # fmt: skip

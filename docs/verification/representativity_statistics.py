"""Statistics of generated microstructures against closed forms: integral ranges, covariances, lineal paths."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from docs.verification.record import Row, Table

from scalebridge.homogenize.representative.estimators import mean_estimate
from scalebridge.microstructure.generators import GaussianLevelCut, OverlappingSpheres, VoronoiMosaic
from scalebridge.microstructure.generators.covariances import (
    AbstractCovariance,
    Exponential,
    Gaussian,
    Oscillating,
    PowerLaw,
)
from scalebridge.microstructure.generators.generator import AbstractGenerator
from scalebridge.microstructure.statistics import (
    Curve,
    average_curves,
    integral_range,
    lineal_path,
    two_point,
)
from scalebridge.microstructure.statistics.closed_forms import (
    POISSON_VORONOI_INTEGRAL_RANGE,
    debye_integral_range,
    debye_two_point,
    overlapping_spheres_lineal_path,
    overlapping_spheres_two_point,
)

# With some fifty values judged, 95 % intervals would miss twice or thrice by chance: values are judged by these.
JUDGED = 0.997
FAR = 0.9  # of half the image: curves are drawn up to there

WORDS = (
    "Means over independent images; the remark gives their 95 % interval, and a value is judged by its "
    "99.7 % interval (so many values would miss some of the former by chance)."
)


def tables(data: Path | None) -> list[Table]:
    return [_integral_ranges(), _debye(), _level_cuts(), _spheres()]


def measured(quantity: str, mean: float, error: float, count: int, exact: float) -> Row:
    """A mean of `count` images with its standard error, judged by its own interval."""
    wide, narrow = (float(scipy.stats.t.ppf(0.5 + c / 2, count - 1)) * error for c in (JUDGED, 0.95))
    note = f"{mean - narrow:.4g} to {mean + narrow:.4g}, {count} images"
    return Row(quantity, mean, exact, wide / abs(exact), note=note)


def _integral_ranges() -> Table:
    rows, series = [], {}
    cases = {
        "3-D mosaic": (VoronoiMosaic((96,) * 3, 6.0**3), 64, 6.0**3, POISSON_VORONOI_INTEGRAL_RANGE[3]),
        "2-D mosaic": (VoronoiMosaic((512,) * 2, 8.0**2), 100, 8.0**2, POISSON_VORONOI_INTEGRAL_RANGE[2]),
        "2-D Debye medium": (
            GaussianLevelCut((512,) * 2, 0.5, Exponential(6.0), of_indicator=True),
            100,
            1.0,
            debye_integral_range(6.0, 2),
        ),
    }  # fmt: skip
    for name, (generator, count, unit, exact) in cases.items():
        found = [
            integral_range(drawn.image, 1, periodic=True) for drawn in generator.stream(range(1, count + 1))
        ]
        ways = {
            "from the covariance": [f.value / unit for f in found],
            "from the variance of block means": [
                f.from_blocks / unit for f in found if f.from_blocks is not None
            ],
        }
        for way, values in ways.items():
            estimate = mean_estimate(np.array(values))
            assert estimate.standard_error is not None
            rows.append(
                measured(f"{name}, {way}", estimate.mean, estimate.standard_error, estimate.count, exact)
            )
            series[f"{name}, {way}"] = {
                "mean": estimate.mean, "low": estimate.low, "high": estimate.high, "exact": exact,
            }  # fmt: skip
    return Table(
        "Integral ranges",
        "Poisson-Voronoi mosaics whose cells are coloured independently (half of each colour; 96^3 voxels with "
        "cells of "
        "216, 512^2 pixels with cells of 64), in mean cell volumes: 1.179 (3-D) and 1.280 (2-D) are the second "
        "over the "
        "squared first moment of the cells' volume. Debye's medium with a = 6 pixels, in pixels: 2 pi a^2. Twice "
        f"from the same images, by the integral of the covariance and by the scatter of block means. {WORDS}",
        tuple(rows), series, "representativity-integral-range.png",
        "Integral ranges over their exact value, with 95 % intervals.",
    )  # fmt: skip


def _mean_curve(generator: AbstractGenerator, count: int, measure: Any) -> Curve:
    drawn = generator.stream(range(1, count + 1))
    return average_curves(_along_all_axes(d.image, measure) for d in drawn)


def _along_all_axes(image: Any, measure: Any) -> Curve:
    """The mean of the curves along the axes: isotropic media need not be told apart by direction."""
    lines: list[Curve] = measure(image)
    return Curve(
        lines[0].distances, np.mean([c.values for c in lines], axis=0), sum(c.weights for c in lines)  # type: ignore[arg-type]
    )  # fmt: skip


def _two_point_lines(label: int) -> Any:
    def measure(image: Any) -> list[Curve]:
        function = two_point(image, label, periodic=True)
        return [function.along(axis) for axis in range(image.grid.ndim)]

    return measure


def _compared(
    name: str, symbol: str, curve: Curve, exact: np.ndarray, lags: Iterable[int]
) -> tuple[list[Row], dict[str, list[float]]]:
    """Rows at some lags, and the curves for the picture."""
    assert curve.standard_error is not None
    rows = [
        measured(
            f"{name}: {symbol}({lag})", float(curve.values[lag]), float(curve.standard_error[lag]),
            curve.realizations, float(exact[lag]),
        )
        for lag in lags
    ]  # fmt: skip
    last = int(FAR * (len(curve) - 1))
    series = {
        "r": curve.distances[:last].tolist(), "values": curve.values[:last].tolist(),
        "error": curve.standard_error[:last].tolist(), "exact": exact[:last].tolist(),
    }  # fmt: skip
    return rows, series


def _debye() -> Table:
    rows: list[Row] = []
    series = {}
    length = 5.0
    for ndim, shape, count in ((2, (512,) * 2, 60), (3, (96,) * 3, 32)):
        for fraction in (0.5, 0.3):
            generator = GaussianLevelCut(shape, fraction, Exponential(length), of_indicator=True)
            curve = _mean_curve(generator, count, _two_point_lines(1))
            exact = debye_two_point(curve.distances, fraction, length)
            name = f"{ndim}-D, fraction {fraction:g}"
            found, series[name] = _compared(name, "S2", curve, exact, (1, 5, 10, 20))
            series[name]["floor"] = fraction**2  # type: ignore[assignment]
            rows += found
    return Table(
        "Debye's random medium",
        "S2(r) = f^2 + f (1 - f) exp(-r / a), a = 5 voxels, prescribed for the two-phase image and reached by "
        "cutting a "
        f"Gaussian field whose correlation is found by inverting the level-cut formula. r in voxels, along the "
        f"axes. {WORDS}",
        tuple(rows), series, "representativity-debye.png",
        "Normalized covariance of generated Debye media (markers, with 95 % intervals) and exp(-r / a) (line).",
    )  # fmt: skip


def _level_cuts() -> Table:
    covariances: dict[str, AbstractCovariance] = {
        "Gaussian, l = 4": Gaussian(4.0),
        "oscillating, wavelength 16": Oscillating(16.0, 12.0),
        "power law r^-4, l = 4": PowerLaw(4.0, 4.0),
    }
    rows: list[Row] = []
    series = {}
    for name, covariance in covariances.items():
        generator = GaussianLevelCut((96,) * 3, 0.3, covariance)
        curve = _mean_curve(generator, 32, _two_point_lines(1))
        found, series[name] = _compared(
            name, "S2", curve, generator.two_point(curve.distances), (1, 4, 8, 12, 20)
        )
        rows += found
    return Table(
        "Level cuts of Gaussian fields",
        "S2 of the phase where a Gaussian field with the correlation rho exceeds the level of fraction f = 0.3, "
        "96^3 voxels, "
        "against f^2 + 1/(2 pi) int_0^asin(rho) exp(-t^2 / (1 + sin a)) da [quiblier1984]. r in voxels, along "
        "the axes. "
        + WORDS,
        tuple(rows), series, "representativity-level-cuts.png",
        "Two-point functions of level cuts (markers, with 95 % intervals) and the analytic formula (lines).",
    )  # fmt: skip


def _spheres() -> Table:
    rows: list[Row] = []
    series = {}
    outside = 0.4
    for ndim, shape, radius, count in ((3, (96,) * 3, 8.0, 48), (2, (512,) * 2, 10.0, 80)):
        generator = OverlappingSpheres(shape, radius, 1 - outside)

        def path(image: Any) -> list[Curve]:
            return [lineal_path(image, 0, axis, periodic=True) for axis in range(image.grid.ndim)]

        r = int(radius)
        for symbol, measure, formula in (
            ("S2", _two_point_lines(0), overlapping_spheres_two_point),
            ("L", path, overlapping_spheres_lineal_path),
        ):
            curve = _mean_curve(generator, count, measure)
            exact = formula(curve.distances, outside, radius, ndim)
            name = f"{ndim}-D, R = {radius:g}"
            lags = (0, r // 2, r, 2 * r, 3 * r) if symbol == "S2" else (0, r // 2, r, 2 * r)
            found, series[f"{symbol}, {name}"] = _compared(name, symbol, curve, exact, lags)
            rows += found
    return Table(
        "Overlapping spheres and discs",
        "The phase outside of equal spheres thrown at random (0.4 of the volume). S2 = exp(-rho v2(r)) with the "
        "volume v2 of "
        "two spheres r apart; lineal path L = phi exp(-rho s r) with the cross-section s [torquato2002]. An image is "
        "known at voxel centres only, which for these radii lifts L by some 0.1 % of its exponent. r in voxels. "
        + WORDS,
        tuple(rows), series, "representativity-spheres.png",
        "Two-point function and lineal path outside overlapping spheres and discs (markers, with 95 % intervals; "
        "lines: "
        "closed forms).",
    )  # fmt: skip

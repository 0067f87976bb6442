"""Does a study of sub-volumes predict the whole image? A sandstone and a battery electrode, both solved as a whole too.

Sub-volumes that were solved once are kept in .cache/representativity: an interrupted run goes on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from docs.verification import electrode, rock
from docs.verification.record import DOCS, Row, Table, missing, read_record

from scalebridge import OppositeFaces, PhaseImage, read_image
from scalebridge.cell.finite_volume import (
    FiniteVolumeProblem,
    MultigridConjugateGradients,
    solve_finite_volume,
)
from scalebridge.core.content_store import ContentStore, Entry, content_key
from scalebridge.core.provenance import versions
from scalebridge.core.status import Status
from scalebridge.homogenize.representative import ImageWindows
from scalebridge.homogenize.representative.estimators import MeanEstimate, mean_estimate
from scalebridge.homogenize.representative.scaling_law import ScalingLaw, fit_scaling_law
from scalebridge.homogenize.representative.size_bias import SizeBias, fit_size_bias

CACHE = DOCS.parent / ".cache" / "representativity"
VALUE = 1e-3  # relative error at which a solve stops
BATCH = 16  # windows written together
PICTURE = 200  # pixels of the slice shown
CONDITION = "faces"


def conductances(labels: np.ndarray, pore: int, axes: tuple[int, ...] = (0, 1, 2)) -> np.ndarray:
    """k_eff / k_pore along each axis: potentials on two faces, no flux through the sides; 0 where nothing connects."""
    index = (labels == pore).astype(np.uint8)
    conductivity = np.array([[0.0] * 3, [1.0] * 3])
    found = []
    for axis in axes:
        problem = FiniteVolumeProblem(index, conductivity, (1.0, 1.0, 1.0), OppositeFaces(axis))
        solution = solve_finite_volume(problem, MultigridConjugateGradients(None, VALUE))
        if solution.status is not Status.CONVERGED:
            raise RuntimeError(f"A window did not converge: {solution.status}.")
        found.append(float(np.reshape(solution.effective, -1)[0]))
    return np.array(found)


def windows(image: PhaseImage, pore: int, size: int, store: ContentStore) -> np.ndarray:
    """`conductances` of all windows of `size` voxels per edge (N, 3)."""
    found, waiting = [], []
    version = versions()["scalebridge"]
    for maker in ImageWindows(image).makers(size, None):
        labels = maker.make()[0].labels
        key = content_key(what="faces by finite volumes", labels=labels == pore, value=VALUE, version=version)
        entry = store.get(key)
        if entry is None:
            entry = Entry(key, {"value": conductances(labels, pore)}, {})
            waiting.append(entry)
        if len(waiting) == BATCH:
            store.put_many(waiting)
            waiting = []
        found.append(entry.arrays["value"])
    store.put_many(waiting)
    return np.array(found)


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """What the windows say: by size (N, 3) values along the axes, and the laws fitted to the means over the axes."""

    values: Mapping[int, np.ndarray]
    bias: SizeBias
    law: ScalingLaw | None

    def mean(self, size: int) -> MeanEstimate:
        return mean_estimate(self.values[size].mean(axis=1))

    def predicted(self, size: int) -> tuple[float, float]:
        """Mean of one sample of that size and its standard error: of the mean (or limit), and its own scatter."""
        mean = self.bias.reference * (1 + self.bias.bias(CONDITION, size))
        error = self.bias.limit_error
        if not self.bias.seen(CONDITION):
            # Windows of all sizes cover one image: averaging over the sizes makes nothing more certain.
            errors = np.array([self.mean(n).standard_error for n in self.values], float)
            error = float(np.average(errors, weights=errors**-2))
        own = 0.0 if self.law is None else self.law.variance(float(size) ** 3)
        return mean, float(np.sqrt(error**2 + own))


def study(values: Mapping[int, np.ndarray], porosity: float) -> Study:
    """Size law of the mean and scaling law of the scatter, as `representativity` fits them."""
    rows, volumes, variances, counts = [], [], [], []
    for size, found in values.items():
        estimate = mean_estimate(found.mean(axis=1))
        assert estimate.deviation is not None
        rows.append((size, CONDITION, estimate.mean, estimate.standard_error))
        volumes.append(float(size) ** 3)
        variances.append(estimate.deviation**2)
        counts.append(estimate.count)
    law = fit_scaling_law(volumes, variances, counts, porosity * (1 - porosity))
    sampled = {size: len(found) for size, found in values.items()}
    return Study(values, fit_size_bias(rows, sampled), law)


def rows_of(found: Study, main: int, whole_size: int, whole: np.ndarray, names: str) -> tuple[Row, ...]:
    """The sub-volumes beside the whole: their mean with its interval, axis by axis, and the study's prediction."""
    z = float(scipy.stats.norm.ppf(0.975))
    total, estimate = float(whole.mean()), found.mean(main)
    assert estimate.half_width is not None
    assert estimate.relative_deviation is not None
    count = estimate.count
    rows = [
        Row(
            f"mean of the {count} sub-volumes of {main}^3", estimate.mean, total, estimate.half_width / total,
            note=f"95 % interval {estimate.low:.5f} to {estimate.high:.5f}",
        )
    ]  # fmt: skip
    for axis in range(3):
        along = mean_estimate(found.values[main][:, axis])
        note = f"{along.low:.5f} to {along.high:.5f}"
        rows.append(
            Row(f"the same along {names[axis]}", along.mean, float(whole[axis]), note=f"95 % interval {note}")
        )
    for size in found.values:
        if size != main:
            other = found.mean(size)
            note = f"95 % interval {other.low:.5f} to {other.high:.5f}"
            rows.append(Row(f"mean of {other.count} sub-volumes of {size}^3", other.mean, total, note=note))
    mean, error = found.predicted(whole_size)
    rows.append(
        Row(
            f"predicted for {whole_size}^3 from all sub-volumes", mean, total, z * error / total,
            note=f"95 % interval {mean - z * error:.5f} to {mean + z * error:.5f}: error of the mean, own scatter",
        )
    )  # fmt: skip
    fitted, reach = found.bias.fitted(CONDITION, main), found.bias.reach(CONDITION, main)
    seen = "seen" if found.bias.seen(CONDITION) else "not seen: taken for 0"
    note = f"95 % interval {fitted - reach:+.3f} to {fitted + reach:+.3f}: {seen}"
    rows.append(Row(f"trend of the mean over the sizes at {main}^3, relative", fitted, None, note=note))
    rows.append(Row(f"scatter of one sub-volume of {main}^3, relative", estimate.relative_deviation, None))
    if found.law is not None:
        note = "" if found.law.alpha_deviation is None else f"standard error {found.law.alpha_deviation:.2f}"
        rows.append(Row("exponent of the variance, V^-alpha", found.law.alpha, 1.0, note=note))
        for precision in (0.05, 0.02):
            edge = found.law.volume_for(precision * total / z) ** (1 / 3)
            rows.append(
                Row(f"edge of one sample that scatters within {precision:.0%} (95 %)", round(edge), None)
            )
    return tuple(rows)


def series_of(
    found: Study, image: PhaseImage, pore: int, main: int, whole: np.ndarray, quantity: str
) -> dict[str, Any]:
    """What the picture needs."""
    edge = image.grid.shape[0]
    sizes = sorted(found.values)
    estimates = [found.mean(size) for size in sizes]
    curve = np.geomspace(sizes[0], edge * 1.1, 60)
    predicted = np.array([found.predicted(n) for n in curve])  # type: ignore[arg-type]
    step = max(1, edge // PICTURE)
    slice_ = image.labels[::step, ::step, edge // 2] == pore
    return {
        "slice": ["".join("1" if v else "0" for v in row) for row in slice_],
        "slice_edge": edge, "window": main, "start": (edge - edge // main * main) // 2,
        "title": f"{edge}^3 voxels, conducting phase dark, sub-volumes of {main}^3",
        "quantity": quantity, "sizes": sizes, "values": [found.values[n].mean(axis=1).tolist() for n in sizes],
        "means": [e.mean for e in estimates], "means_low": [e.low for e in estimates],
        "means_high": [e.high for e in estimates], "curve_sizes": curve.tolist(),
        "curve": predicted[:, 0].tolist(),
        "curve_low": np.maximum(predicted[:, 0] - 1.96 * predicted[:, 1], 0).tolist(),
        "curve_high": (predicted[:, 0] + 1.96 * predicted[:, 1]).tolist(),
        "whole_size": edge, "whole": float(whole.mean()),
    }  # fmt: skip


WORDS = (
    "Potentials on two faces, no flux through the sides, seven-point finite volumes, for non-overlapping "
    "sub-volumes and "
    "for the whole. The study: means by size with Student's intervals; mean(n) = limit + b / n fitted to them where b "
    "exceeds its own interval, else their weighted mean; the variance D^2 (A/V)^alpha. Its prediction for the whole "
    "is that mean with its error and the scatter that one sample of that size has. The mean of the sub-volumes of one "
    "size and its interval know nothing of the bias that the faces bring."
)


def tables(data: Path | None) -> list[Table]:
    return [_berea(data), _electrode(data)]


def _berea(data: Path | None) -> Table:
    title = "Berea sandstone: sub-volumes and the whole"
    record = read_record("berea")
    if data is None or record is None:
        return Table(title, WORDS, (missing("k_eff / k_pore, mean", 1 / rock.MEAN, rock.FILE),))
    factors = [row.ours for row in record[0][0].rows[:3]]
    whole = 1 / np.array(factors, float)
    image = read_image(data / rock.FILE, spacing="5.345 um")
    store = ContentStore(CACHE)
    values = {size: windows(image, 0, size, store) for size in (66, 100, 133, 200)}
    found = study(values, image.fractions[0])
    rows = rows_of(found, 133, 400, whole, "xyz")
    mean = found.mean(133)
    assert mean.low is not None
    assert mean.high is not None
    factor = Row(
        "formation factor, 1 / mean of the 27 sub-volumes", 1 / mean.mean, 1 / float(whole.mean()),
        note=f"95 % interval {1 / mean.high:.2f} to {1 / mean.low:.2f}; the whole: 1 / mean of 1 / F along the axes",
    )  # fmt: skip
    series = series_of(found, image, 0, 133, whole, "k_eff / k_pore, mean over the axes")
    return Table(
        title,
        f"k_eff / k_pore = 1 / F of 400^3 voxels at porosity 0.196, and of 8, 27, 64 and 216 sub-volumes. {WORDS}",
        (factor, *rows), series, "representativity-berea.png",
        "A slice with the 27 sub-volumes; every sub-volume (grey), the means by size, the study's law with the "
        "95 % band "
        "of a single sample, and the whole image.",
    )  # fmt: skip


def _electrode(data: Path | None) -> Table:
    title = "Battery electrode: sub-volumes and the whole"
    record = read_record("electrode")
    if data is None or record is None:
        return Table(title, WORDS, (missing("D_eff / D_0, mean", 0.2166, electrode.FILE),))
    image = read_image(data / electrode.FILE, spacing="0.390625 um")
    porosity = image.fractions[0]
    tau = {row.quantity: row.ours for row in record[0][0].rows}
    whole = np.zeros(3)
    for stored, (axis, _) in electrode.TORTUOSITY.items():
        whole[axis] = porosity / float(tau[f"tau, stored axis {stored}"] or np.nan)
    store = ContentStore(CACHE)
    whole[0] = conductances(image.labels, 0, (0,))[0]  # the axis that nobody published
    values = {size: windows(image, 0, size, store) for size in (42, 64, 85, 128)}
    found = study(values, porosity)
    rows = rows_of(found, 85, 256, whole, "xyz")
    mean = found.mean(85).mean
    tortuosity = Row(
        "tortuosity, porosity / mean of the 27 sub-volumes", porosity / mean, porosity / float(whole.mean())
    )
    series = series_of(found, image, 0, 85, whole, "D_eff / D_0, mean over the axes")
    return Table(
        title,
        f"D_eff / D_0 of the pores of TauFactor's electrode (NMC and binder block), 256^3 voxels. {WORDS}",
        (tortuosity, *rows), series, "representativity-electrode.png",
        "The same for the electrode, with the 27 sub-volumes of 85^3.",
    )  # fmt: skip

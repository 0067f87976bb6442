"""The statistical term of the error budget: the image is cut into windows, their scatter is carried to the whole.

Every size of windows is compared with its own mean: what the faces of small windows and what coarsening do to all of
them is no scatter. The statistics are in sample_scatter.py, the choice of windows in subvolumes.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Periodic
from scalebridge.cell.problem import PreconditionedConjugateGradients
from scalebridge.core.checkpoint import AbstractStore, NullStore
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.budget import StatisticalError, statistical_term
from scalebridge.homogenize.cells import solve_phases
from scalebridge.homogenize.phases import Phases
from scalebridge.homogenize.representative.samples import ImageWindows, WindowMaker
from scalebridge.homogenize.representative.scaling_law import ASYMPTOTIC, fit_scaling_law
from scalebridge.homogenize.sample_scatter import (
    EXPONENT,
    effective_components,
    extrapolate,
    finite_size_corrections,
    measured_exponent,
    slower_than_integrable,
)
from scalebridge.homogenize.spread import shown_between_faces
from scalebridge.homogenize.subvolumes import Subvolumes, WindowPlan, joined, plan_windows
from scalebridge.homogenize.validity import Transport, transport, without_lost_loads
from scalebridge.homogenize.words import percent, sentence
from scalebridge.microstructure import coarsen, trim
from scalebridge.microstructure.statistics import centred_two_point, long_range
from scalebridge.microstructure.statistics.lengths import covariance_window

if TYPE_CHECKING:
    from jaxtyping import Float

WINDOW_ENERGY = 1e-3  # relative energy error of a window; all of one size have about the same
_CORRELATION_VOXELS = 1 << 21  # images are coarsened below this before their correlations are looked at
_MOST_PHASES = 4  # whose correlations are looked at
SHAPE_ERROR = 0.15  # of the correction for windows of finite size


def statistical_error(
    phases: Phases,
    boundary: AbstractBoundary,
    found: Transport,
    subvolumes: Subvolumes,
    accuracy: float | None,
    progress: AbstractProgress,
    store: AbstractStore,
) -> StatisticalError:
    """Cuts the image into windows, solves them and carries their scatter to the whole image.

    Windows are solved under the condition of the image, periodic ones between faces and where void forbids uniform
    fluxes. Finished windows are kept in the store. Fails when: a size does not fit (InputError).
    """
    image = phases.image
    if len(image.present) == 1 and not phases.orientations:
        return StatisticalError(statistical_term(0.0, "The image is homogeneous: no window differs."))
    carries = found.carries[boundary.axis] if isinstance(boundary, OppositeFaces) else found.carries.any()
    if not carries:
        return StatisticalError(
            statistical_term(
                how="Not assessed: nothing connects through the image, what is zero does not scatter."
            )
        )
    plan = plan_windows(image, subvolumes)
    if not plan.sizes:
        return _not_assessed(f"sub-volumes: {plan.words}.")
    coarse = image if plan.factor == 1 else coarsen(trim(image, plan.factor), plan.factor)
    cut = phases if plan.factor == 1 else phases.coarsened(coarse, plan.factor)
    condition = window_condition(phases, boundary)
    values = _solved(cut, condition, boundary, plan, progress, store)
    progress.update("windows", sum(plan.counts), sum(plan.counts), "correlations of the image")
    far, corrections = _correlations(coarse, boundary.periodic, plan.sizes)
    volumes = [float(n * plan.factor) ** image.grid.ndim for n in plan.sizes]
    return judge_windows(
        values,
        volumes,
        image.grid.shape,
        plan,
        condition.name,
        corrections,
        _point_variance(phases),
        far,
        accuracy,
    )


def window_condition(phases: Phases, boundary: AbstractBoundary) -> AbstractBoundary:
    """The condition of the image, or periodic where windows cannot have that."""
    if isinstance(boundary, OppositeFaces) or (boundary.prescribes_flux and phases.void.any()):
        return Periodic()
    return boundary


def _solved(
    phases: Phases,
    condition: AbstractBoundary,
    shown: AbstractBoundary,
    plan: WindowPlan,
    progress: AbstractProgress,
    store: AbstractStore,
) -> list[np.ndarray]:
    """(N, p) per size: the entries of the apparent tensors, or the numbers they show between faces."""
    total, done = sum(plan.counts), 0
    found = []
    for size, count in zip(plan.sizes, plan.counts, strict=True):
        rows = []
        for maker in ImageWindows(phases.image).makers(size, count):
            assert isinstance(maker, WindowMaker)
            progress.update("windows", done, total, f"{maker.name}, {condition.name}")
            key = (
                f"{maker.name} of the image coarsened by {plan.factor}, {condition!r}, energy {WINDOW_ENERGY}"
            )
            kept = store.get(key)
            value = kept["value"] if kept is not None else _apparent(phases, maker, condition)
            if kept is None and value is not None:
                store.put(key, {"value": value})
            done += 1
            if value is None:  # did not converge: its neighbours have to do
                continue
            if isinstance(shown, OppositeFaces):
                value = np.array([shown_between_faces(value, shown, phases.vector)])
            rows.append(value.reshape(-1))
        found.append(np.stack(rows) if rows else np.zeros((0, 1)))
    return found


def _apparent(
    phases: Phases, maker: WindowMaker, condition: AbstractBoundary
) -> Float[np.ndarray, "m m"] | None:
    """Apparent tensor (m, m) of one window; None where the iteration did not converge."""
    image, _ = maker.make()
    where = tuple(slice(o, o + maker.size) for o in maker.origin)
    turned = {
        label: np.ascontiguousarray(r[(slice(None), slice(None), *where)])
        for label, r in phases.orientations.items()
        if label in image.present
    }
    window = phases.on(image, turned)
    if window.void.all():
        return np.zeros_like(phases.matrices[0])
    method = PreconditionedConjugateGradients(None, WINDOW_ENERGY)
    solved = solve_phases(window, condition, method, SilentProgress(), NullStore(), condition.name)
    if solved.solution.status is not Status.CONVERGED:
        return None
    return without_lost_loads(window, condition, transport(window, condition), solved.effective.value)


def _point_variance(phases: Phases) -> float | None:
    """sum_i f_i |C_i - C|^2: the scatter from point to point; None for grains, whose axes turn."""
    if phases.orientations:
        return None
    weight = np.array([phases.image.fractions[label] for label in phases.image.present])
    mean = np.einsum("p,pij->ij", weight, phases.matrices)
    return float(weight @ np.sum((phases.matrices - mean) ** 2, axis=(1, 2)))


def _correlations(image: PhaseImage, periodic: bool, sizes: Sequence[int]) -> tuple[str, list[float]]:
    """What the covariances of the phases say against any extrapolation ("": nothing), and what windows of `sizes`
    voxels per edge, too small for the law, are worth of it (weighted by the variances of the phases).
    """
    factor = 1
    while image.grid.size / factor**image.grid.ndim > _CORRELATION_VOXELS:
        factor *= 2
    if factor > 1:
        image = coarsen(trim(image, factor), factor)
    largest = sorted(image.present, key=lambda label: -image.fractions[label])
    # Of two phases one is the complement of the other.
    chosen = largest[:1] if len(largest) == 2 else largest[:_MOST_PHASES]
    shape, far = np.array(image.grid.shape, float), ""
    blocks = [np.full(image.grid.ndim, n / factor) for n in sizes]
    total, weights = np.zeros(len(sizes) + 1), 0.0
    for label in chosen if len(largest) > 1 else ():
        found = long_range(image, label, periodic=periodic)
        if found.found and not far:
            far = f"Phase {label}: {found.words}"
        window = covariance_window(centred_two_point(image, label, periodic=periodic))
        if window.integral > 0:
            total += window.variance * np.array([window.block_factor(b) for b in (*blocks, shape)])
            weights += window.variance
    factors = np.clip(total / weights, 0.0, 1.0) if weights > 0 else np.ones(len(sizes) + 1)
    volumes = [float(np.prod(b)) for b in blocks]
    return far, finite_size_corrections(
        volumes, float(shape.prod()), factors[:-1].tolist(), float(factors[-1])
    )


def judge_windows(
    values: Sequence[np.ndarray],
    volumes: Sequence[float],
    shape: Sequence[int],
    plan: WindowPlan,
    condition: str,
    corrections: Sequence[float],
    point_variance: float | None,
    far: str,
    accuracy: float | None,
) -> StatisticalError:
    """From the entries of the apparent tensors, (N, p) per size, to the term. volumes: of one window, in voxels.

    corrections: s^2 of windows of finite size over the law, per size. point_variance: in the unit of the values
    squared. far: a sentence where the image itself shows long correlations.
    """
    norms = [float(np.linalg.norm(v.mean(axis=0))) if len(v) > 1 else 0.0 for v in values]
    if sum(norm > 0 for norm in norms) < 2 or norms[0] == 0:
        return _not_assessed("sub-volumes of fewer than two sizes conduct or carry anything at all.")
    held = [n for n, norm in enumerate(norms) if norm > 0]
    values, volumes, norms = [values[n] for n in held], [volumes[n] for n in held], [norms[n] for n in held]
    corrections = [corrections[n] for n in held]
    plan = WindowPlan(plan.factor, tuple(plan.sizes[n] for n in held), tuple(plan.counts[n] for n in held))
    covariances = [np.cov(v.T).reshape(v.shape[1], -1) / n**2 for v, n in zip(values, norms, strict=True)]
    measured = [float(np.trace(c)) for c in covariances]
    variances = [s2 / c for s2, c in zip(measured, corrections, strict=True)]
    numbers = [len(v) for v in values]
    record: dict[str, Any] = {
        "condition": condition,
        "coarsening": plan.factor,
        "sizes": [n * plan.factor for n in plan.sizes],
        "numbers": numbers,
        "scatter": [math.sqrt(v) for v in measured],
        "finite_size": list(corrections),
        "exponent": None,
        "exponent_deviation": None,
        "deviation": None,
    }
    if not any(variances):
        return StatisticalError(statistical_term(0.0, "All windows have the same tensor."), (), record)
    components = effective_components(covariances, numbers)
    counts = [1 + round((n - 1) * components) for n in numbers]
    point = None if point_variance is None else point_variance / norms[0] ** 2
    law = fit_scaling_law(volumes, variances, counts, point, EXPONENT)
    if law is None or law.covariance is None:
        return _not_assessed("only one size of sub-volumes shows any scatter.", record=record)
    if far or slower_than_integrable(law):
        own, error = measured_exponent(law)
        words = far or (
            "No representative volume exists at this size: the variance of sub-volumes falls like "
            f"V^{-own:.2f} (standard error {error:.2f}), slower than 1/V."
        )
        return _not_assessed(
            words, "Use a much larger image, or several images of the material.", record, words
        )
    if point is not None and variances[0] > ASYMPTOTIC * point:
        return _not_assessed(
            f"the largest sub-volumes ({plan.sizes[0] * plan.factor} voxels per edge) hold too few independent pieces "
            "of the structure for their scatter to be extrapolated.",
            "Use a larger image.",
            record,
        )
    borrowed = SHAPE_ERROR * (1 - corrections[0])
    sample = extrapolate(law, float(math.prod(shape)), components, borrowed)
    record |= {
        "exponent": sample.exponent,
        "exponent_deviation": sample.exponent_deviation,
        "deviation": math.sqrt(sample.variance),
    }
    scatter = joined([percent(math.sqrt(v)) for v in measured])
    how = (
        f"{sentence(plan.words)} under {condition} conditions scatter by {scatter}; corrected for their finite size "
        f"and carried to this volume by D²(V) ~ V^-{sample.exponent:.2f} that is a standard deviation of "
        f"{percent(math.sqrt(sample.variance))} for one image of this size; the term is half the interval at 95 %."
    )
    remedy = larger_volume(sample.half_width, shape, sample.exponent, accuracy)
    return StatisticalError(statistical_term(sample.half_width, how, remedy), (), record)


def larger_volume(term: float, shape: Sequence[int], exponent: float, accuracy: float | None) -> str:
    """The next step: which volume, or how many of this one, bring the term to half the accuracy (or of itself)."""
    target = accuracy / 2 if accuracy is not None and accuracy / 2 < term else term / 2
    growth = (term / target) ** (2 / (exponent * len(shape)))
    edges = " × ".join(str(_rounded_up(n * growth)) for n in shape)
    images = math.ceil((term / target) ** 2)
    return (
        f"Use a larger volume: one of {edges} voxels would give {percent(target)} of statistical error; so would the "
        f"mean of {images} images like this one."
    )


def _rounded_up(n: float) -> int:
    """To two significant digits."""
    step = 10 ** max(0, math.floor(math.log10(n)) - 1)
    return int(math.ceil(n / step) * step)


def _not_assessed(
    why: str, remedy: str = "Use a larger image.", record: Mapping[str, Any] | None = None, warning: str = ""
) -> StatisticalError:
    """Asked for, and the windows do not allow it: nothing is known about the accuracy then."""
    term = statistical_term(None, f"Not assessed: {why}", remedy, asked=True)
    return StatisticalError(term, (warning,) if warning else (), record or {})

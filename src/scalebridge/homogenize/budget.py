"""The error budget: every term with how it was found and what would make it smaller."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np

from scalebridge.homogenize.result import Bracket, ErrorBudget, ErrorTerm, ResolutionStudy, Sensitivity


def relative_gap(a: np.ndarray, b: np.ndarray) -> float:
    """|a - b| / |b| in the Frobenius norm, 0 for two zero tensors."""
    scale = float(np.linalg.norm(b))
    gap = float(np.linalg.norm(a - b))
    return gap / scale if scale > 0 else (0.0 if gap == 0 else float("inf"))


def discretization_term(
    value: np.ndarray,
    ladder_error: float | None,
    study: ResolutionStudy | None,
    bracket: Bracket | None,
    exact: bool,
    interfaces: float | None = None,
) -> ErrorTerm:
    """Error of the voxel size: the coarsened images, the guaranteed bracket where there is one, and the interfaces.

    The bracket bounds what the elements miss on these voxels; the coarsened images also see what the voxels miss of
    the real geometry, but majority votes may hit a fraction by luck: neither vouches for the other, so their squares
    add up. Neither sees a phase fraction that the fine image itself misses
    (its coarsened copies miss it too), so what the position of the interfaces inside their voxels may do is added.
    """
    remedy = (
        "Scan or generate the image at a finer resolution; the coarsened images show what doubling it brings."
    )
    if exact:
        return ErrorTerm("discretization", 0.0, "The image is homogeneous: the answer is exact.", "")
    if not value.any():
        return ErrorTerm(
            "discretization", 0.0, "Nothing connects through the cell: the answer is exactly zero."
        )
    width = None
    if bracket is not None:
        scale = float(np.linalg.norm(value))
        # Finite volumes bound nothing: their value may lie outside, and then the far end counts.
        ends = (bracket.upper - bracket.lower, bracket.upper - value, value - bracket.lower)
        width = max(float(np.linalg.norm(gap)) for gap in ends) / scale if scale > 0 else 0.0
    known = [v for v in (ladder_error, width) if v is not None]
    if not known:
        return ErrorTerm(
            "discretization",
            None,
            "The image is too small to be coarsened, and no bracket is available for these laws.",
            "Use an image with at least 8 voxels along every edge.",
        )
    parts = []
    if ladder_error is not None and study is not None:
        sizes = ", ".join(str(n) for n in study.voxels)
        parts.append(f"change over images with {sizes} voxels along the longest edge: {ladder_error:.2%}")
    if width is not None:
        parts.append(f"width of the guaranteed bracket: {width:.2%}")
    if interfaces is not None:
        parts.append(f"added for where the interfaces run inside their voxels: {interfaces:.2%}")
    words = "; ".join(parts).capitalize() + "."
    return ErrorTerm("discretization", math.hypot(*known) + (interfaces or 0.0), words, remedy)


def algebraic_term(error: float, solver: str) -> ErrorTerm:
    """Error of stopping the iteration, from the energy error of conjugate gradients."""
    return ErrorTerm(
        "algebraic",
        error,
        f"Energy error estimated by the {solver} from its own coefficients.",
        "Ask for a smaller accuracy (or a smaller --residual).",
    )


def boundary_term(gaps: Sequence[tuple[str, float]], own: str) -> ErrorTerm:
    """Spread between boundary conditions on the same image: name and relative distance of every other condition."""
    if not gaps:
        return ErrorTerm(
            "boundary", None, "Not assessed: only one boundary condition was solved.",
            "Compare boundary conditions (conditions=..., --conditions kubc,subc).",
        )  # fmt: skip
    listed = ", ".join(f"{name} {gap:.2%}" for name, gap in gaps)
    return ErrorTerm(
        "boundary",
        max(gap for _, gap in gaps),
        f"Distance from {own} to the other conditions on the same image: {listed}.",
        "Use a larger image: the gap between boundary conditions closes with its size.",
    )


def parameter_term(error: float | None, found: Sequence[Sensitivity] = (), without: str = "") -> ErrorTerm:
    """Effect of the uncertainties given for the phase properties (one standard deviation, independent).

    found: the sensitivities; the property with the largest effect is the one to measure better. without: what the term
    leaves out, as a sentence.
    """
    if error is None:
        return ErrorTerm(
            "parameters", None, "Not assessed: no property was given with an uncertainty.",
            'Give properties with their uncertainty, e.g. k="2.5+-0.1".',
        )  # fmt: skip
    thermal = " or of its thermal expansion" if any(s.expansion_effect > s.effect for s in found) else ""
    worst = max(found, key=lambda s: s.largest_effect, default=None)
    name = f"{worst.parameter} of phase {worst.label}" if worst else "the property of the largest effect"
    return ErrorTerm(
        "parameters",
        error,
        f"Derivatives of the tensor{thermal} by the phase properties times their standard deviations, added in "
        f"squares. {without}".rstrip(),
        f"Measure {name} more precisely.",
    )


@final
@dataclasses.dataclass(frozen=True, eq=False)
class StatisticalError:
    """The statistical term, sentences for the warnings, and the numbers behind it in plain data."""

    term: ErrorTerm
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def statistical_term(
    value: float | None = None,
    how: str = "Not assessed: one image is one sample of the material.",
    remedy: str = "Compare sub-volumes (subvolumes=..., --subvolumes auto) or several images of the same material.",
    asked: bool = False,
) -> ErrorTerm:
    """How far the material may be from this one sample of it (statistical_error.py), or why nobody knows."""
    return ErrorTerm("statistical", value, how, remedy, asked)


def budget(terms: Sequence[ErrorTerm], accuracy: float | None) -> ErrorBudget:
    """The terms in one budget."""
    return ErrorBudget(tuple(terms), accuracy)

"""Scale separation l << delta << H: is the cell large beside the structure, and small beside the load?

l is the length of the microstructure, delta the edge of the cell, H the length over which macroscopic fields vary (or
the edge of a macroscopic element). delta / l decides whether the cell holds enough of the structure, H / delta
whether the macroscopic gradient is uniform over the cell. epsilon = l / L compares structure and macroscopic length.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import final

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.units import format_quantity

CLEAR = 10.0
MARGINAL = 3.0


class Separation(enum.Enum):
    """How far two lengths are apart: factor 10 or more, 3 to 10, less than 3."""

    CLEAR = "clear"
    MARGINAL = "marginal"
    ABSENT = "absent"

    @staticmethod
    def of(ratio: float) -> Separation:
        if ratio >= CLEAR:
            return Separation.CLEAR
        return Separation.MARGINAL if ratio >= MARGINAL else Separation.ABSENT


@final
@dataclasses.dataclass(frozen=True)
class ScaleReport:
    """Three lengths in one unit and what their ratios allow.

    fine_length l, cell_size delta, macro_length L, element_size: H where a mesh resolves L, else None and H = L.
    """

    fine_length: float
    cell_size: float
    macro_length: float
    element_size: float | None = None

    @property
    def epsilon(self) -> float:
        """l / L."""
        return self.fine_length / self.macro_length

    @property
    def coarse_length(self) -> float:
        """H: the smaller of macroscopic length and element."""
        return self.macro_length if self.element_size is None else min(self.element_size, self.macro_length)

    @property
    def cell_over_fine(self) -> float:
        """delta / l."""
        return self.cell_size / self.fine_length

    @property
    def coarse_over_cell(self) -> float:
        """H / delta."""
        return self.coarse_length / self.cell_size

    @property
    def cell_separation(self) -> Separation:
        """Does the cell hold enough of the structure?"""
        return Separation.of(self.cell_over_fine)

    @property
    def coarse_separation(self) -> Separation:
        """Is the macroscopic field uniform over the cell?"""
        return Separation.of(self.coarse_over_cell)

    @property
    def separation(self) -> Separation:
        """The weaker of both."""
        order = list(Separation)
        return max(self.cell_separation, self.coarse_separation, key=order.index)

    @property
    def words(self) -> str:
        """The verdict on l << delta << H with the numbers that led to it."""
        head = {
            Separation.CLEAR: "The scales are clearly separated",
            Separation.MARGINAL: "The scales are marginally separated",
            Separation.ABSENT: "The scales are not separated",
        }[self.separation]
        lengths = (
            f"structure l = {format_quantity(self.fine_length, 'm')}, cell delta = "
            f"{format_quantity(self.cell_size, 'm')}, coarse length H = {format_quantity(self.coarse_length, 'm')}; "
            f"delta / l = {self.cell_over_fine:.3g}, H / delta = {self.coarse_over_cell:.3g}, epsilon = l / L = "
            f"{self.epsilon:.3g} (clear from {CLEAR:g}, marginal from {MARGINAL:g})"
        )
        advice = []
        if self.cell_separation is not Separation.CLEAR:
            advice.append(
                f"The cell holds only {self.cell_over_fine:.3g} lengths of the structure per edge: enlarge it "
                f"towards {format_quantity(CLEAR * self.fine_length, 'm')}, or average over realizations."
            )
        if self.coarse_separation is not Separation.CLEAR:
            advice.append(
                f"Macroscopic fields vary over only {self.coarse_over_cell:.3g} cells: gradients inside the cell "
                "matter."
            )
            if self.coarse_length < MARGINAL * MARGINAL * self.fine_length:
                advice.append(
                    "No cell size helps, because the structure itself is too large beside the load: resolve it, "
                    "or use a model that keeps its length."
                )
        return " ".join([f"{head}: {lengths}.", *advice])


def scale_report(
    fine_length: float | int,
    cell_size: float | int,
    macro_length: float | int,
    *,
    element_size: float | int | None = None,
) -> ScaleReport:
    """Compare the correlation length, the edge of the cell and the macroscopic length, all in m.

    macro_length: the size over which the macroscopic field varies, such as a part's thickness or `gradient_length`.
    Fails when: a length is not positive and finite (InputError).
    """
    given = {"fine length": fine_length, "cell size": cell_size, "macro length": macro_length}
    if element_size is not None:
        given["element size"] = element_size
    for name, value in given.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"The {name} must be a positive length, got {value}.")
    return ScaleReport(
        float(fine_length),
        float(cell_size),
        float(macro_length),
        None if element_size is None else float(element_size),
    )


def gradient_length(field: np.ndarray, cell_size: tuple[float, ...]) -> float:
    """L = (max - min) / max |grad|: the shortest length over which a macroscopic field could change by its range.

    field: values on a regular grid of any number of axes, such as the strain or temperature gradient that drives the
    cells; cell_size: its spacing in m. Infinite for a uniform field.
    Fails when: the shape and the spacing do not match, or a value is not finite (InputError).
    """
    values = np.asarray(field, float)
    if values.ndim != len(cell_size) or min(values.shape, default=0) < 2:
        raise InputError(
            f"A field of shape {values.shape} needs one spacing per axis and two points on each, got {cell_size}."
        )
    if not np.all(np.isfinite(values)):
        raise InputError("The field has values that are not finite.")
    slopes = np.gradient(values, *cell_size)
    square = sum(g * g for g in (slopes if isinstance(slopes, list | tuple) else [slopes]))
    steepest = math.sqrt(float(np.max(square)))
    return float(np.ptp(values)) / steepest if steepest > 0 else math.inf

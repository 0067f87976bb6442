"""What a cell answered along a loading path: immutable records of every increment."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np

from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage
from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics

if TYPE_CHECKING:
    from jaxtyping import Float, Num

DRIVE_SYMBOLS = {"small strain": "e", "finite strain": "F", "transport": "g"}
FLUX_SYMBOLS = {"small strain": "s", "finite strain": "P", "transport": "q"}
CAUCHY_SYMBOL = "s"  # beside P, at finite strain


class Moments(enum.Enum):
    """When along a path something extra is computed or kept."""

    NEVER = "never"
    LAST = "last"
    END_OF_LEGS = "end of legs"
    ALWAYS = "always"

    def chosen(self, end_of_leg: bool, last: bool) -> bool:
        """Whether an increment that ends a leg, or the path, is meant."""
        if self is Moments.END_OF_LEGS:
            return end_of_leg
        return self is Moments.ALWAYS or (self is Moments.LAST and last)


@final
@dataclasses.dataclass(frozen=True, eq=False)
class PathIncrement:
    """The cell at the end of one increment, all per reference volume and in SI.

    drive, flux (m,): macroscopic means, Mandel where they are symmetric. tangent (m, m): d flux / d drive at the end of
    the increment, or None where it was not asked for (or does not exist). stored: free energy above that of the virgin
    cell; dissipated, work: since the start, the work by the trapezoidal rule. residuals: out-of-balance stress before
    every Newton iteration and after the last one, relative; krylov: steps of the linear solver in each; cuts: how often
    the increment was cut. phase_drive, phase_flux (P, m): averages over the phases. hill_mandel: |<s:e> - <s>:<e>| over
    <|s:e|>. turnover: sum of |work| of the increments so far; unbalanced: that of their |work - stored - dissipated|.
    stored, dissipated and unbalanced are None where a law does not say its energies.
    """

    number: int
    leg: int
    time: float
    dt: float
    cuts: int
    drive: np.ndarray
    flux: np.ndarray
    tangent: np.ndarray | None
    stored: float | None
    dissipated: float | None
    work: float
    residuals: np.ndarray
    krylov: np.ndarray
    phase_drive: np.ndarray
    phase_flux: np.ndarray
    hill_mandel: float
    turnover: float
    unbalanced: float | None

    @property
    def algebraic(self) -> float:
        """Error that stopping Newton's iteration leaves: the out-of-balance stress over the stress."""
        return float(self.residuals[-1])

    @property
    def increment_size(self) -> float | None:
        """What the length of the increments changes in the energy balance, relative to the work; None without one."""
        if self.unbalanced is None:
            return None
        return self.unbalanced / self.turnover if self.turnover > 0 else 0.0


@final
@dataclasses.dataclass(frozen=True, eq=False)
class PathFields:
    """Local fields at the end of one increment, float32.

    primary (c, *nodes): displacement, or potential, in the unit of the spacing (voxels where it is unknown; the
    macroscopic part included); drive, flux (m, *voxels): means over the points of each voxel; internal: what the laws
    remember, by name, (*components, *voxels), zero where a law has no such thing.
    """

    number: int
    time: float
    primary: np.ndarray
    drive: np.ndarray
    flux: np.ndarray
    internal: Mapping[str, np.ndarray]


@final
@dataclasses.dataclass(frozen=True, eq=False)
class PathResult:
    """A curve with everything that belongs to it; see `PathIncrement`.

    resolution: the error of the voxel size of every increment (the largest relative difference of flux and drive to the
    same path on the image coarsened by two), or None where it was not asked for. fields: by number of the increment,
    read when they are looked up. reason: why the path ended before its end, or "".
    """

    image: PhaseImage
    kinematics: Kinematics
    legs: tuple[Leg, ...]
    laws: Mapping[int, Mapping[str, Any]]
    boundary: str
    integration: str
    tolerance: float
    increments: tuple[PathIncrement, ...]
    fields: Mapping[int, PathFields]
    resolution: np.ndarray | None
    status: Status
    reason: str
    warnings: tuple[str, ...]
    accuracy: float | None = None
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Components of drive and flux, in order."""
        return self.kinematics.components(self.image.grid.ndim)

    @property
    def drive_names(self) -> tuple[str, ...]:
        symbol = DRIVE_SYMBOLS[self.kinematics.name]
        return tuple(f"{symbol}_{name}" for name in self.names)

    @property
    def flux_names(self) -> tuple[str, ...]:
        symbol = FLUX_SYMBOLS[self.kinematics.name]
        return tuple(f"{symbol}_{name}" for name in self.names)

    @property
    def unit(self) -> str:
        """Of the flux; "" where laws of transport leave it open."""
        return "Pa" if self.kinematics.vector else ""

    @property
    def energy_unit(self) -> str:
        return "J/m^3" if self.kinematics.vector else ""

    def components(self, values: Num[np.ndarray, "... m"]) -> Float[np.ndarray, "... m"]:
        """True tensor components of drives or fluxes (..., m): without the sqrt 2 of Mandel shears."""
        return np.asarray(values) / shear_weights(self.kinematics, self.names)

    def reported_tangent(self, tangent: Num[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
        """The tangent (m, m) as people read it: Voigt with engineering shear at small strain."""
        w = shear_weights(self.kinematics, self.names)
        return np.asarray(tangent) / np.outer(w, w)

    @property
    def says_energies(self) -> bool:
        """Whether all laws say what they store and dissipate; otherwise the energies of the increments are None."""
        return all(row.unbalanced is not None for row in self.increments)

    @property
    def newton(self) -> int:
        """Newton iterations of all increments."""
        return sum(len(row.krylov) for row in self.increments)

    @property
    def total_error(self) -> float:
        """Largest sum of the assessed terms of the budget along the path, relative."""
        found = 0.0
        for n, row in enumerate(self.increments):
            resolution = 0.0 if self.resolution is None else float(self.resolution[n])
            found = max(found, row.algebraic + (row.increment_size or 0.0) + resolution)
        return found

    def __repr__(self) -> str:
        from scalebridge.homogenize.path.present import to_text

        return to_text(self)


def shear_weights(kinematics: Kinematics, names: tuple[str, ...]) -> Float[np.ndarray, " m"]:
    """sqrt 2 for the shears of Mandel vectors, else 1: (m,)."""
    mandel = kinematics is SMALL_STRAIN
    return np.array([math.sqrt(2.0) if mandel and name[0] != name[-1] else 1.0 for name in names])

"""What a homogenization gives back: the law, how wrong it may be, whether its assumptions hold, where it came from.

Everything is an immutable value. `HomogenizationResult` is the `Reduced` joint of the design for linear cells:
`model` (a law like the ones that went in), `error` (the budget), `validity` (the verdicts), `provenance`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.cell.problem import CellSolution
from scalebridge.core.status import Status
from scalebridge.grid import Field, PhaseImage
from scalebridge.material.law import AbstractLaw

BUDGET_TERMS = ("algebraic", "discretization", "boundary", "parameters", "statistical")
# Without these an accuracy cannot be vouched for; the others are assessed when asked for.
ESSENTIAL_TERMS = ("algebraic", "discretization")


@dataclasses.dataclass(frozen=True)
class ErrorTerm:
    """One term of the budget, relative to the norm of the tensor; `value` None means not assessed.

    `how` says in words how the number was found, `remedy` what would make it smaller. asked: it was asked for, so that
    without it nothing is known about the accuracy.
    """

    name: str
    value: float | None
    how: str = ""
    remedy: str = ""
    asked: bool = False


@dataclasses.dataclass(frozen=True)
class ErrorBudget:
    """All terms in the order of BUDGET_TERMS, and the accuracy that was asked for (None: a fixed residual was)."""

    terms: tuple[ErrorTerm, ...]
    accuracy: float | None = None

    def __getitem__(self, name: str) -> ErrorTerm:
        return next(term for term in self.terms if term.name == name)

    @property
    def total(self) -> float:
        """Sum of the assessed terms: they are not independent, so no squares are added."""
        return float(sum(term.value for term in self.terms if term.value is not None))

    @property
    def missing(self) -> ErrorTerm | None:
        """The term that is essential, or was asked for, and not assessed: then nothing is known about the accuracy."""
        needed = (t for t in self.terms if t.name in ESSENTIAL_TERMS or t.asked)
        return next((t for t in needed if t.value is None), None)

    @property
    def largest(self) -> ErrorTerm | None:
        """The term that prevents a better accuracy: the missing one before any that is known."""
        if self.missing is not None:
            return self.missing
        known = [term for term in self.terms if term.value is not None]
        return max(known, key=lambda term: term.value or 0.0) if known else None

    @property
    def next_step(self) -> str:
        """The most useful next step in words."""
        largest = self.largest
        return largest.remedy if largest is not None and largest.value != 0 else ""

    @property
    def met(self) -> bool | None:
        """Whether the total is known to be within the accuracy asked for; None when none was asked for.

        A total without one of the ESSENTIAL_TERMS is only part of the error and vouches for nothing.
        """
        return None if self.accuracy is None else self.missing is None and self.total <= self.accuracy

    @property
    def reservation(self) -> str:
        """What an accuracy that was asked for cannot be judged by, or which sample cannot have it, as a sentence."""
        missing = self.missing
        if self.accuracy is None:
            return ""
        if missing is None:
            sample = next((t for t in self.terms if t.name == "statistical"), None)
            if sample is None or sample.value is None or sample.value <= self.accuracy:
                return ""
            return (
                f"No solver can meet the accuracy of {self.accuracy:.2g} on this image: as one sample of the material "
                f"it may be off by {sample.value:.2g}. {sample.remedy}".rstrip()
            )
        return (
            f"Whether the accuracy of {self.accuracy:.2g} is met is not known: the {missing.name} error was not "
            f"assessed. {missing.how}".rstrip()
        )


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One assumption and whether it holds: `ok` None means it could not be judged. `message` is a full sentence."""

    assumption: str
    ok: bool | None
    message: str


@dataclasses.dataclass(frozen=True, eq=False)
class Bracket:
    """Guaranteed: lower <= effective tensor of this voxel image <= upper, as quadratic forms."""

    lower: np.ndarray
    upper: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class TensorBounds:
    """Analytical bounds in the same form as `HomogenizationResult.value`; Hashin-Shtrikman only where it applies.

    `hashin_shtrikman` is {"lower": {...}, "upper": {...}} with scalar entries ("k", or "K" and "G"), or None with
    the reason in `note` (not well ordered, anisotropic phases, ...).
    """

    voigt: np.ndarray
    reuss: np.ndarray
    hashin_shtrikman: Mapping[str, Mapping[str, float]] | None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class PhaseRecord:
    """One phase of the image: `percolates` per axis (face connectivity between opposite faces)."""

    label: int
    law: str
    fraction: float
    percolates: tuple[bool, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Sensitivity:
    """Derivative of the effective tensor with respect to one property of one phase.

    derivative: same shape as `HomogenizationResult.value`, in units of value per unit of the property.
    uncertainty: standard deviation given by the user (0 if none); `effect` = |derivative| * uncertainty / |value|.
    expansion, heat_free_stress (m,) Mandel: their derivatives, in thermoelasticity (None elsewhere, and where they are
    not known); `expansion_effect` = |expansion| * uncertainty / |effective expansion|.
    """

    label: int
    parameter: str
    value: float
    derivative: np.ndarray
    uncertainty: float = 0.0
    effect: float = 0.0
    expansion: np.ndarray | None = None
    heat_free_stress: np.ndarray | None = None
    expansion_effect: float = 0.0

    @property
    def largest_effect(self) -> float:
        """Of `effect` and `expansion_effect`."""
        return max(self.effect, self.expansion_effect)


@dataclasses.dataclass(frozen=True, eq=False)
class SolverRecord:
    """How the numbers were obtained. `history[load]` is the relative residual after each iteration."""

    iterations: tuple[int, ...]
    residual: float
    seconds: float
    compile_seconds: float
    device: str
    peak_bytes: int
    history: tuple[tuple[float, ...], ...] = ()
    method: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class ResolutionStudy:
    """Values on coarsened images: `voxels` per longest edge, `values` same shape as the result, coarse to fine.

    `extrapolated` is the value for infinitely fine voxels under the fitted `order` (None where it could not be fitted).
    """

    voxels: tuple[int, ...]
    values: tuple[np.ndarray, ...]
    extrapolated: np.ndarray | None
    order: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class LocalFields:
    """The way back down: fields for one unit macroscopic load. `load` in words ("unit gradient along x", "xy")."""

    load: str
    primary: Field  # potential or displacement, at nodes, without the rigid/constant part removed
    drive: Field  # gradient or strain, per voxel
    flux: Field  # flux or stress, per voxel
    energy: Field  # energy density, per voxel


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class HomogenizationResult:
    """The effective law of one image, with its error budget and verdicts.

    value: (d, d) for conduction in x, y, z; (m, m) Mandel for elasticity (m = 3 in 2-D: xx, yy, xy; 6 in 3-D:
      xx, yy, zz, yz, xz, xy). With `faces` boundary conditions a 1x1 array: the scalar along the axis.
    unit: of `value`, SI, "" where the user gave dimensionless numbers.
    extra: further results by name, e.g. "tortuosity", "formation_factor", "anisotropy", "engineering" (dict of
      engineering constants), "expansion" (Mandel (m,)), "heat_free_stress" (Mandel (m,)).
    """

    physics: str
    quantity: str
    unit: str
    value: np.ndarray
    model: AbstractLaw | None
    error: ErrorBudget
    validity: tuple[Verdict, ...]
    bounds: TensorBounds | None
    bracket: Bracket | None
    checks: Mapping[str, float]  # {"hill_mandel": ..., "symmetry": ...}, relative
    phases: tuple[PhaseRecord, ...]
    solver: SolverRecord
    status: Status
    boundary: str  # "periodic" | "kubc" | "subc" | "faces": for records, never to select behaviour
    image: PhaseImage
    provenance: Mapping[str, Any]
    sensitivities: tuple[Sensitivity, ...] = ()
    resolution: ResolutionStudy | None = None
    fields: tuple[LocalFields, ...] = ()
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    axis: int | None = None
    plane: str | None = None  # "strain" | "stress" in 2-D elasticity
    solution: CellSolution | None = None  # what `localize` goes back to

    def __str__(self) -> str:
        from scalebridge.homogenize.present import to_text

        return to_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from scalebridge.homogenize.present import to_html

        return to_html(self)

"""What a symmetry class is: its parameters, the formula from them to the tensor, and what is allowed."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.core.units import Uncertain

Number = int | float | np.floating | np.integer | Uncertain
Values = Mapping[str, Any]  # name -> float, or complex in a complex step


class TensorKind(enum.Enum):
    """The tensors a symmetry class can shape, in words."""

    CONDUCTIVITY = "conductivity"  # (d, d)
    STIFFNESS = "stiffness"  # Mandel (m, m)
    EXPANSION = "thermal expansion"  # (d, d)


def allow_anything(values: Values) -> None:
    """The check of a class whose tensor alone decides."""


@dataclasses.dataclass(frozen=True)
class Symmetry:
    """A symmetry class in its local axes.

    formula: parameters -> tensor, (d, d) or Mandel (m, m), by arithmetic that complex numbers pass through.
    check: refuses impossible parameters before the formula sees them (LawError).
    singular: whether a tensor with some, but not only, zero eigenvalues is meant (a sheet that conducts in
    plane).
    """

    name: str
    kind: TensorKind
    keys: tuple[str, ...]
    formula: Callable[[Values], np.ndarray]
    check: Callable[[Values], None] = allow_anything
    singular: bool = True

    def __reduce__(self) -> tuple[Any, ...]:
        # Formulae are closures, which do not travel between processes: names do.
        return find_symmetry, (self.kind, self.name, self.keys)


def find_symmetry(kind: TensorKind, name: str, keys: tuple[str, ...]) -> Symmetry:
    """The symmetry class of this kind and name with these parameters, in any order."""
    from scalebridge.material.symmetries import SYMMETRIES

    matches = (s for s in SYMMETRIES if (s.kind, s.name, set(s.keys)) == (kind, name, set(keys)))
    found = next(matches, None)
    if found is None:
        raise LawError(f"There is no {name} {kind.value} with the parameters {', '.join(keys) or 'none'}.")
    return found


def as_uncertain(value: Any) -> Uncertain:
    """A plain number is a certain one; anything else is refused (LawError)."""
    if isinstance(value, Uncertain):
        return value
    if isinstance(value, bool | str):
        raise LawError(f"A property must be a number, got {value!r}.")
    try:
        return Uncertain(float(value))
    except (TypeError, ValueError, OverflowError):
        raise LawError(f"A property must be a number, got {value!r}.") from None


def require_nonnegative(values: Values, *keys: str) -> None:
    """Refuse negative entries by name."""
    for key in keys:
        if values[key] < 0:
            raise LawError(f"{key} = {values[key]:g} is negative; it must be positive, or zero for a void.")


def require_positive(values: Values, *keys: str) -> None:
    """Refuse entries that are not positive by name."""
    for key in keys:
        if values[key] <= 0:
            raise LawError(
                f"{key} = {values[key]:g} is not positive. For a true void use a law whose stiffness is zero "
                "altogether (Elasticity.void(), or E=0 with any nu); for a material without stiffness in one "
                "direction give the full tensor."
            )


def require_poisson(values: Values, key: str = "nu") -> None:
    """Refuse a Poisson ratio of an isotropic material outside (-1, 0.5)."""
    if not -1.0 < values[key] < 0.5:
        raise LawError(
            f"{key} = {values[key]:g} is outside (-1, 0.5), where an isotropic solid is stable. "
            "For a nearly incompressible solid try 0.49, or give K and G."
        )

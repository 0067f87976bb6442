"""A material tensor: a symmetry class with values, turned into global axes. Laws are composed of these."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.core.units import Uncertain, format_quantity
from scalebridge.material.symmetry import Number, Symmetry, TensorKind, as_uncertain
from scalebridge.numerics.mandel import rotate2, rotate_mandel4

if TYPE_CHECKING:
    from jaxtyping import Float

ArrayLike = np.ndarray | Sequence[Any]
ORTHOGONALITY_TOLERANCE = 1e-6
EIGENVALUE_TOLERANCE = 1e-10


def checked_rotation(rotation: ArrayLike) -> Float[np.ndarray, "d d"]:
    """A proper rotation (d, d), re-orthogonalized to round-off.

    Fails when: it is not orthogonal within 1e-6, or mirrors (LawError).
    """
    try:
        r = np.array(rotation, float)
    except (TypeError, ValueError):
        raise LawError("An orientation is a 3x3 rotation matrix of real numbers.") from None
    if r.shape not in ((3, 3), (2, 2)):
        raise LawError(
            f"An orientation is a 3x3 rotation matrix (local to global axes), got shape {r.shape}."
        )
    defect = float(np.abs(r @ r.T - np.eye(len(r))).max()) if np.all(np.isfinite(r)) else math.inf
    if not defect <= ORTHOGONALITY_TOLERANCE:
        raise LawError(
            f"The orientation is not a rotation: R R^T differs from the identity by {defect:.2g}. Its "
            "columns must be "
            "the local axes as orthonormal vectors in global axes."
        )
    if np.linalg.det(r) < 0:
        raise LawError("The orientation mirrors (determinant -1): flip the sign of one of its columns.")
    u, _, vt = np.linalg.svd(r)
    return u @ vt


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OrientedTensor:
    """A tensor of one symmetry class with given parameters, in global axes.

    values: (name, value with deviation) in the order of `symmetry.keys`. orientation: (d, d), local ->
    global.
    Fails when: a value is missing, unknown, not finite, or impossible; the tensor is indefinite (LawError).
    """

    symmetry: Symmetry
    values: tuple[tuple[str, Uncertain], ...]
    orientation: np.ndarray | None = None

    @staticmethod
    def of(
        symmetry: Symmetry, given: Mapping[str, Number], orientation: ArrayLike | None = None
    ) -> OrientedTensor:
        """From parameters by name."""
        if set(given) != set(symmetry.keys):
            raise LawError(
                f"A {symmetry.name} {symmetry.kind.value} needs {', '.join(symmetry.keys) or 'nothing'}; "
                f"got {', '.join(given) or 'nothing'}."
            )
        rotation = None if orientation is None else checked_rotation(orientation)
        return OrientedTensor(
            symmetry, tuple((key, as_uncertain(given[key])) for key in symmetry.keys), rotation
        )

    def __post_init__(self) -> None:
        for name, entry in self.values:
            if not math.isfinite(entry.value) or not math.isfinite(entry.deviation) or entry.deviation < 0:
                raise LawError(
                    f"{name} = {entry.value:g} +- {entry.deviation:g}: the value must be finite and the "
                    "deviation "
                    "finite and not negative."
                )
        self.symmetry.check({name: entry.value for name, entry in self.values})
        self._check_definite()
        if self.orientation is not None:
            if len(self.orientation) != self.ndim:
                raise LawError(
                    f"A {self.ndim}-D tensor was given an orientation of {len(self.orientation)}-D."
                )
            self.orientation.flags.writeable = False

    def _check_definite(self) -> None:
        if self.symmetry.kind is TensorKind.EXPANSION:
            return
        if not np.all(np.isfinite(self.local)):
            raise LawError(f"The {self.symmetry.kind.value} overflows: {self.words}. Check the units.")
        eigenvalues = np.linalg.eigvalsh(self.local)
        lowest, highest = float(eigenvalues[0]), float(np.abs(eigenvalues).max())
        floor = -EIGENVALUE_TOLERANCE * highest if self.symmetry.singular else 1e-13 * highest
        if highest > 0 and lowest < floor:
            given = ", ".join(f"{name} = {entry.value:g}" for name, entry in self.values[:9])
            raise LawError(
                f"The {self.symmetry.name} {self.symmetry.kind.value} with {given} is not positive: its "
                "smallest "
                f"eigenvalue is {lowest:.6g} (the largest {float(eigenvalues[-1]):.6g}). "
                "Check signs, units and Poisson ratios."
            )

    @property
    def ndim(self) -> int:
        """2 or 3: the dimension of space."""
        size = len(self.local)
        return {3: 2, 6: 3}[size] if self.symmetry.kind is TensorKind.STIFFNESS else size

    @property
    def parameters(self) -> Mapping[str, Uncertain]:
        """Values with deviations by name."""
        return types.MappingProxyType(dict(self.values))

    @functools.cached_property
    def local(self) -> np.ndarray:
        """The tensor in the material's own axes."""
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused above
            return np.asarray(
                self.symmetry.formula({name: entry.value for name, entry in self.values}), float
            )

    @functools.cached_property
    def tensor(self) -> np.ndarray:
        """The tensor in global axes, read-only."""
        tensor = self._turn(self.local)
        tensor = (tensor + tensor.T) / 2
        tensor.flags.writeable = False
        return tensor

    def derivative(self, name: str) -> Float[np.ndarray, "m m"]:
        """d tensor / d parameter in global axes, to round-off: an imaginary step through the formula has no
        subtraction in which digits could cancel.

        Fails when: there is no such parameter (LawError).
        """
        parameters = self.parameters
        if name not in parameters:
            raise LawError(f"This law has no parameter {name!r}; it has {', '.join(parameters) or 'none'}.")
        size = abs(parameters[name].value)
        step = 1e-30 * (size if size > 1e-200 else 1.0)
        values: dict[str, complex] = {key: complex(entry.value) for key, entry in self.values}
        values[name] += 1j * step
        return self._turn(np.imag(self.symmetry.formula(values)) / step)

    def _turn(self, tensor: np.ndarray) -> np.ndarray:
        if self.orientation is None:
            return np.array(tensor)
        if self.symmetry.kind is TensorKind.STIFFNESS:
            return rotate_mandel4(tensor, self.orientation)
        return rotate2(tensor, self.orientation)

    @property
    def is_zero(self) -> bool:
        """Whether the tensor is exactly zero: a true void."""
        return not np.any(self.local)

    def oriented(self, rotation: ArrayLike) -> OrientedTensor:
        """The same material turned by `rotation` (d, d)."""
        r = checked_rotation(rotation)
        turned = r if self.orientation is None else checked_rotation(r @ self.orientation)
        return dataclasses.replace(self, orientation=turned)

    @property
    def words(self) -> str:
        """Symmetry class and parameters, short enough for a table."""
        if len(self.values) > 9:
            listed = f"{len(self.values)} entries"
        else:
            listed = ", ".join(_in_words(name, entry) for name, entry in self.values)
        turned = ", oriented" if self.orientation is not None else ""
        return f"{self.symmetry.name}, {listed}{turned}" if listed else self.symmetry.name

    def record(self) -> dict[str, Any]:
        """Everything needed to build it again, in plain numbers and words."""
        return {
            "symmetry": self.symmetry.name,
            "parameters": {name: [entry.value, entry.deviation] for name, entry in self.values},
            "orientation": None if self.orientation is None else self.orientation.tolist(),
        }

    def __repr__(self) -> str:
        return f"<{self.symmetry.kind.value}: {self.words}>"


def _in_words(name: str, entry: Uncertain) -> str:
    """E.g. "E=70 GPa" or "k=7.7±0.3 W/(m K)": with a unit only where one was given."""
    name = name.rstrip("_")
    unit = "" if entry.dimension is None else entry.dimension.unit
    number, factor = f"{entry.value:g}", 1.0
    if unit == "Pa":  # nobody writes 70000000000 Pa; the other units are usual as they are
        number, _, unit = format_quantity(entry.value, unit).partition(" ")
        factor = float(number) / entry.value if entry.value else 1.0
    spread = f"±{entry.deviation * factor:.3g}" if entry.deviation else ""
    return f"{name}={number}{spread} {unit}".rstrip()

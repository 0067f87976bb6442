r"""Boundary conditions of a cell: what happens where the image ends.

Every condition is written as a total potential or displacement u = E.x + w with the fluctuation w in a space V
(or, for static conditions, u free and the mean flux prescribed). A condition says, per axis and per component,
whether w is periodic, fixed on the two faces, or free there; nothing else in the solver depends on it.
References: [hill1963], [huet1990], [miehe2002].
"""

from __future__ import annotations

import abc
import dataclasses
import enum

from scalebridge.core.errors import InputError


class Edge(enum.Enum):
    """What the fluctuation does on the two faces normal to one axis."""

    PERIODIC = "periodic"
    FIXED = "fixed"
    FREE = "free"


class Platens(enum.Enum):
    """Loading plates of a compression test: CLAMPED holds the faces laterally, SMOOTH lets them slide."""

    CLAMPED = "clamped"
    SMOOTH = "smooth"


class Sides(enum.Enum):
    """Lateral faces of a compression test: traction-free, or symmetry planes (no normal displacement)."""

    FREE = "free"
    SYMMETRIC = "symmetric"


class AbstractBoundary(abc.ABC):
    """A boundary condition for all loads (or, for laboratory set-ups, one load) of a cell."""

    name: str
    prescribes_flux: bool = False

    @abc.abstractmethod
    def edges(self, ndim: int, component: int | None) -> tuple[Edge, ...]:
        """Per axis, what component `component` of the displacement does (None: a scalar potential)."""

    @property
    def periodic(self) -> bool:
        return False


@dataclasses.dataclass(frozen=True)
class Periodic(AbstractBoundary):
    """PBC: w takes the same value on opposite faces. Exact for periodic media, the usual choice for samples."""

    name = "periodic"

    def edges(self, ndim: int, component: int | None) -> tuple[Edge, ...]:
        return (Edge.PERIODIC,) * ndim

    @property
    def periodic(self) -> bool:
        return True


@dataclasses.dataclass(frozen=True)
class KinematicUniform(AbstractBoundary):
    """KUBC: u = E.x on the whole boundary, w = 0 there. The stiffest answer."""

    name = "kubc"

    def edges(self, ndim: int, component: int | None) -> tuple[Edge, ...]:
        return (Edge.FIXED,) * ndim


@dataclasses.dataclass(frozen=True)
class StaticUniform(AbstractBoundary):
    """SUBC: traction S.n (flux Q.n) on the whole boundary. The softest answer; zero where voids touch the faces."""

    name = "subc"
    prescribes_flux = True

    def edges(self, ndim: int, component: int | None) -> tuple[Edge, ...]:
        return (Edge.FREE,) * ndim


@dataclasses.dataclass(frozen=True)
class OppositeFaces(AbstractBoundary):
    """The laboratory: two opposite faces held at different potentials (no flux through the sides), or a specimen
    between platens. One load, one scalar along `axis`."""

    axis: int = 0
    platens: Platens = Platens.CLAMPED
    sides: Sides = Sides.FREE
    name = "faces"

    def __post_init__(self) -> None:
        if self.axis not in (0, 1, 2):
            raise InputError(f"The loading axis must be 0, 1 or 2 (x, y, z), got {self.axis!r}.")

    def edges(self, ndim: int, component: int | None) -> tuple[Edge, ...]:
        if self.axis >= ndim:
            raise InputError(f"A {ndim}-D image has no axis {'xyz'[self.axis]}.")
        result = []
        for axis in range(ndim):
            if axis == self.axis:
                held = component is None or component == self.axis or self.platens is Platens.CLAMPED
            else:
                held = component == axis and self.sides is Sides.SYMMETRIC
            result.append(Edge.FIXED if held else Edge.FREE)
        return tuple(result)

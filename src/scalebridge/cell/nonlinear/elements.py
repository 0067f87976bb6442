r"""Drives at the integration points of voxel elements, and the forces of fluxes there: B and its transpose.

The gradient of a multilinear function at the point xi_q = (+-h_a / (2 sqrt 3))_a follows from the modes of the voxel
(cell/modes.py): d_a u_i = sum over subsets s of the other axes of g_{s + a} prod_{b in s} xi_b, two sums and
differences per axis. ONE_POINT keeps s = {} (the voxel mean): one state per voxel, no locking, periodic cells only.
EIGHT_POINTS is the fully integrated element (four points in 2-D). MEAN_DILATATION is the same with the volumetric
strain of the voxel mean at every point (B-bar [hughes1980]), which does not lock when the material keeps its volume; at
finite strain that is not linear in the unknown, and not part of B (dilatation.py).
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.cell.coefficients import PAIRS, CoefficientForm, Symmetry
from scalebridge.cell.modes import Element, mode_scale, needed_modes
from scalebridge.cell.operator import Discretization
from scalebridge.core.errors import InputError
from scalebridge.material.kinematics import Kinematics

SQRT2 = math.sqrt(2.0)


class Integration(enum.Enum):
    """Where a voxel element asks its law."""

    ONE_POINT = "one point"
    EIGHT_POINTS = "eight points"
    MEAN_DILATATION = "mean dilatation"


@dataclasses.dataclass(frozen=True)
class VoxelElements:
    """Everything static about the elements of a nonlinear cell; compiled code is shared by cells that agree on it.

    shape: voxels; spacing: voxel edges over their geometric mean; periodic: whether opposite nodes are one.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    kinematics: Kinematics
    integration: Integration
    periodic: bool

    def __post_init__(self) -> None:
        if self.integration is Integration.ONE_POINT and not self.periodic:
            raise InputError(
                "One integration point per voxel is for periodic cells only: on a box its hourglass modes are not "
                "controlled. Use Integration.MEAN_DILATATION or EIGHT_POINTS."
            )
        if self.integration is Integration.MEAN_DILATATION and not self.kinematics.vector:
            raise InputError(
                f"Elements of mean dilatation are for deformation, not for {self.kinematics.name}. Use "
                "Integration.ONE_POINT (periodic cells) or EIGHT_POINTS."
            )

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def components(self) -> int:
        """Components of the unknown at a node."""
        return self.ndim if self.kinematics.vector else 1

    @property
    def size(self) -> int:
        """Length m of a drive."""
        return self.kinematics.size(self.ndim)

    @property
    def nodes(self) -> tuple[int, ...]:
        return self.shape if self.periodic else tuple(n + 1 for n in self.shape)

    @property
    def points(self) -> int:
        """Integration points per voxel."""
        return 1 if self.integration is Integration.ONE_POINT else 1 << self.ndim

    @property
    def volume(self) -> float:
        """Of the cell, in cubed mean voxel edges."""
        return math.prod(self.shape) * self.voxel_volume

    @property
    def voxel_volume(self) -> float:
        return math.prod(self.spacing)

    @property
    def shares_dilatation(self) -> bool:
        """Whether the laws are asked at other drives than E + B w: those of dilatation.py."""
        return self.integration is Integration.MEAN_DILATATION and not self.kinematics.symmetric

    @property
    def modes(self) -> tuple[int, ...]:
        """The modes of the corner values that gradients use."""
        return needed_modes(self.ndim, self.linear.element)

    @property
    def linear(self) -> Discretization:
        """The linear elements with the same stiffness on a homogeneous material: what the preconditioner inverts."""
        element = Element.REDUCED if self.integration is Integration.ONE_POINT else Element.FULL
        form = CoefficientForm(self.ndim, self.kinematics.vector, Symmetry.ISOTROPIC)
        return Discretization(self.shape, self.spacing, form, element, self.periodic)


def _offset(elements: VoxelElements, axis: int) -> float:
    return elements.spacing[axis] / (2 * math.sqrt(3.0))


# Values at points carry `ndim` axes in front, the side (low, high) of the point along every axis: of length 2, or 1
# where a value does not depend on the side. All points are one array: eight times less code to compile.


def _spread(v: Any, ndim: int) -> Any:
    return v.reshape((1,) * ndim + v.shape)


def _gradient(elements: VoxelElements, modes: dict[int, Any], a: int) -> Any:
    """d_a of one component at all points: (sides, ...), of length 1 along a."""
    ndim = elements.ndim

    def part(s: int) -> Any:
        m = s | 1 << a
        return _spread(modes[m] * mode_scale(m, elements.spacing), ndim)

    others = [b for b in range(ndim) if b != a] if elements.points > 1 else []
    level = {s: part(s) for s in _subsets(others)}
    for b in others:
        step = _offset(elements, b)
        level = {
            s: _sides(level[s] - step * level[s | 1 << b], level[s] + step * level[s | 1 << b], b)
            for s in level
            if not s >> b & 1
        }
    return level[0]


def _scatter(elements: VoxelElements, value: Any, a: int) -> dict[int, Any]:
    """The transpose of `_gradient`: values at all points (sides, ...) -> forces on the modes of one component."""
    ndim = elements.ndim
    others = [b for b in range(ndim) if b != a] if elements.points > 1 else []
    if elements.points > 1:
        value = _side(value, 0, a) + _side(value, 1, a)
    level = {0: value}
    for b in others:
        step = _offset(elements, b)
        merged = {}
        for s, v in level.items():
            low, high = _side(v, 0, b), _side(v, 1, b)
            merged[s] = low + high
            merged[s | 1 << b] = (high - low) * step
        level = merged
    return {
        s | 1 << a: v.reshape(v.shape[ndim:]) * mode_scale(s | 1 << a, elements.spacing)
        for s, v in level.items()
    }


def _subsets(axes: list[int]) -> list[int]:
    return [
        sum(1 << b for b in chosen)
        for r in range(len(axes) + 1)
        for chosen in itertools.combinations(axes, r)
    ]


def _sides(low: Any, high: Any, axis: int) -> Any:
    return (
        np.concatenate([low, high], axis)
        if isinstance(low, np.ndarray)
        else jnp.concatenate([low, high], axis)
    )


def _side(v: Any, side: int, axis: int) -> Any:
    return v[(*(slice(None),) * axis, slice(side, side + 1))]


def drives_of(elements: VoxelElements, modes: list[dict[int, Any]]) -> list[Any]:
    """The part of the drives that comes from the unknown: m arrays (points, ...). NumPy or JAX."""
    ndim, kinematics = elements.ndim, elements.kinematics
    g = {(i, a): _gradient(elements, modes[i], a) for i in range(elements.components) for a in range(ndim)}
    if not kinematics.vector:
        drive = [g[0, a] for a in range(ndim)]
    elif kinematics.symmetric:
        drive = [g[i, i] if i == j else (g[i, j] + g[j, i]) * (1 / SQRT2) for i, j in PAIRS[ndim]]
    else:
        drive = [g[i, a] for i in range(ndim) for a in range(ndim)]
    if elements.integration is Integration.MEAN_DILATATION and kinematics.symmetric:
        gap = (_mean_dilatation(elements, modes) - sum(drive[1:ndim], drive[0])) * (1 / ndim)
        drive = [e + gap if n < ndim else e for n, e in enumerate(drive)]
    sides = (2 if elements.points > 1 else 1,) * ndim
    return [_all_sides(e, sides).reshape(elements.points, *e.shape[ndim:]) for e in drive]


def _mean_dilatation(elements: VoxelElements, modes: list[dict[int, Any]]) -> Any:
    parts = [modes[i][1 << i] * mode_scale(1 << i, elements.spacing) for i in range(elements.ndim)]
    return _spread(sum(parts[1:], parts[0]), elements.ndim)


def _all_sides(v: Any, sides: tuple[int, ...]) -> Any:
    shape = (*sides, *v.shape[len(sides) :])
    return np.broadcast_to(v, shape) if isinstance(v, np.ndarray) else jnp.broadcast_to(v, shape)


def forces_of(elements: VoxelElements, flux: list[Any]) -> list[dict[int, Any]]:
    """The transpose of `drives_of`, weighted by the volume of a point: m arrays (points, ...) -> forces on the modes of
    every component."""
    ndim, kinematics = elements.ndim, elements.kinematics
    weight = elements.voxel_volume / elements.points
    sides = (2 if elements.points > 1 else 1,) * ndim
    flux = [q.reshape(*sides, *q.shape[1:]) * weight for q in flux]
    mean: Any = None
    if elements.integration is Integration.MEAN_DILATATION and kinematics.symmetric:
        pressure = sum(flux[1:ndim], flux[0]) * (1 / ndim)
        flux = [q - pressure if n < ndim else q for n, q in enumerate(flux)]
        mean = pressure.sum(axis=tuple(range(ndim)))
    forces: list[dict[int, Any]] = [{} for _ in range(elements.components)]

    def put(i: int, found: dict[int, Any]) -> None:
        for m, v in found.items():
            forces[i][m] = v if m not in forces[i] else forces[i][m] + v

    if not kinematics.vector:
        for a in range(ndim):
            put(0, _scatter(elements, flux[a], a))
    elif kinematics.symmetric:
        for (i, j), q in zip(PAIRS[ndim], flux, strict=True):
            if i == j:
                put(i, _scatter(elements, q, i))
            else:
                put(i, _scatter(elements, q * (1 / SQRT2), j))
                put(j, _scatter(elements, q * (1 / SQRT2), i))
    else:
        for n, (i, a) in enumerate(itertools.product(range(ndim), repeat=2)):
            put(i, _scatter(elements, flux[n], a))
    if mean is not None:
        for i in range(ndim):
            put(i, {1 << i: mean * mode_scale(1 << i, elements.spacing)})
    return forces

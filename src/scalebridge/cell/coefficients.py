r"""Coefficient fields: the stiffness or conductivity of every voxel, in the fewest numbers that say it.

Isotropic phases need one (k) or two (lambda, mu) numbers per voxel, aligned orthotropic conductors d, everything else
the upper triangle of the Mandel matrix. The field is stored on the padded voxel grid of the operator (one layer around
the nodes): periodic images, or zeros outside a box, so that the boundary needs no special case.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from scalebridge.numerics.compiling import on_device

if TYPE_CHECKING:
    from jaxtyping import Integer, Num


class Symmetry(enum.Enum):
    """How much of the coefficient matrix is stored: one or two moduli, the diagonal, or the upper triangle."""

    ISOTROPIC = "isotropic"
    DIAGONAL = "diagonal"
    FULL = "full"


# Mandel pairs: (i, j) of each component, in the order of the conventions page.
PAIRS = {2: ((0, 0), (1, 1), (0, 1)), 3: ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))}


@dataclasses.dataclass(frozen=True)
class CoefficientForm:
    """Static description: `vector` False for conduction (d x d), True for elasticity (m x m Mandel)."""

    ndim: int
    vector: bool
    symmetry: Symmetry

    @property
    def size(self) -> int:
        """Length m of a drive: gradient components or Mandel strains."""
        return len(PAIRS[self.ndim]) if self.vector else self.ndim

    @property
    def count(self) -> int:
        """Numbers stored per voxel."""
        if self.symmetry is Symmetry.ISOTROPIC:
            return 2 if self.vector else 1
        return self.ndim if self.symmetry is Symmetry.DIAGONAL else self.size * (self.size + 1) // 2

    def flux(self, coefficients: Sequence[Any], drive: Sequence[Any]) -> list[Any]:
        """C : drive with structural zeros: entries None in `drive` are zero and cost nothing."""
        m = self.size
        if self.symmetry is Symmetry.DIAGONAL or (self.symmetry is Symmetry.ISOTROPIC and not self.vector):
            k = list(coefficients) * (m if len(coefficients) == 1 else 1)
            return [None if e is None else k[a] * e for a, e in enumerate(drive)]
        if self.symmetry is Symmetry.ISOTROPIC:
            lame, shear = coefficients
            normal = [e for e in drive[: self.ndim] if e is not None]
            pressure = lame * sum(normal[1:], normal[0]) if normal else None
            out: list[Any] = []
            for a, e in enumerate(drive):
                part = None if e is None else 2.0 * shear * e
                if a < self.ndim and pressure is not None:
                    part = pressure if part is None else part + pressure
                out.append(part)
            return out
        out = [None] * m
        for n, (a, b) in enumerate(itertools.combinations_with_replacement(range(m), 2)):
            for row, column in {(a, b), (b, a)}:
                e = drive[column]
                if e is not None:
                    term = coefficients[n] * e
                    out[row] = term if out[row] is None else out[row] + term
        return out


def pack(form: CoefficientForm, matrices: Num[np.ndarray, "*batch m m"]) -> Num[np.ndarray, "count *batch"]:
    """The stored numbers of symmetric matrices. Shapes: matrices (..., m, m) -> (count, ...)."""
    if form.symmetry is Symmetry.ISOTROPIC:
        if not form.vector:
            return matrices[..., 0, 0][None]
        lame = matrices[..., 0, 1]
        return np.stack([lame, (matrices[..., 0, 0] - lame) / 2])
    if form.symmetry is Symmetry.DIAGONAL:
        return np.stack([matrices[..., a, a] for a in range(form.ndim)])
    pairs = itertools.combinations_with_replacement(range(form.size), 2)
    return np.stack([matrices[..., a, b] for a, b in pairs])


def symmetry_of(matrices: Num[np.ndarray, "P m m"], ndim: int, vector: bool, rtol: float = 1e-14) -> Symmetry:
    """The cheapest form that stores all `matrices` (P, m, m) exactly."""
    scale = rtol * max(float(np.abs(matrices).max(initial=0.0)), math.ulp(0.0))

    def same(form: np.ndarray) -> bool:
        return bool(np.abs(matrices - form).max(initial=0.0) <= scale)

    m = matrices.shape[-1]
    if not vector:
        if same(matrices[:, :1, :1] * np.eye(m)):
            return Symmetry.ISOTROPIC
        return Symmetry.DIAGONAL if same(matrices * np.eye(m)) else Symmetry.FULL
    lame = matrices[:, 0, 1]
    shear = (matrices[:, 0, 0] - lame) / 2
    trace = np.zeros((m, m))
    trace[:ndim, :ndim] = 1.0
    isotropic = lame[:, None, None] * trace + 2 * shear[:, None, None] * np.eye(m)
    return Symmetry.ISOTROPIC if same(isotropic) else Symmetry.FULL


def pad_voxels(values: np.ndarray, ndim: int, periodic: bool) -> np.ndarray:
    """Voxel values around every node: wrapped low side for periodic cells, a layer of zeros around a box."""
    lead = [(0, 0)] * (values.ndim - ndim)
    if periodic:
        return np.pad(values, [*lead, *[(1, 0)] * ndim], mode="wrap")
    return np.pad(values, [*lead, *[(1, 1)] * ndim])


@dataclasses.dataclass(frozen=True, eq=False)
class CoefficientField:
    """Coefficients on the padded voxel grid, as numbers per voxel or as a table looked up by phase.

    Shapes: either values (count, *padded), or table (count, P + 1) with index (*padded) where phase P is "outside".
    """

    form: CoefficientForm
    values: jax.Array | None
    table: jax.Array | None
    index: jax.Array | None

    def arrays(self) -> tuple[jax.Array | None, jax.Array | None, jax.Array | None]:
        return self.values, self.table, self.index


def coefficient_field(
    form: CoefficientForm,
    index: Integer[np.ndarray, "*shape"],
    matrices: Num[np.ndarray, "P m m"],
    periodic: bool,
    dtype: type = np.float32,
) -> CoefficientField:
    """Coefficients of an image whose voxel phase numbers are `index`, with one matrix (m, m) per phase."""
    table: np.ndarray = pack(form, matrices).astype(dtype)
    if form.count <= 3:
        padded = np.empty((form.count, *(n + (1 if periodic else 2) for n in index.shape)), dtype)
        labels = pad_voxels(index, form.ndim, periodic)
        for c in range(form.count):
            np.take(table[c], labels, out=padded[c])
        if not periodic:
            _clear_outside(padded, form.ndim)
        return CoefficientField(form, on_device(padded), None, None)
    outside: np.ndarray = np.zeros((form.count, 1), dtype)
    if periodic:
        labels = pad_voxels(index, form.ndim, True)
    else:
        labels = np.pad(index.astype(np.int32), 1, constant_values=table.shape[1])
    return CoefficientField(
        form, None, on_device(np.concatenate([table, outside], axis=1)), on_device(labels)
    )


def coefficient_field_from_voxels(
    form: CoefficientForm, packed: Num[np.ndarray, "count *shape"], periodic: bool, dtype: type = np.float32
) -> CoefficientField:
    """Coefficients given voxel by voxel (grains, fibres): packed (count, *shape)."""
    return CoefficientField(
        form, on_device(pad_voxels(packed.astype(dtype), form.ndim, periodic)), None, None
    )


def _clear_outside(padded: np.ndarray, ndim: int) -> None:
    for axis in range(1, ndim + 1):
        for end in (0, -1):
            where: list[slice | int] = [slice(None)] * padded.ndim
            where[axis] = end
            padded[tuple(where)] = 0

r"""Conjugate gradients preconditioned by aggregation multigrid, for the seven-point operator on a box of
cells.

The operator is :math:`(A u)_i = \sum_f t_f (u_i - u_{j(f)})`: one transmissibility per face of the grid. On
the outer faces u is zero (prescribed value; t = 0 there makes it a no-flux face) or wraps around (periodic).
Every level of the hierarchy is again such an operator: cells are merged 2 x 2 x 2, and a coarse face takes
half the sum of the fine transmissibilities on it. The plain Galerkin sum would be twice too stiff for smooth
errors (a jump between piecewise constants costs twice the slope); the half restores a grid-independent rate.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from scalebridge.numerics.compiling import blank_fields, on_device, quick_jit

if TYPE_CHECKING:
    from jaxtyping import Float

COARSEST_CELLS = 512


def _chebyshev_weights(sweeps: int, lowest: float) -> tuple[float, ...]:
    """Jacobi weights that damp all eigenvalues of D^-1 A in [lowest, 2] equally well."""
    centre, half = (2 + lowest) / 2, (2 - lowest) / 2
    roots = [centre + half * math.cos(math.pi * (2 * i + 1) / (2 * sweeps)) for i in range(sweeps)]
    return tuple(1 / root for root in roots)


# Two sweeps on the finest level; four on the others, which have only a seventh of its cells together.
FINE_WEIGHTS = _chebyshev_weights(2, 0.3)
COARSE_WEIGHTS = _chebyshev_weights(4, 0.15)
# Iterations between two reports of progress: what fits in CHUNK_SECONDS at a rough speed per cell. Every chunk pays for
# touching its work space anew, about one iteration's worth.
CHUNK_SECONDS = 5.0
SECONDS_PER_CELL = 1e-8


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["faces", "inverse_diagonal"], meta_fields=["periodic"]
)
@dataclasses.dataclass(frozen=True, eq=False)
class FaceOperator:
    """The seven-point (2-D: five-point) operator of one level.

    Shapes: faces[a] has one entry more than there are cells along axis a (the two outer faces included; along
    a periodic axis both outer entries are the same face). inverse_diagonal (*cells), zero where a cell has no
    conducting face at all: such cells stay untouched.
    """

    faces: tuple[Any, ...]
    inverse_diagonal: Any
    periodic: tuple[bool, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.inverse_diagonal.shape)


def lower_faces(faces: Any, axis: int) -> Any:
    """The faces below each cell."""
    return lax.slice_in_dim(faces, 0, faces.shape[axis] - 1, axis=axis)


def upper_faces(faces: Any, axis: int) -> Any:
    """The faces above each cell."""
    return lax.slice_in_dim(faces, 1, faces.shape[axis], axis=axis)


def face_operator(faces: tuple[Any, ...], periodic: tuple[bool, ...]) -> FaceOperator:
    """Add the diagonal to a set of face transmissibilities (all >= 0)."""
    diagonal = sum(lower_faces(t, a) + upper_faces(t, a) for a, t in enumerate(faces))
    inverse = jnp.where(diagonal > 0, 1 / jnp.where(diagonal > 0, diagonal, 1), 0)
    return FaceOperator(tuple(faces), inverse, periodic)


def with_halo(values: Any, periodic: tuple[bool, ...]) -> Any:
    """Cells with one layer more on every side: zeros, or the opposite side where the axis is periodic.

    The barrier keeps XLA from recomputing `values` for each of the six neighbours; slices of this one array
    are plain vector loads, which a shifted or rolled array would not be.
    """
    padded = jnp.pad(values, 1)
    for axis, wraps in enumerate(periodic):
        if wraps:
            n = values.shape[axis]
            for source, target in ((n - 1, 0), (0, n + 1)):
                corner = [1] * values.ndim
                corner[axis] = target
                padded = lax.dynamic_update_slice(
                    padded, lax.slice_in_dim(values, source, source + 1, axis=axis), corner
                )
    return lax.optimization_barrier(padded)


def inner(padded: Any) -> Any:
    """The cells without their halo."""
    return lax.slice(padded, [1] * padded.ndim, [n - 1 for n in padded.shape])


def apply_to_halo(faces: tuple[Any, ...], padded: Any) -> Any:
    """A u, from u with its halo."""
    centre = inner(padded)
    total = jnp.zeros_like(centre)
    for axis, t in enumerate(faces):
        low, high = [1] * padded.ndim, [n - 1 for n in padded.shape]
        low[axis], high[axis] = 0, padded.shape[axis] - 2
        before = lax.slice(padded, low, high)
        low[axis], high[axis] = 2, padded.shape[axis]
        after = lax.slice(padded, low, high)
        total = total + lower_faces(t, axis) * (centre - before) + upper_faces(t, axis) * (centre - after)
    return total


def apply(operator: FaceOperator, values: Any) -> Any:
    """A u."""
    return apply_to_halo(operator.faces, with_halo(values, operator.periodic))


def _every_other(array: Any, start: int, axis: int) -> Any:
    return lax.slice_in_dim(array, start, None, 2, axis)


def _sum_pairs(cells: Any, axis: int) -> Any:
    """Sum of neighbouring pairs; an odd last cell stays alone."""
    if cells.shape[axis] % 2:
        pad = [(0, 0, 0)] * cells.ndim
        pad[axis] = (0, 1, 0)
        cells = lax.pad(cells, jnp.zeros((), cells.dtype), pad)
    return _every_other(cells, 0, axis) + _every_other(cells, 1, axis)


def restrict(cells: Any, merged: tuple[bool, ...]) -> Any:
    """Sum over the merged blocks."""
    for axis, merge in enumerate(merged):
        if merge:
            cells = _sum_pairs(cells, axis)
    return cells


def prolong(coarse: Any, shape: tuple[int, ...], merged: tuple[bool, ...]) -> Any:
    """The transpose of `restrict`: every cell of a block takes the block's value."""
    # The last axis first and on its own: it is the only one whose repetition is not a plain copy of rows.
    for axis in reversed(range(len(shape))):
        if merged[axis]:
            n = coarse.shape[axis]
            wide = jnp.broadcast_to(
                jnp.expand_dims(coarse, axis + 1), (*coarse.shape[: axis + 1], 2, *coarse.shape[axis + 1 :])
            )
            coarse = wide.reshape(*coarse.shape[:axis], 2 * n, *coarse.shape[axis + 1 :])
            if 2 * n != shape[axis]:
                coarse = lax.slice_in_dim(coarse, 0, shape[axis], axis=axis)
        if axis == len(shape) - 1:
            coarse = lax.optimization_barrier(coarse)
    return coarse


def coarsen_faces(faces: tuple[Any, ...], merged: tuple[bool, ...]) -> tuple[Any, ...]:
    """Half the sum of the fine transmissibilities on each coarse face (the whole sum along axes not
    merged)."""
    coarse = []
    for axis, t in enumerate(faces):
        if merged[axis]:
            if (
                t.shape[axis] % 2 == 0
            ):  # an odd number of cells: the outer face of the last, single cell moves out
                t = jnp.concatenate([t, lax.slice_in_dim(t, t.shape[axis] - 1, None, axis=axis)], axis)
            t = 0.5 * _every_other(t, 0, axis)
        for other, merge in enumerate(merged):
            if merge and other != axis:
                t = _sum_pairs(t, other)
        coarse.append(t)
    return tuple(coarse)


def axes_to_merge(shape: tuple[int, ...], stiffness: tuple[float, ...]) -> tuple[bool, ...]:
    """Which axes the next level merges: those whose cells are strongly coupled (semi-coarsening).

    `stiffness` is the typical transmissibility along each axis. Point smoothing only damps errors along the
    strongly coupled axes, so the weak ones wait until coarsening has made the others as weak.
    """
    strongest = max((s for n, s in zip(shape, stiffness, strict=True) if n > 1), default=0.0)
    return tuple(n > 1 and s > 0.25 * strongest for n, s in zip(shape, stiffness, strict=True))


def merging_plan(shape: tuple[int, ...], stiffness: tuple[float, ...]) -> tuple[tuple[bool, ...], ...]:
    """The axes merged between consecutive levels, down to a grid small enough for a direct solve."""
    plan = []
    while math.prod(shape) > COARSEST_CELLS:
        merged = axes_to_merge(shape, stiffness)
        if not any(merged):
            merged = tuple(n > 1 for n in shape)
        plan.append(merged)
        weight = 2.0 ** sum(merged)
        stiffness = tuple(s * weight / (4.0 if m else 1.0) for s, m in zip(stiffness, merged, strict=True))
        shape = tuple((n + 1) // 2 if m else n for n, m in zip(shape, merged, strict=True))
    return tuple(plan)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["levels", "coarsest_inverse"], meta_fields=["plan"]
)
@dataclasses.dataclass(frozen=True, eq=False)
class Hierarchy:
    """All levels, fine to coarse, the plan that made them, and the pseudo-inverse of the coarsest."""

    levels: tuple[FaceOperator, ...]
    coarsest_inverse: Any
    plan: tuple[tuple[bool, ...], ...]


def coarsen(finest: FaceOperator, plan: tuple[tuple[bool, ...], ...]) -> tuple[FaceOperator, ...]:
    """All levels of the hierarchy. To be traced inside a compiled function."""
    levels = [finest]
    for merged in plan:
        levels.append(face_operator(coarsen_faces(levels[-1].faces, merged), finest.periodic))
    return tuple(levels)


def dense_matrix(faces: tuple[np.ndarray, ...], periodic: tuple[bool, ...]) -> Float[np.ndarray, "n n"]:
    """The operator as a dense matrix (small grids only)."""
    shape = tuple(n - (b == 0) for b, n in enumerate(faces[0].shape))
    cells = np.arange(math.prod(shape)).reshape(shape)
    matrix = np.zeros((cells.size, cells.size))
    for axis, t in enumerate(faces):
        t = np.moveaxis(np.asarray(t, np.float64), axis, 0)
        order = np.moveaxis(cells, axis, 0)
        links = [(order[:-1], order[1:], t[1:-1])]
        if periodic[axis]:
            links.append((order[-1:], order[:1], t[-1:]))
        else:
            for side, value in ((order[0], t[0]), (order[-1], t[-1])):
                matrix[side.ravel(), side.ravel()] += value.ravel()
        for i, j, value in links:
            i, j, value = i.ravel(), j.ravel(), value.ravel()
            np.add.at(matrix, (i, i), value)
            np.add.at(matrix, (j, j), value)
            np.add.at(matrix, (i, j), -value)
            np.add.at(matrix, (j, i), -value)
    return matrix


def pseudo_inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse on the range of a symmetric positive semi-definite matrix, zero on its null space."""
    values, vectors = np.linalg.eigh(matrix)
    keep = values > 1e-12 * max(values[-1], np.finfo(float).tiny)
    return (vectors[:, keep] / values[keep]) @ vectors[:, keep].T


def hierarchy(levels: tuple[FaceOperator, ...], plan: tuple[tuple[bool, ...], ...]) -> Hierarchy:
    """Complete the levels with the direct solver of the coarsest one."""
    coarsest = levels[-1]
    faces = tuple(np.asarray(t) for t in coarsest.faces)
    inverse = pseudo_inverse(dense_matrix(faces, coarsest.periodic))
    return Hierarchy(levels, on_device(inverse, np.float32), plan)


def v_cycle(tree: Hierarchy, residual: Any, level: int = 0) -> Any:
    """One symmetric V-cycle (Chebyshev-weighted Jacobi sweeps down and up) applied to `residual`.

    Symmetric positive definite on the conducting cells: with S the sweeps and C the coarse correction, the
    error operator S (I - C) S stays below I in the energy, although C with the halved coarse operator is no
    projection. The barriers keep XLA from fusing a stencil into a strided or shifted reader, which would undo
    its vectorization.
    """
    if level == len(tree.plan):
        return (tree.coarsest_inverse @ residual.reshape(-1)).reshape(residual.shape)
    operator, merged = tree.levels[level], tree.plan[level]
    faces, periodic, inverse = operator.faces, operator.periodic, operator.inverse_diagonal
    weights = FINE_WEIGHTS if level == 0 else COARSE_WEIGHTS

    def sweep(padded: Any, weight: Any) -> Any:
        return inner(padded) + weight * inverse * (residual - apply_to_halo(faces, padded))

    def smooth(padded: Any, weights: tuple[float, ...]) -> Any:
        if level == 0:
            for weight in weights:
                padded = with_halo(sweep(padded, weight), periodic)
            return padded
        # Coarse levels cost little to run but as much to compile as the finest: one sweep compiled, run in a loop.
        table = jnp.asarray(weights, inverse.dtype)
        return lax.fori_loop(0, len(weights), lambda n, p: with_halo(sweep(p, table[n]), periodic), padded)

    padded = smooth(with_halo(weights[0] * inverse * residual, periodic), weights[1:])
    defect = lax.optimization_barrier(residual - apply_to_halo(faces, padded))
    coarse = lax.optimization_barrier(restrict(defect, merged))
    correction = lax.optimization_barrier(v_cycle(tree, coarse, level + 1))
    padded = with_halo(inner(padded) + prolong(correction, operator.shape, merged), periodic)
    return sweep(smooth(padded, weights[:0:-1]), weights[0])


@jax.jit
def dot(a: Any, b: Any) -> Any:
    """Inner product accumulated in double precision (call with enable_x64)."""
    return jnp.sum((a * b).astype(jnp.float64))


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "solution",
        "residual",
        "direction",
        "product",
        "energy",
        "last_gain",
        "ratio",
        "square",
        "step",
    ],
    meta_fields=[],
)
@dataclasses.dataclass(frozen=True, eq=False)
class KrylovState:
    """Where a conjugate-gradient run stands.

    energy is (x, A x), the sum of the gains so far; last_gain and ratio (of successive gains, worst of the
    last two) give the estimate of what is still missing; square is |r|^2.
    """

    solution: Any
    residual: Any
    direction: Any
    product: Any
    energy: Any
    last_gain: Any
    ratio: Any
    square: Any
    step: Any


@jax.jit
def missing_energy(state: KrylovState) -> Any:
    """Estimate of the energy norm squared of the error: the tail of the geometric series of the gains.

    Conjugate gradients gain alpha_j (r_j, z_j) in step j and the error is the sum of all gains to come
    [hestenes1952]; never less than the last gain is reported, so that a lucky step does not pass for
    convergence.
    """
    ratio = jnp.minimum(state.ratio, 0.95)
    return state.last_gain * jnp.maximum(ratio / (1 - ratio), 1.0)


def start(residual: Any, precision: Any = jnp.float32) -> KrylovState:
    """The state before the first step, x = 0 (call with enable_x64, as `advance`).

    `precision` is that of x alone. The rounding of x is the only error that the operator amplifies (by its condition
    number, some 1e-5 of the first residual in single precision); a double-precision x lets the recursion follow the
    true residual down to the round-off of the residual itself, below 1e-7.
    """
    solution, direction, *numbers = _blank(residual.shape, residual.dtype, np.dtype(precision))
    return KrylovState(solution, residual, direction, *numbers)


def _blank(shape: tuple[int, ...], working: np.dtype, precision: np.dtype) -> tuple[Any, ...]:
    """Everything of a fresh state but its residual, each an array of its own."""
    fields = blank_fields(((shape, str(precision)), (shape, str(working))))
    numbers = [on_device(v, np.float64) for v in (np.inf, 0.0, np.inf, 1.0, np.inf)]
    return (*fields, *numbers, on_device(0, np.int32))


@functools.partial(quick_jit, donate_argnums=(1,))
def advance(
    tree: Hierarchy, state: KrylovState, square_goal: Any, energy_rtol: Any, energy_start: Any, until: Any
) -> KrylovState:
    """Iterate until |r|^2 <= square_goal, or the missing energy is below `energy_rtol` of what is left of
    `energy_start` after the gains so far, or step == until. One compiled loop; the state is donated."""

    def unfinished(s: KrylovState) -> Any:
        left = jnp.maximum(energy_start - s.energy, 1e-12 * energy_start)
        open_goals = (s.square > square_goal) & (missing_energy(s) > energy_rtol * left)
        return (s.step < until) & open_goals & (s.product > 0)

    def step(s: KrylovState) -> KrylovState:
        image = lax.optimization_barrier(v_cycle(tree, s.residual))
        product = dot(s.residual, image)
        short = (product / s.product).astype(image.dtype)
        direction = lax.optimization_barrier(image + short * s.direction)
        image = lax.optimization_barrier(apply(tree.levels[0], direction))
        curvature = dot(direction, image)
        alpha = jnp.where(curvature > 0, product / jnp.where(curvature > 0, curvature, 1), 0)
        short = alpha.astype(image.dtype)
        wide = s.solution.dtype
        solution = s.solution + alpha.astype(wide) * direction.astype(wide)
        residual = lax.optimization_barrier(s.residual - short * image)
        gain = alpha * product
        return KrylovState(
            solution,
            residual,
            direction,
            product,
            s.energy + gain,
            gain,
            jnp.where(s.step > 0, jnp.maximum(gain / s.last_gain, 0.5 * s.ratio), 1.0),
            dot(residual, residual),
            s.step + 1,
        )

    return lax.while_loop(unfinished, step, state)


def iterate(
    tree: Hierarchy,
    state: KrylovState,
    square_goal: float,
    energy_rtol: float,
    energy_start: float,
    max_steps: int,
    listen: Callable[[int, float], None],
) -> KrylovState:
    """`advance` in chunks; `listen(step, |r|^2)` hears of each and may stop the run by raising."""
    chunk = max(8, int(CHUNK_SECONDS / (SECONDS_PER_CELL * state.residual.size)))
    while True:
        until = min(int(state.step) + chunk, max_steps)
        state = advance(tree, state, square_goal, energy_rtol, energy_start, until)
        listen(int(state.step), float(state.square))
        if int(state.step) < until or until >= max_steps:
            return state

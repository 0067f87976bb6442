r"""The consistent macroscopic tangent d<s>/dE of a cell in equilibrium, by implicit differentiation.

Equilibrium r(w(E), E) = 0 gives K dw_j = -B^T T e_j for every unit drive e_j: the same matrix for all, so that the m
right-hand sides are solved together. Then A_ij = <(e_i + B dw_i) : T : (e_j + B dw_j)>, whose error is quadratic in
that of dw where T is symmetric; otherwise A_ij = <e_i : T : (e_j + B dw_j)>.
References: [miehe2002].
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear.linear_solve import solve_linear
from scalebridge.cell.nonlinear.newton import Batch, linearize
from scalebridge.cell.nonlinear.problem import Equilibrium, NewtonKrylov
from scalebridge.core.errors import ConvergenceError
from scalebridge.numerics.compiling import quick_jit
from scalebridge.numerics.conjugate_gradients import Vector, batch_dot, wide

if TYPE_CHECKING:
    from jaxtyping import Float

NOISE = 1e-5  # relative out-of-balance flux that single precision cannot tell from none
TOLERANCE = 1e-3  # of the linear solves: 1e-6 of a symmetric tangent, which is kept in single precision


def macroscopic_tangent(
    batch: Batch, equilibrium: Equilibrium, method: NewtonKrylov | None = None
) -> Float[np.ndarray, "B m m"]:
    """d<flux>/d<drive> (B, m, m) at an equilibrium, all drives given, history variables as the laws update them.

    Units: those of the flux. Fails when: a cell is not in equilibrium, or the linear solver does not converge, as at
    the loss of stability (ConvergenceError).
    """
    method = method or NewtonKrylov()
    if not equilibrium.converged:
        raise ConvergenceError(
            f"There is no tangent without equilibrium: {next(r for r in equilibrium.reason if r)}. Repeat the "
            "increment in smaller steps."
        )
    with jax.enable_x64(True):
        return _tangent(batch, equilibrium, method)


def _tangent(batch: Batch, equilibrium: Equilibrium, method: NewtonKrylov) -> Float[np.ndarray, "B m m"]:
    elements, m = batch.elements, batch.elements.size
    symmetric = batch.points.symmetric
    linear = linearize(batch, equilibrium.tangent)
    together = int(np.clip(method.memory // max(_bytes(batch), 1), 1, m))
    fields, forces, sums = [], [], []
    for first in range(0, m, together):
        loads = np.eye(m)[first : first + together]
        macro = jnp.asarray(np.tile(loads, (batch.cells, 1)), batch.space.dtype)
        zero = tuple(
            jnp.zeros((len(macro), *elements.nodes), batch.space.dtype) for _ in range(elements.components)
        )
        right, whole = linear.apply(zero, macro)
        right = _without_noise(batch, right, np.asarray(whole))
        found = solve_linear(
            linear, tuple(-v for v in right), jnp.zeros((len(macro), m)), np.zeros((len(macro), m), bool),
            np.full(len(macro), TOLERANCE if symmetric else TOLERANCE**2), method.krylov,
        )  # fmt: skip
        if np.any(found.indefinite) or not np.all(found.residual <= 100 * TOLERANCE):
            raise ConvergenceError(
                f"The macroscopic tangent could not be found (relative residual {found.residual.max():.1e}): the "
                "linearized cell is not positive definite, as at a loss of stability (buckling, softening)."
            )
        q, s = linear.apply(found.w, macro)
        fields.append(found.w)
        forces.append(q)
        sums.append(np.asarray(s).reshape(batch.cells, len(loads), m))
    stress = np.concatenate(sums, axis=1)  # (B, j, i)
    result = np.swapaxes(stress, 1, 2) / elements.volume
    if symmetric:
        result = result + _products(batch.cells, fields, forces) / elements.volume
        result = (result + np.swapaxes(result, 1, 2)) / 2
    return result * batch.reference.scale


def _without_noise(batch: Batch, right: Vector, flux: Float[np.ndarray, "K m"]) -> Vector:
    """Forces that are nothing but the rounding of the fluxes they come from are none: as in a homogeneous cell.

    flux (K, m): the integral of T e. To solve for rounding would take as long as for a load, and mean nothing.
    """
    inverse = batch.reference.inverse
    size = np.einsum("ki,ij,kj->k", flux, inverse, flux) / batch.elements.volume
    squared = np.asarray(batch_dot(right, batch.space.precondition(right)))
    real = jnp.asarray(squared > NOISE**2 * size)
    return tuple(v * wide(real, v) for v in right)


def _products(cells: int, fields: list[Vector], forces: list[Vector]) -> Float[np.ndarray, "B m m"]:
    """dw_i . f_j for all pairs of loads of a cell: (B, m, m)."""
    return np.concatenate(
        [np.concatenate([np.asarray(_block(cells, w, f)) for f in forces], axis=2) for w in fields], axis=1
    )


@functools.partial(quick_jit, static_argnums=0)
def _block(cells: int, w: Vector, f: Vector) -> Float[jax.Array, "B left right"]:
    """Sums over the nodes of all pairs: c x (B L, *nodes) and c x (B L', *nodes) -> (B, L, L')."""
    return sum(
        (
            jnp.einsum(
                "bin,bjn->bij",
                a.reshape(cells, len(a) // cells, -1).astype(jnp.float64),
                b.reshape(cells, len(b) // cells, -1).astype(jnp.float64),
            )
            for a, b in zip(w, f, strict=True)
        ),
        jnp.zeros((), jnp.float64),
    )


def _bytes(batch: Batch) -> int:
    """Memory of one load of all cells: five vectors and the spectra."""
    nodes = int(np.prod(batch.elements.nodes))
    return batch.cells * nodes * batch.elements.components * 7 * np.dtype(batch.space.dtype).itemsize

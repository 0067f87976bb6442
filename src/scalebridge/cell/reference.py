r"""The homogeneous material whose exact inverse preconditions a cell, and what is known of the spectrum then."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scalebridge.cell.problem import CellProblem

# Where a phase is void, the share of the smallest eigenvalue of the others that is taken for the smallest of all:
# thin necks and dead ends of solid make small eigenvalues; of the images tried none went below a hundredth.
VOID_SHARE = 0.01


class Reference(NamedTuple):
    """material: the conductivity per axis, or the two Lame constants. smallest: a bound from below of the eigenvalues
    of the preconditioned operator, and whether it is `guaranteed`."""

    material: np.ndarray
    smallest: float
    guaranteed: bool


def reference_of(problem: CellProblem, scale: float) -> Reference:
    """The reference of a problem whose coefficients are divided by `scale`."""
    matrices, ndim = problem.matrices / scale, problem.grid.ndim
    fractions = np.bincount(problem.index.reshape(-1), minlength=len(matrices)) / problem.index.size
    material = _between(matrices, fractions, problem.vector, ndim)
    smallest, guaranteed = _smallest_eigenvalue(
        matrices[fractions > 0], material, problem.vector, ndim,
        problem.packed is not None, not problem.discretization.periodic,
    )  # fmt: skip
    return Reference(material, smallest, guaranteed)


def isotropic_part(normal: float, trace: float, ndim: int) -> tuple[float, float]:
    """Bulk and shear modulus of the isotropic stiffness nearest to C, from normal = C_iijj and trace = C_ijij."""
    bulk = normal / ndim**2
    return bulk, (trace - ndim * bulk) / (ndim**2 + ndim - 2)


def _between(matrices: np.ndarray, fractions: np.ndarray, vector: bool, ndim: int) -> np.ndarray:
    """A homogeneous reference material between the phases: the conductivity per axis, or the two Lame constants.

    Only ratios between its entries matter: conjugate gradients ignore its scale. It is an array, not a constant of
    the compiled code, so that other materials on the same grid compile nothing.
    """
    mean = np.einsum("p,pij->ij", fractions, matrices)
    if not vector:
        diagonal = np.diag(mean).copy()
        diagonal[diagonal <= 0] = max(float(diagonal.max(initial=0.0)), 1.0)
        return diagonal
    bulk, shear = isotropic_part(mean[:ndim, :ndim].sum(), np.trace(mean), ndim)
    shear = shear if shear > 0 else 1.0
    lame = max(bulk - 2 * shear / ndim, 0.0)
    return np.array([lame, shear])


def _smallest_eigenvalue(
    matrices: np.ndarray, reference: np.ndarray, vector: bool, ndim: int, turned: bool, box: bool
) -> tuple[float, bool]:
    """A bound mu from below of the eigenvalues of the preconditioned operator, and whether it is guaranteed.

    With C_p >= mu C_ref for every phase, w.A w >= mu w.A_ref w [leute2022]. `turned`: phases have an orientation per
    voxel. On a box the elastic reference drops the coupling of components, which costs at most the factor
    shear / (lame + 2 shear) where displacements are prescribed (seen to hold for the other conditions, too). Voids have
    the eigenvalue zero, but no load excites it: VOID_SHARE of the rest is then a guess.
    """
    if vector:
        lame, shear = reference
        homogeneous = 2 * shear * np.eye(len(matrices[0]))
        homogeneous[:ndim, :ndim] += lame
        factor = shear / (lame + 2 * shear) if box else 1.0
    else:
        homogeneous = np.diag(np.full(ndim, reference.max()) if turned else reference)
        factor = 1.0
    root = np.linalg.inv(np.linalg.cholesky(homogeneous))
    values = np.linalg.eigvalsh(root @ matrices @ root.T)
    positive = values[values > 1e-12 * max(values.max(initial=0.0), 1e-300)]
    if not positive.size:
        return 1.0, False
    guaranteed = positive.size == values.size
    return float(positive.min() * factor * (1.0 if guaranteed else VOID_SHARE)), guaranteed

r"""Small cells without a compiler: the same elements, preconditioners and stopping rules in NumPy, all in float64.

Compiling takes about a second whatever the size of the cell; below some ten thousand voxels the whole solution takes
less. Coarse levels, thin images and test cells come here. Every formula is shared with the compiled solver (modes.py,
operator.py, the symbols of preconditioner.py); only the loop is written twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scalebridge.cell.boundary import Edge
from scalebridge.cell.coefficients import pack, pad_voxels
from scalebridge.cell.loads import mean_energy, scale_of, uniform_flux_forces
from scalebridge.cell.modes import corner_modes, needed_modes, scatter_modes
from scalebridge.cell.operator import Discretization, mode_forces
from scalebridge.cell.preconditioner import green_factors
from scalebridge.cell.problem import CellProblem, LoadRecord, PreconditionedConjugateGradients
from scalebridge.cell.reference import Reference, reference_of
from scalebridge.numerics.conjugate_gradients import DELAY, next_radau
from scalebridge.numerics.fast_diagonalization import linear_element_modes

Apply = Callable[[np.ndarray], np.ndarray]


def _operator(
    problem: CellProblem, disc: Discretization, scale: float
) -> Callable[[np.ndarray, Any], np.ndarray]:
    """forces(w, macro) = B^T C (macro + B w), as in operator.py."""
    ndim = disc.ndim
    if problem.packed is not None:
        voxels = problem.packed / scale
    else:
        voxels = pack(disc.form, problem.matrices / scale)[:, problem.index]
    coefficients = list(pad_voxels(voxels.astype(np.float64), ndim, disc.periodic))
    wanted = needed_modes(ndim, disc.element)
    widths = [(0, 0), *[(1, 1)] * ndim]

    def forces(w: np.ndarray, macro: np.ndarray | None) -> np.ndarray:
        padded = [
            np.pad(w[:, i], widths, mode="wrap" if disc.periodic else "constant") for i in range(w.shape[1])
        ]
        modes = [corner_modes(u, ndim, wanted) for u in padded]
        return np.stack(
            [scatter_modes(f, ndim) for f in mode_forces(disc, modes, coefficients, macro)], axis=1
        )

    return forces


def _green(disc: Discretization, reference: np.ndarray) -> Apply:
    """The periodic reference problem, as `apply_green`, with its symbol inverted once."""
    ndim, axes = disc.ndim, tuple(range(2, 2 + disc.ndim))
    stiff, mass, cross = green_factors(disc)

    def outer(factors: list[np.ndarray]) -> np.ndarray:
        out = np.ones(())
        for f in factors:
            out = np.multiply.outer(out, f)
        return out

    laplace = [outer([stiff[b] if b == a else mass[b] for b in range(ndim)]) for a in range(ndim)]
    total = sum(laplace[1:], laplace[0])
    symbol = np.zeros((*total.shape, disc.components, disc.components))
    if not disc.form.vector:
        symbol[..., 0, 0] = sum(reference[a] * laplace[a] for a in range(ndim))
    else:
        lame, shear = reference
        for i, j in itertools.product(range(ndim), repeat=2):
            if i == j:
                symbol[..., i, i] = (lame + shear) * laplace[i] + shear * total
            else:
                symbol[..., i, j] = (lame + shear) * outer(
                    [cross[b] if b in (i, j) else mass[b] for b in range(ndim)]
                )
    alive = (total > 1e-25)[..., None, None]
    identity = np.eye(disc.components)
    inverse = np.where(alive, np.linalg.inv(np.where(alive, symbol, identity)), 0.0) / disc.voxel_volume

    def apply(r: np.ndarray) -> np.ndarray:
        hats = np.fft.rfftn(r, axes=axes)
        solved = (
            np.einsum("...ij,bj...->bi...", inverse, hats)
            if disc.components > 1
            else inverse[..., 0, 0] * hats
        )
        return np.fft.irfftn(solved, s=disc.shape, axes=axes)

    return apply


def _box(problem: CellProblem, disc: Discretization, reference: np.ndarray) -> Apply:
    """The reference problem on a box, component by component, as `apply_box`."""
    ndim = disc.ndim
    parts = []
    for i in range(disc.components):
        edges = problem.boundary.edges(ndim, i if disc.form.vector else None)
        pairs = [
            linear_element_modes(n, h, edge is Edge.FIXED)
            for n, h, edge in zip(disc.shape, disc.spacing, edges, strict=True)
        ]
        weights = list(reference[:ndim])
        if disc.form.vector:
            weights = [reference[0] + 2 * reference[1] if a == i else reference[1] for a in range(ndim)]
        symbol = np.zeros(tuple(len(values) for values, _ in pairs))
        for a, (values, _) in enumerate(pairs):
            symbol = symbol + weights[a] * values.reshape(tuple(-1 if b == a else 1 for b in range(ndim)))
        inverse = np.where(symbol > 0, 1 / np.where(symbol > 0, symbol, 1), 0)
        parts.append((inverse, [modes for _, modes in pairs]))

    def apply(r: np.ndarray) -> np.ndarray:
        out = np.zeros_like(r)
        for i, (inverse, modes) in enumerate(parts):
            v = r[:, i]
            for a, basis in enumerate(modes):
                v = np.moveaxis(np.tensordot(v, basis, axes=(a + 1, 0)), -1, a + 1)
            v = v * inverse
            for a, basis in enumerate(modes):
                v = np.moveaxis(np.tensordot(v, basis, axes=(a + 1, 1)), -1, a + 1)
            out[:, i] = v
        return out

    return apply


def solve_small(
    problem: CellProblem,
    method: PreconditionedConjugateGradients,
    loads: np.ndarray,
    guess: Sequence[Any] | None = None,
) -> list[LoadRecord]:
    """All loads at once; the records hold float64 fluctuations. Arguments as `solve_cell`."""
    disc = problem.discretization
    scale = scale_of(problem)
    reference = reference_of(problem, scale)
    forces = _operator(problem, disc, scale)
    precondition = (
        _green(disc, reference.material) if disc.periodic else _box(problem, disc, reference.material)
    )
    static = problem.boundary.prescribes_flux
    shape = (len(loads), disc.components, *disc.nodes)
    if static:
        right = uniform_flux_forces(disc, loads) / scale
        energy = np.zeros(len(loads))
    else:
        right = -forces(np.zeros(shape), loads)
        energy = mean_energy(problem, loads) / scale * disc.voxel_volume * float(np.prod(disc.shape))
    return _conjugate_gradients(
        lambda p: forces(p, None), precondition, right, energy, method, guess, reference
    )


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("bi,bi->b", a.reshape(len(a), -1), b.reshape(len(b), -1))


def _conjugate_gradients(
    apply: Apply,
    precondition: Apply,
    right: np.ndarray,
    energy: np.ndarray,
    method: PreconditionedConjugateGradients,
    guess: Sequence[Any] | None,
    reference: Reference,
) -> list[LoadRecord]:
    """The loop of numerics/conjugate_gradients.py on NumPy arrays (B, c, *nodes)."""
    count = len(right)
    wide = (count, *(1,) * (right.ndim - 1))
    w = np.zeros_like(right)
    z = precondition(right)
    scale = _dot(right, z)
    negligible = (
        np.finfo(np.float64).eps ** 2 * 64 * np.maximum(np.abs(energy), scale if not energy.any() else 0.0)
    )
    trivial = scale <= negligible
    scale = np.where(trivial, 1.0, scale)
    r = right
    if guess is not None and any(g is not None for g in guess):
        w = np.stack([np.zeros(right.shape[1:]) if g is None else np.asarray(g, float) for g in guess])
        w[trivial] = 0.0  # a load that is balanced already has no use for a guess
        r = right - apply(w)
        energy = energy - _dot(right, w) - _dot(r, w)
        z = precondition(r)
    rz = _dot(r, z)
    p = z
    residual_goal = (method.residual or 0.0) ** 2 * scale
    energy_goal = method.energy or 0.0
    drops = np.full((DELAY, count), np.inf)
    _, smallest, guaranteed = reference
    radau = np.full(count, 1 / smallest)

    def error_left() -> np.ndarray:
        bound = radau * np.maximum(rz, 0.0)
        return bound if guaranteed else np.maximum(bound, _tail(drops))

    steps = np.zeros(count, int)
    active = ~trivial & (rz > 0) & (rz > residual_goal) & (error_left() > energy_goal * np.abs(energy))
    history: list[list[float]] = [[] for _ in range(count)]
    for _ in range(method.max_steps):
        if not active.any():
            break
        q = apply(p)
        pq = _dot(p, q)
        ok = active & (pq > 0)
        alpha = np.where(ok, rz / np.where(ok, pq, 1), 0)
        w = w + alpha.reshape(wide) * p
        r = r - alpha.reshape(wide) * q
        z = precondition(r)
        new = np.where(ok, _dot(r, z), rz)
        drop = alpha * rz
        energy = energy - drop
        drops = np.where(ok, np.concatenate([drop[None], drops[:-1]]), drops)
        steps += ok
        for n in np.flatnonzero(ok):
            history[n].append(float(np.sqrt(max(new[n], 0) / scale[n])))
        ratio = new / np.where(rz > 0, rz, 1)
        radau = np.where(ok, next_radau(radau, alpha, ratio, smallest), radau)
        rz = new
        met = (new <= residual_goal) | (error_left() <= energy_goal * np.abs(energy)) | (new <= 0)
        # Round-off: float64 has nothing left to gain.
        met |= new <= np.finfo(np.float64).eps ** 2 * scale
        active = ok & ~met
        p = z + np.where(active, ratio, 0).reshape(wide) * p
    residual = np.where(trivial, 0.0, np.sqrt(np.maximum(rz, 0) / scale))
    error = error_left() / np.where(energy == 0, 1, np.abs(energy))
    if not guaranteed:  # before the decrements say anything
        error = np.where(np.isfinite(error), error, radau * rz / np.where(energy == 0, 1, np.abs(energy)))
    error = np.where(trivial, 0.0, error)
    return [
        LoadRecord(w[n], int(steps[n]), float(residual[n]), float(error[n]), tuple(history[n]))
        for n in range(count)
    ]


def _tail(drops: np.ndarray) -> np.ndarray:
    """As in numerics/conjugate_gradients.py."""
    newest, oldest = drops[0], drops[-1]
    known = np.isfinite(oldest)
    with np.errstate(invalid="ignore"):
        ratio = np.where(known & (oldest > 0), newest / np.where(known & (oldest > 0), oldest, 1), 0.0)
        q = np.clip(np.clip(ratio, 0.0, None) ** (1.0 / (DELAY - 1)), 0.0, 0.95)
        tail = np.maximum(newest, 0.0) * q / (1 - q)
    return np.where(known, tail, np.where(np.isfinite(newest) & (newest <= 0), 0.0, np.inf))

r"""A guaranteed lower bound of the effective conductivity from exactly divergence-free fluxes.

Any flux q with div q = 0 (in the right space: periodic, or free to leave through faces with prescribed
potential) and mean Q bounds the energy from below, e.k.e >= 2 e.Q - <q . k^-1 q>. With one flux per load, the
best combination gives k >= Q C^-1 Q^T, C_ij = <q_i . k^-1 q_j>. The fluxes are lowest-order Raviart-Thomas
fields [raviart1977]: one number per face, the normal component linear in between, so that in a voxel and
along an axis with face fluxes a and b

    C gains 2 R (a^2 + a b + b^2) / 3,     R = h / (2 k A) the resistance of half a voxel,

exactly. Finite volumes replace this by R (a^2 + b^2), which is never less: the finite-volume value is itself
a lower bound, and the starting point here. A few steps of steepest descent then reduce the exact
complementary energy. Each direction is made divergence-free by one finite-volume solve, which preconditions
perfectly: the two energies differ by at most a factor of three, so that every step removes at least three
quarters of what is missing.

What divergence is left by round-off is not ignored: a correction t grad A^-1 r would remove it, and its
energy, (r, A^-1 r), is bounded through the multigrid preconditioner and subtracted.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from scalebridge.cell.boundary import Edge
from scalebridge.cell.faces import increments, lookup, outflow, own_faces, transmissibilities
from scalebridge.cell.finite_volume import (
    Discretization,
    FiniteVolumeSolution,
    discretize,
    first_residual,
    fluxes_of,
    load_of,
)
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.numerics import multigrid
from scalebridge.numerics.compiling import on_device, quick_jit

# Of preconditioner times operator: about 0.07 was seen on the worst images, much less is assumed.
SMALLEST_EIGENVALUE = 1e-3
_SLAB_PLANES = 8  # planes of a slab at most
_KEEP_DOUBLE = 2**21  # voxels; the fluxes of larger images are stored in single precision ...
_ROUND_OFF = 1e-6  # ... and this much of their energies is given away


@dataclasses.dataclass(frozen=True, eq=False)
class FluxBound:
    """lower (loads, loads) <= effective tensor as quadratic forms, loads as in the finite-volume solution.

    mean_flux and complementary are Q and C of the fluxes it was made of; defect the part subtracted for
    round-off, relative to the largest entry.
    """

    lower: np.ndarray
    mean_flux: np.ndarray
    complementary: np.ndarray
    defect: float


def _halves(q: Any, axis: int) -> tuple[Any, Any]:
    return multigrid.lower_faces(q, axis), multigrid.upper_faces(q, axis)


def _resistances(index: Any, table: Any) -> list[Any]:
    """R per axis with voids at zero: no flux passes there, and 0 * inf must not become NaN."""
    finite = jnp.where(jnp.isfinite(table), table, 0)
    return [lookup(finite[:, axis], index) for axis in range(index.ndim)]


def _mass(resistance: list[Any], q: tuple[Any, ...], edges: tuple[Edge, ...]) -> tuple[Any, ...]:
    """M q, half the derivative of the exact complementary energy by the flux through each face."""
    result = []
    for axis, (r, flux) in enumerate(zip(resistance, q, strict=True)):
        below, above = _halves(flux, axis)
        low, high = r * (2 * below + above) / 3, r * (below + 2 * above) / 3
        pad = [(0, 0, 0)] * flux.ndim
        pad[axis] = (0, 1, 0)
        total = jax.lax.pad(low, jnp.zeros((), low.dtype), pad)
        pad[axis] = (1, 0, 0)
        total = total + jax.lax.pad(high, jnp.zeros((), high.dtype), pad)
        if edges[axis] is Edge.PERIODIC:
            n = r.shape[axis]
            wrapped = jax.lax.slice_in_dim(total, 0, 1, axis=axis) + jax.lax.slice_in_dim(
                total, n, n + 1, axis=axis
            )
            inside = jax.lax.slice_in_dim(total, 1, n, axis=axis)
            total = jnp.concatenate([wrapped, inside, wrapped], axis)
        result.append(total)
    return tuple(result)


def _exact_energies(index: Any, table: Any, pairs: list[tuple[Any, Any]]) -> list[Any]:
    """Complementary energies <q . k^-1 p> of pairs of fluxes, integrated exactly, times the volume.

    In slabs along x: whole fields of double-precision products would go through the memory, at eight times the time.
    """
    count = index.shape[0]
    planes = max(n for n in range(1, _SLAB_PLANES + 1) if count % n == 0)

    def slab(number: Any, totals: list[Any]) -> list[Any]:
        start = number * planes
        resistance = _resistances(lax.dynamic_slice_in_dim(index, start, planes, 0), table)

        def cut(fluxes: Any) -> list[Any]:
            rows = [planes + (axis == 0) for axis in range(len(fluxes))]
            return [
                lax.dynamic_slice_in_dim(q, start, n, 0).astype(jnp.float64)
                for q, n in zip(fluxes, rows, strict=True)
            ]

        new = []
        for total, (q, p) in zip(totals, pairs, strict=True):
            for axis, (r, flux, other) in enumerate(zip(resistance, cut(q), cut(p), strict=True)):
                (a, b), (c, d) = _halves(flux, axis), _halves(other, axis)
                along_rows = tuple(range(index.ndim - 1))
                total = total + jnp.sum(jnp.sum(r * ((2 * a + b) * c + (a + 2 * b) * d) / 3, along_rows))
            new.append(total)
        return new

    return lax.fori_loop(0, count // planes, slab, [jnp.zeros((), jnp.float64) for _ in pairs])


@functools.partial(quick_jit, static_argnames=("edges",))
def _begin(index: Any, table: Any, w: Any, load: tuple[Any, ...], edges: tuple[Edge, ...]) -> tuple[Any, Any]:
    fluxes = fluxes_of(index, table, w, load, edges)
    return fluxes, outflow(fluxes)


@functools.partial(quick_jit, static_argnames=("edges",))
def _descent(
    index: Any, table: Any, q: Any, potential: Any, load: tuple[Any, ...], edges: tuple[Edge, ...]
) -> tuple[Any, Any]:
    """-T (M q - e - grad phi), the preconditioned direction of steepest descent, and its divergence."""
    slopes = _mass(_resistances(index, table), q, edges)
    drops = increments(potential, edges)
    faces = transmissibilities(index, table, edges)
    direction = tuple(-t * (m - e - g) for t, m, e, g in zip(faces, slopes, load, drops, strict=True))
    return direction, outflow(direction)


@functools.partial(quick_jit, static_argnames=("edges",), donate_argnums=(2,))
def _project(
    index: Any, table: Any, q: Any, potential: Any, factor: Any, edges: tuple[Edge, ...]
) -> tuple[Any, Any, Any]:
    """q + t grad phi, its divergence, and phi = factor * potential."""
    phi = potential.astype(jnp.float64) * factor
    drops = increments(phi, edges)
    faces = transmissibilities(index, table, edges)
    q = tuple(flux + t * g for flux, t, g in zip(q, faces, drops, strict=True))
    return q, outflow(q), phi


@quick_jit
def _outflow(q: Any) -> Any:
    return outflow(q)


@functools.partial(quick_jit, static_argnames=("edges",), donate_argnums=(2,))
def _line_search(
    index: Any, table: Any, q: Any, direction: Any, load: tuple[Any, ...], edges: tuple[Edge, ...]
) -> Any:
    """The minimum of <q.k^-1 q> / 2 - e.Q along `direction`."""
    along = jnp.sum(_integral(direction, load, edges))
    work, curvature = _exact_energies(index, table, [(q, direction), (direction, direction)])
    slope = work - along
    length = jnp.where(curvature > 0, -slope / jnp.where(curvature > 0, curvature, 1), 0)
    return tuple(flux + length * change for flux, change in zip(q, direction, strict=True))


@functools.partial(quick_jit, static_argnames=("edges",))
def _integral(q: Any, steps: tuple[Any, ...], edges: tuple[Edge, ...]) -> Any:
    return jnp.stack([jnp.sum(own_faces(flux * steps[a], a, edges[a])) for a, flux in enumerate(q)])


@quick_jit
def _energy(index: Any, table: Any, q: Any, p: Any) -> Any:
    return _exact_energies(index, table, [(q, p)])[0]


@quick_jit
def _square(field: Any) -> Any:
    return jnp.sum(field * field)


@quick_jit
def _scaled(field: Any, factor: Any) -> Any:
    return (field * factor).astype(jnp.float32)


def _norm(residual: Any) -> float:
    return math.sqrt(float(_square(residual)))


def _ignore(step: int, squared: float) -> None:
    return None


def _solve_and_project(disc: Discretization, q: Any, divergence: Any, rtol: float) -> tuple[Any, Any, Any]:
    """q + t grad phi with its divergence reduced by rtol; returns it, phi and the divergence left."""
    norm = _norm(divergence)
    if norm == 0:
        return q, jnp.zeros_like(divergence), divergence
    # Scaled, for single precision has a short range of exponents.
    state = multigrid.start(_scaled(divergence, 1 / norm), jnp.float64)
    state = multigrid.iterate(disc.tree, state, rtol**2, 0.0, 1.0, 60, _ignore)
    q, divergence, potential = _project(disc.index, disc.table, q, state.solution, norm, disc.edges)
    return q, potential, divergence


def _remove_divergence(
    disc: Discretization, q: Any, divergence: Any, rtol: float, reference: float, passes: int
) -> tuple[Any, Any]:
    """Take out what is left of div q, down to rtol * reference; returns q and what remains."""
    norm = _norm(divergence)
    for _ in range(passes):
        if norm <= rtol * reference:
            break
        q, _, divergence = _solve_and_project(disc, q, divergence, max(rtol * reference / norm, 1e-5))
        before, norm = norm, _norm(divergence)
        if norm > 0.5 * before:
            break
    return q, divergence


def _energy_of_rest(disc: Discretization, divergence: Any) -> float:
    """Bound of (r, A^-1 r): the preconditioner B gives (r, B r), and A^-1 <= B / (smallest eigenvalue of B
    A)."""
    norm = _norm(divergence)
    if norm == 0:
        return 0.0
    start = multigrid.start(_scaled(divergence, 1 / norm), jnp.float64)
    state = multigrid.iterate(disc.tree, start, 0.0, 0.0, 1.0, 1, _ignore)
    # At round-off the product may come out on either side of zero; its size is what counts.
    return abs(float(state.product)) * norm**2 / SMALLEST_EIGENVALUE


def _load_flux(disc: Discretization, w: Any, axis: int, steps: int, loosening: float) -> tuple[Any, float]:
    """A divergence-free flux close to the least exact complementary energy, and a bound of the energy of the
    correction that would make it exactly divergence-free. The bound loses about `loosening` for that correction."""
    table, edges, load = disc.table, disc.edges, load_of(disc.steps, axis)
    w = on_device(w, np.float64) if isinstance(w, np.ndarray) else w
    q, _ = _begin(disc.index, table, w, load, edges)
    scale = math.sqrt(sum(float(_square(flux)) for flux in q))
    potential = jnp.asarray(w, jnp.float64)
    for step in range(steps):
        # The last potential makes most of the direction divergence-free; the solve removes the rest.
        direction, divergence = _descent(disc.index, table, q, potential, load, edges)
        direction, change = _solve_and_project(disc, direction, divergence, 1e-3)[:2]
        if step + 1 < steps:
            potential = potential + change
        q = _line_search(disc.index, table, q, direction, load, edges)
    # Going on to round-off would take most of the time; what is left here costs the bound less than `loosening`.
    q, divergence = _remove_divergence(disc, q, _outflow(q), 1e-3 * loosening, scale, 5)
    return q, _energy_of_rest(disc, divergence)


def flux_lower_bound(
    solution: FiniteVolumeSolution,
    steps: int = 1,
    progress: AbstractProgress | None = None,
    loosening: float = 1e-7,
) -> FluxBound:
    r"""Rigorous lower bound of the effective conductivity of the voxel image under the solution's conditions.

    lower = Q C^-1 Q^T with Q_ij = <q_i>_j and C_ij = <q_i . k^-1 q_j> (pseudo-inverse where nothing
    conducts), after `steps` descent steps. Shapes: (loads, loads). Units: those of the conductivity. The
    solution need not be converged: the bound is rigorous anyway, only less tight. `loosening`: what it may lose,
    relative, by stopping before the fluxes are divergence-free to round-off. References: [raviart1977].
    """
    progress = progress or SilentProgress()
    problem, axes = solution.problem, solution.axes
    count = len(axes)
    compact = count > 1 and problem.index.size > _KEEP_DOUBLE
    q_mean, energy, loss = np.zeros((count, count)), np.zeros((count, count)), 0.0
    with jax.enable_x64(True):
        disc = discretize(problem)
        fluxes: list[Any] = []
        for i, axis in enumerate(axes):
            progress.update("guaranteed lower bound", i, count)
            if not solution.percolates[i]:
                fluxes.append(None)
                continue
            q, rest = _load_flux(disc, solution.fluctuation[i], axis, steps, loosening)
            q_mean[i] = np.asarray(_integral(q, disc.steps, disc.edges))[list(axes)]
            faces, load = disc.tree.levels[0].faces, load_of(disc.steps, axis)
            voigt = float(first_residual(faces, load, disc.edges)[2])
            fluxes.append(tuple(flux.astype(jnp.float32) for flux in q) if compact else q)
            del q
            for j in range(i + 1):
                if fluxes[j] is not None:
                    energy[i, j] = energy[j, i] = float(_energy(disc.index, disc.table, fluxes[i], fluxes[j]))
            loss = max(loss, divergence_loss(count, rest, voigt, energy[i, i]))
        progress.update("guaranteed lower bound", count, count)
    if compact:
        loss += _ROUND_OFF * float(np.max(np.abs(_best_combination(q_mean, energy)), initial=0.0))
    conducting = np.array([flux is not None for flux in fluxes])
    return bound_of(q_mean, energy, loss, conducting, disc.scale / problem.volume)


def divergence_loss(loads: int, rest: float, voigt: float, energy: float) -> float:
    """What the divergence left in a flux can cost the bound.

    The missing correction has at most the energy `rest`: it changes Q by at most sqrt(rest voigt) and sqrt(C) by
    sqrt(rest), with voigt the energy of the bare load and energy that of the flux.
    """
    return 2 * loads * math.sqrt(rest) * (math.sqrt(voigt) + math.sqrt(energy))


def bound_of(
    q_mean: np.ndarray, energy: np.ndarray, loss: float, conducting: np.ndarray, factor: float
) -> FluxBound:
    """The bound Q C^-1 Q^T less `loss`, zero where nothing conducts; everything is multiplied by `factor`."""
    lower = _best_combination(q_mean, energy)
    largest = float(np.max(np.abs(lower), initial=0.0))
    lower = lower - np.diag(np.where(conducting, loss, 0.0))
    return FluxBound(lower * factor, q_mean * factor, energy * factor, loss / largest if largest > 0 else 0.0)


def _best_combination(q_mean: np.ndarray, energy: np.ndarray) -> np.ndarray:
    return np.asarray(q_mean @ _pseudo_inverse(energy) @ q_mean.T)


def _pseudo_inverse(energy: np.ndarray) -> np.ndarray:
    root = np.sqrt(np.diag(energy))
    used = root > 0
    scaling = np.where(used, 1 / np.where(used, root, 1), 0)
    return (
        scaling[:, None]
        * np.linalg.pinv(scaling[:, None] * energy * scaling, rcond=1e-10, hermitian=True)
        * scaling
    )

r"""Conduction by finite volumes: one unknown per voxel, seven-point (2-D: five-point) stencil.

div(k grad u) = 0 with u = x_a + w for load a. Between two voxels the transmissibility is the harmonic one,
t = 1 / (R + R'), R = h / (2 k A) being the resistance of half a voxel; against a face with prescribed
potential only one half remains. This is TauFactor's scheme [cooper2016] when the conductivities are 0 and 1.
It is exact for laminates, handles voids (k = 0, R infinite) exactly, and its energy is a lower bound of the
effective conductivity of the voxel image: its face fluxes are divergence-free in the lowest-order
Raviart-Thomas space, and the energy it gives them is never below the exact one (see flux_bound).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from scalebridge.cell.boundary import AbstractBoundary, Edge
from scalebridge.cell.faces import (
    increments,
    lookup,
    one_axis,
    one_increment,
    own_faces,
    steps_of_load,
    transmissibilities,
)
from scalebridge.cell.percolation import percolates
from scalebridge.core.errors import InputError, LawError
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.numerics import multigrid
from scalebridge.numerics.compiling import on_device, quick_jit

if TYPE_CHECKING:
    from jaxtyping import Float

_MAX_PASSES = 6  # double-precision corrections of one load
_SLAB_PLANES = 8
_PASS_REDUCTION = 3e-7  # of the residual in one single-precision pass


@dataclasses.dataclass(frozen=True, eq=False)
class FiniteVolumeProblem:
    """Conduction in a voxel image with phases that are orthotropic along the axes of the image.

    Shapes: index (nx, ny[, nz]) unsigned integers into the rows of conductivity (P, d). Units: free, but the
    same for all phases; cell_size in metres or any common length.
    Fails when: an entry of conductivity is negative or not finite (LawError), shapes do not fit (InputError),
    or the boundary condition prescribes fluxes (InputError: use finite elements for it).
    """

    index: np.ndarray
    conductivity: np.ndarray
    cell_size: tuple[float, ...]
    boundary: AbstractBoundary

    def __post_init__(self) -> None:
        conductivity = np.asarray(self.conductivity, float)
        d = self.index.ndim
        if (
            d not in (2, 3)
            or conductivity.ndim != 2
            or conductivity.shape[1] != d
            or len(self.cell_size) != d
        ):
            raise InputError(
                f"An image of shape {self.index.shape} needs conductivities of shape (phases, {d}) and {d} "
                f"cell sizes, got {conductivity.shape} and {len(self.cell_size)}."
            )
        if not np.all(np.isfinite(conductivity)) or np.any(conductivity < 0):
            raise LawError(f"Conductivities must be finite and not negative, got {conductivity.tolist()}.")
        if int(self.index.max()) >= len(conductivity):
            raise InputError(
                f"The image refers to phase {int(self.index.max())}, but only {len(conductivity)} were given."
            )
        if self.boundary.prescribes_flux:
            raise InputError(
                f"Finite volumes do not take the boundary condition {self.boundary.name!r} (prescribed "
                "flux). Use finite elements for it, or prescribe potentials."
            )
        object.__setattr__(self, "conductivity", conductivity)

    @property
    def edges(self) -> tuple[Edge, ...]:
        return self.boundary.edges(self.index.ndim, None)

    @property
    def axes(self) -> tuple[int, ...]:
        """The loads: unit mean gradient along each axis whose faces are not insulated."""
        return tuple(a for a, edge in enumerate(self.edges) if edge is not Edge.FREE)

    @property
    def volume(self) -> float:
        return math.prod(self.cell_size) * self.index.size

    @property
    def half_resistance(self) -> Float[np.ndarray, "P d"]:
        """R = h / (2 k A) of half a voxel, (P, d); infinite in voids."""
        h = np.asarray(self.cell_size)
        with np.errstate(divide="ignore"):
            return h**2 / (2 * self.conductivity * np.prod(h))


@dataclasses.dataclass(frozen=True)
class MultigridConjugateGradients:
    """Conjugate gradients with one multigrid V-cycle as preconditioner: single precision inside, double
    outside.

    rtol: relative residual |b - A w| / |b| in double precision; value_rtol: estimated relative error of the
    effective conductivity (the energy error of conjugate gradients). Either may be None; a load is finished
    as soon as one of those given holds.
    """

    rtol: float | None = 1e-6
    value_rtol: float | None = None
    max_steps: int = 200

    def __post_init__(self) -> None:
        given = [value for value in (self.rtol, self.value_rtol) if value is not None]
        if not given or min(given) <= 0:
            raise InputError(f"Give a positive rtol or value_rtol, got {self.rtol} and {self.value_rtol}.")


@dataclasses.dataclass(frozen=True, eq=False)
class FiniteVolumeSolution:
    """One entry (or leading index) per load, in the order of `axes`.

    fluctuation: w per load, (*index.shape), the potential being x_a + w.
    mean_flux (loads, d): volume mean of the flux under a unit mean gradient. effective (loads, loads): a(u_i,
    u_j) / V, whose error is quadratic in that of w; exactly 0 where nothing percolates (`percolates` False).
    residual, energy_error: relative, energy_error being the estimated relative error of `effective`. history:
    relative residual after each step.
    """

    problem: FiniteVolumeProblem
    axes: tuple[int, ...]
    fluctuation: tuple[np.ndarray, ...]
    mean_flux: np.ndarray
    effective: np.ndarray
    iterations: tuple[int, ...]
    residual: tuple[float, ...]
    energy_error: tuple[float, ...]
    history: tuple[tuple[float, ...], ...]
    percolates: tuple[bool, ...]
    status: Status

    def potential(self, load: int) -> np.ndarray:
        """x_a + w at the voxel centres, x_a = 0 at the centre of the image."""
        axis = self.axes[load]
        n = self.problem.index.shape[axis]
        x = (np.arange(n) - (n - 1) / 2) * self.problem.cell_size[axis]
        shape = [1] * self.problem.index.ndim
        shape[axis] = n
        return x.reshape(shape) + self.fluctuation[load]


@functools.partial(quick_jit, static_argnames=("edges", "plan"))
def _levels(index: Any, table: Any, edges: tuple[Edge, ...], plan: tuple[tuple[bool, ...], ...]) -> Any:
    periodic = tuple(edge is Edge.PERIODIC for edge in edges)
    faces = lax.optimization_barrier(transmissibilities(index, table, edges))
    return multigrid.coarsen(multigrid.face_operator(faces, periodic), plan)


def load_of(steps: tuple[Any, ...], axis: int) -> tuple[Any, ...]:
    """Increments of x_axis across the faces of every axis: data, so that all loads share one compilation."""
    return tuple(step if a == axis else np.zeros(step.shape) for a, step in enumerate(steps))


@functools.partial(quick_jit, static_argnames=("edges",))
def first_residual(faces: tuple[Any, ...], load: tuple[Any, ...], edges: tuple[Edge, ...]) -> tuple[Any, ...]:
    """b = -A x_a, |b|^2, the energy of x_a, and the squared norm of its fluxes."""
    b: Any = 0.0
    energy: Any = 0.0
    square: Any = 0.0
    for a, (t, step) in enumerate(zip(faces, load, strict=True)):
        flux = t * step.astype(t.dtype)
        b = b + multigrid.upper_faces(flux, a) - multigrid.lower_faces(flux, a)
        own = own_faces(flux, a, edges[a])
        energy = energy + multigrid.dot(own, own_faces(step.astype(t.dtype), a, edges[a]))
        square = square + multigrid.dot(own, own)
    return b, multigrid.dot(b, b), energy, square


def fluxes_of(
    index: Any, table: Any, w: Any, load: tuple[Any, ...], edges: tuple[Edge, ...]
) -> tuple[Any, ...]:
    """Double-precision fluxes of x_a + w on all faces. To be traced."""
    drops = increments(w.astype(jnp.float64), edges)
    faces = transmissibilities(index, table, edges)
    return tuple(t * (g + step) for t, g, step in zip(faces, drops, load, strict=True))


def _slab(array: Any, edge: Edge, first: Any, planes: int, outside: float) -> Any:
    """Planes first - 1 ... first + planes of `array`, those beyond a face that is not periodic set to
    `outside`."""
    n = array.shape[0]
    rows = first - 1 + jnp.arange(planes + 2)
    values = array[rows % n]
    if edge is Edge.PERIODIC:
        return values
    inside = ((rows >= 0) & (rows < n)).reshape(-1, *[1] * (array.ndim - 1))
    return jnp.where(inside, values, outside)


@functools.partial(quick_jit, static_argnames=("edges",))
def _evaluated(
    index: Any,
    table: Any,
    w: Any,
    load: tuple[Any, ...],
    steps: tuple[Any, ...],
    edges: tuple[Edge, ...],
) -> tuple[Any, Any, Any, Any]:
    """Residual, its square, energy and flux integral of u = x_a + w.

    In slabs along x, so that the double-precision intermediates stay in the cache and out of the memory peak.
    """
    shape = index.shape
    planes = min(_SLAB_PLANES, shape[0])

    def slab(number: Any, carry: tuple[Any, ...]) -> tuple[Any, ...]:
        residual, square, energy, integral = carry
        nominal = number * planes
        first = jnp.minimum(nominal, shape[0] - planes)
        own = (first + jnp.arange(planes) >= nominal).reshape(-1, *[1] * (len(shape) - 1))
        last = own & (first + jnp.arange(planes) == shape[0] - 1).reshape(own.shape)
        labels = index[(first - 1 + jnp.arange(planes + 2)) % shape[0]]
        values = _slab(w, edges[0], first, planes, 0.0)
        total: Any = 0.0
        work: Any = 0.0
        sums: list[Any] = []
        for a, edge in enumerate(edges):
            if a == 0:
                r = lookup(table[:, 0], labels)
                if edge is not Edge.PERIODIC:
                    rows = (first - 1 + jnp.arange(planes + 2)).reshape(-1, *[1] * (len(shape) - 1))
                    r = jnp.where((rows >= 0) & (rows < shape[0]), r, 0.0 if edge is Edge.FIXED else jnp.inf)
                t = 1 / (r[:-1] + r[1:])
                drop = values[1:] - values[:-1]
                part_of = functools.partial(
                    lax.dynamic_slice_in_dim, start_index=first, slice_size=planes + 1
                )
                step, gradient = part_of(steps[0]), part_of(load[0])
            else:
                t = one_axis(lookup(table[:, a], labels[1:-1]), edge, a)
                drop = one_increment(values[1:-1], edge, a)
                step, gradient = steps[a], load[a]
            drop = drop + gradient
            q = t * drop
            lower, upper = multigrid.lower_faces, multigrid.upper_faces
            total = total + upper(q, a) - lower(q, a)
            # Every face once: the lower face of each voxel, and the last one unless it is the first again.
            for weight, into in ((drop, None), (jnp.broadcast_to(step, q.shape), sums)):
                product = q * weight
                part = jnp.sum(jnp.where(own, lower(product, a), 0))
                if edge is not Edge.PERIODIC:
                    if a == 0:
                        part = part + jnp.sum(jnp.where(last, upper(product, 0), 0))
                    else:
                        end = lax.slice_in_dim(product, shape[a], shape[a] + 1, axis=a)
                        part = part + jnp.sum(jnp.where(own, end, 0))
                if into is None:
                    work = work + part
                else:
                    into.append(part)
        square = square + jnp.sum(jnp.where(own, total * total, 0))
        residual = lax.dynamic_update_slice_in_dim(residual, total.astype(jnp.float32), first, 0)
        return residual, square, energy + work, integral + jnp.stack(sums)

    zero = jnp.zeros((), jnp.float64)
    start = (jnp.zeros(shape, jnp.float32), zero, zero, jnp.zeros(len(shape), jnp.float64))
    return lax.fori_loop(0, -(-shape[0] // planes), slab, start)


def evaluate(disc: Discretization, w: Any, axis: int) -> tuple[Any, float, float, np.ndarray]:
    """Residual (single precision), its square, energy, and flux integral, from double-precision fluxes."""
    # Always of double precision, so that one compilation serves.
    residual, square, energy, integral = _evaluated(
        disc.index, disc.table, jnp.asarray(w, jnp.float64), load_of(disc.steps, axis), disc.steps, disc.edges
    )
    return residual, float(square), float(energy), np.asarray(integral)


@functools.partial(quick_jit, donate_argnums=(0,))
def _add(w: Any, correction: Any) -> Any:
    return w + correction.astype(w.dtype)


@dataclasses.dataclass(frozen=True, eq=False)
class Discretization:
    """A problem on the device: voxels, tables, all levels. Transmissibilities are divided by `scale`
    (single precision has a short range of exponents): fluxes and energies of the problem are those here times
    it."""

    problem: FiniteVolumeProblem
    index: Any
    table: Any  # half resistances (P, d), double precision, scaled
    tree: multigrid.Hierarchy
    steps: tuple[Any, ...]
    scale: float
    edges: tuple[Edge, ...]


def discretize(problem: FiniteVolumeProblem) -> Discretization:
    """Set up the multigrid hierarchy (call with enable_x64)."""
    edges, shape = problem.edges, problem.index.shape
    table = problem.half_resistance
    conducting = table[np.isfinite(table)]
    scale = 1.0 / (2 * conducting.min()) if conducting.size else 1.0
    present = np.bincount(problem.index.ravel(), minlength=len(table))[: len(table)]
    with np.errstate(divide="ignore"):
        stiffness = tuple(float(s) for s in present @ (1 / table))
    plan = multigrid.merging_plan(shape, stiffness)
    index = on_device(problem.index)
    scaled = table * scale
    levels = _levels(index, on_device(scaled, np.float32), edges, plan)
    steps = tuple(on_device(steps_of_load(shape, problem.cell_size, edges, a)) for a in range(len(shape)))
    return Discretization(
        problem, index, on_device(scaled), multigrid.hierarchy(levels, plan), steps, scale, edges
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Load:
    fluctuation: Any
    remainder: Any  # -A u
    energy: float
    integral: np.ndarray
    iterations: int
    residual: float
    energy_error: float
    history: tuple[float, ...]
    percolates: bool
    converged: bool


def insulating(problem: FiniteVolumeProblem, axis: int) -> bool:
    """Whether no conducting path carries the load along `axis`, so that the effective value is exactly
    zero."""
    conducting = np.all(problem.conductivity > 0, axis=1)[problem.index]
    others_fixed = any(edge is Edge.FIXED for a, edge in enumerate(problem.edges) if a != axis)
    return not others_fixed and not percolates(conducting, problem.edges, axis)


def _solve_load(
    disc: Discretization,
    axis: int,
    method: MultigridConjugateGradients,
    progress: AbstractProgress,
    initial: Any,
) -> _Load:
    problem, tree = disc.problem, disc.tree
    rtol = max(method.rtol or 0.0, 1e-13)
    value_rtol = method.value_rtol or 0.0
    residual, square, start, flux_square = first_residual(
        tree.levels[0].faces, load_of(disc.steps, axis), disc.edges
    )
    voigt = energy = float(start)
    flux = math.sqrt(flux_square)
    w = None if initial is None else jnp.asarray(initial, jnp.float64)
    history: list[float] = []
    taken, relative, recursion, converged = 0, math.inf, 0.0, False
    # Almost no obstacle: single precision cannot tell b from its own round-off.
    precise = initial is not None or math.sqrt(square) <= 1e-5 * flux
    if precise:
        zero = jnp.zeros(problem.index.shape)
        square = evaluate(disc, zero, axis)[1]
        w = zero if w is None else w
    # No obstacle at all: x_a is the solution, and there is nothing to divide by.
    reference = math.sqrt(square) if math.sqrt(square) > 1e-13 * flux else math.inf
    energy_error = 0.0 if math.isinf(reference) else math.inf
    for number in range(_MAX_PASSES + 1):
        if number > 0 or precise:
            # The truth, in double precision, about what the single-precision iterations achieved.
            residual, square, energy, integral = evaluate(disc, w, axis)
        previous, relative = relative, math.sqrt(square) / reference
        history.append(relative)
        if number > 0 or precise:
            # What the recursion missed of the true residual, it missed of the energy as well.
            energy_error *= max(1.0, square / recursion) if recursion > 0 else 1.0
            converged = relative <= rtol or energy_error <= value_rtol or energy <= 1e-14 * voigt
        if converged or taken >= method.max_steps or number == _MAX_PASSES or relative > 0.5 * previous:
            break
        # A little more than asked for: the recursion strays from the true residual by round-off.
        goal = max(0.9 * rtol * reference, _PASS_REDUCTION * math.sqrt(square)) ** 2

        def listen(step: int, squared: float, before: int = taken) -> None:
            history.append(math.sqrt(squared) / reference)
            progress.update(
                f"conduction along {'xyz'[axis]}", before + step, 0, f"relative residual {history[-1]:.1e}"
            )

        state = multigrid.iterate(
            tree,
            multigrid.start(residual, jnp.float64),
            goal,
            value_rtol,
            energy,
            method.max_steps - taken,
            listen,
        )
        taken += int(state.step)
        recursion = float(state.square)
        left = max(energy - float(state.energy), 1e-12 * voigt, 1e-300)
        energy_error = float(multigrid.missing_energy(state)) / left if int(state.step) else 0.0
        w = state.solution if w is None else _add(w, state.solution)
    conducts = True
    if energy <= 1e-5 * voigt and np.any(problem.conductivity == 0) and insulating(problem, axis):
        energy, integral, conducts, converged, energy_error = 0.0, np.zeros(len(disc.edges)), False, True, 0.0
    if method.rtol is None:
        w = jnp.asarray(w, jnp.float32)  # its error is far above the round-off
    return _Load(
        w,
        residual,
        energy * disc.scale,
        np.asarray(integral) * disc.scale,
        taken,
        relative,
        energy_error,
        tuple(history),
        conducts,
        converged,
    )


def solve_finite_volume(
    problem: FiniteVolumeProblem,
    method: MultigridConjugateGradients | None = None,
    progress: AbstractProgress | None = None,
    initial: tuple[np.ndarray, ...] | None = None,
) -> FiniteVolumeSolution:
    r"""Solve all loads: effective_ij = a(u_i, u_j) / V = sum over faces of t [u_i] [u_j] / V.

    Shapes: `initial` one fluctuation per load, e.g. from the coarsened image. Units: those of the
    conductivity.
    Where no conducting path carries a load, its row is exactly zero and `percolates` is False.
    Status: MAX_STEPS when a load stopped before its criterion. References: [hestenes1952], [cooper2016].
    """
    method = method or MultigridConjugateGradients()
    progress = progress or SilentProgress()
    axes, d = problem.axes, problem.index.ndim
    with jax.enable_x64(True):
        disc = discretize(problem)
        loads: list[_Load] = []
        effective = np.zeros((len(axes),) * 2)
        for j, axis in enumerate(axes):
            load = _solve_load(disc, axis, method, progress, None if initial is None else initial[j])
            effective[j, j] = load.energy
            for i, other in enumerate(loads):
                if load.percolates and other.percolates:
                    # a(u_j, u_i) = a(u_j, x_i) + a(u_j, w_i): the flux integral, and what is left of A u_j.
                    work = float(multigrid.dot(load.remainder, other.fluctuation)) * disc.scale
                    effective[i, j] = effective[j, i] = load.integral[axes[i]] - work
            loads.append(dataclasses.replace(load, remainder=None))
    return FiniteVolumeSolution(
        problem,
        axes,
        tuple(np.asarray(load.fluctuation) for load in loads),
        np.array([load.integral for load in loads]).reshape(len(axes), d) / problem.volume,
        effective / problem.volume,
        tuple(load.iterations for load in loads),
        tuple(load.residual for load in loads),
        tuple(load.energy_error for load in loads),
        tuple(load.history for load in loads),
        tuple(load.percolates for load in loads),
        Status.CONVERGED if all(load.converged for load in loads) else Status.MAX_STEPS,
    )

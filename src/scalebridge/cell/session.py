r"""The compiled pieces of a cell solver and the data they share.

On an accelerator the whole iteration is one compiled loop. On CPU it is a few programs called in turn, because the
Fourier transforms of XLA use all cores only in the thread that calls a program: within a loop, or after anything that
runs in parallel, they are continued by a thread of the pool and do all the work there, alone.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.coefficients import coefficient_field, coefficient_field_from_voxels
from scalebridge.cell.loads import scale_of
from scalebridge.cell.operator import Coefficients, Discretization, nodal_forces
from scalebridge.cell.preconditioner import (
    BoxModes,
    apply_box,
    apply_green,
    box_modes,
    from_frequencies,
    solve_frequencies,
    to_frequencies,
)
from scalebridge.cell.problem import CellProblem
from scalebridge.cell.reference import reference_of
from scalebridge.numerics.compiling import blank_fields, on_device, quick_options
from scalebridge.numerics.conjugate_gradients import (
    CGState,
    Operator,
    Step,
    Targets,
    Vector,
    advance,
    descend,
    turn,
)


def slab_budget() -> float:
    """Bytes of mode fields per slab: near the processor, and so few that the C library keeps the memory of a slab for
    the next (fresh pages cost more than the sweep); on a GPU a good part of its memory.
    """
    return 7e6 if jax.default_backend() == "cpu" else 4e9


def _operator(
    disc: Discretization,
    budget: float,
    coefficients: Coefficients,
    macro: jax.Array,
    into: Vector | None = None,
) -> Operator:
    def apply(p: Vector, keep: jax.Array, load: jax.Array) -> Vector:
        small = p[0].dtype
        drive, factor = macro * load.astype(small), keep.astype(small)
        return nodal_forces(disc, coefficients, p, drive, budget, factor=factor, into=into)

    return apply


def _iterate(
    disc: Discretization,
    budget: float,
    reference: jax.Array,
    coefficients: Coefficients,
    modes: BoxModes | None,
    macro: jax.Array,
    targets: Targets,
    guessed: jax.Array,
    last: jax.Array,
    state: CGState,
) -> CGState:
    def precondition(r: Vector) -> Vector:
        if modes is None:
            return apply_green(disc, reference, r)
        return apply_box(disc, reference, modes, r)

    return advance(state, _operator(disc, budget, coefficients, macro), precondition, targets, guessed, last)


# The pieces of one pass on CPU. Each takes over the memory of an earlier result for its own (`into`, donated): fresh
# memory costs more than the arithmetic.


def _descend(
    disc: Discretization,
    budget: float,
    coefficients: Coefficients,
    macro: jax.Array,
    guessed: jax.Array,
    state: CGState,
    into: Vector,
) -> tuple[CGState, Step, Vector]:
    return descend(state, _operator(disc, budget, coefficients, macro, into), guessed)


def _to_frequencies(r: Vector, into: Vector) -> Vector:
    del into
    return to_frequencies(r)


def _from_frequencies(shape: tuple[int, ...], hats: Vector, into: Vector) -> Vector:
    del into
    return from_frequencies(shape, hats)


_compiled: dict[Any, Any] = {}


class Compiler:
    """Compiles ahead of time, once per shape, and remembers how long that took."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def program(
        self, function: Any, static: tuple[Any, ...], donate: tuple[int, ...], *arguments: Any
    ) -> Callable[..., Any]:
        """`function(*static, ...)` compiled for arrays like `arguments`; those numbered in `donate` are used up."""
        shapes = jax.tree.map(lambda a: (a.shape, str(a.dtype)), arguments)
        key = (function, static, jax.default_backend(), str(shapes))
        if key not in _compiled:
            begin = time.perf_counter()
            count = len(static)
            jitted = jax.jit(
                function,
                static_argnums=tuple(range(count)),
                donate_argnums=tuple(count + d for d in donate),
                keep_unused=True,
            )
            # Small dense systems at every frequency are the one thing that the quick way makes slower.
            options = None if function is solve_frequencies else quick_options()
            _compiled[key] = jitted.lower(*static, *arguments).compile(compiler_options=options)
            self.seconds += time.perf_counter() - begin
        return _compiled[key]

    def __call__(
        self, function: Any, static: tuple[Any, ...], donate: tuple[int, ...], *arguments: Any
    ) -> Any:
        return self.program(function, static, donate, *arguments)(*arguments)


class Session:
    """The device-side data of one problem, shared by its load cases."""

    def __init__(self, problem: CellProblem) -> None:
        self.problem = problem
        self.disc = problem.discretization
        self.compiler = Compiler()
        self.scale = scale_of(problem)
        material, self.smallest, self.guaranteed = reference_of(problem, self.scale)
        self.reference = on_device(material, np.float32)
        self.coefficients = self._coefficients(np.float32)
        self.modes = None if self.disc.periodic else box_modes(self.disc, problem.boundary, jnp.float32)

    def _coefficients(self, dtype: type) -> Coefficients:
        problem = self.problem
        if problem.packed is not None:
            field = coefficient_field_from_voxels(
                self.disc.form, problem.packed / self.scale, self.disc.periodic, dtype
            )
        else:
            field = coefficient_field(
                self.disc.form, problem.index, problem.matrices / self.scale, self.disc.periodic, dtype
            )
        return field.arrays()

    def run(self, state: CGState, macro: np.ndarray, targets: Targets, guessed: bool, last: int) -> CGState:
        """Iterate until every member meets one of the targets, or iteration `last`; `state` is used up."""
        load, guess = on_device(macro, np.float32), on_device(guessed, bool)
        if jax.default_backend() == "cpu" and self.disc.periodic:
            return self.run_in_pieces(state, load, targets, guess, last)
        return self.run_in_one(state, load, targets, guess, last)

    def run_in_one(
        self, state: CGState, load: jax.Array, targets: Targets, guess: jax.Array, last: int
    ) -> CGState:
        """The whole iteration as one compiled loop."""
        static = (self.disc, slab_budget())
        arguments = (
            self.reference, self.coefficients, self.modes, load, targets, guess, on_device(last, np.int32), state,
        )  # fmt: skip
        return self.compiler(_iterate, static, (7,), *arguments)

    def run_in_pieces(
        self, state: CGState, load: jax.Array, targets: Targets, guess: jax.Array, last: int
    ) -> CGState:
        """The same iteration of a periodic cell, each pass five compiled programs."""
        program, disc = self.compiler.program, self.disc
        fixed = (self.coefficients, load, guess)
        spectra = jax.eval_shape(to_frequencies, state.r)
        fresh = blank_fields(tuple((v.shape, str(v.dtype)) for v in (*state.r, *spectra)))
        q, hats = fresh[: len(state.r)], fresh[len(state.r) :]
        static = (disc, slab_budget())
        first_half = program(_descend, static, (3, 4), *fixed, state, q)
        step = jax.eval_shape(functools.partial(_descend, *static), *fixed, state, q)[1]
        forward = program(_to_frequencies, (), (1,), state.r, hats)
        between = program(solve_frequencies, (disc,), (1,), self.reference, hats)
        backward = program(_from_frequencies, (disc.shape,), (1,), hats, q)
        second_half = program(turn, (), (0,), state, step, q, targets, guess)
        while _due(state, last):
            state, step, q = first_half(*fixed, state, q)
            hats = between(self.reference, forward(state.r, hats))
            q = backward(hats, q)
            state = second_half(state, step, q, targets, guess)
        return state


def _due(state: CGState, last: int) -> bool:
    """`going`, decided by the host."""
    return bool(np.any(np.asarray(state.active))) and (int(state.iteration) < last or int(state.phase) > 0)

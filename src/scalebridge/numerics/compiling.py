"""Programs that run a few times only: compiled as quickly as XLA can, once per shape.

XLA's newer code generator for CPU takes two to three times longer to compile our stencils than the one before it, and
they run no faster for it; only small dense systems at every frequency do, by a factor of three. A cold process that
solves one cell spends most of its time on compiling, so stencils ask for the older one where XLA still has it, and
nothing is compiled that the host can do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_OPTIONS = {"xla_cpu_use_fusion_emitters": False}


@functools.cache
def quick_options() -> dict[str, Any] | None:
    """Options for `jax.jit(..., compiler_options=...)`, or None where XLA does not know them (asked once)."""
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(_nothing).lower().compile(compiler_options=dict(_OPTIONS))
    except Exception:  # an option of XLA's, not of JAX's: it may go with any version, and is no loss then
        return None
    return dict(_OPTIONS)


def _nothing() -> int:
    return 0


def on_device(values: Any, dtype: Any = None) -> jax.Array:
    """A NumPy array on the device, converted by the host: `jnp.asarray` compiles a program per shape to do it."""
    return jax.device_put(np.asarray(values, dtype))


def quick_jit(function: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """`jax.jit(function, **settings)` with `quick_options`; within another compiled function, part of that one.

    The options are looked up at the first call: doing so on import would start the device.
    """

    @functools.cache
    def compiled() -> Callable[..., Any]:
        return jax.jit(function, compiler_options=quick_options(), **settings)

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((arguments, named))):
            return function(*arguments, **named)
        return compiled()(*arguments, **named)

    return call


@functools.partial(quick_jit, static_argnums=0)
def blank_fields(like: tuple[tuple[tuple[int, ...], str], ...]) -> tuple[jax.Array, ...]:
    """Zeros of the given (shape, dtype)s, each an array of its own, in one program."""
    return tuple(jnp.zeros(shape, dtype) for shape, dtype in like)

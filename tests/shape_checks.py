"""Checks of types and shapes at every call of an annotated function, while tests run.

jaxtyping's import hook decorates every function with `jaxtyping.jaxtyped`, which costs 100 us per call: here only those
whose annotations name a shape get it, the others are checked by beartype alone (1 us). The package does not import
jaxtyping: its names are there for the type checker, and put in place here.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import beartype

SHAPED = ("Bool", "Complex", "Float", "Float32", "Float64", "Inexact", "Int", "Integer", "Num", "Shaped")
_jaxtyped = jaxtyping.jaxtyped
_seen: set[types.CodeType] = set()


def checked(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    """What the import hook calls for every function and class, in place of `jaxtyping.jaxtyped`."""

    def decorate(target: Any) -> Any:
        if inspect.isclass(target):
            return _jaxtyped(typechecker=typechecker)(target)
        if "<locals>" in target.__qualname__:
            # A closure is made, and would be decorated (1 ms), at every call of what is around it: the first will do.
            if target.__code__ in _seen:
                return target
            _seen.add(target.__code__)
        hints = [str(hint) for hint in getattr(target, "__annotations__", {}).values()]
        if any(f"{name}[" in hint for hint in hints for name in SHAPED):
            for name in SHAPED:
                target.__globals__.setdefault(name, getattr(jaxtyping, name))
            return _jaxtyped(typechecker=typechecker)(target)
        return beartype(target)

    return decorate

"""Checks of types and shapes at every call of an annotated function, while tests run.

jaxtyping's import hook decorates every function with `jaxtyping.jaxtyped`, which costs 100 us per call, and 1 ms where
it makes a closure: here only functions whose annotations name a shape get it, the others are checked by beartype alone
(1 us), closures when they are made for the first time. The package does not import jaxtyping: its names are there for
the type checker, and put in place here. Names that are imported for the type checker only are not checked.
"""

from __future__ import annotations

import functools
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
        if not target.__annotations__:
            return target
        if "<locals>" in target.__qualname__:
            if target.__code__ in _seen:
                return target
            _seen.add(target.__code__)
        return _checked_from_the_first_call(target, typechecker)

    return decorate


def _checked_from_the_first_call(function: Callable[..., Any], typechecker: Any) -> Callable[..., Any]:
    """Not before: what annotations name may be defined further down in the module."""
    checking: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not checking:
            checking.append(_decorated(function, typechecker))
        return checking[0](*args, **kwargs)

    return wrapper


def _decorated(function: Any, typechecker: Any) -> Callable[..., Any]:
    hints = {name: str(hint) for name, hint in function.__annotations__.items()}
    shaped = any(f"{name}[" in hint for hint in hints.values() for name in SHAPED)
    if shaped:
        for name in SHAPED:
            function.__globals__.setdefault(name, getattr(jaxtyping, name))
    function.__annotations__ = {
        name: hint for name, hint in function.__annotations__.items() if _known(hint, function.__globals__)
    }
    return _jaxtyped(typechecker=typechecker)(function) if shaped else beartype(function)


def _known(hint: Any, names: dict[str, Any]) -> bool:
    try:
        eval(hint, dict(names)) if isinstance(hint, str) else None
    except (NameError, AttributeError, TypeError):
        return False
    return True

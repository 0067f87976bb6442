"""From cells to laws: what effective law does this microstructure have, and how wrong may it be?

Takes: a PhaseImage and one law per label.   Gives: HomogenizationResult (law, error budget, verdicts, bounds).
May import: cell, microstructure, material, grid, numerics, core.   Open first: driver.py.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scalebridge.core.callable_module import make_callable

if TYPE_CHECKING:
    from scalebridge.homogenize.driver import homogenize
    from scalebridge.homogenize.forecast import Estimate, estimate
    from scalebridge.homogenize.localization import localize
    from scalebridge.homogenize.result import HomogenizationResult

__all__ = ["Estimate", "HomogenizationResult", "estimate", "homogenize", "localize"]

_HOMES = {
    "homogenize": "driver",
    "estimate": "forecast",
    "Estimate": "forecast",
    "localize": "localization",
    "HomogenizationResult": "result",
}


# `from scalebridge import homogenize` finds this folder as soon as anything in it was imported: let it be called.
make_callable(__name__)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

"""Representative or not: how an apparent property scatters, how its mean depends on size, what to do about it.

Takes: a source of samples (windows of an image, a generator), one law per label, sizes, boundary conditions.
Gives: RepresentativityResult (means with confidence intervals, scaling law, requirements, verdict).
Open first: study.py.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalebridge.homogenize.representative.material_scales import judged_with_scales, material_scales
    from scalebridge.homogenize.representative.samples import GeneratorEnsemble, ImageWindows
    from scalebridge.homogenize.representative.study import (
        RepresentativityProblem,
        RepresentativityResult,
        SamplingMethod,
        representativity,
    )

_HOMES = {
    "ImageWindows": "samples",
    "GeneratorEnsemble": "samples",
    "RepresentativityProblem": "study",
    "SamplingMethod": "study",
    "RepresentativityResult": "study",
    "representativity": "study",
    "material_scales": "material_scales",
    "judged_with_scales": "material_scales",
}

__all__ = [  # noqa: RUF022  sources, then problem, method, solution, verb
    "ImageWindows",
    "GeneratorEnsemble",
    "RepresentativityProblem",
    "SamplingMethod",
    "RepresentativityResult",
    "representativity",
    "material_scales",
    "judged_with_scales",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

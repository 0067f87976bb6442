"""Numbers read off a tensor, with a reason where there is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

SINGULAR_TOLERANCE = 1e-10  # eigenvalues below this, relative to the largest, are zero
AXES = ("x", "y", "z")


@dataclasses.dataclass(frozen=True)
class Measures:
    """Numbers by name; None where a number has no meaning, then `reasons` says why."""

    values: Mapping[str, float | None]
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> float | None:
        return self.values[name]


def relative_norm(difference: np.ndarray, tensor: np.ndarray) -> float | None:
    """The Frobenius norm of a difference relative to that of a tensor; None for a zero tensor."""
    size = float(np.linalg.norm(tensor))
    return float(np.linalg.norm(difference)) / size if size > 0 else None

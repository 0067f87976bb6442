r"""SUBC <= PBC <= KUBC on the same voxels, as quadratic forms, and the gap that a larger sample closes.

For every sample S_subc^-1 <= C_pbc <= C_kubc; for windows that tile a larger body also
<S_subc>^-1 <= C_body <= <C_kubc>, so that the harmonic mean of the static and the arithmetic mean of the kinematic
tensors enclose the effective one [huet1990].
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Num


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Hierarchy:
    """One size. gap: norm of <C_kubc> - <S_subc>^-1 over that of their mean (None when one of them is missing, or the
    static one vanishes because void lies on the faces while the kinematic one does not: then it bounds nothing).

    violation: largest relative eigenvalue by which a softer condition came out stiffer, over all samples.
    lower, upper: the two means (m, m), None where missing.
    """

    gap: float | None
    violation: float
    lower: np.ndarray | None
    upper: np.ndarray | None

    @property
    def holds(self) -> bool:
        """Up to the tolerance of the solver."""
        return self.violation < 1e-3


def hierarchy(values: Mapping[str, Num[np.ndarray, "N m m"]]) -> Hierarchy:
    """values: by name of the condition, (N, m, m) of the same samples in the same order."""
    order = [name for name in ("subc", "periodic", "kubc") if name in values]
    worst = 0.0
    for softer, stiffer in itertools.pairwise(order):
        difference = values[stiffer] - values[softer]
        scale = np.linalg.norm(values[stiffer], axis=(1, 2))
        lowest = np.linalg.eigvalsh((difference + np.swapaxes(difference, 1, 2)) / 2)[:, 0]
        worst = max(worst, float(np.max(-lowest / np.where(scale > 0, scale, 1.0), initial=0.0)))
    upper = values["kubc"].mean(axis=0) if "kubc" in values else None
    lower = harmonic_mean(values["subc"]) if "subc" in values else None
    gap = None
    if upper is not None and lower is not None and (lower.any() or not upper.any()):
        size = float(np.linalg.norm(upper + lower)) / 2
        gap = float(np.linalg.norm(upper - lower)) / size if size > 0 else 0.0
    return Hierarchy(gap, worst, lower, upper)


def harmonic_mean(values: Num[np.ndarray, "N m m"]) -> Float[np.ndarray, "m m"]:
    """<C^-1>^-1 of (N, m, m); a direction in which some sample is void carries nothing in the mean either."""
    ends = [np.linalg.eigvalsh(v)[[0, -1]] for v in values]
    if any(low <= 1e-12 * high or high <= 0 for low, high in ends):
        return _parallel_sum(values)
    return np.linalg.inv(np.linalg.inv(values).mean(axis=0))


def _parallel_sum(values: Num[np.ndarray, "N m m"]) -> Float[np.ndarray, "m m"]:
    """The harmonic mean of semi-definite matrices: the limit of that of C + t 1 as t -> 0.

    On the common range of all of them the compliances add up; outside, one sample carries nothing and so does the mean.
    """
    m = values.shape[-1]
    common = np.eye(m)
    for value in values:
        size, vectors = np.linalg.eigh(value)
        null = vectors[:, size <= 1e-12 * max(float(size[-1]), np.finfo(float).tiny)]
        common = common - _projector(common @ null)
    size, vectors = np.linalg.eigh((common + common.T) / 2)
    basis = vectors[:, size > 0.5]
    if not basis.shape[1]:
        return np.zeros((m, m))
    compliance = np.mean(
        [basis.T @ np.linalg.pinv(v, rcond=1e-12, hermitian=True) @ basis for v in values], axis=0
    )
    return basis @ np.linalg.inv(compliance) @ basis.T


def _projector(vectors: np.ndarray) -> np.ndarray:
    """Onto the span of the columns."""
    u, s, _ = np.linalg.svd(vectors, full_matrices=False)
    kept = u[:, s > 1e-9] if len(s) else u
    return kept @ kept.T

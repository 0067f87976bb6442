r"""How the mean apparent property depends on the size of the sample: Z(n) = Z_inf + b / n for every condition.

What is done at the faces is felt to about one correlation length below them, so that its share of the volume, and the
bias, fall like surface over volume. All conditions share the limit Z_inf and have slopes b of their own; the fit is
weighted by the standard errors of the means. Scatter is something else: averaging over samples removes it, but no bias.

A few samples always show some trend. One counts as a bias only where it exceeds its own confidence interval: Student's
with nu = (sum_s v_s)^2 / sum_s (v_s^2 / (N_s - 1)) degrees of freedom, v_s what the N_s samples of the size s
contribute to the variance of the slope [satterthwaite1946].
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.stats

if TYPE_CHECKING:
    from jaxtyping import Float

_APART = frozenset({"kubc", "subc"})


@final
@dataclasses.dataclass(frozen=True, eq=False)
class SizeBias:
    """limit: Z_inf with its standard error; slopes by condition (voxels times the unit of Z).

    assessed: whether there was anything to tell bias from: two sizes, or two conditions.
    nothing: conditions under which no sample carries anything (static ones, with void on the faces).
    reaches: half intervals of the slopes, limit_reach that of the limit; a slope without one counts as seen.
    mean: of all sizes and conditions, weighted; what numbers are relative to where no bias is seen.
    """

    limit: float | int
    limit_error: float | int
    slopes: Mapping[str, float | int]
    assessed: bool
    nothing: frozenset[str] = frozenset()
    reaches: Mapping[str, float] = dataclasses.field(default_factory=dict)
    limit_reach: float | None = None
    mean: float | None = None

    def seen(self, condition: str) -> bool:
        """Whether the mean depends on the size by more than chance, at the confidence of the fit."""
        if condition in self.nothing:
            return True
        return abs(self.slopes.get(condition, 0.0)) > self.reaches.get(condition, 0.0)

    @property
    def reference(self) -> float:
        """What bias and scatter are relative to: the limit, or the mean where no bias is seen."""
        if self.mean is None or any(self.seen(condition) for condition in self.slopes):
            return float(self.limit)
        return self.mean

    def bias(self, condition: str, size: float | int) -> float:
        """Mean at `size` minus the limit, relative to the reference; 0 where none is seen."""
        return self.fitted(condition, size) if self.seen(condition) else 0.0

    def fitted(self, condition: str, size: float | int) -> float:
        """The same, whether it exceeds its interval or not."""
        if condition in self.nothing:
            return -1.0
        return self.slopes.get(condition, 0.0) / size / abs(self.reference) if self.reference else 0.0

    def counted(self, condition: str, size: float | int) -> float:
        """What samples are counted with: `bias`, or `fitted` where kinematic and static conditions were both solved.

        Theirs lie apart in every single sample: one of them is off, whether the sizes show it or not.
        """
        apart = condition in _APART and self.slopes.keys() >= _APART
        return self.fitted(condition, size) if apart else self.bias(condition, size)

    def reach(self, condition: str, size: float | int) -> float:
        """Half the interval of `fitted`."""
        return self.reaches.get(condition, 0.0) / size / abs(self.reference) if self.reference else 0.0


def fit_size_bias(
    rows: Sequence[tuple[int, str, float | int, float | int | None]],
    counts: Mapping[int, int] | None = None,
    confidence: float | int = 0.95,
) -> SizeBias:
    """rows: (voxels per edge, condition, mean, its standard error or None). counts: samples by size; None: many.

    With one size and one condition nothing can be told: the mean is the limit. With one size and several conditions the
    limit is taken half-way between the outermost ones, which are the bias then. With more parameters than rows, slopes
    are as small as the data allow (least norm). A condition whose means all vanish while others do not is left out.
    """
    carrying = {row[1] for row in rows if row[2] != 0}
    nothing = frozenset({row[1] for row in rows} - carrying)
    if nothing and carrying:
        found = fit_size_bias([row for row in rows if row[1] in carrying], counts, confidence)
        return dataclasses.replace(found, nothing=nothing)
    names = sorted({row[1] for row in rows})
    sizes = sorted({row[0] for row in rows})
    means = np.array([row[2] for row in rows])
    scale = float(np.abs(means).max()) or 1.0
    errors = np.array([scale * 1e-2 if row[3] is None else max(row[3], 1e-6 * scale) for row in rows])
    if len(sizes) == 1:
        limit = float(means.max() + means.min()) / 2 if len(names) > 1 else float(means.mean())
        slopes = {name: float(means[i] - limit) * sizes[0] for i, (_, name, _, _) in enumerate(rows)}
        return SizeBias(limit, float(np.sqrt(np.mean(errors**2))), slopes, len(names) > 1)
    design = np.zeros((len(rows), 1 + len(names)))
    design[:, 0] = 1.0
    for i, (size, name, _, _) in enumerate(rows):
        design[i, 1 + names.index(name)] = 1.0 / size
    weighted = design / errors[:, None]
    inverse = np.linalg.pinv(weighted)
    fitted = inverse @ (means / errors)
    # All conditions of one size were put on the same samples: their errors are one error, not several.
    at = np.array([[float(row[0] == size) for size in sizes] for row in rows])
    shares = (inverse @ at) ** 2  # of the sizes in the variance of every parameter
    variance = shares.sum(axis=1)
    excess = len(rows) - np.linalg.matrix_rank(weighted)
    misfit = 1.0
    if excess > 0:
        misfit = max(1.0, float(np.sum((weighted @ fitted - means / errors) ** 2)) / excess)
    deviation = np.sqrt(variance * misfit)
    reach = deviation * _student(shares, sizes, counts, confidence)
    weight = errors**-2
    return SizeBias(
        float(fitted[0]),
        float(deviation[0]),
        {name: float(fitted[1 + k]) for k, name in enumerate(names)},
        True,
        reaches={name: float(reach[1 + k]) for k, name in enumerate(names)},
        limit_reach=float(reach[0]),
        mean=float(weight @ means / weight.sum()),
    )


def _student(
    shares: Float[np.ndarray, "parameters sizes"],
    sizes: Sequence[int],
    counts: Mapping[int, int] | None,
    confidence: float | int,
) -> Float[np.ndarray, " parameters"]:
    """Student's quantile per parameter; shares: (parameters, sizes) of the variance."""
    if counts is None:
        return np.full(len(shares), float(scipy.stats.norm.ppf(0.5 + confidence / 2)))
    own = [counts[size] - 1 for size in sizes]
    # The error of a single sample is foretold by the others.
    freedom = np.array([n if n > 0 else max(1, sum(own)) for n in own], float)
    square = np.sum(shares**2 / freedom, axis=1)
    nu = np.maximum(1.0, shares.sum(axis=1) ** 2 / np.where(square > 0, square, 1.0))
    return np.asarray(scipy.stats.t.ppf(0.5 + confidence / 2, nu))

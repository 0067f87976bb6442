r"""How the mean apparent property depends on the size of the sample: Z(n) = Z_inf + b / n for every condition.

What is done at the faces is felt to about one correlation length below them, so that its share of the volume, and the
bias, fall like surface over volume. All conditions share the limit Z_inf and have slopes b of their own; the fit is
weighted by the standard errors of the means. Scatter is something else: averaging over samples removes it, but no bias.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np


@final
@dataclasses.dataclass(frozen=True, eq=False)
class SizeBias:
    """limit: Z_inf with its standard error; slopes by condition (voxels times the unit of Z).

    assessed: whether there was anything to tell bias from: two sizes, or two conditions.
    nothing: conditions under which no sample carries anything (static ones, with void on the faces).
    """

    limit: float | int
    limit_error: float | int
    slopes: Mapping[str, float | int]
    assessed: bool
    nothing: frozenset[str] = frozenset()

    def bias(self, condition: str, size: float | int) -> float:
        """Mean at `size` minus the limit, relative to the limit."""
        if condition in self.nothing:
            return -1.0
        return self.slopes.get(condition, 0.0) / size / abs(self.limit) if self.limit else 0.0


def fit_size_bias(rows: Sequence[tuple[int, str, float | int, float | int | None]]) -> SizeBias:
    """rows: (voxels per edge, condition, mean, its standard error or None).

    With one size and one condition nothing can be told: the mean is the limit. With one size and several conditions the
    limit is taken half-way between the outermost ones, which are the bias then. With more parameters than rows, slopes
    are as small as the data allow (least norm). A condition whose means all vanish while others do not is left out.
    """
    carrying = {row[1] for row in rows if row[2] != 0}
    nothing = frozenset({row[1] for row in rows} - carrying)
    if nothing and carrying:
        found = fit_size_bias([row for row in rows if row[1] in carrying])
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
    same = np.array([[float(a[0] == b[0]) for b in rows] for a in rows])
    covariance = inverse @ same @ inverse.T
    excess = len(rows) - np.linalg.matrix_rank(weighted)
    if excess > 0:
        misfit = float(np.sum((weighted @ fitted - means / errors) ** 2)) / excess
        covariance = covariance * max(1.0, misfit)
    slopes = {name: float(fitted[1 + k]) for k, name in enumerate(names)}
    return SizeBias(float(fitted[0]), float(np.sqrt(covariance[0, 0])), slopes, True)

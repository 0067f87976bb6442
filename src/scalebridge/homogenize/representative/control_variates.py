r"""Control variates: subtract from every sample what something cheap already explains.

With controls c whose mean is known (phase fractions, bounds at these fractions) the mean of Z - beta . (c - E c) is
that of Z, and for beta = Cov(c)^-1 Cov(c, Z) its variance is (1 - R^2) of that of Z. beta comes from the same samples,
which costs one degree of freedom per control.
"""

from __future__ import annotations

import dataclasses
from typing import final

import numpy as np
import scipy.stats

from scalebridge.core.errors import InputError
from scalebridge.homogenize.representative.estimators import MeanEstimate, mean_estimate


@final
@dataclasses.dataclass(frozen=True, eq=False)
class ControlledMean:
    """estimate: with the controls; plain: without; explained: R^2, the share of the variance that is gone.

    freedom: degrees of freedom of the estimate's interval, N - 1 less the controls that were used.
    """

    estimate: MeanEstimate
    plain: MeanEstimate
    coefficients: np.ndarray
    explained: float
    freedom: int


def controlled_mean(
    values: np.ndarray, controls: np.ndarray, means: np.ndarray, confidence: float | int = 0.95
) -> ControlledMean:
    """values (N,), controls (N, q), means (q,): the exact means of the controls.

    The interval is that of the regression at the true mean of the controls. Controls that do not vary, or repeat
    others, are ignored. Fails when: shapes disagree, or fewer than q + 3 samples (InputError).
    """
    values, controls = np.asarray(values, float), np.atleast_2d(np.asarray(controls, float))
    means = np.atleast_1d(np.asarray(means, float))
    if controls.shape != (len(values), len(means)):
        raise InputError(
            f"Expected {len(values)} rows of {len(means)} controls, got an array of shape {controls.shape}."
        )
    plain = mean_estimate(values, confidence)
    spread = controls.std(axis=0)
    used = spread > 1e-12 * np.maximum(np.abs(means), 1e-300)
    centred = (controls - means)[:, used]
    if not used.any() or plain.deviation in (None, 0.0):
        return ControlledMean(plain, plain, np.zeros(len(means)), 0.0, len(values) - 1)
    scaled = centred / spread[used]
    design = np.column_stack([np.ones(len(values)), scaled])
    rank = int(np.linalg.matrix_rank(design))
    if len(values) < rank + 2:
        raise InputError(f"{rank - 1} controls need at least {rank + 2} samples, got {len(values)}.")
    inverse = np.linalg.pinv(design)
    found = inverse @ values
    freedom = len(values) - rank
    residual = float(np.sum((values - design @ found) ** 2))
    deviation = (residual / freedom) ** 0.5
    error = deviation * float(np.sqrt((inverse @ inverse.T)[0, 0]))
    reach = float(scipy.stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    mean = float(found[0])
    total = float(np.sum((values - values.mean()) ** 2))
    coefficients = np.zeros(len(means))
    coefficients[used] = found[1:] / spread[used]
    # The deviation stated is the one that gives this standard error of the mean: intervals stay consistent with it.
    estimate = MeanEstimate(
        mean, error * len(values) ** 0.5, len(values), mean - reach, mean + reach, confidence
    )
    return ControlledMean(estimate, plain, coefficients, 1 - residual / total if total > 0 else 0.0, freedom)

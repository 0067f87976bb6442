r"""How large must one sample be, how many are needed at a given size, and what is the cheapest way to a precision?

N independent samples of size n leave the error sqrt(bias(n)^2 + (z D(n))^2 / N), both relative to the limit, with z the
normal quantile of the confidence. The number that reaches a precision p follows; where the bias alone exceeds p no
number does. Seconds per sample are those measured, extended by a power law of the number of voxels.
References: [kanit2003].
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import scipy.stats

from scalebridge.core.errors import InputError
from scalebridge.homogenize.representative.scaling_law import ScalingLaw
from scalebridge.homogenize.representative.size_bias import SizeBias

LARGEST = 100_000  # voxels per edge beyond which a required size is not a number anybody can use


@final
@dataclasses.dataclass(frozen=True)
class CostModel:
    """seconds(n) = factor * (n^d)^power for one sample."""

    factor: float | int
    power: float | int
    ndim: int

    def seconds(self, size: float | int) -> float:
        return float(self.factor * (size**self.ndim) ** self.power)


def fit_cost(seconds: Mapping[int, float | int], ndim: int) -> CostModel:
    """From the mean seconds of a sample by size; small cells cost what starting them costs, so powers below 1 occur."""
    sizes = [n for n, s in sorted(seconds.items()) if s > 0]
    if not sizes:
        return CostModel(0.0, 1.0, ndim)
    voxels = np.array([float(n) ** ndim for n in sizes])
    spent = np.array([seconds[n] for n in sizes])
    power = 1.0
    if len(sizes) > 1:
        power = float(np.clip(np.polyfit(np.log(voxels), np.log(spent), 1)[0], 0.5, 1.5))
    # The largest size carries the costs that matter.
    return CostModel(float(spent[-1] / voxels[-1] ** power), power, ndim)


@final
@dataclasses.dataclass(frozen=True)
class NumberAtSize:
    """number: samples needed at this size, None where the bias alone is too large."""

    size: int
    bias: float
    scatter: float
    number: int | None
    seconds: float | None


@final
@dataclasses.dataclass(frozen=True)
class Requirement:
    """What a relative precision takes. single_size: edge of one sufficient sample, None beyond reach or unknown.

    numbers: at the sizes of the study. cheapest: among sizes up to single_size, the least seconds.
    """

    precision: float
    confidence: float
    single_size: int | None
    numbers: tuple[NumberAtSize, ...]
    cheapest: NumberAtSize | None


def requirement(
    precision: float | int,
    confidence: float | int,
    condition: str,
    sizes: Sequence[int],
    bias: SizeBias,
    law: ScalingLaw | None,
    cost: CostModel,
) -> Requirement:
    """For the mean of one scalar under one condition. Fails when the precision is not in (0, 1) (InputError)."""
    if not 0 < precision < 1:
        raise InputError(f"A precision lies between 0 and 1 (0.01 is one percent), got {precision}.")
    z = float(scipy.stats.norm.ppf(0.5 + confidence / 2))

    def at(size: int) -> NumberAtSize:
        b = abs(bias.counted(condition, size))
        if law is None or bias.reference == 0:
            return NumberAtSize(size, b, 0.0, None, None)
        scatter = law.deviation(float(size) ** cost.ndim) / abs(bias.reference)
        if b >= precision:
            return NumberAtSize(size, b, scatter, None, None)
        number = max(1, math.ceil((z * scatter) ** 2 / (precision**2 - b**2)))
        return NumberAtSize(size, b, scatter, number, number * cost.seconds(size))

    numbers = tuple(at(n) for n in sorted(set(sizes)))
    single = _smallest(lambda n: at(n).number == 1, max(4, min(sizes)))
    candidates = [at(n) for n in _ladder(min(sizes), max(single or 0, *sizes))]
    usable = [c for c in candidates if c.number is not None and c.seconds is not None]
    cheapest = min(usable, key=lambda c: (c.seconds or 0.0, c.number or 0), default=None)
    return Requirement(precision, confidence, single, numbers, cheapest)


def _ladder(first: int, last: int) -> list[int]:
    """Sizes from first to last in steps of a tenth."""
    steps = max(1, math.ceil(math.log(max(last, first + 1) / first) / math.log(1.1)))
    return sorted({round(first * (last / first) ** (k / steps)) for k in range(steps + 1)})


def _smallest(enough: object, first: int) -> int | None:
    """Smallest size that is enough; error and scatter fall monotonically with it."""
    assert callable(enough)
    low, high = 1, first
    while not enough(high):
        low, high = high, high * 2
        if high > LARGEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high

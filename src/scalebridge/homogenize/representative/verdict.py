"""Representative volume element or statistical volume element: the word, and the numbers that led to it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import final

import scipy.stats

from scalebridge.homogenize.representative.estimators import MeanEstimate
from scalebridge.homogenize.representative.scaling_law import ScalingLaw
from scalebridge.homogenize.representative.size_bias import SizeBias


@final
@dataclasses.dataclass(frozen=True)
class Representativity:
    """representative: True or False at the largest size, None where it could not be judged; `words` are sentences."""

    representative: bool | None
    tolerance: float
    size: int
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        if self.representative is None:
            return "not judged"
        return "representative volume element" if self.representative else "statistical volume element"


def judge(
    size: int,
    condition: str,
    tolerance: float | int,
    confidence: float | int,
    parts: Mapping[str, MeanEstimate],
    bias: Mapping[str, SizeBias],
    scaling: Mapping[str, ScalingLaw | None],
    gap: float | None,
    volume: float | int | None = None,
) -> Representativity:
    """A size is representative when a single sample of it is: its scatter (at the confidence asked for), its bias and,
    where both were solved, the gap between kinematic and static conditions all stay within the tolerance.

    volume: of one sample, in the units of the laws. Of a single sample the scatter is what the law fitted to smaller
    ones foretells; it counts only where the whole interval of that forecast lies on one side of the tolerance.
    """
    z = float(scipy.stats.norm.ppf(0.5 + confidence / 2))
    share, limit = _percent(confidence), _percent(tolerance)
    words = []
    verdicts: list[bool | None] = []
    for name, estimate in parts.items():
        relative, law = estimate.relative_deviation, scaling[name]
        if relative is not None:
            reach = z * relative
            good: bool | None = reach <= tolerance
            sentence = (
                f"{name.capitalize()}: {share} of single samples of {size} voxels per edge lie within "
                f"{_percent(reach)} of their mean"
            )
        else:
            forecast = _forecast(law, volume, estimate.mean, z)
            if forecast is None:
                verdicts.append(None)
                words.append(_unknown(name, size, law))
                continue
            low, reach, high = forecast
            good = True if high <= tolerance else False if low > tolerance else None
            sentence = (
                f"{name.capitalize()}: there is a single sample of {size} voxels per edge; by the law fitted to the "
                f"scatter of smaller ones {share} of such samples lie within {_percent(reach)} of their mean "
                f"({share} interval {_percent(low)} to {_percent(high)})"
            )
            if good is None:
                sentence += ", which does not tell on which side of the tolerance"
        found = bias[name]
        shift = abs(found.fitted(condition, size))
        if shift > tolerance:
            good = False if found.seen(condition) or good is False else None
        verdicts.append(good)
        words.append(
            f"{sentence}{_bias_words(found, condition, size, tolerance, share)} (tolerance {limit})."
        )
        if law is not None and law.slower_than_integrable:
            verdicts.append(False)
            words.append(
                f"The variance of the {name} falls like V^-{law.alpha:.2f} (standard error {law.alpha_deviation:.2f}), "
                "slower than 1/V: correlations are long-ranged, and no representative volume exists at these sizes."
            )
    if gap is not None:
        verdicts.append(gap <= tolerance)
        words.append(
            f"Kinematic and static conditions differ by {_percent(gap)} at {size} voxels per edge (tolerance {limit})."
        )
    if False in verdicts:
        answer: bool | None = False
    elif None in verdicts:
        answer = None
    else:
        answer = True
    name = Representativity(answer, tolerance, size, ()).name
    return Representativity(answer, tolerance, size, (f"{size} voxels per edge: {name}.", *words))


def _bias_words(found: SizeBias, condition: str, size: int, tolerance: float | int, share: str) -> str:
    """How far the mean of this size lies from the limit; a trend within its own interval is no bias."""
    if not found.assessed:
        return ""
    shift = found.fitted(condition, size)
    if found.seen(condition):
        return f", and this mean within about {_percent(abs(shift))} of the limit for large samples"
    trend = f"{_percent(shift)} ± {_percent(found.reach(condition, size))} at {share}".replace("-", "−")
    if abs(shift) > tolerance:
        return f", but whether this mean is biased cannot be told from chance ({trend})"
    return f", and no bias of this mean is seen ({trend})"


def _forecast(
    law: ScalingLaw | None, volume: float | int | None, mean: float, z: float
) -> tuple[float, float, float] | None:
    """Lower end, value and upper end of z deviations of one sample, relative to the mean, as the law has them."""
    if law is None or volume is None or not law.foretells or mean == 0:
        return None
    error = law.relative_deviation_error(volume)
    assert error is not None
    reach, factor = z * law.deviation(volume) / abs(mean), math.exp(min(z * error, 50.0))
    return reach / factor, reach, reach * factor


def _unknown(name: str, size: int, law: ScalingLaw | None) -> str:
    sentence = f"The scatter of the {name} between samples of {size} voxels per edge is not known"
    if law is None:
        return f"{sentence}."
    if law.covariance is None:
        return f"{sentence}: a law needs several samples of two smaller sizes at least."
    return f"{sentence}: the smaller ones hold too few independent pieces for their law to be carried on."


def _percent(relative: float | int) -> str:
    """With a digit more than elsewhere: what is compared with a tolerance must not look equal to it."""
    return f"{100 * relative:.3g} %"

"""Representative volume element or statistical volume element: the word, and the numbers that led to it."""

from __future__ import annotations

import dataclasses
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
) -> Representativity:
    """A size is representative when a single sample of it is: its scatter (at the confidence asked for), its bias and,
    where both were solved, the gap between kinematic and static conditions all stay within the tolerance.
    """
    z = float(scipy.stats.norm.ppf(0.5 + confidence / 2))
    words = []
    verdicts: list[bool | None] = []
    for name, estimate in parts.items():
        relative = estimate.relative_deviation
        if relative is None:
            verdicts.append(None)
            words.append(f"The scatter of the {name} between samples of {size} voxels per edge is not known.")
            continue
        reach = z * relative
        found = bias[name]
        shift = abs(found.bias(condition, size))
        good = reach <= tolerance and shift <= tolerance
        verdicts.append(good)
        sentence = (
            f"{name.capitalize()}: {confidence:.0%} of single samples of {size} voxels per edge lie within "
            f"{reach:.2%} of their mean"
        )
        if found.assessed:
            sentence += f", and this mean within about {shift:.2%} of the limit for large samples"
        words.append(f"{sentence} (tolerance {tolerance:.2%}).")
        law = scaling[name]
        if law is not None and law.slower_than_integrable:
            verdicts.append(False)
            words.append(
                f"The variance of the {name} falls like V^-{law.alpha:.2f} (standard error {law.alpha_deviation:.2f}), "
                "slower than 1/V: correlations are long-ranged, and no representative volume exists at these sizes."
            )
    if gap is not None:
        verdicts.append(gap <= tolerance)
        words.append(
            f"Kinematic and static conditions differ by {gap:.2%} at {size} voxels per edge "
            f"(tolerance {tolerance:.2%})."
        )
    if False in verdicts:
        answer: bool | None = False
    elif None in verdicts:
        answer = None
    else:
        answer = True
    name = Representativity(answer, tolerance, size, ()).name
    return Representativity(answer, tolerance, size, (f"{size} voxels per edge: {name}.", *words))

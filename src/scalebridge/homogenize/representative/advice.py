"""What to do next, from the numbers of a study."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, final

from scalebridge.homogenize.representative.words import edge_words
from scalebridge.homogenize.words import percent

if TYPE_CHECKING:
    from scalebridge.homogenize.representative.study import RepresentativityResult

FEW = 5  # samples, below which the scatter itself is hardly known


@final
@dataclasses.dataclass(frozen=True)
class Demand:
    """The strictest of what the scalars ask for: samples of the largest size, and the edge of one sufficient sample.

    None: beyond reach, or not known.
    """

    number: int | None
    single: int | None


def demand(result: RepresentativityResult) -> Demand:
    """Over all scalars, under the condition that statements refer to."""
    numbers = [need.numbers[-1].number for need in result.requirements.values()]
    singles = [need.single_size for need in result.requirements.values()]

    def strictest(given: list[int | None]) -> int | None:
        known = [n for n in given if n is not None]
        return max(known) if known and len(known) == len(given) else None

    return Demand(strictest(numbers), strictest(singles))


def next_step(result: RepresentativityResult) -> str:
    """One or two sentences."""
    step = _step(result) + _blind(result)
    if all(bias.assessed for bias in result.bias.values()):
        return step
    return f"{step} Add a second size or condition: with one of each no bias can be seen."


def _step(result: RepresentativityResult) -> str:
    size, asked = result.problem.sizes[-1], percent(result.method.precision)
    here = f"{size} voxels per edge"
    row = result.at(size, result.preferred)
    laws = [result.scaling[name][result.preferred] for name in result.requirements]
    if any(law is not None and law.slower_than_integrable for law in laws):
        return (
            "Do not look for a larger sample: give the mean and the scatter at the size that the coarse model uses, "
            "and let the property vary from place to place."
        )
    if row.count == 1 and not all(law is not None and law.foretells for law in laws):
        return f"Solve at least {FEW} samples per size: how much a single one scatters cannot be known otherwise."
    if any(estimate.mean == 0 for estimate in row.parts.values()):
        return "Check the laws: a mean is zero, and no relative precision of it can be reached."
    need = demand(result)
    hidden = _hidden(result)
    larger = None if need.single is None else f"one sample of {edge_words(result, need.single)}"
    if result.verdict.representative:
        if need.single is not None and need.single < size:
            return f"One sample of {here} is enough for {asked}; so is {larger}."
        return f"One sample of {here} is enough for {asked}."
    if hidden is not None:
        return (
            "Take more samples of every size first: the limit for large samples is only known within "
            f"{percent(hidden)}, and so is the bias. As it looks, {larger or 'no size within reach'} would do."
        )
    if need.number is None:
        if not any(bias.counted(result.preferred, size) for bias in result.bias.values()):
            return f"Take {larger or 'larger samples'}: how many of {here} reach {asked} is not known."
        reason = f"no number of samples of {here} reaches {asked}, because of their bias"
        return f"Take {larger or 'larger samples'}: {reason}."
    if row.count < need.number:
        more = f"Average {need.number} samples of {here} to know the mean within {asked}"
        return f"{more}, or take {larger}." if larger else f"{more}."
    ready = f"The mean over the {row.count} samples of {here} is known within {asked}: use it"
    gap = result.hierarchies[size].gap
    if need.single is not None and need.single <= size and gap is not None:
        closed = edge_words(result, math.ceil(size * gap / result.method.precision))
        return f"{ready}. Kinematic and static conditions would agree within {asked} at about {closed}."
    return f"{ready}, or take {larger}." if larger else f"{ready}."


def _blind(result: RepresentativityResult) -> str:
    """How large a bias could be without being seen, where that exceeds the precision."""
    size, condition = result.problem.sizes[-1], result.preferred
    unseen = [b for b in result.bias.values() if b.assessed and not b.seen(condition) and b.mean]
    reach = max((b.reach(condition, size) for b in unseen), default=0.0)
    if reach <= result.method.precision or _hidden(result) is not None:
        return ""
    return f" A bias below {percent(reach)} would not be seen in so few samples."


def _hidden(result: RepresentativityResult) -> float | None:
    """The relative standard error of the limit where a trend over the sizes exceeds the precision, but not its own
    interval, or where the limit makes no sense.
    """
    size, found = result.problem.sizes[-1], []
    row = result.at(size, result.preferred)
    for name, bias in result.bias.items():
        limit, mean = float(bias.limit), row.parts[name].mean
        trend = abs(bias.fitted(result.preferred, size)) >= result.method.precision
        if limit * mean <= 0 or (trend and not bias.seen(result.preferred)):
            found.append(float(bias.limit_error) / abs(mean))
    return max(found, default=None)

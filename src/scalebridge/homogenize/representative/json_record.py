"""The machine-readable record of a representativity study: plain dicts, lists and numbers, ready for strict JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np
import scipy.stats

from scalebridge.core.status import Status
from scalebridge.homogenize.json_record import plain
from scalebridge.homogenize.representative.advice import next_step
from scalebridge.homogenize.representative.words import (
    cubic_spacing,
    ordered_conditions,
    unit_of,
    unit_of_part,
)
from scalebridge.material.conduction import Conduction
from scalebridge.material.thermoelasticity import Thermoelasticity
from scalebridge.numerics.mandel import COMPONENTS, stiffness_to_voigt, strain_to_voigt

if TYPE_CHECKING:
    from scalebridge.homogenize.representative.estimators import MeanEstimate
    from scalebridge.homogenize.representative.hierarchy import Hierarchy
    from scalebridge.homogenize.representative.requirements import NumberAtSize, Requirement
    from scalebridge.homogenize.representative.scaling_law import ScalingLaw
    from scalebridge.homogenize.representative.size_bias import SizeBias
    from scalebridge.homogenize.representative.study import RepresentativityResult, SizeStatistics

SCHEMA = "scalebridge.rve/1"


@final
@dataclasses.dataclass(frozen=True)
class ReachedPrecision:
    """How well the mean of the material is known from the samples of one size, relative to the limit.

    half_width: half the interval of the mean; for a single sample the scatter that the fitted law foretells at the same
    confidence. total: its root sum of squares with the bias, the worst of all scalars.
    """

    size: int
    bias: float
    half_width: float
    total: float


def reached_precision(result: RepresentativityResult) -> ReachedPrecision | None:
    """The best of all sizes under the condition that statements refer to; None where no scatter is known."""
    rows = [_reached_at(result, size) for size in result.problem.sizes]
    return min((row for row in rows if row is not None), key=lambda row: row.total, default=None)


def _reached_at(result: RepresentativityResult, size: int) -> ReachedPrecision | None:
    condition, worst = result.preferred, None
    z = float(scipy.stats.norm.ppf(0.5 + result.method.confidence / 2))
    for name, estimate in result.at(size, condition).parts.items():
        fitted, law = result.bias[name], result.scaling[name][condition]
        half = estimate.half_width
        if half is None and law is not None:
            half = z * law.deviation(float(size) ** result.problem.source.ndim)
        if half is None or not fitted.reference:
            return None
        bias, relative = abs(fitted.bias(condition, size)), half / abs(fitted.reference)
        here = ReachedPrecision(size, bias, relative, math.hypot(bias, relative))
        if worst is None or here.total > worst.total:
            worst = here
    return worst


def study_status(result: RepresentativityResult) -> Status:
    """Whether the study itself reached the precision that requirements are computed for."""
    reached = reached_precision(result)
    met = reached is not None and reached.total <= result.method.precision
    return Status.CONVERGED if met else Status.ACCURACY_NOT_MET


def to_json(
    result: RepresentativityResult,
    *,
    scales: Mapping[str, Any] | None = None,
    store: Mapping[str, int] | None = None,
    notes: tuple[str, ...] = (),
    provenance: Mapping[str, Any] | None = None,
    asked: bool = True,
) -> dict[str, Any]:
    """The record under the schema `scalebridge.rve/1`. SI units; x, y, z for conductivities, Voigt with engineering
    shear (xx, yy, zz, yz, xz, xy; 2-D: xx, yy, xy) for stiffness and thermal expansion (1/K, null where there is none);
    relative numbers are fractions of the limit
    (of the mean where no bias is seen).

    scales: lengths of the material. store: cells found and solved. asked: whether somebody asked for the
    precision, so that missing it is a status of its own. null where something is not known;
    never NaN or infinity, so `json.dumps(..., allow_nan=False)` always works.
    """
    problem, method = result.problem, result.method
    vector, ndim = problem.material.vector, problem.source.ndim
    reached = reached_precision(result)
    record = {
        "schema": SCHEMA,
        "physics": physics_of(result),
        "quantity": quantity_of(result),
        "unit": unit_of(result),
        "units": {name: unit_of_part(result, name) for name in result.requirements},
        "ordering": list(COMPONENTS[ndim] if vector else "xyz"[:ndim]),
        "dimensions": ndim,
        "spacing": cubic_spacing(problem.source),
        "sizes": list(problem.sizes),
        "conditions": list(ordered_conditions(result)),
        "condition": result.preferred,
        "statistics": [_statistics(row, vector) for row in result.statistics],
        "hierarchy": {str(size): _hierarchy(found, vector) for size, found in result.hierarchies.items()},
        "law": {
            name: {condition: _law(law, ndim) for condition, law in laws.items()}
            for name, laws in result.scaling.items()
        },
        "bias": {name: _bias(found, result) for name, found in result.bias.items()},
        "requirements": _requirements(result),
        "reached": reached and dataclasses.asdict(reached),
        "scales": scales,
        "verdict": {
            "word": _word(result.verdict.representative),
            "representative": result.verdict.representative,
            "size": result.verdict.size,
            "tolerance": result.verdict.tolerance,
            "confidence": method.confidence,
            "reasons": list(result.verdict.words),
        },
        "next_step": next_step(result),
        "store": store and dict(store),
        "status": (study_status(result) if asked else Status.CONVERGED).value,
        "warnings": [*notes, *result.warnings],
        "seconds": result.seconds,
        "provenance": dict(result.provenance) | dict(provenance or {}),
    }
    found: dict[str, Any] = plain(record)
    return found


def _word(representative: bool | None) -> str:
    if representative is None:
        return "not judged"
    return "representative" if representative else "statistical volume element"


def physics_of(result: RepresentativityResult) -> str:
    laws = _laws(result)
    if not result.problem.material.vector:
        return "conduction"
    return "thermoelasticity" if any(isinstance(law, Thermoelasticity) for law in laws) else "elasticity"


def quantity_of(result: RepresentativityResult) -> str:
    """E.g. "apparent thermal conductivity"; that of a phase whose unit says what it is."""
    if result.problem.material.vector:
        return "apparent stiffness"
    transports = [law.transport for law in _laws(result) if isinstance(law, Conduction)]
    named = next((t for t in transports if t.unit), transports[0])
    return f"apparent {named.coefficient}"


def _laws(result: RepresentativityResult) -> list[Any]:
    material = result.problem.material
    return [*material.laws.values(), *(() if material.grain is None else (material.grain,))]


def reported(matrix: np.ndarray | None, vector: bool) -> Any:
    """A tensor (m, m) of the study, or one entry-wise deviation of it, as people and programs read it."""
    if matrix is None:
        return None
    return plain(stiffness_to_voigt(np.asarray(matrix)) if vector else np.asarray(matrix))


def _estimate(found: MeanEstimate) -> dict[str, Any]:
    interval = None if found.low is None or found.high is None else [found.low, found.high]
    return {"mean": found.mean, "deviation": found.deviation, "interval": interval}


def _statistics(row: SizeStatistics, vector: bool) -> dict[str, Any]:
    return {
        "size": row.size,
        "condition": row.condition,
        "count": row.count,
        "mean": reported(row.mean, vector),
        "deviation": reported(row.deviation, vector),
        "expansion": _expansion(row),
        "scalars": {name: _estimate(found) for name, found in row.parts.items()},
        "fractions": {label: _estimate(found) for label, found in row.fractions.items()},
        "seconds": row.seconds,
    }


def _expansion(row: SizeStatistics) -> dict[str, Any] | None:
    """Mean and deviation of the thermal expansion, entry by entry."""
    if row.expansions is None:
        return None
    values = strain_to_voigt(row.expansions)
    deviation = values.std(axis=0, ddof=1) if row.count > 1 else None
    return {"mean": plain(values.mean(axis=0)), "deviation": plain(deviation)}


def _hierarchy(found: Hierarchy, vector: bool) -> dict[str, Any]:
    return {
        "holds": found.holds,
        "violation": found.violation,
        "gap": found.gap,
        "lower": reported(found.lower, vector),
        "upper": reported(found.upper, vector),
    }


def _law(law: ScalingLaw | None, ndim: int) -> dict[str, Any] | None:
    """D^2(V) = D^2 (A / V)^alpha; volumes in voxels."""
    if law is None:
        return None
    value = law.integral_range
    known = value is not None and math.isfinite(value)
    return {
        "variance_point": law.point_variance,
        "integral_range": value if known else None,
        "integral_range_deviation": law.integral_range_deviation if known else None,
        "integral_range_edge": value ** (1 / ndim) if value is not None and known else None,
        "alpha": law.alpha,
        "alpha_deviation": law.alpha_deviation,
        "intercept": law.intercept,
        "sizes": law.sizes,
        "asymptotic": law.asymptotic,
        "slower_than_integrable": law.slower_than_integrable,
    }


def _bias(found: SizeBias, result: RepresentativityResult) -> dict[str, Any]:
    """relative: null where the trend does not exceed its interval; fitted and half_width: of the trend all the same."""
    conditions = ordered_conditions(result)

    def by_size(value: Callable[[str, int], float | None]) -> dict[str, Any] | None:
        if not found.assessed:
            return None
        return {c: {str(size): value(c, size) for size in result.problem.sizes} for c in conditions}

    return {
        "assessed": found.assessed,
        "limit": found.limit,
        "limit_deviation": found.limit_error,
        "limit_half_width": found.limit_reach,
        "reference": found.reference,
        "seen": {c: found.seen(c) for c in conditions} if found.assessed else None,
        "relative": by_size(lambda c, n: found.bias(c, n) if found.seen(c) else None),
        "fitted": by_size(found.fitted),
        "half_width": by_size(lambda c, n: found.reach(c, n) if c in found.reaches else None),
    }


def _requirements(result: RepresentativityResult) -> dict[str, Any]:
    """Of every scalar, and of the one that asks for most."""
    each = result.requirements
    singles = [need.single_size for need in each.values()]
    numbers = {
        str(size): _strictest(
            [next(n.number for n in need.numbers if n.size == size) for need in each.values()]
        )
        for size in result.problem.sizes
    }
    # What is cheapest for the scalar that costs most.
    ways = [need.cheapest for need in each.values()]
    dearest = None
    if all(way is not None for way in ways):
        dearest = max((way for way in ways if way is not None), key=lambda way: way.seconds or 0.0)
    return {
        "precision": result.method.precision,
        "confidence": result.method.confidence,
        "condition": result.preferred,
        "size_for_one_sample": _strictest(singles),
        "number_at_size": numbers,
        "cheapest": _number(dearest),
        "scalars": {name: _requirement(need) for name, need in each.items()},
    }


def _strictest(given: list[int | None]) -> int | None:
    known = [n for n in given if n is not None]
    return max(known) if known and len(known) == len(given) else None


def _requirement(need: Requirement) -> dict[str, Any]:
    return {
        "size_for_one_sample": need.single_size,
        "number_at_size": {str(row.size): row.number for row in need.numbers},
        "cheapest": _number(need.cheapest),
        "sizes": [_number(row) for row in need.numbers],
    }


def _number(row: NumberAtSize | None) -> dict[str, Any] | None:
    return None if row is None else dataclasses.asdict(row)

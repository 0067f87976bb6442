"""Numbers of a representativity study in words: shared by the terminal, the notebook and the report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scalebridge.homogenize.representative.estimators import MeanEstimate
from scalebridge.homogenize.representative.expansion import EXPANSION
from scalebridge.homogenize.representative.samples import AbstractSource, GeneratorEnsemble, ImageWindows
from scalebridge.homogenize.representative.size_bias import SizeBias
from scalebridge.homogenize.words import Scale, number, percent, scale_of
from scalebridge.material.conduction import Conduction
from scalebridge.microstructure.spacing import parse_spacing

if TYPE_CHECKING:
    from scalebridge.homogenize.representative.requirements import NumberAtSize
    from scalebridge.homogenize.representative.scaling_law import ScalingLaw
    from scalebridge.homogenize.representative.study import RepresentativityResult

CONDITIONS = {"periodic": "periodic", "kubc": "kinematic (KUBC)", "subc": "static (SUBC)"}
ORDER = ("subc", "periodic", "kubc")  # from soft to stiff


def ordered_conditions(result: RepresentativityResult) -> tuple[str, ...]:
    """Names of the conditions from soft to stiff, others behind."""
    names = [condition.name for condition in result.problem.conditions]
    known = [name for name in ORDER if name in names]
    return (*known, *(name for name in names if name not in known))


def condition_words(name: str) -> str:
    return CONDITIONS.get(name, name)


def short(name: str) -> str:
    """KUBC and SUBC are written in capitals."""
    return name.upper() if name in ("kubc", "subc") else name


def unit_of(result: RepresentativityResult) -> str:
    """SI unit of the tensors, "" where the properties were given without units."""
    material = result.problem.material
    laws = [*material.laws.values(), *(() if material.grain is None else (material.grain,))]
    if not material.vector:
        units = [law.transport.unit for law in laws if isinstance(law, Conduction)]
        return next((unit for unit in units if unit), "")
    given = any(p.dimension is not None for law in laws for p in law.parameters.values())  # type: ignore[attr-defined]
    return "Pa" if given else ""


def unit_of_part(result: RepresentativityResult, name: str) -> str:
    """SI unit of one scalar."""
    unit = unit_of(result)
    return "1/K" if name == EXPANSION and unit else "" if name == EXPANSION else unit


def scale_for_part(result: RepresentativityResult, name: str) -> Scale:
    """One scale for all means of a scalar."""
    return scale_of(max(abs(row.parts[name].mean) for row in result.statistics), unit_of_part(result, name))


def spacing_of(source: AbstractSource) -> tuple[float, ...] | None:
    """Edges of a voxel in m, where they are known without making a sample."""
    if isinstance(source, ImageWindows):
        return source.image.grid.spacing
    if isinstance(source, GeneratorEnsemble):
        return parse_spacing(source.generator.spacing, source.ndim)
    return None


def cubic_spacing(source: AbstractSource) -> float | None:
    """The edge of a voxel in m where all are equal: then n voxels per edge are one length."""
    spacing = spacing_of(source)
    return spacing[0] if spacing and max(spacing) <= min(spacing) * (1 + 1e-9) else None


def edge_words(result: RepresentativityResult, size: float | int) -> str:
    """E.g. "64 voxels per edge (342 µm)"; the length where voxels have one."""
    length = length_words(result, size)
    return f"{size:.0f} voxels per edge" + (f" ({length})" if length else "")


def length_words(result: RepresentativityResult, size: float | int) -> str:
    """`size` voxels as a length, "" where voxels have none or are no cubes."""
    h = cubic_spacing(result.problem.source)
    return "" if h is None else scale_of(size * h, "m").show(size * h, 3)


def source_words(source: AbstractSource) -> str:
    if isinstance(source, ImageWindows):
        box = " × ".join(map(str, source.image.grid.shape))
        return f"windows of an image of {box} voxels"
    if isinstance(source, GeneratorEnsemble):
        return f"realizations of {type(source.generator).__name__}"
    return type(source).__name__


def with_error(value: float | int, error: float | int | None, factor: float | int = 1.0) -> str:
    """Value ± error, with the digits that two significant ones of the error support."""
    value, error = value * factor, None if error is None else error * factor
    if error is None or not math.isfinite(error):
        return number(value)
    if error <= 1e-7 * abs(value):
        return f"{number(value)} ± 0"
    decimals = 1 - math.floor(math.log10(float(f"{error:.1e}")))
    if max(abs(value), error) >= 1e6 or decimals > 5:
        return f"{number(value)} ± {number(error, 2)}"
    value, error = round(value, decimals), round(error, decimals)
    decimals = max(decimals, 0)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}".replace("-", "−")


def estimate_words(estimate: MeanEstimate, scale: Scale) -> str:
    """Mean ± half its interval, without the unit."""
    return with_error(estimate.mean, estimate.half_width, scale.factor)


def scatter_words(estimate: MeanEstimate) -> str:
    """Scatter of one sample over the mean."""
    relative = estimate.relative_deviation
    return "–" if relative is None else percent(relative)


def signed_percent(relative: float | int) -> str:
    """A relative number with its sign, as a percentage."""
    shown = percent(abs(relative))
    return shown if relative == 0 or shown.startswith("<") else f"{'+' if relative > 0 else '−'}{shown}"


def bias_words(bias: SizeBias, condition: str, size: int) -> str:
    """Signed; or that none is seen, with half the interval of the trend."""
    if not bias.assessed:
        return "not assessed"
    if bias.seen(condition):
        return signed_percent(bias.bias(condition, size))
    return f"not seen (±{percent(bias.reach(condition, size))})"


def needs_bias_words(bias: SizeBias, condition: str, row: NumberAtSize) -> str:
    """What was taken for the bias when samples were counted."""
    if not bias.assessed:
        return "not assessed"
    return percent(row.bias) if row.bias or bias.seen(condition) else "not seen"


def limit_words(bias: SizeBias, scale: Scale, share: str) -> str:
    """The limit for large samples; "" where there is nothing to tell it from the means."""
    if not bias.assessed or not bias.limit:
        return ""
    if bias.reference == bias.limit:
        shown = with_error(float(bias.limit), float(bias.limit_error), scale.factor)
        return f"limit for large samples {shown} (standard error)"
    shown = with_error(float(bias.limit), bias.limit_reach, scale.factor)
    return f"no bias is seen; allowing for one, the limit for large samples is {shown} ({share} interval)"


def duration(seconds: float | int) -> str:
    """E.g. "30 ms", "12 s", "4.0 min", "2.5 h", "3.1 days"."""
    if seconds <= 0:
        return "0 s"
    if seconds < 0.1:
        return f"{number(1000 * seconds, 2)} ms" if seconds >= 1e-5 else "< 0.01 ms"
    for limit, unit, word in ((100, 1, "s"), (6000, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{number(seconds / unit, 2)} {word}"
    return f"{number(seconds / 86400, 2)} days" if seconds < 8.64e6 else "over 100 days"


def exponent_words(law: ScalingLaw) -> str:
    if law.alpha_deviation is None:
        return f"{number(float(law.alpha), 3)} (assumed)"
    return with_error(float(law.alpha), law.alpha_deviation)


def range_words(law: ScalingLaw) -> str:
    """The integral range in voxels, with one standard error."""
    value = law.integral_range
    if value is None or not math.isfinite(value):
        return "–"
    # Beyond a few times its own value an error of first order says only that A is not known.
    error = law.integral_range_deviation
    return with_error(value, error) if error is None or error < 3 * value else f"about {number(value, 2)}"


def integral_range_words(result: RepresentativityResult, law: ScalingLaw) -> str:
    """The same, and the edge of a cube (square) of that volume."""
    value, ndim = law.integral_range, result.problem.source.ndim
    if value is None or not math.isfinite(value):
        return "–"
    edge = value ** (1 / ndim)
    length = length_words(result, edge)
    box = f"{'square' if ndim == 2 else 'cube'} of edge {number(edge, 3)}{f', {length}' if length else ''}"
    return f"{range_words(law)} voxels ({box})"


def number_words(row: NumberAtSize, precision: float | int) -> str:
    """Samples needed at a size, or why no number can be given."""
    if row.number is not None:
        return str(row.number)
    return "bias too large" if row.bias >= precision else "not known"

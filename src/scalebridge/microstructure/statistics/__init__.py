"""What does this image look like, in numbers? Pure functions of a PhaseImage and a label.

Takes: PhaseImage, label, `periodic`.   Gives: two-point functions, lineal paths, chords, Minkowski functionals,
correlation lengths, integral ranges, thickness, verdicts on stationarity, ergodicity and long-range correlation.
Lengths are in the unit of the grid's cell size: m where the spacing is known, else voxels.
May import: grid, numerics, core.   Open first: two_point.py.
"""

from scalebridge.microstructure.statistics.block_variance import BlockVariances, block_variances
from scalebridge.microstructure.statistics.curve import Curve, average_curves
from scalebridge.microstructure.statistics.lengths import (
    CorrelationLength,
    IntegralRange,
    correlation_length,
    integral_range,
)
from scalebridge.microstructure.statistics.lineal_path import ChordLengths, chord_lengths, lineal_path
from scalebridge.microstructure.statistics.long_range import LongRange, long_range
from scalebridge.microstructure.statistics.measured_part import middle
from scalebridge.microstructure.statistics.minkowski import MinkowskiFunctionals, minkowski_functionals
from scalebridge.microstructure.statistics.stationarity import (
    Ergodicity,
    Stationarity,
    Trend,
    ergodicity,
    stationarity,
)
from scalebridge.microstructure.statistics.thickness import LocalThickness, local_thickness
from scalebridge.microstructure.statistics.two_point import (
    TwoPointFunction,
    centred_two_point,
    directional,
    two_point,
)

__all__ = [
    "BlockVariances",
    "ChordLengths",
    "CorrelationLength",
    "Curve",
    "Ergodicity",
    "IntegralRange",
    "LocalThickness",
    "LongRange",
    "MinkowskiFunctionals",
    "Stationarity",
    "Trend",
    "TwoPointFunction",
    "average_curves",
    "block_variances",
    "centred_two_point",
    "chord_lengths",
    "correlation_length",
    "directional",
    "ergodicity",
    "integral_range",
    "lineal_path",
    "local_thickness",
    "long_range",
    "middle",
    "minkowski_functionals",
    "stationarity",
    "two_point",
]

"""Are the scales apart? Ratios of lengths, and what they allow.

Takes: lengths.   Gives: ScaleReport with a verdict in words.
May import: numerics, core.   Open first: separation.py.
"""

from scalebridge.scales.separation import ScaleReport, Separation, gradient_length, scale_report

__all__ = ["ScaleReport", "Separation", "gradient_length", "scale_report"]

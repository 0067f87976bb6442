"""Figures: one function per picture, each returning a matplotlib Figure that belongs to nobody else.

Takes: results, images, fields and a Theme.   Gives: Figure (save it with `figure.savefig`).
May import: homogenize and everything below; matplotlib inside functions only.   Open first: slices.py.
"""

from scalebridge.report.figures.charts import (
    bounds_chart,
    concentration_chart,
    convergence_chart,
    resolution_chart,
)
from scalebridge.report.figures.correlations import (
    covariance_chart,
    lineal_path_chart,
    sample_slice,
    two_point_chart,
)
from scalebridge.report.figures.representative import means_chart, needs_chart, scatter_chart
from scalebridge.report.figures.slices import colour_bar, field_slice, phase_slice
from scalebridge.report.figures.views import Cut, FieldView, cuts, energy_view, flux_view, primary_view

__all__ = [
    "Cut",
    "FieldView",
    "bounds_chart",
    "colour_bar",
    "concentration_chart",
    "convergence_chart",
    "covariance_chart",
    "cuts",
    "energy_view",
    "field_slice",
    "flux_view",
    "lineal_path_chart",
    "means_chart",
    "needs_chart",
    "phase_slice",
    "primary_view",
    "resolution_chart",
    "sample_slice",
    "scatter_chart",
    "two_point_chart",
]

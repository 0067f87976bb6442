"""Microstructures: which phase is where, and what does the arrangement look like?

Takes: files, arrays, generator parameters.   Gives: PhaseImage, GreyImage, connectivity, statistics.
May import: grid, numerics, core.   Open first: read.py.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalebridge.microstructure.coarsening import CoarseFractions, coarsen, coarsen_fractions
    from scalebridge.microstructure.connectivity import (
        Components,
        Connectivity,
        floating_mask,
        isolated_mask,
        label_components,
        percolates,
        percolation,
        through_connected_fraction,
    )
    from scalebridge.microstructure.description import Description, describe, slices_picture
    from scalebridge.microstructure.edit import crop, keep_largest_component, mirror, pad, relabel, trim
    from scalebridge.microstructure.generate import (
        Polycrystal,
        aligned_fibres,
        checkerboard,
        disc_array,
        four_phase_checkerboard,
        gaussian_level_cut,
        laminate,
        random_spheres,
        sphere_array,
        voronoi_polycrystal,
    )
    from scalebridge.microstructure.measure import specific_surface, structure_tensor_orientation
    from scalebridge.microstructure.raw_layout import ByteOrder, RawLayout
    from scalebridge.microstructure.read import open_image, read_grey, read_image
    from scalebridge.microstructure.segment import otsu_segment, otsu_thresholds, threshold_segment
    from scalebridge.microstructure.spacing import parse_spacing
    from scalebridge.microstructure.vti_writer import write_fields_vti, write_vti
    from scalebridge.microstructure.write import write_image, write_slices

# Where each public name lives; modules are imported when a name is first used, so that `--help` stays quick.
_HOMES = {
    "coarsening": ("CoarseFractions", "coarsen", "coarsen_fractions"),
    "connectivity": (
        "Components",
        "Connectivity",
        "floating_mask",
        "isolated_mask",
        "label_components",
        "percolates",
        "percolation",
        "through_connected_fraction",
    ),
    "description": ("Description", "describe", "slices_picture"),
    "edit": ("crop", "keep_largest_component", "mirror", "pad", "relabel", "trim"),
    "generate": (
        "Polycrystal",
        "aligned_fibres",
        "checkerboard",
        "disc_array",
        "four_phase_checkerboard",
        "gaussian_level_cut",
        "laminate",
        "random_spheres",
        "sphere_array",
        "voronoi_polycrystal",
    ),
    "measure": ("specific_surface", "structure_tensor_orientation"),
    "raw_layout": ("ByteOrder", "RawLayout"),
    "read": ("open_image", "read_grey", "read_image"),
    "segment": ("otsu_segment", "otsu_thresholds", "threshold_segment"),
    "spacing": ("parse_spacing",),
    "write": ("write_image", "write_slices"),
    "vti_writer": ("write_fields_vti", "write_vti"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  grouped by module, as above
    "CoarseFractions", "coarsen", "coarsen_fractions",
    "Components", "Connectivity", "floating_mask", "isolated_mask", "label_components", "percolates",
    "percolation", "through_connected_fraction",
    "Description", "describe", "slices_picture",
    "crop", "keep_largest_component", "mirror", "pad", "relabel", "trim",
    "Polycrystal", "aligned_fibres", "checkerboard", "disc_array", "four_phase_checkerboard",
    "gaussian_level_cut", "laminate", "random_spheres", "sphere_array", "voronoi_polycrystal",
    "specific_surface", "structure_tensor_orientation",
    "ByteOrder", "RawLayout",
    "open_image", "read_grey", "read_image",
    "otsu_segment", "otsu_thresholds", "threshold_segment",
    "parse_spacing", "write_image", "write_slices", "write_fields_vti", "write_vti",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

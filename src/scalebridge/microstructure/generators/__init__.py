"""Generators of microstructures: what random (or regular) material is drawn?

Takes: a window, parameters, a seed.   Gives: Realization (image, orientations, statistics asked and reached).
May import: grid, numerics, core, microstructure.spacing.   Open first: generator.py.
A new generator is one file here and one entry in `_HOMES`; tests/test_generators.py then runs over it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from scalebridge.microstructure.generators.generator import AbstractGenerator

# Name on the command line -> (module, class). Modules are imported when asked for: `--help` stays quick.
_HOMES = {
    "sphere-packing": ("packing", "SpherePacking"),
    "ellipsoid-packing": ("packing", "EllipsoidPacking"),
    "overlapping-spheres": ("overlapping_spheres", "OverlappingSpheres"),
    "straight-fibres": ("fibres", "StraightFibres"),
    "curved-fibres": ("curved_fibres", "CurvedFibres"),
    "laminate": ("layered", "Laminate"),
    "checkerboard": ("layered", "Checkerboard"),
    "voronoi-mosaic": ("voronoi_mosaic", "VoronoiMosaic"),
    "gaussian-level-cut": ("gaussian_field", "GaussianLevelCut"),
    "voronoi-polycrystal": ("tessellation", "VoronoiPolycrystal"),
    "laguerre-polycrystal": ("tessellation", "LaguerrePolycrystal"),
    "minimal-surface-lattice": ("lattices", "MinimalSurfaceLattice"),
    "strut-lattice": ("lattices", "StrutLattice"),
    "two-point-reconstruction": ("reconstruction", "TwoPointReconstruction"),
}


@final
class _LazyClasses(Mapping[str, "type[AbstractGenerator]"]):
    def __getitem__(self, name: str) -> type[AbstractGenerator]:
        module, found = _HOMES[name]
        return getattr(importlib.import_module(f"{__name__}.{module}"), found)

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


ALL_GENERATORS: Mapping[str, type[AbstractGenerator]] = _LazyClasses()
"""Name (as on the command line) -> class."""

_PARTS = {
    "generator": ("AbstractGenerator", "Realization"),
    "records": ("generator_from_record",),
    "covariances": (
        "AbstractCovariance",
        "DampedCosine",
        "Exponential",
        "Gaussian",
        "Oscillating",
        "PowerLaw",
    ),
    "minimal_surfaces": ("AbstractMinimalSurface", "Gyroid", "IWP", "Neovius", "SchwarzD", "SchwarzP"),
    "trusses": (
        "AbstractTruss",
        "BodyCentredCubic",
        "DiamondCubic",
        "FaceCentredCubic",
        "Octet",
        "SimpleCubic",
    ),
}
_HOME_OF = {name: module for module, name in _HOMES.values()}
_HOME_OF |= {name: module for module, names in _PARTS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})

"""scalebridge: from a microstructure image to an effective law with an error bar.

    image = read_image("rock.tif", spacing="5.345 um", threshold=[90])
    result = homogenize(image, {0: Conduction.isotropic(k=0.6), 1: Conduction.isotropic(k=7.7)})
    print(result)
    write_report(result, "rock-report")

Open first: homogenize/driver.py; the floors are described in docs/conventions.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalebridge.cell.boundary import KinematicUniform, OppositeFaces, Periodic, Platens, StaticUniform
    from scalebridge.core.compilation_cache import enable_compilation_cache
    from scalebridge.core.units import quantity
    from scalebridge.grid import Field, GreyImage, PhaseImage, VoxelGrid
    from scalebridge.homogenize.driver import homogenize
    from scalebridge.homogenize.forecast import estimate
    from scalebridge.homogenize.path import PathResult, follow_path
    from scalebridge.homogenize.result import HomogenizationResult
    from scalebridge.homogenize.subvolumes import Subvolumes
    from scalebridge.material import Conduction, Elasticity, Thermoelasticity
    from scalebridge.material.plane import PlaneState
    from scalebridge.microstructure import RawLayout, describe, generate, read_grey, read_image, write_image
    from scalebridge.report import write_report, write_results

__version__ = "0.1.0"

__all__ = [
    "Conduction",
    "Elasticity",
    "Field",
    "GreyImage",
    "HomogenizationResult",
    "KinematicUniform",
    "OppositeFaces",
    "PathResult",
    "Periodic",
    "PhaseImage",
    "PlaneState",
    "Platens",
    "RawLayout",
    "StaticUniform",
    "Subvolumes",
    "Thermoelasticity",
    "VoxelGrid",
    "describe",
    "enable_compilation_cache",
    "estimate",
    "follow_path",
    "generate",
    "homogenize",
    "quantity",
    "read_grey",
    "read_image",
    "write_image",
    "write_report",
    "write_results",
]

# Names are looked up on first use, so that importing the package costs nothing and pulls in no solver.
_HOME = {
    "Conduction": "scalebridge.material",
    "Elasticity": "scalebridge.material",
    "Field": "scalebridge.grid",
    "GreyImage": "scalebridge.grid",
    "HomogenizationResult": "scalebridge.homogenize.result",
    "KinematicUniform": "scalebridge.cell.boundary",
    "OppositeFaces": "scalebridge.cell.boundary",
    "PathResult": "scalebridge.homogenize.path",
    "Periodic": "scalebridge.cell.boundary",
    "PhaseImage": "scalebridge.grid",
    "PlaneState": "scalebridge.material.plane",
    "Platens": "scalebridge.cell.boundary",
    "RawLayout": "scalebridge.microstructure",
    "StaticUniform": "scalebridge.cell.boundary",
    "Subvolumes": "scalebridge.homogenize.subvolumes",
    "Thermoelasticity": "scalebridge.material",
    "VoxelGrid": "scalebridge.grid",
    "describe": "scalebridge.microstructure",
    "enable_compilation_cache": "scalebridge.core.compilation_cache",
    "estimate": "scalebridge.homogenize.forecast",
    "follow_path": "scalebridge.homogenize.path",
    "generate": "scalebridge.microstructure.generate",
    "homogenize": "scalebridge.homogenize",
    "quantity": "scalebridge.core.units",
    "read_grey": "scalebridge.microstructure",
    "read_image": "scalebridge.microstructure",
    "write_image": "scalebridge.microstructure",
    "write_report": "scalebridge.report",
    "write_results": "scalebridge.report",
}
# Modules that are public under their own name; `homogenize` is also the function, see its __init__.py.
_FOLDERS = ("generate", "homogenize")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'scalebridge' has no attribute {name!r}")
    home = importlib.import_module(_HOME[name])
    value = home if name in _FOLDERS else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""What a run will take, before it is run: bytes, seconds, loads."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Periodic
from scalebridge.cell.coefficients import PAIRS
from scalebridge.core.memory import format_bytes
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.bracket import BESIDE_UP_TO
from scalebridge.homogenize.cells import SPILL_BYTES
from scalebridge.homogenize.subvolumes import WindowPlan
from scalebridge.material.conduction import Conduction
from scalebridge.material.law import AbstractLaw

# Measured on two cores at 64^3 to 256^3; see docs/performance.md. Bytes per voxel at the peak, seconds per voxel and
# iteration; bytes of the process itself with what it compiles.
BYTES_SCALAR, BYTES_VECTOR, BYTES_FULL = 52.0, 118.0, 120.0
BYTES_BESIDE = (
    400.0  # of the lower bound with its fluxes, computed beside the elements on images that are not large
)
SECONDS_SCALAR, SECONDS_VECTOR = 1.2e-8, 7e-8
BASE_SCALAR, BASE_VECTOR = 7.5e8, 5.5e8
START_SECONDS = 4.0
WINDOW_SECONDS, COMPILE_SECONDS = 0.05, 2.0  # of every window, and of every size of windows


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Rough figures: within a factor of two or so on two cores."""

    bytes: int
    seconds: float
    iterations: int
    loads: int

    @property
    def words(self) -> str:
        return (
            f"{self.loads} load case{'s' if self.loads > 1 else ''}, about {self.iterations} iterations each, "
            f"{format_bytes(self.bytes)} of memory, about {_duration(self.seconds)} on two cores"
        )

    def __str__(self) -> str:
        return self.words


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def estimate(
    image: PhaseImage,
    laws: Mapping[int, AbstractLaw],
    *,
    boundary: AbstractBoundary | None = None,
    windows: WindowPlan | None = None,
) -> Estimate:
    """Memory and time of `homogenize` with the same arguments and its default accuracy.

    windows: the sub-volumes of the statistical term (`plan_windows`); one after the other, they take time only.
    """
    boundary = boundary or Periodic()
    ndim = image.grid.ndim
    vector = not all(isinstance(law, Conduction) for law in laws.values())
    loads = 1 if isinstance(boundary, OppositeFaces) else (len(PAIRS[ndim]) if vector else ndim)
    voids = any(getattr(law, "is_void", False) for law in laws.values())
    anisotropic = not all(getattr(law, "is_isotropic", True) for law in laws.values())
    iterations = (30 if voids else 12) * (1 if boundary.periodic else 2)
    voxels = math.prod(n + (0 if boundary.periodic else 1) for n in image.grid.shape)
    per_voxel = (BYTES_VECTOR if vector else BYTES_SCALAR) + (BYTES_FULL if anisotropic else 0.0)
    batch = max(1, min(loads, int(2.5e8 // (60.0 * voxels * (ndim if vector else 1)))))
    seconds = voxels * loads * (iterations + 10) * (SECONDS_VECTOR if vector else SECONDS_SCALAR) * 1.3
    stored = 4.0 * voxels * loads * (ndim if vector else 1)
    total = (BASE_VECTOR if vector else BASE_SCALAR) + voxels * per_voxel * batch + min(stored, SPILL_BYTES)
    if not vector and boundary.periodic and image.grid.size <= BESIDE_UP_TO:
        total += voxels * BYTES_BESIDE
    if windows is not None:
        solved = len(PAIRS[ndim]) if vector else ndim  # whole tensors, also between faces
        there = sum(count * size**ndim for count, size in zip(windows.counts, windows.sizes, strict=True))
        seconds *= 1 + there * solved / (voxels * loads)
        seconds += WINDOW_SECONDS * sum(windows.counts) + COMPILE_SECONDS * len(windows.sizes)
    return Estimate(int(total), START_SECONDS + seconds, iterations, loads)

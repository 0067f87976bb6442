"""Fields: values on a grid that remember where on it they live."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.grid.voxel_grid import VoxelGrid


class Location(enum.StrEnum):
    """Where a value sits: one per voxel, or one per node of the (n+1)^d corner lattice."""

    VOXEL = "voxel"
    NODE = "node"


@dataclasses.dataclass(frozen=True, eq=False)
class Field:
    """Named values on a grid.

    Shapes: values (*components, *spatial), spatial = grid.shape for VOXEL, grid.shape + 1 for NODE.
    components = () scalar, (d,) vector, (m,) symmetric tensor in Mandel order (xx, yy, zz, yz, xz, xy).
    Units: `unit` in words, SI ("" when dimensionless).
    Fails when: the spatial shape does not fit the grid (InputError).
    """

    name: str
    values: np.ndarray
    grid: VoxelGrid
    location: Location = Location.VOXEL
    unit: str = ""

    def __post_init__(self) -> None:
        extra = 1 if self.location is Location.NODE else 0
        spatial = tuple(n + extra for n in self.grid.shape)
        if tuple(self.values.shape[-self.grid.ndim :]) != spatial:
            raise InputError(
                f"Field {self.name!r} has shape {self.values.shape}; its last {self.grid.ndim} axes must be {spatial} "
                f"for {self.location} values on a grid of {self.grid.shape} voxels."
            )

    @property
    def components(self) -> tuple[int, ...]:
        return tuple(self.values.shape[: self.values.ndim - self.grid.ndim])

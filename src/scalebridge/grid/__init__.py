"""Grids: where do the numbers of an array live?

Takes: arrays [x, y, z] with a voxel spacing.   Gives: VoxelGrid, PhaseImage, GreyImage, Field.
An array never travels without its grid; array axis i is physical axis i.
May import: numerics, core.   Open first: voxel_grid.py.
"""

from scalebridge.grid.field import Field, Location
from scalebridge.grid.image import GreyImage, PhaseImage
from scalebridge.grid.voxel_grid import VoxelGrid

__all__ = ["Field", "GreyImage", "Location", "PhaseImage", "VoxelGrid"]

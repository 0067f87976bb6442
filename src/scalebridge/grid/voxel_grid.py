"""The regular grid of voxels on which every image and field lives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from scalebridge.core.errors import InputError, SpacingError

AXIS_NAMES = ("x", "y", "z")


@dataclasses.dataclass(frozen=True)
class VoxelGrid:
    """A box of `shape` voxels with edge lengths `spacing`, in 2-D or 3-D.

    Units: `spacing` in metres, or None when the source of the image did not say. Unknown spacing means cubic
    voxels of unknown size: results without a length in them are then still exact, the others ask for it.
    Fails when: a shape entry is < 1 or a spacing is not a positive finite number (InputError).
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if len(self.shape) not in (2, 3) or min(self.shape) < 1:
            raise InputError(
                f"A grid needs 2 or 3 axes with at least one voxel each, got shape {self.shape}."
            )
        if self.spacing is not None:
            spacing: Sequence[float] = self.spacing
            if len(spacing) == 1:
                spacing = tuple(spacing) * len(self.shape)
            if len(spacing) != len(self.shape):
                raise SpacingError(
                    f"Got {len(spacing)} spacings for a {len(self.shape)}-D image of shape {self.shape}. "
                    "Give one number (cubic voxels) or one per axis in the order x, y, z."
                )
            spacing = tuple(float(h) for h in spacing)
            if not all(math.isfinite(h) and h > 0 for h in spacing):
                raise SpacingError(f"A voxel spacing must be positive and finite, got {spacing}.")
            object.__setattr__(self, "spacing", spacing)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def axis_names(self) -> tuple[str, ...]:
        return AXIS_NAMES[: self.ndim]

    @property
    def cell_size(self) -> tuple[float, ...]:
        """Edge lengths usable in scale-free formulas: the spacing, or ones where it is unknown."""
        return self.spacing if self.spacing is not None else (1.0,) * self.ndim

    @property
    def lengths(self) -> tuple[float, ...]:
        """Edge lengths of the whole box, in the unit of `cell_size`."""
        return tuple(n * h for n, h in zip(self.shape, self.cell_size, strict=True))

    def require_spacing(self, purpose: str) -> tuple[float, ...]:
        """The spacing in metres, or a SpacingError that says which result needs it."""
        if self.spacing is None:
            raise SpacingError(
                f"{purpose} has a length in it, and the voxel spacing of this image is unknown. "
                'Give it, e.g. spacing="5.345 um" (or --spacing 5.345um).'
            )
        return self.spacing

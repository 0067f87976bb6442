"""The phase asked for, as a mask, or an error that says which phases there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage

if TYPE_CHECKING:
    from jaxtyping import Bool


def indicator(image: PhaseImage, label: int) -> Bool[np.ndarray, "*shape"]:
    """True where the image has `label`. Shape as the image, bool.

    Fails when: the label does not occur (ImageError).
    """
    if label not in image.present:
        known = ", ".join(str(one) for one in image.present[:8])
        more = ", ..." if len(image.present) > 8 else ""
        raise ImageError(f"The image has no voxel with the label {label}. Its labels are {known}{more}.")
    return image.labels == label


def check_axis(image: PhaseImage, axis: int) -> None:
    """Fails when the image has no such axis (ImageError)."""
    if not 0 <= axis < image.grid.ndim:
        raise ImageError(f"A {image.grid.ndim}-D image has the axes 0 to {image.grid.ndim - 1}, got {axis}.")

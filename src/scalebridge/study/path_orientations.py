"""Orientations of crystals from voxel to voxel: every orientation of a label becomes a label of its own, a grain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scalebridge.core.errors import StudyError
from scalebridge.grid import PhaseImage
from scalebridge.study.plan import voxel_rotations

MOST_ORIENTATIONS = 512
_DIGITS = 9  # rotations that agree so far are those of one grain


def split_into_grains(
    image: PhaseImage, files: Mapping[int, Path]
) -> tuple[PhaseImage, dict[int, dict[int, np.ndarray]]]:
    """The image with a label per orientation, and for every label of `files` its new labels with their rotations.

    files: (3, 3, *shape) rotations, from the axes of the crystal to those of the sample, by label; what they say of
    voxels of other labels is not looked at. New labels follow the largest one; a label of one orientation stays.
    Fails when: a file cannot be read or has another shape, a label does not occur, or has more orientations than
    MOST_ORIENTATIONS (StudyError).
    """
    labels = image.labels.astype(np.int64)
    step, grains, following = [], {}, max(image.present) + 1
    for label, path in files.items():
        inside = image.labels == label
        if not inside.any():
            raise StudyError(f"Orientations are given for label {label}, which does not occur in the image.")
        rotations = np.moveaxis(voxel_rotations(path, image)[:, :, inside], -1, 0)
        _, first, which = np.unique(
            np.round(rotations.reshape(-1, 9), _DIGITS) + 0.0, axis=0, return_index=True, return_inverse=True
        )
        if len(first) > MOST_ORIENTATIONS:
            raise StudyError(
                f"Label {label} has {len(first):,} orientations in {path.name}, expected at most {MOST_ORIENTATIONS}: "
                "one for each grain. Give every voxel of a grain the mean orientation of the grain."
            )
        if len(first) == 1:
            grains[label] = {label: rotations[0]}
            continue
        labels[inside] = following + which.reshape(-1)
        grains[label] = {following + n: rotations[k] for n, k in enumerate(first)}
        step.append(
            f"{len(first)} orientations of label {label} became labels {following} to {max(grains[label])}"
        )
        following += len(first)
    if not step:
        return image, grains
    small = labels.astype(np.min_scalar_type(int(labels.max()))) if labels.min() >= 0 else labels
    return image.with_labels(small, "; ".join(step)), grains

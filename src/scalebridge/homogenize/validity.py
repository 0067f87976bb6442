"""Verdicts: the assumptions behind an effective law, each with the evidence for or against it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces
from scalebridge.cell.coefficients import PAIRS
from scalebridge.grid import PhaseImage
from scalebridge.grid.voxel_grid import AXIS_NAMES
from scalebridge.homogenize.phases import Phases
from scalebridge.homogenize.result import PhaseRecord, Verdict
from scalebridge.microstructure import label_components

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

# Opposite faces of a periodic image agree about as often as neighbouring layers do; this much less is a seam.
SEAM_FACTOR = 1.5


@dataclasses.dataclass(frozen=True, eq=False)
class Transport:
    """Through which axes the non-void phases carry at all, by shared faces of voxels.

    carries (d,): nothing connects through the cell along the axes where False. floating: fraction of the non-void
    voxels that hang on nothing that carries. touches_boundary: whether anything non-void lies at a face of the image.
    """

    carries: np.ndarray
    floating: float
    touches_boundary: bool = True


def phase_records(phases: Phases) -> tuple[PhaseRecord, ...]:
    """Fraction and percolation (face connection between opposite faces) of every phase."""
    image = phases.image
    records = []
    for label, law in zip(image.present, phases.laws, strict=True):
        if len(image.present) == 1:
            percolates: tuple[bool, ...] = (True,) * image.grid.ndim
        elif len(image.present) > 64:
            percolates = (False,) * image.grid.ndim
        else:
            spans = np.atleast_2d(label_components(image.labels == label).spans)
            percolates = tuple(bool(spans[:, axis].any()) for axis in range(image.grid.ndim))
        records.append(PhaseRecord(label, law.name, image.fractions[label], percolates))
    return tuple(records)


def transport(phases: Phases, boundary: AbstractBoundary) -> Transport:
    """Whether anything non-void connects through the cell; trivial when no phase is void."""
    ndim = phases.image.grid.ndim
    if not phases.void.any():
        return Transport(np.ones(ndim, bool), 0.0)
    solid = ~phases.void[phases.image.index]
    pieces = label_components(solid, periodic=boundary.periodic)
    through = pieces.winds if boundary.periodic else pieces.spans
    if pieces.count == 0:
        return Transport(np.zeros(ndim, bool), 0.0, False)
    carrying = through.any(axis=1)
    floating = float(pieces.sizes[~carrying].sum()) / max(float(pieces.sizes.sum()), 1.0)
    touches = any(np.take(solid, end, axis).any() for axis in range(ndim) for end in (0, -1))
    return Transport(np.asarray(through.any(axis=0)), floating, bool(touches))


def lost_loads(phases: Phases, boundary: AbstractBoundary, found: Transport) -> Bool[np.ndarray, " m"]:
    """Which unit loads (m,) find nothing that could carry them."""
    ndim = phases.image.grid.ndim
    if boundary.periodic:
        carries = found.carries
    else:  # Values prescribed on the whole boundary load whatever touches it.
        carries = np.full(ndim, found.touches_boundary)
    if not phases.vector:
        return ~carries
    return np.array([not (carries[i] and carries[j]) for i, j in PAIRS[ndim]])


def without_lost_loads(
    phases: Phases, boundary: AbstractBoundary, found: Transport, value: Float[np.ndarray, "m m"]
) -> Float[np.ndarray, "m m"]:
    """Exact zeros where nothing connects: contacts through voxel edges and corners carry nothing in reality."""
    lost = lost_loads(phases, boundary, found)
    if not lost.any():
        return value
    value = value.copy()
    value[lost, :] = 0.0
    value[:, lost] = 0.0
    return value


def seam_verdict(image: PhaseImage, boundary: AbstractBoundary) -> Verdict | None:
    """Is the image periodic? Compares opposite faces with neighbouring layers inside."""
    if not boundary.periodic:
        return None
    bad = []
    for axis, n in enumerate(image.grid.shape):
        if n < 3:
            continue
        index = np.moveaxis(image.index, axis, 0)
        seam = float(np.mean(index[0] != index[-1]))
        inside = float(
            np.mean([np.mean(index[i] != index[i + 1]) for i in np.linspace(0, n - 2, 9).astype(int)])
        )
        spread = 3 * np.sqrt(max(inside, 1e-12) / index[0].size)
        if seam > SEAM_FACTOR * inside + spread:
            bad.append(
                f"{AXIS_NAMES[axis]} ({seam:.1%} of the voxels differ across the seam, {inside:.1%} inside)"
            )
    if not bad:
        return Verdict("periodicity", True, "The image continues across its faces: periodic conditions fit.")
    return Verdict(
        "periodicity",
        False,
        "The image is not periodic along "
        + ", ".join(bad)
        + ": the artificial seam adds an error that falls with the "
        "image size. Mirror the image, or compare boundary conditions, to see how much.",
    )


def percolation_verdict(phases: Phases, found: Transport, boundary: AbstractBoundary) -> Verdict | None:
    """Does what is not void carry along every axis?"""
    if not phases.void.any():
        return None
    names = [AXIS_NAMES[a] for a in range(phases.image.grid.ndim)]
    if isinstance(boundary, OppositeFaces):
        lost = [] if found.carries[boundary.axis] else [names[boundary.axis]]
    else:
        lost = [name for name, ok in zip(names, found.carries, strict=True) if not ok]
    noun = "stiffness" if phases.vector else "conductivity"
    floating = (
        f" {found.floating:.2%} of it floats in void and carries nothing." if found.floating > 0 else ""
    )
    if not lost:
        return Verdict("percolation", True, f"The non-void material connects through the cell.{floating}")
    no_tortuosity = "" if phases.vector else " and no tortuosity exists"
    if boundary.periodic or isinstance(boundary, OppositeFaces) or not found.touches_boundary:
        meaning = f"the {noun} there is exactly zero{no_tortuosity}."
    elif boundary.prescribes_flux:
        meaning = f"no uniform flux can pass, the {noun} there is exactly zero{no_tortuosity}."
    else:
        meaning = (
            f"the {noun} found there is carried by the prescribed values on the boundary alone{no_tortuosity}. "
            "Compare with periodic conditions."
        )
    return Verdict(
        "percolation",
        False,
        f"The non-void material does not connect through the cell along {', '.join(lost)} (voxels connect through "
        f"faces): {meaning}{floating}",
    )


def resolution_verdict(image: PhaseImage, surface_voxels: float) -> Verdict:
    """Are the features resolved? `surface_voxels`: share of voxel faces inside the image that are interfaces."""
    if surface_voxels <= 0:
        return Verdict("resolution", True, "The image is homogeneous.")
    size = 1.0 / surface_voxels
    good = size >= 6
    return Verdict(
        "resolution",
        bool(good),
        f"Along a line the phase changes every {size:.1f} voxels on average"
        + ("." if good else ": features are only a few voxels wide, expect a large discretization error."),
    )


def interface_share(image: PhaseImage) -> float:
    """Share of neighbouring voxel pairs that belong to different phases."""
    unequal = pairs = 0
    index = image.index
    for axis in range(index.ndim):
        n = index.shape[axis]
        if n < 2:
            continue
        low = _slice(index, axis, slice(0, n - 1))
        high = _slice(index, axis, slice(1, n))
        unequal += int(np.count_nonzero(low != high))
        pairs += low.size
    return unequal / pairs if pairs else 0.0


def _slice(a: np.ndarray, axis: int, part: slice) -> np.ndarray:
    where: list[slice] = [slice(None)] * a.ndim
    where[axis] = part
    return a[tuple(where)]

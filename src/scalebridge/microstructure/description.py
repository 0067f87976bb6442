"""An image in words: what was read, how large it is, which phases it has and how they hang together."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from scalebridge.core.errors import OutputError
from scalebridge.core.files import check_file, replacing
from scalebridge.core.memory import format_bytes
from scalebridge.core.units import format_quantity
from scalebridge.grid import GreyImage, PhaseImage
from scalebridge.microstructure.connectivity import label_components
from scalebridge.microstructure.measure import specific_surface

_MAX_DESCRIBED = 64
_LIKE_GREY = 32  # so many labels are rather grey values that somebody forgot to segment
_PICTURE_BYTES = 1_000_000
_PICTURES = (".png", ".pdf", ".svg")


@dataclasses.dataclass(frozen=True)
class PhaseDescription:
    """One phase; per axis: a face-connected path from face to face, and the share of voxels on such paths.

    specific_surface: 1/m when the spacing is known, else per voxel length.
    """

    label: int
    count: int
    fraction: float
    components: int
    percolates: tuple[bool, ...]
    through_connected: tuple[float, ...]
    specific_surface: float


@dataclasses.dataclass(frozen=True)
class Description:
    """What `describe` found out; print it, or take `as_dict()`."""

    history: tuple[str, ...]
    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None
    dtype: str
    nbytes: int
    label_count: int
    phases: tuple[PhaseDescription, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and text, ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return self.words()

    def words(self, most: int = _MAX_DESCRIBED) -> str:
        """What is known, in lines; of the phases at `most` so many, the most frequent ones."""
        axes = "xyz"[: len(self.shape)]
        lines = [f"Image [{', '.join(axes)}] of {' x '.join(map(str, self.shape))} voxels"]
        # What the history says of the spacing is said below.
        lines += [f"  {step}" for step in self.history if step != "voxel spacing unknown"]
        if self.spacing is None:
            lines.append("  voxel spacing: unknown (results with a length in them need it)")
        else:
            size = " x ".join(
                format_quantity(n * h, "m") for n, h in zip(self.shape, self.spacing, strict=True)
            )
            sides = self.spacing[:1] if len(set(self.spacing)) == 1 else self.spacing
            spacing = " x ".join(format_quantity(h, "m") for h in sides)
            lines.append(f"  voxel spacing: {spacing}, the whole {size}")
        lines.append(f"  in memory: {format_bytes(self.nbytes)} ({self.dtype})")
        lines.append(f"  {self.label_count} phase{'s' if self.label_count > 1 else ''}:")
        frequent = sorted(self.phases, key=lambda phase: -phase.count)[:most]
        shown = [phase for phase in self.phases if phase in frequent]
        lines += [f"    {_phase_words(phase, axes, self.spacing is not None)}" for phase in shown]
        if len(shown) < self.label_count:
            lines.append(f"    ... and {self.label_count - len(shown)} more")
        if self.label_count > _LIKE_GREY:
            lines.append(
                "  So many labels are usually grey values: then segment them on reading, with thresholds "
                "(--threshold T) or by Otsu's method (--otsu 2)."
            )
        return "\n".join(lines)


def _phase_words(phase: PhaseDescription, axes: str, in_metres: bool) -> str:
    shares = {
        axis: f"{100 * share:.4g} %"
        for axis, share in zip(axes, phase.through_connected, strict=True)
        if share
    }
    alike = len(set(shares.values())) == 1
    paths = list(shares) if alike else [f"{axis} ({share} of it)" for axis, share in shares.items()]
    spans = f"percolates along {', '.join(paths) or 'no axis'}"
    if alike:
        spans += f" ({next(iter(shares.values()))} of it)"
    voxels = f"{phase.count} voxel{'s' if phase.count != 1 else ''}"
    pieces = f"{phase.components} connected piece{'s' if phase.components != 1 else ''}"
    surface = format_quantity(phase.specific_surface, "1/m" if in_metres else "per voxel edge")
    return (
        f"label {phase.label}: {voxels}, fraction {phase.fraction:.6f}; {pieces}; {spans}; "
        f"specific surface {surface}"
    )


def describe(image: PhaseImage) -> Description:
    """Sizes, labels, connectivity (voxels sharing a face) and percolation per axis of an image.

    Of more than 64 phases the most frequent are examined, the others are counted only.
    """
    counts = image.counts
    chosen = sorted(sorted(counts, key=lambda label: -counts[label])[:_MAX_DESCRIBED])
    surfaces = specific_surface(image)
    phases = []
    for label in chosen:
        components = label_components(image.labels == label)
        share = tuple(
            float(components.sizes[components.spans[:, k]].sum() / counts[label])
            for k in range(image.grid.ndim)
        )
        phases.append(
            PhaseDescription(
                label=label,
                count=counts[label],
                fraction=image.fractions[label],
                components=components.count,
                percolates=tuple(s > 0 for s in share),
                through_connected=share,
                specific_surface=surfaces[label],
            )
        )
    return Description(
        history=image.history,
        shape=image.grid.shape,
        spacing=image.grid.spacing,
        dtype=image.labels.dtype.name,
        nbytes=image.labels.nbytes,
        label_count=len(counts),
        phases=tuple(phases),
    )


def check_picture(path: str | Path, *, force: bool = False) -> None:
    """Makes sure, before the work, that `slices_picture` can write to `path`.

    Fails when: the ending is not that of a picture, the name is taken and `force` is not set, or the file cannot be
    written (OutputError).
    """
    suffix = Path(path).suffix.lower()
    if suffix not in ("", *_PICTURES):
        raise OutputError(f"Cannot draw {path}: the ending {suffix!r} is none of {', '.join(_PICTURES)}.")
    check_file(path, force=force, needed_bytes=_PICTURE_BYTES)


def slices_picture(image: PhaseImage | GreyImage, path: str | Path) -> None:
    """Draws the three orthogonal middle slices with their axes (and the labels' legend) into a PNG, PDF or
    SVG.

    Fails when: matplotlib is missing, the ending is another, or the file cannot be written (OutputError).
    """
    check_picture(path, force=True)
    from scalebridge.microstructure.picture import slices_figure

    figure = slices_figure(image)
    with replacing(path) as stream:
        figure.savefig(stream, format=Path(path).suffix.lower().lstrip(".") or "png", dpi=150)

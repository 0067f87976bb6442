"""From an image and laws to the numbers a cell needs: one matrix per phase, or one per voxel for oriented grains."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.coefficients import CoefficientForm, Symmetry, pack
from scalebridge.cell.modes import Element
from scalebridge.cell.problem import CellProblem
from scalebridge.core.errors import InputError, LawError, PhaseError
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.bounds import LinearLaw, cell_tensor, tensor_bounds
from scalebridge.homogenize.result import TensorBounds
from scalebridge.material.conduction import Conduction
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.law import AbstractLaw
from scalebridge.material.plane import PlaneState, plane_expansion
from scalebridge.material.thermoelasticity import Thermoelasticity
from scalebridge.numerics.mandel import rotate2, rotate_mandel4

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

LAW_KINDS = (Conduction, Elasticity, Thermoelasticity)


@dataclasses.dataclass(frozen=True, eq=False)
class Phases:
    """An image with its laws in the order of `image.present`.

    matrices (P, m, m): conductivities or Mandel stiffnesses as the cell sees them (2-D: in the plane).
    orientations: rotations (d, d, *shape) per label, for phases whose axes turn from voxel to voxel.
    """

    image: PhaseImage
    laws: tuple[LinearLaw, ...]
    matrices: np.ndarray
    plane: PlaneState | None
    orientations: Mapping[int, np.ndarray]

    @property
    def vector(self) -> bool:
        return not isinstance(self.laws[0], Conduction)

    @property
    def by_label(self) -> dict[int, LinearLaw]:
        return dict(zip(self.image.present, self.laws, strict=True))

    @property
    def void(self) -> Bool[np.ndarray, " P"]:
        """(P,) which phases carry nothing at all."""
        return np.array([law.is_void for law in self.laws])

    @property
    def expansions(self) -> Float[np.ndarray, "P m"] | None:
        """(P, m) free thermal strains as the cell sees them, or None for other physics."""
        if not isinstance(self.laws[0], Thermoelasticity):
            return None
        rows = []
        for law in self.laws:
            assert isinstance(law, Thermoelasticity)
            if self.image.grid.ndim == 3 or len(law.expansion) == 3:
                rows.append(law.expansion)
            else:
                rows.append(plane_expansion(law.tensor, law.expansion, self.plane or PlaneState.STRAIN))
        return np.stack(rows)

    def problem(self, boundary: AbstractBoundary, element: Element = Element.FULL) -> CellProblem:
        """The cell problem of these phases under `boundary`."""
        return CellProblem(
            self.image.grid, self.image.index, self.matrices, self.vector, boundary, element, self._packed()
        )

    def bounds(self) -> TensorBounds:
        """Analytical bounds of the effective tensor of these phases."""
        image = self.image
        turned = {label: r[..., image.labels == label] for label, r in self.orientations.items()}
        return tensor_bounds(
            self.by_label,
            image.fractions,
            ndim=image.grid.ndim,
            plane=self.plane,
            orientations=turned or None,
        )

    def on(self, image: PhaseImage, orientations: Mapping[int, np.ndarray] | None = None) -> Phases:
        """The same laws on another (coarser) image; labels that got lost there are left out."""
        laws = self.by_label
        present = [laws[label] for label in image.present]
        matrices = np.stack([self.matrices[self.image.present.index(label)] for label in image.present])
        return Phases(image, tuple(present), matrices, self.plane, orientations or {})

    def coarsened(self, coarse: PhaseImage, factor: int) -> Phases:
        """The same laws on the image coarsened by `factor`; a coarse voxel is oriented as its first fine one."""
        where = tuple(slice(0, n * factor, factor) for n in coarse.grid.shape)
        sampled = {
            label: np.ascontiguousarray(r[(slice(None), slice(None), *where)])
            for label, r in self.orientations.items()
            if label in coarse.present
        }
        return self.on(coarse, sampled)

    def _packed(self) -> np.ndarray | None:
        turned = {label: r for label, r in self.orientations.items() if label in self.image.present}
        if not turned:
            return None
        ndim = self.image.grid.ndim
        form = CoefficientForm(ndim, self.vector, Symmetry.FULL)
        packed = pack(form, self.matrices)[:, self.image.index].astype(np.float32)
        for label, rotations in turned.items():
            where = self.image.labels == label
            local = np.moveaxis(rotations[..., where], -1, 0)
            matrix = self.matrices[self.image.present.index(label)]
            rotated = (rotate_mandel4 if self.vector else rotate2)(matrix, local)
            packed[:, where] = pack(form, rotated)
        return packed


def collect_phases(
    image: PhaseImage,
    laws: Mapping[int, AbstractLaw],
    plane: PlaneState | None,
    orientations: Mapping[int, np.ndarray] | None,
) -> Phases:
    """Checks that image and laws fit together. Fails when they do not (PhaseError, LawError)."""
    present = image.present
    for label in present:
        if label not in laws:
            raise PhaseError(
                f"No law for label {label}, which fills {image.fractions[label]:.2%} of the image. "
                f"Labels present: {_listed(present)}; laws given for: {_listed(sorted(laws))}."
            )
    for label in laws:
        if label not in present:
            raise PhaseError(
                f"A law is given for label {label}, which does not occur in the image. Labels present: "
                f"{_listed(present)}. Remove it, or check the segmentation."
            )
    ordered: list[LinearLaw] = []
    for label in present:
        law = laws[label]
        if not isinstance(law, LAW_KINDS):
            raise LawError(
                f"The law of label {label} is a {type(law).__name__}; linear homogenization takes "
                "Conduction, Elasticity or Thermoelasticity."
            )
        if type(law) is not type(ordered[0] if ordered else law):
            raise LawError(
                f"All phases need the same kind of law, got {type(ordered[0]).__name__} for label {present[0]} and "
                f"{type(law).__name__} for label {label}."
            )
        ordered.append(law)
    if all(law.is_void for law in ordered):
        raise LawError("Every phase is void (zero everywhere): give at least one phase a positive property.")
    ndim = image.grid.ndim
    if plane is not None and (ndim == 3 or isinstance(ordered[0], Conduction)):
        raise InputError(
            "A plane state (strain or stress) belongs to elasticity of a 2-D image; leave it out here."
        )
    if not isinstance(ordered[0], Conduction) and ndim == 2 and plane is None:
        plane = PlaneState.STRAIN
    matrices = np.stack([cell_tensor(law, ndim, plane) for law in ordered])
    _check_magnitudes(matrices, present)
    turned = dict(orientations or {})
    for label, rotations in turned.items():
        if label not in present:
            raise PhaseError(f"Orientations are given for label {label}, which does not occur in the image.")
        if rotations.shape != (ndim, ndim, *image.grid.shape):
            raise InputError(
                f"Orientations of label {label} must have shape {(ndim, ndim, *image.grid.shape)} (one rotation matrix "
                f"per voxel, first two axes), got {rotations.shape}."
            )
    return Phases(image, tuple(ordered), matrices, plane, turned)


def _check_magnitudes(matrices: np.ndarray, present: Sequence[int]) -> None:
    """Squares and ratios of the properties must stay within double precision."""
    for label, matrix in zip(present, matrices, strict=True):
        size = float(np.abs(matrix).max())
        if size and not 1e-100 < size < 1e100:
            raise LawError(
                f"The properties of label {label} are of the order {size:.0e}; only magnitudes from 1e-100 to "
                "1e100 can be computed. Use other units, or zero for a void."
            )


def _listed(labels: Sequence[int], most: int = 12) -> str:
    shown = ", ".join(str(v) for v in labels[:most])
    return shown + (f", ... ({len(labels)} in all)" if len(labels) > most else "")

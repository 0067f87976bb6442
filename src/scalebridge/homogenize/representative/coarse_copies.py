r"""Coarse copies of two-phase samples that remember how much of each phase every coarse voxel holds.

A copy by majority loses thin parts and changes the fractions, at random: its property scatters in ways that have
nothing to do with the sample, and as a control variate it explains little. Here a block with the fraction f of phase b
gets the mean over the axes of a laminate across one of them, ((d - 1) V + R) / d with the Voigt and Reuss means V and R
of the block: what a flat piece of interface with a random normal conducts. It need not be right, only alike: a
multilevel estimate takes away what the coarse level explains, and the finest level is the sample itself.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, final

import numpy as np

from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.representative.apparent import Material
from scalebridge.homogenize.representative.samples import AbstractMaker
from scalebridge.material.conduction import Conduction
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.law import AbstractLaw

GRADES = 16  # steps of the fraction of a coarse voxel


def can_be_graded(material: Material) -> bool:
    """Two isotropic phases of the same kind, no grains."""
    laws = list(material.laws.values())
    return (
        material.grain is None
        and len(laws) == 2
        and (all(isinstance(w, Conduction) for w in laws) or all(isinstance(w, Elasticity) for w in laws))
        and all(w.isotropic_parameters is not None for w in laws)  # type: ignore[attr-defined]
        # The moduli of a plane law are no moduli in space.
        and not any(isinstance(w, Elasticity) and w.stiffness.ndim == 2 for w in laws)
    )


@functools.lru_cache(maxsize=8)
def graded_material(material: Material, ndim: int) -> Material:
    """Laws of the labels 0 ... GRADES, the share of the higher label in steps of 1 / GRADES."""
    low, high = (material.laws[label] for label in sorted(material.laws))
    laws = {g: _mixed(low, high, g / GRADES, ndim) for g in range(GRADES + 1)}
    return Material(laws, None, material.plane)


def _mixed(low: AbstractLaw, high: AbstractLaw, share: float, ndim: int) -> AbstractLaw:
    if share in (0.0, 1.0):
        return high if share else low
    a, b = low.isotropic_parameters, high.isotropic_parameters  # type: ignore[attr-defined]

    def mean(name: str) -> float:
        x, y = float(a[name]), float(b[name])
        voigt = (1 - share) * x + share * y
        reuss = x * y / (share * x + (1 - share) * y) if min(x, y) > 0 else 0.0
        return ((ndim - 1) * voigt + reuss) / ndim

    if isinstance(low, Conduction):
        return Conduction.isotropic(k=mean("k"), transport=low.transport)
    return Elasticity.isotropic(K=mean("K"), G=mean("G"))


@final
@dataclasses.dataclass(frozen=True, eq=False)
class CoarseMaker(AbstractMaker):
    """The sample of `maker` with blocks of factor^d voxels merged into one of GRADES + 1 labels; factor 1: itself.

    high: the label whose share is graded. Several of these with the same `maker`, one after the other, draw it once.
    """

    maker: AbstractMaker
    factor: int
    high: int

    @property
    def size(self) -> int:  # type: ignore[override]
        return self.maker.size // self.factor

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.maker.name if self.factor == 1 else f"{self.maker.name}, coarsened by {self.factor}"

    def make(self) -> tuple[PhaseImage, Mapping[int, np.ndarray]]:
        image, rotations = _made(self.maker)
        if self.factor == 1:
            return image, rotations
        return graded(image, self.high, self.factor), {}

    def identity(self) -> dict[str, Any]:
        if self.factor == 1:
            return self.maker.identity()
        return {"coarse": self.maker.identity(), "factor": self.factor, "high": self.high, "grades": GRADES}

    def shares(self, fractions: Mapping[str, float]) -> dict[str, float]:
        """Fractions of the labels of the sample itself from those of its cell."""
        if self.factor == 1:
            return dict(fractions)
        return {str(self.high): sum(int(grade) * share for grade, share in fractions.items()) / GRADES}


@functools.lru_cache(maxsize=1)
def _made(maker: AbstractMaker) -> tuple[PhaseImage, Mapping[int, np.ndarray]]:
    return maker.make()


def graded(image: PhaseImage, high: int, factor: int) -> PhaseImage:
    """Label g where the block holds about g / GRADES of the label `high`.

    What rounding leaves over is carried on to the next block, so that the fraction of the whole image stays.
    """
    split = [n for length in image.grid.shape for n in (length // factor, factor)]
    axes = tuple(range(1, 2 * image.grid.ndim, 2))
    share = (image.labels == high).reshape(split).mean(axis=axes)
    total = np.rint(np.cumsum(share.reshape(-1) * GRADES))
    labels = np.diff(total, prepend=0.0).astype(np.uint8).reshape(share.shape)
    spacing = None if image.grid.spacing is None else tuple(h * factor for h in image.grid.spacing)
    words = f"coarsened by {factor} (share of label {high} in steps of 1/{GRADES})"
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing), (*image.history, words))

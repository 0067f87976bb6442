"""Results of representativity studies with prescribed numbers, without a single solve: for pictures and words."""

from __future__ import annotations

from unittest import mock

import numpy as np

from scalebridge import Conduction, Elasticity, PlaneState, Thermoelasticity, quantity
from scalebridge.cell.boundary import KinematicUniform, Periodic, StaticUniform
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.representative import (
    GeneratorEnsemble,
    ImageWindows,
    RepresentativityProblem,
    SamplingMethod,
    representativity,
    study,
)
from scalebridge.homogenize.representative.apparent import ApparentCell, Material
from scalebridge.microstructure.generators import VoronoiPolycrystal
from tiled_materials import Tiles

CONDITIONS = (Periodic(), KinematicUniform(), StaticUniform())
SHIFT = {"periodic": 0.3, "kubc": 2.0, "subc": -1.5}  # relative bias times voxels per edge
THERMAL = Material(
    {0: Conduction.isotropic(k=quantity("1 W/(m K)")), 1: Conduction.isotropic(k=quantity("10 W/(m K)"))}
)
SOLID = Material(
    {
        0: Elasticity.isotropic(E=quantity("3 GPa"), nu=0.35),
        1: Elasticity.isotropic(E=quantity("70 GPa"), nu=0.22),
    }
)
POLYCRYSTAL = Material({}, grain=Elasticity.cubic(*map(quantity, ("168 GPa", "121 GPa", "75 GPa"))))


def prescribed(problem, method=None, *, scatter=4.0, limit=3.0, alpha=1.0):
    """The study of `problem` whose tensors are limit (1 + shift / n + scatter n^(-alpha d / 2) xi) times the unit one.

    Stiffnesses: with the factor 1 for the bulk, 0.4 for the shear part and 1e9 for the unit; expansions with 1e-6.
    """

    def cells(tasks, workers=None, store=None, progress=None):
        rng = np.random.default_rng(7)
        found = []
        for task in tasks:
            size, d = task.maker.size, problem.source.ndim
            xi = rng.standard_normal()
            row = []
            for condition in task.conditions:
                shift = SHIFT[condition.name] / size
                value = limit * (1 + shift + scatter * size ** (-alpha * d / 2) * xi)
                if task.material.vector:
                    one = np.zeros(d * (d + 1) // 2)
                    one[:d] = 1.0
                    sphere = np.outer(one, one) / d
                    tensor = 1e9 * value * (d * sphere + 0.8 * (np.eye(len(one)) - sphere))
                else:
                    tensor = value * np.eye(d)
                share = {"0": 0.5 + 0.1 * xi / size, "1": 0.5 - 0.1 * xi / size}
                row.append(
                    ApparentCell(
                        task.maker.name,
                        size,
                        condition.name,
                        1,
                        tensor,
                        share,
                        20,
                        1e-7,
                        1e-4,
                        1e-6 * size**d,
                        0.0,
                        Status.CONVERGED,
                        1e-6 * value * one if task.material.expands else None,
                    )
                )
            found.append(row)
        return found

    with mock.patch.object(study, "run_cells", cells):
        return representativity(problem, method or SamplingMethod(8))


def tiled_image(shape, spacing=None, seed=0):
    labels = Tiles(shape, 4).realize(seed).image.labels
    return PhaseImage(labels, VoxelGrid(shape, spacing), ("made for a test",))


def conduction_3d():
    """Windows of an image with spacing, three sizes, three conditions."""
    image = tiled_image((64, 64, 64), (2e-6,) * 3)
    return prescribed(
        RepresentativityProblem(ImageWindows(image), THERMAL, (8, 16, 32), CONDITIONS), scatter=20
    )


def elasticity_3d():
    """Realizations, two scalars, without spacing."""
    source = GeneratorEnsemble(Tiles((8, 8, 8), 4))
    return prescribed(RepresentativityProblem(source, SOLID, (8, 12, 16, 24), CONDITIONS), SamplingMethod(12))


def conduction_2d():
    """Periodic alone, no units, many samples: representative."""
    source = GeneratorEnsemble(Tiles((8, 8), 4, periodic=True))
    laws = Material({0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=10.0)})
    problem = RepresentativityProblem(source, laws, (16, 32, 64, 128))
    return prescribed(problem, SamplingMethod(20), scatter=1.0)


def one_sample():
    """One size, one sample, one condition."""
    problem = RepresentativityProblem(ImageWindows(tiled_image((12, 12))), THERMAL, (12,))
    return prescribed(problem, SamplingMethod(None))


def long_range():
    """The scatter falls too slowly for an integral range."""
    source = GeneratorEnsemble(Tiles((8, 8), 4))
    problem = RepresentativityProblem(source, THERMAL, (32, 64, 128, 256), CONDITIONS[:1])
    return prescribed(problem, SamplingMethod(40), scatter=0.4, alpha=0.4)


def polycrystal():
    """Grains with orientations instead of phases; plane-filling labels that mean nothing across samples."""
    source = GeneratorEnsemble(VoronoiPolycrystal((8, 8, 8), 64.0), seed=2)
    problem = RepresentativityProblem(source, POLYCRYSTAL, (8, 12), CONDITIONS[1:])
    return prescribed(problem, SamplingMethod(3))


def thermoelasticity_2d():
    """Plane strain, two moduli and the expansion, sizes far from the precision."""
    given = (("3 GPa", "5e-5 1/K"), ("70 GPa", "1e-5 1/K"))
    laws = {
        label: Thermoelasticity.isotropic(E=quantity(E), nu=0.3, alpha=quantity(alpha))
        for label, (E, alpha) in enumerate(given)
    }
    source = GeneratorEnsemble(Tiles((8, 8), 4))
    return prescribed(
        RepresentativityProblem(source, Material(laws, plane=PlaneState.STRAIN), (8, 16), CONDITIONS)
    )


def void():
    """Nothing conducts: a mean of zero."""
    laws = Material({0: Conduction.isotropic(k=0.0), 1: Conduction.isotropic(k=0.0)})
    problem = RepresentativityProblem(ImageWindows(tiled_image((16, 16))), laws, (4, 8), CONDITIONS)
    return prescribed(problem, SamplingMethod(4), limit=0.0)


STUDIES = {
    "conduction 3-D": conduction_3d,
    "elasticity 3-D": elasticity_3d,
    "conduction 2-D": conduction_2d,
    "one sample": one_sample,
    "long range": long_range,
    "polycrystal": polycrystal,
    "thermoelasticity 2-D": thermoelasticity_2d,
    "void": void,
}

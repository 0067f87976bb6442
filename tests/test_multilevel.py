"""Multilevel estimates: their degrees of freedom, their allocation, and that draws do not depend on their number."""

import dataclasses
import math
from typing import final

import numpy as np
import pytest
import scipy.stats

from scalebridge import Conduction, Elasticity
from scalebridge.cell.boundary import KinematicUniform
from scalebridge.core.errors import InputError
from scalebridge.core.status import Status
from scalebridge.homogenize.representative import GeneratorEnsemble
from scalebridge.homogenize.representative import multilevel as module
from scalebridge.homogenize.representative.apparent import ApparentCell, CellTask, Material, solve_task
from scalebridge.homogenize.representative.coarse_copies import (
    GRADES,
    CoarseMaker,
    can_be_graded,
    graded,
    graded_material,
)
from scalebridge.homogenize.representative.multilevel import (
    AbstractLadder,
    LevelRecord,
    MultilevelEstimate,
    multilevel,
)
from scalebridge.homogenize.representative.samples import AbstractMaker
from scalebridge.microstructure import coarsen
from tiled_materials import LAWS, Tiles, image_of


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Drawn(AbstractMaker):
    """An image that is there already."""

    image: object
    name: str = "an image"

    @property
    def size(self):
        return max(self.image.grid.shape)

    def make(self):
        return self.image, {}

    def identity(self):
        return {"labels": self.image.labels}


def _estimate(levels, mean=1.0):
    error = math.sqrt(sum(r.variance / r.count for r in levels))
    return MultilevelEstimate("k", mean, error, tuple(levels), 1.0, 100.0, 1.0)


def _level(count, variance, seconds=0.1):
    return LevelRecord(0, count, variance, seconds, 0.0, 0.0, 0.0, count - 1)


def test_one_level_has_students_interval():
    found = _estimate([_level(9, 4.0)], mean=3.0)
    assert found.freedom == pytest.approx(8)
    assert found.interval(0.9) == pytest.approx(scipy.stats.t.interval(0.9, 8, 3.0, 2 / 3))
    with pytest.raises(InputError, match="between 0 and 1"):
        found.interval(95)


def test_degrees_of_freedom_lie_between_those_of_the_worst_level_and_of_all():
    assert _estimate([_level(12, 1.0), _level(12, 1.0)]).freedom == pytest.approx(22)
    mixed = _estimate([_level(1000, 1.0), _level(12, 1.0)]).freedom
    assert 11 < mixed < 12
    assert _estimate([_level(12, 0.0)]).freedom == math.inf


def test_intervals_of_unequal_levels_cover_as_often_as_they_say():
    rng = np.random.default_rng(4)
    counts, scales, inside, n = (200, 12, 12), (1.0, 0.3, 0.2), 0, 3000
    for _ in range(n):
        parts = [rng.normal(0.0, s, c) for s, c in zip(scales, counts, strict=True)]
        levels = [_level(len(p), float(p.var(ddof=1))) for p in parts]
        low, high = _estimate(levels, sum(float(p.mean()) for p in parts)).interval()
        inside += low <= 0.0 <= high
    assert 0.935 < inside / n < 0.965


def test_a_hiccup_of_the_clock_does_not_decide_the_gain():
    calm = _estimate([_level(10, 1.0), _level(10, 0.1)])
    assert calm.gain == pytest.approx(100.0 / 2.0)


def test_a_realization_does_not_depend_on_how_many_are_drawn():
    source = GeneratorEnsemble(Tiles((8, 8)), seed=4)
    many = source.makers(8, 7)
    assert [source.maker(8, n).seed for n in range(7)] == [m.seed for m in many]
    assert source.makers(8, 3)[2].seed == many[2].seed
    assert source.maker(16, 0).generator.shape == (16, 16)


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Number(AbstractMaker):
    """A sample whose conductivity on its level is known without solving anything."""

    value: float
    share: float
    seconds: float
    name: str = "a number"
    size: int = 8

    def make(self):
        raise AssertionError("nothing is to be solved here")

    def identity(self):
        return {}


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Numbers(AbstractLadder):
    """Three levels that share most of their scatter; the mean of the finest is 2.3."""

    seed: int
    levels = 3

    def tasks(self, level, index, material, condition, energy):
        a, b, c, f = np.random.default_rng([self.seed, level, index]).normal(size=4)
        values = (2.0 + 0.3 * a, 2.2 + 0.4 * a + 0.03 * b, 2.3 + 0.3 * a + 0.03 * b + 0.01 * c)
        return [
            (
                weight,
                CellTask(
                    Number(values[n], 0.5 + 0.1 * (a + 0.5 * f), 8.0**n), material, (condition,), energy
                ),
            )
            for weight, n in ((1.0, level), (-1.0, level - 1))
            if n >= 0
        ]


def _known(tasks, workers=None, store=None, progress=None):
    return [
        [
            ApparentCell(
                "number", 8, "periodic", 1, t.maker.value * np.eye(3), {"1": t.maker.share}, 1, 0.0, 0.0,
                t.maker.seconds, 0.0, Status.CONVERGED,
            )
        ]
        for t in tasks
    ]  # fmt: skip


@pytest.mark.parametrize(("fractions", "error"), [(None, 0.012), ({1: 0.5}, 0.006)])
def test_repeated_estimates_scatter_as_they_claim_and_hold_the_mean(monkeypatch, fractions, error):
    monkeypatch.setattr(module, "run_cells", _known)
    found = [
        multilevel(Numbers(seed), LAWS, error, fractions=fractions)["mean conductivity"]
        for seed in range(150)
    ]
    means, errors = np.array([f.mean for f in found]), np.array([f.error for f in found])
    assert abs(means.mean() - 2.3) < 4 * means.std() / np.sqrt(len(means))
    assert 0.85 < means.std(ddof=1) / np.sqrt(np.mean(errors**2)) < 1.2
    inside = [low <= 2.3 <= high for low, high in (f.interval() for f in found)]
    assert 0.90 <= np.mean(inside) <= 0.98
    assert all(f.error <= error * f.mean for f in found)
    one = found[0]
    assert one.mean == pytest.approx(sum(r.mean for r in one.levels), rel=1e-12)
    assert one.levels[1].coefficient == pytest.approx(4 / 3, abs=0.05)  # the regression, not one
    assert one.levels[0].count > 5 * one.levels[2].count
    assert one.gain > 4


@pytest.mark.parametrize("shape", [(8, 8, 8), (16, 8)])
def test_coarse_copies_keep_the_fraction_and_the_bounds(shape):
    rng = np.random.default_rng(2)
    image = image_of(rng.random(shape) < 0.4)
    for factor in (2, 4):
        coarse = graded(image, 1, factor)
        assert coarse.grid.shape == tuple(n // factor for n in shape)
        share = float(coarse.labels.mean()) / GRADES
        assert share == pytest.approx(image.fractions[1], abs=0.5 / GRADES / coarse.labels.size + 1e-12)
        maker = CoarseMaker(Drawn(image), factor, 1)
        told = maker.shares({str(k): v for k, v in coarse.fractions.items()})
        assert told == pytest.approx({"1": share})
    laws = graded_material(LAWS, 3).laws
    for grade, law in laws.items():
        f, k = grade / GRADES, law.isotropic_parameters["k"]
        assert 1 / (f / 10 + (1 - f)) <= k * (1 + 1e-12)
        assert k <= (1 + 9 * f) * (1 + 1e-12)


def test_blocks_that_hold_one_phase_are_that_phase():
    image = Tiles((16, 16, 16), 4).realize(3).image
    coarse = graded(image, 1, 4)
    np.testing.assert_array_equal(coarse.labels, GRADES * image.labels[::4, ::4, ::4])
    task = CellTask(CoarseMaker(Drawn(image), 4, 1), graded_material(LAWS, 3), (KinematicUniform(),), 1e-4)
    exact = CellTask(Drawn(coarsen(image, 4)), LAWS, (KinematicUniform(),), 1e-4)
    np.testing.assert_allclose(solve_task(task)[0].value, solve_task(exact)[0].value, rtol=1e-10)


def test_graded_copies_are_for_two_isotropic_phases():
    three = Material({n: Conduction.isotropic(k=1.0 + n) for n in range(3)})
    crystal = Material({0: Conduction.isotropic(k=1.0), 1: Conduction.orthotropic(kx=1.0, ky=2.0, kz=3.0)})
    assert can_be_graded(LAWS)
    assert not can_be_graded(three)
    assert not can_be_graded(crystal)
    assert not can_be_graded(Material({}, Conduction.isotropic(k=1.0)))
    porous = graded_material(Material({0: Elasticity.isotropic(E=1.0, nu=0.3), 1: Elasticity.void()}), 3)
    assert porous.laws[GRADES].is_void
    assert 0 < porous.laws[8].isotropic_parameters["K"] < 0.5 * porous.laws[0].isotropic_parameters["K"]

"""Representativity studies on real cells: sources, workers, stores, levels."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scalebridge import Conduction, Elasticity
from scalebridge.cell.boundary import KinematicUniform, OppositeFaces, Periodic
from scalebridge.core.content_store import ContentStore
from scalebridge.core.errors import InputError
from scalebridge.homogenize.representative import (
    GeneratorEnsemble,
    ImageWindows,
    RepresentativityProblem,
    SamplingMethod,
    ensemble,
    representativity,
)
from scalebridge.homogenize.representative.apparent import Material, solve_task
from scalebridge.homogenize.representative.ensemble import Workers
from scalebridge.homogenize.representative.multilevel import ResolutionLadder, SizeLadder, multilevel
from tiled_materials import ALL, ALONE, LAWS, Tiles, draw, image_of


def test_windows_are_disjoint_centred_and_all_there():
    image = image_of(np.zeros((10, 7)))
    source = ImageWindows(image)
    assert source.count(3) == 6
    origins = [maker.origin for maker in source.makers(3, None)]
    assert origins == [(0, 0), (0, 3), (3, 0), (3, 3), (6, 0), (6, 3)]
    assert len({m.origin for m in source.makers(3, 4)}) == 4
    assert [m.origin for m in source.makers(3, 4)] == [m.origin for m in source.makers(3, 4)]
    assert [m.origin for m in ImageWindows(image_of(np.zeros((9, 9)))).makers(7, None)] == [(1, 1)]
    with pytest.raises(InputError, match="1 to 7"):
        source.makers(8, None)


def test_realizations_do_not_depend_on_how_many_are_drawn():
    source = GeneratorEnsemble(Tiles((8, 8)), seed=3)
    few, many = source.makers(6, 2), source.makers(6, 5)
    assert [m.seed for m in many[:2]] == [m.seed for m in few]
    assert many[0].make()[0].grid.shape == (6, 6)
    assert len({m.seed for m in many}) == 5
    with pytest.raises(InputError, match="realizations"):
        source.makers(6, None)


@pytest.mark.parametrize("vector", [False, True])
def test_the_conditions_come_in_order_and_the_image_answers_for_itself(vector):
    laws = LAWS
    if vector:
        laws = Material({0: Elasticity.isotropic(E=1.0, nu=0.3), 1: Elasticity.isotropic(E=8.0, nu=0.2)})
    problem = RepresentativityProblem(ImageWindows(draw((12, 12, 12))), laws, (4, 6), ALL)
    result = representativity(problem, SamplingMethod({4: 6, 6: 4}, energy=1e-8, workers=ALONE))
    for size in (4, 6):
        assert result.hierarchies[size].holds
        assert result.hierarchies[size].violation < 1e-6
        parts = [result.at(size, name).parts for name in ("subc", "periodic", "kubc")]
        for name in parts[0]:
            assert parts[0][name].mean < parts[1][name].mean < parts[2][name].mean
    assert result.at(6, "kubc").count == 4
    assert any("periodic" in note for note in result.warnings)
    with pytest.raises(InputError, match="sizes"):
        result.at(5, "kubc")


def test_the_means_follow_dykhne():
    """Random checkerboard in the plane: the limit is the geometric mean, whatever the contrast."""
    problem = RepresentativityProblem(GeneratorEnsemble(Tiles((8, 8), tile=4)), LAWS, (16, 32, 64), ALL)
    result = representativity(problem, SamplingMethod({16: 40, 32: 20, 64: 8}, workers=ALONE))
    bias = result.bias["mean conductivity"]
    # Corner contacts converge slowly with the voxels: with four per tile they conduct several percent too well.
    assert bias.limit == pytest.approx(10**0.5, rel=0.12)
    assert bias.slopes["subc"] < 0 < bias.slopes["kubc"]
    law = result.scaling["mean conductivity"]["periodic"]
    assert abs(law.alpha - 1) < 4 * law.alpha_deviation
    assert result.verdict.representative is False
    assert result.requirements["mean conductivity"].single_size > 64


def test_results_do_not_depend_on_the_workers(tmp_path):
    problem = RepresentativityProblem(
        ImageWindows(draw((16, 16))), LAWS, (4,), (Periodic(), KinematicUniform())
    )
    reference = representativity(problem, SamplingMethod(workers=ALONE))
    for workers in (Workers(count=2), Workers(count=1, chunk=1), Workers(count=2, chunk=3)):
        found = representativity(problem, SamplingMethod(workers=workers))
        np.testing.assert_array_equal(
            [s.values for s in found.statistics], [s.values for s in reference.statistics]
        )
    with ThreadPoolExecutor(2) as pool:
        found = representativity(problem, SamplingMethod(workers=Workers(executor=pool)))
    np.testing.assert_array_equal(
        [s.values for s in found.statistics], [s.values for s in reference.statistics]
    )


def test_a_study_extended_or_repeated_solves_nothing_twice(tmp_path, monkeypatch):
    solved = []

    def counting(task):
        solved.extend((task.maker.name, c.name) for c in task.conditions)
        return solve_task(task)

    monkeypatch.setattr(ensemble, "solve_task", counting)
    source = GeneratorEnsemble(Tiles((4, 4)), seed=1)
    store = ContentStore(tmp_path)
    method = SamplingMethod(5, workers=ALONE, store=store)
    first = representativity(RepresentativityProblem(source, LAWS, (4,)), method)
    assert len(solved) == 5
    again = representativity(RepresentativityProblem(source, LAWS, (4,)), method)
    assert len(solved) == 5
    np.testing.assert_array_equal(first.statistics[0].values, again.statistics[0].values)
    more = dataclasses.replace(method, realizations=7)
    representativity(RepresentativityProblem(source, LAWS, (4,), (Periodic(), KinematicUniform())), more)
    assert len(solved) == 5 + 2 + 7
    other = Material({0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=10.000001)})
    representativity(RepresentativityProblem(source, other, (4,)), method)
    assert len(solved) == 14 + 5


def test_what_cannot_be_studied_is_named():
    source = ImageWindows(draw((8, 8)))
    with pytest.raises(InputError, match="at least one size"):
        RepresentativityProblem(source, LAWS, ())
    with pytest.raises(InputError, match="faces"):
        RepresentativityProblem(source, LAWS, (4,), (OppositeFaces(0),))
    with pytest.raises(InputError, match="once"):
        RepresentativityProblem(source, LAWS, (4,), (Periodic(), Periodic()))
    with pytest.raises(InputError, match="realization"):
        SamplingMethod(realizations=0)
    with pytest.raises(InputError, match="precision"):
        SamplingMethod(precision=5.0)
    with pytest.raises(InputError, match="chunk"):
        Workers(chunk=0)


def test_ladders_that_cannot_be_climbed_are_refused():
    with pytest.raises(InputError, match="power of two"):
        ResolutionLadder(GeneratorEnsemble(Tiles((32, 32))), 32, 3)
    with pytest.raises(InputError, match="not periodic"):
        SizeLadder(GeneratorEnsemble(Tiles((32, 32), periodic=True)), 32, 2)
    with pytest.raises(InputError, match="halved"):
        SizeLadder(GeneratorEnsemble(Tiles((32, 32))), 31, 2)
    with pytest.raises(InputError, match="between 0 and 1"):
        multilevel(ResolutionLadder(GeneratorEnsemble(Tiles((8, 8))), 8, 2), LAWS, 5.0)

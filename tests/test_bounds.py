"""Bounds against the printed two-phase formulae, exact laminates, and each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from physics_assertions import (
    assert_between_bounds,
    assert_ordered,
    assert_positive,
    assert_symmetric,
    backus_laminate,
    is_ordered,
)
from scalebridge.core.errors import PhaseError
from scalebridge.homogenize.bounds import cell_tensor, reuss_average, tensor_bounds, voigt_average
from scalebridge.homogenize.exact_relations import (
    applicable_relations,
    equal_shear_stiffness,
    keller_product,
    resolution_relations,
    two_phase_expansion,
)
from scalebridge.material import Conduction, Elasticity, PlaneState, Thermoelasticity
from scalebridge.numerics.mandel import isotropic_stiffness, rotate_mandel4

moduli = st.floats(0.01, 100.0)
fraction = st.floats(0.01, 0.99)


def two(f2: float) -> dict[int, float]:
    return {0: 1 - f2, 1: f2}


# Hashin-Shtrikman -----------------------------------------------------------------------------------------


@given(moduli, moduli, fraction)
def test_conductivity_formula(k1: float, k2: float, f2: float) -> None:
    assume(k2 > 1.001 * k1)
    f1 = 1 - f2
    bounds = tensor_bounds({0: Conduction.isotropic(k1), 1: Conduction.isotropic(k2)}, two(f2))
    assert bounds.hashin_shtrikman is not None
    lower = k1 + f2 / (1 / (k2 - k1) + f1 / (3 * k1))
    upper = k2 + f1 / (1 / (k1 - k2) + f2 / (3 * k2))
    assert bounds.hashin_shtrikman["lower"]["k"] == pytest.approx(lower, rel=1e-10)
    assert bounds.hashin_shtrikman["upper"]["k"] == pytest.approx(upper, rel=1e-10)


def test_plane_conductivity_formula() -> None:
    laws = {0: Conduction.isotropic(1.0), 1: Conduction.isotropic(10.0)}
    bounds = tensor_bounds(laws, two(0.3), ndim=2)
    assert bounds.hashin_shtrikman is not None
    assert bounds.voigt.shape == (2, 2)
    assert bounds.hashin_shtrikman["lower"]["k"] == pytest.approx(1 + 0.3 / (1 / 9 + 0.7 / 2))
    # Square array of discs: the square symmetry makes it isotropic, and it is close to the lower bound.
    assert bounds.hashin_shtrikman["lower"]["k"] <= 1.652036 <= bounds.hashin_shtrikman["upper"]["k"]


@given(moduli, moduli, moduli, moduli, fraction)
def test_elastic_formula(K1: float, G1: float, dK: float, dG: float, f2: float) -> None:
    K2, G2, f1 = K1 + dK, G1 + dG, 1 - f2
    laws = {0: Elasticity.isotropic(K=K1, G=G1), 1: Elasticity.isotropic(K=K2, G=G2)}
    found = tensor_bounds(laws, two(f2)).hashin_shtrikman
    assert found is not None

    def bound(Ka: float, Ga: float, fa: float, Kb: float, Gb: float, fb: float) -> tuple[float, float]:
        K = Ka + fb / (1 / (Kb - Ka) + fa / (Ka + 4 * Ga / 3))
        G = Ga + fb / (1 / (Gb - Ga) + 2 * fa * (Ka + 2 * Ga) / (5 * Ga * (Ka + 4 * Ga / 3)))
        return K, G

    lower, upper = bound(K1, G1, f1, K2, G2, f2), bound(K2, G2, f2, K1, G1, f1)
    assert (found["lower"]["K"], found["lower"]["G"]) == pytest.approx(lower, rel=1e-8)
    assert (found["upper"]["K"], found["upper"]["G"]) == pytest.approx(upper, rel=1e-8)


@given(moduli, moduli, moduli, moduli, fraction)
def test_plane_elastic_formula(K1: float, G1: float, dK: float, dG: float, f2: float) -> None:
    """The transverse bounds of aligned fibres in terms of the plane-strain bulk modulus K + G / 3."""
    K2, G2, f1 = K1 + dK, G1 + dG, 1 - f2
    laws = {
        0: Elasticity.isotropic(K=K1 + 2 * G1 / 3, G=G1),
        1: Elasticity.isotropic(K=K2 + 2 * G2 / 3, G=G2),
    }
    plane = {0: K1 + G1, 1: K2 + G2}
    found = tensor_bounds(laws, two(f2), ndim=2).hashin_shtrikman
    assert found is not None
    K = plane[0] + f2 / (1 / (plane[1] - plane[0]) + f1 / (plane[0] + G1))
    G = G1 + f2 / (1 / (G2 - G1) + f1 * (plane[0] + 2 * G1) / (2 * G1 * (plane[0] + G1)))
    assert found["lower"]["K"] == pytest.approx(K, rel=1e-8)
    assert found["lower"]["G"] == pytest.approx(G, rel=1e-8)


@given(st.lists(st.tuples(moduli, moduli, fraction), min_size=2, max_size=5), st.sampled_from([2, 3]))
def test_bounds_are_nested(phases: list[tuple[float, float, float]], ndim: int) -> None:
    total = sum(f for *_, f in phases)
    fractions = {i: f / total for i, (*_, f) in enumerate(phases)}
    laws = {i: Elasticity.isotropic(K=K, G=G) for i, (K, G, _) in enumerate(phases)}
    bounds = tensor_bounds(laws, fractions, ndim=ndim)
    found = bounds.hashin_shtrikman
    assert found is not None
    tensors = [isotropic_stiffness(found[side]["K"], found[side]["G"], ndim) for side in ("lower", "upper")]
    chain = [bounds.reuss, *tensors, bounds.voigt]
    for inner, outer in itertools.pairwise(chain):
        assert_ordered(inner, outer, 1e-9)
    conduction = tensor_bounds(
        {i: Conduction.isotropic(K) for i, (K, *_) in enumerate(phases)}, fractions, ndim=ndim
    )
    hs = conduction.hashin_shtrikman
    assert hs is not None
    values = [conduction.reuss[0, 0], hs["lower"]["k"], hs["upper"]["k"], conduction.voigt[0, 0]]
    assert values == pytest.approx(sorted(values), rel=1e-9)


def test_not_well_ordered_phases_are_told() -> None:
    laws = {0: Elasticity.isotropic(K=1.0, G=3.0), 1: Elasticity.isotropic(K=5.0, G=2.0)}
    assert "not well ordered" in tensor_bounds(laws, two(0.5)).note
    laws = {0: Elasticity.isotropic(K=1.0, G=2.0), 1: Elasticity.isotropic(K=5.0, G=3.0)}
    assert "not well ordered" not in tensor_bounds(laws, two(0.5)).note


def test_anisotropic_phases_have_no_hashin_shtrikman_bounds() -> None:
    laws = {0: Conduction.isotropic(1.0), 1: Conduction.orthotropic(1.0, 2.0, 3.0)}
    bounds = tensor_bounds(laws, two(0.5))
    assert bounds.hashin_shtrikman is None
    assert "anisotropic" in bounds.note
    # In the xy plane of a fibre along z the phases are isotropic again.
    fibre = {0: Conduction.isotropic(1.0), 1: Conduction.transversely_isotropic(5.0, 2.0)}
    assert tensor_bounds(fibre, two(0.5), ndim=2).hashin_shtrikman is not None
    crystal = {0: Elasticity.void(), 1: Elasticity.cubic(3.0, 1.0, 2.0)}
    assert tensor_bounds(crystal, two(0.5)).hashin_shtrikman is None
    with pytest.raises(PhaseError, match="one physics"):
        tensor_bounds({0: laws[0], 1: crystal[1]}, two(0.5))


def test_voids() -> None:
    """A porous solid: the lower bounds vanish, the upper ones are the classical porous formulae."""
    K, G, p = 2.0, 1.0, 0.2
    bounds = tensor_bounds({0: Elasticity.isotropic(K=K, G=G), 1: Elasticity.void()}, two(p))
    assert not np.any(bounds.reuss)
    assert bounds.hashin_shtrikman is not None
    assert bounds.hashin_shtrikman["lower"] == {"K": 0.0, "G": 0.0}
    assert bounds.hashin_shtrikman["upper"]["K"] == pytest.approx(4 * K * G * (1 - p) / (4 * G + 3 * p * K))
    porous = tensor_bounds({0: Conduction.isotropic(1.0), 1: Conduction.isotropic(0.0)}, two(p))
    assert not np.any(porous.reuss)
    assert porous.hashin_shtrikman is not None
    assert porous.hashin_shtrikman["upper"]["k"] == pytest.approx((1 - p) / (1 + p / 2))
    nothing = tensor_bounds({0: Elasticity.void()}, {0: 1.0})
    assert nothing.hashin_shtrikman == {"lower": {"K": 0.0, "G": 0.0}, "upper": {"K": 0.0, "G": 0.0}}
    assert not np.any(nothing.voigt)


# Voigt and Reuss ------------------------------------------------------------------------------------------


def test_laminate_reaches_both_bounds() -> None:
    k, f = np.array([1.0, 10.0]), np.array([0.3, 0.7])
    laws = {i: Conduction.isotropic(ki) for i, ki in enumerate(k)}
    bounds = tensor_bounds(laws, dict(enumerate(f.tolist())))
    exact = np.diag([f @ k, f @ k, 1 / (f @ (1 / k))])
    assert_allclose(np.diag(bounds.voigt)[:2], np.diag(exact)[:2], rtol=1e-14)
    assert bounds.reuss[2, 2] == pytest.approx(exact[2, 2], rel=1e-14)
    assert_between_bounds(exact, np.stack([law.tensor for law in laws.values()]), f)


@given(st.lists(st.tuples(moduli, moduli, fraction), min_size=2, max_size=4))
def test_elastic_laminate_lies_between(phases: list[tuple[float, float, float]]) -> None:
    K, G, f = np.array(phases).T
    f = f / f.sum()
    tensors = np.stack([isotropic_stiffness(a, b) for a, b in zip(K, G, strict=True)])
    assert_between_bounds(backus_laminate(K, G, f), tensors, f, rtol=1e-8)


def test_reuss_is_the_limit_of_soft_phases() -> None:
    """Singular phases: soften the missing directions more and more; the limit must be what we return."""
    sheet_xy, sheet_yz = np.diag([1.0, 2.0, 0.0]), np.diag([0.0, 3.0, 1.0])
    f = np.array([0.4, 0.6])
    found = reuss_average(np.stack([sheet_xy, sheet_yz]), f)
    soft = reuss_average(np.stack([sheet_xy + 1e-9 * np.eye(3), sheet_yz + 1e-9 * np.eye(3)]), f)
    assert_allclose(found, soft, atol=1e-8)
    assert found[1, 1] == pytest.approx(1 / (0.4 / 2 + 0.6 / 3))
    assert np.count_nonzero(np.abs(found) > 1e-14) == 1
    half = reuss_average(np.stack([sheet_xy, np.eye(3)]), f)
    assert_allclose(half, np.diag([1.0, 1 / (0.4 / 2 + 0.6), 0.0]), atol=1e-14)
    turned = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1.0]])
    assert_allclose(
        reuss_average(np.stack([turned @ sheet_xy @ turned.T, np.eye(3)]), f),
        turned @ half @ turned.T,
        atol=1e-13,
    )


def test_plane_states() -> None:
    laws = {0: Elasticity.isotropic(E=1.0, nu=0.3), 1: Elasticity.isotropic(E=10.0, nu=0.2)}
    stress = tensor_bounds(laws, two(0.5), ndim=2, plane=PlaneState.STRESS)
    strain = tensor_bounds(laws, two(0.5), ndim=2, plane=PlaneState.STRAIN)
    assert stress.voigt.shape == strain.reuss.shape == (3, 3)
    assert_ordered(stress.voigt, strain.voigt, words="plane stress is softer")
    assert stress.hashin_shtrikman is not None
    upper = stress.hashin_shtrikman["upper"]["K"]
    assert upper < 0.5 * (1 / 1.4 + 10 / 1.6)  # plane bulk modulus E / (2 (1 - nu)), Voigt mean
    assert "plane bulk modulus" in stress.note
    assert_allclose(cell_tensor(laws[0], 2), cell_tensor(laws[0], 2, PlaneState.STRAIN))


def test_orientations_per_voxel() -> None:
    """Averages over grains against one grain after the other, and cases known beforehand."""
    rotations = Rotation.random(500, random_state=4).as_matrix()
    stacked = np.moveaxis(rotations, 0, -1).reshape(3, 3, 10, 50)
    crystal, matrix = Elasticity.cubic(168.4, 121.4, 75.4), Elasticity.isotropic(E=70.0, nu=0.3)
    bounds = tensor_bounds({0: matrix, 1: crystal}, two(0.4), orientations={1: stacked})
    turned = rotate_mandel4(crystal.tensor, rotations)
    assert_allclose(bounds.voigt, 0.6 * matrix.tensor + 0.4 * turned.mean(axis=0), rtol=1e-11, atol=1e-11)
    soft = 0.6 * np.linalg.inv(matrix.tensor) + 0.4 * np.linalg.inv(turned).mean(axis=0)
    assert_allclose(bounds.reuss, np.linalg.inv(soft), rtol=1e-10, atol=1e-10)
    # A quarter turn about each axis leaves a cube alone, so any set of them must change nothing.
    quarter = Rotation.from_euler("xyz", [90, 180, 270], degrees=True).as_matrix()[..., None]
    alone = tensor_bounds({1: crystal}, {1: 1.0}, orientations={1: quarter})
    assert_allclose(alone.voigt, crystal.tensor, atol=1e-11)
    sheet = Conduction.orthotropic(1.0, 2.0, 0.0)
    ring = np.moveaxis(Rotation.from_rotvec([[0, 0, 0], [0, 0, np.pi / 2]]).as_matrix(), 0, -1)
    conduction = tensor_bounds({0: sheet}, {0: 1.0}, orientations={0: ring})
    assert_allclose(conduction.voigt, np.diag([1.5, 1.5, 0]), atol=1e-14)
    assert_allclose(conduction.reuss, np.diag([4 / 3, 4 / 3, 0]), atol=1e-14)
    everywhere = tensor_bounds({0: sheet}, {0: 1.0}, orientations={0: stacked})
    assert not np.any(everywhere.reuss)


def test_plane_orientations() -> None:
    ring = np.array([[[0.6, 1.0], [-0.8, 0.0]], [[0.8, 0.0], [0.6, 1.0]]])
    c = Elasticity.from_mandel(np.diag([3.0, 2.0, 1.0]) + 0.3)
    bounds = tensor_bounds({0: c}, {0: 1.0}, ndim=2, orientations={0: ring})
    expected = np.mean([rotate_mandel4(c.tensor, ring[..., i]) for i in range(2)], axis=0)
    assert_allclose(bounds.voigt, expected, rtol=1e-13)


def test_labels_and_fractions_must_match() -> None:
    with pytest.raises(PhaseError, match="No law for label 1"):
        tensor_bounds({0: Conduction.isotropic(1.0)}, two(0.5))
    with pytest.raises(PhaseError, match=r"add up to 0\.5"):
        tensor_bounds({0: Conduction.isotropic(1.0)}, {0: 0.5})
    # A law for an absent phase is no mistake here.
    laws = {0: Conduction.isotropic(1.0), 7: Conduction.isotropic(9.0)}
    assert_allclose(tensor_bounds(laws, {0: 1.0, 7: 0.0}).voigt, np.eye(3))


def test_assertions_can_fail() -> None:
    assert not is_ordered(2 * np.eye(2), np.eye(2))
    tensors = np.stack([np.eye(3), 10 * np.eye(3)])
    with pytest.raises(AssertionError, match="stiffer than Voigt"):
        assert_between_bounds(6 * np.eye(3), tensors, np.array([0.5, 0.5]))
    with pytest.raises(AssertionError, match="softer than Reuss"):
        assert_between_bounds(1.8 * np.eye(3), tensors, np.array([0.5, 0.5]))
    with pytest.raises(AssertionError, match="not symmetric"):
        assert_symmetric(np.triu(np.ones((2, 2))))
    with pytest.raises(AssertionError, match="not positive"):
        assert_positive(np.diag([1.0, -1e-6]))


# Exact relations ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(moduli, fraction), min_size=2, max_size=4), moduli)
def test_equal_shear_on_laminates(phases: list[tuple[float, float]], G: float) -> None:
    """Hill's relation against the exact laminate, which knows nothing of it."""
    K, f = np.array(phases).T
    f = f / f.sum()
    assume(np.ptp(K) > 1e-6)
    laws = {i: Elasticity.isotropic(K=float(k), G=G) for i, k in enumerate(K)}
    (relation,) = resolution_relations(laws, dict(enumerate(f.tolist())))
    exact = backus_laminate(K, np.full(len(K), G), f)
    assert relation.name == "equal shear moduli"
    assert relation.deviation(exact, exact) < 1e-10
    assert relation.deviation(exact, 1.01 * exact) == pytest.approx(0.01, rel=1e-6)
    (shape,) = applicable_relations(laws, dict(enumerate(f.tolist())))
    assert shape.name == "isotropy"
    assert shape.deviation(exact, exact) < 1e-10
    # It does not know the bulk modulus, but sees every other change.
    stiffer = exact + isotropic_stiffness(0.1 * G, 0.0)
    assert shape.deviation(stiffer, stiffer) < 1e-10
    wrong = exact + 0.1 * G * np.diag([0, 0, 0, 0, 0, 1.0])
    assert shape.deviation(wrong, wrong) > 1e-6


def test_equal_shear_in_the_plane() -> None:
    laws = {0: Elasticity.isotropic(K=1.0, G=1.0), 1: Elasticity.isotropic(K=5.0, G=1.0)}
    (relation,) = resolution_relations(laws, two(0.5), ndim=2)
    # In-plane entries of the exact 3-D laminate, layers along y instead of z: the same numbers.
    exact = backus_laminate(np.array([1.0, 5.0]), np.ones(2), np.array([0.5, 0.5]))
    plane = exact[np.ix_([0, 2, 4], [0, 2, 4])]
    assert_allclose(relation.predict(np.eye(3)), plane, rtol=1e-12, atol=1e-13)
    assert_allclose(
        equal_shear_stiffness(np.array([4 / 3, 16 / 3]), 1.0, np.array([0.5, 0.5]), 2), plane, atol=1e-12
    )


def laminate_expansion(laws: list[Thermoelasticity], f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact stiffness and expansion of layers along z: in-plane strain and out-of-plane stress continue."""
    outer, inner = np.array([2, 3, 4]), np.array([0, 1, 5])
    a = sum(fi * np.linalg.inv(law.tensor[np.ix_(outer, outer)]) for fi, law in zip(f, laws, strict=True))
    a_inv = np.linalg.inv(a)
    # Solve for the mean stress under mean strain e and unit temperature, column by column.
    columns = []
    for strain, rise in [*((row, 0.0) for row in np.eye(6)), (np.zeros(6), 1.0)]:
        pull = np.zeros(3)
        for fi, law in zip(f, laws, strict=True):
            c, t = law.tensor, law.heat_free_stress * rise
            pull += (
                fi
                * np.linalg.inv(c[np.ix_(outer, outer)])
                @ (c[np.ix_(outer, inner)] @ strain[inner] + t[outer])
            )
        traction = a_inv @ (strain[outer] + pull)
        mean = np.zeros(6)
        for fi, law in zip(f, laws, strict=True):
            c, t = law.tensor, law.heat_free_stress * rise
            local = np.array(strain)
            local[outer] = np.linalg.inv(c[np.ix_(outer, outer)]) @ (
                traction - c[np.ix_(outer, inner)] @ strain[inner] - t[outer]
            )
            mean += fi * (c @ local + t)
        columns.append(mean)
    stiffness = np.stack(columns[:6], axis=1)
    return stiffness, -np.linalg.solve(stiffness, columns[6])


@given(moduli, moduli, moduli, moduli, fraction, st.floats(-5, 5))
def test_two_phase_expansion_on_laminates(
    K1: float, G1: float, K2: float, G2: float, f2: float, a2: float
) -> None:
    assume(abs(K1 / K2 - 1) > 0.01)
    assume(abs(a2 - 1) > 0.01)
    laws = {
        0: Thermoelasticity.isotropic(K=K1, G=G1, alpha=1.0),
        1: Thermoelasticity.isotropic(K=K2, G=G2, alpha=a2),
    }
    stiffness, alpha = laminate_expansion(list(laws.values()), np.array([1 - f2, f2]))
    assert_allclose(
        stiffness, backus_laminate(np.array([K1, K2]), np.array([G1, G2]), np.array([1 - f2, f2])), atol=1e-9
    )
    relation = next(r for r in applicable_relations(laws, two(f2)) if r.quantity == "expansion")
    assert relation.name == "two-phase expansion"
    assert_allclose(relation.predict(stiffness), alpha, rtol=1e-6, atol=1e-6)


def test_isotropic_expansion_formula() -> None:
    """The scalar form for an isotropic effective medium."""
    laws = {
        0: Thermoelasticity.isotropic(K=1.0, G=0.7, alpha=3.0),
        1: Thermoelasticity.isotropic(K=9.0, G=4.0, alpha=1.0),
    }
    K = 2.6
    (relation,) = applicable_relations(laws, two(0.5))
    expected = 3.0 + (1.0 - 3.0) * (1 / K - 1 / 1.0) / (1 / 9.0 - 1 / 1.0)
    assert_allclose(relation.predict(isotropic_stiffness(K, 1.3))[:3], expected, rtol=1e-12)


def test_expansion_with_voids_and_equal_expansions() -> None:
    solid = Thermoelasticity.isotropic(E=1.0, nu=0.3, alpha=2.0)
    (relation,) = applicable_relations({0: solid, 1: Thermoelasticity.void()}, two(0.4))
    assert relation.name == "equal expansions"
    assert_allclose(relation.predict(np.eye(6)), solid.expansion)
    assert_allclose(
        two_phase_expansion(
            (solid.tensor, solid.expansion), (np.zeros((6, 6)), np.zeros(6)), 0.3 * solid.tensor
        ),
        solid.expansion,
    )
    anisotropic = Thermoelasticity.of(Elasticity.isotropic(E=1.0, nu=0.3), np.array([1.0, 2, 3, 0, 0, 0]))
    assert [r.name for r in applicable_relations({0: solid, 1: anisotropic}, two(0.4))] == ["homogeneous"]


def test_no_relation_where_none_holds() -> None:
    assert applicable_relations({0: Conduction.isotropic(1.0), 1: Conduction.isotropic(2.0)}, two(0.5)) == ()
    laws = {0: Elasticity.isotropic(K=1.0, G=1.0), 1: Elasticity.isotropic(K=1.0, G=2.0)}
    assert applicable_relations(laws, two(0.5)) == ()
    assert applicable_relations({0: Elasticity.void(), 1: laws[0]}, two(0.5)) == ()
    for phases in (laws, {0: laws[0], 1: laws[0]}, {0: Elasticity.void(), 1: laws[0]}):
        assert resolution_relations(phases, two(0.5)) == ()
    assert resolution_relations({0: Conduction.isotropic(1.0)}, {0: 1.0}) == ()
    crystals = {0: laws[0], 1: Elasticity.cubic(4.0, 1.0, 1.0)}
    assert resolution_relations(crystals, two(0.5)) == applicable_relations(crystals, two(0.5)) == ()
    (same,) = applicable_relations({0: laws[0], 1: laws[0]}, two(0.5))
    assert same.name == "homogeneous"


def test_keller_on_a_laminate() -> None:
    first, swapped = np.diag([5.5, 1 / 0.55]), np.diag([5.5, 1 / 0.55])
    assert_allclose(keller_product(first, swapped), 10 * np.eye(2), rtol=1e-14)


def test_voigt_average_is_the_mean() -> None:
    tensors = np.random.default_rng(0).normal(size=(3, 6, 6))
    f = np.array([0.2, 0.3, 0.5])
    assert_allclose(voigt_average(tensors, f), 0.2 * tensors[0] + 0.3 * tensors[1] + 0.5 * tensors[2])

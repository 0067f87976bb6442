"""Maps between notations are tested from both sides, from tensors with all-distinct, unsymmetric entries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from scalebridge.core.errors import InputError
from scalebridge.numerics import mandel

any_tensor = st.sampled_from([2, 3]).flatmap(lambda d: arrays(float, (d, d), elements=st.floats(-1, 1)))
any_tensor4 = st.sampled_from([2, 3]).flatmap(
    lambda d: arrays(float, (d, d, d, d), elements=st.floats(-1, 1))
)


def rotations(d: int, seed: int) -> np.ndarray:
    if d == 3:
        return Rotation.random(random_state=seed).as_matrix()
    c, s = np.cos(seed), np.sin(seed)
    return np.array([[c, -s], [s, c]])


def minor_symmetric(c: np.ndarray) -> np.ndarray:
    c = (c + np.swapaxes(c, 0, 1)) / 2
    return (c + np.swapaxes(c, 2, 3)) / 2


def test_order_of_components_3d() -> None:
    t = np.array([[11.0, 12.0, 13.0], [22.0, 22.5, 23.0], [31.0, 32.0, 33.0]])
    r = np.sqrt(2)
    expected = [11.0, 22.5, 33.0, r * 27.5, r * 22.0, r * 17.0]
    assert_allclose(mandel.to_mandel(t), expected, rtol=1e-15)
    assert mandel.COMPONENTS[3] == ("xx", "yy", "zz", "yz", "xz", "xy")


@given(any_tensor)
def test_mandel_keeps_the_symmetric_part(a: np.ndarray) -> None:
    assert_allclose(mandel.from_mandel(mandel.to_mandel(a)), (a + a.T) / 2, atol=1e-15)
    assert_allclose(np.linalg.norm(mandel.to_mandel(a)), np.linalg.norm((a + a.T) / 2), atol=1e-15)


@given(any_tensor4)
def test_mandel4_keeps_the_minor_symmetric_part(c: np.ndarray) -> None:
    assert_allclose(mandel.from_mandel4(mandel.to_mandel4(c)), minor_symmetric(c), atol=1e-14)


def test_mandel4_does_not_transpose() -> None:
    c = np.zeros((3, 3, 3, 3))
    c[0, 0, 1, 2] = c[0, 0, 2, 1] = 1.0  # stress xx from strain yz
    m = mandel.to_mandel4(c)
    assert m[0, 3] == pytest.approx(np.sqrt(2))
    assert m[3, 0] == 0.0


@pytest.mark.parametrize("d", [2, 3])
def test_contraction_is_a_matrix_product(d: int) -> None:
    rng = np.random.default_rng(d)
    c = minor_symmetric(rng.normal(size=(d,) * 4))
    e = rng.normal(size=(d, d))
    e = e + e.T
    stress = np.einsum("ijkl,kl->ij", c, e)
    assert_allclose(mandel.to_mandel4(c) @ mandel.to_mandel(e), mandel.to_mandel(stress), rtol=1e-13)


@pytest.mark.parametrize("d", [2, 3])
def test_voigt_maps_engineering_shear(d: int) -> None:
    rng = np.random.default_rng(d)
    c = minor_symmetric(rng.normal(size=(d,) * 4))
    e = rng.normal(size=(d, d))
    e = (e + e.T) / 2
    rows, columns = np.array(mandel.PAIRS[d]).T
    gamma = e[rows, columns] * np.where(rows == columns, 1.0, 2.0)
    c_voigt = c[rows[:, None], columns[:, None], rows, columns]
    assert_allclose(mandel.strain_to_voigt(mandel.to_mandel(e)), gamma, rtol=1e-14)
    assert_allclose(mandel.stiffness_to_voigt(mandel.to_mandel4(c)), c_voigt, rtol=1e-14, atol=1e-15)
    stress = np.einsum("ijkl,kl->ij", c, e)[rows, columns]
    assert_allclose(c_voigt @ gamma, stress, rtol=1e-12)
    assert_allclose(mandel.stress_to_voigt(mandel.to_mandel4(c) @ mandel.to_mandel(e)), stress, rtol=1e-12)
    s = np.linalg.inv(mandel.to_mandel4(c))
    assert_allclose(mandel.compliance_to_voigt(s), np.linalg.inv(c_voigt), rtol=1e-9)


@given(arrays(float, (6, 6), elements=st.floats(-1, 1)), arrays(float, (6,), elements=st.floats(-1, 1)))
def test_voigt_maps_invert_each_other(c: np.ndarray, v: np.ndarray) -> None:
    assert_allclose(mandel.stiffness_from_voigt(mandel.stiffness_to_voigt(c)), c, atol=1e-15)
    assert_allclose(mandel.compliance_from_voigt(mandel.compliance_to_voigt(c)), c, atol=1e-15)
    assert_allclose(mandel.stress_from_voigt(mandel.stress_to_voigt(v)), v, atol=1e-15)
    assert_allclose(mandel.strain_from_voigt(mandel.strain_to_voigt(v)), v, atol=1e-15)


@given(any_tensor, st.integers(0, 1000))
def test_mandel_rotation_is_the_tensor_rotation(a: np.ndarray, seed: int) -> None:
    r = rotations(len(a), seed)
    rotated = mandel.rotate_mandel(mandel.to_mandel(a), r)
    assert_allclose(rotated, mandel.to_mandel(r @ a @ r.T), atol=1e-14)
    q = mandel.rotation_matrix(r)
    assert_allclose(q @ q.T, np.eye(len(q)), atol=1e-14)


@given(any_tensor4, st.integers(0, 1000))
def test_fourth_order_rotation(c: np.ndarray, seed: int) -> None:
    r = rotations(c.shape[0], seed)
    full = np.einsum("ai,bj,ck,dl,ijkl->abcd", r, r, r, r, c)
    assert_allclose(mandel.rotate_mandel4(mandel.to_mandel4(c), r), mandel.to_mandel4(full), atol=1e-13)


def test_rotations_are_batched_over_voxels() -> None:
    r = Rotation.random(24, random_state=3).as_matrix().reshape(2, 3, 4, 3, 3)
    c = np.random.default_rng(0).normal(size=(6, 6))
    batched = mandel.rotate_mandel4(c, r)
    assert batched.shape == (2, 3, 4, 6, 6)
    assert_allclose(batched[1, 2, 3], mandel.rotate_mandel4(c, r[1, 2, 3]), atol=1e-14)
    k = np.diag([1.0, 2.0, 3.0])
    assert_allclose(mandel.rotate2(k, r)[0, 1, 2], r[0, 1, 2] @ k @ r[0, 1, 2].T, atol=1e-14)


@given(arrays(float, 3, elements=st.floats(-1, 1)).filter(lambda v: np.linalg.norm(v) > 1e-3))
def test_rotation_to_axis(axis: np.ndarray) -> None:
    r = mandel.rotation_to(axis)
    assert_allclose(r @ [0, 0, 1], axis / np.linalg.norm(axis), atol=1e-13)
    assert_allclose(r @ r.T, np.eye(3), atol=1e-13)
    assert np.linalg.det(r) == pytest.approx(1.0)


@pytest.mark.parametrize("axis", [(0, 0, -1.0), (1e-9, 0, -1.0), (0, 0, 1.0), (1.0, 0, 0)])
def test_rotation_to_special_axes(axis: tuple[float, ...]) -> None:
    r = mandel.rotation_to(np.array(axis))
    assert_allclose(r[:, 2], np.array(axis) / np.linalg.norm(axis), atol=1e-14)
    assert_allclose(r @ r.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(r) == pytest.approx(1.0)


@pytest.mark.parametrize("d", [2, 3])
def test_projectors(d: int) -> None:
    j, k = mandel.spherical_projector(d), mandel.deviatoric_projector(d)
    assert_allclose(j @ j, j, atol=1e-15)
    assert_allclose(k @ k, k, atol=1e-15)
    assert_allclose(j @ k, 0, atol=1e-15)
    c = mandel.isotropic_stiffness(5.0, 2.0, d)
    assert_allclose(mandel.rotate_mandel4(c, rotations(d, 5)), c, atol=1e-13)
    e = np.diag(np.ones(d))
    assert_allclose(mandel.from_mandel(c @ mandel.to_mandel(e)), d * 5.0 * e, atol=1e-13)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(InputError, match="length 5"):
        mandel.from_mandel(np.zeros(5))
    with pytest.raises(InputError, match="non-zero direction"):
        mandel.rotation_to(np.zeros(3))
    with pytest.raises(InputError, match=r"\(4, 4\)"):
        mandel.to_mandel(np.zeros((4, 4)))

"""Functions of symmetric tensors: values, first and second derivatives, above all where eigenvalues coincide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, getcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from scalebridge.numerics import isotropic_functions as functions
from scalebridge.numerics import mandel
from scalebridge.numerics.compiling import quick_jit
from scalebridge.numerics.point_tensors import cofactor, determinant, inverse, mandel_of, matrix_of, product

EIGENVALUES = {
    "distinct": (0.3, 1.0, 2.5),
    "two equal": (1.7, 1.7, 0.4),
    "all equal": (1.3, 1.3, 1.3),
    "nearly equal": (1.0, 1.0 + 1e-9, 1.0 - 2e-7),
    "at the switch": (1.0, 1.0615, 0.9),
    "far apart": (1e-3, 1.0, 1e3),
}


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def tensor(eigenvalues: tuple[float, ...], seed: int = 3) -> np.ndarray:
    q = Rotation.random(random_state=seed).as_matrix()
    a = (q * np.array(eigenvalues)) @ q.T
    return (a + a.T) / 2


def derivatives(function: Callable[[Any], Any]) -> list[np.ndarray]:
    """Value, first and second derivative along Mandel components, for all EIGENVALUES: (n, 3, 3), ... 6), ... 6, 6)."""

    def of_mandel(v: jax.Array) -> jax.Array:
        return function(matrix_of(v))

    first = jax.jacfwd(of_mandel)
    points = np.stack([mandel.to_mandel(tensor(values)) for values in EIGENVALUES.values()])
    together = quick_jit(jax.vmap(lambda v: (of_mandel(v), first(v), jax.jacfwd(first)(v))))
    return list(map(np.asarray, together(points)))


SAME = {
    "square of the root": (lambda a: product(*(functions.symmetric_sqrt(a),) * 2), lambda a: a),
    "power -1": (lambda a: functions.symmetric_power(a, -1.0), inverse),
    "power 3": (lambda a: functions.symmetric_power(a, 3.0), lambda a: product(a, product(a, a))),
    "exp of log": (lambda a: functions.symmetric_exp(functions.symmetric_log(a)), lambda a: a),
}


@pytest.mark.parametrize("name", SAME)
def test_values_and_derivatives_are_those_of_the_same_thing_written_otherwise(name: str) -> None:
    ours, reference = (derivatives(function) for function in SAME[name])
    for got, expected in zip(ours, reference, strict=True):
        for row, kind in enumerate(EIGENVALUES):
            scale = max(float(np.abs(expected[row]).max()), 1.0)
            # Beside 1e3, an eigenvalue of 1e-3 keeps ten digits, its powers and derivatives fewer: rounding of A.
            tolerance = 1e-6 if kind == "far apart" else 1e-12
            assert_allclose(got[row], expected[row], atol=tolerance * scale, err_msg=kind)


def test_backward_and_mixed_derivatives_agree_with_forward() -> None:
    points = np.stack([mandel.to_mandel(tensor(values)) for values in EIGENVALUES.values()])

    def energy(v: jax.Array) -> jax.Array:
        return jnp.sum(functions.symmetric_log(matrix_of(v)) ** 2)

    forward, mixed = (
        np.asarray(quick_jit(jax.vmap(jax.jacfwd(first(energy))))(points)) for first in (jax.jacfwd, jax.grad)
    )
    size = np.abs(forward).max(axis=(1, 2), keepdims=True)
    assert_allclose(mixed / size, forward / size, atol=1e-11)
    assert_allclose(forward / size, np.swapaxes(forward, 1, 2) / size, atol=1e-11)


EXACT: dict[str, tuple[Any, Callable[[Decimal], Decimal]]] = {
    "log": (functions._LOG, Decimal.ln),
    "exp": (functions._EXP, Decimal.exp),
    "root": (functions._power(0.5), Decimal.sqrt),
    "power": (functions._power(-5.5), lambda x: x ** Decimal("-5.5")),
}


@pytest.mark.parametrize("name", EXACT)
def test_divided_differences_against_seventy_digits(name: str) -> None:
    getcontext().prec = 70
    ours, exact = EXACT[name]
    rng = np.random.default_rng(0)
    spreads = 10 ** rng.uniform(-12, -0.1, (60, 1))
    points = np.sort(rng.uniform(0.2, 4.0, (60, 1)) * (1 + spreads * rng.uniform(-0.9, 0.9, (60, 3))), axis=1)
    first, second = quick_jit(jax.vmap(lambda v: functions._divided_differences(ours, v)))(points)
    pairs, triples = functions._PAIRS.tolist(), functions._TRIPLES.tolist()
    for row, point in enumerate(points):
        a, b, c = (Decimal(float(x)) for x in point)
        left, right = (exact(b) - exact(a)) / (b - a), (exact(c) - exact(b)) / (c - b)
        assert_allclose(first[row, pairs.index([0, 1])], float(left), rtol=1e-13)
        second_exact = float((right - left) / (c - a))
        assert_allclose(second[row, triples.index([0, 1, 2])], second_exact, rtol=1e-12)


def test_eigenvalues_are_those_of_lapack_over_six_decades() -> None:
    rng = np.random.default_rng(5)
    eigenvalues = rng.choice([-1.0, 1.0], (2000, 3)) * 10 ** rng.uniform(-3, 3, (2000, 3))
    eigenvalues[:500, 1] = eigenvalues[:500, 0] * (1 + 10 ** rng.uniform(-17, -1, 500))
    q = Rotation.random(2000, random_state=2).as_matrix()
    a = np.einsum("nij,nj,nkj->nik", q, eigenvalues, q)
    a = (a + np.swapaxes(a, 1, 2)) / 2
    a[-1] = 0.0
    values, vectors = map(np.asarray, quick_jit(jax.vmap(functions.symmetric_eigen))(a))
    size = np.abs(a).max(axis=(1, 2))[:, None] + 1e-300
    assert_allclose(values / size, np.linalg.eigvalsh(a) / size, atol=1e-14)
    assert_allclose(np.einsum("nij,nik->njk", vectors, vectors), np.eye(3)[None].repeat(2000, 0), atol=1e-14)
    rebuilt = np.einsum("nij,nj,nkj->nik", vectors, values, vectors)
    assert_allclose(rebuilt / size[..., None], a / size[..., None], atol=1e-14)


def test_a_batch_is_one_by_one() -> None:
    batch = np.stack([tensor(v) for v in EIGENVALUES.values()])
    together = quick_jit(jax.vmap(functions.symmetric_log))(batch)
    one = quick_jit(functions.symmetric_log)
    for a, log in zip(batch, together, strict=True):
        assert_allclose(one(a), log, atol=1e-14)


def test_what_has_no_logarithm_is_nan() -> None:
    assert np.isnan(quick_jit(functions.symmetric_log)(np.diag([1.0, -1.0, 2.0]))).any()


def test_tensors_of_a_point_are_those_of_arrays() -> None:
    a = np.random.default_rng(1).standard_normal((3, 3))
    v = mandel.to_mandel(a)
    assert_allclose(mandel_of(jnp.asarray(a)), v, rtol=1e-15)
    assert_allclose(matrix_of(jnp.asarray(v)), mandel.from_mandel(v), rtol=1e-15)
    assert_allclose(determinant(jnp.asarray(a)), np.linalg.det(a), rtol=1e-13)
    assert_allclose(inverse(jnp.asarray(a)), np.linalg.inv(a), rtol=1e-12)
    assert_allclose(cofactor(jnp.asarray(a)), np.linalg.det(a) * np.linalg.inv(a).T, rtol=1e-12)
    assert_allclose(product(jnp.asarray(a), jnp.asarray(a.T)), a @ a.T, rtol=1e-13)

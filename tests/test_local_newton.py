"""Roots of a few unknowns at one point: they are roots, their derivatives are exact, failures are told, never NaN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from scalebridge.numerics.dense_elimination import solve_dense
from scalebridge.numerics.local_newton import LocalRoot, find_local_root


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("k", [1, 2, 3, 7, 12])
def test_small_systems_are_solved_like_lapack(k: int) -> None:
    rng = np.random.default_rng(k)
    matrices, right = rng.standard_normal((50, k, k)), rng.standard_normal((50, k, 2))
    matrices[:, 0, 0] = 0.0 if k > 1 else 1.0  # nothing works without pivoting
    found = jax.jit(jax.vmap(solve_dense))(matrices, right)
    assert_allclose(matrices @ np.asarray(found), right, atol=1e-10)
    assert_allclose(solve_dense(jnp.asarray(matrices[0]), jnp.asarray(right[0, :, 1])), found[0, :, 1])


@pytest.mark.parametrize("entry", [0.0, np.nan, np.inf])
def test_a_singular_system_stays_finite(entry: float) -> None:
    matrix = jnp.array([[entry, 0.0], [0.0, 2.0]])
    found = solve_dense(jnp.where(jnp.isfinite(matrix), matrix, 0.0), jnp.array([1.0, 4.0]))
    assert_allclose(found[1], 2.0)
    assert np.isfinite(found[0])


def cube_root(a: jax.Array) -> LocalRoot:
    return find_local_root(lambda x: x**3 - a, jnp.array([1.0]))


def circle_and_hyperbola(a: jax.Array) -> LocalRoot:
    """x^2 + y^2 = a, x y = 1: x + y = sqrt(a + 2), x - y = sqrt(a - 2)."""
    return find_local_root(
        lambda x: jnp.stack([x[0] ** 2 + x[1] ** 2 - a, x[0] * x[1] - 1.0]), jnp.array([3.0, 0.5])
    )


def test_derivatives_of_a_root_are_those_of_the_formula() -> None:
    a = jnp.array(2.7)

    def value(a: jax.Array) -> jax.Array:
        return cube_root(a).value[0]

    assert_allclose(value(a), 2.7 ** (1 / 3), rtol=1e-12)
    assert_allclose(jax.jacfwd(value)(a), 2.7 ** (-2 / 3) / 3, rtol=1e-11)
    assert_allclose(jax.jacfwd(jax.jacfwd(value))(a), -2 * 2.7 ** (-5 / 3) / 9, rtol=1e-10)
    assert_allclose(jax.grad(value)(a), 2.7 ** (-2 / 3) / 3, rtol=1e-11)  # backwards it works, too


def test_a_batch_is_one_by_one_with_derivatives() -> None:
    a = np.linspace(2.1, 90.0, 23)

    def with_derivative(a: jax.Array) -> tuple[Any, Any]:
        def value(a: jax.Array) -> tuple[Any, Any]:
            root = circle_and_hyperbola(a)
            return root.value, root

        slope, root = jax.jacfwd(value, has_aux=True)(a)
        return root, slope

    roots, slopes = jax.jit(jax.vmap(with_derivative))(a)
    assert np.all(roots.converged)
    total, difference = np.sqrt(a + 2), np.sqrt(a - 2)
    assert_allclose(roots.value[:, 0], (total + difference) / 2, rtol=1e-11)
    assert_allclose(slopes[:, 0], (1 / total + 1 / difference) / 4, rtol=1e-9)
    assert_allclose(roots.value[4], circle_and_hyperbola(jnp.asarray(a[4])).value, rtol=1e-14)
    assert len(set(np.asarray(roots.steps).tolist())) > 1, "all points took the same number of steps"


def test_newton_that_would_overshoot_is_held_back() -> None:
    # Plain Newton diverges for the arc tangent from |x| > 1.39, and leaves the domain of the logarithm.
    root = find_local_root(lambda x: jnp.arctan(x), jnp.array([20.0]))
    assert bool(root.converged)
    assert_allclose(root.value, 0.0, atol=1e-12)
    root = find_local_root(lambda x: jnp.log(x) + 3.0, jnp.array([5.0]))
    assert bool(root.converged)
    assert_allclose(root.value, np.exp(-3.0), rtol=1e-11)


def test_quadratic_convergence() -> None:
    assert int(cube_root(jnp.array(1.5)).steps) <= 7


@pytest.mark.parametrize(
    "residual",
    [
        lambda x: x**2 + 1.0,  # no real root
        lambda x: 0.0 * x + 1.0,  # a Jacobian of zero
        lambda x: jnp.log(x - 100.0),  # not defined where it starts
        lambda x: x * jnp.nan,
    ],
    ids=["none", "flat", "undefined", "nan"],
)
def test_where_there_is_no_root_it_says_so_in_finite_numbers(residual: Any) -> None:
    def value(a: jax.Array) -> tuple[Any, Any]:
        root = find_local_root(lambda x: residual(x + 0 * a), jnp.array([2.0]))
        return root.value, root

    slope, root = jax.jacfwd(value, has_aux=True)(jnp.array(1.0))
    assert not bool(root.converged)
    assert np.all(np.isfinite(root.value))
    assert np.all(np.isfinite(slope))


def test_round_off_that_cannot_be_lowered_counts_as_solved() -> None:
    root = find_local_root(lambda x: 1e6 * ((x - 1.0) ** 3 + x - 1.0 / 3.0 + 1e8 - 1e8), jnp.array([0.9]))
    assert bool(root.converged)
    assert np.isfinite(root.value[0])


def test_one_point_without_a_root_does_not_spoil_the_others() -> None:
    a = np.array([2.0, -1.0, 9.0])
    roots = jax.vmap(lambda a: find_local_root(lambda x: x**2 - a, jnp.array([1.0])))(a)
    assert np.asarray(roots.converged).tolist() == [True, False, True]
    assert_allclose(roots.value[[0, 2], 0], np.sqrt(a[[0, 2]]), rtol=1e-12)

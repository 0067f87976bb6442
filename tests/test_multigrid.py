"""The seven-point operator, its coarsening and the preconditioner, against dense matrices."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from scalebridge.numerics import multigrid


def random_faces(shape: tuple[int, ...], periodic: tuple[bool, ...], seed: int, voids: float = 0.0) -> tuple:
    rng = np.random.default_rng(seed)
    faces = []
    for axis, wraps in enumerate(periodic):
        form = list(shape)
        form[axis] += 1
        t = rng.uniform(0.5, 2.0, form) * (rng.random(form) >= voids)
        t = np.moveaxis(t, axis, 0)
        if wraps:
            t[-1] = t[0]
        faces.append(jnp.asarray(np.moveaxis(t, 0, axis), jnp.float32))
    return tuple(faces)


CASES = [
    ((5, 6, 7), (False, False, False)),
    ((4, 5, 6), (True, True, True)),
    ((9, 3, 1), (True, False, True)),
    ((11, 14), (True, True)),
    ((13, 2), (False, True)),
    ((1, 1), (True, True)),
]


@pytest.mark.parametrize(("shape", "periodic"), CASES)
def test_operator_is_the_dense_matrix(shape: tuple[int, ...], periodic: tuple[bool, ...]) -> None:
    faces = random_faces(shape, periodic, 1)
    operator = multigrid.face_operator(faces, periodic)
    u = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    matrix = multigrid.dense_matrix(tuple(np.asarray(t) for t in faces), periodic)
    image = np.asarray(multigrid.apply(operator, jnp.asarray(u)))
    assert_allclose(image.ravel(), matrix @ u.ravel().astype(float), atol=1e-4)
    assert_allclose(matrix, matrix.T)


def test_prolongation_is_the_transpose_of_restriction() -> None:
    rng = np.random.default_rng(3)
    for shape, merged in (
        ((5, 6, 7), (True, True, True)),
        ((4, 7), (False, True)),
        ((6, 1, 5), (True, False, True)),
    ):
        fine = rng.standard_normal(shape).astype(np.float32)
        coarse_shape = tuple((n + 1) // 2 if m else n for n, m in zip(shape, merged, strict=True))
        coarse = rng.standard_normal(coarse_shape).astype(np.float32)
        down = np.asarray(multigrid.restrict(jnp.asarray(fine), merged))
        up = np.asarray(multigrid.prolong(jnp.asarray(coarse), shape, merged))
        assert down.shape == coarse_shape
        assert_allclose(np.vdot(down, coarse), np.vdot(fine, up), rtol=1e-4)


def test_a_coarse_homogeneous_grid_is_the_grid_of_twice_the_spacing() -> None:
    # t = k A / h doubles in 3-D when h does, also on the outer half-cell faces.
    inner_face = [np.ones(tuple(n + (a == b) for b, n in enumerate((8, 4, 6)))) for a in range(3)]
    inner_face[0][[0, -1]] = 2.0
    coarse = multigrid.coarsen_faces(tuple(jnp.asarray(t, jnp.float32) for t in inner_face), (True,) * 3)
    for a, t in enumerate(coarse):
        assert t.shape == tuple(n // 2 + (a == b) for b, n in enumerate((8, 4, 6)))
        assert_allclose(np.asarray(t)[1:-1] if a == 0 else np.asarray(t), 2.0)
    assert_allclose(np.asarray(coarse[0])[[0, -1]], 4.0)


@pytest.mark.parametrize("periodic", [(False,) * 3, (True,) * 3, (False, True, True)])
@pytest.mark.parametrize("voids", [0.0, 0.5])
def test_preconditioner_is_symmetric_and_positive(
    periodic: tuple[bool, ...], voids: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (8, 9, 7)
    monkeypatch.setattr(multigrid, "COARSEST_CELLS", 60)
    plan = multigrid.merging_plan(shape, (1.0, 1.0, 1.0))
    assert len(plan) == 2, "the test must reach a coarse level that is smoothed and one that is solved"
    faces = random_faces(shape, periodic, 4, voids)
    finest = multigrid.face_operator(faces, periodic)
    tree = multigrid.hierarchy(multigrid.coarsen(finest, plan), plan)
    size = math.prod(shape)
    columns = jax.jit(jax.vmap(lambda r: multigrid.v_cycle(tree, r).reshape(-1)))
    inverse = np.asarray(columns(jnp.eye(size, dtype=jnp.float32).reshape(size, *shape)), float)
    scale = np.abs(inverse).max()
    assert_allclose(inverse, inverse.T, atol=1e-5 * scale)
    matrix = multigrid.dense_matrix(tuple(np.asarray(t) for t in faces), periodic)
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.maximum(values, 0))
    spectrum = np.linalg.eigvalsh(root.T @ (inverse + inverse.T) / 2 @ root)
    rank = int(np.sum(values > 1e-10))
    assert spectrum[-rank] > 0.05, "an error is (almost) not seen"
    assert spectrum[-1] < 3.0, "an error is overshot"


def test_weakly_coupled_axes_wait() -> None:
    assert multigrid.axes_to_merge((8, 8, 8), (1.0, 1.0, 0.01)) == (True, True, False)
    assert multigrid.axes_to_merge((8, 1, 8), (1.0, 9.0, 1.0)) == (True, False, True)
    plan = multigrid.merging_plan((64, 64, 64), (1.0, 1.0, 1 / 64))
    assert plan[0] == (True, True, False)
    assert plan[-1] == (True, True, True)


def test_conjugate_gradients_find_the_solution_and_the_energy() -> None:
    shape, periodic = (12, 10, 9), (False, True, False)
    faces = random_faces(shape, periodic, 5)
    plan = multigrid.merging_plan(shape, (1.0, 1.0, 1.0))
    finest = multigrid.face_operator(faces, periodic)
    tree = multigrid.hierarchy(multigrid.coarsen(finest, plan), plan)
    b = np.random.default_rng(6).standard_normal(shape)
    exact = np.linalg.solve(multigrid.dense_matrix(tuple(np.asarray(t) for t in faces), periodic), b.ravel())
    heard: list[tuple[int, float]] = []
    with jax.enable_x64(True):
        state = multigrid.start(jnp.asarray(b, jnp.float32))
        goal = 1e-10 * float(b.ravel() @ b.ravel())
        state = multigrid.iterate(tree, state, goal, 0.0, 1.0, 60, lambda n, s: heard.append((n, s)))
        energy, steps = float(state.energy), int(state.step)
        x = np.asarray(state.solution)
    assert steps <= 15
    assert heard[-1][0] == steps
    assert heard[-1][1] <= goal
    assert_allclose(x.ravel(), exact, atol=1e-4 * np.abs(exact).max())
    assert energy == pytest.approx(exact @ b.ravel(), rel=1e-5)


def test_a_double_precision_solution_keeps_the_recursion_true() -> None:
    shape, periodic = (96, 40), (False, True)
    faces = random_faces(shape, periodic, 7)
    plan = multigrid.merging_plan(shape, (1.0, 1.0))
    tree = multigrid.hierarchy(multigrid.coarsen(multigrid.face_operator(faces, periodic), plan), plan)
    matrix = multigrid.dense_matrix(tuple(np.asarray(t) for t in faces), periodic)
    b = np.zeros(shape, np.float32)
    b[0], b[-1] = 1.0, -1.0
    strayed = {}
    with jax.enable_x64(True):
        for precision in (jnp.float32, jnp.float64):
            begin = multigrid.start(jnp.asarray(b), precision)
            state = multigrid.iterate(tree, begin, (2e-7) ** 2 * 80, 0.0, 1.0, 60, lambda n, s: None)
            assert state.solution.dtype == precision
            x = np.asarray(state.solution, float)
            strayed[precision] = np.linalg.norm(b.ravel() - matrix @ x.ravel()) / (2e-7 * np.linalg.norm(b))
    assert strayed[jnp.float64] < 2 < strayed[jnp.float32], strayed

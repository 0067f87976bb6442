"""That shapes and types are checked at every call while tests run, and that the package can do without."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import beartype
import beartype.roar
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

import shape_checks
from scalebridge.cell.nonlinear.control import Control, cauchy_stress
from scalebridge.homogenize.bounds import voigt_average
from scalebridge.homogenize.thermal import uniform_strain
from scalebridge.material.plane import PlaneState, plane_derivative
from scalebridge.numerics.dense_elimination import solve_dense
from scalebridge.numerics.mandel import dimension_of_components, isotropic_stiffness, stress_to_voigt

if TYPE_CHECKING:
    from jaxtyping import Float, Integer

STIFFNESSES = np.stack([np.eye(6), 2 * np.eye(6)])


def checked(function: Callable[..., Any]) -> Any:
    """What the import hook makes of a function of the package."""
    return shape_checks.checked(typechecker=beartype.beartype)(function)


def test_what_fits_is_let_through() -> None:
    np.testing.assert_allclose(voigt_average(STIFFNESSES, np.array([0.5, 0.5])), 1.5 * np.eye(6))
    np.testing.assert_allclose(cauchy_stress(np.ones((2, 9)), np.tile(np.eye(3).reshape(-1), (2, 1))), 1.0)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: voigt_average(STIFFNESSES, np.ones(3) / 3), id="one fraction too many"),
        pytest.param(lambda: voigt_average(STIFFNESSES[0], np.ones(1)), id="an axis is missing"),
        pytest.param(lambda: voigt_average(STIFFNESSES[:, :, :3], np.ones(2) / 2), id="not square"),
        pytest.param(lambda: uniform_strain(STIFFNESSES, np.zeros((2, 3))), id="3-D beside 2-D"),
        pytest.param(lambda: cauchy_stress(np.ones((2, 9)), np.ones((3, 9))), id="other cells"),
        pytest.param(
            lambda: plane_derivative(np.ones((4, 6, 6)), np.ones((5, 6, 6)), PlaneState.STRAIN),
            id="other batch",
        ),
        pytest.param(lambda: solve_dense(jnp.eye(3), jnp.ones(4)), id="a right side of another size"),
        pytest.param(lambda: stress_to_voigt(np.array(["stress"] * 6)), id="not numbers"),
        pytest.param(
            lambda: Control.of(np.array([True, False])).gap(
                np.ones((2, 2)), np.ones((2, 2)), np.ones((1, 2))
            ),
            id="a method, and what would be broadcast",
        ),
    ],
)
def test_axes_of_one_letter_must_agree(call: Callable[[], Any]) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        call()


def test_axes_are_compared_within_a_call_and_not_between_calls() -> None:
    for phases in (1, 2, 3):
        assert voigt_average(np.ones((phases, 2, 2)), np.ones(phases) / phases).shape == (2, 2)


def test_what_is_returned_is_checked_too() -> None:
    @checked
    def halves(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return values[::2]

    assert halves(np.ones(1)).shape == (1,)
    with pytest.raises(jaxtyping.TypeCheckError):
        halves(np.ones(4))


def test_numbers_are_told_from_labels() -> None:
    @checked
    def count(labels: Integer[np.ndarray, " n"]) -> int:
        return len(labels)

    assert count(np.zeros(3, np.uint8)) == 3
    with pytest.raises(jaxtyping.TypeCheckError):
        count(np.zeros(3))


def test_types_of_functions_without_shapes_are_checked() -> None:
    assert dimension_of_components(6) == 3
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        dimension_of_components("6")
    with pytest.raises(jaxtyping.TypeCheckError):  # the types beside a shape, too
        isotropic_stiffness("1", 1.0)

    @checked
    def named(name: str) -> int:
        return len(name)

    assert named("steel") == 5
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        named(5)  # type: ignore[arg-type]


def test_a_closure_is_checked_when_it_is_first_made() -> None:
    def make() -> Callable[[Any], float]:
        @checked
        def closure(values: Float[np.ndarray, " n"]) -> float:
            return float(values.sum())

        return closure

    with pytest.raises(jaxtyping.TypeCheckError):
        make()(np.ones((2, 2)))
    assert make()(np.ones((2, 2))) == 4.0  # it cost 1 ms to look again at the same lines


def test_a_name_that_is_known_to_the_type_checker_only_is_not_checked() -> None:
    @checked
    def lenient(first: Nowhere, second: int) -> int:  # type: ignore[name-defined]
        return second

    assert lenient("anything", 2) == 2
    with pytest.raises(beartype.roar.BeartypeCallHintViolation):
        lenient("anything", "2")


def test_a_function_of_the_package_keeps_name_and_text() -> None:
    assert voigt_average.__name__ == "voigt_average"
    assert "stiffest" in (voigt_average.__doc__ or "")


def test_the_package_itself_does_without_the_names_of_shapes() -> None:
    program = (
        "import sys, numpy as np, scalebridge.homogenize.bounds as bounds\n"
        "assert not hasattr(bounds, 'Float') and not hasattr(bounds, 'Num'), vars(bounds).keys()\n"
        "assert 'beartype' not in sys.modules\n"
        "assert 'Float[' in bounds.voigt_average.__annotations__['return']\n"
        "print(bounds.voigt_average([[[1.0]], [[3.0]]], [0.5, 0.5]).tolist())\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[[2.0]]"

"""The boundary term of the budget: laboratory set-ups beside periodic, kinematic and static conditions."""

from __future__ import annotations

import numpy as np
import pytest

from cells import image, layers
from scalebridge.cell.boundary import (
    AbstractBoundary,
    KinematicUniform,
    OppositeFaces,
    Periodic,
    Platens,
    Sides,
    StaticUniform,
)
from scalebridge.core.errors import InputError
from scalebridge.homogenize.driver import homogenize
from scalebridge.homogenize.json_record import to_json
from scalebridge.homogenize.spread import shown_between_faces
from scalebridge.material import Conduction, Elasticity
from scalebridge.material.law import AbstractLaw

FLAT = (8, 6)
OTHERS: tuple[AbstractBoundary, ...] = (Periodic(), KinematicUniform(), StaticUniform())
ALONG_Y = OppositeFaces(1)
OEDOMETER = OppositeFaces(1, Platens.SMOOTH, Sides.SYMMETRIC)


def laws(elastic: bool, first: float = 1.0, second: float = 6.0) -> dict[int, AbstractLaw]:
    if elastic:
        return {0: Elasticity.isotropic(E=first, nu=0.3), 1: Elasticity.isotropic(E=second, nu=0.2)}
    return {0: Conduction.isotropic(k=first), 1: Conduction.isotropic(k=second)}


def speckled(shape: tuple[int, ...] = FLAT, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(np.uint8)


both = pytest.mark.parametrize("elastic", [False, True], ids=["conduction", "elasticity"])
SETUPS = [(False, ALONG_Y), (True, ALONG_Y), (True, OEDOMETER)]
setups = pytest.mark.parametrize(("elastic", "setup"), SETUPS, ids=["conduction", "free", "symmetric"])


def test_a_homogeneous_specimen_shows_the_usual_moduli() -> None:
    stiffness = Elasticity.isotropic(E=3.0, nu=0.2).tensor
    assert shown_between_faces(stiffness, OppositeFaces(2), True) == pytest.approx(3.0)
    held = OppositeFaces(2, Platens.SMOOTH, Sides.SYMMETRIC)
    assert shown_between_faces(stiffness, held, True) == pytest.approx(stiffness[2, 2])
    skew = np.array([[2.0, 0.5], [0.5, 1.0]])
    assert shown_between_faces(skew, OppositeFaces(0), False) == pytest.approx(1 / np.linalg.inv(skew)[0, 0])
    assert shown_between_faces(np.diag([2.0, 0.0]), OppositeFaces(0), False) == 2.0
    assert shown_between_faces(np.zeros((3, 3)), OppositeFaces(0), True) == 0.0


def test_conditions_agree_on_a_homogeneous_conductor() -> None:
    flat = image(np.zeros(FLAT, np.uint8))
    result = homogenize(flat, {0: Conduction.isotropic(k=2.0)}, boundary=ALONG_Y, conditions=OTHERS)
    assert result.error["boundary"].value == pytest.approx(0.0, abs=1e-6)


@setups
def test_faces_take_part_in_the_spread_in_both_directions(elastic: bool, setup: OppositeFaces) -> None:
    labels, given = image(speckled()), laws(elastic)

    def solved(boundary: AbstractBoundary, *conditions: AbstractBoundary):
        return homogenize(labels, given, boundary=boundary, conditions=conditions, residual=1e-8)

    tensors = [solved(other).value for other in OTHERS]
    numbers = [shown_between_faces(tensor, setup, elastic) for tensor in tensors]
    found = solved(setup, *OTHERS)
    # The comparison stays within one discretization: the elements, also where the value is that of finite volumes.
    own = (found.value if elastic else found.bracket.upper).item()  # type: ignore[union-attr]
    expected = max(abs(number - own) / own for number in numbers)
    assert found.error["boundary"].value == pytest.approx(expected, rel=1e-5)
    against = solved(Periodic(), setup)
    there = abs(own - numbers[0]) / numbers[0]
    assert against.error["boundary"].value == pytest.approx(there, rel=1e-4)
    assert found.error["boundary"].value > 1e-3
    words = found.error["boundary"].how
    assert all(name in words for name in ("periodic", "kubc", "subc"))
    assert to_json(found)["error"]["boundary"] == pytest.approx(found.error["boundary"].value)
    assert "faces along y" in against.error["boundary"].how


def test_static_faces_kinematic_are_ordered() -> None:
    """Insulated sides and held faces lie between uniform flux and uniform gradient on the whole boundary."""
    labels = image(speckled((9, 7), 3))
    crooked = {0: Conduction.anisotropic([[1.0, 0.2], [0.2, 2.0]]), 1: Conduction.isotropic(k=9.0)}
    stiff, soft, between = (
        homogenize(labels, crooked, boundary=b, residual=1e-8).value
        for b in (KinematicUniform(), StaticUniform(), OppositeFaces(0))
    )
    assert 1 / np.linalg.inv(soft)[0, 0] < between.item() < stiff[0, 0]


@both
def test_what_does_not_carry_is_compared_as_zero(elastic: bool) -> None:
    cut = image(layers((6, 8), 1, [0, 1, 1, 0, 0, 0, 0, 0]))
    void = Elasticity.void() if elastic else Conduction.void()
    result = homogenize(
        cut, {0: laws(elastic)[0], 1: void}, boundary=OppositeFaces(1), conditions=(Periodic(),)
    )
    assert result.value.item() == 0.0
    assert result.error["boundary"].value == 0.0


def test_nothing_is_compared_unless_asked_for() -> None:
    result = homogenize(image(speckled()), laws(False), boundary=ALONG_Y, conditions=(ALONG_Y,))
    assert result.error["boundary"].value is None
    assert "Not assessed" in result.error["boundary"].how


def test_set_ups_along_different_axes_are_not_compared() -> None:
    with pytest.raises(InputError, match="along y and along x measure different components"):
        homogenize(image(speckled()), laws(False), boundary=ALONG_Y, conditions=(OppositeFaces(0),))

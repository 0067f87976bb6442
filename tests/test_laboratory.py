"""Between two faces: what is not there is null and said so, and moduli between platens have bounds."""

from __future__ import annotations

import numpy as np
import pytest

from cells import image, layers
from homogenize_cases import checkered, laws_of, solid, strict_record
from scalebridge.cell.boundary import OppositeFaces, Platens, Sides
from scalebridge.core.status import Status
from scalebridge.homogenize.driver import homogenize
from scalebridge.homogenize.laboratory import platen_bounds
from scalebridge.homogenize.result import TensorBounds

SHAPE = (6, 4)
SET_UPS = [OppositeFaces(0, platens, sides) for platens in Platens for sides in Sides]


def set_up(boundary: OppositeFaces) -> str:
    return f"{boundary.platens.value} {boundary.sides.value}"


@pytest.mark.parametrize("elastic", [False, True], ids=["conduction", "elasticity"])
def test_a_cut_between_the_faces_is_null_with_a_warning(elastic: bool) -> None:
    cut = image(layers(SHAPE, 0, [0, 0, 1, 1, 0, 0]))
    result = homogenize(cut, laws_of(elastic, 2.0, 0.0), boundary=OppositeFaces(0))
    record = strict_record(result)
    assert record["value"] == 0.0
    assert any("Nothing connects the two faces along x" in words for words in result.warnings)
    if elastic:
        assert "tortuosity" not in record
        return
    assert record["tortuosity"] is None
    assert record["formation_factor"] is None
    assert "does not connect" in record["reasons"]["tortuosity"]  # type: ignore[index]
    assert "no tortuosity exists" in " ".join(result.warnings)
    assert result.status is Status.CONVERGED


def test_where_two_phases_conduct_there_is_no_tortuosity_to_be_null() -> None:
    both = homogenize(image(checkered(SHAPE)), laws_of(False, 2.0, 1.0), boundary=OppositeFaces(0))
    assert "tortuosity" not in both.extra
    assert not any("connects" in words for words in both.warnings)
    path = homogenize(
        image(layers(SHAPE, 1, [0, 1, 1, 0])), laws_of(False, 2.0, 0.0), boundary=OppositeFaces(0)
    )
    assert path.extra["tortuosity"] == pytest.approx(1.0, rel=1e-6)
    assert path.warnings == ()


def test_a_material_without_obstacles_has_the_tortuosity_one() -> None:
    whole = homogenize(
        image(np.zeros(SHAPE, int)), {0: laws_of(False, 2.0, 1.0)[0]}, boundary=OppositeFaces(1)
    )
    assert (whole.extra["tortuosity"], whole.extra["formation_factor"]) == (1.0, 1.0)


@pytest.mark.parametrize("boundary", SET_UPS, ids=set_up)
@pytest.mark.parametrize("soft", [0.0, 0.5], ids=["void", "soft"])
def test_the_modulus_between_platens_lies_between_its_bounds(boundary: OppositeFaces, soft: float) -> None:
    labels = checkered(SHAPE, seed=3)
    labels[:, 1] = 0  # a column that carries from face to face
    laws = {0: solid(3.0, 0.25), 1: solid(soft, 0.4 if soft else 0.3)}
    result = homogenize(image(labels), laws, boundary=boundary, residual=1e-7)
    record = strict_record(result)
    low, high = record["bounds"]["reuss"], record["bounds"]["voigt"]  # type: ignore[index]
    assert isinstance(low, float)
    assert low <= record["value"] * (1 + 1e-6)  # type: ignore[operator]
    assert record["value"] <= high * (1 + 1e-6)  # type: ignore[operator]
    assert record["bounds"]["hashin_shtrikman"] is None  # type: ignore[index]
    assert (low == pytest.approx(0.0, abs=1e-12)) is (soft == 0.0)


def test_bounds_between_platens_meet_where_the_specimen_is_uniform() -> None:
    """Three dimensions, isotropic: E with free sides, the oedometric modulus with symmetric ones."""
    young, nu = 7.0, 0.3
    stiffness = solid(young, nu).tensor
    bounds = TensorBounds(stiffness, stiffness, None)
    oedometric = young * (1 - nu) / ((1 + nu) * (1 - 2 * nu))
    expected = {
        (Platens.SMOOTH, Sides.FREE): (young, young),
        (Platens.CLAMPED, Sides.FREE): (young, oedometric),
        (Platens.SMOOTH, Sides.SYMMETRIC): (oedometric, oedometric),
        (Platens.CLAMPED, Sides.SYMMETRIC): (oedometric, oedometric),
    }
    for (platens, sides), (low, high) in expected.items():
        found = platen_bounds(bounds, OppositeFaces(1, platens, sides), 3)
        assert found.reuss.item() == pytest.approx(low, rel=1e-12)
        assert found.voigt.item() == pytest.approx(high, rel=1e-12)
    assert np.shape(found.voigt) == (1, 1)

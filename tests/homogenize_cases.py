"""Small images, laws and conditions that the tests of `homogenize` share."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalebridge.cell.boundary import (
    AbstractBoundary,
    KinematicUniform,
    OppositeFaces,
    Periodic,
    Platens,
    Sides,
    StaticUniform,
)
from scalebridge.core.units import Uncertain
from scalebridge.homogenize.json_record import to_json
from scalebridge.homogenize.result import HomogenizationResult
from scalebridge.material import Conduction, Elasticity
from scalebridge.material.law import AbstractLaw

# Few shapes in all: every new one is compiled anew.
FLAT, SOLID = (6, 4), (4, 5, 3)
TENSORS = (Periodic(), KinematicUniform(), StaticUniform())
ALL_CONDITIONS = (*TENSORS, OppositeFaces(0), OppositeFaces(1, Platens.SMOOTH, Sides.SYMMETRIC))


def name_of(boundary: AbstractBoundary) -> str:
    return boundary.name + ("" if not isinstance(boundary, OppositeFaces) else "xyz"[boundary.axis])


def k(value: float | Uncertain) -> Conduction:
    return Conduction.isotropic(value) if value != 0 else Conduction.void()


def solid(modulus: float | Uncertain, nu: float = 0.3) -> Elasticity:
    return Elasticity.isotropic(E=modulus, nu=nu) if modulus != 0 else Elasticity.void()


def laws_of(elastic: bool, *values: float) -> dict[int, AbstractLaw]:
    return {label: (solid if elastic else k)(value) for label, value in enumerate(values)}


def checkered(shape: tuple[int, ...], phases: int = 2, seed: int = 1) -> np.ndarray:
    """A random image in which every label occurs."""
    labels = np.random.default_rng(seed).integers(0, phases, shape).astype(np.uint8)
    labels.reshape(-1)[:phases] = np.arange(phases)
    return labels


def strict_record(result: HomogenizationResult) -> dict[str, object]:
    """The record as JSON without NaN; every rendering of the result must work too."""
    assert str(result)
    assert result._repr_html_()
    return json.loads(json.dumps(to_json(result), allow_nan=False))


both = pytest.mark.parametrize("elastic", [False, True], ids=["conduction", "elasticity"])
every_condition = pytest.mark.parametrize("boundary", ALL_CONDITIONS, ids=name_of)

"""The record for other programs: the contract's keys, strict JSON, Voigt with engineering shear."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from example_results import (
    EVERY_KIND,
    conduction_result,
    elasticity_result,
    faces_result,
    thermoelasticity_result,
)
from scalebridge.homogenize.json_record import plain, to_json

CONTRACT = {
    "schema",
    "physics",
    "quantity",
    "unit",
    "value",
    "error",
    "bracket",
    "bounds",
    "checks",
    "phases",
}
CONTRACT |= {"solver", "status", "warnings"}
ERRORS = {"algebraic", "discretization", "boundary", "parameters", "statistical", "total"}
SOLVER = {"iterations", "residual", "seconds", "compile_seconds", "device", "peak_bytes"}


@pytest.mark.parametrize("make", EVERY_KIND.values(), ids=EVERY_KIND.keys())
def test_the_contract_holds_for_every_kind(make) -> None:
    record = json.loads(json.dumps(to_json(make()), allow_nan=False))
    assert set(record) >= CONTRACT
    assert record["schema"] == "scalebridge.homogenize/1"
    assert set(record["error"]) == ERRORS
    assert record["error"]["statistical"] is None
    assert set(record["bounds"]) >= {"voigt", "reuss", "hashin_shtrikman"}
    assert set(record["checks"]) >= {"hill_mandel", "symmetry"}
    assert all(set(phase) >= {"label", "fraction", "percolates"} for phase in record["phases"])
    assert set(record["solver"]) >= SOLVER
    assert np.shape(record["bounds"]["voigt"]) == np.shape(record["value"])


def test_faces_give_a_number_and_the_tortuosity() -> None:
    record = to_json(faces_result())
    assert isinstance(record["value"], float)
    assert isinstance(record["bounds"]["voigt"], float)
    assert record["tortuosity"] == 1.187
    assert record["axis"] == "x"
    assert record["bracket"] is None


def test_stiffness_acts_on_engineering_shear() -> None:
    """sigma = C gamma gives the stress that the Mandel matrix gives, for any strain."""
    rng = np.random.default_rng(3)
    mandel = rng.normal(size=(6, 6))  # all entries different, no symmetry to hide behind
    result = dataclasses.replace(elasticity_result(fields=False), value=mandel)
    strain = rng.normal(size=(3, 3))
    strain = strain + strain.T
    order = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    root = np.array([1, 1, 1, np.sqrt(2), np.sqrt(2), np.sqrt(2)])
    stress = mandel @ (np.array([strain[p] for p in order]) * root) / root
    gamma = np.array([strain[p] * (1 if p[0] == p[1] else 2) for p in order])
    record = to_json(result)
    assert_allclose(np.array(record["value"]) @ gamma, stress, rtol=1e-12)
    assert record["ordering"] == ["xx", "yy", "zz", "yz", "xz", "xy"]


def test_plane_stiffness_has_three_rows() -> None:
    result = elasticity_result((18, 12), fields=False)
    record = to_json(result)
    assert record["ordering"] == ["xx", "yy", "xy"]
    assert record["value"][2][2] == pytest.approx(result.value[2, 2] / 2)
    assert record["plane"] == "strain"


def test_expansion_and_heat_free_stress_balance() -> None:
    """-C alpha in the components of the record: engineering shear makes the product consistent."""
    record = to_json(thermoelasticity_result())
    assert_allclose(
        record["heat_free_stress"], -np.array(record["value"]) @ np.array(record["expansion"]), rtol=1e-12
    )


def test_further_results_never_replace_the_contract() -> None:
    base = conduction_result(fields=False)
    record = to_json(dataclasses.replace(base, extra={"value": "forged", "status": 7, "tortuosity": 2.0}))
    assert record["value"] == base.value.tolist()
    assert record["status"] == "accuracy_not_met"
    assert record["tortuosity"] == 2.0


def test_what_is_not_finite_becomes_null() -> None:
    record = to_json(conduction_result(fields=False))
    assert record["formation_factor"][1:] == [None, None]  # None and infinity in the result


_leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.floats(width=32).map(np.float32)
)
_trees = st.recursive(
    _leaves,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
)


@given(_trees)
def test_anything_becomes_strict_json(tree) -> None:
    json.dumps(plain(tree), allow_nan=False)


def test_arrays_and_objects_become_strict_json() -> None:
    assert plain({"a": np.array([1.0, np.nan]), 2: {1}, "c": object}) == {
        "a": [1.0, None],
        "2": [1],
        "c": str(object),
    }

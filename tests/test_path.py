"""Loading paths: what is recorded of every increment, resuming with the same bits, error budget, stability."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from path_support import FREE, metal, porous, pull
from scalebridge.cell.boundary import KinematicUniform
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.cell.nonlinear.problem import NewtonKrylov
from scalebridge.core.checkpoint import AbstractStore, DirectoryStore
from scalebridge.core.errors import ConvergenceError, InputError
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.path import Moments, PathIncrement, PathResult, follow_path
from scalebridge.homogenize.path.driver import require_finite
from scalebridge.homogenize.path.exporters import to_csv, to_json
from scalebridge.homogenize.path.stability import least_ellipticity, least_stiffness, tangent_warnings
from scalebridge.material.kinematics import FINITE_STRAIN, SMALL_STRAIN
from scalebridge.material.laws import EnergyLaw
from scalebridge.numerics.mandel import isotropic_stiffness

LAWS = {0: metal(), 1: None}
LEGS = (pull(), Leg({}, {"xx": 0.0, **FREE}, 1.0, 2))


@pytest.fixture(scope="module")
def result() -> PathResult:
    return follow_path(porous(), LAWS, LEGS, tangent=Moments.ALWAYS, fields_at=Moments.END_OF_LEGS)


def end(result: PathResult, leg: int) -> PathIncrement:
    """The last increment of a leg; cuts make more increments than were asked for."""
    return [row for row in result.increments if row.leg == leg][-1]


def test_every_increment_balances(result: PathResult) -> None:
    assert [row.number for row in result.increments] == list(range(1, len(result.increments) + 1))
    assert (end(result, 0).time, end(result, 1).time) == (1.0, 2.0)
    assert result.status is Status.CONVERGED
    for row in result.increments:
        assert row.hill_mandel < 1e-8
        assert row.algebraic <= 1e-9
        assert_allclose(row.flux[1:], 0.0, atol=1e-7 * 1e8)
    dissipated = [row.dissipated for row in result.increments]
    assert np.all(np.diff(dissipated) >= 0)
    assert end(result, 0).dissipated > 0
    assert end(result, 0).dissipated == pytest.approx(dissipated[-1], rel=0.02)  # unloading is almost elastic
    # What is stored and dissipated is the work, but for the length of the increments.
    last = result.increments[-1]
    assert last.stored + last.dissipated == pytest.approx(last.work, rel=last.increment_size * 3)
    assert 0.001 < last.increment_size < 0.5


def test_shorter_increments_close_the_energy_balance(result: PathResult) -> None:
    finer = follow_path(porous(), LAWS, (pull(steps=16),), tangent=Moments.NEVER)
    assert finer.increments[-1].increment_size < 0.5 * end(result, 0).increment_size


def test_averages_over_phases_make_up_those_of_the_cell(result: PathResult) -> None:
    fractions = np.array([result.image.fractions[label] for label in result.image.present])
    for row in result.increments:
        assert_allclose(fractions @ row.phase_flux, row.flux, atol=1e-6 * np.abs(row.phase_flux).max())
        assert_allclose(fractions @ row.phase_drive, row.drive, atol=1e-12)
        assert_array_equal(row.phase_flux[1], 0.0)


def test_the_tangent_is_the_slope_of_the_curve(result: PathResult) -> None:
    """In elastic unloading the curve is straight: its slope is the inverse of the compliance's entry."""
    before, after = result.increments[-2:]
    assert before.tangent is not None
    slope = (after.flux[0] - before.flux[0]) / (after.drive[0] - before.drive[0])
    assert slope == pytest.approx(1 / np.linalg.inv(before.tangent)[0, 0], rel=1e-5)


def test_fields_average_to_the_curve(result: PathResult) -> None:
    assert list(result.fields) == [end(result, 0).number, end(result, 1).number]
    row = end(result, 0)
    fields = result.fields[row.number]
    assert_allclose(fields.flux.reshape(6, -1).mean(axis=1), row.flux, atol=1e-5 * 1e8)
    assert_allclose(fields.drive.reshape(6, -1).mean(axis=1), row.drive, atol=1e-8)
    assert fields.primary.shape == (3, 5, 5, 5)
    assert fields.internal["accumulated"].shape == (4, 4, 4)
    assert fields.internal["accumulated"].max() > 0
    assert fields.internal["plastic strain"].shape == (6, 4, 4, 4)
    assert not fields.internal["accumulated"][result.image.labels == 1].any()
    # Opposite faces move apart by the macroscopic strain times the edge.
    apart = fields.primary[0, -1] - fields.primary[0, 0]
    assert_allclose(apart, row.drive[0] * 4e-6, rtol=1e-3)
    with pytest.raises(KeyError):
        result.fields[1]


def test_the_record_is_whole(result: PathResult) -> None:
    record = to_json(result)
    assert {"schema", "status", "increments", "phases", "legs", "error", "warnings", "provenance"} <= set(
        record
    )
    first = record["increments"][0]
    assert {"drive", "flux", "tangent", "stored", "dissipated", "work", "newton", "phases", "error"} <= set(
        first
    )
    assert first["error"]["resolution"] is None
    lines = to_csv(result).splitlines()
    assert len(lines) == 1 + len(result.increments)
    last = end(result, 0)
    head = lines[0].split(",")
    row = dict(zip(head, lines[last.number].split(","), strict=True))
    assert float(row["e_xx"]) == pytest.approx(0.005)
    assert float(row["s_xx"]) == last.flux[0]
    assert float(row["ds_xy/de_xy"]) == pytest.approx(last.tangent[5, 5] / 2)
    assert "s_xx in 1" in head
    assert "increment size" in repr(result)


class Killed(Exception):
    """Stands for the end of the process."""


class FragileStore(AbstractStore):
    """Fails at the n-th thing to be kept."""

    def __init__(self, store: AbstractStore, after: int) -> None:
        self.store, self.left = store, after

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        return self.store.get(key)

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed
        self.store.put(key, arrays)


@pytest.mark.parametrize("after", [1, 4, 5, 9])
def test_a_killed_path_goes_on_with_the_same_bits(result: PathResult, tmp_path: Path, after: int) -> None:
    how = {"tangent": Moments.ALWAYS, "fields_at": Moments.END_OF_LEGS}
    with pytest.raises(Killed):
        follow_path(porous(), LAWS, LEGS, **how, store=FragileStore(DirectoryStore(tmp_path), after))
    again = follow_path(porous(), LAWS, LEGS, **how, store=DirectoryStore(tmp_path))
    assert to_csv(again) == to_csv(result)
    for number in result.fields:
        assert_array_equal(again.fields[number].flux, result.fields[number].flux)


@pytest.mark.parametrize(
    ("different", "change"),
    [
        ("microstructure", {"image": porous(5)}),
        ("laws", {"laws": {0: metal(2e8), 1: None}}),
        ("legs", {"legs": (pull(0.006),)}),
        ("boundary condition", {"boundary": KinematicUniform()}),
        ("method", {"method": NewtonKrylov(tolerance=1e-6)}),
        ("files", {"origin": {"law of label 0": "another hash"}}),
    ],
)
def test_a_store_of_something_else_is_refused(tmp_path: Path, different: str, change: dict) -> None:
    store = DirectoryStore(tmp_path)
    with pytest.raises(Killed):
        follow_path(porous(), LAWS, LEGS, store=FragileStore(store, 3))
    arguments = {"image": porous(), "laws": LAWS, "legs": LEGS} | change
    with pytest.raises(InputError, match=rf"another path \(different: {different}\)"):
        follow_path(
            arguments.pop("image"), arguments.pop("laws"), arguments.pop("legs"), **arguments, store=store
        )


def test_a_state_without_its_rows_is_refused(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    with pytest.raises(Killed):
        follow_path(porous(), LAWS, LEGS, store=FragileStore(store, 4))
    store.path_of("increment 1").unlink()
    with pytest.raises(InputError, match="lacks its increment 1"):
        follow_path(porous(), LAWS, LEGS, store=store)


def test_a_path_that_finds_no_equilibrium_ends_early_and_says_so() -> None:
    strict = NewtonKrylov(tolerance=1e-9, steps=2)
    # Elastic first, which two steps solve; then yielding, which they do not.
    legs = (Leg({"xx": 0.0002}, FREE, 1.0, 1), Leg({"xx": 0.02}, FREE, 1.0, 1))
    found = follow_path(porous(), LAWS, legs, method=strict, tangent=Moments.NEVER)
    assert found.status is Status.MAX_STEPS
    assert "Increment" in found.reason
    assert found.increments
    assert "ended early" in repr(found)


def test_the_resolution_is_assessed_when_asked() -> None:
    labels = np.kron(np.array([[[0, 1], [1, 1]], [[1, 1], [1, 0]]], np.uint8), np.ones((4, 4, 4), np.uint8))
    image = PhaseImage(labels, VoxelGrid(labels.shape))
    laws = {0: metal(), 1: metal(2e8)}
    found = follow_path(image, laws, (pull(steps=2),), resolution=True, tangent=Moments.NEVER)
    assert found.resolution is not None
    assert 0 < found.resolution.max() < 0.2
    missed = follow_path(porous(), LAWS, (pull(steps=2),), accuracy=0.01, tangent=Moments.NEVER)
    assert missed.resolution is None  # too few voxels to coarsen: said, and not met
    assert missed.status is Status.ACCURACY_NOT_MET
    assert any("fewer than 4 voxels" in words for words in missed.warnings)


def _offset_energy(strain: jax.Array, parameters: dict[str, jax.Array]) -> jax.Array:
    return parameters["offset"] + parameters["G"] * jnp.sum(strain**2)


def test_energy_is_stored_relative_to_the_virgin_cell() -> None:
    laws = {0: EnergyLaw(_offset_energy, {"offset": 7e3, "G": 1e9}, SMALL_STRAIN), 1: None}
    result = follow_path(porous(), laws, (pull(0.001, 1),))
    last = result.increments[-1]
    assert last.stored == pytest.approx(last.work, rel=1e-6)


def test_tangents_that_lost_stability_are_named() -> None:
    stable = isotropic_stiffness(1.0, 0.5)
    assert tangent_warnings(stable, SMALL_STRAIN, 3, 1) == ()
    value, _ = least_ellipticity(stable, SMALL_STRAIN, 3)
    assert value == pytest.approx(0.5 / (1.0 + 4 / 3 * 0.5))  # shear over longitudinal wave speed, squared
    # K < 0 with K + 4/3 G > 0: unstable under stress, but no band can form.
    told = tangent_warnings(isotropic_stiffness(-0.1, 0.5), SMALL_STRAIN, 3, 7)
    assert len(told) == 1
    assert "not positive definite at increment 7" in told[0]
    told = tangent_warnings(isotropic_stiffness(-1.0, 0.5), SMALL_STRAIN, 3, 7)
    assert any("lost ellipticity" in words for words in told)
    assert least_stiffness(stable) > 0
    # Antisymmetric rates carry nothing: the tangent of a stress-free solid at finite strain.
    full = np.einsum("ijab,abkl->ijkl", *[_symmetrizer()] * 2).reshape(9, 9)
    assert least_stiffness(full) == pytest.approx(0.0, abs=1e-12)
    assert least_ellipticity(full, FINITE_STRAIN, 3)[0] == pytest.approx(0.5)


def _symmetrizer() -> np.ndarray:
    one = np.eye(3)
    return (np.einsum("ik,jl->ijkl", one, one) + np.einsum("il,jk->ijkl", one, one)) / 2


@pytest.mark.parametrize("name", ["flux", "work", "hill_mandel", "phase_flux", "stored"])
def test_numbers_beyond_double_precision_end_a_path(name: str) -> None:
    a, few = np.ones(6), np.ones(3)
    fine = PathIncrement(
        number=4, leg=1, time=1.5, dt=0.5, cuts=0, drive=a, flux=a, tangent=None, stored=None, dissipated=None,
        work=1.0, residuals=few, krylov=few, phase_drive=a, phase_flux=a, hill_mandel=0.0, turnover=1.0,
        unbalanced=None,
    )  # fmt: skip
    require_finite(fine)
    wrong = np.where(np.arange(6) == 2, np.inf, a) if name.endswith("flux") else float("nan")
    words = name.replace("_", " ")
    with pytest.raises(ConvergenceError, match=rf"Increment 4 \(leg 2, time 1.5\).*\({words}\).*units"):
        require_finite(dataclasses.replace(fine, **{name: wrong}))

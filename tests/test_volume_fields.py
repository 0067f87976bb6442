"""Local fields of the finite volumes between two faces."""

from __future__ import annotations

import numpy as np
import pytest

from cells import ball, layers
from scalebridge.cell.boundary import OppositeFaces
from scalebridge.cell.finite_volume import (
    FiniteVolumeProblem,
    MultigridConjugateGradients,
    solve_finite_volume,
)
from scalebridge.cell.volume_fields import volume_fields
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize import homogenize
from scalebridge.material.conduction import Conduction


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layers_in_series_carry_the_same_flux_everywhere(axis: int) -> None:
    index = layers((4, 6, 8), axis, [0, 1, 1, 0, 0, 1, 0, 0][: (4, 6, 8)[axis]])
    problem = FiniteVolumeProblem(
        index, np.array([[1.0] * 3, [5.0] * 3]), (0.5, 1.0, 2.0), OppositeFaces(axis)
    )
    solution = solve_finite_volume(problem, MultigridConjugateGradients(rtol=1e-10))
    potential, gradient, flux, energy = volume_fields(solution)
    value = float(solution.effective[0, 0])
    np.testing.assert_allclose(flux[axis], value, rtol=1e-5)
    np.testing.assert_allclose(np.delete(flux, axis, axis=0), 0, atol=1e-5)
    k = np.array([1.0, 5.0])[index]
    np.testing.assert_allclose(gradient[axis], value / k, rtol=1e-5)
    assert 2 * energy.mean() == pytest.approx(value, rel=1e-5)
    assert potential.shape == (5, 7, 9)
    assert np.all(np.diff(potential, axis=axis) > 0)


def test_large_images_between_faces_show_fields_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import scalebridge.homogenize.laboratory as laboratory

    monkeypatch.setattr(laboratory, "ELEMENTS_UP_TO", 0)
    labels = ball(16, 0.4)
    laws = {0: Conduction.isotropic(k=2.0), 1: Conduction.void()}
    result = homogenize(PhaseImage(labels, VoxelGrid(labels.shape)), laws, boundary=OppositeFaces(1))
    (fields,) = result.fields
    flux = fields.flux.values
    assert flux[1].mean() == pytest.approx(float(result.value[0, 0]), rel=0.02)
    assert np.all(flux[:, labels == 1] == 0)
    assert np.isfinite(fields.primary.values).all()

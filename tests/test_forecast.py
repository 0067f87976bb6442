"""Forecasts of memory against what runs were measured to take."""

from __future__ import annotations

import numpy as np
import pytest

from scalebridge import Conduction, Elasticity
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.forecast import estimate

LAWS = {
    "conduction": {0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=10.0)},
    "elasticity": {0: Elasticity.isotropic(E=1.0, nu=0.3), 1: Elasticity.isotropic(E=10.0, nu=0.3)},
}


@pytest.mark.parametrize(
    ("physics", "voxels", "measured"),
    [
        ("conduction", 64, 8.7e8), ("conduction", 128, 1.69e9), ("conduction", 256, 1.56e9),
        ("elasticity", 64, 6.6e8), ("elasticity", 128, 9.4e8), ("elasticity", 256, 2.55e9),
    ],
)  # fmt: skip
def test_memory_is_forecast_within_a_quarter(physics: str, voxels: int, measured: float) -> None:
    """Peaks of whole processes with an inclusion of contrast ten, at 1 %."""
    labels = np.zeros((voxels,) * 3, np.uint8)
    labels[: voxels // 3] = 1
    forecast = estimate(PhaseImage(labels, VoxelGrid(labels.shape)), LAWS[physics])
    assert 0.8 * measured < forecast.bytes < 1.25 * measured

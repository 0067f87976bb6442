"""Small nonlinear cells shared by the tests of the solver: few shapes, so that compiled programs are shared."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pytest

from scalebridge import Elasticity
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.cell.nonlinear import Equilibrium, Integration, NonlinearCell
from scalebridge.cell.nonlinear.fields import point_drives
from scalebridge.cell.nonlinear.newton import Batch, Start
from scalebridge.grid import VoxelGrid
from scalebridge.material.laws import AbstractPointLaw, LinearLaw, NeoHooke
from scalebridge.material.laws.hardening import LinearHardening, VoceHardening
from scalebridge.material.laws.j2 import J2Plasticity
from scalebridge.material.laws.norton import NortonCreep

STIFF = LinearLaw.of(Elasticity.isotropic(E=400e9, nu=0.2))
VOCE = J2Plasticity(70e9, 26e9, 100e6, VoceHardening(80e6, 40.0, 0.5e9))
LINEAR = J2Plasticity(160e9, 80e9, 250e6, LinearHardening(2e9))
NORTON = NortonCreep(70e9, 26e9, 1e-2, 50e6, 4.0)
SOFT_RUBBER, HARD_RUBBER = NeoHooke(5e6, 1e6), NeoHooke(30e6, 8e6)

BOUNDARIES: tuple[AbstractBoundary, ...] = (Periodic(), KinematicUniform(), StaticUniform())


def under_every_boundary(names: Iterable[str], quick: Collection[str]) -> list[Any]:
    """Parameters (name, boundary): all names under all conditions; other than periodic ones only of `quick` names,
    the rest is slow (every pair compiles programs of its own)."""
    return [
        pytest.param(
            name,
            boundary,
            id=f"{name}-{type(boundary).__name__}",
            marks=[] if boundary.periodic or name in quick else [pytest.mark.slow],
        )
        for name in names
        for boundary in BOUNDARIES
    ]


def corner(n: int = 4) -> np.ndarray:
    """A cubic inclusion (label 1) of an eighth of the volume, in one corner."""
    labels = np.zeros((n, n, n), np.uint8)
    labels[: n // 2, : n // 2, : n // 2] = 1
    return labels


def scattered(cells: int, n: int = 4, share: float = 0.25, seed: int = 0) -> np.ndarray:
    """Random voxels, equally many of each kind in every cell: (cells, n, n, n)."""
    random = np.random.default_rng(seed)
    flat = np.zeros((cells, n**3), np.uint8)
    for row in flat:
        row[random.permutation(n**3)[: round(share * n**3)]] = 1
    return flat.reshape(cells, n, n, n)


def cell_of(
    labels: np.ndarray,
    laws: tuple[AbstractPointLaw | None, ...],
    boundary: AbstractBoundary | None = None,
    integration: Integration | None = None,
) -> NonlinearCell:
    """Labels 0, 1, ... of `laws` on voxels of unit edge."""
    grid = VoxelGrid(labels.shape[-3:], (1.0,) * 3)
    return NonlinearCell(grid, labels, dict(enumerate(laws)), boundary or Periodic(), integration)


def next_start(balance: Equilibrium) -> Start:
    """The increment after a balance, started from where it is."""
    return Start(balance.state, balance.w, balance.drive)


def drives_at_points(batch: Batch, w: tuple, drive: np.ndarray) -> np.ndarray:
    """(points, m, B, voxels), like `Equilibrium.point_flux`."""
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        drives = point_drives(batch.elements, w, jnp.asarray(drive), 1e9)
    return np.asarray(drives).reshape(*drives.shape[:3], -1)

"""What the tests of loading paths share: a small porous cell that yields, as objects and as a command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.material.laws.hardening import LinearHardening
from scalebridge.material.laws.j2 import J2Plasticity

LAWS = """
from scalebridge.material.laws.hardening import LinearHardening
from scalebridge.material.laws.j2 import J2Plasticity


def metal(E, nu, yield_stress, hardening=0.0):
    return J2Plasticity(E / 3 / (1 - 2 * nu), E / 2 / (1 + nu), yield_stress, LinearHardening(hardening))


def nothing():
    return 3


def broken(E):
    raise ValueError("no such metal")
"""
METAL = "0:laws.py:metal,E=70GPa,nu=0.3,yield_stress=100MPa,hardening=1GPa"
PULL = "xx=0.5% rest=free steps=4"
CELL = ("path", "image.npy", "--law", METAL, "--law", "1:void")
COMMAND = [*CELL, "--leg", PULL]
FREE = dict.fromkeys(("yy", "zz", "yz", "xz", "xy"), 0.0)


def metal(yield_stress: float = 1e8) -> J2Plasticity:
    return J2Plasticity(7e10 / 3 / 0.4, 7e10 / 2.6, yield_stress, LinearHardening(1e9))


def porous(n: int = 4) -> PhaseImage:
    """A cubic pore in a periodic cell."""
    labels = np.zeros((n, n, n), np.uint8)
    labels[1 : n - 1, 1 : n - 1, 1 : n - 1] = 1
    return PhaseImage(labels, VoxelGrid(labels.shape, (1e-6,) * 3))


def pull(to: float = 0.005, steps: int = 4) -> Leg:
    return Leg({"xx": to}, FREE, 1.0, steps)


def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an image, a law file and nothing else becomes the current one."""
    monkeypatch.chdir(tmp_path)
    np.save("image.npy", porous().labels)
    Path("laws.py").write_text(LAWS)
    return tmp_path

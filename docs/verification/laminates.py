"""Layers: arithmetic and harmonic means, and Backus' averages; exact on any grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from docs.verification.record import Row, Table
from docs.verification.solve import conductivities, solve_tensor

from scalebridge.numerics.mandel import isotropic_stiffness

ROUND_OFF = 1e-11


def tables(data: Path | None) -> list[Table]:
    return [_conduction(), _elasticity()]


def _layers(shape: tuple[int, ...], axis: int) -> tuple[np.ndarray, np.ndarray]:
    pattern = np.array([0, 1, 1, 0, 2, 2, 1, 0], np.uint8)[: shape[axis]]
    line = pattern.reshape([-1 if a == axis else 1 for a in range(3)])
    index = np.ascontiguousarray(np.broadcast_to(line, shape))
    return index, np.bincount(pattern, minlength=3) / len(pattern)


def _conduction() -> Table:
    k = np.array([1.0, 10.0, 0.3])
    rows = []
    for axis in range(3):
        index, f = _layers((8, 7, 6), axis)
        value = solve_tensor(index, conductivities(*k), residual=1e-10).value
        for a in range(3):
            exact = 1 / np.sum(f / k) if a == axis else np.sum(f * k)
            words = f"layers along {'xyz'[axis]}, k_{'xyz'[a] * 2}"
            rows.append(Row(words, value[a, a], float(exact), ROUND_OFF))
    return Table(
        "Laminates: conduction",
        "Three phases (k = 1, 10, 0.3) in layers along each axis of a cell of 8 x 7 x 6 voxels. Exact on any grid.",
        tuple(rows),
    )


def _elasticity() -> Table:
    l, m = np.array([[1.2, 0.8], [3.0, 7.0], [0.1, 0.5]]).T
    index, f = _layers((5, 4, 8), 2)
    matrices = np.stack([isotropic_stiffness(a + 2 * b / 3, b, 3) for a, b in zip(l, m, strict=True)])
    value = solve_tensor(index, matrices, residual=1e-10).value

    def mean(x: np.ndarray) -> float:
        return float(np.dot(f, x))

    c33 = 1 / mean(1 / (l + 2 * m))
    tilt = mean(l / (l + 2 * m))
    exact = {
        "C_11": (value[0, 0], mean(4 * m * (l + m) / (l + 2 * m)) + tilt**2 * c33),
        "C_33": (value[2, 2], c33),
        "C_13": (value[0, 2], tilt * c33),
        "C_44": (value[3, 3] / 2, 1 / mean(1 / m)),
        "C_66": (value[5, 5] / 2, mean(m)),
    }
    return Table(
        "Laminates: elasticity",
        "Three phases (Lame constants 1.2/0.8, 3/7, 0.1/0.5) in layers along z, Voigt entries; Backus' averages.",
        tuple(Row(name, ours, reference, ROUND_OFF) for name, (ours, reference) in exact.items()),
    )

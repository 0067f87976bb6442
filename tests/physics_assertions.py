"""Physics that any effective tensor must obey, to be used by every test that makes one."""

from __future__ import annotations

import numpy as np

from scalebridge.homogenize.bounds import reuss_average, voigt_average


def is_ordered(lower: np.ndarray, upper: np.ndarray, rtol: float = 1e-9) -> bool:
    """Whether lower <= upper as quadratic forms."""
    slack = rtol * max(float(np.linalg.norm(upper)), float(np.linalg.norm(lower)))
    difference = (upper - lower + (upper - lower).T) / 2
    return bool(np.linalg.eigvalsh(difference)[0] >= -slack)


def assert_ordered(lower: np.ndarray, upper: np.ndarray, rtol: float = 1e-9, words: str = "") -> None:
    """lower <= upper as quadratic forms."""
    gap = np.linalg.eigvalsh((upper - lower + (upper - lower).T) / 2)[0]
    assert is_ordered(lower, upper, rtol), (
        f"{words or 'not ordered'}: smallest eigenvalue of the difference {gap:g}"
    )


def assert_symmetric(tensor: np.ndarray, rtol: float = 1e-9) -> None:
    """Major symmetry."""
    assert np.abs(tensor - tensor.T).max() <= rtol * np.abs(tensor).max(), "not symmetric"


def assert_positive(tensor: np.ndarray, rtol: float = 1e-9) -> None:
    """Positive semi-definite up to round-off."""
    assert_ordered(np.zeros_like(tensor), tensor, rtol, "not positive")


def assert_between_bounds(
    effective: np.ndarray, tensors: np.ndarray, fractions: np.ndarray, rtol: float = 1e-9
) -> None:
    """Reuss <= effective <= Voigt as quadratic forms; tensors (p, m, m) as the cell sees them."""
    tensors, fractions = np.asarray(tensors), np.asarray(fractions, float)
    assert_symmetric(effective, max(rtol, 1e-9))
    assert_ordered(effective, voigt_average(tensors, fractions), rtol, "stiffer than Voigt")
    assert_ordered(reuss_average(tensors, fractions), effective, rtol, "softer than Reuss")


def backus_laminate(bulk: np.ndarray, shear: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """The exact stiffness (6, 6) Mandel of isotropic layers stacked along z; no void among them."""
    l, m = bulk - 2 * shear / 3, np.asarray(shear)

    def mean(x: np.ndarray) -> float:
        return float(np.dot(fractions, x))

    c33 = 1 / mean(1 / (l + 2 * m))
    c13 = mean(l / (l + 2 * m)) * c33
    c66 = mean(m)
    c44 = 1 / mean(1 / m)
    c11 = mean(4 * m * (l + m) / (l + 2 * m)) + mean(l / (l + 2 * m)) ** 2 * c33
    c12 = c11 - 2 * c66
    stiffness = np.zeros((6, 6))
    stiffness[:3, :3] = [[c11, c12, c13], [c12, c11, c13], [c13, c13, c33]]
    stiffness[3:, 3:] = 2 * np.diag([c44, c44, c66])
    return stiffness

"""Statistics known in closed form: what measurements on generated images are compared with.

Fully penetrable equal spheres (in 2-D: discs) of radius R, thrown at random with the intensity (number density) rho,
leave the fraction phi = exp(-eta) outside, eta = rho v with the volume v of one sphere [torquato2002]. Debye's random
medium has the covariance f (1 - f) exp(-r / a) [debye1957].
"""

from __future__ import annotations

import math

import numpy as np

from scalebridge.core.errors import InputError

# Second moment over the squared first moment of the cell volume of a Poisson-Voronoi tessellation: the integral range,
# in mean cell volumes, of the indicator of any mosaic that colours its cells independently.
POISSON_VORONOI_INTEGRAL_RANGE = {2: 1.280, 3: 1.179}


def sphere_intensity(outside: float, radius: float | int, ndim: int) -> float:
    """Number density of overlapping spheres that leaves the fraction `outside` uncovered."""
    if not 0 < outside < 1 or not radius > 0:
        raise InputError(
            f"A fraction between 0 and 1 and a positive radius are needed, got {outside}, {radius}."
        )
    return -math.log(outside) / _ball_volume(radius, ndim)


def overlapping_spheres_two_point(
    distance: np.ndarray, outside: float, radius: float | int, ndim: int
) -> np.ndarray:
    """S2 of the phase outside the spheres: exp(-rho v2(r)), v2 the volume of two spheres a distance r apart."""
    intensity = sphere_intensity(outside, radius, ndim)
    x = np.minimum(np.asarray(distance, float) / (2 * radius), 1.0)
    if ndim == 3:
        union = 1 + 1.5 * x - 0.5 * x**3
    else:
        union = 2 - (2 / math.pi) * (np.arccos(x) - x * np.sqrt(1 - x * x))
    return np.exp(-intensity * _ball_volume(radius, ndim) * union)


def overlapping_spheres_lineal_path(
    distance: np.ndarray, outside: float, radius: float | int, ndim: int
) -> np.ndarray:
    """L of the phase outside the spheres: phi times exp(-rho times cross-section times r)."""
    intensity = sphere_intensity(outside, radius, ndim)
    section = _ball_volume(radius, ndim - 1)
    return outside * np.exp(-intensity * section * np.asarray(distance, float))


def overlapping_spheres_minkowski(
    outside: float, radius: float | int, ndim: int
) -> tuple[float, float, float, float | None]:
    """Of the spheres' union, per unit volume: fraction, surface, Euler number, integral of mean curvature (3-D).

    Miles' formulae for the Boolean model of balls; in 2-D surface is the length of the boundary [ohser2009].
    """
    rho = sphere_intensity(outside, radius, ndim)
    if ndim == 2:
        length = 2 * math.pi * radius
        euler = outside * (rho - (rho * length) ** 2 / (4 * math.pi))
        return 1 - outside, outside * rho * length, euler, None
    area, curvature = 4 * math.pi * radius**2, 4 * math.pi * radius
    mean = outside * (rho * curvature - math.pi**2 / 32 * (rho * area) ** 2)
    euler = outside * (rho - rho**2 * curvature * area / (4 * math.pi) + math.pi / 384 * (rho * area) ** 3)
    return 1 - outside, outside * rho * area, euler, mean


def debye_two_point(distance: np.ndarray, fraction: float, length: float | int) -> np.ndarray:
    """S2 = f^2 + f (1 - f) exp(-r / a): pieces of all shapes and sizes."""
    return fraction**2 + fraction * (1 - fraction) * np.exp(-np.asarray(distance, float) / length)


def debye_specific_surface(fraction: float, length: float | int) -> float:
    """Area per volume of Debye's medium in 3-D, -4 dS2/dr at 0 [debye1957]: 4 f (1 - f) / a."""
    return 4 * fraction * (1 - fraction) / length


def debye_integral_range(length: float | int, ndim: int) -> float:
    """Integral of exp(-r / a) over space: 2 pi a^2 or 8 pi a^3."""
    return 2 * math.pi * length**2 if ndim == 2 else 8 * math.pi * length**3


def _ball_volume(radius: float | int, ndim: int) -> float:
    return math.pi ** (ndim / 2) / math.gamma(ndim / 2 + 1) * float(radius) ** ndim

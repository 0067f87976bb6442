"""Correlation functions of stationary random fields: how alike are two points a distance apart?

Lengths are in voxels. Every function is one at distance zero and positive definite in the dimensions that
`check` lets pass, so that a Gaussian field with it exists.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import final

import numpy as np
import scipy.special

from scalebridge.core.errors import ImageError


class AbstractCovariance(abc.ABC):
    """An isotropic correlation function rho(r), rho(0) = 1. Concrete ones are dataclasses of positive numbers."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0):
                raise ImageError(
                    f"{type(self).__name__}: {field.name} must be a positive number, got {value!r}."
                )

    @abc.abstractmethod
    def value(self, distance: np.ndarray) -> np.ndarray:
        """rho at distances in voxels (any shape)."""

    @abc.abstractmethod
    def integral(self, dimensions: int) -> float:
        """The integral of rho over the plane or over space, in voxels^d; infinite when it does not exist."""

    @property
    @abc.abstractmethod
    def length(self) -> float:
        """The scale of the correlation, in voxels: where statistics of it are worth looking at."""

    def check(self, dimensions: int) -> None:
        """Fails when rho is not positive definite in so many dimensions (ImageError)."""
        if dimensions not in (2, 3):
            raise ImageError(f"{type(self).__name__}: fields have 2 or 3 dimensions, not {dimensions}.")


@final
@dataclasses.dataclass(frozen=True)
class Exponential(AbstractCovariance):
    """rho = exp(-r / l). Positive definite in every dimension.

    As correlation of an indicator: Debye's random medium, with smooth and ragged parts of every size up to l.
    As correlation of a field: the level surfaces are fractal, their area grows as the voxels get finer.
    """

    correlation_length: float | int

    @property
    def length(self) -> float:
        return float(self.correlation_length)

    def value(self, distance: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(np.asarray(distance) / -self.correlation_length))

    def integral(self, dimensions: int) -> float:
        return {2: 2 * math.pi, 3: 8 * math.pi}[dimensions] * float(self.correlation_length) ** dimensions


@final
@dataclasses.dataclass(frozen=True)
class Gaussian(AbstractCovariance):
    """rho = exp(-r^2 / (2 l^2)). Positive definite in every dimension; the field is smooth."""

    correlation_length: float | int

    @property
    def length(self) -> float:
        return float(self.correlation_length)

    def value(self, distance: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-0.5 * (np.asarray(distance) / self.correlation_length) ** 2))

    def integral(self, dimensions: int) -> float:
        return (math.sqrt(2 * math.pi) * self.correlation_length) ** dimensions


@final
@dataclasses.dataclass(frozen=True)
class Oscillating(AbstractCovariance):
    """rho = exp(-r / a) sin(q r) / (q r), q = 2 pi / wavelength: structures that repeat at a distance.

    Positive definite in two and three dimensions for every decay length a, as the product of two functions
    that are. One of the hypothetical correlations of [yeong1998].
    """

    wavelength: float | int
    decay_length: float | int

    @property
    def length(self) -> float:
        return 0.25 * self.wavelength

    def value(self, distance: np.ndarray) -> np.ndarray:
        distance = np.asarray(distance)
        return np.asarray(np.exp(distance / -self.decay_length) * np.sinc(2 * distance / self.wavelength))

    def integral(self, dimensions: int) -> float:
        decay, wave = 1 / self.decay_length, 2 * math.pi / self.wavelength
        square = decay**2 + wave**2
        return 2 * math.pi / square if dimensions == 2 else 8 * math.pi * decay / square**2


@final
@dataclasses.dataclass(frozen=True)
class DampedCosine(AbstractCovariance):
    """rho = exp(-r / a) cos(q r), q = 2 pi / wavelength.

    Its spectral density is smallest at wave number zero, where it is proportional to Re (1/a + i q)^d: it is
    positive definite in d dimensions when q a <= tan(pi / (2 d)), that is 1 in the plane and 0.577 in space.
    """

    wavelength: float | int
    decay_length: float | int

    @property
    def length(self) -> float:
        return float(self.decay_length)

    def value(self, distance: np.ndarray) -> np.ndarray:
        distance = np.asarray(distance)
        wave = np.cos(2 * math.pi / self.wavelength * distance)
        return np.asarray(np.exp(distance / -self.decay_length) * wave)

    def integral(self, dimensions: int) -> float:
        inverse = 1 / complex(1 / self.decay_length, -2 * math.pi / self.wavelength)
        return (2 * math.pi * inverse**2 if dimensions == 2 else 8 * math.pi * inverse**3).real

    def check(self, dimensions: int) -> None:
        AbstractCovariance.check(self, dimensions)
        largest = math.tan(math.pi / (2 * dimensions)) * self.wavelength / (2 * math.pi)
        if self.decay_length > largest * (1 + 1e-12):
            raise ImageError(
                f"DampedCosine is positive definite in {dimensions} dimensions only for a decay_length up to "
                f"{largest:.4g} at this wavelength, got {self.decay_length:g}. Oscillating has no such limit."
            )


@final
@dataclasses.dataclass(frozen=True)
class PowerLaw(AbstractCovariance):
    """rho = (1 + r^2 / l^2)^(-beta / 2), the Cauchy family [gneiting2004]: ~ (l / r)^beta far away.

    Positive definite in every dimension. For beta up to the dimension its integral is infinite: averages over
    a volume V scatter as V^(-beta / d), slower than 1 / V, and no integral range exists.
    """

    correlation_length: float | int
    exponent: float | int

    @property
    def length(self) -> float:
        return float(self.correlation_length)

    def value(self, distance: np.ndarray) -> np.ndarray:
        square = (np.asarray(distance) / self.correlation_length) ** 2
        return np.asarray((1 + square) ** (-0.5 * self.exponent))

    def integral(self, dimensions: int) -> float:
        if self.exponent <= dimensions:
            return math.inf
        ratio = scipy.special.gammaln((self.exponent - dimensions) / 2)
        ratio -= scipy.special.gammaln(self.exponent / 2)
        return float((math.sqrt(math.pi) * self.correlation_length) ** dimensions * math.exp(ratio))

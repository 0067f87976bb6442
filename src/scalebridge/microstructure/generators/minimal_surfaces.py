"""Triply periodic minimal surfaces, each the zero level of its lowest Fourier modes [schwarz1999]."""

from __future__ import annotations

import abc
import dataclasses
from typing import final

import numpy as np


class AbstractMinimalSurface(abc.ABC):
    """A surface, told by the nodal function whose zero level is close to it."""

    @abc.abstractmethod
    def level(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The nodal function at angles x, y, z (2 pi per unit cell)."""


@final
@dataclasses.dataclass(frozen=True)
class Gyroid(AbstractMinimalSurface):
    """sin x cos y + sin y cos z + sin z cos x."""

    def level(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)


@final
@dataclasses.dataclass(frozen=True)
class SchwarzP(AbstractMinimalSurface):
    """cos x + cos y + cos z."""

    def level(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.cos(x) + np.cos(y) + np.cos(z)


@final
@dataclasses.dataclass(frozen=True)
class SchwarzD(AbstractMinimalSurface):
    """sin x sin y sin z + sin x cos y cos z + cos x sin y cos z + cos x cos y sin z."""

    def level(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        # The same function: cos(z) sin(x + y) + sin(z) cos(x - y).
        return np.cos(z) * np.sin(x + y) + np.sin(z) * np.cos(x - y)


@final
@dataclasses.dataclass(frozen=True)
class IWP(AbstractMinimalSurface):
    """Schoen's I-WP: 2 (cos x cos y + cos y cos z + cos z cos x) - (cos 2x + cos 2y + cos 2z)."""

    def level(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        mixed = np.cos(x) * np.cos(y) + np.cos(y) * np.cos(z) + np.cos(z) * np.cos(x)
        return 2 * mixed - (np.cos(2 * x) + np.cos(2 * y) + np.cos(2 * z))


@final
@dataclasses.dataclass(frozen=True)
class Neovius(AbstractMinimalSurface):
    """3 (cos x + cos y + cos z) + 4 cos x cos y cos z."""

    def level(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return 3 * (np.cos(x) + np.cos(y) + np.cos(z)) + 4 * np.cos(x) * np.cos(y) * np.cos(z)

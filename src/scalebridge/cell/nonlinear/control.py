r"""What is prescribed of a cell: of every component of its drive and its mean flux, one.

At finite strain a flux may be given as a Cauchy stress sigma = P F^T / J instead of the first Piola-Kirchhoff stress P.
Its balance R_ij = J sigma_ij - P_ik F_jk = 0 depends on F itself: with A = d<P>/dF of the cell, Newton needs

    -dR_ij = F_jk dP_ik + P_ik dF_jk - J sigma_ij F^-T : dF,

every row divided by the stretch of its direction j, so that it stays close to dP_ij. That matrix is not symmetric.
References: [miehe2002] for control by mean fluxes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Num


@dataclasses.dataclass(frozen=True, eq=False)
class Control:
    """flux (m,): components whose mean flux is given, the others' drive is; cauchy (m,): those of them that are given
    as Cauchy stresses."""

    flux: np.ndarray
    cauchy: np.ndarray

    @classmethod
    def of(cls, flux: np.ndarray | Control, cauchy: np.ndarray | None = None) -> Control:
        """A mask (m,) of given fluxes, and of those among them that are Cauchy stresses (none by default)."""
        if isinstance(flux, Control):
            return flux
        flux = np.asarray(flux, bool)
        cauchy = np.zeros(flux.shape, bool) if cauchy is None else np.asarray(cauchy, bool)
        return cls(flux | cauchy, cauchy)

    def prescribed(
        self, flux: Num[np.ndarray, "B m"], drive: Num[np.ndarray, "B m"]
    ) -> Num[np.ndarray, "B m"]:
        """The values (B, m) that a cell at `flux`, `drive` (B, m) has of what is prescribed."""
        values = np.where(self.flux, flux, drive)
        return np.where(self.cauchy, cauchy_stress(flux, drive), values) if self.cauchy.any() else values

    def gap(
        self, flux: Num[np.ndarray, "B m"], drive: Num[np.ndarray, "B m"], target: Num[np.ndarray, "B m"]
    ) -> Float[np.ndarray, "B m"]:
        """What is missing of the prescribed fluxes (B, m), in their unit; zero where the drive is given."""
        gap = np.where(self.flux, target - flux, 0.0)
        if not self.cauchy.any():
            return gap
        f, p = _matrices(drive), _matrices(flux)
        wanted = np.linalg.det(f)[:, None, None] * _matrices(target)
        found = (wanted - p @ np.swapaxes(f, 1, 2)) / _stretches(f)[:, None, :]
        return np.where(self.cauchy, found.reshape(gap.shape), gap)

    def rows(
        self, flux: Num[np.ndarray, "B m"], drive: Num[np.ndarray, "B m"], target: Num[np.ndarray, "B m"]
    ) -> tuple[Float[np.ndarray, "B m m"], Float[np.ndarray, "B m m"]] | None:
        """(M, N), each (B, m, m), with -d gap = M d flux + N d drive where Cauchy stresses are given, and M = 1, N = 0
        elsewhere; None where that is everywhere."""
        if not self.cauchy.any():
            return None
        f, p = _matrices(drive), _matrices(flux)
        cells, ndim, m = len(f), f.shape[1], flux.shape[1]
        unit = np.eye(ndim)
        scale = 1 / _stretches(f)
        volume = np.linalg.det(f)[:, None, None] * np.swapaxes(np.linalg.inv(f), 1, 2)
        # Components (i, j) of the row, (k, l) of the column.
        of_flux = np.einsum("ik,bjl->bijkl", unit, f)
        of_drive = np.einsum("bil,jk->bijkl", p, unit) - np.einsum(
            "bij,bkl->bijkl", _matrices(target), volume
        )
        m_rows = (of_flux * scale[:, None, :, None, None]).reshape(cells, m, m)
        n_rows = (of_drive * scale[:, None, :, None, None]).reshape(cells, m, m)
        here = self.cauchy[:, None]
        return np.where(here, m_rows, np.eye(m)), np.where(here, n_rows, 0.0)


def cauchy_stress(flux: Num[np.ndarray, "B m"], drive: Num[np.ndarray, "B m"]) -> Float[np.ndarray, "B m"]:
    """sigma = P F^T / J (B, d d), rows first, of means P and F (B, d d)."""
    f = _matrices(drive)
    stress = _matrices(flux) @ np.swapaxes(f, 1, 2) / np.linalg.det(f)[:, None, None]
    return stress.reshape(flux.shape)


def _matrices(values: Num[np.ndarray, "B m"]) -> Num[np.ndarray, "B d d"]:
    ndim = 2 if values.shape[1] == 4 else 3
    return values.reshape(-1, ndim, ndim)


def _stretches(f: Num[np.ndarray, "B d d"]) -> Float[np.ndarray, "B d"]:
    """Of the axes j: |F_j.| (B, d)."""
    return np.linalg.norm(f, axis=2)

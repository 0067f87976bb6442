r"""Two-phase laminates under any load, solved in NumPy with nothing of the voxel solver.

Both layers are homogeneous: drive E + (1 - f) J a in the first (fraction f), E - f J a in the second, where J a is the
jump sym(a (x) n), a (x) n or a n. The traction is continuous: J^T (s1 - s2) = 0, solved by Newton's method for a, and
for the components of E that follow from given mean fluxes. Only the laws' own points are asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from scalebridge.material.kinematics import Kinematics
from scalebridge.material.laws import AbstractPointLaw
from scalebridge.numerics.mandel import to_mandel

TOLERANCE = 1e-13


def jump_of(kinematics: Kinematics, normal: np.ndarray) -> np.ndarray:
    """J (m, c): the drive that a jump a (c,) of the normal derivative makes across layers of this normal."""
    n = np.asarray(normal, float) / np.linalg.norm(normal)
    if not kinematics.vector:
        return n[:, None]
    unit = np.eye(len(n))
    dyads = [np.outer(e, n) for e in unit]
    if kinematics.symmetric:
        return np.stack([to_mandel((d + d.T) / 2) for d in dyads], axis=1)
    return np.stack([d.reshape(-1) for d in dyads], axis=1)


@dataclasses.dataclass(frozen=True)
class LaminateStep:
    """What the laminate says at the end of an increment; everything per reference volume."""

    drive: np.ndarray
    flux: np.ndarray
    tangent: np.ndarray
    stored: float
    dissipated: float
    layers: tuple[np.ndarray, np.ndarray]  # their fluxes


@dataclasses.dataclass
class ExactLaminate:
    """laws: of the two layers; fraction: of the first; normal: of the layers."""

    laws: tuple[AbstractPointLaw, AbstractPointLaw]
    fraction: float
    normal: Any

    def __post_init__(self) -> None:
        kinematics = self.laws[0].kinematics
        self.jump = jump_of(kinematics, np.asarray(self.normal, float))
        self.states = [law.initial_state(1) for law in self.laws]
        self.a = np.zeros(self.jump.shape[1])
        self.drive = kinematics.virgin(self.laws[0].dimensions)
        self.flux = np.zeros_like(self.drive)
        self.largest = 0.0

    def step(self, target: np.ndarray, flux_given: np.ndarray, dt: float) -> LaminateStep:
        """To `target`: the drive where `flux_given` is False, the mean flux where it is True."""
        f, J, free = self.fraction, self.jump, np.flatnonzero(flux_given)
        drive, a = np.where(flux_given, self.drive, target), self.a
        unit = np.eye(len(drive))[:, free]

        def ask(drive: np.ndarray, a: np.ndarray) -> list[Any]:
            drives = (drive + (1 - f) * J @ a, drive - f * J @ a)
            return [
                law.respond(s, e[None], dt) for law, s, e in zip(self.laws, self.states, drives, strict=True)
            ]

        def residual(answers: list[Any]) -> np.ndarray:
            s1, s2 = (r.flux[0] for r in answers)
            mean = f * s1 + (1 - f) * s2
            return np.concatenate([J.T @ (s1 - s2), (mean - target)[free]])

        answers = ask(drive, a)
        r = residual(answers)
        for _ in range(60):
            t1, t2 = (x.tangent[0] for x in answers)
            s1, s2 = (x.flux[0] for x in answers)
            size = np.linalg.norm(s1) + np.linalg.norm(s2) + np.linalg.norm(target[free])
            self.largest = max(self.largest, float(size))
            if np.linalg.norm(r) <= TOLERANCE * size:
                break
            mean, cross = f * t1 + (1 - f) * t2, t1 - t2
            matrix = np.block(
                [
                    [J.T @ ((1 - f) * t1 + f * t2) @ J, J.T @ cross @ unit],
                    [f * (1 - f) * unit.T @ cross @ J, unit.T @ mean @ unit],
                ]
            )
            change, length = np.linalg.solve(matrix, -r), 1.0
            while True:
                da, de = change[: len(a)], unit @ change[len(a) :]
                tried = ask(drive + length * de, a + length * da)
                new = residual(tried)
                fine = all(np.all(x.status == 0) for x in tried)
                if (fine and np.linalg.norm(new) < np.linalg.norm(r)) or length < 1e-3:
                    break
                length /= 2
            if not np.linalg.norm(new) < np.linalg.norm(r):
                break  # round-off
            drive, a, answers, r = drive + length * de, a + length * da, tried, new
        assert np.linalg.norm(r) <= 1e-12 * self.largest, "the reference itself has not converged"
        t1, t2 = (x.tangent[0] for x in answers)
        s1, s2 = (x.flux[0] for x in answers)
        inner = np.linalg.solve(J.T @ ((1 - f) * t1 + f * t2) @ J, J.T @ (t1 - t2))
        tangent = f * t1 + (1 - f) * t2 - f * (1 - f) * (t1 - t2) @ J @ inner
        self.states = [x.state for x in answers]
        self.a, self.drive, self.flux = a, drive, f * s1 + (1 - f) * s2
        stored, dissipated = (
            f * float(getattr(answers[0], what)[0]) + (1 - f) * float(getattr(answers[1], what)[0])
            for what in ("stored", "dissipated")
        )
        return LaminateStep(drive, self.flux, tangent, stored, dissipated, (s1, s2))

    def along(self, legs: Any) -> Iterator[LaminateStep]:
        """The increments of a path, each leg in equal steps."""
        kinematics, ndim = self.laws[0].kinematics, self.laws[0].dimensions
        for leg in legs:
            end, given = leg.targets(kinematics, ndim)
            begin = np.where(given, self.flux, self.drive)
            for n in range(1, leg.increments + 1):
                yield self.step(
                    begin + n / leg.increments * (end - begin), given, leg.duration / leg.increments
                )

"""Loading paths of one point of a law, for the tests of laws with a history."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np


@dataclasses.dataclass
class Path:
    """One row per step: drives (n, m), fluxes (n, m), stored and dissipated (n,); the states are those of one point."""

    drives: np.ndarray
    fluxes: np.ndarray
    stored: np.ndarray
    dissipated: np.ndarray
    states: list

    @property
    def state(self):
        return self.states[-1]

    def gaps(self) -> np.ndarray:
        """Work with the stress at the end of each step, minus stored minus dissipated (n - 1,)."""
        work = np.sum(self.fluxes[1:] * np.diff(self.drives, axis=0), axis=1)
        return work - np.diff(self.stored) - self.dissipated[1:]


def walk(law, drives, dt=0.0, state=None) -> Path:
    """One point through the given drives; dt: of all steps, or of each."""
    state = law.initial_state(1) if state is None else state
    rows, states = [], []
    for drive, step in zip(drives, np.broadcast_to(dt, len(drives)), strict=True):
        response = law.respond(state, drive[None], float(step))
        assert response.status[0] == 0
        state = response.state
        states.append(jax.tree.map(np.asarray, state))
        rows.append((response.flux[0], response.stored[0], response.dissipated[0]))
    fluxes, stored, dissipated = (np.array(part) for part in zip(*rows, strict=True))
    return Path(np.asarray(drives), fluxes, stored, dissipated, states)


def uniaxial_stress(law, axial, dt=0.0, tolerance=1e-12) -> Path:
    """A bar (Mandel strain) stretched to each of `axial` along x, free at its sides: Newton on the other strains."""
    state, strain, drives, rows, states = law.initial_state(1), np.zeros(6), [], [], []
    for target, step in zip(axial, np.broadcast_to(dt, len(axial)), strict=True):
        strain[0] = target
        correction, part, least = np.zeros(5), 1.0, np.inf
        for _ in range(100):
            tried = np.concatenate([strain[:1], strain[1:] + part * correction])
            response = law.respond(state, tried[None], float(step))
            stress, tangent = response.flux[0], response.tangent[0]
            left = np.abs(stress[1:]).max() if response.status[0] == 0 else np.inf
            if left >= least:  # viscous stresses saturate: Newton's step goes too far, and is halved
                part /= 2
                if part < 1e-6 and left < 1e-9 * np.abs(stress[0]):  # round-off
                    break
                continue
            strain, least, part = tried, left, 1.0
            if left <= tolerance * max(np.abs(stress[0]), 1e-12):
                break
            correction = -np.linalg.solve(tangent[1:, 1:], stress[1:])
        else:
            raise AssertionError(f"no uniaxial stress state at {target}: {stress}")
        state = response.state
        states.append(jax.tree.map(np.asarray, state))
        drives.append(strain.copy())
        rows.append((stress, response.stored[0], response.dissipated[0]))
    fluxes, stored, dissipated = (np.array(part) for part in zip(*rows, strict=True))
    return Path(np.array(drives), fluxes, stored, dissipated, states)


def curved_path(steps: int, size: float, components: int = 6) -> np.ndarray:
    """A smooth path (steps + 1, components) from zero that turns all the time; the same for any number of steps."""
    t = np.linspace(0, 1, steps + 1)[:, None]
    phases = np.arange(1, components + 1)
    return size * (np.sin(t * (1 + phases) * 1.3 + phases) - np.sin(phases)) * np.cos(1.7 * phases)
